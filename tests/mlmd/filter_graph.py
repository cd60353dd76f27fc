"""A small graph with a bit of everything, always the same, to try filters on.

It is written through the Python client, so that the wheel in process and a server get the same
nodes with the same ids. Times differ between stores; `set_times` overwrites them past the store.
"""

from google.protobuf import any_pb2
from ml_metadata.proto import metadata_store_pb2 as pb

DATA = {
    "n": pb.INT,
    "d": pb.DOUBLE,
    "s": pb.STRING,
    "b": pb.BOOLEAN,
    "j": pb.STRUCT,
    "same": pb.INT,
    "Upper": pb.INT,
    "été": pb.STRING,
    "two words": pb.INT,
    "7": pb.INT,
    "1st": pb.INT,
    "it's": pb.INT,
    "dash-ed": pb.INT,
    "dot.ted": pb.INT,
    "_u": pb.INT,
    "select": pb.INT,
    "int_value": pb.INT,
    "state": pb.INT,
    "properties": pb.INT,
}
ARTIFACT_TYPES = (
    pb.ArtifactType(name="Data", properties=DATA),
    pb.ArtifactType(name="Data", version="v2", properties={"n": pb.INT, "s": pb.STRING}),
    pb.ArtifactType(name="modèle 'x'", properties={"n": pb.DOUBLE, "s": pb.STRING}),
    pb.ArtifactType(name="Bare"),
)
EXECUTION_TYPES = (
    pb.ExecutionType(name="Train", properties={"n": pb.INT, "s": pb.STRING, "b": pb.BOOLEAN}),
    pb.ExecutionType(name="Data"),
)
CONTEXT_TYPES = (
    pb.ContextType(name="Run", properties={"n": pb.INT, "d": pb.DOUBLE, "s": pb.STRING}),
    pb.ContextType(name="Pipeline"),
)
STRINGS = (
    "alpha",
    "ALPHA",
    "Alpha beta",
    " padded ",
    "",
    "100%",
    "under_score",
    "back\\slash",
    "it's",
    'say "hi"',
    "été",
    "ÉTÉ",
    "☂ 𝄞",
    "state = LIVE",
    "properties.n.int_value",
    "line\nbreak",
    "tab\there",
    "12",
    "1.5",
    "true",
)
INTS = (0, 1, -1, 2, 3, 7, 42, 100, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63))
DOUBLES = (0.0, 1.0, -1.0, 0.5, 1.5, -2.5, 42.0, 1e6, 0.25, 3.0)


def value(given):
    made = pb.Value()
    if isinstance(given, bool):
        made.bool_value = given
    elif isinstance(given, int):
        made.int_value = given
    elif isinstance(given, float):
        made.double_value = given
    elif isinstance(given, str):
        made.string_value = given
    elif isinstance(given, dict):
        made.struct_value.update(given)
    else:
        made.proto_value.CopyFrom(given)
    return made


def fill(node, properties=None, custom=None):
    for name, given in (properties or {}).items():
        node.properties[name].CopyFrom(value(given))
    for name, given in (custom or {}).items():
        node.custom_properties[name].CopyFrom(value(given))
    return node


def packed(text):
    made = any_pb2.Any()
    made.Pack(pb.Artifact(name=text))
    return made


def artifacts(type_ids):
    """Twenty of type Data, the rest of the other types; a few without a name."""
    made = []
    for i, text in enumerate(STRINGS):
        node = pb.Artifact(type_id=type_ids[0], uri=f"/data/{i % 5}")
        if i % 7 != 6:
            node.name = text or "empty"
        if i % 3 == 0:
            node.external_id = f"x{i}"
        if i % 8 < 7:
            node.state = i % 8
        given = {"s": text, "n": INTS[i % len(INTS)], "d": DOUBLES[i % len(DOUBLES)]}
        if i % 4:
            given["b"] = i % 4 == 1
        if i % 5 == 0:
            given["j"] = {"deep": [1, text]}
        custom = {"c": [i, i / 2, text, i % 2 == 0, {"k": i}][i % 5]}
        if i == 4:
            custom["p"] = packed("proto")
        made.append(fill(node, given, custom))
    made.append(named_oddly(type_ids[0]))
    rest = (
        (1, "alpha", {"n": 1, "s": "alpha"}, {"n": 2, "c": 1}),
        (1, None, {"n": 5}, {"n": 5, "s": "alpha"}),
        (2, "été", {"n": 1.5, "s": "ALPHA"}, {"d": 0.5}),
        (2, "m2", {"n": 3.0}, {"c": True}),
        (2, None, {}, {}),
        (3, "bare", {}, {"c": "text", "été": 1}),
        (3, "BARE", {}, {"b": False}),
        (3, None, {}, {}),
        (3, "nul", {}, {"c": "1"}),
    )
    for index, name, given, custom in rest:
        node = pb.Artifact(type_id=type_ids[index], name=name)
        made.append(fill(node, given, custom))
    made[-1].uri = "s3://bucket/ü?x=1&y=%20"
    return made


