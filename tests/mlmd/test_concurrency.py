"""Many client processes on one server and one SQLite file, undisturbed and under `kill -9`."""

import contextlib
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import time

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from headwater_process import Server
from recording_client import ARTIFACTS_PER_STEP, CONTEXTS_PER_STEP, EVENTS_PER_STEP, RUNS

pytestmark = pytest.mark.alone
CLIENTS = int(os.environ.get("CLIENTS", "32"))
CLIENT_CALLS = int(os.environ.get("CLIENT_CALLS", "500"))
KILL_ROUNDS = int(os.environ.get("KILL_ROUNDS", "50"))
KILL_SEED = int(os.environ.get("KILL_SEED", "1"))
SECONDS_BEFORE_KILL = (0.05, 0.6)
CLIENT = pathlib.Path(__file__).with_name("recording_client.py")
SHARED_ARTIFACT = "the data everybody reads"

# Each statement must find nothing: its rows would be steps of which a part is missing.
HALF_WRITTEN = {
    "executions without all their events": f"""
        SELECT e.id FROM Execution e WHERE e.id > ?1 AND {EVENTS_PER_STEP} <>
            (SELECT count(*) FROM Event v WHERE v.execution_id = e.id)""",
    "executions without all their properties": """
        SELECT e.id FROM Execution e WHERE e.id > ?1 AND 2 <>
            (SELECT count(*) FROM ExecutionProperty p WHERE p.execution_id = e.id)""",
    "executions without all their contexts": f"""
        SELECT e.id FROM Execution e WHERE e.id > ?1 AND {CONTEXTS_PER_STEP} <>
            (SELECT count(*) FROM Association a WHERE a.execution_id = e.id)""",
    "events without artifact": """
        SELECT v.id FROM Event v WHERE v.execution_id > ?1 AND NOT EXISTS
            (SELECT 1 FROM Artifact a WHERE a.id = v.artifact_id)""",
    "events of outputs without their path": """
        SELECT v.id FROM Event v WHERE v.execution_id > ?1 AND v.type = 4 AND 2 <>
            (SELECT count(*) FROM EventPath p WHERE p.event_id = v.id)""",
    "artifacts that no execution wrote": f"""
        SELECT a.id FROM Artifact a WHERE a.id > {ARTIFACTS_PER_STEP} * ?1 + 1 AND 1 <>
            (SELECT count(*) FROM Event v WHERE v.artifact_id = a.id)""",
    "artifacts without property": f"""
        SELECT a.id FROM Artifact a WHERE a.id > {ARTIFACTS_PER_STEP} * ?1 + 1 AND 1 <>
            (SELECT count(*) FROM ArtifactProperty p WHERE p.artifact_id = a.id)""",
    "artifacts without their contexts": f"""
        SELECT a.id FROM Artifact a WHERE a.id > {ARTIFACTS_PER_STEP} * ?1 + 1
            AND {CONTEXTS_PER_STEP} <>
            (SELECT count(*) FROM Attribution t WHERE t.artifact_id = a.id)""",
    "contexts made twice": "SELECT name FROM Context GROUP BY name HAVING count(*) > ?1 * 0 + 1",
}


def prepare(server):
    """Registers the types and the artifact that all steps share; gives their ids."""
    store = server.store()
    number = {"number": pb.INT}
    artifact_type = store.put_artifact_type(pb.ArtifactType(name="Model", properties=number))
    ids = [
        artifact_type,
        store.put_execution_type(pb.ExecutionType(name="Train", properties=number)),
        store.put_context_type(pb.ContextType(name="Run")),
    ]
    shared = pb.Artifact(type_id=artifact_type, name=SHARED_ARTIFACT)
    return [*ids, *store.put_artifacts([shared])]


class Clients:
    """The client processes, and what they noted."""

    def __init__(self, server, ids, calls, folder):
        self.notes = [folder / f"client-{number}.notes" for number in range(CLIENTS)]
        self.errors = folder / "clients.stderr"
        self.processes = []
        self.read_until = [0] * CLIENTS
        with self.errors.open("wb") as stderr:
            for number, notes in enumerate(self.notes):
                arguments = [server.address, number, *ids, calls, notes]
                self.processes.append(
                    subprocess.Popen(
                        [sys.executable, str(CLIENT), *map(str, arguments)],
                        stdin=subprocess.PIPE,
                        stderr=stderr,
                    )
                )

    def stop(self):
        for process in self.processes:
            process.stdin.close()
        self.wait()

    def wait(self):
        for process in self.processes:
            assert process.wait(timeout=250) == 0, self.errors.read_text()

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def new_notes(self):
        """Whole lines noted since the last look: acknowledged steps, and failed calls."""
        acknowledged, failed = {}, []
        for index, notes in enumerate(self.notes):
            if not notes.exists():
                continue
            with notes.open("rb") as file:
                file.seek(self.read_until[index])
                text = file.read()
            text = text[: text.rfind(b"\n") + 1]
            self.read_until[index] += len(text)
            for line in text.decode("ascii").splitlines():
                if line.startswith("!"):
                    failed.append(line)
                else:
                    name, execution, artifacts, contexts = line.split(" ")
                    acknowledged[name] = (
                        int(execution),
                        [int(n) for n in artifacts.split(",")],
                        [int(n) for n in contexts.split(",")],
                    )
        return acknowledged, failed


