"""The sides of a comparison: processes that are asked over a pipe, and their databases."""

import contextlib
import itertools
import json
import os
import pathlib
import select
import sqlite3
import subprocess
import time
from urllib.parse import urlsplit

import psycopg2
import pymysql

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
HERE = pathlib.Path(__file__).resolve().parent
SERVER = os.environ.get("HEADWATER_BIN", str(REPOSITORY / "target/release/headwater"))
WORKER = os.environ.get("HEADWATER_BENCH_BIN", str(REPOSITORY / "target/release/headwater-bench"))
WHEEL_PYTHON = REPOSITORY / ".venv/tests/bin/python"
OWN_PYTHON = REPOSITORY / ".venv/python-3.11/bin/python"
COMMANDS = {
    "wheel": [WHEEL_PYTHON, HERE / "worker.py"],
    "python": [OWN_PYTHON, HERE / "worker.py"],
    "rust": [WORKER, "rust"],
    "grpc": [WORKER, "grpc"],
    "raw": [WORKER, "raw"],
}
SERVERS = {
    "postgres": os.environ.get("HEADWATER_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432"),
    "mysql": os.environ.get("HEADWATER_TEST_MYSQL", "mysql://root@127.0.0.1:3306"),
}
ANSWER_SECONDS_MAX = 60
OPEN_SECONDS_MAX = 600  # Headwater makes indexes of its own when it first opens a file
numbers = itertools.count(1)


class NoAnswer(Exception):
    """Why a side has no time: it refused the call, or did not finish in time."""


class Worker:
    """A process that answers lines of JSON."""

    def __init__(self, name, place):
        self.name, self.place = name, place
        self.process = self.server = None
        self.start()

    def start(self):
        place = self.place
        if self.name == "grpc":
            self.server = Server(place)
            place = self.server.address
        self.process = subprocess.Popen(
            [*COMMANDS[self.name], place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, op, seconds_max=ANSWER_SECONDS_MAX, **question):
        self.send(op, **question)
        return self.receive(seconds_max)

    def send(self, op, **question):
        self.process.stdin.write(json.dumps({"op": op, **question}) + "\n")
        self.process.stdin.flush()

    def receive(self, seconds_max=ANSWER_SECONDS_MAX):
        if not select.select([self.process.stdout], [], [], seconds_max)[0]:
            self.close()
            self.start()  # only a process can be ended amid a query
            raise NoAnswer(f"{self.name} did not finish in {seconds_max} s")
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} at {self.place} ended: {self.process.stderr.read()}")
        answer = json.loads(line)
        if "failure" in answer:
            raise NoAnswer(answer["failure"])
        return answer["value"]

    def run(self, seconds_max=ANSWER_SECONDS_MAX):
        """Runs what is prepared; adds the processor's time of this side, its server included."""
        before = self.cpu_seconds()
        done = self.ask("run", seconds_max)
        done["cpu_ms"] = (self.cpu_seconds() - before) * 1000
        return done

    def cpu_seconds(self):
        processes = [self.process.pid] + ([self.server.process.pid] if self.server else [])
        return sum(map(cpu_seconds, processes))

    def close(self):
        self.process.kill()
        self.process.communicate()
        if self.server:
            self.server.close()
            self.server = None


class Crowd:
    """Callers of the wheel: a process for each, as one process makes one call at a time."""

    name = "wheel"

    def __init__(self, place, count):
        self.workers = [Worker(self.name, place) for _ in range(count)]

    def ask(self, op, firsts=None, **question):
        """Asks all; `firsts` has a number for each."""
        for at, worker in enumerate(self.workers):
            if firsts:
                question["firsts"] = [firsts[at]]
            worker.send(op, **question)
        return [worker.receive() for worker in self.workers]

    def run(self):
        before = self.cpu_seconds()
        done = {"times_us": [], "failed": 0, "seconds": 0, "failure": None}
        for part in self.ask("run"):
            done["times_us"] += part["times_us"]
            done["failed"] += part["failed"]
            done["seconds"] = max(done["seconds"], part["seconds"])
            done["failure"] = done["failure"] or part["failure"]
        done["cpu_ms"] = (self.cpu_seconds() - before) * 1000
        return done

    def cpu_seconds(self):
        return sum(worker.cpu_seconds() for worker in self.workers)

    def close(self):
        for worker in self.workers:
            worker.close()


