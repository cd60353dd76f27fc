"""Servers for the tests."""

import os
import sys
from pathlib import Path

import pytest

# gRPC would stop its threads at each fork, and now and then waits for itself there: the tests start
# processes while channels are closed.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"


@pytest.fixture(autouse=True)
def defaults():
    """What a test says to `headwater.init` is not for the next one."""
    recorder = sys.modules.get("headwater.recorder")
    before = dict(recorder.defaults) if recorder else None
    yield
    recorder = sys.modules.get("headwater.recorder")
    if recorder:
        # As it is when it has just been imported.
        unset = {"store": None, "experiment": None, "artifacts": None, "describe": True}
        recorder.defaults.update(before or unset)


@pytest.fixture
def server(tmp_path):
    """The address of a server on a store of its own."""
    from server import BINARY, Server

    if not Path(BINARY).exists():
        assert not os.environ.get("HEADWATER_TEST_REQUIRED"), f"{BINARY} is not built"
        pytest.skip(f"{BINARY} is not built")
    server = Server(tmp_path / "server.db")
    yield f"{server.host}:{server.port}"
    server.stop()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own, so that the settings of who runs the tests do not count."""
    made = tmp_path / "home"
    made.mkdir()
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return made


@pytest.fixture
def unreadable(monkeypatch):
    """Makes a file unreadable, for root as well."""

    def make(path):
        path.chmod(0)
        opened = os.open

        def refuse(name, *arguments, **options):
            if os.path.realpath(os.fsdecode(name)) == os.path.realpath(path):
                raise PermissionError(13, "Permission denied")
            return opened(name, *arguments, **options)

        monkeypatch.setattr(os, "open", refuse)

    return make


@pytest.fixture
def vanishing(monkeypatch):
    """Makes a file vanish between being listed and being read."""

    def make(path):
        opened = os.open

        def vanish(name, *arguments, **options):
            if os.path.realpath(os.fsdecode(name)) == os.path.realpath(path):
                path.unlink()
            return opened(name, *arguments, **options)

        monkeypatch.setattr(os, "open", vanish)

    return make
