"""One database, two programs: what MLMD writes Headwater reads, and the other way round."""

import gc
import random

import grpc
import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

import operations
from answers import StubCaller, WheelCaller, events_in, nodes_in
from graph_operations import GraphGenerator
from operations import ARTIFACT, CONTEXT, EXECUTION, KINDS, PROPERTY_TYPES, Operation, new_request
from test_files import Writer, differences

STEPS = 120
EVENT_TYPES = range(1, 8)
VALUES = {"int_value", "double_value", "string_value", "bool_value", "struct_value", "proto_value"}
# MLMD has 32 bits for integers in these databases, and breaks its own SQL at a backslash.
INTS = (0, 1, -1, 2**31 - 1, -(2**31), 42)
STRINGS = tuple(text for text in operations.STRINGS if "\\" not in text)
BEYOND_MLMD = {
    "an integer of 41 bits": 2**40,
    "the smallest integer": -(2**63),
    "backslashes": "C:\\new\\t'able\\",
    "10,000 letters": random.Random(1).randbytes(5_000).hex(),  # more than an index takes
}


class Graph(GraphGenerator):
    """Random operations with values that MLMD can write to PostgreSQL and to MySQL."""

    def new_type(self, kind):
        made = super().new_type(kind)
        if not made.name.isascii():  # MLMD makes such a type again and again in MySQL
            made.name = "Uni"
        return made

    def path(self):
        path = super().path()
        for step in path.steps:
            if step.index > INTS[3]:
                step.index = INTS[3]
        return path


@pytest.fixture
def new_writer(monkeypatch):
    """Makes writers of random operations that both programs can carry out."""
    monkeypatch.setattr(operations, "INTS", INTS)
    monkeypatch.setattr(operations, "STRINGS", STRINGS)

    def make(seed):
        writer = Writer(seed)
        writer.generator = Graph(seed)
        writer.operations = list(writer.generator.start())
        return writer

    return make


@pytest.fixture
def by_wheel(database):
    """Works on the database with the wheel, and closes it again."""

    def work(task):
        caller = WheelCaller(metadata_store.MetadataStore(database.wheel_config()))
        result = task(caller)
        del caller
        gc.collect()
        return result

    return work


@pytest.fixture
def by_server(serve):
    """Works on the database through a server of ours, and stops it again."""

    def work(task):
        server = serve()
        result = task(StubCaller(server.stub))
        assert server.stop() == 0
        return result

    return work


@pytest.fixture
def check_equal(backend):
    """Compares what two programs read, but for what MLMD itself leaves out."""

    def check(ours, theirs):
        if backend == "mysql":
            # There it reads a single type without its external id; the lists have them.
            for content in (ours, theirs):
                for (method, _), (_, response) in content.items():
                    for kind in KINDS:
                        if method == f"Get{kind.title}Type":
                            getattr(response, f"{kind.name}_type").ClearField("external_id")
        if differ := differences(ours, theirs):
            pytest.fail(differ, pytrace=False)

    return check


def responses(content):
    return [response for _, response in content.values()]


def values_in(content):
    """The kinds of values that the nodes have, as properties and as custom properties."""
    found = {"properties": set(), "custom_properties": set()}
    for response in responses(content):
        for _, node in nodes_in(response):
            for place, kinds in found.items():
                kinds.update(value.WhichOneof("value") for value in getattr(node, place).values())
    return found


def check_holds_everything(content):
    """There is something of each thing that a store can hold, or equality would mean little."""
    assert values_in(content) == {"properties": VALUES, "custom_properties": VALUES}
    events = [event for response in responses(content) for event in events_in(response)]
    steps = {step.WhichOneof("value") for event in events for step in event.path.steps}
    assert {"index", "key"} <= steps
    assert {event.type for event in events} >= set(pb.Event.Type.values()) - {0}
    answered = {method for (method, _), (code, _) in content.items() if code == "OK"}
    for method, field in (
        ("GetArtifactTypes", "artifact_types"),
        ("GetExecutionTypes", "execution_types"),
        ("GetContextTypes", "context_types"),
        ("GetContextsByArtifact", "contexts"),
        ("GetContextsByExecution", "contexts"),
        ("GetParentContextsByContext", "contexts"),
    ):
        assert method in answered
        found = [response for (name, _), (_, response) in content.items() if name == method]
        assert any(getattr(response, field) for response in found), method


