"""Fixtures: a fresh server per test, one shared by a module, and stores of the released wheel."""

import itertools

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from headwater_process import Server


@pytest.fixture
def serve(tmp_path):
    """Starts servers on demand, by default on one file of the test; stops what is left running."""
    started, numbers = [], itertools.count(1)

    def start(path=None, *flags, store=None, **options):
        path = path or tmp_path / "store.db"
        log = tmp_path / f"server-{next(numbers)}.log"
        server = Server(store or f"sqlite:{path}", log, *flags, **options)
        server.path = path
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()
        assert "panicked" not in server.words()


@pytest.fixture
def server(serve):
    """A server of its own for the test, on an empty file."""
    return serve()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """One server for all tests of a module; they must not mind what the others wrote."""
    folder = tmp_path_factory.mktemp("shared")
    server = Server(f"sqlite:{folder / 'store.db'}", folder / "server.log")
    server.path = folder / "store.db"
    yield server
    server.stop()
    assert "panicked" not in server.words()


def wheel_config(path):
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = config.sqlite.READWRITE_OPENCREATE
    return config


@pytest.fixture
def wheel():
    """Opens a SQLite file with the released wheel, in this process."""
    return lambda path: metadata_store.MetadataStore(wheel_config(path))
