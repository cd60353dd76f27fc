"""The server around the store: health, metrics, limits, bad bytes, its end, `headwater call`."""

import contextlib
import hashlib
import http.client
import json
import os
import re
import socket
import sqlite3
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import json_format
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

from headwater_process import BINARY, run
from own_service import OWN_METHODS

SERVICE = "ml_metadata.MetadataStoreService"
METHODS = [m.name for m in service.DESCRIPTOR.services_by_name["MetadataStoreService"].methods]
EVERY_METHOD = [*METHODS, *OWN_METHODS]
SERVING = b"\x08\x01"
MEGABYTE = 1_000_000
TOO_LARGE = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OUT_OF_RANGE)
UNDECODABLE = (grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT)


def status_of(call, *arguments, **options):
    with pytest.raises(grpc.RpcError) as refused:
        call(*arguments, **options)
    return refused.value.code()


def is_alive(server):
    return (
        server.is_running()
        and server.stub.GetArtifactTypes(service.GetArtifactTypesRequest(), timeout=10)
        == service.GetArtifactTypesResponse()
    )


def raw(server, path):
    """A call that sends and receives bytes as they are."""
    return server.channel.unary_unary(path)


# Health and metrics.


@pytest.mark.parametrize("name", ["", SERVICE])
def test_the_health_service_answers_serving(name, shared_server):
    check = raw(shared_server, "/grpc.health.v1.Health/Check")
    request = b"\x0a" + bytes([len(name)]) + name.encode() if name else b""
    assert check(request, timeout=10) == SERVING


def test_the_health_service_does_not_know_other_services(shared_server):
    check = raw(shared_server, "/grpc.health.v1.Health/Check")
    assert status_of(check, b"\x0a\x03xyz", timeout=10) is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_the_probes_answer_over_http_on_the_same_port(path, shared_server):
    assert shared_server.get(path)[0] == 200


def test_an_unknown_path_is_not_found(shared_server):
    assert shared_server.get("/nothing/here")[0] == 404


def counters(server):
    pattern = r'^headwater_rpc_total\{(?=[^}]*method="(\w+)")(?=[^}]*code="(\w+)")[^}]*\} (\d+)$'
    found = re.findall(pattern, server.get("/metrics")[1], re.MULTILINE)
    return {(method, code): int(count) for method, code, count in found}


def test_the_metrics_name_every_method_before_the_first_call(server):
    status, text = server.get("/metrics")
    assert status == 200
    assert {method for method, _ in counters(server)} == set(EVERY_METHOD)
    for method in EVERY_METHOD:
        assert re.search(rf'^headwater_rpc_duration_seconds_count\{{[^}}]*"{method}"', text, re.M)
    assert re.search(r"^# TYPE headwater_rpc(_total)? counter$", text, re.M)
    assert "# TYPE headwater_rpc_duration_seconds histogram" in text


def test_the_metrics_say_in_which_of_the_two_formats_they_are(shared_server):
    connection = http.client.HTTPConnection(shared_server.host, shared_server.port, timeout=10)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    is_open_metrics = answer.read().endswith(b"# EOF\n")
    expected = "application/openmetrics-text" if is_open_metrics else "text/plain"
    assert answer.headers["content-type"].startswith(expected)
    connection.close()


def test_the_metrics_count_calls_by_method_and_code_and_measure_them(server):
    for name in ("One", "Two", ""):
        request = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name=name))
        with contextlib.suppress(grpc.RpcError):
            server.stub.PutArtifactType(request)
    counted = counters(server)
    assert counted["PutArtifactType", "OK"] == 2
    assert counted["PutArtifactType", "INVALID_ARGUMENT"] == 1
    assert counted.get(("GetArtifacts", "OK"), 0) == 0
    text = server.get("/metrics")[1]
    buckets = re.findall(
        r'^headwater_rpc_duration_seconds_bucket\{[^}]*"PutArtifactType"[^}]*\} (\d+)$', text, re.M
    )
    assert len(buckets) >= 5
    assert max(map(int, buckets)) == 3


# Large and broken messages.


def test_a_message_of_100_megabytes_goes_in_and_comes_out(server):
    store = server.store()
    type_id = store.put_artifact_type(pb.ArtifactType(name="Large"))
    artifact = pb.Artifact(type_id=type_id)
    payload = os.urandom(50 * MEGABYTE).hex()
    artifact.custom_properties["payload"].string_value = payload
    server.stub.PutArtifacts(service.PutArtifactsRequest(artifacts=[artifact]), timeout=120)
    request = service.GetArtifactsByIDRequest(artifact_ids=[1])
    (found,) = server.stub.GetArtifactsByID(request, timeout=120).artifacts
    read = found.custom_properties["payload"].string_value
    assert hashlib.sha256(read.encode()).digest() == hashlib.sha256(payload.encode()).digest()