class OneOfEach:
    """Puts one of each thing that a store can hold, and lets a writer know of it."""

    def __init__(self, writer, caller):
        self.generator, self.caller = writer.generator, caller
        self.nodes = {kind: self.put_nodes(kind) for kind in KINDS}
        self.put_events(*self.nodes[ARTIFACT], *self.nodes[EXECUTION])
        first, second = self.nodes[CONTEXT]
        links = service.PutAttributionsAndAssociationsRequest()
        for artifact_id in self.nodes[ARTIFACT]:
            links.attributions.add(artifact_id=artifact_id, context_id=first)
        links.associations.add(execution_id=self.nodes[EXECUTION][0], context_id=second)
        self.put("PutAttributionsAndAssociations", links)
        parents = [pb.ParentContext(parent_id=first, child_id=second)]
        self.put("PutParentContexts", new_request("PutParentContexts", parent_contexts=parents))

    def put(self, method, request):
        operation, answer = Operation(method, request), self.caller.call(method, request)
        assert answer.code == "OK", answer
        self.generator.learn(operation, answer.response, None)
        for read in self.generator.readback(operation, answer.response):
            self.generator.learn(read, self.caller.call(read.method, read.request).response, None)
        return answer.response

    def put_nodes(self, kind):
        """Two nodes with a property and a custom property of each kind; gives their ids."""
        made = kind.type(name=f"{kind.name} of all", version="1", description="holds all")
        made.external_id = f"{kind.name} type elsewhere"
        made.properties.update({pb.PropertyType.Name(each): each for each in PROPERTY_TYPES})
        if kind is not CONTEXT:
            made.base_type = 1
        request = new_request(f"Put{kind.title}Type", **{f"{kind.name}_type": made})
        type_id = self.put(f"Put{kind.title}Type", request).type_id
        nodes = []
        for number in range(2):
            node = kind.node(type_id=type_id, name=f"{kind.name} {number}")
            node.external_id = f"{kind.name} {number} elsewhere"
            for each in PROPERTY_TYPES:
                name = pb.PropertyType.Name(each)
                node.properties[name].CopyFrom(self.generator.value(each))
                node.custom_properties[f"{name}, too"].CopyFrom(self.generator.value(each))
            nodes.append(node)
        request = new_request(f"Put{kind.title}s", **{kind.plural: nodes})
        return list(getattr(self.put(f"Put{kind.title}s", request), f"{kind.name}_ids"))

    def put_events(self, first_artifact, second_artifact, first_execution, second_execution):
        """An event of each type; every other one with a path of both kinds of steps."""
        events = []
        for number in EVENT_TYPES:
            event = pb.Event(type=number, artifact_id=first_artifact, execution_id=first_execution)
            if number % 2:
                event.artifact_id, event.execution_id = second_artifact, second_execution
                event.path.steps.add().key = "models"
                event.path.steps.add().index = number
            events.append(event)
        self.put("PutEvents", new_request("PutEvents", events=events))


