"""The service headwater.v1: lists by any filter in any order, and lineage as a stream.

Its messages are made of what the server reflects, as a client without our `.proto` files does.
"""

import collections
import contextlib
import itertools
import json
import pathlib
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import grpc
import grpc_tools
import pytest
from google.protobuf import descriptor_pb2, json_format
from grpc_tools import protoc
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

from conftest import serving
from headwater_process import REPOSITORY, Server, run
from own_service import (
    DOWNSTREAM,
    HOPS_MAX,
    OWN,
    OWN_FILE,
    OWN_METHODS,
    STEPS,
    UNSPECIFIED,
    UPSTREAM,
    Graph,
    Own,
    build_large,
    in_flight,
    name_of,
    told,
    wait_until,
)
from stores import BACKENDS
from test_contract import REFLECTION, Reflection, file_lines, without_json_names
from test_server import GARBAGE, SERVICE, SERVING, UNDECODABLE, counters, request_ids

pytestmark = pytest.mark.backends(*BACKENDS)
CODE = grpc.StatusCode
# The most that a gRPC client takes in one message unless it is told otherwise.
CLIENT_MESSAGE_BYTES_MAX = 4 * 1024 * 1024
STALL_SECONDS = 30


def refusal(call):
    """The error of a call, or of a stream that is read to its end."""
    with pytest.raises(grpc.RpcError) as refused:
        list(call())
    return refused.value


@pytest.fixture(scope="module")
def graph(shared_server):
    return Graph(shared_server)


@pytest.fixture(scope="module")
def own(graph):
    return Own(graph.server)


@pytest.fixture(scope="module")
def large(backend, tmp_path_factory):
    with serving(backend, tmp_path_factory.mktemp("large")) as server:
        build_large(server.stub)
        yield Own(server)


FROM_HOT = {"start_artifacts": ["name = 'hot'"], "direction": DOWNSTREAM}


@pytest.fixture(scope="module", autouse=True)
def left_unread(large, tmp_path_factory):
    """A server with two streams that nobody reads; the last test looks what became of them."""
    log = tmp_path_factory.mktemp("unread") / "server.log"
    server = Server(large.server.store_address, log)
    unread = Own(server)
    streams = [unread.trace(timeout=None, **FROM_HOT) for _ in range(2)]
    yield unread, streams, time.monotonic()
    server.stop()
    assert "panicked" not in server.words()


# What the server says of itself.


@pytest.mark.parametrize("package", REFLECTION)
def test_reflection_shows_the_service_as_its_file_declares_it(package, shared_server, tmp_path):
    reflection = Reflection(shared_server.channel, package)
    assert OWN in reflection.services()
    out = tmp_path / "descriptors.bin"
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    paths = [f"--proto_path={path}" for path in (REPOSITORY / "proto", well_known)]
    assert protoc.main(["protoc", *paths, f"--descriptor_set_out={out}", OWN_FILE]) == 0
    (declared,) = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    for files in (reflection.files(by_symbol=OWN), reflection.files(by_name=OWN_FILE)):
        shown = without_json_names(file_lines(files[OWN_FILE]))
        assert shown == without_json_names(file_lines(declared))
    assert any(line.endswith("streams False True") for line in shown)


def test_the_health_service_knows_the_service(shared_server):
    check = shared_server.channel.unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"\x0a" + bytes([len(OWN)]) + OWN.encode(), timeout=10) == SERVING


@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream"])
@pytest.mark.parametrize(
    ("of", "method"),
    [(SERVICE, name) for name in OWN_METHODS]
    + [(OWN, name) for name in ("GetArtifacts", "PutArtifacts", "GetLineageSubgraph", "Nothing")],
)
def test_each_service_knows_its_own_methods_only(of, method, kind, shared_server):
    call = getattr(shared_server.channel, kind)(f"/{of}/{method}")
    error = refusal(lambda: call(b"", timeout=10))
    assert error.code() is CODE.UNIMPLEMENTED
    assert method in error.details()


# Lists.


def number(node, name, of="properties"):
    """The number in a property; NaN, which no comparison holds for, if there is none."""
    value = getattr(node, of).get(name, pb.Value())
    field = value.WhichOneof("value")
    return getattr(value, field) if field in ("int_value", "double_value") else float("nan")


def text(node, name, of="properties"):
    value = getattr(node, of).get(name, pb.Value())
    return value.string_value if value.WhichOneof("value") == "string_value" else None