def test_a_request_over_the_limit_is_refused_and_the_server_lives(server):
    payload = pb.Artifact(uri="x" * (129 * 1024 * 1024))
    request = service.PutArtifactsRequest(artifacts=[payload])
    assert status_of(server.stub.PutArtifacts, request, timeout=120) in TOO_LARGE
    assert is_alive(server)


def test_an_answer_over_the_limit_is_refused_and_the_server_lives(server):
    type_id = server.store().put_artifact_type(pb.ArtifactType(name="Large"))
    for _ in range(3):
        artifact = pb.Artifact(type_id=type_id, uri="x" * (60 * MEGABYTE))
        server.stub.PutArtifacts(service.PutArtifactsRequest(artifacts=[artifact]), timeout=120)
    request = service.GetArtifactsRequest()
    assert status_of(server.stub.GetArtifacts, request, timeout=120) in TOO_LARGE
    request.options.max_result_size = 1
    assert len(server.stub.GetArtifacts(request, timeout=120).artifacts) == 1


@pytest.mark.alone
def test_an_answer_in_several_packets_does_not_wait_for_acknowledgements(server):
    """Without TCP_NODELAY every answer beyond a few hundred bytes takes 40 ms."""
    type_id = server.store().put_artifact_type(pb.ArtifactType(name="Data"))
    server.store().put_artifacts([pb.Artifact(type_id=type_id, uri="x" * 1000)])
    seconds = []
    for _ in range(31):
        started = time.perf_counter()
        server.stub.GetArtifacts(service.GetArtifactsRequest())
        seconds.append(time.perf_counter() - started)
    assert statistics.median(seconds) < 0.03


GARBAGE = {
    "not a message": b"\xff\xff\xff\xff",
    "a length without its bytes": b"\x0a\x7f",
    "text in place of bytes": b"hello, server",
    "a group that never ends": b"\x0b\x0b\x0b",
    "a negative length": b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    "a name that is not UTF-8": b"\x0a\x04\x12\x02\xff\xfe",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_as_a_request_gets_a_clean_status(garbage, server):
    put = raw(server, f"/{SERVICE}/PutArtifactType")
    assert status_of(put, garbage, timeout=10) in UNDECODABLE
    assert is_alive(server)


def test_a_struct_nested_beyond_reason_does_not_bring_the_server_down(server):
    type_id = server.store().put_artifact_type(pb.ArtifactType(name="Deep"))
    value = b"\x1a\x00"
    for _ in range(5000):
        entry = b"\x0a\x01k\x12" + length(value) + value
        struct = b"\x0a" + length(entry) + entry
        value = b"\x2a" + length(struct) + struct
    outer = b"\x22" + length(struct) + struct
    custom = b"\x0a\x01k\x12" + length(outer) + outer
    artifact = b"\x10" + bytes([type_id]) + b"\x2a" + length(custom) + custom
    put = raw(server, f"/{SERVICE}/PutArtifacts")
    request = b"\x0a" + length(artifact) + artifact
    assert status_of(put, request, timeout=30) in UNDECODABLE
    assert server.store().get_artifacts() == []


def length(message):
    """The length of a message as a varint."""
    number, encoded = len(message), bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])


@pytest.mark.parametrize(
    "path", [f"/{SERVICE}/DropEverything", "/other.Service/GetArtifacts", f"/{SERVICE}/"]
)
def test_an_unknown_method_is_unimplemented(path, shared_server):
    call = raw(shared_server, path)
    assert status_of(call, b"", timeout=10) is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("noise", [b"\0" * 64, b"GET / HTTP/9.9\r\n\r\n", b"PRI * HTTP/2.0\r\n"])
def test_noise_on_the_port_does_no_harm(noise, server):
    with socket.create_connection((server.host, server.port), timeout=10) as connection:
        connection.settimeout(10)
        # The server may close as soon as it has seen enough: every step after that may fail.
        with contextlib.suppress(OSError):
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    assert is_alive(server)


# Request ids.


def request_ids(call):
    metadata = [*call.initial_metadata(), *call.trailing_metadata()]
    return [value for key, value in metadata if key == "x-request-id"]


def test_a_request_id_comes_back(shared_server):
    call = shared_server.stub.GetArtifacts.with_call
    _, given = call(service.GetArtifactsRequest(), metadata=[("x-request-id", "mine-42")])
    assert request_ids(given) == ["mine-42"]


