"""Fixtures: a fresh server per test, one shared by a module, and stores of the released wheel.

`backends` marks the tests that run on other databases than SQLite, too.
"""

import collections
import contextlib
import itertools
import os
import re

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from xdist.scheduler import LoadScopeScheduling

import stores
from headwater_process import Server


def pytest_generate_tests(metafunc):
    mark = metafunc.definition.get_closest_marker("backends")
    if mark and "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", mark.args, indirect=True, scope="module")


def pytest_collection_modifyitems(items):
    for item in items:
        if backend := getattr(item, "callspec", None) and item.callspec.params.get("backend"):
            item.user_properties.append(("backend", backend))


class ByBackend(LoadScopeScheduling):
    """Keeps in one process what shares databases and servers: a file's tests on one backend."""

    def _split_scope(self, nodeid):
        found = re.search(rf"[-[]({'|'.join(stores.BACKENDS)})\b", nodeid)
        return f"{nodeid.partition('::')[0]} {found[1] if found else stores.BACKENDS[0]}"


def pytest_xdist_make_scheduler(config, log):
    return ByBackend(config, log)


def pytest_terminal_summary(terminalreporter):
    """Says how much ran on each backend, and aloud what was left out."""
    counts = collections.defaultdict(collections.Counter)
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, ()):
            told = dict(report.user_properties)
            if backend := told.get("backend"):
                counts[backend][outcome] += 1
                counts[backend]["operations compared"] += told.get("operations", 0)
    for backend, found in counts.items():
        words = ", ".join(f"{count} {what}" for what, count in found.items() if count)
        terminalreporter.write_line(f"{backend}: {words}")
        if reason := stores.objection(backend):
            terminalreporter.write_line(f"SKIPPED: {reason}", red=True, bold=True)


@pytest.fixture(scope="module")
def backend(request):
    """The database that a test stores in: SQLite, unless it is marked for others."""
    name = getattr(request, "param", "sqlite")
    if reason := stores.objection(name):
        if "HEADWATER_TEST_REQUIRED" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return name


@pytest.fixture(scope="module")
def emptied_place(backend, tmp_path_factory):
    """One place for the tests of a module in turn, because making a database takes time."""
    with stores.new_place(backend, tmp_path_factory.mktemp("emptied")) as place:
        yield place


@pytest.fixture
def new_place(emptied_place, tmp_path):
    """Gives empty places for a store. On a server it is always the same one, emptied."""
    numbers = itertools.count(1)

    def make():
        if isinstance(emptied_place, stores.File):
            return stores.File(tmp_path / f"store-{next(numbers)}.db")
        emptied_place.empty()
        return emptied_place

    return make


@pytest.fixture
def serve(new_place, tmp_path):
    """Starts servers on demand, by default on an empty store; stops what is left running."""
    started, numbers = [], itertools.count(1)

    def start(path=None, *flags, store=None, **options):
        place = None
        if store is None:
            place = stores.File(path) if path else new_place()
        log = tmp_path / f"server-{next(numbers)}.log"
        server = Server(store or place.url, log, *flags, **options)
        server.place, server.path = place, place and place.path
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()
        assert "panicked" not in server.words()


@pytest.fixture
def server(serve):
    """A server of its own for the test, on an empty store."""
    return serve()


@contextlib.contextmanager
def serving(backend, folder):
    """A server on a store of its own."""
    with stores.new_place(backend, folder) as place:
        server = Server(place.url, folder / "server.log")
        server.place, server.path = place, place.path
        yield server
        server.stop()
        assert "panicked" not in server.words()


@pytest.fixture(scope="module")
def shared_server(backend, tmp_path_factory):
    """One server for all tests of a module; they must not mind what the others wrote."""
    with serving(backend, tmp_path_factory.mktemp("shared")) as server:
        yield server


def wheel_config(path):
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = config.sqlite.READWRITE_OPENCREATE
    return config


@pytest.fixture
def wheel():
    """Opens a SQLite file with the released wheel, in this process."""
    return lambda path: metadata_store.MetadataStore(wheel_config(path))
