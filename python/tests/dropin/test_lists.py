"""Lists: all nodes, some of them, in an order, by a filter."""

import pytest
from ml_metadata import ListOptions, OrderByField, errors

from kinds import ARTIFACT, CONTEXT, EXECUTION, ids_of


def test_without_options_everything_is_listed(store, kind):
    assert kind.get(store) == []
    ids = kind.put_some(store, 120)
    assert sorted(ids_of(kind.get(store))) == ids
    assert kind.get(store, None) == kind.get(store)


@pytest.mark.parametrize("limit", [None, 0, 1, 3, 99, 100, 101, 205, 207, 500])
def test_pages_are_put_together_up_to_the_limit(store, kind, limit):
    ids = kind.put_some(store, 206)
    wanted = ids[:limit] if limit else ids
    assert ids_of(kind.get(store, ListOptions(limit=limit))) == wanted
    down = ListOptions(limit=limit, order_by=OrderByField.ID, is_asc=False)
    assert ids_of(kind.get(store, list_options=down)) == (ids[::-1][:limit] if limit else ids[::-1])


@pytest.mark.parametrize("field", list(OrderByField))
@pytest.mark.parametrize("is_asc", [True, False])
def test_lists_are_ordered(store, kind, field, is_asc):
    ids = kind.put_some(store, 103)
    listed = kind.get(store, ListOptions(order_by=field, is_asc=is_asc))
    values = {
        OrderByField.ID: lambda node: node.id,
        OrderByField.CREATE_TIME: lambda node: node.create_time_since_epoch,
        OrderByField.UPDATE_TIME: lambda node: node.last_update_time_since_epoch,
    }
    assert sorted(ids_of(listed)) == ids
    assert listed == sorted(listed, key=values[field], reverse=not is_asc)


def test_a_negative_limit_is_refused(store, kind):
    with pytest.raises(errors.InvalidArgumentError, match="limit"):
        kind.get(store, ListOptions(limit=-1))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("properties.count.int_value > 1", [2, 3]),
        ("name = 'n1' OR name LIKE '%3'", [1, 3]),
        ("type = 'T' AND id > 0", [0, 1, 2, 3]),
        ("name = 'none'", []),
        ("", [0, 1, 2, 3]),
        (None, [0, 1, 2, 3]),
    ],
)
def test_filters_choose_nodes(store, kind, query, found):
    kind.put_some(store, 4)
    listed = kind.get(store, ListOptions(filter_query=query, order_by=OrderByField.ID))
    assert [node.properties["count"].int_value for node in listed] == found


def test_a_filter_holds_for_every_page(store, kind):
    ids = kind.put_some(store, 230)
    listed = kind.get(store, ListOptions(filter_query="properties.count.int_value >= 10"))
    assert ids_of(listed) == ids[10:]


@pytest.mark.parametrize("query", ["name", "name = ", "nothing = 'a'", "name = 'a"])
def test_a_filter_that_is_none_is_refused(store, kind, query):
    kind.put_some(store, 1)
    with pytest.raises(errors.InvalidArgumentError):
        kind.get(store, ListOptions(filter_query=query))


@pytest.fixture
def filled_context(store):
    """A context, and the ids of its 130 artifacts and 130 executions."""
    from ml_metadata.proto import metadata_store_pb2 as pb

    [context] = CONTEXT.put_some(store, 1)
    artifacts, executions = ARTIFACT.put_some(store, 130), EXECUTION.put_some(store, 130)
    store.put_attributions_and_associations(
        [pb.Attribution(context_id=context, artifact_id=id_) for id_ in artifacts],
        [pb.Association(context_id=context, execution_id=id_) for id_ in executions],
    )
    return context, artifacts, executions


def test_the_nodes_of_a_context_are_listed_with_options(store, filled_context):
    context, artifacts, executions = filled_context
    assert sorted(ids_of(store.get_artifacts_by_context(context))) == artifacts
    assert sorted(ids_of(store.get_executions_by_context(context))) == executions
    options = ListOptions(limit=120, order_by=OrderByField.ID, is_asc=False)
    assert ids_of(store.get_artifacts_by_context(context, options)) == artifacts[:9:-1]
    assert (
        ids_of(store.get_executions_by_context(context, list_options=options))
        == (executions[:9:-1])
    )
    options = ListOptions(filter_query="properties.count.int_value = 128")
    assert ids_of(store.get_artifacts_by_context(context, options)) == [artifacts[128]]
    assert ids_of(store.get_executions_by_context(context, options)) == [executions[128]]


def test_the_executions_of_a_context_come_latest_first(store, filled_context):
    context, _, _ = filled_context
    times = [
        (execution.create_time_since_epoch, execution.id)
        for execution in store.get_executions_by_context(context)
    ]
    assert times == sorted(times, reverse=True)


def test_an_unknown_context_has_no_nodes(store):
    assert store.get_artifacts_by_context(999) == []
    assert store.get_executions_by_context(999) == []


def test_list_options_are_a_plain_record():
    options = ListOptions(3, OrderByField.ID, False, "id = 1")
    named = ListOptions(limit=3, order_by=OrderByField.ID, is_asc=False, filter_query="id = 1")
    assert options == named != ListOptions(3)
    assert ListOptions(1) < ListOptions(2)
    assert ListOptions.__hash__ is None
    assert repr(ListOptions(3, OrderByField.ID)) == (
        "ListOptions(limit=3, order_by=<OrderByField.ID: 3>, is_asc=True, filter_query=None)"
    )
    assert [(field.name, field.value) for field in OrderByField] == [
        ("CREATE_TIME", 1),
        ("UPDATE_TIME", 2),
        ("ID", 3),
    ]