def truth(node, name, of="properties"):
    value = getattr(node, of).get(name, pb.Value())
    return value.bool_value if value.WhichOneof("value") == "bool_value" else None


def among(direction, **search):
    return lambda node, graph: node.id in graph.reached(direction, **search)


def is_alpha(node):
    return node.name == "alpha"


# Conditions of the own language, and the same in Python.
FILTERS = {
    ("Artifact", ""): lambda n, _: True,
    ("Artifact", "properties.n > 1.25"): lambda n, _: number(n, "n") > 1.25,
    ("Artifact", "properties.n IN (1, 1.5, -1)"): lambda n, _: number(n, "n") in (1, 1.5, -1),
    ("Artifact", "properties.s = 'ALPHA'"): lambda n, _: text(n, "s") == "ALPHA",
    ("Artifact", "custom_properties.c = 'text'"): (
        lambda n, _: text(n, "c", "custom_properties") == "text"
    ),
    ("Artifact", "custom_properties.c < 6"): (lambda n, _: number(n, "c", "custom_properties") < 6),
    ("Artifact", "properties.n IS NULL"): lambda n, _: "n" not in n.properties,
    ("Artifact", "custom_properties.c IS NOT NULL"): lambda n, _: "c" in n.custom_properties,
    ("Artifact", "properties.`two words` = 27 OR name = 'bare'"): (
        lambda n, _: number(n, "two words") == 27 or n.name == "bare"
    ),
    ("Artifact", "NOT properties.n = 1"): (lambda n, _: number(n, "n") < 1 or number(n, "n") > 1),
    ("Artifact", "COALESCE(properties.n.int_value, 0) = 0"): (
        lambda n, _: number(n, "n") == 0 or isinstance(number(n, "n"), float)
    ),
    ("Artifact", "contexts_c.name IS NULL"): lambda n, graph: n.id not in graph.members,
    ("Artifact", "contexts_c.name = 'Pipe0' OR properties.n = 42"): (
        lambda n, graph: "Pipe0" in graph.members.get(n.id, ()) or number(n, "n") == 42
    ),
    ("Artifact", "upstream(name = 'alpha')"): among(DOWNSTREAM, is_start=is_alpha),
    ("Artifact", "upstream(name = 'alpha', hops <= 2)"): (
        among(DOWNSTREAM, is_start=is_alpha, hops_max=2)
    ),
    ("Artifact", "downstream(properties.n > 9e15)"): (
        among(UPSTREAM, is_start=lambda n: number(n, "n") > 9e15)
    ),
    ("Artifact", "downstream_execution(last_known_state = COMPLETE)"): among(
        UPSTREAM, is_start=lambda n: n.last_known_state == 3, start_title="Execution"
    ),
    ("Artifact", "NOT upstream(TRUE) AND properties.n IS NOT NULL"): (
        lambda n, graph: (
            n.id not in graph.reached(DOWNSTREAM, lambda _: True) and "n" in n.properties
        )
    ),
    ("Execution", "last_known_state = FAILED OR properties.s = 'alpha'"): (
        lambda n, _: n.last_known_state == pb.Execution.FAILED or text(n, "s") == "alpha"
    ),
    ("Execution", "properties.s IS NULL AND custom_properties.n >= 1.5"): (
        lambda n, _: "s" not in n.properties and number(n, "n", "custom_properties") >= 1.5
    ),
    ("Context", "properties.d < 1.5"): lambda n, _: number(n, "d") < 1.5,
    ("Context", "artifacts_a.name = 'alpha' OR type = 'Pipeline'"): (
        lambda n, graph: n.type == "Pipeline" or n.name in graph.members[1]
    ),
}


@pytest.mark.parametrize("case", FILTERS, ids=" ".join)
def test_a_filter_finds_what_the_same_condition_does_by_hand(case, graph, own):
    title, written = case
    expected = [node.id for node in graph.nodes[title] if FILTERS[case](node, graph)]
    assert expected
    assert own.ids(title, filter=written) == expected
    paged = [node.id for page in own.pages(title, filter=written, page_size=3) for node in page]
    assert paged == expected


def or_none(value):
    return value if value == value and value not in ("", None) else None


