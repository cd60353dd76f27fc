"""PostgreSQL and MySQL past Headwater: making databases, asking, breaking and dropping them."""

import contextlib
import itertools
import os
from urllib.parse import quote, urlencode, urlsplit

import psycopg2
import pymysql
from ml_metadata.proto import metadata_store_pb2 as pb

CONNECT_SECONDS_MAX = 5
DEFAULTS = {
    "postgres": "postgres://postgres@127.0.0.1:5432",
    "mysql": "mysql://root@127.0.0.1:3306",
}
numbers = itertools.count(1)


def unused_name():
    """A name for a database or user that no other test, nor another run of them, has."""
    return f"hw_test_py{os.getpid()}_{next(numbers)}"


class Database:
    """One database of its own on a server; it need not be there yet."""

    scheme = None

    def __init__(self, address, name=None):
        """`address` is a URL of the server, with a user who may do everything."""
        given = urlsplit(address)
        self.host, self.port = given.hostname, given.port
        self.user, self.password = given.username, given.password
        self.name = name or unused_name()
        self.users = []

    def url(self, *, user=None, password=None, hosts=None, **parameters):
        """The store URL, with anything in it another; `hosts` is as `host:port,host:port`."""
        user, secret = (user, password) if user else (self.user, password or self.password)
        secret = f":{quote(secret, safe='')}" if secret else ""
        hosts = hosts or f"{self.host}:{self.port}"
        query = f"?{urlencode(parameters, safe=':,/')}" if parameters else ""
        return f"{self.scheme}://{quote(user)}{secret}@{hosts}/{self.name}{query}"

    def query(self, sql, *values):
        """The rows that a statement gives, in this database."""
        return self._run(self.connect(self.name), sql, values)

    def administer(self, sql, *values):
        """The same as a user who may do everything, in no particular database."""
        return self._run(self.connect(None), sql, values)

    def _run(self, connection, sql, values):
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall()) if cursor.description else []

    def drop(self):
        self.drop_database()
        for user in self.users:
            self.drop_user(user)

    def accepts(self, user, password):
        """Whether the server lets a user in with a password."""
        try:
            self.connect(None, user, password).close()
        except (psycopg2.OperationalError, pymysql.OperationalError):
            return False
        return True


class Postgres(Database):
    scheme = "postgres"
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"

    def connect(self, name, user=None, password=None):
        connection = psycopg2.connect(
            host=self.host,
            port=self.port,
            user=user or self.user,
            password=password or self.password,
            dbname=name or "postgres",
            connect_timeout=CONNECT_SECONDS_MAX,
        )
        connection.autocommit = True
        return connection

    def create(self):
        self.administer(f"CREATE DATABASE {self.name}")
        self.query("REVOKE CREATE ON SCHEMA public FROM PUBLIC")  # as since PostgreSQL 15

    def drop_database(self):
        self.administer(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")

    def add_user(self, password, group=None):
        """A user who may connect and nothing more."""
        user = unused_name()
        self.users.append(user)
        self.administer(f"CREATE ROLE {user} LOGIN PASSWORD %s", password)
        if group:
            self.administer(f"GRANT {group} TO {user}")
        return user

    def drop_user(self, user):
        self.administer(f"DROP ROLE IF EXISTS {user}")

    def allow_rows(self, user):
        """Lets a user read and write all tables there are, and no more."""
        self.query(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}")
        self.query(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {user}")

    def allow_all(self, user):
        self.administer(f"GRANT ALL ON DATABASE {self.name} TO {user}")
        self.query(f"GRANT ALL ON SCHEMA public TO {user}")

    def limit_connections(self, user, count):
        """At most so many connections for a user; without a limit if `count` is `None`."""
        limit = -1 if count is None else count
        self.administer(f"ALTER ROLE {user} CONNECTION LIMIT {limit}")

    def kill_sessions(self):
        """Ends all sessions on this database; gives how many there were."""
        sessions = "FROM pg_stat_activity WHERE datname = %s"
        return len(self.administer(f"SELECT pg_terminate_backend(pid) {sessions}", self.name))

    def sessions(self):
        ((count,),) = self.administer(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s", self.name
        )
        return count

    def wheel_config(self, port=None):
        """How the released library finds this database."""
        config = pb.ConnectionConfig()
        where = config.postgresql
        where.host, where.port = self.host, str(port or self.port)
        where.user, where.password = self.user, self.password or ""
        where.dbname = self.name
        return config


class Mysql(Database):
    scheme = "mysql"
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"

    def connect(self, name, user=None, password=None):
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=user or self.user,
            password=password or self.password or "",
            database=name,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS_MAX,
        )

    def create(self):
        self.administer(f"CREATE DATABASE {self.name}")

    def drop_database(self):
        self.administer(f"DROP DATABASE IF EXISTS {self.name}")

    def add_user(self, password, group=None):
        """A user who may connect and nothing more."""
        assert group is None
        user = unused_name()
        self.users.append(user)
        self.administer(f"CREATE USER {user}@'%%' IDENTIFIED BY %s", password)
        return user

    def drop_user(self, user):
        self.administer(f"DROP USER IF EXISTS {user}@'%'")

    def allow_rows(self, user):
        """Lets a user read and write all tables there are, and no more."""
        self.administer(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {self.name}.* TO {user}@'%'")

    def allow_all(self, user):
        self.administer(f"GRANT ALL ON {self.name}.* TO {user}@'%'")

    def limit_connections(self, user, count):
        """At most so many connections for a user; without a limit if `count` is `None`."""
        self.administer(f"ALTER USER {user}@'%' WITH MAX_USER_CONNECTIONS {count or 0}")

    def _session_ids(self):
        found = "SELECT id FROM information_schema.processlist WHERE db = %s"
        return [session for (session,) in self.administer(found, self.name)]

    def kill_sessions(self):
        """Ends all sessions on this database; gives how many there were."""
        killed, sessions = 0, self._session_ids()
        with contextlib.closing(self.connect(None)) as connection, connection.cursor() as cursor:
            for session in sessions:
                with contextlib.suppress(pymysql.err.OperationalError):  # it has ended by itself
                    cursor.execute(f"KILL {session}")
                    killed += 1
        return killed

    def sessions(self):
        return len(self._session_ids())

    def wheel_config(self, port=None):
        """How the released library finds this database."""
        config = pb.ConnectionConfig()
        where = config.mysql
        where.host, where.port = self.host, port or self.port
        where.user, where.password = self.user, self.password or ""
        where.database = self.name
        return config


BACKENDS = {"postgres": Postgres, "mysql": Mysql}


def address_of(backend):
    """The URL of the server of a backend."""
    return os.environ.get(f"HEADWATER_TEST_{backend.upper()}") or DEFAULTS[backend]


def objection(backend):
    """Why a backend cannot be tested, or nothing."""
    database = BACKENDS[backend](address_of(backend))
    try:
        database.administer("SELECT 1")
    except (psycopg2.Error, pymysql.Error) as error:
        where = f"{backend} at {database.host}:{database.port} as {database.user}"
        return f"{where} cannot be reached: {str(error).strip()}"
    return None
