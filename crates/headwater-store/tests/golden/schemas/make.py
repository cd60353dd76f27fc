"""Makes the databases of old schema versions, and what MLMD answers from them once upgraded.

For each database D and each version N from 0 to 9:

- `D/NN.sql`: a store that the released library filled at version 10 and downgraded to N, as plain
  statements, each ended by `;` at the end of a line. It loads into an empty database. Below
  version 8 some events are doubled by hand, because the library cannot make such rows any more.
- `D/NN.expected.json`: calls and what the library answers after its own upgrade of that store.
  `null_rows` lists the property rows that its downgrade left without any value, as
  [table, id, name, is_custom_property]; the calls in `refused` fail while these rows are there,
  and `answers` was asked after they were removed. Times of nodes below version 5 are 0, as MLMD
  makes them. The order within a response means nothing.

The library talks latin1 to MySQL and sends UTF-8: the text of a store made there is what UTF-8
looks like in latin1, and so it stands in the dumps, which are to be loaded as utf8mb4.

The library can neither leave version 1 nor enter or leave version 0 on PostgreSQL, and it cannot
upgrade times from versions 5 to 8 there. Version 0 is then made by hand, and answers come from the
same store in SQLite: `answered_by` says which database answered.

Needs Python 3.9 to 3.11 with ml-metadata 1.17.1, psycopg2-binary and PyMySQL, and a server for each
database but SQLite; the database `mig_golden` in each of these servers is made and dropped.

    python make.py [--databases sqlite,postgres,mysql] [--out FOLDER]
        [--postgres postgresql://postgres@127.0.0.1:5432] [--mysql mysql://root@127.0.0.1:3306]
"""

import argparse
import json
import os
import sqlite3
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import ml_metadata as mlmd
import psycopg2
import pymysql
from google.protobuf import json_format, struct_pb2
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

TABLES = (
    "MLMDEnv Type TypeProperty ParentType Artifact ArtifactProperty Execution ExecutionProperty "
    "Context ContextProperty ParentContext Event EventPath Association Attribution"
).split()
NODES = ("Artifact", "Execution", "Context")
VALUES = ("int_value", "double_value", "string_value", "byte_value", "proto_value", "bool_value")
START_MS = 1_700_000_000_000
CODES = {
    errors.NotFoundError: "NOT_FOUND",
    errors.InternalError: "INTERNAL",
    errors.InvalidArgumentError: "INVALID_ARGUMENT",
}