# What lists are ordered by: the value of each key, and whether it descends.
ORDERS = {
    "": [(lambda n: n.id, False)],
    "id DESC": [(lambda n: n.id, True)],
    "name": [(lambda n: or_none(n.name), False)],
    "name DESC": [(lambda n: or_none(n.name), True)],
    "last_update_time_since_epoch DESC": [(lambda n: n.last_update_time_since_epoch, True)],
    "last_update_time_since_epoch, id DESC": [
        (lambda n: n.last_update_time_since_epoch, False),
        (lambda n: n.id, True),
    ],
    "type DESC, properties.n": [
        (lambda n: n.type, True),
        (lambda n: or_none(number(n, "n")), False),
    ],
    "properties.s DESC": [(lambda n: text(n, "s"), True)],
    "custom_properties.c DESC, name": [
        (lambda n: or_none(number(n, "c", "custom_properties")), True),
        (lambda n: or_none(text(n, "c", "custom_properties")), True),
        (lambda n: truth(n, "c", "custom_properties"), True),
        (lambda n: or_none(n.name), False),
    ],
    "properties.nothing, LENGTH(name) desc": [
        (lambda n: None, False),
        (lambda n: len(n.name) or None, True),
    ],
}


def ordered(nodes, keys):
    """The id decides last, the way of the first key; nodes without a value come after others."""
    nodes = sorted(nodes, key=lambda node: node.id, reverse=keys[0][1])
    for key, descends in reversed(keys):
        having = [node for node in nodes if key(node) is not None]
        having.sort(key=key, reverse=descends)
        nodes = having + [node for node in nodes if key(node) is None]
    return [node.id for node in nodes]


@pytest.mark.parametrize("title", ["Artifact", "Execution", "Context"])
@pytest.mark.parametrize("order_by", ORDERS)
def test_a_list_in_any_order_is_the_same_whole_or_in_pages(order_by, title, graph, own):
    nodes = [node for node in graph.nodes[title] if node.id % 5]
    expected = ordered(nodes, ORDERS[order_by])
    # A fifth of the artifacts have a struct where the others have a number or a string.
    fields = {"order_by": order_by, "filter": "MOD(id, 5) != 0"}
    assert own.ids(title, **fields) == expected
    for size in (1, 4, 7):
        pages = list(own.pages(title, page_size=size, **fields))
        assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
        assert [node.id for page in pages for node in page] == expected


@pytest.mark.parametrize("title", ["Artifact", "Execution", "Context"])
def test_a_list_has_whole_nodes(title, graph, own):
    nodes, token = own.list(title, page_size=100)
    assert token is None
    of_the_contract = [node.SerializeToString(deterministic=True) for node in graph.nodes[title]]
    assert [node.SerializeToString(deterministic=True) for node in nodes] == of_the_contract


def test_a_page_has_20_nodes_if_nothing_is_said(own):
    nodes, token = own.list("Artifact")
    assert [node.id for node in nodes] == list(range(1, 21))
    assert len(own.list("Artifact", page_token=token)[0]) == 10


WRONG_LISTS = {
    "an unknown attribute": (
        {"filter": "type = 'Data' AND naem = 'x'"},
        "no artifact has `naem`\n  type = 'Data' AND naem = 'x'\n                    ^^^^\nhint: ",
    ),
    "a second line": (
        {"filter": "id > 0 AND\n  uri = 'été' AND etat = 1"},
        "\n    uri = 'été' AND etat = 1\n                    ^^^^\nhint: ",
    ),
    "an early end": (
        {"filter": "upstream(id = 1"},
        "ends too early\n  upstream(id = 1\n                 ^\nhint: accepted: ",
    ),
    "no condition": ({"filter": "uri"}, "a string\n  uri\n  ^^^\n"),
    "an attribute of another kind": (
        {"filter": "upstream(last_known_state = 1)"},
        "\n  upstream(last_known_state = 1)\n           ^^^^^^^^^^^^^^^^\n",
    ),
    "an order that is none": (
        {"order_by": "name, nme DESC"},
        "the order is not valid: no artifact has `nme`\n  name, nme DESC\n        ^^^\n",
    ),
    "an order of many values": (
        {"order_by": "events_e.type"},
        "\n  events_e.type\n  ^^^^^^^^^^^^^\n",
    ),
    "an order that cannot be computed": (
        {"order_by": "ABS(-9223372036854775807 - id)"},
        "cannot be computed",
    ),
    "a negative size": ({"page_size": -1}, "page_size is -1"),
    "a token of nobody": ({"page_token": "x"}, "page token"),
}


