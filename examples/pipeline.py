#!/usr/bin/env python3
"""Trains classifiers and deploys the best one, recording every step in an ML Metadata store.

    pipeline.py --server HOST:PORT --out DIR [--seed N]

    ingest -> split -> train seven models -> evaluate each on the held-out rows -> deploy the best

Each stage is an Execution, each file that it reads or writes an Artifact, and each run a Context
inside the context of its pipeline. Run it as often as you like: every run adds new versions of the
model, and data with a known digest is found again instead of being recorded twice.
"""

import argparse
import contextlib
import csv
import hashlib
import importlib.metadata
import io
import os
import pathlib
import platform
import subprocess
import urllib.parse

import joblib
import numpy as np
from ml_metadata.proto import metadata_store_pb2 as mlmd
from sklearn import metrics
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recorder import Recorder, connect, host_and_port, set_values

PIPELINE = "breast-cancer-training"
MODEL = "breast-cancer"
ENVIRONMENT = "prod"
TEST_SIZE = 0.25

CANDIDATES = [
    (LogisticRegression, {"C": 0.01, "max_iter": 1000}),
    (LogisticRegression, {"C": 1.0, "max_iter": 1000}),
    (LogisticRegression, {"C": 100.0, "max_iter": 1000}),
    (RandomForestClassifier, {"n_estimators": 50, "max_depth": 3}),
    (RandomForestClassifier, {"n_estimators": 200, "max_depth": 8}),
    (GradientBoostingClassifier, {"n_estimators": 100, "learning_rate": 0.1}),
    (GradientBoostingClassifier, {"n_estimators": 300, "learning_rate": 0.05}),
]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def describe_code(seed):
    """What it takes to run the same code again: seed, source and library versions."""
    packages = {"python": platform.python_version()}
    for name in ("scikit-learn", "numpy", "scipy", "joblib", "ml-metadata"):
        packages[name] = importlib.metadata.version(name)
    folder = pathlib.Path(__file__).resolve().parent
    source = b"".join((folder / name).read_bytes() for name in ("pipeline.py", "recorder.py"))
    code = {"seed": seed, "code_sha256": sha256(source), "packages": packages}

    def git(*words):
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    # Outside a git checkout the digest of the source has to do.
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        code["git_sha"] = git("rev-parse", "--verify", "--quiet", "HEAD")
        code["git_dirty"] = bool(git("status", "--porcelain", "--", "."))
    return code


