"""Makes the store files that the benchmark asks: one graph in several sizes, seeded and cached.

The tables come from the released wheel; the rows go straight into them, as 1,000,000 artifacts with
all that hangs on them would take the wheel hours.

    lane   one pipeline that runs on each of 25 days: a run has 4 executions with 2 inputs, drawn
           from what the lane made the day before, and 2 outputs. Days come one after the other over
           all lanes, so that what is linked lies far apart in the tables, as in a store that grew.
    fan    the hot data set and the 3,332 executions that read it, 9,996 descendants. It is the same
           in each size, so that its answer is too.
    group  a context of 1,000 executions that lie all over the store.
"""

import contextlib
import io
import os
import pathlib
import random
import sqlite3
import time

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

import sides

VERSION = 2  # of what is made here; files of another version are made anew
SEED = 20240229
DAYS = 25
EXECUTIONS_PER_RUN = 4
ARTIFACTS_PER_RUN = 2 * EXECUTIONS_PER_RUN
ARTIFACTS_PER_LANE = ARTIFACTS_PER_RUN * (DAYS + 1)  # the first 8 are sources that nothing made
FAN_RUNS = 833
FAN_LANES = 16  # whose sources the fan reads besides the hot data set: all there are in 10,000
SIZE_MIN = 1 + FAN_RUNS * ARTIFACTS_PER_RUN + FAN_LANES * ARTIFACTS_PER_LANE
PIPELINES = 10
HOT_ARTIFACT_ID = 1
GROUP = "group-of-1000"
GROUP_EXECUTIONS = 1000
RARE_NODES = 20  # have the rare owner; as many others have the rare accuracy
RARE_OWNER = "ada@example.org"
RARE_ACCURACY = 0.99999
FIRST_MS = 1_700_000_000_000
BATCH_ROWS = 20_000

ARTIFACT_PROPERTIES = {
    "accuracy": pb.DOUBLE,
    "approved": pb.BOOLEAN,
    "framework": pb.STRING,
    "rows": pb.INT,
}
STEPS = ["Ingest", "Prepare", "Train", "Evaluate"]  # the types of a run's executions
OUTPUTS = [
    ("DataSet", "Report"),
    ("DataSet", "Statistics"),
    ("Model", "Metrics"),
    ("Metrics", "Report"),
]

COLUMNS = {
    "Artifact": "id type_id uri state name create_time_since_epoch last_update_time_since_epoch",
    "ArtifactProperty": "artifact_id name is_custom_property int_value double_value string_value"
    " bool_value",
    "Execution": "id type_id last_known_state name create_time_since_epoch"
    " last_update_time_since_epoch",
    "ExecutionProperty": "execution_id name is_custom_property int_value string_value",
    "Context": "id type_id name create_time_since_epoch last_update_time_since_epoch",
    "ContextProperty": "context_id name is_custom_property string_value",
    "ParentContext": "context_id parent_context_id",
    "Event": "id artifact_id execution_id type milliseconds_since_epoch",
    "EventPath": "event_id is_index_step step_key",
    "Attribution": "context_id artifact_id",
    "Association": "context_id execution_id",
}


def wheel_store(path):
    """Opens a SQLite file with the released wheel, in this process."""
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = config.sqlite.READWRITE_OPENCREATE
    return metadata_store.MetadataStore(config)


def run_name(day, lane):
    return f"run-day-{day:02}-lane-{lane:05}"


def prepare(folder, size):
    """The path of the file with `size` artifacts; makes it where it is not there yet."""
    folder = pathlib.Path(folder)
    path = folder / f"graph-{VERSION}-{size}.db"
    if path.exists():
        return path
    if size < SIZE_MIN:
        raise SystemExit(f"the graph has at least {SIZE_MIN} artifacts, not {size}")
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    began = time.monotonic()
    types = _put_types(part)
    connection = sqlite3.connect(part, isolation_level=None)
    _load(connection, types, size)
    connection.close()
    os.replace(part, path)
    seconds, megabytes = time.monotonic() - began, path.stat().st_size / 1e6
    print(f"{size} artifacts: made in {seconds:.0f} s, {megabytes:.0f} MB", flush=True)
    return path


