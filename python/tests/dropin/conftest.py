"""Fixtures: an empty store in a file, in memory, and behind a server.

What cannot run here is skipped aloud; with HEADWATER_TEST_REQUIRED set it fails.
"""

import importlib
import importlib.util
import os
import pathlib
import subprocess

import ml_metadata
import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb
from server import BINARY, Server

from databases import ADDRESSES, database
from kinds import KINDS

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
# A Python that has Google's ml-metadata, and not Headwater's.
GOOGLES_PYTHON = pathlib.Path(
    os.environ.get("HEADWATER_TEST_MLMD_PYTHON", REPOSITORY / ".venv/tests/bin/python")
)

if "_ml_metadata" not in str(list(ml_metadata.__path__)):
    raise pytest.UsageError(f"`{ml_metadata.__file__}` is not Headwater's ml_metadata")

_missing = {}


def leave_out(reason):
    if "HEADWATER_TEST_REQUIRED" in os.environ:
        pytest.fail(reason)
    _missing[reason] = _missing.get(reason, 0) + 1
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter):
    for reason, count in _missing.items():
        terminalreporter.write_line(f"SKIPPED {count}: {reason}", red=True, bold=True)


def sqlite_config(path):
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return config


@pytest.fixture
def config(tmp_path):
    """Where a SQLite file is to be, in this process."""
    return sqlite_config(tmp_path / "store.db")


@pytest.fixture
def fake_config():
    config = pb.ConnectionConfig()
    config.fake_database.SetInParent()
    return config


@pytest.fixture
def grpc():
    """The module that servers are called with."""
    if importlib.util.find_spec("grpc") is None:
        leave_out("grpcio is not installed, so no server can be called")
    return importlib.import_module("grpc")


@pytest.fixture
def server(grpc, tmp_path):
    """A running server on an empty store."""
    if not pathlib.Path(BINARY).exists():
        leave_out(f"there is no server `{BINARY}`")
    server = Server(tmp_path / "served.db")
    yield server
    server.stop()


# A database that no variable names is left out; `python/test.sh` says so.
DATABASES = [kind for kind, variable in ADDRESSES.items() if os.environ.get(variable)]


@pytest.fixture(params=["sqlite", "fake", "server", *DATABASES])
def store(request):
    """An empty store, in each of the ways to reach one."""
    if request.param in ADDRESSES:
        with database(request.param) as place:
            yield metadata_store.MetadataStore(place)
        return
    if request.param == "server":
        place = request.getfixturevalue("server").config()
    else:
        place = request.getfixturevalue("config" if request.param == "sqlite" else "fake_config")
    yield metadata_store.MetadataStore(place)


@pytest.fixture(params=KINDS, ids=str)
def kind(request):
    """Artifacts, executions and contexts: what holds for one holds for all."""
    return request.param


@pytest.fixture(scope="session")
def run_googles(tmp_path_factory):
    """Runs a script of this folder with Google's library, and gives what it prints."""
    if not GOOGLES_PYTHON.exists():
        leave_out(f"there is no Google's ml-metadata at `{GOOGLES_PYTHON}`")

    folder = tmp_path_factory.mktemp("googles")

    def run(script, *arguments):
        command = [str(GOOGLES_PYTHON), str(pathlib.Path(__file__).with_name(script)), *arguments]
        # PYTHONPATH may lead to Headwater's; the directory of a script is its own first entry.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, (done.returncode, done.stderr)
        return done.stdout

    return run
