"""Runs the `headwater` binary as its users do: start, wait for the ready line, stop."""

import os
import pathlib
import re
import select
import signal
import subprocess
import time
import urllib.error
import urllib.request

import grpc
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2_grpc

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HEADWATER_BIN", str(REPOSITORY / "target/release/headwater"))
READY = re.compile(r"^headwater ready on (?P<host>[^ ]+):(?P<port>\d+), storing in (?P<store>.+)$")
MESSAGE_BYTES_MAX = 128 * 1024 * 1024
START_SECONDS_MAX = 20


class DidNotStart(Exception):
    """The server ended, or stayed silent, before it printed its ready line."""


class Server:
    """One running server on a store, on a free port of the loopback interface."""

    def __init__(self, store, log, *flags, listen="127.0.0.1:0"):
        self.store_address = store
        self.log = pathlib.Path(log)
        command = [BINARY, "serve", "--store", store, "--listen", listen, *flags]
        with self.log.open("ab") as stderr:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)
        ready = READY.match(self._first_line())
        if ready is None:
            self.kill()
            raise DidNotStart(f"{' '.join(command)}\n{self.words()}")
        self.ready_line = ready.group(0)
        self.host, self.port = ready["host"], int(ready["port"])
        self.address = f"{self.host}:{self.port}"
        self._channel = None

    def _first_line(self):
        line, deadline = b"", time.monotonic() + START_SECONDS_MAX
        while not line.endswith(b"\n") and time.monotonic() < deadline:
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                byte = os.read(self.process.stdout.fileno(), 1)
                if not byte:
                    break
                line += byte
        return line.decode().rstrip("\n")

    @property
    def channel(self):
        if self._channel is None:
            self._channel = self.new_channel()
        return self._channel

    def new_channel(self):
        return grpc.insecure_channel(
            self.address,
            options=[
                ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
                ("grpc.max_send_message_length", -1),
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )

    @property
    def stub(self):
        return metadata_store_service_pb2_grpc.MetadataStoreServiceStub(self.channel)

    def store(self, **fields):
        """The released Python client, connected to this server."""
        config = metadata_store_pb2.MetadataStoreClientConfig(
            host=self.host, port=self.port, **fields
        )
        return metadata_store.MetadataStore(config)

    def get(self, path):
        """Status and text of an HTTP/1 request to the same port."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def words(self):
        """All that the server has said on stderr so far."""
        return self.log.read_text(errors="replace")

    def is_running(self):
        return self.process.poll() is None

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """Ends the server politely and gives its exit code."""
        self._close_channel()
        if self.is_running():
            self.terminate()
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self.process.stdout.close()

    def kill(self):
        """Ends the server as a power cut would: nothing of it runs any more."""
        self.process.kill()
        self.process.wait(timeout=30)

    def _close_channel(self):
        if self._channel is not None:
            self._channel.close()
            self._channel = None


def run(*arguments, stdin=None, timeout=60):
    """Runs a `headwater` command to its end; gives exit code, stdout and stderr."""
    return subprocess.run(
        [BINARY, *arguments], input=stdin, capture_output=True, text=True, timeout=timeout
    )