def write_file(folder, data, suffix):
    """Writes a file named by its digest, so that no run overwrites the file of another."""
    path = folder / (sha256(data)[:16] + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def path_of(artifact):
    return pathlib.Path(urllib.parse.unquote(urllib.parse.urlsplit(artifact.uri).path))


def save_dataset(recorder, step, out, part, columns, rows):
    """Writes rows as CSV and makes them an output.

    The digest, as external id, is the data set's identity: writing known data again updates its
    artifact, whose uri then names the newest copy.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows.tolist())
    data = text.getvalue().encode()
    digest = sha256(data)
    artifact = recorder.new_artifact(
        "TabularDataset",
        name=f"{MODEL}.{part}@{digest[:12]}",
        uri=write_file(out / "data", data, ".csv").as_uri(),
        external_id=f"sha256:{digest}",
        state=mlmd.Artifact.LIVE,
    )
    schema = {"features": columns[:-1], "target": columns[-1]}
    values = {"split": part, "sha256": digest, "rows": len(rows), "columns": schema}
    set_values(artifact.properties, values)
    found = "found again" if recorder.is_known(artifact.external_id) else "new"
    step.output(part, artifact)
    step.note(f"{part} {digest[:12]}: {len(rows)} rows, {found}")
    return artifact


def load_dataset(dataset):
    """Reads a data set back from its file: features and target."""
    table = np.loadtxt(path_of(dataset), delimiter=",", skiprows=1)
    return table[:, :-1], table[:, -1].astype(int)


def ingest(recorder, out):
    source = "sklearn.datasets.load_breast_cancer"
    with recorder.step("IngestData", "ingest", properties={"source": source}) as step:
        bunch = load_breast_cancer()
        columns = [name.replace(" ", "_") for name in bunch.feature_names] + ["benign"]
        rows = np.column_stack([bunch.data, bunch.target])
        return save_dataset(recorder, step, out, "raw", columns, rows)


def split(recorder, out, raw, seed):
    properties = {"test_size": TEST_SIZE}
    with recorder.step("SplitData", "split", [("raw", raw)], properties) as step:
        features, target = load_dataset(raw)
        parts = train_test_split(
            np.column_stack([features, target]),
            test_size=TEST_SIZE,
            stratify=target,
            random_state=seed,
        )
        schema = raw.properties["columns"].struct_value
        columns = [*schema["features"], schema["target"]]
        return [
            save_dataset(recorder, step, out, part, columns, rows)
            for part, rows in zip(("train", "test"), parts)
        ]


def train(recorder, out, name, dataset, estimator, params, seed):
    kind = estimator.__name__
    inputs, properties = [("train", dataset)], {"model_type": kind}
    with recorder.step("TrainModel", name, inputs, properties, params) as step:
        model = recorder.reserve_model(step)
        features, target = load_dataset(dataset)
        # Scaling matters to the linear models only, and does the trees no harm.
        classifier = make_pipeline(StandardScaler(), estimator(**params, random_state=seed))
        classifier.fit(features, target)
        buffer = io.BytesIO()
        joblib.dump(classifier, buffer)
        data = buffer.getvalue()
        values = {
            "model_type": kind,
            "framework": "scikit-learn",
            "framework_version": importlib.metadata.version("scikit-learn"),
            "format": "joblib",
            "sha256": sha256(data),
            "size_bytes": len(data),
        }
        set_values(model.properties, values)
        model.uri = write_file(out / "models", data, ".joblib").as_uri()
        model.state = mlmd.Artifact.LIVE
        shown = ", ".join(f"{key}={value}" for key, value in params.items())
        step.note(f"{model.name}  {kind}({shown})")
        return model


def evaluate(recorder, model, dataset):
    inputs = [("model", model), ("test", dataset)]
    with recorder.step("EvaluateModel", f"evaluate {model.name}", inputs) as step:
        features, target = load_dataset(dataset)
        classifier = joblib.load(path_of(model))
        predicted = classifier.predict(features)
        probability = classifier.predict_proba(features)[:, 1]
        values = {
            "accuracy": float(metrics.accuracy_score(target, predicted)),
            "f1": float(metrics.f1_score(target, predicted)),
            "roc_auc": float(metrics.roc_auc_score(target, probability)),
        }
        counts = metrics.confusion_matrix(target, predicted).ravel().tolist()
        cells = ("true_negative", "false_positive", "false_negative", "true_positive")
        artifact = recorder.new_artifact(
            "ClassificationMetrics", name=step.execution.name, state=mlmd.Artifact.LIVE
        )
        set_values(artifact.properties, {**values, "confusion_matrix": dict(zip(cells, counts))})
        step.output("metrics", artifact)
        step.note(model.name)
        step.note("  ".join(f"{name} {value:.4f}" for name, value in values.items()))
        return artifact


def deploy(recorder, out, evaluated, metric):
    """Puts the best model where a server would load it. Its metrics are the evidence."""

    def score(pair):
        return pair[1].properties[metric].double_value

    model, evidence = max(evaluated, key=score)
    endpoint = out / "serving" / ENVIRONMENT / "model.joblib"
    properties = {
        "environment": ENVIRONMENT,
        "endpoint": endpoint.as_uri(),
        "selection_metric": metric,
        "selection_value": score((model, evidence)),
        "candidates": len(evaluated),
    }
    inputs = [("model", model), ("metrics", evidence)]
    with recorder.step("DeployModel", "deploy", inputs, properties) as step:
        recorder.link_to_model(step)
        data = path_of(model).read_bytes()
        if sha256(data) != model.properties["sha256"].string_value:
            raise ValueError(f"{model.uri} is not the file that was trained")
        endpoint.parent.mkdir(parents=True, exist_ok=True)
        # Who loads the model meanwhile gets the old file or the new one, never half of one.
        staged = endpoint.with_suffix(".new")
        staged.write_bytes(data)
        os.replace(staged, endpoint)
        step.note(f"{model.name} to {ENVIRONMENT}, best {metric} of {len(evaluated)} models")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", type=host_and_port, required=True, metavar="HOST:PORT")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="where files are written")
    parser.add_argument("--seed", type=int, default=7, help="of the split and of every model")
    parser.add_argument("--metric", choices=("accuracy", "f1", "roc_auc"), default="roc_auc")
    options = parser.parse_args()
    out, seed = options.out.resolve(), options.seed
    with connect(options.server) as store:
        steps_total = 2 + 2 * len(CANDIDATES) + 1
        recorder = Recorder(store, PIPELINE, MODEL, describe_code(seed), steps_total)
        print(f"run {recorder.run.name}")
        raw = ingest(recorder, out)
        train_set, test_set = split(recorder, out, raw, seed)
        evaluated = []
        for number, (estimator, params) in enumerate(CANDIDATES, 1):
            name = f"train {number}"
            model = train(recorder, out, name, train_set, estimator, params, seed)
            evaluated.append((model, evaluate(recorder, model, test_set)))
        deploy(recorder, out, evaluated, options.metric)
        recorder.finish("COMPLETE")


if __name__ == "__main__":
    main()
