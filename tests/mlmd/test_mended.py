"""What MLMD loses, breaks or dies of, and Headwater does not: one test per mended point."""

import contextlib
import gc
import math
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

from stores import BACKENDS

pytestmark = pytest.mark.backends(*BACKENDS)
ON_FILES = pytest.mark.backends("sqlite")
DBL_MAX = 1.7976931348623157e308
DOUBLES = (
    1e-7,
    1 / 3,
    0.1 + 0.2,
    DBL_MAX,
    -DBL_MAX,
    5e-324,
    2.2250738585072014e-308,
    0.0,
    -0.0,
    123456789.123456789,
    math.inf,
    -math.inf,
    math.nan,
)
STRINGS = (
    "__MLMD_NULL__",
    "mlmd-struct::",
    "mlmd-struct::CgkKAWESBBoCaGk=",
    "mlmd-struct::not base64 at all!",
    "\0",
    "before\0after",
    "mlmd-struct::\0",
)
STRUCT_DEPTH_TOO_DEEP = 45
ORDER = pb.ListOperationOptions.OrderByField


@pytest.fixture
def type_id(server):
    """A type with a property of every kind of value that the tests need."""
    properties = {"d": pb.DOUBLE, "s": pb.STRING, "n": pb.INT, "same": pb.STRING}
    return server.store().put_artifact_type(pb.ArtifactType(name="Data", properties=properties))


@pytest.fixture
def step_types(server, type_id):
    """Ids of an artifact type, an execution type and a context type."""
    store = server.store()
    execution = store.put_execution_type(pb.ExecutionType(name="Step"))
    return type_id, execution, store.put_context_type(pb.ContextType(name="Run"))


def refused(call, request, *codes):
    """The words of a call that must fail with one of these codes."""
    with pytest.raises(grpc.RpcError) as error:
        call(request, timeout=60)
    assert error.value.code() in codes, error.value
    return error.value.details()


def put(server, *artifacts):
    return server.store().put_artifacts(artifacts)


def get(server, *ids):
    return server.store().get_artifacts_by_id(ids)


def bits(double):
    return struct.pack(">d", double)


# Values.


@pytest.mark.parametrize("double", DOUBLES, ids=repr)
def test_a_double_comes_back_bit_for_bit(double, server, type_id):
    artifact = pb.Artifact(type_id=type_id)
    artifact.properties["d"].double_value = double
    artifact.custom_properties["c"].double_value = double
    (found,) = get(server, *put(server, artifact))
    for value in (found.properties["d"], found.custom_properties["c"]):
        assert value.WhichOneof("value") == "double_value"
        if math.isnan(double):
            assert math.isnan(value.double_value)
        else:
            assert bits(value.double_value) == bits(double)


@pytest.mark.parametrize("double", DOUBLES, ids=repr)
def test_a_double_may_replace_and_be_replaced(double, server, type_id):
    artifact = pb.Artifact(type_id=type_id)
    artifact.properties["d"].double_value = 1.5
    (artifact.id,) = put(server, artifact)
    for value in (double, 2.5):
        artifact.properties["d"].double_value = value
        put(server, artifact)
        (found,) = get(server, artifact.id)
        read = found.properties["d"].double_value
        assert bits(read) == bits(value) or math.isnan(read) and math.isnan(value)


