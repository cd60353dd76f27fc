"""Whole steps at once: put_execution, put_lineage_subgraph, and reading lineage back."""

import pytest
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2 as pb

from kinds import ARTIFACT, CONTEXT, EXECUTION, ids_of

IN, OUT = pb.Event(type=pb.Event.INPUT), pb.Event(type=pb.Event.OUTPUT)


class Types:
    """The ids of a type of each kind, and nodes of them."""

    def __init__(self, store):
        self.artifact, self.execution, self.context = (
            kind.put_type(store, kind.type()) for kind in (ARTIFACT, EXECUTION, CONTEXT)
        )

    def a(self, name=None, **fields):
        return pb.Artifact(type_id=self.artifact, name=name, **fields)

    def e(self, name=None, **fields):
        return pb.Execution(type_id=self.execution, name=name, **fields)

    def c(self, name="c", **fields):
        return pb.Context(type_id=self.context, name=name, **fields)


@pytest.fixture
def types(store):
    return Types(store)


def test_a_step_is_put_at_once(store, types):
    [used] = store.put_artifacts([types.a("used")])
    execution, artifacts, contexts = store.put_execution(
        types.e("step"),
        [(types.a("used", id=used), IN), (types.a("made"), OUT), (types.a("loose"), None)],
        [types.c("run"), types.c("pipeline")],
    )
    assert isinstance(execution, int)
    assert artifacts[0] == used
    assert (len(artifacts), len(contexts)) == (3, 2)
    events = store.get_events_by_execution_ids([execution])
    assert [(e.artifact_id, e.type) for e in events] == [(artifacts[0], 3), (artifacts[1], 4)]
    for context in contexts:
        assert sorted(ids_of(store.get_artifacts_by_context(context))) == sorted(artifacts)
        assert ids_of(store.get_executions_by_context(context)) == [execution]


@pytest.mark.parametrize("contexts", [None, []])
def test_a_step_needs_neither_artifacts_nor_contexts(store, types, contexts):
    execution, artifacts, context_ids = store.put_execution(types.e(), [], contexts)
    assert (artifacts, context_ids) == ([], [])
    assert ids_of(store.get_executions()) == [execution]


def test_pairs_may_lack_their_event_and_empty_ones_are_left_out(store, types):
    _, artifacts, _ = store.put_execution(types.e(), [(types.a("1"),), (), None], [])
    assert ids_of(store.get_artifacts()) == artifacts
    assert store.get_events_by_artifact_ids(artifacts) == []


def test_a_step_is_updated(store, types):
    execution, _, _ = store.put_execution(types.e("step"), [], [])
    state = pb.Execution.COMPLETE
    again, [made], _ = store.put_execution(
        types.e("step", id=execution, last_known_state=state), [(types.a("made"), OUT)], []
    )
    assert again == execution
    assert store.get_executions_by_id([execution])[0].last_known_state == state
    assert [e.artifact_id for e in store.get_events_by_execution_ids([execution])] == [made]


def test_an_unchanged_execution_keeps_its_time_unless_told_otherwise(store, types):
    execution, _, _ = store.put_execution(types.e("step"), [], [])
    [before] = store.get_executions_by_id([execution])
    store.put_execution(before, [], [])
    assert store.get_executions_by_id([execution]) == [before]
    while store.get_executions_by_id([execution]) == [before]:
        store.put_execution(before, [], [], force_update_time=True)


def test_a_taken_context_is_an_error_or_reused(store, types):
    _, _, [context] = store.put_execution(types.e(), [], [types.c("run")])
    with pytest.raises(errors.AlreadyExistsError):
        store.put_execution(types.e(), [], [types.c("run")])
    execution, _, reused = store.put_execution(
        types.e(), [], [types.c("run")], reuse_context_if_already_exist=True
    )
    assert reused == [context]
    assert execution in ids_of(store.get_executions_by_context(context))


