"""Writes a store with the ml_metadata that is installed, or prints all that is in one as JSON.

python interchange.py write|add|read FILE
"""

import json
import sys

import ml_metadata as mlmd
from google.protobuf import json_format
from ml_metadata.proto import metadata_store_pb2 as pb


def open_store(path):
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = path
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return mlmd.MetadataStore(config)


def fill_in_properties(node):
    node.properties["count"].int_value = -(2**62)
    node.properties["label"].string_value = "ä 'quoted' \"twice\" \\ \n"
    # MLMD stores six digits; more would be lost by its own doing.
    node.properties["ratio"].double_value = 0.125
    node.custom_properties["yes"].bool_value = True
    node.custom_properties["struct"].struct_value["list"] = [1, "a", None, {"b": False}]
    node.custom_properties["proto"].proto_value.Pack(pb.Value(int_value=3))
    return node


def write(store, tag="1"):
    """A bit of everything; each tag names nodes of its own."""
    properties = {"count": pb.INT, "label": pb.STRING, "ratio": pb.DOUBLE}
    fields = {"properties": properties, "version": "v1", "description": "of tests"}
    base = pb.ArtifactType.DATASET
    artifact_type = store.put_artifact_type(pb.ArtifactType(name="A", base_type=base, **fields))
    execution_type = store.put_execution_type(pb.ExecutionType(name="E", **fields))
    context_type = store.put_context_type(pb.ContextType(name="C", **fields))
    artifacts = [
        fill_in_properties(pb.Artifact(type_id=artifact_type, name=f"a{tag}", uri="/a", state=2)),
        pb.Artifact(type_id=artifact_type, external_id=f"a{tag}"),
    ]
    execution = fill_in_properties(
        pb.Execution(type_id=execution_type, name=f"e{tag}", last_known_state=3)
    )
    context = fill_in_properties(pb.Context(type_id=context_type, name=f"c{tag}"))
    event = pb.Event(type=pb.Event.OUTPUT)
    event.path.steps.add(key="out")
    event.path.steps.add(index=1)
    edges = [(0, 0, event), (0, 1, pb.Event(type=pb.Event.INPUT))]
    _, _, [parent] = store.put_lineage_subgraph([execution], artifacts, [context], edges)
    [child] = store.put_contexts([pb.Context(type_id=context_type, name=f"child{tag}")])
    store.put_parent_contexts([pb.ParentContext(parent_id=parent, child_id=child)])


def read(store):
    """All that there is, with ids and times."""
    order = mlmd.ListOptions(order_by=mlmd.OrderByField.ID)
    artifacts, executions = store.get_artifacts(order), store.get_executions(order)
    contexts = store.get_contexts(order)
    found = {
        "artifacts": artifacts,
        "executions": executions,
        "contexts": contexts,
        "artifact types": store.get_artifact_types(),
        "execution types": store.get_execution_types(),
        "context types": store.get_context_types(),
        "events": store.get_events_by_execution_ids([node.id for node in executions]),
    }
    for context in contexts:
        found[f"artifacts of {context.name}"] = store.get_artifacts_by_context(context.id)
        found[f"executions of {context.name}"] = store.get_executions_by_context(context.id)
        found[f"parents of {context.name}"] = store.get_parent_contexts_by_context(context.id)
    query = pb.LineageSubgraphQueryOptions()
    query.starting_executions.filter_query = "name = 'e1'"
    graph = store.get_lineage_subgraph(query)
    for field, messages in graph.ListFields():
        # MLMD promises no order in a graph.
        found[f"{field.name} of the lineage"] = sorted(messages, key=str)
    return {
        name: [json_format.MessageToDict(message) for message in messages]
        for name, messages in found.items()
    }


if __name__ == "__main__":
    verb, path = sys.argv[1:]
    if verb == "read":
        print(json.dumps(read(open_store(path))))
    else:
        write(open_store(path), tag="1" if verb == "write" else "2")
