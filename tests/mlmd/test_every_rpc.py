"""Every method of the service, driven by the released client, with a look at what it answers.

`@drives` names the methods a test is about; the server's own counters prove that it called them.
"""

import re
import sys
import types

import grpc
import pytest
from ml_metadata import errors
from ml_metadata.metadata_store import ListOptions, OrderByField
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

from stores import BACKENDS

pytestmark = pytest.mark.backends(*BACKENDS)
SERVICE = service.DESCRIPTOR.services_by_name["MetadataStoreService"]
UNKNOWN_ID = 99_999


def drives(*methods):
    """Marks a test with the methods whose count on the server must rise while it runs."""
    return pytest.mark.drives(*methods)


@pytest.fixture(scope="module")
def store(shared_server):
    return shared_server.store()


@pytest.fixture(scope="module")
def stub(shared_server):
    return shared_server.stub


def calls(server):
    """Calls per method so far, whatever their status, from the server's metrics."""
    counts = {}
    for line in server.get("/metrics")[1].splitlines():
        found = re.match(r'headwater_rpc_total\{(?=[^}]*method="(\w+)")[^}]*\} (\d+)', line)
        if found:
            counts[found[1]] = counts.get(found[1], 0) + int(found[2])
    return counts


@pytest.fixture(autouse=True)
def counted(request, shared_server):
    mark = request.node.get_closest_marker("drives")
    before = calls(shared_server)
    yield
    after = calls(shared_server)
    methods = mark.args if mark else ()
    idle = [method for method in methods if after.get(method, 0) <= before.get(method, 0)]
    assert not idle, f"the server did not count these methods: {idle}"


@pytest.fixture(scope="module")
def graph(store):
    """Two data sets, a run that trains on one of them, its model, and two nested contexts."""
    made = types.SimpleNamespace()
    made.dataset = pb.ArtifactType(
        name="DataSet",
        version="v1",
        description="rows",
        external_id="type-dataset",
        base_type=pb.ArtifactType.DATASET,
        properties={"rows": pb.INT, "share": pb.DOUBLE, "schema": pb.STRUCT, "split": pb.STRING},
    )
    made.model = pb.ArtifactType(name="Model", properties={"passed": pb.BOOLEAN, "raw": pb.PROTO})
    made.train = pb.ExecutionType(
        name="Train",
        external_id="type-train",
        base_type=pb.ExecutionType.TRAIN,
        properties={"epochs": pb.INT},
        input_type=pb.ArtifactStructType(any=pb.AnyArtifactStructType()),
        output_type=pb.ArtifactStructType(none=pb.NoneArtifactStructType()),
    )
    made.run = pb.ContextType(
        name="Run", external_id="type-run", properties={"owner": pb.STRING}, description="one run"
    )
    made.dataset.id = store.put_artifact_type(made.dataset)
    made.model.id = store.put_artifact_type(made.model)
    made.train.id = store.put_execution_type(made.train)
    made.run.id = store.put_context_type(made.run)

    rows = pb.Artifact(type_id=made.dataset.id, name="rows", uri="/data/rows", external_id="a-rows")
    rows.state = pb.Artifact.LIVE
    rows.properties["rows"].int_value = 150
    rows.properties["share"].double_value = 0.1
    rows.properties["schema"].struct_value.update({"columns": ["width", {"unit": "cm"}]})
    rows.custom_properties["checked"].bool_value = True
    other = pb.Artifact(type_id=made.dataset.id, uri="/data/rows")
    made.rows, made.other = store.put_artifacts([rows, other])

    training = pb.Execution(type_id=made.train.id, name="training", external_id="e-training")
    training.last_known_state = pb.Execution.COMPLETE
    training.properties["epochs"].int_value = 7
    (made.training,) = store.put_executions([training])

    run = pb.Context(type_id=made.run.id, name="run-1", external_id="c-run")
    run.properties["owner"].string_value = "Ada"
    (made.outer, made.inner) = store.put_contexts([run, pb.Context(type_id=made.run.id, name="in")])

    event = pb.Event(artifact_id=made.rows, execution_id=made.training, type=pb.Event.INPUT)
    event.path.steps.add().key = "examples"
    event.path.steps.add().index = 1
    event.milliseconds_since_epoch = 1234
    store.put_events([event])
    store.put_attributions_and_associations(
        [pb.Attribution(artifact_id=made.rows, context_id=made.outer)],
        [pb.Association(execution_id=made.training, context_id=made.outer)],
    )
    store.put_parent_contexts([pb.ParentContext(parent_id=made.outer, child_id=made.inner)])
    return made


