"""Two stages logged with HPE's CMF, some runs in a row, on any store.

    python cmf_stages.py FOLDER/FILE|HOST:PORT FOLDER [RUNS]

Runs in an environment with `cmflib` and knows nothing of Headwater. Its last line is JSON: where
`ml_metadata` came from, and what CMF's own queries answer after each run.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

# CMF calls `git`, `dvc` and `pip` by name, and commits.
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
os.environ.update(
    GIT_AUTHOR_NAME="cmf",
    GIT_AUTHOR_EMAIL="cmf@example.org",
    GIT_COMMITTER_NAME="cmf",
    GIT_COMMITTER_EMAIL="cmf@example.org",
    DVC_NO_ANALYTICS="1",
)

import ml_metadata
from cmflib import cmf, cmfquery
from cmflib.store.cmfstore import CmfStore
from ml_metadata.proto import metadata_store_pb2

PIPELINE = "trips"


def served_store(address):
    """What CMF lacks beside its stores for SQLite and PostgreSQL: one for a server."""
    host, _, port = address.rpartition(":")

    class ServedStore(CmfStore):
        def __init__(self, config):
            del config
            super().__init__(
                metadata_store_pb2.MetadataStoreClientConfig(host=host, port=int(port))
            )

        def connect(self):
            return super().connect()

    return ServedStore


def make_repository(folder):
    """The git and dvc repositories that CMF insists on; neither remote is ever asked."""
    os.chdir(folder)
    for command in (
        "git init -q -b main",
        "git remote add cmf_origin https://example.org/trips.git",
        "dvc init -q",
        f"dvc remote add -q -d local {folder}/remote",
        "git commit -q --allow-empty -m start",
    ):
        subprocess.run(command.split(), check=True)


def log_run(writer, number):
    """Prepare makes a data set of another; train makes a model and metrics of that."""
    raw, ready, model = (pathlib.Path(name) for name in ("raw.csv", "ready.csv", "model.bin"))
    raw.write_text("id,fare\n1,2.5\n2,3.5\n")
    ready.write_text(f"fare\n2.5\n{number}\n")
    model.write_bytes(b"\0weights" + bytes([number]))

    writer.create_context("prepare", {"owner": "tests"})
    writer.create_execution("prepare", {"seed": 7, "split": 0.2}, cmd="prepare")
    writer.log_dataset(str(raw), "input", custom_properties={"rows": 2})
    writer.log_dataset(str(ready), "output", custom_properties={"rows": 2, "from": "raw"})

    writer.create_context("train")
    writer.create_execution("train", {"rate": 0.1}, cmd="train", create_new_execution=False)
    writer.log_dataset(str(ready), "input")
    for step in range(3):
        writer.log_metric("steps", {"loss": 1.0 / (step + 1)})
    writer.commit_metrics("steps")
    writer.log_model(
        str(model), "output", model_framework="none", model_type="linear", model_name="fares"
    )
    writer.log_execution_metrics("scores", {"auc": 0.75, "loss": 0.5 / number})


def answers(query):
    """What CMF reads back: names, lineage, and the document it sends to its server."""
    models = [name for name in query.get_all_artifacts() if name.startswith("model.bin")]
    return {
        "pipelines": query.get_pipeline_names(),
        "stages": query.get_pipeline_stages(PIPELINE),
        "artifacts": query.get_all_artifacts(),
        "types": query.get_all_artifact_types(),
        "executions": query.get_all_executions_in_pipeline(PIPELINE)["id"].tolist(),
        "parents": {name: sorted(query.get_all_parent_artifacts(name)["name"]) for name in models},
        "document": json.loads(query.dumptojson(PIPELINE)),
    }


def main(store, folder, runs=1):
    make_repository(pathlib.Path(folder))
    if os.path.isabs(store):
        # As CMF's own examples name it: from the working directory, which CMF keeps changing.
        store = os.path.relpath(store)
    else:
        cmf.SqlliteStore = cmfquery.SqlliteStore = served_store(store)
        store = "mlmd"
    report = {
        "ml_metadata": [ml_metadata.__path__[0], ml_metadata.__version__],
        "after_run": [],
        "seconds": [],
    }
    for number in range(1, int(runs) + 1):
        start = time.monotonic()
        writer = cmf.Cmf(filepath=store, pipeline_name=PIPELINE, custom_properties={"team": "t"})
        log_run(writer, number)
        writer.finalize()
        report["seconds"].append(round(time.monotonic() - start, 1))
        report["after_run"].append(answers(cmfquery.CmfQuery(store)))
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
