"""Under load: deadlines behind a lock, long lists beside small reads, clumsy requests."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

pytestmark = pytest.mark.alone
DEADLINE = grpc.StatusCode.DEADLINE_EXCEEDED


def code_of(call, request, **options):
    try:
        call(request, **options)
        return grpc.StatusCode.OK
    except grpc.RpcError as error:
        return error.code()


def memory_mb(server):
    """The most memory that the server ever had, in MB."""
    with open(f"/proc/{server.process.pid}/status") as status:
        (peak,) = [line for line in status if line.startswith("VmHWM")]
    return int(peak.split()[1]) / 1000


@pytest.fixture
def artifact_type(server):
    request = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="Data"))
    return server.stub.PutArtifactType(request).type_id


def put(server, artifacts):
    request = service.PutArtifactsRequest(artifacts=artifacts)
    return server.stub.PutArtifacts(request).artifact_ids


def test_abandoned_writes_take_no_reads_along_and_are_not_done_later(server, artifact_type):
    put(server, [pb.Artifact(type_id=artifact_type, name="first")])
    other = sqlite3.connect(server.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def write(number):
        node = pb.Artifact(type_id=artifact_type, name=f"late-{number}")
        request = service.PutArtifactsRequest(artifacts=[node])
        return code_of(server.stub.PutArtifacts, request, timeout=0.3)

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(write, range(96))) == {DEADLINE}
    one = service.GetArtifactsByIDRequest(artifact_ids=[1])
    assert len(server.stub.GetArtifactsByID(one, timeout=2).artifacts) == 1
    assert server.get("/readyz")[0] == 200
    other.execute("ROLLBACK")

    put(server, [pb.Artifact(type_id=artifact_type, name="last")])
    everything = server.stub.GetArtifacts(service.GetArtifactsRequest()).artifacts
    # Only those that were inside the store already, waiting for the lock, may still be written.
    assert len(everything) <= 4
    text = server.get("/metrics")[1]
    assert 'method="PutArtifacts",code="DEADLINE_EXCEEDED"' in text


def test_long_lists_stay_small_in_memory_and_do_not_hold_small_reads_up(server, artifact_type):
    for _ in range(10):
        put(server, [pb.Artifact(type_id=artifact_type, uri="s3://bucket/" + "x" * 100)] * 10_000)
    before = memory_mb(server)
    one = service.GetArtifactsByIDRequest(artifact_ids=[1])
    with ThreadPoolExecutor(8) as pool:
        everything = service.GetArtifactsRequest()
        lists = [pool.submit(server.stub.GetArtifacts, everything) for _ in range(8)]
        slowest = 0.0
        while not all(each.done() for each in lists):
            began = time.monotonic()
            server.stub.GetArtifactsByID(one, timeout=10)
            slowest = max(slowest, time.monotonic() - began)
        assert {len(each.result().artifacts) for each in lists} == {100_000}
    size = lists[0].result().ByteSize() / 1e6
    # Two lists are made at a time; those that are sent are held as bytes.
    assert memory_mb(server) - before < 10 * size + 100
    assert slowest < 5


@pytest.mark.parametrize("name", ["x" * 20_000, "名" * 1_500], ids=["ASCII", "Chinese"])
def test_a_long_name_is_refused_with_its_own_status(name, server, artifact_type):
    request = service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=artifact_type, name=name)])
    server.stub.PutArtifacts(request)
    assert code_of(server.stub.PutArtifacts, request) is grpc.StatusCode.ALREADY_EXISTS


def test_a_type_that_lacks_a_thousand_properties_is_refused_with_its_own_status(server):
    properties = {f"property with a long name {n}": pb.INT for n in range(1000)}
    full = pb.ArtifactType(name="Wide", properties=properties)
    server.stub.PutArtifactType(service.PutArtifactTypeRequest(artifact_type=full))
    bare = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="Wide"))
    assert code_of(server.stub.PutArtifactType, bare) is grpc.StatusCode.ALREADY_EXISTS


def test_a_small_request_for_a_huge_answer_is_refused_early(server):
    stub = server.stub
    wide = pb.ArtifactType(name="Wide", properties={f"p{n}": pb.INT for n in range(1000)})
    wide_id = stub.PutArtifactType(service.PutArtifactTypeRequest(artifact_type=wide)).type_id
    before = memory_mb(server)
    request = service.GetArtifactTypesByIDRequest(type_ids=[wide_id] * 1_000_000)
    assert code_of(stub.GetArtifactTypesByID, request) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert memory_mb(server) - before < 2_000


def test_more_links_than_a_request_may_make_are_refused_by_number(server, artifact_type):
    stub = server.stub
    execution_type = pb.ExecutionType(name="Step")
    put_type = service.PutExecutionTypeRequest(execution_type=execution_type)
    execution = pb.Execution(type_id=stub.PutExecutionType(put_type).type_id)
    request = service.PutExecutionRequest(execution=execution)
    request.contexts.extend(pb.Context(id=n) for n in range(600))
    for _ in range(600):
        request.artifact_event_pairs.add().artifact.type_id = artifact_type
    with pytest.raises(grpc.RpcError) as refused:
        stub.PutExecution(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "250000" in refused.value.details()


def test_many_edges_and_mask_paths_are_checked_in_time(server, artifact_type):
    stub = server.stub
    edges = service.PutLineageSubgraphRequest(
        artifacts=[pb.Artifact(type_id=artifact_type)] * 20_000
    )
    for n in range(20_000):
        edges.event_edges.add(artifact_index=n, execution_index=9, event={"type": pb.Event.INPUT})
    assert code_of(stub.PutLineageSubgraph, edges, timeout=5) is grpc.StatusCode.OUT_OF_RANGE
    (artifact_id,) = put(server, [pb.Artifact(type_id=artifact_type)])
    names = [f"n{n}" for n in range(20_000)]
    masked = service.PutArtifactsRequest(artifacts=[pb.Artifact(id=artifact_id)])
    masked.update_mask.paths.extend(f"custom_properties.{name}" for name in names)
    for name in names:
        masked.artifacts[0].custom_properties[name].int_value = 1
    assert code_of(stub.PutArtifacts, masked, timeout=10) is grpc.StatusCode.OK


def test_a_health_watch_does_not_hold_the_end_up(server):
    watch = server.channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
    assert next(watch) == b"\x08\x01"
    began = time.monotonic()
    server.terminate()
    assert server.process.wait(timeout=20) == 0
    assert time.monotonic() - began < 5