def ids(nodes):
    return sorted(node.id for node in nodes)


# Types.


@drives("PutArtifactType", "GetArtifactType")
def test_an_artifact_type_comes_back_as_it_was_put_and_may_grow(store, graph):
    assert store.get_artifact_type("DataSet", "v1") == graph.dataset
    grown = pb.ArtifactType(name="Growing", properties={"a": pb.INT})
    grown.id = store.put_artifact_type(grown)
    more = pb.ArtifactType(name="Growing", properties={"b": pb.STRING})
    with pytest.raises(errors.AlreadyExistsError):
        store.put_artifact_type(more)
    assert store.put_artifact_type(more, can_add_fields=True, can_omit_fields=True) == grown.id
    assert store.get_artifact_type("Growing").properties == {"a": pb.INT, "b": pb.STRING}


@drives("PutExecutionType", "GetExecutionType")
def test_an_execution_type_keeps_its_base_type_and_its_input_and_output_types(store, graph):
    assert store.put_execution_type(graph.train) == graph.train.id
    assert store.get_execution_type("Train") == graph.train
    with pytest.raises(errors.NotFoundError):
        store.get_execution_type("Train", "v1")


@drives("PutContextType", "GetContextType")
def test_a_context_type_is_one_of_its_own_beside_an_artifact_type_of_the_same_name(store, graph):
    assert store.get_context_type("Run") == graph.run
    namesake = pb.ContextType(name="DataSet", version="v1")
    namesake.id = store.put_context_type(namesake)
    assert namesake.id != graph.dataset.id
    assert store.get_context_type("DataSet", "v1") == namesake


