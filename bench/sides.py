"""The two sides: `ask` gives an answer, and the seconds from message to message that it took."""

import multiprocessing
import os
import pathlib
import select
import subprocess
import time

import grpc
from ml_metadata.proto import metadata_store_service_pb2 as service
from ml_metadata.proto import metadata_store_service_pb2_grpc as service_grpc

import graph

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("HEADWATER_BIN", str(REPOSITORY / "target/release/headwater"))
CALL_SECONDS_MAX = 60
OPEN_SECONDS_MAX = 600  # Headwater makes indexes of its own when it first opens a file
MESSAGE_BYTES_MAX = 128 * 1024 * 1024


class NoAnswer(Exception):
    """Why a side has no time: it refused the call, or did not finish in time."""


class Headwater:
    """A server on its own copy of the file."""

    name = "Headwater"

    def __init__(self, path, log):
        self.log = log.open("wb")
        command = [BINARY, "serve", "--store", f"sqlite:{path}", "--listen", "127.0.0.1:0"]
        began = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log)
        stdout = self.process.stdout
        in_time = select.select([stdout], [], [], OPEN_SECONDS_MAX)[0]
        ready = stdout.readline().decode() if in_time else ""
        if not ready.startswith("headwater ready on "):
            self.process.kill()
            raise SystemExit(f"{' '.join(command)} did not start; see {log}")
        self.open_seconds = time.monotonic() - began
        address = ready.split()[3].rstrip(",")
        self.channel = grpc.insecure_channel(
            address, options=[("grpc.max_receive_message_length", MESSAGE_BYTES_MAX)]
        )
        self.stub = service_grpc.MetadataStoreServiceStub(self.channel)

    def ask(self, question):
        call = getattr(self.stub, question.method)
        try:
            began = time.perf_counter()
            answer = call(question.ours, timeout=CALL_SECONDS_MAX)
            return answer, time.perf_counter() - began
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise NoAnswer(f"did not finish in {CALL_SECONDS_MAX} s") from None
            raise NoAnswer(f"{error.code().name}: {error.details()}") from None

    def close(self):
        self.channel.close()
        self.process.terminate()
        self.process.wait()
        self.log.close()


class Incumbent:
    """The wheel in a process of its own, as only a process can be ended amid a query."""

    name = "MLMD"

    def __init__(self, path):
        self.path = path
        self.process = None

    def ask(self, question):
        if self.process is None:
            self._start()
        self.pipe.send((question.method, question.theirs.SerializeToString()))
        if not self.pipe.poll(CALL_SECONDS_MAX):
            self.close()
            raise NoAnswer(f"did not finish in {CALL_SECONDS_MAX} s")
        try:
            failure, text, seconds = self.pipe.recv()
        except EOFError:
            self.close()
            raise NoAnswer("died") from None
        if failure:
            raise NoAnswer(failure)
        return answer_class(question.method).FromString(text), seconds

    def _start(self):
        # Not forked: gRPC's threads do not survive that.
        context = multiprocessing.get_context("spawn")
        self.pipe, other_end = context.Pipe()
        self.process = context.Process(target=answer_with_the_wheel, args=(self.path, other_end))
        self.process.start()
        other_end.close()  # or its end would not end the pipe
        self.pipe.recv()

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None


def answer_with_the_wheel(path, pipe):
    """The worker's whole life: one request after the other, timed where they are answered."""
    store = graph.wheel_store(path)
    pipe.send("ready")
    while True:
        method, text = pipe.recv()
        request = getattr(service, f"{method}Request").FromString(text)
        answer = answer_class(method)()
        failure = None
        began = time.perf_counter()
        try:
            store._call_method(method, request, answer)
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - began
        pipe.send((failure, answer.SerializeToString(), seconds))


def answer_class(method):
    return getattr(service, f"{method}Response")
