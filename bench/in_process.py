"""The Python package of Headwater beside the released wheel, each in a process of its own.

    bash python/test.sh     # installs Headwater's
    .venv/tests/bin/python bench/in_process.py

Both write the same steps to SQLite files in the same folder and read them back; the answers are
compared before anything is timed, and turns alternate, so that noise meets both. Times are medians.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
SEED_STEPS = 100
ARTIFACTS = 5
PROPERTIES = 3


def step(pb, number, type_ids):
    """An execution with artifacts, properties, events and a context: 45 rows in all."""
    artifact_type, execution_type, context_type = type_ids
    execution = pb.Execution(type_id=execution_type, name=f"run-{number}")
    execution.last_known_state = pb.Execution.COMPLETE
    pairs = []
    for nodes in (execution.properties, execution.custom_properties):
        nodes["learning_rate" if nodes is execution.properties else "note"].string_value = "0.1"
    for at in range(ARTIFACTS):
        artifact = pb.Artifact(type_id=artifact_type, uri=f"s3://data/{number}/{at}")
        for position in range(PROPERTIES):
            artifact.custom_properties[f"p{position}"].double_value = (
                position / 4
            )  # MLMD keeps six decimals
        event = pb.Event(type=pb.Event.OUTPUT)
        event.path.steps.add().key = "out"
        pairs.append((artifact, event))
    return execution, pairs, [pb.Context(type_id=context_type, name="experiment")]


class Worker:
    """What runs in each process."""

    def __init__(self, path):
        started = time.perf_counter()
        from ml_metadata.metadata_store import metadata_store
        from ml_metadata.proto import metadata_store_pb2 as pb

        self.import_s = time.perf_counter() - started
        self.pb = pb
        config = pb.ConnectionConfig()
        config.sqlite.filename_uri = path
        config.sqlite.connection_mode = 3
        started = time.perf_counter()
        self.store = metadata_store.MetadataStore(config)
        self.store.get_artifacts_by_id([1])
        self.first_call_s = time.perf_counter() - started
        self.number = 0

    def types(self):
        pb, store = self.pb, self.store
        execution_type = pb.ExecutionType(name="Train")
        execution_type.properties["learning_rate"] = pb.STRING
        self.type_ids = (
            store.put_artifact_type(pb.ArtifactType(name="Data")),
            store.put_execution_type(execution_type),
            store.put_context_type(pb.ContextType(name="Experiment")),
        )

    def put(self):
        self.number += 1
        arguments = step(self.pb, self.number, self.type_ids)
        return self.timed(
            lambda: self.store.put_execution(*arguments, reuse_context_if_already_exist=True)
        )

    def get(self, count):
        return self.timed(lambda: self.store.get_artifacts_by_id(range(1, count + 1)))

    @staticmethod
    def timed(call):
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    def content(self):
        """What was written, without what depends on the moment."""
        from google.protobuf import json_format

        rows = []
        for artifact in self.store.get_artifacts_by_id(range(1, SEED_STEPS * ARTIFACTS + 1)):
            artifact.ClearField("create_time_since_epoch")
            artifact.ClearField("last_update_time_since_epoch")
            artifact.ClearField("type_id")
            rows.append(json_format.MessageToDict(artifact))
        return rows

    def bare(self, count):
        """The native call alone, where there is one to measure."""
        native = self.store._metadata_store
        from ml_metadata.proto import metadata_store_service_pb2 as service

        ids = range(1, count + 1)
        request = service.GetArtifactsByIDRequest(artifact_ids=ids).SerializeToString()
        return self.timed(lambda: native.call("GetArtifactsByID", request))

    def facts(self):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"import": self.import_s, "first call": self.first_call_s, "peak MiB": peak}


def work(path):
    worker = Worker(path)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(worker, name)(*arguments)), flush=True)


class Side:
    """A worker, asked over a pipe."""

    def __init__(self, python, path):
        self.process = subprocess.Popen(
            [python, __file__, "--work", path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, *question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def show(name, ours, theirs, unit="ms", factor=1000.0):
    mine, other = statistics.median(ours) * factor, statistics.median(theirs) * factor
    print(f"| {name} | {mine:.3g} {unit} | {other:.3g} {unit} | {other / mine:.1f} |", flush=True)


def starts(arguments, folder, rounds):
    """Import, opening and a first call on the same file, in new processes."""
    seen = {}
    for _ in range(rounds):
        for side, python in (("ours", arguments.ours), ("theirs", arguments.wheel)):
            worker = Side(python, f"{folder}/{side}.db")
            for name, value in worker.ask("facts").items():
                seen.setdefault(name, {}).setdefault(side, []).append(value)
            worker.end()
    for name, values in seen.items():
        unit, factor = ("MiB", 1.0) if name.endswith("MiB") else ("ms", 1000.0)
        label = name.replace(" MiB", " memory after it")
        show(label, values["ours"], values["theirs"], unit, factor)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--ours", default=REPOSITORY / ".venv/python-3.11/bin/python")
    parser.add_argument("--wheel", default=REPOSITORY / ".venv/tests/bin/python")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--folder", help="where the files go; their file system counts")
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        ours = Side(arguments.ours, f"{folder}/ours.db")
        theirs = Side(arguments.wheel, f"{folder}/theirs.db")
        for side in (ours, theirs):
            side.ask("types")
            for _ in range(SEED_STEPS):
                side.ask("put")
        for mine, other in zip(ours.ask("content"), theirs.ask("content"), strict=True):
            if mine != other:
                sys.exit(f"the answers differ, there is nothing to compare: {mine}, {other}")
        print("| | Headwater | released wheel | ratio |\n|---|---|---|---|")
        for name, question in {
            "`put_execution`, 45 rows": ["put"],
            "`get_artifacts_by_id`, 1": ["get", 1],
            "`get_artifacts_by_id`, 100": ["get", 100],
        }.items():
            times = [(ours.ask(*question), theirs.ask(*question)) for _ in range(arguments.rounds)]
            show(name, *zip(*times, strict=True))
        for count in (1, 100):
            times = [(ours.ask("bare", count), ours.ask("get", count)) for _ in range(1000)]
            bare, whole = (statistics.median(side) * 1e6 for side in zip(*times, strict=True))
            print(
                f"`get_artifacts_by_id`, {count}: {whole:.1f} µs, of which {bare:.1f} µs in the "
                f"native call and {whole - bare:.1f} µs in Python and protobuf"
            )
        ours.end()
        theirs.end()
        print("\n| | Headwater | released wheel | ratio |\n|---|---|---|---|")
        starts(arguments, folder, 10)


if __name__ == "__main__":
    main()
