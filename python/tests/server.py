"""Runs `headwater serve` for a test."""

import os
import pathlib
import re
import subprocess

from ml_metadata.proto import metadata_store_pb2 as pb

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HEADWATER_BIN", str(REPOSITORY / "target/release/headwater"))
READY = re.compile(r"headwater ready on (?P<host>[^ ]+):(?P<port>\d+),")


class Server:
    """One running server, on a free port of the loopback interface."""

    def __init__(self, path, port=0):
        command = [BINARY, "serve", "--store", f"sqlite:{path}", "--listen", f"127.0.0.1:{port}"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        line = self._process.stdout.readline()
        ready = READY.match(line)
        assert ready, f"{' '.join(command)} said `{line}`"
        self.host, self.port = ready["host"], int(ready["port"])

    def config(self, **fields):
        """How a client reaches it."""
        return pb.MetadataStoreClientConfig(host=self.host, port=self.port, **fields)

    def stop(self):
        self._process.terminate()
        self._process.wait(timeout=30)
        self._process.stdout.close()