class Sqlite:
    """A database in a file."""

    name = "sqlite"
    backslashes = True

    def __init__(self, path):
        self.path = path

    def drop(self):
        Path(self.path).unlink(missing_ok=True)

    def reset(self):
        self.drop()

    def config(self):
        config = pb.ConnectionConfig()
        config.sqlite.filename_uri = self.path
        config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        return config

    def run(self, statements):
        """Runs all of them in one transaction; answers the rows of the last one."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("BEGIN")
        rows = []
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        connection.execute("COMMIT")
        connection.close()
        return rows

    def query(self, statement):
        return self.run([statement])

    def tables(self):
        found = self.query("SELECT name FROM sqlite_master WHERE type = 'table'")
        return known_tables(name for (name,) in found)

    def columns(self, table):
        return [row[1] for row in self.query(f"PRAGMA table_info({table})")]

    def literal(self, value):
        return literal(value, lambda blob: f"X'{blob.hex()}'", lambda text: text)

    def schema(self, table):
        """The table and its indexes as statements that say what the catalogue says."""
        [(text,)] = self.query(f"SELECT sql FROM sqlite_master WHERE name = '{table}'")
        lines, key = [], {}
        for _, column, kind, not_null, default, place in self.query(f"PRAGMA table_info({table})"):
            if place and kind == "INTEGER":
                counts = " AUTOINCREMENT" if "AUTOINCREMENT" in text.upper() else ""
                lines.append(f"{column} {kind} PRIMARY KEY{counts}")
                continue
            if place:
                key[place] = column
            words = [column, kind, "NOT NULL" * not_null]
            words += [f"DEFAULT {default}"] if default is not None else []
            lines.append(" ".join(filter(None, words)))
        if key:
            lines.append(f"PRIMARY KEY ({', '.join(key[place] for place in sorted(key))})")
        uniques, indexes = [], []
        for _, name, unique, origin, *_ in self.query(f"PRAGMA index_list({table})"):
            columns = ", ".join(row[2] for row in self.query(f"PRAGMA index_info({name})"))
            if origin == "u":
                uniques.append(f"UNIQUE ({columns})")
            elif origin == "c":
                indexes.append(self._index(name, table, columns, unique))
        lines += sorted(uniques)
        return [create(table, lines), *sorted(indexes)]

    def _index(self, name, table, columns, unique):
        [(text,)] = self.query(f"SELECT sql FROM sqlite_master WHERE name = '{name}'")
        condition = " ".join(text.replace("`", "").split()).partition(" WHERE ")[2]
        where = f" WHERE {condition}" if condition else ""
        return f"CREATE {'UNIQUE ' * unique}INDEX {name} ON {table} ({columns}){where}"

    def counters(self, _tables):
        """SQLite counts on from the largest id by itself."""
        return []


class Postgres:
    """A database in a PostgreSQL server."""

    name = "postgres"
    # MLMD refuses values with a backslash there.
    backslashes = False

    def __init__(self, url, database):
        self.url = url
        self.database = database

    def _connect(self, database):
        connection = psycopg2.connect(f"{self.url}/{database}")
        connection.autocommit = True
        return connection

    def _administer(self, statement):
        connection = self._connect("postgres")
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def drop(self):
        self._administer(f"DROP DATABASE IF EXISTS {self.database}")

    def reset(self):
        self.drop()
        self._administer(f"CREATE DATABASE {self.database}")

    def config(self):
        url = urlsplit(self.url)
        config = pb.ConnectionConfig()
        config.postgresql.host = url.hostname
        config.postgresql.port = str(url.port or 5432)
        config.postgresql.user = url.username
        if url.password:
            config.postgresql.password = url.password
        config.postgresql.dbname = self.database
        return config

    def run(self, statements):
        """Runs all of them in one transaction; answers the rows of the last one."""
        connection = self._connect(self.database)
        connection.autocommit = False
        rows = []
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def query(self, statement):
        return self.run([statement])

    def tables(self):
        found = self.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return known_tables(name for (name,) in found)

    def _attributes(self, table):
        return self.query(
            "SELECT attname, format_type(atttypid, atttypmod), attnotnull, "
            "pg_get_expr(adbin, adrelid) FROM pg_attribute LEFT JOIN pg_attrdef "
            "ON adrelid = attrelid AND adnum = attnum "
            f"WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped "
            "ORDER BY attnum"
        )

    def columns(self, table):
        return [row[0] for row in self._attributes(table)]

    def literal(self, value):
        if isinstance(value, bool):
            return str(value).upper()
        return literal(value, lambda blob: f"'\\x{blob.hex()}'", lambda text: text)

    def schema(self, table):
        """The table and its indexes as statements that say what the catalogue says."""
        lines = []
        for column, kind, not_null, default in self._attributes(table):
            if default == f"nextval('{table.lower()}_id_seq'::regclass)" and not_null:
                lines.append(f"{column} serial")
                continue
            words = [column, kind, "NOT NULL" * not_null]
            words += [f"DEFAULT {default}"] if default is not None else []
            lines.append(" ".join(filter(None, words)))
        constraints = self.query(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
            f"WHERE conrelid = '{table}'::regclass ORDER BY contype, conname"
        )
        lines += [f"CONSTRAINT {name} {text}" for name, text in constraints]
        indexes = self.query(
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index "
            f"WHERE indrelid = '{table}'::regclass AND NOT EXISTS "
            "(SELECT 1 FROM pg_constraint WHERE conindid = indexrelid) ORDER BY 1"
        )
        plain = [text.replace(" ON public.", " ON ") for (text,) in indexes]
        return [create(table, lines), *plain]

    def counters(self, tables):
        """Explicit ids leave the sequences behind."""
        statements = []
        for table in tables:
            if "id" not in self.columns(table):
                continue
            [(sequence,)] = self.query(f"SELECT pg_get_serial_sequence('{table}', 'id')")
            [(last, used)] = self.query(f"SELECT last_value, is_called FROM {sequence}")
            name = sequence.removeprefix("public.")
            if last + used > 1:
                statements.append(f"ALTER SEQUENCE {name} RESTART WITH {last + used}")
        return statements


class Mysql:
    """A database in a MySQL or MariaDB server."""

    name = "mysql"
    backslashes = True

    def __init__(self, url, database):
        self.url = urlsplit(url)
        self.database = database

    def _connect(self, database=None):
        return pymysql.connect(
            host=self.url.hostname,
            port=self.url.port or 3306,
            user=self.url.username,
            password=self.url.password or "",
            database=database,
            charset="utf8mb4",
        )

    def _administer(self, statement):
        connection = self._connect()
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def drop(self):
        self._administer(f"DROP DATABASE IF EXISTS {self.database}")

    def reset(self):
        self.drop()
        text = "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
        self._administer(f"CREATE DATABASE {self.database} {text}")

    def config(self):
        config = pb.ConnectionConfig()
        config.mysql.host = self.url.hostname
        config.mysql.port = self.url.port or 3306
        config.mysql.user = self.url.username
        config.mysql.password = self.url.password or ""
        config.mysql.database = self.database
        return config

    def run(self, statements):
        """Runs all of them; answers the rows of the last one."""
        connection = self._connect(self.database)
        rows = []
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = cursor.fetchall()
            connection.commit()
        return rows

    def query(self, statement):
        return self.run([statement])

    def tables(self):
        return known_tables(name for (name,) in self.query("SHOW TABLES"))

    def columns(self, table):
        return [row[0] for row in self.query(f"SHOW COLUMNS FROM {table}")]

    def literal(self, value):
        return literal(
            value, lambda blob: f"X'{blob.hex()}'", lambda text: text.replace("\\", "\\\\")
        )

    def schema(self, table):
        """The table and its indexes as a statement that says what the catalogue says."""
        lines = []
        for column, kind, null, _, default, extra in self.query(f"SHOW COLUMNS FROM {table}"):
            # Where a width stands depends on the server, and it means nothing.
            kind = kind.replace("int(11)", "int").replace("bigint(20)", "bigint").upper()
            words = [column, kind, "NOT NULL" * (null == "NO"), extra.upper()]
            words += [f"DEFAULT {default}"] if default is not None else []
            lines.append(" ".join(filter(None, words)))
        keys = {}
        for row in self.query(f"SHOW INDEX FROM {table}"):
            unique, name, column, prefix = not row[1], row[2], row[4], row[7]
            words = "PRIMARY KEY" if name == "PRIMARY" else f"{'UNIQUE ' * unique}KEY {name}"
            keys.setdefault(words, []).append(f"{column}({prefix})" if prefix else column)
        named = [f"{words} ({', '.join(columns)})" for words, columns in keys.items()]
        return [create(table, lines + sorted(named, key=lambda key: (key[0] != "P", key)))]

    def counters(self, _tables):
        """InnoDB counts on from the largest id by itself."""
        return []


def known_tables(names):
    """MLMD's tables among these, as MLMD spells them and in the order of TABLES."""
    found = {name.lower() for name in names}
    return [table for table in TABLES if table.lower() in found]