@pytest.mark.parametrize("maker", ["the wheel", "us"])
def test_a_database_with_one_of_each_thing_reads_equal_in_both(
    maker, by_wheel, by_server, new_writer, check_equal
):
    writer = new_writer(1)
    make = by_wheel if maker == "the wheel" else by_server
    make(lambda caller: OneOfEach(writer, caller))
    ours, theirs = by_server(writer.content), by_wheel(writer.content)
    check_holds_everything(ours)
    check_equal(ours, theirs)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_database_goes_to_and_fro_and_keeps_its_content(
    seed, by_wheel, by_server, new_writer, check_equal
):
    writer = new_writer(seed)
    by_wheel(lambda caller: writer.write(caller, STEPS))
    for program in (by_server, by_wheel, by_server):
        theirs = by_wheel(writer.content)
        check_equal(by_server(writer.content), theirs)
        program(lambda caller: writer.write(caller, STEPS // 2))
    check_equal(by_server(writer.content), by_wheel(writer.content))
    assert writer.number > STEPS // 2
    assert min(map(len, writer.generator.nodes.values())) > 10


@pytest.mark.parametrize("seed", [4, 5])
def test_a_database_of_ours_opens_in_the_wheel_with_equal_content(
    seed, by_wheel, by_server, new_writer, check_equal
):
    writer = new_writer(seed)
    by_server(lambda caller: writer.write(caller, STEPS))
    ours = by_server(writer.content)
    check_equal(ours, by_wheel(writer.content))
    by_wheel(lambda caller: writer.write(caller, STEPS // 2))
    theirs = by_wheel(writer.content)
    assert theirs != ours
    check_equal(by_server(writer.content), theirs)


def test_the_wheel_reads_the_database_while_our_server_writes_it(
    serve, database, new_writer, check_equal
):
    writer, caller = new_writer(6), StubCaller(serve().stub)
    writer.write(caller, STEPS)
    theirs = WheelCaller(metadata_store.MetadataStore(database.wheel_config()))
    check_equal(writer.content(caller), writer.content(theirs))
    writer.write(caller, STEPS // 2)
    check_equal(writer.content(caller), writer.content(theirs))


def test_a_fresh_database_has_the_tables_types_and_version_of_the_wheel(
    by_wheel, serve, database, new_database
):
    by_wheel(lambda caller: None)
    ours = new_database()
    serve(ours.url()).stop()
    tables = [sorted(each.query(each.tables)) for each in (database, ours)]
    assert tables[0] == [name for name in tables[1] if not name[0].startswith("hw_")]
    assert len(tables[0]) == 15
    for sql in (
        "SELECT schema_version FROM MLMDEnv",
        "SELECT id, name, version, type_kind FROM Type ORDER BY id",
        "SELECT * FROM TypeProperty",
    ):
        assert ours.query(sql) == database.query(sql)
    assert database.query("SELECT count(*) FROM Type") == [(9,)]


def data_type(caller):
    request = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="Data"))
    return caller.call("PutArtifactType", request).response.type_id


@pytest.mark.parametrize("what", BEYOND_MLMD)
def test_what_mlmd_cannot_write_is_kept_in_databases_of_ours_and_read_by_it(
    what, by_wheel, by_server
):
    value = BEYOND_MLMD[what]
    artifact = pb.Artifact(name="beyond")
    field = "int_value" if isinstance(value, int) else "string_value"
    setattr(artifact.custom_properties["value"], field, value)
    if isinstance(value, str):
        artifact.uri = value

    def put(caller):
        artifact.type_id = data_type(caller)
        request = service.PutArtifactsRequest(artifacts=[artifact])
        answer = caller.call("PutArtifacts", request)
        assert answer.code == "OK", answer

    def get(caller):
        answer = caller.call("GetArtifacts", service.GetArtifactsRequest())
        assert answer.code == "OK", answer
        (found,) = answer.response.artifacts
        return found

    by_server(put)
    ours, theirs = by_server(get), by_wheel(get)
    assert getattr(ours.custom_properties["value"], field) == value
    assert ours.uri == artifact.uri
    assert ours == theirs


def test_an_integer_too_wide_for_a_database_of_mlmd_is_refused_and_nothing_is_written(
    by_wheel, serve
):
    by_wheel(lambda caller: None)
    server = serve()
    artifact = pb.Artifact(type_id=data_type(StubCaller(server.stub)))
    artifact.custom_properties["wide"].int_value = 2**40
    with pytest.raises(grpc.RpcError) as refused:
        server.stub.PutArtifacts(service.PutArtifactsRequest(artifacts=[artifact]))
    assert refused.value.code() in {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
    assert refused.value.details().strip()
    assert server.store().get_artifacts() == []