def test_a_context_with_an_id_is_updated_unless_it_is_forced_to_stay(store, types):
    [context] = store.put_contexts([types.c("run")])
    changed = types.c("run", id=context)
    changed.custom_properties["note"].string_value = "new"
    store.put_execution(types.e(), [], [changed], force_reuse_context=True)
    assert not store.get_contexts_by_id([context])[0].custom_properties
    store.put_execution(types.e(), [], [changed])
    assert store.get_contexts_by_id([context])[0].custom_properties
    with pytest.raises(errors.NotFoundError):
        store.put_execution(types.e(), [], [pb.Context(id=999)], force_reuse_context=True)


def test_a_taken_external_id_is_an_error_or_an_update(store, types):
    _, [artifact], _ = store.put_execution(types.e(), [(types.a(external_id="x"), OUT)], [])
    pair = (types.a(external_id="x", uri="/new"), OUT)
    with pytest.raises(errors.AlreadyExistsError):
        store.put_execution(types.e(), [pair], [])
    _, reused, _ = store.put_execution(
        types.e(), [pair], [], reuse_artifact_if_already_exist_by_external_id=True
    )
    assert reused == [artifact]
    assert store.get_artifacts_by_id([artifact])[0].uri == "/new"


def test_a_step_that_does_not_fit_leaves_nothing(store, types):
    [artifact] = store.put_artifacts([types.a("known")])
    elsewhere = pb.Event(artifact_id=artifact + 1, type=pb.Event.INPUT)
    for execution, pair in [
        (types.e(id=999), (types.a("new"), OUT)),
        (types.e(), (types.a(id=999), OUT)),
        (types.e(), (types.a(id=artifact), elsewhere)),
        (pb.Execution(), (types.a("new"), OUT)),
    ]:
        with pytest.raises(errors.InvalidArgumentError):
            store.put_execution(execution, [pair], [types.c()])
    assert (store.get_executions(), store.get_contexts()) == ([], [])
    assert ids_of(store.get_artifacts()) == [artifact]


@pytest.fixture
def chain(store, types):
    """a0 -> e0 -> a1 -> e1 -> a2, all in one context: ids of executions, artifacts, contexts."""
    return store.put_lineage_subgraph(
        [types.e("e0"), types.e("e1")],
        [types.a("a0"), types.a("a1"), types.a("a2")],
        [types.c("run")],
        [(0, 0, IN), (0, 1, OUT), (1, 1, IN), (1, 2, OUT)],
    )


def test_a_graph_is_put_at_once(store, chain):
    executions, artifacts, [context] = chain
    assert (len(executions), len(artifacts)) == (2, 3)
    assert sorted(ids_of(store.get_artifacts_by_context(context))) == artifacts
    assert sorted(ids_of(store.get_executions_by_context(context))) == executions
    events = store.get_events_by_artifact_ids([artifacts[1]])
    assert [(e.execution_id, e.type) for e in events] == [(executions[0], 4), (executions[1], 3)]


def test_edges_of_a_graph_may_name_stored_nodes(store, types, chain):
    _, artifacts, _ = chain
    known = pb.Event(type=pb.Event.INPUT, artifact_id=artifacts[2])
    [execution], made, _ = store.put_lineage_subgraph([types.e("e2")], [], [], [(0, None, known)])
    assert made == []
    assert store.get_events_by_execution_ids([execution])[0].artifact_id == artifacts[2]


def test_a_graph_reuses_what_is_taken_only_if_told_to(store, types, chain):
    executions, _, contexts = chain
    graph = ([types.e("new")], [types.a(external_id="x")], [types.c("run")], [(0, 0, OUT)])
    with pytest.raises(errors.AlreadyExistsError):
        store.put_lineage_subgraph(*graph)
    _, made, reused = store.put_lineage_subgraph(*graph, reuse_context_if_already_exist=True)
    assert reused == contexts
    graph[0][0].name = "newer"
    _, again, _ = store.put_lineage_subgraph(
        *graph,
        reuse_context_if_already_exist=True,
        reuse_artifact_if_already_exist_by_external_id=True,
    )
    assert again == made