def literal(value, blob, escaped):
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return blob(value)
    if isinstance(value, str):
        return "'" + escaped(value).replace("'", "''") + "'"
    return repr(value)


def create(table, lines):
    return f"CREATE TABLE {table} (\n  " + ",\n  ".join(lines) + "\n)"


def dump(database):
    """All of a store as statements."""
    tables = database.tables()
    statements = [statement for table in tables for statement in database.schema(table)]
    for table in tables:
        columns = database.columns(table)
        rows = database.query(f"SELECT {', '.join(columns)} FROM {table}")
        # A table of paths has no key: its steps stay in the order in which they were put.
        key = 1 if table == "EventPath" else 3 if table.endswith("Property") else 2
        cells = [
            ", ".join(map(database.literal, row)) for row in sorted(rows, key=lambda row: row[:key])
        ]
        if cells:
            values = ",\n  ".join(f"({line})" for line in cells)
            statements.append(f"INSERT INTO {table} ({', '.join(columns)}) VALUES\n  {values}")
    return statements + database.counters(tables)


def text_of(statements):
    return "".join(statement + ";\n" for statement in statements)


def statements_of(text):
    """The inverse of `text_of`; leaves out lines of comments."""
    lines = [line for line in text.split("\n") if not line.lstrip().startswith("--")]
    parts = "\n".join(lines).split(";\n")
    return [part.strip() for part in parts if part.strip()]