def prepare_postgres(folder, size):
    """The name of a PostgreSQL database with the rows of the file, which stays for later runs."""
    name = f"hw_bench_graph_{VERSION}_{size}"
    if sides.rows(sides.SERVERS["postgres"], f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
        return name
    part, began = f"{name}_part", time.monotonic()
    sides.rows(sides.SERVERS["postgres"], f"DROP DATABASE IF EXISTS {part} WITH (FORCE)")
    place = f"{sides.SERVERS['postgres']}/{part}"
    sides.Server(place).close()  # makes the tables
    source = contextlib.closing(sqlite3.connect(prepare(folder, size)))
    with source as file, sides.connect(place) as connection, connection.cursor() as cursor:
        _copy(file, cursor)
    sides.rows(sides.SERVERS["postgres"], f"ALTER DATABASE {part} RENAME TO {name}")
    print(f"{size} artifacts: copied to PostgreSQL in {time.monotonic() - began:.0f} s", flush=True)
    return name


def _copy(source, cursor):
    """Copies all tables; their indexes are made at the end, as in the file."""
    cursor.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
    tables = [*COLUMNS, "Type", "TypeProperty", "ParentType"]
    cursor.execute(f"TRUNCATE {', '.join(tables)}")
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " AND indexdef NOT LIKE 'CREATE UNIQUE%'"
    )
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    for table in tables:
        rows = source.execute(f"SELECT * FROM {table}")
        columns = ", ".join(column for column, *_ in rows.description)
        while batch := rows.fetchmany(BATCH_ROWS):
            lines = (
                "\t".join("\\N" if value is None else str(value) for value in row) for row in batch
            )
            cursor.copy_expert(
                f"COPY {table} ({columns}) FROM STDIN", io.StringIO("\n".join(lines))
            )
        if "id" in columns.split(", "):
            last = f"SELECT max(id) FROM {table}"
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), ({last}))")
    for _, definition in indexes:
        cursor.execute(definition)
    cursor.execute("ANALYZE")


def _copied(value):
    return "\\N" if value is None else str(value)


def _put_types(path):
    """Makes the empty store with its types, all with the wheel; gives their ids by name."""
    store = wheel_store(path)
    ids = {}
    for name in dict.fromkeys(name for pair in OUTPUTS for name in pair):
        ids[name] = store.put_artifact_type(
            pb.ArtifactType(name=name, properties=ARTIFACT_PROPERTIES)
        )
    for name in STEPS:
        ids[name] = store.put_execution_type(
            pb.ExecutionType(name=name, properties={"retries": pb.INT})
        )
    for name in ("run", "pipeline"):
        ids[name] = store.put_context_type(
            pb.ContextType(name=name, properties={"branch": pb.STRING})
        )
    return ids


def _load(connection, types, size):
    # A file that a crash would spoil is thrown away; its indexes are made at the end, in one sort
    # each, with the words and in the order of the wheel.
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
        connection.execute(f"PRAGMA {pragma}")
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql <> '' ORDER BY rowid"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    connection.execute("BEGIN")
    graph = _Graph(connection, types, size)
    graph.make()
    connection.execute("COMMIT")
    for _, sql in indexes:
        connection.execute(sql)
    graph.check(len(indexes))


