"""One SQLite file, two programs: what MLMD writes Headwater reads, and the other way round."""

import gc
import sqlite3

import pytest

from answers import Side, StubCaller, WheelCaller, in_order
from graph_operations import GraphGenerator

MLMD_TABLES = {
    "Artifact",
    "ArtifactProperty",
    "Association",
    "Attribution",
    "Context",
    "ContextProperty",
    "Event",
    "EventPath",
    "Execution",
    "ExecutionProperty",
    "MLMDEnv",
    "ParentContext",
    "ParentType",
    "Type",
    "TypeProperty",
}
STEPS = 120


class Writer:
    """Random operations on one store after another; the model of what is stored goes along."""

    def __init__(self, seed):
        self.generator = GraphGenerator(seed)
        self.operations = list(self.generator.start())
        self.number = 0

    def write(self, caller, steps):
        side = Side(caller)
        for step in range(steps):
            is_start = bool(self.operations)
            operation = self.operations.pop(0) if is_start else self.generator.next()
            if not operation.method.startswith("Put") or operation.note.startswith("abort"):
                continue
            answer = side.ask(operation, step)
            if answer.code != "OK":
                continue
            self.number += 1
            self.generator.learn(operation, answer.response, None)
            for read in self.generator.readback(operation, answer.response):
                found = side.ask(read)
                assert found.code == "OK"
                self.generator.learn(read, found.response, None)

    def content(self, caller):
        """Every read of the store with its answer: times, ids and values as they are."""
        side, found = Side(caller), {}
        for operation in self.generator.everything():
            answer = side.ask(operation)
            key = operation.method, operation.request.SerializeToString(deterministic=True)
            found[key] = answer.code, in_order(operation, answer.response)
        return found


def differences(ours, theirs):
    """The first reads that differ, readable."""
    assert ours.keys() == theirs.keys()
    differ = [key for key in ours if ours[key] != theirs[key]]
    return "\n".join(f"{key}\nours: {ours[key]}\ntheirs: {theirs[key]}" for key in differ[:3])


def rows(path, sql):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.fixture
def by_wheel(wheel):
    """Works on a file with the wheel, and closes it again."""

    def work(path, task):
        caller = WheelCaller(wheel(path))
        result = task(caller)
        del caller
        gc.collect()
        return result

    return work


