"""Servers for the tests."""

import os
from pathlib import Path

import pytest

# gRPC would stop its threads at each fork, and now and then waits for itself there: the tests start
# processes while channels are closed.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"


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