@pytest.mark.parametrize(
    ("edge", "error"),
    [
        ((1, 0, OUT), errors.OutOfRangeError),
        ((0, 1, OUT), errors.OutOfRangeError),
        ((-1, 0, OUT), errors.OutOfRangeError),
        ((0, None, OUT), errors.InvalidArgumentError),
        ((None, 0, OUT), errors.InvalidArgumentError),
        ((0, 0, pb.Event()), errors.InvalidArgumentError),
    ],
)
def test_edges_that_lead_nowhere_are_refused(store, types, edge, error):
    with pytest.raises(error):
        store.put_lineage_subgraph([types.e()], [types.a()], [], [edge])
    assert (store.get_executions(), store.get_artifacts()) == ([], [])


def query(filter_query, **fields):
    options = pb.LineageSubgraphQueryOptions(**fields)
    options.starting_artifacts.filter_query = filter_query
    return options


def test_lineage_comes_with_whole_nodes_and_the_types_in_use(store, types, chain):
    executions, artifacts, contexts = chain
    store.put_artifact_type(pb.ArtifactType(name="unused"))
    graph = store.get_lineage_subgraph(query("name = 'a1'"))
    assert isinstance(graph, pb.LineageGraph)
    assert sorted(ids_of(graph.artifacts)) == artifacts
    assert sorted(node.name for node in graph.executions) == ["e0", "e1"]
    assert list(graph.contexts) == store.get_contexts_by_id(contexts)
    assert all(node.type == "T" and node.create_time_since_epoch for node in graph.artifacts)
    assert ids_of(graph.artifact_types) == [types.artifact]
    assert ids_of(graph.execution_types) == [types.execution]
    assert list(graph.context_types) == [store.get_context_type("T")]
    assert (len(graph.events), len(graph.associations), len(graph.attributions)) == (4, 2, 3)


@pytest.mark.parametrize(
    ("direction", "found"),
    [
        (pb.LineageSubgraphQueryOptions.UPSTREAM, ["a0", "a1", "e0"]),
        (pb.LineageSubgraphQueryOptions.DOWNSTREAM, ["a1", "a2", "e1"]),
        (pb.LineageSubgraphQueryOptions.BIDIRECTIONAL, ["a0", "a1", "a2", "e0", "e1"]),
    ],
)
def test_lineage_goes_one_way_or_both(store, chain, direction, found):
    graph = store.get_lineage_subgraph(query("name = 'a1'", direction=direction))
    assert sorted(node.name for node in [*graph.artifacts, *graph.executions]) == found


@pytest.mark.parametrize(("hops", "found"), [(0, 1), (1, 3), (2, 5), (None, 5)])
def test_lineage_goes_as_far_as_asked(store, chain, hops, found):
    graph = store.get_lineage_subgraph(query("name = 'a1'", max_num_hops=hops))
    assert len(graph.artifacts) + len(graph.executions) == found


FIELDS = [field.name for field in pb.LineageGraph.DESCRIPTOR.fields]


@pytest.mark.parametrize(
    "mask",
    [[field] for field in FIELDS]
    + [["events", "artifacts"], ["executions", "execution_types", "contexts"], FIELDS, []],
)
def test_a_mask_says_which_parts_of_lineage_come(store, chain, mask):
    whole = store.get_lineage_subgraph(query("name = 'a1'"))
    graph = store.get_lineage_subgraph(query("name = 'a1'"), field_mask_paths=mask)
    for field in FIELDS:
        expected = list(getattr(whole, field)) if not mask or field in mask else []
        assert list(getattr(graph, field)) == expected, field


def test_types_come_only_with_nodes_that_the_mask_leads_to(store, chain):
    graph = store.get_lineage_subgraph(query("name = 'a1'"), ["events", "artifact_types"])
    assert len(graph.events) == 4
    assert not graph.artifact_types, "as with MLMD: the mask without types has no artifacts"


def test_lineage_needs_a_start_that_is_stored(store, chain):
    with pytest.raises(errors.InvalidArgumentError):
        store.get_lineage_subgraph(pb.LineageSubgraphQueryOptions())
    with pytest.raises(errors.InvalidArgumentError):
        store.get_lineage_subgraph(query("name = 'a1'", max_num_hops=-1))
    with pytest.raises(errors.NotFoundError):
        store.get_lineage_subgraph(query("name = 'none'"))