@drives("PutTypes")
def test_types_of_all_kinds_are_put_at_once_or_not_at_all(store, stub):
    request = service.PutTypesRequest(
        artifact_types=[pb.ArtifactType(name="Batch")],
        execution_types=[pb.ExecutionType(name="Batch"), pb.ExecutionType(name="Batch")],
        context_types=[pb.ContextType(name="Batch")],
    )
    put = stub.PutTypes(request)
    assert store.get_artifact_type("Batch").id == put.artifact_type_ids[0]
    assert list(put.execution_type_ids) == [store.get_execution_type("Batch").id] * 2
    assert store.get_context_type("Batch").id == put.context_type_ids[0]
    request.artifact_types[0].name = "Half"
    request.context_types[0].name = ""
    with pytest.raises(grpc.RpcError) as refused:
        stub.PutTypes(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(errors.NotFoundError):
        store.get_artifact_type("Half")


@drives("GetArtifactTypes", "GetExecutionTypes", "GetContextTypes")
def test_all_types_are_listed_without_those_of_the_system(store, graph):
    listed = store.get_artifact_types() + store.get_execution_types() + store.get_context_types()
    by_id = {found.id: found for found in listed}
    for put in (graph.dataset, graph.train, graph.run):
        found = by_id[put.id]
        assert (found.name, found.properties, found.base_type) == (
            put.name,
            put.properties,
            put.base_type,
        )
    assert not [found.name for found in listed if found.name.startswith("mlmd.")]


@drives("GetArtifactTypesByID", "GetExecutionTypesByID", "GetContextTypesByID")
def test_types_by_id_come_in_the_order_asked_and_skip_unknown_ids(store, graph):
    wanted = [graph.model.id, UNKNOWN_ID, graph.dataset.id, graph.model.id]
    found = store.get_artifact_types_by_id(wanted)
    assert found == [graph.model, graph.dataset, graph.model]
    assert store.get_execution_types_by_id([graph.train.id]) == [graph.train]
    assert store.get_execution_types_by_id([graph.dataset.id]) == []
    assert store.get_context_types_by_id([graph.run.id]) == [graph.run]


@drives(
    "GetArtifactTypesByExternalIds",
    "GetExecutionTypesByExternalIds",
    "GetContextTypesByExternalIds",
)
def test_types_are_found_by_external_id(store, graph):
    (dataset,) = store.get_artifact_types_by_external_ids(["type-dataset", "nobody"])
    assert (dataset.id, dataset.properties) == (graph.dataset.id, graph.dataset.properties)
    assert store.get_execution_types_by_external_ids(["type-train"])[0].id == graph.train.id
    assert store.get_context_types_by_external_ids(["type-run"]) == [graph.run]
    with pytest.raises(errors.NotFoundError):
        store.get_context_types_by_external_ids(["type-train"])


# Nodes.


@drives("PutArtifacts", "GetArtifactsByID")
def test_an_artifact_keeps_every_value_and_may_be_changed_field_by_field(store, graph):
    (rows,) = store.get_artifacts_by_id([graph.rows, UNKNOWN_ID, graph.rows])
    assert (rows.name, rows.type, rows.uri) == ("rows", "DataSet", "/data/rows")
    assert rows.properties["schema"].struct_value["columns"][1]["unit"] == "cm"
    assert rows.properties["share"].double_value == 0.1
    assert rows.custom_properties["checked"].bool_value is True

    model = pb.Artifact(type_id=graph.model.id, uri="/m/1", state=pb.Artifact.PENDING)
    model.properties["raw"].proto_value.Pack(rows)
    (model.id,) = store.put_artifacts([model])
    change = pb.Artifact(id=model.id, uri="/m/2", state=pb.Artifact.LIVE)
    store.put_artifacts([change], field_mask_paths=["state"])
    (changed,) = store.get_artifacts_by_id([model.id])
    assert (changed.uri, changed.state) == ("/m/1", pb.Artifact.LIVE)
    assert changed.properties == model.properties
    assert changed.create_time_since_epoch <= changed.last_update_time_since_epoch


@drives("PutExecutions", "GetExecutionsByID")
def test_an_execution_is_replaced_as_a_whole_by_an_update_without_mask(store, graph):
    (training,) = store.get_executions_by_id([graph.training])
    assert (training.type, training.last_known_state) == ("Train", pb.Execution.COMPLETE)
    again = pb.Execution(type_id=graph.train.id, name="again", last_known_state=pb.Execution.NEW)
    again.properties["epochs"].int_value = 1
    again.custom_properties["note"].string_value = "ü"
    (again.id,) = store.put_executions([again])
    store.put_executions([pb.Execution(id=again.id, last_known_state=pb.Execution.FAILED)])
    (replaced,) = store.get_executions_by_id([again.id])
    assert (replaced.name, replaced.last_known_state) == ("again", pb.Execution.FAILED)
    assert not replaced.properties
    assert not replaced.custom_properties


@drives("PutContexts", "GetContextsByID")
def test_a_context_name_is_taken_once_per_type(store, graph):
    (run,) = store.get_contexts_by_id([graph.outer])
    assert (run.name, run.type, run.external_id) == ("run-1", "Run", "c-run")
    assert run.properties["owner"].string_value == "Ada"
    with pytest.raises(errors.AlreadyExistsError):
        store.put_contexts([pb.Context(type_id=graph.run.id, name="run-1")])
    with pytest.raises(errors.InvalidArgumentError):
        store.put_contexts([pb.Context(type_id=graph.run.id)])


@drives("GetArtifactsByID")
def test_artifacts_by_id_bring_their_types_along_when_asked(store, graph):
    artifacts, found = store.get_artifacts_and_types_by_artifact_ids([graph.rows, graph.other])
    assert ids(artifacts) == [graph.rows, graph.other]
    assert [(one.id, one.properties) for one in found] == [
        (graph.dataset.id, graph.dataset.properties)
    ]


@drives("GetArtifacts", "GetExecutions", "GetContexts")
def test_all_nodes_are_listed_and_pages_follow_the_order(store, stub, graph):
    assert {graph.rows, graph.other} <= set(ids(store.get_artifacts()))
    assert graph.training in ids(store.get_executions())
    newest = ListOptions(limit=1, order_by=OrderByField.ID, is_asc=False)
    assert ids(store.get_contexts(newest)) == ids(store.get_contexts())[-1:]
    options = pb.ListOperationOptions(max_result_size=1)
    first = stub.GetArtifacts(service.GetArtifactsRequest(options=options))
    options.next_page_token = first.next_page_token
    second = stub.GetArtifacts(service.GetArtifactsRequest(options=options))
    assert ids(first.artifacts) + ids(second.artifacts) == ids(store.get_artifacts())[:2]


@drives("GetArtifactsByType", "GetExecutionsByType", "GetContextsByType")
def test_nodes_are_listed_by_type_and_version(store, graph):
    assert ids(store.get_artifacts_by_type("DataSet", "v1"))[:2] == [graph.rows, graph.other]
    assert store.get_artifacts_by_type("DataSet") == []
    assert store.get_executions_by_type("Train")[0].id == graph.training
    assert ids(store.get_contexts_by_type("Run"))[:2] == [graph.outer, graph.inner]


@drives("GetArtifactByTypeAndName", "GetExecutionByTypeAndName", "GetContextByTypeAndName")
def test_a_node_is_found_by_type_and_name_or_answered_with_nothing(store, graph):
    assert store.get_artifact_by_type_and_name("DataSet", "rows", "v1").id == graph.rows
    assert store.get_execution_by_type_and_name("Train", "training").id == graph.training
    assert store.get_context_by_type_and_name("Run", "in").id == graph.inner
    assert store.get_artifact_by_type_and_name("DataSet", "rows") is None
    assert store.get_execution_by_type_and_name("Nothing", "training") is None


@drives("GetArtifactsByURI")
def test_artifacts_are_found_by_the_exact_uri(store, graph):
    assert ids(store.get_artifacts_by_uri("/data/rows")) == [graph.rows, graph.other]
    assert store.get_artifacts_by_uri("/data/ROWS") == []


@drives("GetArtifactsByExternalIds", "GetExecutionsByExternalIds", "GetContextsByExternalIds")
def test_nodes_are_found_by_external_id(store, graph):
    assert ids(store.get_artifacts_by_external_ids(["a-rows", "nobody"])) == [graph.rows]
    assert ids(store.get_executions_by_external_ids(["e-training"])) == [graph.training]
    assert ids(store.get_contexts_by_external_ids(["c-run"])) == [graph.outer]
    with pytest.raises(errors.NotFoundError):
        store.get_contexts_by_external_ids(["nobody"])


# Events and links.


@drives("PutEvents", "GetEventsByExecutionIDs", "GetEventsByArtifactIDs")
def test_events_keep_their_path_and_time(store, graph):
    expected = pb.Event(artifact_id=graph.rows, execution_id=graph.training, type=pb.Event.INPUT)
    expected.path.steps.add().key = "examples"
    expected.path.steps.add().index = 1
    expected.milliseconds_since_epoch = 1234
    assert store.get_events_by_execution_ids([graph.training]) == [expected]
    assert store.get_events_by_artifact_ids([graph.rows]) == [expected]
    with pytest.raises(errors.AlreadyExistsError):
        store.put_events([expected])


@drives(
    "PutAttributionsAndAssociations",
    "GetContextsByArtifact",
    "GetContextsByExecution",
    "GetArtifactsByContext",
    "GetExecutionsByContext",
)
def test_contexts_hold_artifacts_and_executions_both_ways(store, stub, graph):
    assert ids(store.get_contexts_by_artifact(graph.rows)) == [graph.outer]
    assert ids(store.get_contexts_by_execution(graph.training)) == [graph.outer]
    assert ids(store.get_artifacts_by_context(graph.outer)) == [graph.rows]
    assert ids(store.get_executions_by_context(graph.outer)) == [graph.training]
    assert store.get_artifacts_by_context(graph.inner) == []
    with pytest.raises(grpc.RpcError) as refused:
        stub.GetContextsByArtifact(service.GetContextsByArtifactRequest(artifact_id=graph.other))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    link = pb.Attribution(artifact_id=graph.rows, context_id=graph.outer)
    store.put_attributions_and_associations([link], [])
    assert ids(store.get_artifacts_by_context(graph.outer)) == [graph.rows]


@drives(
    "PutParentContexts",
    "GetParentContextsByContext",
    "GetChildrenContextsByContext",
    "GetParentContextsByContexts",
    "GetChildrenContextsByContexts",
)
def test_contexts_nest_without_cycles(store, stub, graph):
    assert ids(store.get_parent_contexts_by_context(graph.inner)) == [graph.outer]
    assert ids(store.get_children_contexts_by_context(graph.outer)) == [graph.inner]
    both = [graph.outer, graph.inner]
    parents = stub.GetParentContextsByContexts(
        service.GetParentContextsByContextsRequest(context_ids=both)
    )
    assert {c: ids(p.parent_contexts) for c, p in parents.contexts.items()} == {
        graph.inner: [graph.outer]
    }
    children = stub.GetChildrenContextsByContexts(
        service.GetChildrenContextsByContextsRequest(context_ids=both)
    )
    assert {p: ids(c.children_contexts) for p, c in children.contexts.items()} == {
        graph.outer: [graph.inner]
    }
    with pytest.raises(errors.InvalidArgumentError):
        store.put_parent_contexts([pb.ParentContext(parent_id=graph.inner, child_id=graph.outer)])


# Whole steps.


@drives("PutExecution")
def test_put_execution_writes_a_step_with_its_artifacts_events_and_contexts(store, graph):
    model = pb.Artifact(type_id=graph.model.id, uri="/models/step")
    execution_id, artifact_ids, context_ids = store.put_execution(
        pb.Execution(type_id=graph.train.id, name="step"),
        [
            (pb.Artifact(id=graph.other, type_id=graph.dataset.id, uri="/data/rows"), None),
            (model, pb.Event(type=pb.Event.OUTPUT)),
        ],
        [pb.Context(type_id=graph.run.id, name="run-2"), pb.Context(id=graph.inner)],
        force_reuse_context=True,
    )
    assert artifact_ids[0] == graph.other
    assert context_ids[1] == graph.inner
    (event,) = store.get_events_by_execution_ids([execution_id])
    assert (event.artifact_id, event.type) == (artifact_ids[1], pb.Event.OUTPUT)
    for context_id in context_ids:
        assert ids(store.get_artifacts_by_context(context_id)) == sorted(artifact_ids)
        assert ids(store.get_executions_by_context(context_id)) == [execution_id]


@drives("PutLineageSubgraph")
def test_put_lineage_subgraph_writes_nodes_and_edges_by_index_and_by_id(store, graph):
    edges = [
        (0, 1, pb.Event(type=pb.Event.OUTPUT)),
        (0, None, pb.Event(type=pb.Event.INPUT, artifact_id=graph.rows)),
    ]
    executions, artifacts, contexts = store.put_lineage_subgraph(
        [pb.Execution(type_id=graph.train.id)],
        [pb.Artifact(type_id=graph.model.id, uri=f"/models/sub-{n}") for n in range(2)],
        [pb.Context(type_id=graph.run.id, name="sub-run")],
        edges,
    )
    events = store.get_events_by_execution_ids(executions)
    assert {(e.artifact_id, e.type) for e in events} == {
        (artifacts[1], pb.Event.OUTPUT),
        (graph.rows, pb.Event.INPUT),
    }
    assert ids(store.get_artifacts_by_context(contexts[0])) == artifacts
    assert ids(store.get_executions_by_context(contexts[0])) == executions
    with pytest.raises(errors.OutOfRangeError):
        store.put_lineage_subgraph([], [], [], [(0, 0, pb.Event(type=pb.Event.INPUT))])


# Filters and lineage.


@drives("GetArtifacts", "GetExecutions", "GetContexts")
def test_lists_take_a_filter_and_an_empty_one_is_none(store, graph):
    def found(listing, filter_query):
        return ids(listing(list_options=ListOptions(filter_query=filter_query)))

    assert found(store.get_artifacts, "uri = '/data/rows' AND name IS NULL") == [graph.other]
    assert found(store.get_artifacts, "properties.rows.int_value > 149") == [graph.rows]
    assert found(store.get_artifacts, "contexts_c.name = 'run-1'") == [graph.rows]
    assert found(store.get_executions, f"events_e.artifact_id = {graph.rows}")[0] == graph.training
    assert found(store.get_executions, "last_known_state = COMPLETE") == [graph.training]
    assert found(store.get_contexts, "properties.owner.string_value LIKE 'A_a'") == [graph.outer]
    assert found(store.get_contexts, "parent_contexts_p.name = 'run-1'") == [graph.inner]
    assert found(store.get_artifacts, "") == ids(store.get_artifacts())
    with pytest.raises(errors.InvalidArgumentError):
        found(store.get_artifacts, "nothing = 1")


@drives("GetArtifactsByContext", "GetExecutionsByContext", "GetContextsByType")
def test_the_nodes_of_a_context_or_a_type_may_be_filtered(stub, graph):
    cases = (
        ("GetArtifactsByContext", "artifacts", {"context_id": graph.outer}, graph.rows),
        ("GetExecutionsByContext", "executions", {"context_id": graph.outer}, graph.training),
        ("GetContextsByType", "contexts", {"type_name": "Run"}, graph.inner),
    )
    for method, plural, fields, member in cases:
        for filter_query, found in ((f"id = {member}", [member]), ("id < 0", [])):
            options = pb.ListOperationOptions(filter_query=filter_query)
            request = getattr(service, method + "Request")(options=options, **fields)
            assert ids(getattr(getattr(stub, method)(request), plural)) == found


@drives("GetLineageSubgraph")
def test_a_lineage_goes_both_ways_to_the_ends_and_as_far_as_asked(store, stub, graph):
    types = (graph.dataset.id, graph.train.id)
    first, last = store.put_artifacts(
        [pb.Artifact(type_id=types[0], name=f"lineage-{n}") for n in range(2)]
    )
    execution = pb.Execution(type_id=types[1], name="lineage")
    (step,) = store.put_executions([execution])
    store.put_events(
        [
            pb.Event(artifact_id=first, execution_id=step, type=pb.Event.INPUT),
            pb.Event(artifact_id=last, execution_id=step, type=pb.Event.OUTPUT),
        ]
    )
    options = pb.LineageSubgraphQueryOptions()
    options.starting_artifacts.filter_query = "name = 'lineage-0'"
    options.direction = options.DOWNSTREAM
    lineage = store.get_lineage_subgraph(options)
    assert ids(lineage.artifacts) == [first, last]
    assert [found.name for found in lineage.executions] == ["lineage"]
    assert [found.name for found in lineage.artifact_types] == ["DataSet"]
    assert {event.type for event in lineage.events} == {pb.Event.INPUT, pb.Event.OUTPUT}
    options.max_num_hops = 1
    assert ids(store.get_lineage_subgraph(options).artifacts) == [first]
    options.max_num_hops = 2
    options.ending_executions.filter_query = "type = 'Train'"
    assert ids(store.get_lineage_subgraph(options).executions) == []
    options.ending_executions.include_ending_nodes = True
    lineage = store.get_lineage_subgraph(options, ["executions"])
    assert (ids(lineage.executions), ids(lineage.artifacts)) == ([step], [])
    options.direction = options.UPSTREAM
    assert ids(store.get_lineage_subgraph(options).artifacts) == [first]
    options.starting_artifacts.filter_query = "name = 'nobody'"
    with pytest.raises(errors.NotFoundError):
        store.get_lineage_subgraph(options)
    with pytest.raises(errors.InvalidArgumentError):
        store.get_lineage_subgraph(pb.LineageSubgraphQueryOptions())


# What is not served.


@drives("GetLineageGraph")
def test_the_lineage_graph_answers_unimplemented_and_says_so(stub):
    with pytest.raises(grpc.RpcError) as refused:
        stub.GetLineageGraph(service.GetLineageGraphRequest())
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "GetLineageGraph" in refused.value.details()


def test_no_method_of_the_service_is_left_out():
    driven = set()
    for test in vars(sys.modules[__name__]).values():
        for mark in getattr(test, "pytestmark", ()):
            driven |= set(mark.args)
    assert driven == {method.name for method in SERVICE.methods}
    assert len(driven) == 52
