"""Artifact, execution and context, with the methods of a store for each."""

import dataclasses
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as pb

PROPERTIES = {"count": pb.INT, "label": pb.STRING, "ratio": pb.DOUBLE}


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of node. `kind.get_types(store)` calls `get_artifact_types`, and so on."""

    name: str
    node_message: Any
    type_message: Any

    def __str__(self):
        return self.name

    def type(self, name="T", properties=None, **fields):
        return self.type_message(
            name=name, properties=PROPERTIES if properties is None else properties, **fields
        )

    def node(self, type_id, name=None, count=None, **fields):
        node = self.node_message(type_id=type_id, **fields)
        if name or self.name == "context":
            # A context must have a name; any will do where the test is not about it.
            node.name = name or f"c{id(node)}"
        if count is not None:
            node.properties["count"].int_value = count
        return node

    def put_type(self, store, type_, **options):
        return getattr(store, f"put_{self.name}_type")(type_, **options)

    def put(self, store, nodes, *options):
        return getattr(store, f"put_{self.name}s")(nodes, *options)

    def put_some(self, store, count, type_name="T"):
        """The ids of new nodes whose property `count` counts from 0."""
        type_id = self.put_type(store, self.type(type_name))
        nodes = [self.node(type_id, f"n{at}", at) for at in range(count)]
        return self.put(store, nodes)

    def get_type(self, store, *which):
        return getattr(store, f"get_{self.name}_type")(*which)

    def get_types(self, store):
        return getattr(store, f"get_{self.name}_types")()

    def get_types_by_id(self, store, ids):
        return getattr(store, f"get_{self.name}_types_by_id")(ids)

    def get_types_by_external_ids(self, store, external_ids):
        return getattr(store, f"get_{self.name}_types_by_external_ids")(external_ids)

    def get(self, store, *options, **named):
        return getattr(store, f"get_{self.name}s")(*options, **named)

    def get_by_id(self, store, ids):
        return getattr(store, f"get_{self.name}s_by_id")(ids)

    def get_by_type(self, store, *which):
        return getattr(store, f"get_{self.name}s_by_type")(*which)

    def get_by_type_and_name(self, store, *which):
        return getattr(store, f"get_{self.name}_by_type_and_name")(*which)

    def get_by_external_ids(self, store, external_ids):
        return getattr(store, f"get_{self.name}s_by_external_ids")(external_ids)


ARTIFACT = Kind("artifact", pb.Artifact, pb.ArtifactType)
EXECUTION = Kind("execution", pb.Execution, pb.ExecutionType)
CONTEXT = Kind("context", pb.Context, pb.ContextType)
KINDS = [ARTIFACT, EXECUTION, CONTEXT]


def ids_of(messages):
    return [message.id for message in messages]