def fill(database):
    """A small store with something of everything."""
    store = mlmd.MetadataStore(database.config())
    types = put_types(store)
    artifacts, executions, contexts = put_nodes(store, types, database.backslashes)
    events = [
        pb.Event(artifact_id=artifacts[0], execution_id=executions[0], type=pb.Event.INPUT),
        pb.Event(artifact_id=artifacts[1], execution_id=executions[0], type=pb.Event.OUTPUT),
        pb.Event(artifact_id=artifacts[1], execution_id=executions[1], type=pb.Event.INPUT),
        pb.Event(
            artifact_id=artifacts[3], execution_id=executions[1], type=pb.Event.DECLARED_OUTPUT
        ),
    ]
    for at, event in enumerate(events):
        event.milliseconds_since_epoch = START_MS + 7 * at
        event.path.steps.add(key=f"it's slot {at}")
        event.path.steps.add(index=at)
        event.path.steps.add(key="é")
    events[3].ClearField("path")
    store.put_events(events)
    store.put_attributions_and_associations(
        [
            pb.Attribution(artifact_id=artifacts[0], context_id=contexts[0]),
            pb.Attribution(artifact_id=artifacts[3], context_id=contexts[0]),
            pb.Attribution(artifact_id=artifacts[0], context_id=contexts[1]),
        ],
        [
            pb.Association(execution_id=executions[0], context_id=contexts[1]),
            pb.Association(execution_id=executions[1], context_id=contexts[1]),
        ],
    )
    store.put_parent_contexts(
        [
            pb.ParentContext(child_id=contexts[1], parent_id=contexts[0]),
            pb.ParentContext(child_id=contexts[2], parent_id=contexts[0]),
        ]
    )
    del store
    database.run(
        f"UPDATE {table} SET create_time_since_epoch = {START_MS} + 1000 * id, "
        f"last_update_time_since_epoch = {START_MS} + 1000 * id + 1"
        for table in NODES
    )


def put_types(store):
    kinds = {"i": pb.INT, "d": pb.DOUBLE, "s": pb.STRING, "o": pb.STRUCT}
    kinds |= {"b": pb.BOOLEAN, "p": pb.PROTO}
    examples = pb.ArtifactType(
        name="Examples", description="it's é", external_id="type-1", properties=kinds
    )
    examples.base_type = pb.ArtifactType.DATASET
    # Below version 6 types have no version, and these two are one name twice.
    models = [pb.ArtifactType(name="Model", version=str(at), properties={"s": 3}) for at in (1, 2)]
    trainer = pb.ExecutionType(
        name="Trainer", version="7", description="trains", external_id="type-2", properties=kinds
    )
    trainer.base_type = pb.ExecutionType.TRAIN
    trainer.input_type.dict.properties["data"].simple.name = "Examples"
    trainer.output_type.union_type.candidates.add().simple.name = "Model"
    trainer.output_type.union_type.candidates.add().none.SetInParent()
    pipeline = pb.ContextType(name="Pipeline", external_id="type-3", properties=kinds)
    run = pb.ContextType(name="Run", version="1", description="one of many")
    return [
        store.put_artifact_type(examples),
        *map(store.put_artifact_type, models),
        store.put_execution_type(trainer),
        store.put_execution_type(pb.ExecutionType(name="Examples")),
        store.put_context_type(pipeline),
        store.put_context_type(run),
    ]