@pytest.fixture
def by_server(serve):
    """Works on a file through a server of ours, and stops it again."""

    def work(path, task):
        server = serve(path)
        result = task(StubCaller(server.stub))
        assert server.stop() == 0
        return result

    return work


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_file_goes_to_and_fro_and_keeps_its_content(seed, by_wheel, by_server, tmp_path):
    path, writer = tmp_path / "theirs.db", Writer(seed)
    by_wheel(path, lambda caller: writer.write(caller, STEPS))
    for program in (by_server, by_wheel, by_server):
        theirs = by_wheel(path, writer.content)
        assert not differences(by_server(path, writer.content), theirs)
        program(path, lambda caller: writer.write(caller, STEPS // 2))
    assert not differences(by_server(path, writer.content), by_wheel(path, writer.content))
    assert writer.number > STEPS // 2
    assert min(map(len, writer.generator.nodes.values())) > 10


@pytest.mark.parametrize("seed", [4, 5])
def test_a_file_of_ours_opens_in_the_wheel_with_equal_content(seed, by_wheel, by_server, tmp_path):
    path, writer = tmp_path / "ours.db", Writer(seed)
    by_server(path, lambda caller: writer.write(caller, STEPS))
    ours = by_server(path, writer.content)
    assert not differences(ours, by_wheel(path, writer.content))
    by_wheel(path, lambda caller: writer.write(caller, STEPS // 2))
    theirs = by_wheel(path, writer.content)
    assert theirs != ours
    assert not differences(by_server(path, writer.content), theirs)


def test_the_wheel_reads_the_file_while_our_server_writes_it(server, wheel):
    writer = Writer(6)
    caller = StubCaller(server.stub)
    writer.write(caller, STEPS)
    theirs = WheelCaller(wheel(server.path))
    assert not differences(writer.content(caller), writer.content(theirs))
    writer.write(caller, STEPS // 2)
    assert not differences(writer.content(caller), writer.content(theirs))


def test_values_are_stored_in_the_columns_and_encodings_of_the_wheel(by_wheel, by_server, tmp_path):
    stored = []
    for path, program in ((tmp_path / "a.db", by_wheel), (tmp_path / "b.db", by_server)):
        program(path, lambda caller: Writer(7).write(caller, STEPS))
        columns = "name, is_custom_property, int_value, double_value, string_value, bool_value"
        stored.append(
            {
                table: rows(
                    path,
                    f"SELECT {id_column}, {columns}, hex(proto_value), typeof(bool_value),"
                    f" typeof(double_value), typeof(int_value), hex(byte_value) FROM {table}"
                    " WHERE string_value IS NULL OR string_value NOT LIKE 'mlmd-struct::%'"
                    " ORDER BY 1, 2, 3",
                )
                for table, id_column in (
                    ("ArtifactProperty", "artifact_id"),
                    ("ExecutionProperty", "execution_id"),
                    ("ContextProperty", "context_id"),
                )
            }
        )
    assert stored[0] == stored[1]
    assert all(len(found) > 5 for found in stored[0].values())


# The schema of a fresh file.


@pytest.fixture
def fresh(by_wheel, by_server, tmp_path):
    """A new file of the wheel and a new file of ours."""
    theirs, ours = tmp_path / "theirs.db", tmp_path / "ours.db"
    by_wheel(theirs, lambda caller: None)
    by_server(ours, lambda caller: None)
    return theirs, ours


def objects(path, kind):
    """Tables or indexes by name, without those that SQLite makes for itself."""
    found = rows(path, f"SELECT name FROM sqlite_master WHERE type = '{kind}'")
    return {name for (name,) in found if not name.startswith("sqlite_")}


def unique_keys(path, table):
    """Each unique key and index of a table: columns, uniqueness, condition."""
    keys = set()
    for _, name, is_unique, _, is_partial in rows(path, f"PRAGMA index_list(`{table}`)"):
        columns = tuple(column for _, _, column in rows(path, f"PRAGMA index_info(`{name}`)"))
        ((sql,),) = rows(path, f"SELECT sql FROM sqlite_master WHERE name = '{name}'")
        words = sql.upper().replace("`", "").split() if sql else []
        condition = words[words.index("WHERE") :] if "WHERE" in words else []
        is_named = not name.startswith("sqlite_autoindex")
        keys.add((name if is_named else "", columns, is_unique, is_partial, *condition))
    return {key for key in keys if not key[0].startswith("hw_")}


def counts_ids(path, table):
    """Whether an id is never given twice, even after a deletion."""
    ((sql,),) = rows(path, f"SELECT sql FROM sqlite_master WHERE name = '{table}'")
    return "AUTOINCREMENT" in sql.upper()


def test_a_fresh_file_has_the_tables_of_the_wheel_and_ours_are_named_hw(fresh):
    theirs, ours = fresh
    assert objects(theirs, "table") == MLMD_TABLES
    added = objects(ours, "table") - MLMD_TABLES
    assert objects(ours, "table") >= MLMD_TABLES
    assert [name for name in added if not name.startswith("hw_")] == []
    assert objects(ours, "view") | objects(ours, "trigger") == set()


@pytest.mark.parametrize("table", sorted(MLMD_TABLES))
def test_a_table_has_the_columns_keys_and_indexes_of_the_wheel(fresh, table):
    theirs, ours = fresh
    assert rows(ours, f"PRAGMA table_info(`{table}`)") == rows(
        theirs, f"PRAGMA table_info(`{table}`)"
    )
    assert unique_keys(ours, table) == unique_keys(theirs, table)
    assert counts_ids(ours, table) == counts_ids(theirs, table)


def test_a_fresh_file_holds_the_version_and_the_nine_system_types(fresh):
    theirs, ours = fresh
    for sql in ("SELECT * FROM MLMDEnv", "SELECT * FROM Type", "SELECT * FROM TypeProperty"):
        assert rows(ours, sql) == rows(theirs, sql)
    assert rows(ours, "SELECT * FROM MLMDEnv") == [(10,)]
    assert len(rows(ours, "SELECT * FROM Type")) == 9


def test_a_file_of_ours_is_in_wal_mode(fresh):
    assert rows(fresh[1], "PRAGMA journal_mode") == [("wal",)]