def named_oddly(type_id):
    """An artifact with properties whose names are a trial for any filter."""
    node = pb.Artifact(type_id=type_id, name="odd", state=pb.Artifact.LIVE)
    given = {name: 10 + i for i, name in enumerate(sorted(DATA)) if DATA[name] == pb.INT}
    given["été"] = "summer"
    given["same"] = 1
    custom = {"same": 2, "two words": 3, "UPPER": 4, "a\\b": 5, "%": 6, " ": 7, "": 8, "☂": 9}
    return fill(node, given, custom)


def executions(type_ids):
    made = []
    for i in range(12):
        node = pb.Execution(type_id=type_ids[i % 2])
        if i % 5:
            node.name = f"step {i}" if i % 2 else f"STEP_{i}"
        if i % 4 == 0:
            node.external_id = f"y{i}"
        if i % 8 < 7:
            node.last_known_state = i % 8
        given = {"n": i, "s": STRINGS[i], "b": i % 4 == 0} if i % 2 == 0 else {}
        made.append(fill(node, given, {"c": i, "n": i * 0.5} if i % 3 == 0 else {}))
    return made


def contexts(type_ids):
    made = []
    for i in range(10):
        node = pb.Context(type_id=type_ids[i % 2], name=f"run {i}" if i % 2 else f"Pipe{i}")
        if i % 4 == 0:
            node.external_id = f"z{i}"
        given = {"n": i, "d": i / 4, "s": STRINGS[i]} if i % 2 == 0 else {}
        made.append(fill(node, given, {"c": f"v{i}"} if i % 3 == 0 else {}))
    return made


def build(store):
    """Writes the whole graph; ids follow the order of the lists."""
    type_ids = [
        [store.put_artifact_type(made) for made in ARTIFACT_TYPES],
        [store.put_execution_type(made) for made in EXECUTION_TYPES],
        [store.put_context_type(made) for made in CONTEXT_TYPES],
    ]
    artifact_ids = store.put_artifacts(artifacts(type_ids[0]))
    execution_ids = store.put_executions(executions(type_ids[1]))
    context_ids = store.put_contexts(contexts(type_ids[2]))
    events = []
    for i in range(30):
        event = pb.Event(
            artifact_id=artifact_ids[i * 7 % 25],
            execution_id=execution_ids[i % 10],
            type=1 + i % 7,
            milliseconds_since_epoch=1000 * i,
        )
        event.path.steps.add(key="k")
        events.append(event)
    store.put_events(events)
    store.put_attributions_and_associations(
        [
            pb.Attribution(artifact_id=artifact_ids[i], context_id=context_ids[j])
            for i in range(20)
            for j in {i % 4, i % 7}
        ],
        [
            pb.Association(execution_id=execution_ids[i], context_id=context_ids[j])
            for i in range(10)
            for j in {i % 3, i % 5}
        ],
    )
    pairs = ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (0, 5), (6, 5))
    store.put_parent_contexts(
        [pb.ParentContext(parent_id=context_ids[p], child_id=context_ids[c]) for p, c in pairs]
    )


def set_times(place):
    """Gives every node times that depend on its id alone."""
    place.execute(
        *(
            f"UPDATE {table} SET create_time_since_epoch = 100000 + id * 10,"
            " last_update_time_since_epoch = 200000 + id % 7"
            for table in ("Artifact", "Execution", "Context")
        )
    )
