"""Three TFX components and a resolver on a small CSV, some runs in a row, on any store.

    python pipeline.py FILE|HOST:PORT FOLDER [RUNS]

Runs in an environment with TFX and knows nothing of Headwater. Its last line is JSON: where
`ml_metadata` came from, and what the store held after each run.
"""

import collections
import json
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import ml_metadata
from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx

WRITTEN_AT = 1_600_000_000
ROWS = 200


def connection_config(store):
    """A path, or the address of a server."""
    host, colon, port = store.rpartition(":")
    if colon and port.isdigit():
        return metadata_store_pb2.MetadataStoreClientConfig(host=host, port=int(port))
    return tfx.orchestration.metadata.sqlite_metadata_connection_config(store)


def write_csv(folder):
    """The same bytes, and the same time of writing, whenever and wherever it runs."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "trips.csv"
    lines = [f"{n},{n % 7},{n * 0.25},{'card' if n % 3 else 'cash'}" for n in range(ROWS)]
    file.write_text("\n".join(["id,hour,fare,payment", *lines]) + "\n")
    os.utime(file, (WRITTEN_AT, WRITTEN_AT))


def pipeline(folder, config):
    examples = tfx.components.CsvExampleGen(input_base=str(folder / "data"))
    statistics = tfx.components.StatisticsGen(examples=examples.outputs["examples"])
    schema = tfx.components.SchemaGen(statistics=statistics.outputs["statistics"])
    latest = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestArtifactStrategy,
        schema=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Schema),
    ).with_id("latest_schema")
    latest.add_upstream_node(schema)
    return tfx.dsl.Pipeline(
        pipeline_name="trips",
        pipeline_root=str(folder / "root"),
        components=[examples, statistics, schema, latest],
        enable_cache=True,
        metadata_connection_config=config,
        beam_pipeline_args=["--direct_num_workers=1"],
    )


def held(config):
    """Counts, and each execution's type and state, as the public API tells them."""
    store = ml_metadata.MetadataStore(config)
    artifacts, executions = store.get_artifacts(), store.get_executions()
    contexts = store.get_contexts()
    events = store.get_events_by_execution_ids([one.id for one in executions])
    state = metadata_store_pb2.Execution.State.Name
    return {
        "artifacts": len(artifacts),
        "executions": len(executions),
        "contexts": dict(sorted(collections.Counter(one.type for one in contexts).items())),
        "events": dict(
            sorted(
                collections.Counter(
                    metadata_store_pb2.Event.Type.Name(one.type) for one in events
                ).items()
            )
        ),
        "states": [[one.type.split(".")[-1], state(one.last_known_state)] for one in executions],
    }


def main(store, folder, runs=1):
    folder, config = pathlib.Path(folder), connection_config(store)
    write_csv(folder / "data")
    report = {
        "ml_metadata": [ml_metadata.__path__[0], ml_metadata.__version__],
        "after_run": [],
        "seconds": [],
    }
    for _ in range(int(runs)):
        start = time.monotonic()
        tfx.orchestration.LocalDagRunner().run(pipeline(folder, config))
        report["seconds"].append(round(time.monotonic() - start, 1))
        report["after_run"].append(held(config))
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