def put_nodes(store, types, backslashes):
    examples, model_1, model_2, trainer, plain, pipeline, run = types
    text = 'it\'s "é"' + (" \\ \\n" if backslashes else "")
    artifacts = [
        pb.Artifact(type_id=examples, uri=f"/data/{text}", name=text, external_id="artifact-1"),
        pb.Artifact(type_id=examples, state=pb.Artifact.LIVE),
        pb.Artifact(type_id=model_1, name="m", state=pb.Artifact.MARKED_FOR_DELETION),
        pb.Artifact(type_id=model_2, name="m", uri="m2", external_id="artifact-4"),
    ]
    executions = [
        pb.Execution(type_id=trainer, name="train", external_id="execution-1"),
        pb.Execution(type_id=plain, last_known_state=pb.Execution.COMPLETE),
    ]
    contexts = [
        pb.Context(type_id=pipeline, name=text, external_id="context-1"),
        pb.Context(type_id=run, name="run"),
        pb.Context(type_id=run, name="run 2"),
    ]
    for node in (artifacts[0], executions[0], contexts[0]):
        put_values(node.properties, text)
        put_values(node.custom_properties, text, "my ")
    artifacts[1].properties["i"].int_value = 0
    artifacts[1].custom_properties["empty"].string_value = ""
    # The only ones whose values need version 10.
    for node in (artifacts[1], executions[1], contexts[1]):
        node.custom_properties["yes"].bool_value = True
        node.custom_properties["no"].bool_value = False
        node.custom_properties["any"].proto_value.Pack(struct_pb2.Value(string_value="x"))
    artifacts[1].properties["b"].bool_value = True
    return (
        store.put_artifacts(artifacts),
        store.put_executions(executions),
        store.put_contexts(contexts),
    )


def put_values(properties, text, prefix=""):
    properties[prefix + "i"].int_value = -(2**31)
    properties[prefix + "d"].double_value = 0.375
    properties[prefix + "s"].string_value = text
    properties[prefix + "o"].struct_value.fields["é"].list_value.values.add().number_value = 2


def double_events(database):
    """Events that are there more than once: the last one of each stays."""
    added = [
        (11, 1, 1, 3, START_MS + 100),
        (12, 1, 1, 3, START_MS + 200),
        (13, 2, 2, 3, START_MS + 300),
        (14, 3, 2, 4, START_MS + 400),
    ]
    event = "INSERT INTO Event (id, artifact_id, execution_id, type, milliseconds_since_epoch)"
    path = "INSERT INTO EventPath (event_id, is_index_step, step_index, step_key)"
    false, true = ("FALSE", "TRUE") if database.name == "postgres" else ("0", "1")
    statements = [f"{event} VALUES {row}" for row in added]
    for row in added[:2]:
        statements.append(f"{path} VALUES ({row[0]}, {false}, NULL, 'later {row[0]}')")
        statements.append(f"{path} VALUES ({row[0]}, {true}, {row[0]}, NULL)")
    if database.name == "postgres":
        statements.append("ALTER SEQUENCE event_id_seq RESTART WITH 15")
    database.run(statements)


def make_old(database, version):
    """Fills the database and takes it to the version as the library does it."""
    database.reset()
    fill(database)
    if database.name == "postgres" and version == 0:
        mlmd.downgrade_schema(database.config(), 1)
        database.run(["DROP TABLE MLMDEnv"])
    else:
        mlmd.downgrade_schema(database.config(), version)
    if version < 8:
        double_events(database)


def null_rows(database):
    """Property rows without any value, which MLMD refuses to read."""
    condition = " AND ".join(f"{value} IS NULL" for value in VALUES)
    found, statements = [], []
    for node in NODES:
        columns = f"{node.lower()}_id, name, is_custom_property"
        rows = database.query(f"SELECT {columns} FROM {node}Property WHERE {condition}")
        found += [[f"{node}Property", row[0], row[1], bool(row[2])] for row in sorted(rows)]
        statements.append(f"DELETE FROM {node}Property WHERE {condition}")
    return found, statements