@ON_FILES
def test_the_wheel_reads_our_doubles_as_well_as_it_can(server, type_id, wheel):
    artifact = pb.Artifact(type_id=type_id)
    finite = [double for double in DOUBLES if abs(double) < 1e300]
    for index, double in enumerate(finite):
        artifact.custom_properties[f"c{index}"].double_value = double
    put(server, artifact)
    (found,) = wheel(server.path).get_artifacts()
    for index, double in enumerate(finite):
        value = found.custom_properties[f"c{index}"]
        assert value.WhichOneof("value") == "double_value"
        assert value.double_value == pytest.approx(double, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("string", STRINGS, ids=repr)
def test_any_string_comes_back_as_it_was(string, server, type_id):
    artifact = pb.Artifact(type_id=type_id, uri=string, name=string, external_id=string)
    artifact.properties["s"].string_value = string
    artifact.custom_properties["c"].string_value = string
    artifact.custom_properties["struct"].struct_value.update({"key": string})
    (artifact.id,) = put(server, artifact)
    (found,) = get(server, artifact.id)
    assert (found.uri, found.name, found.external_id) == (string, string, string)
    assert found.properties == artifact.properties
    assert found.custom_properties == artifact.custom_properties
    assert server.store().get_artifacts_by_uri(string) == [found]
    assert server.store().get_artifact_by_type_and_name("Data", string) == found
    assert server.store().get_artifacts_by_external_ids([string]) == [found]
    assert server.store().get_artifacts() == [found]


@pytest.mark.parametrize("string", STRINGS, ids=repr)
def test_any_property_name_comes_back_as_it_was(string, server):
    declared = pb.ArtifactType(name=string, properties={string: pb.INT}, description=string)
    declared.id = server.store().put_artifact_type(declared)
    assert server.store().get_artifact_type(string) == declared
    artifact = pb.Artifact(type_id=declared.id)
    artifact.properties[string].int_value = 1
    artifact.custom_properties[string].string_value = "other"
    (found,) = get(server, *put(server, artifact))
    assert found.properties == artifact.properties
    assert found.custom_properties == artifact.custom_properties


def test_a_struct_stays_a_struct_beside_strings_that_look_like_one(server, type_id):
    artifact = pb.Artifact(type_id=type_id)
    artifact.custom_properties["struct"].struct_value.update({"a": "hi"})
    artifact.custom_properties["string"].string_value = "mlmd-struct::CgkKAWESBBoCaGk="
    (found,) = get(server, *put(server, artifact))
    assert found.custom_properties == artifact.custom_properties


def test_an_any_without_a_type_comes_back(server, type_id):
    artifact = pb.Artifact(type_id=type_id)
    artifact.custom_properties["any"].proto_value.SetInParent()
    (found,) = get(server, *put(server, artifact))
    assert found.custom_properties["any"].WhichOneof("value") == "proto_value"


def test_a_custom_property_without_a_value_is_refused_and_the_server_lives(server, type_id):
    artifact = pb.Artifact(type_id=type_id)
    artifact.custom_properties["empty one"].SetInParent()
    assert artifact.custom_properties["empty one"].WhichOneof("value") is None
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    request = service.PutArtifactsRequest(artifacts=[artifact])
    assert "empty one" in refused(server.stub.PutArtifacts, request, invalid)
    artifact.id = put(server, pb.Artifact(type_id=type_id))[0]
    request = service.PutArtifactsRequest(artifacts=[artifact])
    assert "empty one" in refused(server.stub.PutArtifacts, request, invalid)
    assert len(server.store().get_artifacts()) == 1
    assert server.is_running()


# Updates.


def same_named(type_id, declared, custom):
    artifact = pb.Artifact(type_id=type_id)
    if declared is not None:
        artifact.properties["same"].string_value = declared
    if custom is not None:
        artifact.custom_properties["same"].string_value = custom
    return artifact


@pytest.mark.parametrize("declared", ["new", None])
@pytest.mark.parametrize("custom", ["new", None])
def test_a_property_and_a_custom_property_of_one_name_are_independent(
    declared, custom, server, type_id
):
    (artifact_id,) = put(server, same_named(type_id, "declared", "custom"))
    update = same_named(type_id, declared, custom)
    update.id = artifact_id
    put(server, update)
    (found,) = get(server, artifact_id)
    assert found.properties == update.properties
    assert found.custom_properties == update.custom_properties


@pytest.mark.parametrize("path", ["properties.same", "custom_properties.same"])
def test_a_masked_update_changes_only_the_property_that_it_names(path, server, type_id):
    (artifact_id,) = put(server, same_named(type_id, "declared", "custom"))
    update = same_named(type_id, "new", "new")
    update.id = artifact_id
    server.store().put_artifacts([update], [path])
    (found,) = get(server, artifact_id)
    values = found.properties["same"].string_value, found.custom_properties["same"].string_value
    assert values == (("declared", "new") if path.startswith("custom") else ("new", "custom"))


# Steps.


def step(step_types, **fields):
    execution = pb.Execution(type_id=step_types[1], name="step")
    return service.PutExecutionRequest(execution=execution, **fields)


def nothing_is_written(server):
    store = server.store()
    return not (store.get_executions() or store.get_artifacts() or store.get_contexts())


@pytest.mark.parametrize("artifact_id", [4711, 0, -1])
def test_put_execution_refuses_an_event_on_a_missing_artifact(artifact_id, server, step_types):
    pair = service.PutExecutionRequest.ArtifactAndEvent(
        event=pb.Event(artifact_id=artifact_id, type=pb.Event.INPUT)
    )
    new = service.PutExecutionRequest.ArtifactAndEvent(artifact=pb.Artifact(type_id=step_types[0]))
    contexts = [pb.Context(type_id=step_types[2], name="run")]
    request = step(step_types, artifact_event_pairs=[new, pair], contexts=contexts)
    words = refused(server.stub.PutExecution, request, grpc.StatusCode.INVALID_ARGUMENT)
    assert str(artifact_id) in words
    assert nothing_is_written(server)


def test_put_execution_refuses_an_empty_pair_beside_a_context(server, step_types):
    contexts = [pb.Context(type_id=step_types[2], name="run")]
    request = step(step_types, contexts=contexts)
    request.artifact_event_pairs.add()
    refused(server.stub.PutExecution, request, grpc.StatusCode.INVALID_ARGUMENT)
    assert nothing_is_written(server)


@pytest.mark.parametrize("kind", ["artifact", "execution"])
def test_put_lineage_subgraph_refuses_an_edge_to_a_missing_node(kind, server, step_types):
    request = service.PutLineageSubgraphRequest(
        artifacts=[pb.Artifact(type_id=step_types[0])],
        executions=[pb.Execution(type_id=step_types[1])],
    )
    edge = request.event_edges.add(event=pb.Event(type=pb.Event.INPUT))
    if kind == "artifact":
        edge.execution_index, edge.event.artifact_id = 0, 4711
    else:
        edge.artifact_index, edge.event.execution_id = 0, 4711
    words = refused(server.stub.PutLineageSubgraph, request, grpc.StatusCode.INVALID_ARGUMENT)
    assert "4711" in words
    assert nothing_is_written(server)


# Pages.


def walk(server, size, field, is_asc, filter_query=""):
    """The ids of all pages in turn; fails when the pages do not end."""
    options = pb.ListOperationOptions(max_result_size=size, filter_query=filter_query)
    options.order_by_field.field, options.order_by_field.is_asc = field, is_asc
    pages = []
    while len(pages) < 2000:
        page = server.stub.GetArtifacts(service.GetArtifactsRequest(options=options))
        pages.append([artifact.id for artifact in page.artifacts])
        if not page.next_page_token:
            return pages
        options.next_page_token = page.next_page_token
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize(("size", "count"), [(101, 350), (150, 350), (350, 350), (1000, 350)])
def test_a_page_larger_than_100_is_as_large_as_asked_and_has_a_token(size, count, server, type_id):
    put(server, *(pb.Artifact(type_id=type_id) for _ in range(count)))
    pages = walk(server, size, ORDER.ID, True)
    assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
    assert sum(pages, []) == list(range(1, count + 1))


def test_the_largest_page_size_is_no_overflow(server, type_id):
    put(server, *(pb.Artifact(type_id=type_id) for _ in range(3)))
    assert walk(server, 2**31 - 1, ORDER.ID, True) == [[1, 2, 3]]


@pytest.fixture
def crowded(server, type_id):
    """300 artifacts whose times were set to few milliseconds, against the order of their ids."""
    put(server, *(pb.Artifact(type_id=type_id) for _ in range(300)))
    server.place.execute(
        "UPDATE Artifact SET create_time_since_epoch = 9000 - (id - id % 100) / 100,"
        " last_update_time_since_epoch = 9000 + id % 2"
    )
    return server


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("is_asc", [True, False])
@pytest.mark.parametrize("field", [ORDER.CREATE_TIME, ORDER.LAST_UPDATE_TIME])
def test_paging_by_time_visits_every_node_once_in_order(field, is_asc, size, crowded):
    seen = sum(walk(crowded, size, field, is_asc), [])
    assert sorted(seen) == list(range(1, 301))
    times = {ORDER.CREATE_TIME: lambda n: 9000 - n // 100, ORDER.LAST_UPDATE_TIME: lambda n: n % 2}
    assert seen == sorted(seen, key=lambda n: (times[field](n), n), reverse=not is_asc)


@pytest.mark.parametrize("size", [7, 120, 1000])
@pytest.mark.parametrize("is_asc", [True, False])
@pytest.mark.parametrize("field", [ORDER.ID, ORDER.CREATE_TIME, ORDER.LAST_UPDATE_TIME])
def test_the_pages_of_a_filtered_list_hold_every_match_once(field, is_asc, size, crowded):
    pages = walk(crowded, size, field, is_asc, "id & 3 != 0 AND type = 'Data'")
    assert sorted(sum(pages, [])) == [n for n in range(1, 301) if n % 4]
    assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)


# Filters. What MLMD answers to them, and what Headwater does, stands in `filters/mended.txt`.


def find(server, filter_query):
    options = pb.ListOperationOptions(filter_query=filter_query, max_result_size=1000)
    page = server.stub.GetArtifacts(service.GetArtifactsRequest(options=options), timeout=60)
    return [artifact.id for artifact in page.artifacts]


def refused_filter(server, filter_query):
    options = pb.ListOperationOptions(filter_query=filter_query)
    request = service.GetArtifactsRequest(options=options)
    return refused(server.stub.GetArtifacts, request, grpc.StatusCode.INVALID_ARGUMENT)


@pytest.mark.parametrize("double", [d for d in DOUBLES if math.isfinite(d)], ids=repr)
def test_a_filter_compares_every_bit_of_a_double(double, server, type_id, backend, request):
    if backend == "mysql" and abs(double) == sys.float_info.max:
        reason = "an infinity is the largest double there (ARCHITECTURE.md)"
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
    artifacts = [pb.Artifact(type_id=type_id) for _ in range(3)]
    neighbours = (math.nextafter(double, -math.inf), math.nextafter(double, math.inf))
    for artifact, near in zip(artifacts, (double, *neighbours), strict=True):
        artifact.properties["d"].double_value = near
    same, below, above = put(server, *artifacts)
    path = "properties.d.double_value"
    assert find(server, f"{path} = {double!r}") == [same]
    assert find(server, f"{path} < {double!r}") == [below]
    assert find(server, f"{path} > {double!r}") == [above]


@pytest.mark.parametrize("name", ["n", "N", "Été", 'say "hi"', "it's", "a\\b", "name", "x.y"])
def test_a_filter_takes_the_name_of_a_property_as_it_is(name, server, type_id):
    artifacts = [pb.Artifact(type_id=type_id) for _ in range(2)]
    artifacts[0].custom_properties[name].int_value = 1
    artifacts[1].custom_properties[name.swapcase() + "2"].int_value = 1
    first, _ = put(server, *artifacts)
    written = name.replace("\\", "\\\\")
    assert find(server, f"custom_properties.`{written}`.int_value = 1") == [first]


TEXTS = ("a\\b", "two\nlines", "tab\t", 'it\'s "so"', "name", "state = LIVE", "", "☂ 𝄞", "\x01\x7f")


@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_a_filter_takes_a_text_as_it_is(text, server, type_id):
    put(server, pb.Artifact(type_id=type_id, name="another", uri="elsewhere"))
    (found,) = put(server, pb.Artifact(type_id=type_id, name=text, uri=text))
    written = "".join(f"\\U{ord(character):08x}" for character in text)
    assert find(server, f"name = '{written}'") == [found]
    assert find(server, f"uri IN ('{written}', 'nothing')") == [found]
    plain = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    assert find(server, f"name = '{plain}'") == [found]


INJECTIONS = (
    """name = '"; DELETE FROM Artifact; --\\''""",
    """name = '") OR (1 = 1)) --\\''""",
    """custom_properties.`x" OR 1=1) AS t ON 1=1; DELETE FROM Artifact; --`.int_value = 1""",
    """properties.`') OR 1=1 --`.int_value = 1""",
    """contexts_a.name = '") OR (1 = 1)) /*\\''""",
)


@pytest.mark.parametrize("filter_query", INJECTIONS)
def test_a_filter_cannot_reach_the_sql_under_it(filter_query, server, type_id):
    kept = put(server, pb.Artifact(type_id=type_id, name="kept"))
    assert find(server, filter_query) == []
    assert find(server, "name = 'kept'") == kept


NESTED = {
    "NOT": "NOT " * 15_000 + "TRUE",
    "signs": "- " * 20_000 + "id = 1",
    "parentheses": "(" * 20_000 + "TRUE" + ")" * 20_000,
    "open parentheses": "(" * 20_000,
    "CASE": "CASE WHEN " * 2_500 + "TRUE" + " THEN TRUE END" * 2_500,
    "functions": "ABS(" * 5_000 + "id" + ")" * 5_000 + " = 1",
    "sums": "id" + " + (1" * 5_000 + ")" * 5_000 + " = 1",
}


@pytest.mark.parametrize("filter_query", NESTED.values(), ids=NESTED)
def test_a_filter_nested_too_deep_is_refused_with_the_limit(filter_query, server, type_id):
    words = refused_filter(server, filter_query)
    assert any(word in words for word in ("nest", "deep", "depth"))
    assert any(character.isdigit() for character in words)
    assert len(words) < 1000
    assert server.is_running()


LONG = {
    "OR": " OR ".join(["id = 1"] * 20_000),
    "IN": f"id IN ({', '.join(['1'] * 50_000)})",
    "text": f"name = '{'a' * 200_000}'",
    "comment": "id = 1 -- " + "a" * 200_000,
    "neighbours": " OR ".join(f"contexts_{n}.id = 1" for n in range(500)),
    "properties": " OR ".join(f"properties.p{n}.int_value = 1" for n in range(500)),
}


@pytest.mark.parametrize("filter_query", LONG.values(), ids=LONG)
def test_a_filter_too_long_is_refused_with_the_limit(filter_query, server, type_id):
    words = refused_filter(server, filter_query)
    assert any(character.isdigit() for character in words)
    assert len(words) < 1000
    assert server.is_running()


def test_a_filter_that_is_refused_is_shown_with_the_place_and_what_is_accepted(server, type_id):
    words = refused_filter(server, "id = 1 AND stat = LIVE")
    assert "stat" in words
    assert "\n" in words
    assert "^" in words
    assert "`state" in words


def test_a_broken_filter_is_refused_though_nothing_could_match(server):
    refused_filter(server, "no such thing")


# Limits.


def nested_type(depth):
    nested = pb.ArtifactStructType(any=pb.AnyArtifactStructType())
    for _ in range(depth):
        nested = pb.ArtifactStructType(list=pb.ListArtifactStructType(element=nested))
    return nested


def test_a_struct_type_nested_too_deep_is_refused_with_the_limit(server):
    deep = pb.ExecutionType(name="Deep", input_type=nested_type(STRUCT_DEPTH_TOO_DEEP))
    request = service.PutExecutionTypeRequest(execution_type=deep)
    words = refused(server.stub.PutExecutionType, request, grpc.StatusCode.INVALID_ARGUMENT)
    assert "nest" in words or "deep" in words or "depth" in words
    assert any(character.isdigit() for character in words)
    assert server.store().get_execution_types() == []
    deep.input_type.CopyFrom(nested_type(20))
    deep.id = server.store().put_execution_type(deep)
    assert server.store().get_execution_type("Deep") == deep


# The file under the server.


UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE,)