class _Graph:
    """Makes the rows; ids rise with time, as a store hands them out."""

    def __init__(self, connection, types, size):
        self.connection, self.types, self.size = connection, types, size
        self.random = random.Random(SEED)
        self.rows = {table: [] for table in COLUMNS}
        self.counts = dict.fromkeys(COLUMNS, 0)
        self.lanes = (size - 1 - FAN_RUNS * ARTIFACTS_PER_RUN) // ARTIFACTS_PER_LANE
        rare = random.Random(SEED).sample(range(2, SIZE_MIN), 2 * RARE_NODES)
        scale = size // SIZE_MIN  # the rare ones lie all over the table
        self.rare_accuracy = {place * scale for place in rare[:RARE_NODES]}
        self.rare_owner = {place * scale for place in rare[RARE_NODES:]}

    def add(self, table, *row):
        """Adds a row; gives its number, which is its id where the table has one."""
        self.rows[table].append(row)
        self.counts[table] += 1
        if len(self.rows[table]) == BATCH_ROWS:
            self.flush(table)
        return self.counts[table]

    def flush(self, table):
        columns = COLUMNS[table].split()
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
        self.connection.executemany(sql, self.rows[table])
        self.rows[table].clear()

    def make(self):
        """Everything: pipelines, the hot data set, sources, days with the fan between, the rest."""
        for number in range(PIPELINES + 1):
            self.context("pipeline", f"pipeline-{number:02}")
        fan_pipeline = PIPELINES + 1
        hot = self.artifact("DataSet", [fan_pipeline])
        assert hot == HOT_ARTIFACT_ID
        lanes = []
        for lane in range(self.lanes):
            pipeline = lane % PIPELINES + 1
            sources = [self.artifact("DataSet", [pipeline]) for _ in range(ARTIFACTS_PER_RUN)]
            lanes.append(sources)
        beside = [artifact for sources in lanes[:FAN_LANES] for artifact in sources]
        fan, runs, runs_all = 0, 0, DAYS * self.lanes
        for day in range(DAYS):
            for lane in range(self.lanes):
                inputs = [self.random.sample(lanes[lane], 2) for _ in STEPS]
                lanes[lane] = self.run(run_name(day, lane), lane % PIPELINES + 1, inputs)
                runs += 1
                while fan < FAN_RUNS * runs // runs_all:
                    inputs = [(hot, self.random.choice(beside)) for _ in STEPS]
                    self.run(f"run-fan-{fan:03}", fan_pipeline, inputs)
                    fan += 1
        while self.counts["Artifact"] < self.size:
            self.artifact("Report", [])
        group = self.context("pipeline", GROUP)
        for place in range(GROUP_EXECUTIONS):
            self.add("Association", group, 1 + place * self.counts["Execution"] // GROUP_EXECUTIONS)
        for table in COLUMNS:
            self.flush(table)

    def run(self, name, pipeline, inputs):
        """One run with an execution per pair of inputs; gives the artifacts it made."""
        run = self.context("run", name)
        self.add("ParentContext", run, pipeline)
        made = []
        for step, step_inputs, step_outputs in zip(STEPS, inputs, OUTPUTS, strict=True):
            execution = self.execution(step, [run, pipeline])
            for artifact in step_inputs:
                self.event(artifact, execution, pb.Event.INPUT)
            for kind in step_outputs:
                artifact = self.artifact(kind, [run, pipeline])
                self.event(artifact, execution, pb.Event.OUTPUT)
                made.append(artifact)
        return made

    def now_ms(self):
        """A step per two artifacts: the outputs of one execution share a time, as if put together.

        Many that share one would not do: MLMD passes nodes over there, or gives them again.
        """
        return FIRST_MS + 500 * ((self.counts["Artifact"] + 1) // 2)

    def artifact(self, kind, contexts):
        number = self.counts["Artifact"] + 1
        draw = self.random.random
        made_ms = self.now_ms()
        # One in ten was changed later: the order by update is not the order by id.
        changed_ms = made_ms + (int(draw() * 1e9) if number % 10 == 0 else 0)
        name, uri = f"{kind.lower()}-{number:08}", f"s3://bucket/{kind.lower()}/{number:08}"
        state = pb.Artifact.LIVE
        self.add("Artifact", number, self.types[kind], uri, state, name, made_ms, changed_ms)
        accuracy = draw() * 0.9999
        if number in self.rare_accuracy:
            accuracy = RARE_ACCURACY + 1e-6
        owner = f"team-{number % 50:02}@example.org"
        if number in self.rare_owner:
            owner = RARE_OWNER
        framework = ("jax", "sklearn", "torch", "xgboost")[number % 4]
        for name, custom, *values in (
            ("accuracy", 0, None, accuracy, None, None),
            ("approved", 0, None, None, None, number % 3 == 0),
            ("framework", 0, None, None, framework, None),
            ("owner", 1, None, None, owner, None),
            ("rows", 0, int(draw() * 1e6), None, None, None),
        ):
            self.add("ArtifactProperty", number, name, custom, *values)
        for context in contexts:
            self.add("Attribution", context, number)
        return number

    def execution(self, kind, contexts):
        number = self.counts["Execution"] + 1
        now_ms, name = self.now_ms(), f"{kind.lower()}-{number:08}"
        state = pb.Execution.COMPLETE
        self.add("Execution", number, self.types[kind], state, name, now_ms, now_ms)
        self.add("ExecutionProperty", number, "image", 1, None, f"registry/{kind}:{number % 9}")
        self.add("ExecutionProperty", number, "retries", 0, number % 3, None)
        for context in contexts:
            self.add("Association", context, number)
        return number

    def context(self, kind, name):
        number = self.counts["Context"] + 1
        self.add("Context", number, self.types[kind], name, self.now_ms(), self.now_ms())
        self.add("ContextProperty", number, "branch", 0, "main")
        return number

    def event(self, artifact, execution, kind):
        number = self.counts["Event"] + 1
        event = self.add("Event", number, artifact, execution, kind, self.now_ms())
        self.add("EventPath", event, 0, "input" if kind == pb.Event.INPUT else "output")

    def check(self, indexes):
        """A graph that is not what it should be would make every number a lie."""
        for table, count in self.counts.items():
            ((found,),) = self.connection.execute(f"SELECT count(*) FROM {table}")
            assert found == count, f"{table} has {found} rows, not {count}"
        ((found,),) = self.connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND sql <> ''"
        )
        assert found == indexes, f"{found} indexes, not {indexes}"
        assert self.counts["Artifact"] == self.size
        for rare in (self.rare_accuracy, self.rare_owner):
            assert len(rare) == RARE_NODES
            assert max(rare) <= self.size