@pytest.mark.parametrize(("fields", "words"), WRONG_LISTS.values(), ids=WRONG_LISTS)
def test_what_is_wrong_with_a_list_is_shown_where_it_is(fields, words, own):
    error = refusal(lambda: own.list("Artifact", **fields))
    assert error.code() is CODE.INVALID_ARGUMENT
    assert words in error.details()
    assert len(request_ids(error)) == 1


def test_a_token_is_for_its_own_order_only(own):
    tokens = {o: own.list("Artifact", order_by=o, page_size=2)[1] for o in ("", "name", "uri")}
    for (given_for, token), order_by in itertools.product(tokens.items(), tokens):
        if order_by != given_for:
            fields = {"order_by": order_by, "page_token": token}
            error = refusal(partial(own.list, "Artifact", **fields))
            assert error.code() is CODE.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "order_by",
    [
        "create_time_since_epoch",
        "create_time_since_epoch DESC",
        "id",
        "id DESC",
        "custom_properties.n DESC, name",
    ],
)
def test_a_walk_meets_once_whatever_was_there_before_it(order_by, backend, server):
    """Three writers add artifacts from before the walk begins until after it has ended."""
    walker = Own(server)
    put_type = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="Data"))
    type_id = server.stub.PutArtifactType(put_type).type_id
    serial, added, stop = itertools.count(), collections.Counter(), threading.Event()

    def put(many):
        request = service.PutArtifactsRequest()
        for n in itertools.islice(serial, many):
            node = request.artifacts.add(type_id=type_id, name=f"a{n}")
            node.custom_properties["n"].int_value = n * 7919 % 50
        return server.stub.PutArtifacts(request).artifact_ids

    def write(writer):
        while not stop.is_set() and added[writer] < 300:
            added[writer] += len(put(2))
            time.sleep(0.002)

    before = [number for _ in range(15) for number in put(20)]
    if backend == "postgres":
        # Until it has counted its rows, it finds each property among all that have its name.
        server.place.execute("ANALYZE")
    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write, writer) for writer in range(3)]
        met, so_far, moments = collections.Counter(), 0, 0
        for at, page in enumerate(walker.pages("Artifact", order_by=order_by, page_size=5)):
            met.update(node.id for node in page)
            if at % 10 == 0 and so_far < 900:
                wait_until(lambda seen=so_far: sum(added.values()) > seen)
                so_far, moments = sum(added.values()), moments + 1
        stop.set()
        for writer in writers:
            writer.result()
    assert moments > 1
    assert set(met.values()) == {1}
    assert not set(before).difference(met)


# Streams of lineage.


@pytest.mark.parametrize("hops_max", [0, 1, 2, 5, None])
@pytest.mark.parametrize("direction", [UNSPECIFIED, UPSTREAM, DOWNSTREAM])
def test_a_trace_is_what_a_search_by_hand_finds(direction, hops_max, graph, own):
    limit = {} if hops_max is None else {"hops_max": hops_max}
    starts = {"start_artifacts": ["name = 'alpha'", "id = 15"], "start_executions": ["id = 4"]}
    messages = list(own.trace(**starts, direction=direction, **limit))
    hops, events = told(messages)
    by_hand = [("Artifact", n.id) for n in graph.nodes["Artifact"] if n.name == "alpha"]
    by_hand += [("Artifact", 15), ("Execution", 4)]
    expected, along = graph.search(by_hand, direction, limit.get("hops_max", HOPS_MAX))
    assert hops == expected
    assert list(hops) == sorted(hops, key=lambda node: (hops[node], *node))
    indexes = {index for index, _ in along}
    assert events == sorted(graph.events[index].SerializeToString() for index in indexes)

    types = {(title, node.id): node.type for title in graph.nodes for node in graph.nodes[title]}
    counted = collections.Counter((far, node[0], types[node]) for node, far in hops.items())
    first, *rest = messages
    assert not first.nodes
    assert not any(message.counts for message in rest)
    assert [
        (count.hops, "Artifact" if count.of_artifacts else "Execution", count.type, count.nodes)
        for count in first.counts
    ] == [(*key, counted[key]) for key in sorted(counted)]