def replace(path):
    spare = f"{path}.spare"
    shutil.copy(path, spare)
    os.replace(spare, path)


@ON_FILES
@pytest.mark.parametrize("happening", [os.remove, replace], ids=["deleted", "replaced"])
def test_a_write_is_not_acknowledged_once_the_file_is_gone(happening, server, type_id):
    put(server, pb.Artifact(type_id=type_id))
    happening(server.path)
    request = service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=type_id)])
    for _ in range(3):
        assert str(server.path) in refused(server.stub.PutArtifacts, request, *UNAVAILABLE)
    assert server.is_running()
    assert server.get("/livez")[0] == 200


@ON_FILES
def test_a_file_that_another_program_locks_delays_or_aborts_and_recovers(server, type_id):
    holder = sqlite3.connect(server.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    request = service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=type_id)])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.stub.PutArtifacts, request, timeout=60)
        time.sleep(0.3)
        assert not waiting.done()
        assert get(server, 1) == []
        holder.execute("COMMIT")
        assert list(waiting.result().artifact_ids) == [1]
    holder.execute("BEGIN IMMEDIATE")
    retryable = (grpc.StatusCode.ABORTED, grpc.StatusCode.UNAVAILABLE)
    assert "lock" in refused(server.stub.PutArtifacts, request, *retryable)
    holder.execute("COMMIT")
    holder.close()
    assert put(server, pb.Artifact(type_id=type_id)) == [2]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB of its own, where the tests may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        assert "HEADWATER_TEST_REQUIRED" not in os.environ, "cannot mount a small file system"
        pytest.skip("mounting a small file system takes more rights")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@ON_FILES
