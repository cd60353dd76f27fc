"""Artifacts, executions and contexts: putting, updating and finding them."""

import pytest
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2 as pb

from kinds import ARTIFACT, CONTEXT, ids_of


def test_nodes_are_found_as_they_were_put(store, kind):
    type_id = kind.put_type(store, kind.type())
    node = kind.node(type_id, "n", 7, external_id="x")
    node.properties["label"].string_value = "ä\0'\""
    node.properties["ratio"].double_value = 1 / 3
    node.custom_properties["yes"].bool_value = True
    node.custom_properties["struct"].struct_value["a"] = [1, {"b": None}]
    node.custom_properties["proto"].proto_value.Pack(pb.Value(int_value=3))
    [node.id] = kind.put(store, [node])
    [stored] = kind.get_by_id(store, [node.id])
    assert stored.type == "T"
    assert stored.create_time_since_epoch == stored.last_update_time_since_epoch > 0
    for field in ("type", "create_time_since_epoch", "last_update_time_since_epoch"):
        stored.ClearField(field)
    if kind is ARTIFACT:
        node.uri = ""
    assert stored == node


def test_ids_come_back_in_the_order_of_the_nodes(store, kind):
    ids = kind.put_some(store, 5)
    assert isinstance(ids, list)
    assert [node.name for node in kind.get_by_id(store, ids)] == [f"n{at}" for at in range(5)]


@pytest.mark.parametrize("collection", [list, set, tuple, iter])
def test_ids_may_come_in_any_collection_and_unknown_ones_are_skipped(store, kind, collection):
    ids = kind.put_some(store, 2)
    assert set(ids_of(kind.get_by_id(store, collection([*ids, 999])))) == set(ids)
    assert kind.get_by_id(store, collection([])) == []


def test_artifacts_come_with_their_types(store):
    ids = ARTIFACT.put_some(store, 2, "A") + ARTIFACT.put_some(store, 1, "B")
    ARTIFACT.put_some(store, 1, "C")
    artifacts, types = store.get_artifacts_and_types_by_artifact_ids(ids)
    assert set(ids_of(artifacts)) == set(ids)
    assert sorted(type_.name for type_ in types) == ["A", "B"]
    assert {artifact.type_id for artifact in artifacts} == set(ids_of(types))
    assert store.get_artifacts_and_types_by_artifact_ids([]) == ([], [])


@pytest.mark.parametrize("version", [(), ("v1",)])
def test_nodes_are_found_by_type_and_name(store, kind, version):
    other = kind.put_type(store, kind.type("T", version="other"))
    kind.put(store, [kind.node(other, "n1")])
    type_id = kind.put_type(store, kind.type("T", version=version[0] if version else None))
    ids = kind.put(store, [kind.node(type_id, "n1"), kind.node(type_id, "n2")])
    assert ids_of(kind.get_by_type(store, "T", *version)) == ids
    assert kind.get_by_type_and_name(store, "T", "n2", *version).id == ids[1]
    assert kind.get_by_type_and_name(store, "T", "n3", *version) is None
    assert kind.get_by_type_and_name(store, "T", "n1", "no version") is None


def test_an_unknown_type_has_no_nodes(store, kind):
    assert kind.get_by_type(store, "T") == []
    assert kind.get_by_type_and_name(store, "T", "n") is None


def test_nodes_are_found_by_external_id(store, kind):
    type_id = kind.put_type(store, kind.type())
    ids = kind.put(store, [kind.node(type_id, at, external_id=f"x{at}") for at in "12"])
    assert ids_of(kind.get_by_external_ids(store, ["x1", "x2", "x3"])) == ids
    assert ids_of(kind.get_by_external_ids(store, {"x2"})) == ids[1:]
    with pytest.raises(errors.NotFoundError):
        kind.get_by_external_ids(store, ["x3"])
    with pytest.raises(errors.InvalidArgumentError):
        kind.get_by_external_ids(store, [""])
    with pytest.raises(errors.AlreadyExistsError):
        kind.put(store, [kind.node(type_id, "3", external_id="x1")])