def test_a_trace_has_whole_nodes(graph, own):
    by_name = {(title, node.id): node for title in graph.nodes for node in graph.nodes[title]}
    for message in own.trace(start_artifacts=["TRUE"]):
        for traced in message.nodes:
            node = getattr(traced, traced.WhichOneof("node"))
            expected = by_name[name_of(traced)].SerializeToString(deterministic=True)
            assert node.SerializeToString(deterministic=True) == expected


@pytest.mark.parametrize("nodes_max", [1, 3, 5, 100])
def test_the_parts_of_a_trace_are_the_whole(nodes_max, own):
    fields = {"start_artifacts": ["id = 1"], "keep_executions": "MOD(id, 2) = 0"}
    hops, events = told(list(own.trace(**fields)))
    parts, token = [], ""
    while token is not None:
        messages = list(own.trace(**fields, nodes_max=nodes_max, page_token=token))
        assert sum(len(message.nodes) for message in messages) <= nodes_max
        assert not any(message.HasField("next_page_token") for message in messages[:-1])
        is_last = not messages[-1].HasField("next_page_token")
        token = None if is_last else messages[-1].next_page_token
        parts += messages
    assert told(parts) == (hops, events)
    assert list(told(parts)[0]) == list(hops)


def test_counts_alone_are_one_message(own):
    (only,) = own.trace(start_artifacts=["id = 1"], counts_only=True)
    assert only.counts
    assert only == next(iter(own.trace(start_artifacts=["id = 1"])))


def test_a_trace_stops_and_leaves_out_as_it_is_told(graph, own):
    fields = {"start_artifacts": ["id = 1"], "stop_executions": "id IN (6, 9)"}
    stops = {("Execution", 6), ("Execution", 9)}
    expected, _ = graph.search([("Artifact", 1)], UNSPECIFIED, stops=stops)
    everything, _ = graph.search([("Artifact", 1)], UNSPECIFIED)
    assert len(expected) < len(everything)
    assert told(list(own.trace(**fields)))[0] == expected
    kept, _ = told(list(own.trace(**fields, keep_executions="type = 'Train'")))
    trains = {("Execution", n.id) for n in graph.nodes["Execution"] if n.type == "Train"}
    assert kept.items() == {
        (node, far) for node, far in expected.items() if node[0] == "Artifact" or node in trains
    }


WRONG_TRACES = {
    "no start": ({}, CODE.INVALID_ARGUMENT, "where the trace starts"),
    "a start that is not there": ({"start_artifacts": ["id = 999"]}, CODE.NOT_FOUND, "no node"),
    "a wrong start": (
        {"start_artifacts": ["id = 1", "id = 2 AND nam = 'x'"]},
        CODE.INVALID_ARGUMENT,
        "start_artifacts[1]: the filter is not valid: no artifact has `nam`\n"
        "  id = 2 AND nam = 'x'\n             ^^^\n",
    ),
    "a wrong stop": (
        {"start_artifacts": ["id = 1"], "stop_executions": "uri = 'x'"},
        CODE.INVALID_ARGUMENT,
        "stop_executions: the filter is not valid: no execution has `uri`\n  uri = 'x'\n  ^^^\n",
    ),
    "a wrong keep": (
        {"start_artifacts": ["id = 1"], "keep_artifacts": "name ="},
        CODE.INVALID_ARGUMENT,
        "keep_artifacts: the filter is not valid: it ends too early\n  name =\n        ^\n",
    ),
    "an unknown direction": (
        {"start_artifacts": ["id = 1"], "direction": 3},
        CODE.INVALID_ARGUMENT,
        "direction 3",
    ),
    "negative hops": (
        {"start_artifacts": ["id = 1"], "hops_max": -1},
        CODE.INVALID_ARGUMENT,
        "hops_max is -1",
    ),
    "negative nodes": (
        {"start_artifacts": ["id = 1"], "nodes_max": -1},
        CODE.INVALID_ARGUMENT,
        "nodes_max is -1",
    ),
    "a token of nobody": (
        {"start_artifacts": ["id = 1"], "page_token": "x"},
        CODE.INVALID_ARGUMENT,
        "page token",
    ),
}


def test_the_way_is_told_even_if_no_node_is_kept(own):
    _, way = told(list(own.trace(start_artifacts=["id = 1"])))
    none = {"keep_artifacts": "FALSE", "keep_executions": "FALSE"}
    assert told(list(own.trace(start_artifacts=["id = 1"], **none))) == ({}, way)


