"""Fixtures: a fresh database of a backend per test, servers on it, and proxies before it."""

import contextlib
import itertools
import os
import pathlib
import subprocess
import sys
import time

import pytest

# The helpers of the tests with SQLite are used here too.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "mlmd"))

from databases import BACKENDS, address_of, objection
from headwater_process import BINARY, Server
from proxy import Proxy

pytest.register_assert_rewrite("load")  # so that what it finds is shown
START_SECONDS_MAX = 60
SERVING = b"\x08\x01"
left_out = {}


def pytest_terminal_summary(terminalreporter):
    # Not `left_out`: with xdist, the tests ran in other processes.
    skipped = {report.longrepr[2] for report in terminalreporter.stats.get("skipped", ())}
    for reason in sorted(skipped):
        terminalreporter.write_line(reason.replace("Skipped:", "SKIPPED:", 1), red=True)


@pytest.fixture(params=list(BACKENDS))
def backend(request):
    """The name of a backend that can be reached."""
    name = request.param
    if name not in left_out:
        left_out[name] = objection(name)
    if left_out[name]:
        if os.environ.get("HEADWATER_TEST_REQUIRED"):
            pytest.fail(left_out[name])
        pytest.skip(f"all tests on {name}. {left_out[name]}")
    return name


@pytest.fixture
def new_database(backend):
    """Names databases that nobody else has; they need not be there yet, and are dropped."""
    with contextlib.ExitStack() as made:

        def name():
            database = BACKENDS[backend](address_of(backend))
            made.callback(database.drop)
            return database

        yield name


@pytest.fixture
def database(new_database):
    """A database of its own for the test, which does not exist until somebody makes it."""
    return new_database()


@pytest.fixture
def start_server(tmp_path):
    """Starts servers on a store, stops what is left running, and looks through what they said."""
    started, numbers, secrets = [], itertools.count(1), set()

    def start(store, *flags, secret=None, **options):
        log = tmp_path / f"server-{next(numbers)}.log"
        secrets.update([secret] if secret else [])
        server = Server(store, log, *flags, **options)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()
        assert "panicked" not in server.words()
        for secret in secrets:
            assert secret not in server.words() + server.ready_line


@pytest.fixture
def serve(database, start_server):
    """Starts servers, by default on the database of the test, which is dropped after they end."""
    return lambda store=None, *flags, **options: start_server(
        store or database.url(), *flags, **options
    )


@pytest.fixture
def refusal(tmp_path):
    """Starts a server that must refuse; gives what it says on stderr."""

    def start(store, *flags, secret=None, seconds_max=START_SECONDS_MAX):
        command = [BINARY, "serve", "--store", store, "--listen", "127.0.0.1:0", *flags]
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds_max, cwd=tmp_path
        )
        assert ended.returncode not in (0, 101), ended.stderr
        assert "panicked" not in ended.stderr
        assert ended.stdout == "", "the ready line must not be printed"
        assert ended.stderr.strip(), "an exit without a word"
        assert secret is None or secret not in ended.stderr
        return ended.stderr

    return start


@pytest.fixture
def proxy(database):
    """A proxy before the server of the database, without delay."""
    with Proxy(database.host, database.port) as made:
        yield made


@pytest.fixture
def is_serving():
    """Asks a server whether it is ready to serve, as Kubernetes does."""

    def ask(server):
        check = server.channel.unary_unary("/grpc.health.v1.Health/Check")
        return check(b"", timeout=10) == SERVING

    return ask


@pytest.fixture
def wait_until():
    """Waits for a condition; gives the seconds that it took, and fails if it takes too many."""

    def wait(condition, seconds_max):
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds_max, f"not within {seconds_max} s"
            time.sleep(0.02)
        return time.monotonic() - began

    return wait
