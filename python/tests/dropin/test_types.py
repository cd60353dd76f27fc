"""Types: making, extending and finding them."""

import pytest
from ml_metadata import errors
from ml_metadata.metadata_store import mlmd_types
from ml_metadata.proto import metadata_store_pb2 as pb

from kinds import ids_of

VERSIONS = [(), ("v1",)]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_type_is_found_as_it_was_put(store, kind, version):
    made = kind.type(version=version[0] if version else None, description="of tests")
    made.id = kind.put_type(store, made)
    assert kind.get_type(store, "T", *version) == made
    assert kind.get_types(store) == [made]
    assert kind.get_types_by_id(store, {made.id}) == [made]


def test_putting_a_type_again_gives_its_id(store, kind):
    first = kind.put_type(store, kind.type())
    assert kind.put_type(store, kind.type()) == first


def test_versions_of_a_type_are_different_types(store, kind):
    ids = [kind.put_type(store, kind.type(version=version)) for version in (None, "1", "2")]
    assert len(set(ids)) == 3
    assert [kind.get_type(store, "T", version).id for version in (None, "1", "2")] == ids
    assert kind.get_type(store, "T", "").id == ids[0], "an empty version is none"


@pytest.mark.parametrize("version", [None, "v1"])
def test_a_type_gains_and_omits_properties_only_where_that_is_allowed(store, kind, version):
    kind.put_type(store, kind.type(version=version, properties={"a": pb.INT, "b": pb.STRING}))
    other = kind.type(version=version, properties={"a": pb.INT, "c": pb.DOUBLE})
    for allowed in ({}, {"can_add_fields": True}, {"can_omit_fields": True}):
        with pytest.raises(errors.AlreadyExistsError):
            kind.put_type(store, other, **allowed)
    kind.put_type(store, other, can_add_fields=True, can_omit_fields=True)
    stored = kind.get_type(store, "T", version)
    assert dict(stored.properties) == {"a": pb.INT, "b": pb.STRING, "c": pb.DOUBLE}


def test_a_property_keeps_its_kind_of_value(store, kind):
    kind.put_type(store, kind.type(properties={"a": pb.INT}))
    changed = kind.type(properties={"a": pb.STRING})
    with pytest.raises(errors.AlreadyExistsError):
        kind.put_type(store, changed, can_add_fields=True, can_omit_fields=True)


@pytest.mark.parametrize("properties", [{}, {"a": pb.UNKNOWN}])
def test_a_type_needs_a_name_and_known_properties(store, kind, properties):
    name = "T" if properties else ""
    with pytest.raises(errors.InvalidArgumentError):
        kind.put_type(store, kind.type(name, properties))


def test_types_have_external_ids(store, kind):
    made = [kind.put_type(store, kind.type(name, external_id=name.lower())) for name in "AB"]
    assert ids_of(kind.get_types_by_external_ids(store, ["a", "b", "c"])) == made
    with pytest.raises(errors.NotFoundError):
        kind.get_types_by_external_ids(store, ["c"])
    with pytest.raises(errors.InvalidArgumentError):
        kind.get_types_by_external_ids(store, ["a", ""])
    assert kind.get_types_by_external_ids(store, []) == []


def test_unknown_types_are_not_found_by_name_and_skipped_by_id(store, kind):
    with pytest.raises(errors.NotFoundError) as caught:
        kind.get_type(store, "T")
    assert caught.value.error_code == errors.NOT_FOUND
    assert kind.get_types(store) == []
    assert kind.get_types_by_id(store, [12345]) == []
    type_id = kind.put_type(store, kind.type())
    assert ids_of(kind.get_types_by_id(store, (12345, type_id, type_id))) == [type_id, type_id]


def test_a_type_of_another_kind_is_refused_before_it_is_sent(store):
    with pytest.raises(TypeError):
        store.put_artifact_type(pb.ContextType(name="T"))


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (mlmd_types.Dataset, "mlmd.Dataset"),
        (mlmd_types.Model, "mlmd.Model"),
        (mlmd_types.Statistics, "mlmd.Statistics"),
        (mlmd_types.Metrics, "mlmd.Metrics"),
        (mlmd_types.Train, "mlmd.Train"),
        (mlmd_types.Transform, "mlmd.Transform"),
        (mlmd_types.Process, "mlmd.Process"),
        (mlmd_types.Evaluate, "mlmd.Evaluate"),
        (mlmd_types.Deploy, "mlmd.Deploy"),
    ],
)
def test_types_of_ones_own_may_be_based_on_those_that_are_there(store, made, name):
    base = made()
    assert base.name == name
    kind = "artifact" if isinstance(base, mlmd_types.ArtifactType) else "execution"
    message = pb.ArtifactType if kind == "artifact" else pb.ExecutionType
    getattr(store, f"put_{kind}_type")(message(name="T", base_type=base.system_type))
    assert getattr(store, f"get_{kind}_type")("T").base_type == base.system_type
    assert getattr(store, f"get_{kind}_type")(name).name == name
    assert [type_.name for type_ in getattr(store, f"get_{kind}_types")()] == ["T"]


def test_unset_is_no_type():
    with pytest.raises(errors.NotFoundError):
        mlmd_types.ArtifactType(pb.ArtifactType.UNSET)