def test_a_place_in_a_list_is_none_in_a_trace(own):
    for order_by in ("id", "name", "properties.n"):
        token = own.list("Artifact", order_by=order_by, page_size=1)[1]
        error = refusal(partial(own.trace, start_artifacts=["id = 1"], page_token=token))
        assert error.code() is CODE.INVALID_ARGUMENT
        assert "page token" in error.details()


@pytest.mark.parametrize(("fields", "code", "words"), WRONG_TRACES.values(), ids=WRONG_TRACES)
def test_a_wrong_trace_is_refused_before_its_first_message(fields, code, words, own):
    stream = own.trace(**fields)
    with pytest.raises(grpc.RpcError) as refused:
        next(stream)
    assert refused.value.code() is code
    assert words in refused.value.details()
    assert len(request_ids(refused.value)) == 1


def test_a_stream_carries_the_id_of_its_request(own):
    request = own.message("TraceLineageRequest", start_artifacts=["id = 1"])
    stream = own.method("TraceLineage")(request, metadata=[("x-request-id", "mine-7")])
    assert list(stream)
    assert request_ids(stream) == ["mine-7"]


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_in_place_of_a_trace_is_refused(garbage, shared_server):
    call = shared_server.channel.unary_stream(f"/{OWN}/TraceLineage")
    assert refusal(lambda: call(garbage, timeout=10)).code() in UNDECODABLE


# Calls of the wrong kind.


def test_a_list_called_as_a_stream_is_a_stream_of_one(own):
    call = own.server.channel.unary_stream(f"/{OWN}/ListArtifacts")
    (only,) = call(b"", timeout=10)
    assert len(own.response("ListArtifacts").FromString(only).artifacts) == 20


def test_a_trace_called_as_one_answer_gives_one_or_fails(large):
    call = large.server.channel.unary_unary(f"/{OWN}/TraceLineage")
    counts = large.message("TraceLineageRequest", counts_only=True, **FROM_HOT)
    answer = large.response("TraceLineage").FromString(call(counts.SerializeToString(), timeout=10))
    assert answer.counts
    whole = large.message("TraceLineageRequest", **FROM_HOT)
    for _ in range(3):
        with pytest.raises(grpc.RpcError):
            call(whole.SerializeToString(), timeout=0.3)
    assert large.ids("Artifact", filter="name = 'hot'", timeout=5)


@pytest.mark.parametrize("method", ["ListArtifacts", "TraceLineage"])
def test_a_stream_of_requests_counts_as_its_first(method, own):
    call = own.server.channel.stream_stream(f"/{OWN}/{method}")
    fields = {"start_artifacts": ["id = 1"], "hops_max": 0} if method == "TraceLineage" else {}
    request = own.message(f"{method}Request", **fields).SerializeToString()
    one = list(call(iter([request]), timeout=10))
    assert list(call(iter([request, b"\xff"]), timeout=10)) == one
    assert refusal(lambda: call(iter([]), timeout=10)).code() in UNDECODABLE


# Long streams, and clients that treat them badly.


def test_a_long_stream_has_every_node_once_in_messages_that_clients_take(large):
    messages = list(large.trace(**FROM_HOT))
    hops, events = told(messages)
    assert len(hops) == len(events) + 1 == sum(count.nodes for count in messages[0].counts)
    assert len(hops) > 2 * STEPS
    assert max(message.ByteSize() for message in messages) < CLIENT_MESSAGE_BYTES_MAX
    assert len(messages) > 10
    sent = set()
    for message in messages:
        sent.update(map(name_of, message.nodes))
        ends = [("Artifact", event.artifact_id) for event in message.events]
        ends += [("Execution", event.execution_id) for event in message.events]
        assert sent.issuperset(ends)


def test_large_nodes_come_in_messages_that_clients_take(server):
    put_type = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="Large"))
    type_id = server.stub.PutArtifactType(put_type).type_id
    nodes = [pb.Artifact(type_id=type_id, uri="x" * 500_000)] * 40
    server.stub.PutArtifacts(service.PutArtifactsRequest(artifacts=nodes))
    # This client takes 4 MiB at a time.
    with grpc.insecure_channel(server.address) as channel:
        stream = Own(server).trace(channel=channel, start_artifacts=["TRUE"])
        assert sum(len(message.nodes) for message in stream) == 40


