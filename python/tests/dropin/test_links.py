"""Events, and the contexts that nodes and other contexts are in."""

import pytest
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2 as pb

from kinds import ARTIFACT, CONTEXT, EXECUTION, ids_of


@pytest.fixture
def nodes(store):
    """Two artifacts, two executions and two contexts."""
    return ARTIFACT.put_some(store, 2), EXECUTION.put_some(store, 2), CONTEXT.put_some(store, 2)


def event(artifact_id, execution_id, type_=pb.Event.OUTPUT, *steps):
    made = pb.Event(artifact_id=artifact_id, execution_id=execution_id, type=type_)
    for step in steps:
        made.path.steps.add(**{"key" if isinstance(step, str) else "index": step})
    return made


def test_events_are_found_from_both_ends(store, nodes):
    (a1, a2), (e1, e2), _ = nodes
    put = [event(a1, e1), event(a2, e1, pb.Event.INPUT), event(a1, e2, pb.Event.INPUT)]
    assert store.put_events(put) is None
    found = store.get_events_by_execution_ids([e1])
    assert [(e.artifact_id, e.type) for e in found] == [(a1, pb.Event.OUTPUT), (a2, pb.Event.INPUT)]
    assert all(e.milliseconds_since_epoch > 0 for e in found)
    assert len(store.get_events_by_execution_ids({e1, e2})) == 3
    assert {e.execution_id for e in store.get_events_by_artifact_ids((a1,))} == {e1, e2}
    assert store.get_events_by_artifact_ids([999]) == []
    assert store.get_events_by_execution_ids([]) == []


def test_paths_of_events_are_kept(store, nodes):
    (a1, _), (e1, _), _ = nodes
    put = event(a1, e1, pb.Event.DECLARED_OUTPUT, "models", 0, "best", 3)
    put.milliseconds_since_epoch = 12345
    store.put_events([put])
    assert store.get_events_by_artifact_ids([a1]) == [put]


def test_an_event_happens_once(store, nodes):
    (a1, _), (e1, _), _ = nodes
    store.put_events([event(a1, e1)])
    with pytest.raises(errors.AlreadyExistsError):
        store.put_events([event(a1, e1)])


def test_events_need_ids_that_are_stored_and_a_type(store, nodes):
    (a1, a2), (e1, _), _ = nodes
    unknown = pb.Event.UNKNOWN
    wrong = [event(None, e1), event(a1, None), event(a1, 999), event(999, e1)]
    for refused in [*wrong, event(a1, e1, unknown)]:
        with pytest.raises(errors.InvalidArgumentError):
            store.put_events([event(a2, e1), refused])
    assert store.get_events_by_execution_ids([e1]) == []


def test_nodes_are_put_into_contexts(store, nodes):
    (a1, _), (e1, _), (c1, c2) = nodes
    attributions = [pb.Attribution(artifact_id=a1, context_id=c) for c in (c1, c2)]
    associations = [pb.Association(execution_id=e1, context_id=c1)]
    assert store.put_attributions_and_associations(attributions, associations) is None
    store.put_attributions_and_associations(attributions, [])
    assert ids_of(store.get_contexts_by_artifact(a1)) == [c1, c2]
    assert ids_of(store.get_contexts_by_execution(e1)) == [c1]
    assert ids_of(store.get_artifacts_by_context(c2)) == [a1]
    assert ids_of(store.get_executions_by_context(c1)) == [e1]


def test_a_node_in_no_context_is_an_error(store, nodes):
    (a1, _), (e1, _), _ = nodes
    for node in (a1, 999):
        with pytest.raises(errors.NotFoundError):
            store.get_contexts_by_artifact(node)
    for node in (e1, 999):
        with pytest.raises(errors.NotFoundError):
            store.get_contexts_by_execution(node)


def test_links_need_nodes_that_are_stored(store, nodes):
    (a1, _), (e1, _), (c1, _) = nodes
    for attribution in (pb.Attribution(artifact_id=a1, context_id=999), pb.Attribution()):
        with pytest.raises(errors.InvalidArgumentError):
            store.put_attributions_and_associations([attribution], [])
    for association in (pb.Association(execution_id=999, context_id=c1), pb.Association()):
        with pytest.raises(errors.InvalidArgumentError):
            store.put_attributions_and_associations([], [association])


def test_contexts_have_parents(store, nodes):
    _, _, (c1, c2) = nodes
    assert store.put_parent_contexts([pb.ParentContext(parent_id=c1, child_id=c2)]) is None
    assert ids_of(store.get_parent_contexts_by_context(c2)) == [c1]
    assert ids_of(store.get_children_contexts_by_context(c1)) == [c2]
    assert store.get_parent_contexts_by_context(c1) == []
    assert store.get_children_contexts_by_context(999) == []


def test_a_parent_is_put_once(store, nodes):
    _, _, (c1, c2) = nodes
    store.put_parent_contexts([pb.ParentContext(parent_id=c1, child_id=c2)])
    with pytest.raises(errors.AlreadyExistsError):
        store.put_parent_contexts([pb.ParentContext(parent_id=c1, child_id=c2)])


@pytest.mark.parametrize("link", [(0, 0), (1, 0), (0, None), (None, 0), (0, 999), (999, 0)])
def test_a_context_is_not_its_own_ancestor_and_both_are_stored(store, nodes, link):
    _, _, contexts = nodes
    store.put_parent_contexts([pb.ParentContext(parent_id=contexts[0], child_id=contexts[1])])
    parent, child = (contexts[at] if at in (0, 1) else at for at in link)
    with pytest.raises(errors.InvalidArgumentError):
        store.put_parent_contexts([pb.ParentContext(parent_id=parent, child_id=child)])
