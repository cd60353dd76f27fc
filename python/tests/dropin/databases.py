"""A database of its own on a server, for a test, as a `ConnectionConfig`."""

import contextlib
import itertools
import os
from urllib.parse import unquote, urlsplit

from ml_metadata.proto import metadata_store_pb2 as pb

# Where each server is, with a user who may make databases.
ADDRESSES = {"postgres": "HEADWATER_TEST_POSTGRES", "mysql": "HEADWATER_TEST_MYSQL"}
_numbers = itertools.count(1)


@contextlib.contextmanager
def database(kind):
    """Gives the config of a database that is not there yet, and drops it at the end."""
    server = urlsplit(os.environ[ADDRESSES[kind]])
    name = f"hw_test_py_{os.getpid()}_{next(_numbers)}"
    config = pb.ConnectionConfig()
    if kind == "postgres":
        place, place.dbname = config.postgresql, name
        place.port = str(server.port or 5432)
    else:
        place, place.database = config.mysql, name
        place.port = server.port or 3306
    place.host, place.user = server.hostname, unquote(server.username or "")
    if server.password:
        place.password = unquote(server.password)
    try:
        yield config
    finally:
        _drop(kind, place, name)


def _drop(kind, place, name):
    if kind == "postgres":
        import pg8000.native

        connection = pg8000.native.Connection(
            place.user, host=place.host, port=int(place.port), password=place.password or None
        )
        connection.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    else:
        import pymysql

        connection = pymysql.connect(
            host=place.host, port=place.port, user=place.user, password=place.password
        )
        connection.cursor().execute(f"DROP DATABASE IF EXISTS `{name}`")
    connection.close()
