"""Far from the database: what a call costs is how often it goes there and back."""

import statistics
import time

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

from answers import StubCaller, WheelCaller
from proxy import Proxy

ROUND_TRIP_MS = 20
# Beside our calls runs the probe of the server, once a second: the median does not see it.
CALLS = 15
CALLS_OF_WHEEL = 2
ARTIFACTS_PER_STEP = 10
PUT_ROUND_TRIPS_MAX = 3
GET_ROUND_TRIPS_MAX = 2


class Step:
    """Requests for steps of one shape, each with names of its own, after the types were made."""

    def __init__(self, caller):
        self.caller = caller
        self.number = 0
        properties = {"number": pb.INT, "share": pb.DOUBLE, "text": pb.STRING}
        ids = []
        for kind, message in (
            ("Artifact", pb.ArtifactType),
            ("Execution", pb.ExecutionType),
            ("Context", pb.ContextType),
        ):
            request = getattr(service, f"Put{kind}TypeRequest")()
            field = getattr(request, f"{kind.lower()}_type")
            field.CopyFrom(message(name=f"{kind} of a step", properties=properties))
            ids.append(ask(caller, f"Put{kind}Type", request).type_id)
        self.artifact_type, self.execution_type, self.context_type = ids

    def fill(self, node):
        node.properties["number"].int_value = self.number
        node.properties["share"].double_value = 0.25
        node.properties["text"].string_value = f"step {self.number}"
        node.custom_properties["note"].string_value = "of its own"

    def put(self):
        """A step that writes ten artifacts into two contexts that are there, and reuses them."""
        self.number += 1
        request = service.PutExecutionRequest()
        request.options.reuse_context_if_already_exist = True
        request.execution.type_id = self.execution_type
        request.execution.name = f"step {self.number}"
        self.fill(request.execution)
        for index in range(ARTIFACTS_PER_STEP):
            pair = request.artifact_event_pairs.add()
            pair.artifact.type_id = self.artifact_type
            pair.artifact.name = f"artifact {self.number}/{index}"
            self.fill(pair.artifact)
            pair.event.type = pb.Event.OUTPUT
            pair.event.path.steps.add().key = "models"
            pair.event.path.steps.add().index = index
        for name in ("pipeline", "run"):
            request.contexts.add(type_id=self.context_type, name=name)
        answer = ask(self.caller, "PutExecution", request)
        assert len(answer.artifact_ids) == ARTIFACTS_PER_STEP
        return list(answer.artifact_ids)

    def get(self, ids):
        request = service.GetArtifactsByIDRequest(artifact_ids=ids)
        answer = ask(self.caller, "GetArtifactsByID", request)
        assert sorted(found.id for found in answer.artifacts) == sorted(ids)
        assert all(len(found.properties) == 3 for found in answer.artifacts)


def ask(caller, method, request):
    answer = caller.call(method, request)
    assert answer.code == "OK", answer
    return answer.response


def cost(proxy, call, times):
    """Round trips and seconds of a call, each the median of several."""
    round_trips, seconds = [], []
    for _ in range(times):
        proxy.reset()
        began = time.monotonic()
        call()
        seconds.append(time.monotonic() - began)
        round_trips.append(proxy.round_trips())
    return statistics.median_low(round_trips), statistics.median_low(seconds)


def costs(proxy, caller, near, times):
    """What a step and reads of 1 and of 100 artifacts cost once all is warm. What is there before
    is written by the caller `near`."""
    step = Step(near)
    ids = [artifact_id for _ in range(10) for artifact_id in step.put()]
    assert len(ids) == 100
    step.caller = caller
    for _ in range(times):
        step.put()
        step.get(ids)
        step.get(ids[:1])
    return {
        "PutExecution of 10 artifacts": cost(proxy, step.put, times),
        "GetArtifactsByID of 1": cost(proxy, lambda: step.get(ids[:1]), times),
        "GetArtifactsByID of 100": cost(proxy, lambda: step.get(ids), times),
    }


@pytest.fixture
def distant():
    """Makes proxies before the server of a database, far away."""
    made = []

    def make(database):
        made.append(Proxy(database.host, database.port, round_trip_ms=ROUND_TRIP_MS))
        return made[-1]

    yield make
    for proxy in made:
        proxy.__exit__()


@pytest.fixture
def costs_of_wheel(new_database, distant):
    """What the released library needs on a database of its own through a proxy of its own."""

    def measure():
        database = new_database()
        proxy = distant(database)
        near, far = (
            WheelCaller(metadata_store.MetadataStore(database.wheel_config(port)))
            for port in (database.port, proxy.port)
        )
        return costs(proxy, far, near, CALLS_OF_WHEEL)

    return measure


def test_calls_go_to_the_database_and_back_a_few_times_whatever_their_size(
    serve, database, distant, costs_of_wheel
):
    proxy = distant(database)
    server = serve(database.url(hosts=f"{proxy.host}:{proxy.port}"))
    caller = StubCaller(server.stub)
    ours = costs(proxy, caller, caller, CALLS)
    theirs = costs_of_wheel()
    for name, (round_trips, seconds) in ours.items():
        other_round_trips, other_seconds = theirs[name]
        print(
            f"{database.scheme}, {ROUND_TRIP_MS} ms away: {name}: {round_trips} round trips in"
            f" {seconds * 1000:.0f} ms; ml-metadata {other_round_trips} in"
            f" {other_seconds * 1000:.0f} ms; ratio {other_seconds / seconds:.1f}"
        )
    for name, (round_trips, seconds) in ours.items():
        is_put = name.startswith("Put")
        assert 1 <= round_trips <= (PUT_ROUND_TRIPS_MAX if is_put else GET_ROUND_TRIPS_MAX), name
        assert seconds >= round_trips * ROUND_TRIP_MS / 1000, "it went past the proxy"