def cpu_seconds(pid):
    """The processor's time of a process, all its threads included: Linux has a clock for each."""
    return time.clock_gettime((~pid << 3) | 2)


class Server:
    """`headwater serve` on a store, on a free port."""

    def __init__(self, place, *flags):
        command = [SERVER, "serve", "--store", place, "--listen", "127.0.0.1:0", *flags]
        began = time.monotonic()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        in_time = select.select([self.process.stdout], [], [], OPEN_SECONDS_MAX)[0]
        ready = self.process.stdout.readline() if in_time else ""
        if not ready.startswith("headwater ready on "):
            self.process.kill()
            raise SystemExit(f"{' '.join(command)} did not start: {self.process.stderr.read()}")
        self.open_seconds = time.monotonic() - began
        self.address = ready.split()[3].rstrip(",")

    def close(self):
        self.process.terminate()
        self.process.communicate()


# Databases.


def objection(backend):
    """Why there is nothing to measure on a backend, or nothing."""
    if backend == "sqlite":
        return None
    try:
        rows(SERVERS[backend], "SELECT 1")
    except (psycopg2.Error, pymysql.Error) as error:
        return f"{backend} cannot be reached at {SERVERS[backend]}: {str(error).strip()}"
    return None


@contextlib.contextmanager
def database(backend, folder):
    """A place for a store that nobody else has, gone afterwards."""
    name = f"hw_bench_{os.getpid()}_{next(numbers)}"
    if backend == "sqlite":
        path = pathlib.Path(folder).resolve() / f"{name}.db"
        try:
            yield f"sqlite:{path}"
        finally:
            for suffix in ("", "-wal", "-shm"):
                pathlib.Path(f"{path}{suffix}").unlink(missing_ok=True)
        return
    try:
        yield f"{SERVERS[backend]}/{name}"
    finally:
        force = " WITH (FORCE)" if backend == "postgres" else ""
        rows(SERVERS[backend], f"DROP DATABASE IF EXISTS {name}{force}")


def connect(place):
    """Python's own connection to a place, past all sides."""
    url = urlsplit(place)
    where = {"host": url.hostname, "port": url.port, "user": url.username}
    name = url.path.strip("/")
    if url.scheme == "sqlite":
        connection = sqlite3.connect(url.path)
    elif url.scheme == "postgres":
        connection = psycopg2.connect(**where, password=url.password, dbname=name or "postgres")
        connection.autocommit = True
    else:
        connection = pymysql.connect(
            **where, password=url.password or "", database=name or None, autocommit=True
        )
    return contextlib.closing(connection)


def rows(place, sql):
    """All rows that a statement gives, past all sides."""
    with connect(place) as connection, contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []


# What a store holds, but for the moments at which it was written, and for ids that nothing names.
TABLES = {
    "Artifact": "id, type_id, uri, state, name",
    "ArtifactProperty": "artifact_id, name, is_custom_property, int_value, double_value,"
    " string_value",
    "Execution": "id, type_id, last_known_state, name",
    "ExecutionProperty": "execution_id, name, is_custom_property, int_value, double_value,"
    " string_value",
    "Context": "id, type_id, name",
    "Event": "id, artifact_id, execution_id, type",
    # Where rows have no order, Headwater keeps it in the column that a row does not use.
    "EventPath": "event_id, is_index_step, CASE WHEN is_index_step THEN step_index END,"
    " CASE WHEN NOT is_index_step THEN step_key END",
    "Association": "context_id, execution_id",
    "Attribution": "context_id, artifact_id",
}


def content(place):
    """All rows of a store, sorted."""
    return {
        table: sorted(rows(place, f"SELECT {columns} FROM {table}"), key=repr)
        for table, columns in TABLES.items()
    }


def counts(place):
    """How many rows each table has."""
    return {table: rows(place, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}