@pytest.fixture
def clients(tmp_path):
    started = []

    def start(server, ids, calls):
        started.append(Clients(server, ids, calls, tmp_path))
        return started[-1]

    yield start
    for clients in started:
        clients.end()


def read(path, sql, *values):
    uri = f"file:{path}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
        return connection.execute(sql, values).fetchall()


def is_whole(path, after_id=0):
    """Looks for half-written steps among the executions with larger ids."""
    for what, statement in HALF_WRITTEN.items():
        found = read(path, statement + " LIMIT 5", after_id)
        assert found == [], f"{what}: {found}"


def is_present(path, acknowledged):
    """Compares what was acknowledged with what is stored, id by id."""
    executions = dict(read(path, "SELECT name, id FROM Execution"))
    outputs, contexts = {}, dict(read(path, "SELECT name, id FROM Context"))
    for name, artifact_id in read(path, "SELECT name, id FROM Artifact"):
        outputs[name] = artifact_id
    for name, (execution_id, artifact_ids, context_ids) in acknowledged.items():
        assert executions.get(name) == execution_id, f"{name} was acknowledged"
        stored = [outputs.get(f"{name}/{index}") for index in range(ARTIFACTS_PER_STEP)]
        assert [outputs[SHARED_ARTIFACT], *stored] == artifact_ids, name
        number = int(name.rpartition("-")[2])
        assert context_ids == [contexts["pipeline"], contexts[f"run-{number % RUNS}"]], name
    return executions


@pytest.mark.timeout(280)
def test_many_processes_record_steps_without_an_error_and_each_is_there_once(server, clients):
    ids = prepare(server)
    started = clients(server, ids, CLIENT_CALLS)
    started.wait()
    acknowledged, failed = started.new_notes()
    assert failed == []
    assert len(acknowledged) == CLIENTS * CLIENT_CALLS
    executions = is_present(server.path, acknowledged)
    assert len(executions) == CLIENTS * CLIENT_CALLS
    is_whole(server.path)
    counts = {
        "Artifact": 1 + ARTIFACTS_PER_STEP * len(executions),
        "Event": EVENTS_PER_STEP * len(executions),
        "Association": CONTEXTS_PER_STEP * len(executions),
        "Context": 1 + RUNS,
    }
    for table, count in counts.items():
        assert read(server.path, f"SELECT count(*) FROM {table}") == [(count,)], table
    assert read(server.path, "PRAGMA integrity_check") == [("ok",)]
    (pipeline,) = [c for c in server.store().get_contexts() if c.name == "pipeline"]
    assert len(server.store().get_executions_by_context(pipeline.id)) == len(executions)


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_or_half_written_by_kill_9(serve, clients, tmp_path):
    chance = random.Random(KILL_SEED)
    server = serve()
    ids = prepare(server)
    started = clients(server, ids, 0)
    acknowledged, checked_until, rounds_with_writes = {}, 0, 0
    while not started.new_notes()[0]:
        time.sleep(0.05)  # the clients are still importing
    started.read_until = [0] * CLIENTS
    for turn in range(KILL_ROUNDS):
        time.sleep(chance.uniform(*SECONDS_BEFORE_KILL))
        server.kill()
        time.sleep(0.02)  # answers that were on their way are noted
        new, _ = started.new_notes()
        acknowledged |= new
        rounds_with_writes += bool(new)
        server = serve(server.path, listen=server.address)
        # Not each index entry: the file grows fast. That is looked at in the end.
        assert read(server.path, "PRAGMA quick_check") == [("ok",)], f"round {turn}"
        is_present(server.path, new)
        newest = max((step[0] for step in new.values()), default=checked_until)
        is_whole(server.path, checked_until)
        checked_until = max(checked_until, newest - 10 * CLIENTS)
    started.stop()
    new, _ = started.new_notes()
    acknowledged |= new
    assert server.stop() == 0
    server = serve(server.path)
    executions = is_present(server.path, acknowledged)
    is_whole(server.path)
    assert read(server.path, "PRAGMA integrity_check") == [("ok",)]
    assert rounds_with_writes > KILL_ROUNDS / 2
    print(f"{len(acknowledged)} acknowledged steps, {len(executions)} stored")


def test_a_server_that_was_killed_while_starting_leaves_a_good_file(tmp_path):
    path, chance = tmp_path / "store.db", random.Random(KILL_SEED)
    for turn in range(10):
        path = tmp_path / f"{turn}.db"
        first = Server(f"sqlite:{path}", tmp_path / "first.log")
        first.kill()
        command = [*first.process.args]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        process.wait()
        second = Server(f"sqlite:{path}", tmp_path / "second.log")
        assert len(prepare(second)) == 4
        assert second.stop() == 0
        assert read(path, "PRAGMA integrity_check") == [("ok",)]