def test_a_request_without_an_id_gets_one_of_its_own(shared_server):
    made = set()
    for _ in range(3):
        _, call = shared_server.stub.GetArtifacts.with_call(service.GetArtifactsRequest())
        (request_id,) = request_ids(call)
        made.add(request_id)
    assert len(made) == 3
    assert "" not in made


def test_a_refused_request_carries_its_id_too(shared_server):
    request = service.GetArtifactTypeRequest(type_name="nothing")
    with pytest.raises(grpc.RpcError) as refused:
        shared_server.stub.GetArtifactType(request, metadata=[("x-request-id", "mine-43")])
    assert request_ids(refused.value) == ["mine-43"]


# Start and end.


def test_a_port_in_use_is_named(server, tmp_path):
    other = f"sqlite:{tmp_path / 'other.db'}"
    ended = run("serve", "--store", other, "--listen", server.address, timeout=20)
    assert ended.returncode not in (0, 101)
    assert ended.stdout == ""
    assert server.address in ended.stderr
    assert "in use" in ended.stderr
    assert not (tmp_path / "other.db").exists()
    assert is_alive(server)


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1", "127.0.0.1:99999", "203.0.113.7:0"])
def test_an_address_that_cannot_be_listened_on_is_named(listen, tmp_path):
    store = f"sqlite:{tmp_path / 'store.db'}"
    ended = run("serve", "--store", store, "--listen", listen, timeout=20)
    assert ended.returncode not in (0, 101)
    assert listen in ended.stderr
    assert "panicked" not in ended.stderr


def test_the_ready_line_is_the_only_output_and_the_server_ends_with_0(serve):
    server = serve()
    assert server.ready_line == (
        f"headwater ready on 127.0.0.1:{server.port}, storing in sqlite:{server.path}"
    )
    server.stub.GetArtifacts(service.GetArtifactsRequest())
    server.terminate()
    assert server.process.wait(timeout=10) == 0
    assert server.process.stdout.read() == b""


def test_a_server_that_has_just_said_ready_ends_at_once_when_told(serve):
    for _ in range(5):
        server = serve()
        server.terminate()
        assert server.process.wait(timeout=10) == 0


@pytest.mark.alone
def test_sigterm_lets_a_call_in_flight_finish(server):
    type_id = server.store().put_artifact_type(pb.ArtifactType(name="Data"))
    holder = sqlite3.connect(server.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    request = service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=type_id)])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.stub.PutArtifacts, request, timeout=60)
        time.sleep(0.5)
        assert not waiting.done()
        server.terminate()
        time.sleep(0.5)
        assert not waiting.done()
        assert server.is_running()
        holder.execute("ROLLBACK")
        assert list(waiting.result().artifact_ids) == [1]
    assert server.process.wait(timeout=20) == 0
    assert holder.execute("SELECT id FROM Artifact").fetchall() == [(1,)]
    holder.close()


def test_a_client_that_stays_connected_does_not_hold_the_server_back(server):
    idle = server.new_channel()
    raw_get = idle.unary_unary(f"/{SERVICE}/GetArtifacts")
    raw_get(b"", timeout=10)
    started = time.monotonic()
    server.terminate()
    assert server.process.wait(timeout=20) == 0
    assert time.monotonic() - started < 10
    idle.close()


def test_two_servers_may_share_one_file(serve):
    first = serve()
    second = serve(first.path)
    type_id = first.store().put_artifact_type(pb.ArtifactType(name="Data"))
    assert second.store().put_artifact_type(pb.ArtifactType(name="Data")) == type_id
    with ThreadPoolExecutor(8) as pool:
        request = service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=type_id)])
        stubs = [first.stub, second.stub] * 20
        answers = list(pool.map(lambda stub: stub.PutArtifacts(request, timeout=60), stubs))
    assert sorted(answer.artifact_ids[0] for answer in answers) == list(range(1, 41))


# The command line.


@pytest.fixture(params=["--store", "--server"])
def call(request, server, tmp_path):
    """`headwater call` on a file, and the same through a server."""
    local = f"sqlite:{tmp_path / 'local.db'}"
    assert run("call", "PutEvents", "{}", "--store", local).stdout == "{}\n"
    target = local if request.param == "--store" else f"http://{server.address}"

    def run_call(method, text):
        return run("call", method, text, request.param, target)

    return run_call


def answer_of(ended, response):
    assert ended.returncode == 0, ended.stderr
    return json_format.Parse(ended.stdout, response)


