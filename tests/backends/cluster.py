"""The clusters of `scripts/cluster.sh` for tests: on ports of their own, stopped in any case."""

import contextlib
import os
import pathlib
import subprocess

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts/cluster.sh"
# Not those that the script has by itself: somebody may have a cluster there.
PORTS = {"galera": 24301, "postgres": 24401}
HOST = "127.0.0.1"


class Cluster:
    """A running cluster; `hosts` are its servers in order, as in a store URL."""

    def __init__(self, engine):
        self.engine = engine
        first, count = PORTS[engine], {"galera": 3, "postgres": 2}[engine]
        self.hosts = [f"{HOST}:{port}" for port in range(first, first + count)]

    def run(self, *command):
        """Runs a command of the script; says what it said if it fails."""
        port = f"{self.engine.upper()}_PORT"
        ended = subprocess.run(
            [SCRIPT, self.engine, *map(str, command)],
            env=os.environ | {port: str(PORTS[self.engine])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert ended.returncode == 0, f"{ended.args}\n{ended.stdout}"

    def address(self, number=0):
        """The URL of one of the servers, for a user who may do everything."""
        user = {"galera": "mysql://root", "postgres": "postgres://postgres"}[self.engine]
        return f"{user}@{self.hosts[number]}"


@contextlib.contextmanager
def running(engine):
    cluster = Cluster(engine)
    cluster.run("stop")  # what an earlier run that was killed left behind
    cluster.run("start")
    try:
        yield cluster
    finally:
        cluster.run("stop")