def ask(store, method, **fields):
    request = getattr(service, method + "Request")(**fields)
    response = getattr(service, method + "Response")()
    asked = {"method": method, "request": json_format.MessageToDict(request)}
    try:
        store._call(method, request, response)
    except errors.StatusError as error:
        return asked | {"code": CODES[type(error)]}
    return asked | {"response": json_format.MessageToDict(response)}


def ask_for_nodes(store, ids):
    for node in NODES:
        for id_ in ids[node]:
            yield ask(store, f"Get{node}sByID", **{f"{node.lower()}_ids": [id_]})


def ask_all(store, ids, types):
    for kind, node in enumerate(("Execution", "Artifact", "Context")):
        yield ask(store, f"Get{node}Types")
        of_kind = [id_ for id_, found in types if found == kind]
        yield ask(store, f"Get{node}TypesByID", type_ids=of_kind)
    yield from ask_for_nodes(store, ids)
    yield ask(store, "GetEventsByExecutionIDs", execution_ids=ids["Execution"])
    for id_ in ids["Artifact"]:
        yield ask(store, "GetContextsByArtifact", artifact_id=id_)
    for id_ in ids["Execution"]:
        yield ask(store, "GetContextsByExecution", execution_id=id_)
    for id_ in ids["Context"]:
        yield ask(store, "GetParentContextsByContext", context_id=id_)
    for node in NODES:
        names = [f"{node.lower()}-{id_}" for id_ in ids[node]]
        yield ask(store, f"Get{node}sByExternalIds", external_ids=names)


def answers(database, upgrade=True):
    """What the library answers once it has upgraded the database."""
    store = mlmd.MetadataStore(database.config(), enable_upgrade_migration=upgrade)
    del store
    ids = {node: sorted(i for (i,) in database.query(f"SELECT id FROM {node}")) for node in NODES}
    types = sorted(database.query("SELECT id, type_kind FROM Type"))
    empty, removal = null_rows(database)
    store = mlmd.MetadataStore(database.config())
    refused = [answer for answer in ask_for_nodes(store, ids) if "code" in answer]
    del store
    database.run(removal)
    store = mlmd.MetadataStore(database.config())
    asked = list(ask_all(store, ids, types))
    del store
    return {
        "answered_by": database.name,
        "null_rows": empty,
        "refused": refused,
        "answers": asked,
    }


def json_of(expected):
    """Short enough for a reader: one line for each call."""
    lines = []
    for key, value in expected.items():
        if isinstance(value, list):
            items = ",\n".join("    " + compact(item) for item in value)
            lines.append(f'  "{key}": [\n{items}\n  ]' if items else f'  "{key}": []')
        else:
            lines.append(f'  "{key}": {compact(value)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def compact(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def can_answer(database, version):
    return database.name != "postgres" or version in (1, 2, 3, 4, 9)


def make(database, stand_in, out):
    folder = out / database.name
    folder.mkdir(parents=True, exist_ok=True)
    for version in range(10):
        make_old(database, version)
        (folder / f"{version:02}.sql").write_text(text_of(dump(database)))
        answering = database
        if not can_answer(database, version):
            answering = stand_in
            answering.backslashes = database.backslashes
            make_old(answering, version)
        expected = {"version": version} | answers(answering)
        (folder / f"{version:02}.expected.json").write_text(json_of(expected))
        print(database.name, version, flush=True)
    database.drop()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--databases", default="sqlite,postgres,mysql")
    parser.add_argument("--postgres", default="postgresql://postgres@127.0.0.1:5432")
    parser.add_argument("--mysql", default="mysql://root@127.0.0.1:3306")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        databases = [
            Sqlite(os.path.join(folder, "golden.db")),
            Postgres(arguments.postgres, "mig_golden"),
            Mysql(arguments.mysql, "mig_golden"),
        ]
        for database in databases:
            if database.name in arguments.databases.split(","):
                make(database, Sqlite(os.path.join(folder, "stand_in.db")), arguments.out)


if __name__ == "__main__":
    main()
