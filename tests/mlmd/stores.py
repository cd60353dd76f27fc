"""Where the tests store: a file of SQLite, or a database of its own on a server.

The environment says where the servers are, with a user who may make databases:
`HEADWATER_TEST_POSTGRES`, as in `postgres://postgres@127.0.0.1:5432`, and `HEADWATER_TEST_MYSQL`.
"""

import contextlib
import itertools
import os
import sqlite3
from urllib.parse import unquote, urlsplit

import psycopg2
import pymysql

COUNTED = ("Artifact", "Execution", "Context", "Type")  # tables whose ids callers see
numbers = itertools.count(1)


class File:
    """A file of SQLite."""

    def __init__(self, path):
        self.path, self.url = path, f"sqlite:{path}"

    def execute(self, *statements):
        with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def close_gaps(self):
        """Nothing: a transaction that is rolled back takes no ids."""


class Database:
    """A database of its own on a server; whoever opens it first as a store makes it."""

    path = None

    def __init__(self, address):
        self.server, self.name = urlsplit(address), f"hw_test_mlmd_{os.getpid()}_{next(numbers)}"
        self.url = f"{address.rstrip('/')}/{self.name}"
        self.host, self.port = self.server.hostname, self.server.port or self.default_port
        self.user = unquote(self.server.username or "")
        self.password = unquote(self.server.password or "")
        self.is_made = False

    def execute(self, *statements, database=None):
        """Runs statements, each a transaction; gives the rows of the last one."""
        with (
            contextlib.closing(self.connect(database or self.name)) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def empty(self):
        """Takes all rows away, and lets ids begin anew. No server may have it open."""
        if self.is_made:
            tables = {name for (name,) in self.execute(self.TABLES)}
            kept = {"mlmdenv"}
            self.execute(*(f"DELETE FROM {t}" for t in tables if t.lower() not in kept))
            self.close_gaps()
        self.is_made = True

    def close_gaps(self):
        """Lets the next ids follow the last: a call that is refused takes ids with it here."""
        self.execute(*(self.COUNT_ON.format(table=table) for table in COUNTED))

    def drop(self):
        self.execute(self.DROP.format(name=self.name), database=self.MAINTENANCE)


class Postgres(Database):
    kind, default_port = "postgres", 5432
    MAINTENANCE = "postgres"
    TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    COUNT_ON = (
        "SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 0) + 1, false)"
        " FROM {table}"
    )
    DROP = "DROP DATABASE IF EXISTS {name} WITH (FORCE)"

    def connect(self, database):
        connection = psycopg2.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=database,
        )
        connection.autocommit = True
        return connection


class Mysql(Database):
    kind, default_port = "mysql", 3306
    MAINTENANCE = "mysql"
    TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = database()"
    COUNT_ON = "ALTER TABLE {table} AUTO_INCREMENT = 1"
    DROP = "DROP DATABASE IF EXISTS {name}"

    def connect(self, database):
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            autocommit=True,
        )


SERVERS = {made.kind: made for made in (Postgres, Mysql)}
BACKENDS = ("sqlite", *SERVERS)


def variable(backend):
    return f"HEADWATER_TEST_{backend.upper()}"


def objection(backend):
    """Why there can be no tests on a backend, or nothing."""
    if backend in SERVERS and not os.environ.get(variable(backend)):
        return f"no test ran on {backend}: {variable(backend)} is not set"
    return None


@contextlib.contextmanager
def new_place(backend, folder):
    """A place of its own, gone in the end."""
    if backend == "sqlite":
        yield File(folder / "store.db")
        return
    database = SERVERS[backend](os.environ[variable(backend)])
    try:
        yield database
    finally:
        database.drop()
