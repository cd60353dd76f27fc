"""A client of headwater.v1 that knows the service by reflection, and two graphs to ask about.

The small graph is that of `filter_graph.py`; the large one is wide, two hops deep, and has more
bytes than a server sends to a client that does not read.
"""

import re
import time

from google.protobuf import descriptor_pool, message_factory
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

import filter_graph
from test_contract import REFLECTION, Reflection

OWN = "headwater.v1.Headwater"
OWN_FILE = "headwater/v1/headwater.proto"
OWN_METHODS = (
    "ListArtifacts",
    "ListExecutions",
    "ListContexts",
    "LogMetrics",
    "GetMetrics",
    "RegisterVersion",
    "PutContents",
    "GetContent",
    "ListContents",
    "BeginStep",
    "FinishStep",
    "ExplainStep",
    "ForgetSteps",
    "TraceLineage",
)
UNSPECIFIED, UPSTREAM, DOWNSTREAM = range(3)
HOPS_MAX = 100
OUTPUTS = (
    pb.Event.OUTPUT,
    pb.Event.DECLARED_OUTPUT,
    pb.Event.INTERNAL_OUTPUT,
    pb.Event.PENDING_OUTPUT,
)
STEPS = 15_000


def pool_of(reflection):
    """A pool of the service's file and all that it imports, as the server has them."""
    files, missing = reflection.files(by_symbol=OWN), [OWN_FILE]
    pool = descriptor_pool.DescriptorPool()
    added = set()
    while missing:
        name = missing.pop()
        if name not in files:
            files.update(reflection.files(by_name=name))
        needed = [other for other in files[name].dependency if other not in added]
        if needed:
            missing += [name, *needed]
        elif name not in added:
            pool.Add(files[name])
            added.add(name)
    return pool


class Own:
    """A client of the service."""

    def __init__(self, server):
        self.server = server
        self.pool = pool_of(Reflection(server.channel, REFLECTION[0]))
        self.methods = {m.name: m for m in self.pool.FindServiceByName(OWN).methods}

    def message(self, name, **fields):
        found = self.pool.FindMessageTypeByName(f"headwater.v1.{name}")
        return message_factory.GetMessageClass(found)(**fields)

    def method(self, name, channel=None):
        channel = channel or self.server.channel
        is_stream = self.methods[name].server_streaming
        make = channel.unary_stream if is_stream else channel.unary_unary
        return make(
            f"/{OWN}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=lambda text: self.response(name).FromString(text),
        )

    def response(self, name):
        return message_factory.GetMessageClass(self.methods[name].output_type)

    def list(self, title, timeout=30, **fields):
        """A page of `Artifact`s, `Execution`s or `Context`s, and the next page's token."""
        name = f"List{title}s"
        answer = self.method(name)(self.message(f"{name}Request", **fields), timeout=timeout)
        nodes = getattr(answer, f"{title.lower()}s")
        return nodes, answer.next_page_token if answer.HasField("next_page_token") else None

    def ids(self, title, **fields):
        return [node.id for node in self.list(title, page_size=1000, **fields)[0]]

    def pages(self, title, **fields):
        """Page after page, up to the last one."""
        token = ""
        while token is not None:
            nodes, token = self.list(title, page_token=token, **fields)
            assert token != ""
            yield nodes

    def trace(self, timeout=30, channel=None, metadata=(), **fields):
        """A stream that has begun; it is read by iterating over it."""
        request = self.message("TraceLineageRequest", **fields)
        call = self.method("TraceLineage", channel)
        return call(request, timeout=timeout, metadata=metadata)


def name_of(node):
    return node.WhichOneof("node").title(), getattr(node, node.WhichOneof("node")).id


def told(messages):
    """Hops by node, in the order of the stream, and the events as bytes."""
    hops = {name_of(node): node.hops for message in messages for node in message.nodes}
    assert len(hops) == sum(len(message.nodes) for message in messages)
    return hops, sorted(event.SerializeToString() for m in messages for event in m.events)


def wait_until(holds, seconds=10):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def in_flight(server):
    return int(re.search(r"^headwater_rpc_in_flight (\d+)$", server.get("/metrics")[1], re.M)[1])


class Graph:
    """The small graph, and all that is in it as the released client reads it."""

    def __init__(self, server):
        store = server.store()
        filter_graph.build(store)
        filter_graph.set_times(server.place)
        self.server = server
        self.nodes = {
            "Artifact": store.get_artifacts(),
            "Execution": store.get_executions(),
            "Context": store.get_contexts(),
        }
        self.events = store.get_events_by_artifact_ids([a.id for a in self.nodes["Artifact"]])
        self.members = {}
        for context in self.nodes["Context"]:
            for artifact in store.get_artifacts_by_context(context.id):
                self.members.setdefault(artifact.id, set()).add(context.name)

    def search(self, starts, direction, hops_max=HOPS_MAX, stops=()):
        """Hops to each node, and the events on the way with the nodes that they led to."""
        hops, along, frontier = dict.fromkeys(starts, 0), set(), set(starts)
        for distance in range(1, hops_max + 1):
            leaving, frontier = frontier.difference(stops), set()
            for index, event in enumerate(self.events):
                ends = [("Artifact", event.artifact_id), ("Execution", event.execution_id)]
                source, target = reversed(ends) if event.type in OUTPUTS else ends
                ways = {DOWNSTREAM: (source, target), UPSTREAM: (target, source)}
                for way, (near, far) in ways.items():
                    if near in leaving and direction in (UNSPECIFIED, way):
                        along.add((index, far))
                        if hops.setdefault(far, distance) == distance:
                            frontier.add(far)
        return hops, along

    def reached(self, direction, is_start, start_title="Artifact", hops_max=HOPS_MAX):
        """Ids of the artifacts at which a search comes along."""
        starts = [(start_title, node.id) for node in self.nodes[start_title] if is_start(node)]
        _, along = self.search(starts, direction, hops_max)
        return {number for _, (title, number) in along if title == "Artifact"}


def build_large(stub):
    """A hot dataset, what 15,000 steps made of it, and more bytes than are sent unread."""
    put_type = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="Data"))
    artifact_type = stub.PutArtifactType(put_type).type_id
    put_type = service.PutExecutionTypeRequest(execution_type=pb.ExecutionType(name="Step"))
    execution_type = stub.PutExecutionType(put_type).type_id
    hot = pb.Artifact(type_id=artifact_type, name="hot")
    (hot_id,) = stub.PutArtifacts(service.PutArtifactsRequest(artifacts=[hot])).artifact_ids
    for _ in range(3):
        request = service.PutLineageSubgraphRequest()
        for n in range(STEPS // 3):
            request.executions.add(type_id=execution_type)
            request.artifacts.add(type_id=artifact_type, uri="s3://bucket/" + "x" * 1500)
            event = pb.Event(type=pb.Event.INPUT, artifact_id=hot_id)
            request.event_edges.add(execution_index=n, event=event)
            event = pb.Event(type=pb.Event.OUTPUT)
            request.event_edges.add(execution_index=n, artifact_index=n, event=event)
        stub.PutLineageSubgraph(request)