@pytest.mark.parametrize(("leave", "times"), [("cancel", 20), ("disconnect", 10)])
def test_a_client_that_leaves_early_gives_its_turn_back(leave, times, large, serve):
    server = serve(store=large.server.place.url)
    leaving = Own(server)
    for _ in range(times):
        channel = server.new_channel()
        stream = leaving.trace(channel=channel, timeout=30, **FROM_HOT)
        assert next(stream).counts
        if leave == "cancel":
            stream.cancel()
        channel.close()
    assert leaving.ids("Artifact", filter="name = 'hot'", timeout=5)
    wait_until(lambda: counters(server).get(("TraceLineage", "CANCELLED")) == times)
    assert in_flight(server) == 0
    assert counters(server)["TraceLineage", "OK"] == 0


def test_streams_that_nobody_reads_leave_room_for_lists_small_reads_and_writes(large):
    stub = large.server.stub
    with contextlib.ExitStack() as opened:
        for _ in range(2):
            stream = large.trace(timeout=60, **FROM_HOT)
            opened.callback(stream.cancel)
            assert next(stream).counts
        queued = large.trace(timeout=60, **FROM_HOT)
        opened.callback(queued.cancel)
        late = large.trace(timeout=None, metadata=[("grpc-timeout", "300m")], **FROM_HOT)
        assert refusal(lambda: late).code() is CODE.DEADLINE_EXCEEDED
        assert large.ids("Artifact", filter="name = 'hot'", timeout=5) == [1]
        one = service.GetArtifactsByIDRequest(artifact_ids=[1])
        for _ in range(50):
            (hot,) = stub.GetArtifactsByID(one, timeout=2).artifacts
        stub.PutArtifacts(service.PutArtifactsRequest(artifacts=[hot]), timeout=2)
        assert large.server.get("/readyz")[0] == 200
    assert large.ids("Artifact", filter="name = 'hot'", timeout=5) == [hot.id]
    wait_until(lambda: in_flight(large.server) == 0)


def test_a_stream_ends_with_its_deadline(large):
    stream = large.trace(timeout=2, **FROM_HOT)
    assert next(stream).counts
    time.sleep(2.1)
    assert refusal(lambda: stream).code() is CODE.DEADLINE_EXCEEDED
    assert large.ids("Artifact", filter="name = 'hot'", timeout=5) == [1]


def test_a_stream_that_is_read_slowly_is_whole(large):
    messages = []
    for message in large.trace(**FROM_HOT):
        messages.append(message)
        time.sleep(0.05)
    assert len(told(messages)[0]) == sum(count.nodes for count in messages[0].counts)


def test_many_clients_take_turns(large):
    def count(_):
        return len(told(list(large.trace(nodes_max=1000, timeout=30, **FROM_HOT)))[0])

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(count, range(16))) == {1000}


def test_a_stream_shows_one_state_while_others_write(large):
    stub = large.server.stub
    everything, _ = told(list(large.trace(**FROM_HOT)))
    last = max(number for title, number in everything if title == "Artifact")
    (node,) = stub.GetArtifactsByID(service.GetArtifactsByIDRequest(artifact_ids=[last])).artifacts
    stream = large.trace(**FROM_HOT)
    assert next(stream).counts

    changed = pb.Artifact()
    changed.CopyFrom(node)
    changed.uri = "changed"
    stub.PutArtifacts(service.PutArtifactsRequest(artifacts=[changed]), timeout=5)
    first = service.GetExecutionsByIDRequest(execution_ids=[1])
    more = service.PutExecutionRequest()
    more.execution.type_id = stub.GetExecutionsByID(first).executions[0].type_id
    more.artifact_event_pairs.add(event=pb.Event(artifact_id=1, type=pb.Event.INPUT))
    put = stub.PutExecution(more, timeout=5).execution_id

    seen = [traced for message in stream for traced in message.nodes]
    assert [name_of(traced) for traced in seen] == list(everything)
    assert seen[-1].artifact.uri == node.uri
    after, _ = told(list(large.trace(**FROM_HOT)))
    assert after.keys() == everything.keys() | {("Execution", put)}


