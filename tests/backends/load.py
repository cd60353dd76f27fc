"""Clients that write steps and read them back, all at once, and what they saw."""

import threading
import time
from dataclasses import dataclass, field

import grpc
from ml_metadata.proto import metadata_store_service_pb2 as service
from ml_metadata.proto import metadata_store_service_pb2_grpc

from recording_client import ARTIFACTS_PER_STEP, step
from test_concurrency import HALF_WRITTEN, SHARED_ARTIFACT, prepare

CALL_SECONDS_MAX = 60
PAUSE_AFTER_FAILURE_SECONDS = 0.02
RETRIED = {"UNAVAILABLE", "ABORTED"}
TRIES_MAX = 1000
# Without retries of the transport, and each channel with a connection of its own.
OPTIONS = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]


def new_channel(server):
    return grpc.insecure_channel(server.address, options=OPTIONS)


@dataclass(frozen=True)
class Failure:
    """A call that failed: when it was made and answered, and with what."""

    began: float
    ended: float
    code: str
    words: str


@dataclass
class Load:
    """Writers and readers as threads, each with a connection of its own to one of the servers.

    With `retries`, a writer sends a step again that was answered with UNAVAILABLE or ABORTED, and
    takes ALREADY_EXISTS for it as done: clients of MLMD are written so. A second load on one store
    has other `names`, and the `ids` of the first.
    """

    servers: list
    writers: int
    readers: int = 0
    retries: bool = False
    names: str = "client"
    ids: list = None
    acknowledged: dict = field(default_factory=dict)
    written_at: list = field(default_factory=list)
    reads: int = 0
    failed_writes: list = field(default_factory=list)
    failed_reads: list = field(default_factory=list)

    def __enter__(self):
        self.ids = self.ids or prepare(self.servers[0])
        self.is_over = threading.Event()
        self.crashes = []
        work = [(self.write, number) for number in range(self.writers)]
        work += [(self.read, number) for number in range(self.readers)]
        self.threads = [threading.Thread(target=self.run, args=each, daemon=True) for each in work]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join(2 * CALL_SECONDS_MAX)
        assert not any(thread.is_alive() for thread in self.threads), "a client does not end"
        assert self.crashes == []

    def run(self, work, number):
        try:
            with new_channel(self.servers[number % len(self.servers)]) as channel:
                # Hundreds that connect at once from one process keep each other waiting.
                grpc.channel_ready_future(channel).result(CALL_SECONDS_MAX)
                work(number, metadata_store_service_pb2_grpc.MetadataStoreServiceStub(channel))
        except Exception as error:  # which a thread would keep to itself
            self.crashes.append(error)

    def call(self, method, request):
        """The answer, or nothing and the failure."""
        began = time.monotonic()
        try:
            return method(request, timeout=CALL_SECONDS_MAX), None
        except grpc.RpcError as error:
            failure = Failure(began, time.monotonic(), error.code().name, error.details())
            time.sleep(PAUSE_AFTER_FAILURE_SECONDS)
            return None, failure

    def write(self, writer, stub):
        number = 0
        while not self.is_over.is_set():
            name = f"{self.names}-{writer}-step-{number}"
            self.write_step(stub, name, number)
            number += 1

    def write_step(self, stub, name, number):
        request = step(name, number, *self.ids)
        for tries in range(TRIES_MAX if self.retries else 1):
            answer, failure = self.call(stub.PutExecution, request)
            if answer is not None:
                self.note(name, answer.execution_id, answer.artifact_ids, answer.context_ids)
            elif failure.code == "ALREADY_EXISTS" and tries:
                self.note(name, None, [], [])
            else:
                self.failed_writes.append(failure)
                if failure.code in RETRIED:
                    continue
            return

    def note(self, name, execution_id, artifact_ids, context_ids):
        self.acknowledged[name] = execution_id, list(artifact_ids), list(context_ids)
        self.written_at.append(time.monotonic())

    def read(self, _, stub):
        """Reads the artifact that all steps share."""
        request = service.GetArtifactsByIDRequest(artifact_ids=[self.ids[3]])
        while not self.is_over.is_set():
            answer, failure = self.call(stub.GetArtifactsByID, request)
            if failure is not None:
                self.failed_reads.append(failure)
                continue
            assert [found.name for found in answer.artifacts] == [SHARED_ARTIFACT]
            self.reads += 1

    def codes(self):
        """The codes of all failed calls."""
        return {failure.code for failure in self.failed_writes + self.failed_reads}


def stored_executions(database, load):
    """Looks for every acknowledged step in the database, and for halves of steps; gives the ids
    of all steps by name."""
    executions = dict(database.query("SELECT name, id FROM Execution"))
    artifacts = dict(database.query("SELECT name, id FROM Artifact"))
    contexts = {found for (found,) in database.query("SELECT id FROM Context")}
    for name, (execution_id, artifact_ids, context_ids) in load.acknowledged.items():
        assert name in executions, f"{name} was acknowledged and is lost"
        outputs = [artifacts.get(f"{name}/{index}") for index in range(ARTIFACTS_PER_STEP)]
        if execution_id is not None:
            assert executions[name] == execution_id, name
            assert [artifacts[SHARED_ARTIFACT], *outputs] == artifact_ids, name
            assert contexts.issuperset(context_ids), name
    for what, statement in HALF_WRITTEN.items():
        # What was made before the first steps may look like the half of one.
        found = database.query(statement.replace("?1", str(load.ids[3])) + " LIMIT 5")
        assert found == [], f"{what}: {found}"
    return executions


def check_the_api(server, executions):
    """The one context that all steps are in holds what the database does, and reads give it."""
    store = server.store()
    (pipeline,) = [found for found in store.get_contexts() if found.name == "pipeline"]
    found = {each.name: each.id for each in store.get_executions_by_context(pipeline.id)}
    assert found == executions