def test_artifacts_are_found_by_uri(store):
    type_id = ARTIFACT.put_type(store, ARTIFACT.type())
    uris = ["/a", "/a", "/A", "/a/b"]
    ids = store.put_artifacts([pb.Artifact(type_id=type_id, uri=uri) for uri in uris])
    assert ids_of(store.get_artifacts_by_uri("/a")) == ids[:2]
    assert store.get_artifacts_by_uri("/") == []


def test_an_update_replaces_the_node(store, kind):
    [node_id] = kind.put_some(store, 1)
    [before] = kind.get_by_id(store, [node_id])
    node = kind.node(before.type_id, "n0", id=node_id)
    node.custom_properties["note"].string_value = "new"
    assert kind.put(store, [node]) == [node_id]
    [after] = kind.get_by_id(store, [node_id])
    assert not after.properties
    assert after.custom_properties["note"].string_value == "new"
    assert after.create_time_since_epoch == before.create_time_since_epoch
    assert after.last_update_time_since_epoch >= before.last_update_time_since_epoch


def test_a_masked_update_changes_what_the_mask_names(store, kind):
    type_id = kind.put_type(store, kind.type())
    node = kind.node(type_id, "n", 1, external_id="x")
    node.properties["label"].string_value = "old"
    [node.id] = kind.put(store, [node])
    node.properties["count"].int_value = 2
    node.properties["label"].string_value = "new"
    node.external_id = "y"
    kind.put(store, [node], ["properties.count", "external_id"])
    [stored] = kind.get_by_id(store, [node.id])
    assert stored.properties["count"].int_value == 2
    assert stored.properties["label"].string_value == "old"
    assert stored.external_id == "y"
    kind.put(store, [node], [])
    [stored] = kind.get_by_id(store, [node.id])
    assert stored.properties["label"].string_value == "new", "an empty mask is none"


def test_states_are_kept(store):
    type_id = store.put_artifact_type(pb.ArtifactType(name="A"))
    [artifact_id] = store.put_artifacts([pb.Artifact(type_id=type_id, state=pb.Artifact.LIVE)])
    type_id = store.put_execution_type(pb.ExecutionType(name="E"))
    state = pb.Execution.RUNNING
    [execution_id] = store.put_executions([pb.Execution(type_id=type_id, last_known_state=state)])
    assert store.get_artifacts_by_id([artifact_id])[0].state == pb.Artifact.LIVE
    assert store.get_executions_by_id([execution_id])[0].last_known_state == state


def test_names_are_unique_in_a_type_and_nothing_of_a_failed_call_stays(store, kind):
    kind.put_some(store, 1)
    type_id = kind.get_type(store, "T").id
    with pytest.raises(errors.AlreadyExistsError):
        kind.put(store, [kind.node(type_id, "new"), kind.node(type_id, "n0")])
    assert [node.name for node in kind.get(store)] == ["n0"]
    other = kind.put_type(store, kind.type("Other"))
    kind.put(store, [kind.node(other, "n0")])


def test_what_does_not_fit_is_refused(store, kind):
    type_id = kind.put_type(store, kind.type())
    wrong_kind, unknown_property = kind.node(type_id), kind.node(type_id)
    wrong_kind.properties["count"].string_value = "1"
    unknown_property.properties["weight"].int_value = 1
    refused = [wrong_kind, unknown_property, kind.node(type_id, id=999), kind.node(None)]
    for node in refused:
        with pytest.raises(errors.InvalidArgumentError):
            kind.put(store, [node])
    with pytest.raises(errors.NotFoundError):
        kind.put(store, [kind.node(999)])
    assert kind.get(store) == []


def test_a_context_needs_a_name(store):
    type_id = CONTEXT.put_type(store, CONTEXT.type())
    with pytest.raises(errors.InvalidArgumentError):
        store.put_contexts([pb.Context(type_id=type_id)])


@pytest.mark.parametrize("nodes", [None, 5, [1], [pb.Event()]])
def test_what_is_no_node_is_refused_before_it_is_sent(store, kind, nodes):
    with pytest.raises(TypeError):
        kind.put(store, nodes)


def test_nothing_may_be_put(store, kind):
    assert kind.put(store, []) == []