def test_the_metrics_count_streams_by_how_they_end(large, serve):
    server = serve(store=large.server.place.url)
    counted = Own(server)
    assert {name for name, _ in counters(server)}.issuperset(OWN_METHODS)
    list(counted.trace(counts_only=True, **FROM_HOT))
    list(counted.trace(nodes_max=10, **FROM_HOT))
    stream = counted.trace(**FROM_HOT)
    next(stream)
    stream.cancel()
    refusal(lambda: counted.trace())
    refusal(lambda: counted.trace(start_artifacts=["id = -1"]))
    counted.list("Artifact")
    expected = {"OK": 2, "CANCELLED": 1, "INVALID_ARGUMENT": 1, "NOT_FOUND": 1}

    def of_streams():
        return {code: n for (name, code), n in counters(server).items() if name == "TraceLineage"}

    with contextlib.suppress(AssertionError):
        wait_until(lambda: of_streams() == expected)
    assert of_streams() == expected
    assert counters(server)["ListArtifacts", "OK"] == 1
    text = server.get("/metrics")[1]
    measured = r'^headwater_rpc_duration_seconds_count\{method="TraceLineage"\} (\d+)$'
    assert re.search(measured, text, re.M)[1] == "5"


@pytest.mark.alone
def test_sigterm_lets_a_stream_in_flight_finish(large, serve):
    server = serve(store=large.server.place.url)
    stream = Own(server).trace(**FROM_HOT)
    first = next(stream)
    server.terminate()
    time.sleep(0.3)
    hops, _ = told(list(stream))
    assert len(hops) == sum(count.nodes for count in first.counts)
    assert server.process.wait(timeout=10) == 0


# The command line.


@pytest.fixture(params=["--store", "--server"])
def call(request, graph):
    """`headwater call` on the small graph, in its store or through its server."""
    server = graph.server
    targets = {"--store": server.place.url, "--server": f"http://{server.address}"}

    def run_call(method, **fields):
        return run("call", method, json.dumps(fields), request.param, targets[request.param])

    return run_call


def parsed(ended, own, method):
    assert ended.returncode == 0, ended.stderr
    return json_format.Parse(ended.stdout, own.response(method)(), descriptor_pool=own.pool)


def test_call_prints_a_stream_as_one_message(call, own):
    ended = call("TraceLineage", startArtifacts=["id = 2"], direction="DOWNSTREAM")
    assert ended.stdout.count("\n{") == 0
    merged = own.response("TraceLineage")()
    for message in own.trace(start_artifacts=["id = 2"], direction=DOWNSTREAM):
        merged.MergeFrom(message)
    assert merged.counts
    assert merged.nodes
    assert merged.events
    assert parsed(ended, own, "TraceLineage") == merged
    part = call("TraceLineage", start_artifacts=["id = 1"], nodes_max=2)
    assert json.loads(part.stdout)["nextPageToken"]


@pytest.mark.parametrize("title", ["Artifact", "Execution", "Context"])
def test_call_prints_a_list(title, call, own):
    order_by = "properties.n DESC, name"
    printed = parsed(call(f"List{title}s", orderBy=order_by, pageSize=5), own, f"List{title}s")
    nodes, token = own.list(title, order_by=order_by, page_size=5)
    assert list(getattr(printed, f"{title.lower()}s")) == list(nodes)
    assert printed.next_page_token == token


def test_call_shows_what_is_wrong_and_exits_with_1(call):
    for method, fields in (
        ("TraceLineage", {"startArtifacts": ["nam = 'x'"]}),
        ("ListContexts", {"filter": "nam = 'x'"}),
    ):
        ended = call(method, **fields)
        assert ended.returncode == 1
        assert ended.stdout == ""
        assert "INVALID_ARGUMENT" in ended.stderr
        assert "\n  nam = 'x'\n  ^^^\nhint: " in ended.stderr


def test_call_lists_the_methods_of_the_service():
    listed = run("call", "--list")
    assert listed.stdout.split()[-len(OWN_METHODS) :] == list(OWN_METHODS)


def test_a_stream_that_nobody_reads_is_ended_and_gives_its_turn_back(left_unread):
    """They began with the first test of this file, so that this one seldom has to wait."""
    unread, streams, began = left_unread
    time.sleep(max(0, began + STALL_SECONDS - time.monotonic()))
    assert unread.ids("Artifact", filter="name = 'hot'", timeout=10) == [1]
    wait_until(lambda: in_flight(unread.server) == 0)
    assert counters(unread.server)["TraceLineage", "DEADLINE_EXCEEDED"] == 2
    for stream in streams:
        error = refusal(partial(iter, stream))
        assert error.code() is CODE.DEADLINE_EXCEEDED
        assert "not read on in time" in error.details()
