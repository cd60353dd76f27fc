#!/usr/bin/env python3
"""Predicts which customers leave, and records all of it: ingest, featurize, train, evaluate.

    pip install headwater scikit-learn pandas
    python examples/churn.py                  # records into headwater.db
    python examples/churn.py                  # the same again: what need not run is skipped
    python examples/churn.py --seed 8         # other customers: the next version of everything

No server is needed. The lines with `hw.` are all that recording takes.
"""

import argparse
import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import accuracy_score, roc_auc_score

import headwater as hw

COUNTRIES = ["DE", "FR", "PL"]


def written(frame, name, folder):
    """A version of a table: its file has a name of its own, so that the next one is another file."""
    text = frame.to_csv(index=False).encode()
    path = Path(folder, f"{name}-{hashlib.sha256(text).hexdigest()[:12]}.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    return hw.dataset(path, name=name)


@hw.step(kind="process")
def ingest(customers, seed, folder):
    """Makes up customers: new ones leave more often, and so do those who call, in Poland above all."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "country": draw.choice(COUNTRIES, customers, p=[0.5, 0.3, 0.2]),
            "months": draw.integers(1, 60, customers),
            "calls": draw.poisson(2, customers),
            "bill": draw.gamma(4, 12, customers).round(2),
        }
    )
    per_call = 0.3 + 0.6 * (frame["country"] == "PL")
    odds = 0.01 * frame["bill"] - 0.05 * frame["months"] + per_call * frame["calls"] - 0.8
    frame["left"] = (draw.random(customers) < 1 / (1 + np.exp(-odds))).astype(int)
    return written(frame, "customers", folder)


@hw.step
def featurize(customers, folder, held_out=0.25):
    """Columns that a model can read, in two parts: to train on, and to evaluate with."""
    frame = pd.read_csv(customers.path)
    frame["calls_per_year"] = 12 * frame["calls"] / frame["months"].clip(lower=12)
    for country in COUNTRIES:
        frame[f"is_{country}"] = (frame["country"] == country).astype(int)
    rows = round(len(frame) * (1 - held_out))
    return written(frame[:rows], "train", folder), written(frame[rows:], "test", folder)


def train(data, **params):
    """A model, in a run of its own; its loss is a metric with a point for each tree."""
    frame = pd.read_csv(data.path)
    with hw.run("train", kind="train", params=params) as run:
        run.input(data, "training")
        model = GradientBoostingClassifier(random_state=0, **params)
        model.fit(
            *columns(frame),
            monitor=lambda tree, so_far, _: run.log_metric("loss", so_far.train_score_[tree], tree),
        )
        return model, run.output(hw.model(model, name="churn", owner="growth"), "model")


def evaluate(model, version, data):
    """Accuracy and ROC AUC, of all customers and of each country."""
    frame = pd.read_csv(data.path)
    slices = {f"country={name}": measured(model, part) for name, part in frame.groupby("country")}
    return hw.evaluation(version, data, measured(model, frame), slices=slices)


def columns(frame):
    return frame.drop(columns=["country", "left"]), frame["left"]


def measured(model, frame):
    features, left = columns(frame)
    likely = model.predict_proba(features)[:, 1]
    return {
        "accuracy": accuracy_score(left, likely > 0.5),
        "roc_auc": roc_auc_score(left, likely),
    }


def pipeline(store, folder, customers=4000, seed=7, trees=60, depth=3):
    """All steps, as one run of the pipeline; the version of the model that it made."""
    hw.init(store, experiment="churn", artifacts=folder)
    with hw.run("churn", pipeline="churn"):
        raw = ingest(customers, seed, folder)
        training, test = featurize(raw, folder)
        model, version = train(training, n_estimators=trees, max_depth=depth)
        evaluate(model, version, test)
    return version


def show(store, version):
    """What is in the store now, and how to ask it."""
    with hw.open(store) as opened:
        runs = opened.list_executions(order_by="id DESC", page_size=20).executions
        table = hw.to_pandas(runs)
        print("\nLAST RUNS")
        print(table[["id", "type", "last_known_state", "name"]].to_string(index=False))
        made = opened.list_artifacts(
            filter="custom_properties.`version.number` > 0", order_by="id", page_size=100
        ).artifacts
        print("\nVERSIONS")
        print(hw.to_pandas(made)[["id", "type", "name", "uri"]].to_string(index=False))
        results = opened.list_artifacts(filter="type = 'headwater.Metrics'", order_by="id DESC")
        (last, *_) = results.artifacts
        print("\nLAST EVALUATION")
        for name, value in sorted(last.custom_properties.items()):
            print(f"  {name:<38} {value.double_value:.4f}")
    print(f"""
ASK IT YOURSELF
  headwater call ListExecutions --store {store} \\
      '{{"filter": "type = \\"headwater.Train\\"", "orderBy": "custom_properties.`metrics.loss`"}}'
  headwater call TraceLineage --store {store} \\
      '{{"startArtifacts": ["name = \\"{version}\\""], "direction": "UPSTREAM"}}'

  import headwater as hw
  store = hw.open({store!r})
  hw.to_pandas(store.list_executions(filter="type = 'headwater.Train'").executions)
  store.get_metrics(execution_id=RUN, names=["loss"])   # RUN: an id of type headwater.Train
  hw.explain(RUN, store=store)                          # RUN: an id of type headwater.Transform""")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = os.environ.get("HEADWATER_STORE", "sqlite:headwater.db")
    parser.add_argument("--store", default=default, help=f"where to record, {default}")
    parser.add_argument("--out", default="headwater-artifacts", help="folder for data and models")
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--trees", type=int, default=60)
    parser.add_argument("--depth", type=int, default=3)
    given = parser.parse_args()
    made = pipeline(given.store, given.out, given.customers, given.seed, given.trees, given.depth)
    show(given.store, made.version)


if __name__ == "__main__":
    main()