def test_a_full_disk_fails_the_write_once_and_is_forgotten_when_there_is_room(small_disk, serve):
    server = serve(small_disk / "store.db")
    type_id = server.store().put_artifact_type(pb.ArtifactType(name="Data"))
    kept = put(server, pb.Artifact(type_id=type_id, name="before"))
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    big = pb.Artifact(type_id=type_id, name="too much", uri="u" * 500_000)
    request = service.PutArtifactsRequest(artifacts=[big])
    codes = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
    assert "full" in refused(server.stub.PutArtifacts, request, *codes)
    assert [artifact.id for artifact in server.store().get_artifacts()] == kept
    filler.unlink()
    put(server, pb.Artifact(type_id=type_id, name="after"))
    names = [artifact.name for artifact in server.store().get_artifacts()]
    assert names == ["before", "after"]


# Many at once.


def test_clients_that_create_the_same_type_at_once_make_one_type(server):
    def create(_):
        return server.stub.PutArtifactType(
            service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="Raced"))
        ).type_id

    with ThreadPoolExecutor(16) as pool:
        ids = set(pool.map(create, range(64)))
    assert len(ids) == 1
    assert len(server.store().get_artifact_types()) == 1


def test_clients_that_reuse_a_context_at_once_make_one_context(server, step_types):
    options = service.PutExecutionRequest.Options(reuse_context_if_already_exist=True)
    context = pb.Context(type_id=step_types[2], name="shared")
    execution = pb.Execution(type_id=step_types[1])
    request = service.PutExecutionRequest(execution=execution, contexts=[context], options=options)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(server.stub.PutExecution, [request] * 64))
    assert {answer.context_ids[0] for answer in answers} == {1}
    assert len({answer.execution_id for answer in answers}) == 64


def test_an_error_names_the_thing_and_not_the_whole_message(server, type_id):
    artifact = pb.Artifact(type_id=type_id, uri="secret " * 100)
    artifact.properties["nothing"].int_value = 1
    request = service.PutArtifactsRequest(artifacts=[artifact])
    words = refused(server.stub.PutArtifacts, request, grpc.StatusCode.INVALID_ARGUMENT)
    assert "nothing" in words
    assert "secret" not in words
    assert len(words) < 500


@ON_FILES
def test_a_file_with_a_type_made_twice_by_mlmd_is_served(wheel, serve, tmp_path):
    path = tmp_path / "twice.db"
    store = wheel(path)
    first = store.put_artifact_type(pb.ArtifactType(name="Twice", properties={"p": pb.INT}))
    del store
    gc.collect()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO Type (name, type_kind) VALUES ('Twice', 1)")
        connection.commit()
    store = serve(path).store()
    again = store.put_artifact_type(pb.ArtifactType(name="Twice", properties={"p": pb.INT}))
    assert again == first
    assert store.put_artifacts([pb.Artifact(type_id=first + 1)]) == [1]
    assert [found.type for found in store.get_artifacts()] == ["Twice"]