def test_call_takes_json_and_prints_canonical_json(call):
    declared = {"name": "Data", "properties": {"n": "INT", "d": "DOUBLE"}, "baseType": "DATASET"}
    put = answer_of(
        call("PutArtifactType", json.dumps({"artifactType": declared})),
        service.PutArtifactTypeResponse(),
    )
    artifact = {
        "typeId": str(put.type_id),
        "uri": "/é",
        "state": "LIVE",
        "properties": {"n": {"intValue": "9007199254740993"}, "d": {"doubleValue": "NaN"}},
        "customProperties": {"s": {"structValue": {"a": [1, None]}}, "b": {"boolValue": False}},
    }
    ended = call("PutArtifacts", json.dumps({"artifacts": [artifact]}))
    assert answer_of(ended, service.PutArtifactsResponse()).artifact_ids == [1]
    assert json.loads(ended.stdout) == {"artifactIds": ["1"]}
    ended = call("GetArtifactsByID", '{"artifactIds": [1]}')
    answer_of(ended, service.GetArtifactsByIDResponse())
    (found,) = json.loads(ended.stdout)["artifacts"]
    assert found["type"] == "Data"
    assert {key: found[key] for key in artifact} == artifact
    assert isinstance(found["createTimeSinceEpoch"], str)


def test_call_takes_the_names_of_the_proto_files_as_well(call):
    ended = call("PutContextType", '{"context_type": {"name": "Run"}, "can_add_fields": true}')
    assert answer_of(ended, service.PutContextTypeResponse()).type_id == 10
    assert json.loads(call("GetContextTypes", "{}").stdout)["contextTypes"][0]["name"] == "Run"


BAD_CALLS = {
    "broken JSON": ("GetArtifacts", '{"options": ', ["JSON"]),
    "JSON that is no object": ("GetArtifacts", "[1]", ["JSON", "GetArtifacts"]),
    "an unknown method": ("GetArtefacts", "{}", ["GetArtefacts"]),
    "an unknown field": ("GetArtifacts", '{"optoins": {}}', ["optoins"]),
    "a value of another type": ("GetArtifactsByID", '{"artifactIds": ["one"]}', ["JSON", "line 1"]),
    "an unknown enum value": (
        "PutArtifactType",
        '{"artifactType": {"name": "T", "properties": {"p": "NUMBER"}}}',
        ["NUMBER"],
    ),
    "an error of the store": ("GetArtifactType", '{"typeName": "Nope"}', ["NOT_FOUND", "Nope"]),
}


@pytest.mark.parametrize(("method", "text", "words"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_call_names_what_is_wrong_on_stderr_and_exits_with_1(method, text, words, call):
    ended = call(method, text)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "panicked" not in ended.stderr
    for word in words:
        assert word in ended.stderr


def test_call_lists_the_methods_there_are():
    listed = run("call", "--list")
    assert listed.returncode == 0
    assert set(EVERY_METHOD) <= set(re.findall(r"\w+", listed.stdout))


def test_call_does_not_make_a_store_to_read_from(tmp_path):
    missing = tmp_path / "missing.db"
    ended = run("call", "GetArtifacts", "--store", f"sqlite:{missing}")
    assert ended.returncode == 1
    assert str(missing) in ended.stderr
    assert not missing.exists()


def test_help_does_not_print_what_the_environment_holds(monkeypatch):
    monkeypatch.setenv("HEADWATER_STORE", "postgres://u:secret@h/d")
    assert "secret" not in run("serve", "--help").stdout


def test_call_names_a_server_that_does_not_answer():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        ended = run("call", "GetArtifacts", "{}", "--server", f"http://{address}")
    assert ended.returncode == 1
    assert address in ended.stderr


def test_call_reaches_every_method(server):
    """No method is unknown to the command line; what each answers is tested elsewhere."""
    for method in EVERY_METHOD:
        ended = run("call", method, "{}", "--server", f"http://{server.address}")
        refused = ended.returncode == 1 and re.search(r"[A-Z]+_[A-Z]+|UNIMPLEMENTED", ended.stderr)
        assert ended.returncode == 0 or refused, f"{method}: {ended.stderr}"
    called = {method for (method, _), count in counters(server).items() if count}
    assert called == set(EVERY_METHOD)


def test_help_names_every_command_and_flag_of_the_server():
    text = run("--help").stdout
    assert "serve" in text
    assert "call" in text
    text = run("serve", "--help").stdout
    for flag in ("--store", "--listen", "--log", "--read-only"):
        assert flag in text


def test_the_binary_tells_its_version():
    told = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True)
    assert re.match(r"headwater \d+\.\d+\.\d+", told.stdout)
