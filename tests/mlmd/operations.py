"""Seeded random operations on a metadata store.

An operation is a method and its request message. Most are valid; the others hold exactly one
error, because the order in which a store looks for errors is its own business. The generator
remembers types, nodes and links from the answers, so that later operations can build on them.
"""

import random
from dataclasses import dataclass

from google.protobuf import any_pb2, struct_pb2
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

# What is mended in Headwater and therefore never generated, and why.
AVOIDED = {
    "doubles that need more than two decimals": "MLMD keeps six digits",
    "a custom property without a value": "it kills the process of the wheel",
    "events on artifacts that do not exist, by PutExecution or PutLineageSubgraph": "stored there",
    "an empty artifact and event pair beside a context": "attributes artifact -1 there",
    "pages larger than 100": "cut at 101 without a token there",
    "pages by update time smaller than one batch of writes": "they can repeat for ever there",
    "a property and a custom property of one name": "they overwrite each other there",
    "the strings __MLMD_NULL__, mlmd-struct::... and those with NUL": "unreadable there",
    "struct types nested more than a few levels": "45 levels kill the process of the wheel",
    "an Any without a type": "fails when read there",
    "a type twice in one request, the second time without its external id": "lost there",
    "page tokens of another kind of node": "mean nothing; either answer is right",
    "two errors in one request": "which is found first is not part of the contract",
    "a broken filter for the end of a lineage": "not looked at there when no node may end",
    "in filters, the names of columns as texts": "they are taken for the columns there",
    "in filters, texts with \\, control characters or both quotes": "they are changed there",
    "in filters, the same state or type of event twice": "refused there",
    "in filters, properties with capitals or quotes in their names": "not found there",
    "in filters, numbers of 2^63 and more, and overflow": "SQLite's business there",
    "in filters, the text of a struct behind its first letters": "the order of fields is not fixed",
}

UNKNOWN_ID = 987654
SAME_UPDATE_TIME = -7_000_001  # stands for the update time this side last answered


@dataclass(frozen=True)
class Kind:
    """Artifact, execution or context: the same operations under three names."""

    name: str
    node: type
    type: type

    @property
    def title(self):
        return self.name.capitalize()

    @property
    def plural(self):
        return self.name + "s"


ARTIFACT = Kind("artifact", pb.Artifact, pb.ArtifactType)
EXECUTION = Kind("execution", pb.Execution, pb.ExecutionType)
CONTEXT = Kind("context", pb.Context, pb.ContextType)
KINDS = (ARTIFACT, EXECUTION, CONTEXT)
PROPERTY_TYPES = (pb.INT, pb.DOUBLE, pb.STRING, pb.STRUCT, pb.PROTO, pb.BOOLEAN)
STRINGS = ("", "a", "été ☂ 𝄞", 'it\'s; -- "x" `y`', "back\\slash", "two\nlines\t", "%_", "z" * 700)
INTS = (0, 1, -1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63), 42)
SYSTEM_TYPES = {
    ARTIFACT: ("mlmd.Dataset", "mlmd.Model", "mlmd.Metrics", "mlmd.Statistics"),
    EXECUTION: ("mlmd.Train", "mlmd.Transform", "mlmd.Process", "mlmd.Evaluate", "mlmd.Deploy"),
    CONTEXT: (),
}
BASE_TYPES = {ARTIFACT: (1, 2, 3, 4), EXECUTION: (1, 2, 3, 4, 5), CONTEXT: ()}


@dataclass
class Operation:
    """One step: a method, its request, what is special about it, and whether to turn pages."""

    method: str
    request: object
    note: str = "valid"
    walk: bool = False


def new_request(method, **fields):
    return getattr(service, method + "Request")(**fields)


class Generator:
    """Makes operations from a seed, and learns from answers what the store holds."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.count = 0
        self.types = {kind: {} for kind in KINDS}
        self.nodes = {kind: {} for kind in KINDS}
        self.events = []
        self.parents = []
        self.tokens = []

    # Chance.

    def chance(self, probability):
        return self.random.random() < probability

    def choice(self, things):
        return self.random.choice(list(things))

    def fresh(self, prefix):
        self.count += 1
        return f"{prefix}{self.count}"

    def pick(self, kind, *wanted):
        """A stored node that has the wanted fields, or nothing."""
        nodes = [n for n in self.nodes[kind].values() if all(n.HasField(w) for w in wanted)]
        return self.choice(nodes) if nodes else None

    # Values.

    def value(self, property_type):
        value = pb.Value()
        if property_type == pb.INT:
            value.int_value = self.choice(INTS)
        elif property_type == pb.DOUBLE:
            value.double_value = self.random.randint(-2000, 2000) / 4
        elif property_type == pb.STRING:
            value.string_value = self.choice(STRINGS)
        elif property_type == pb.BOOLEAN:
            value.bool_value = self.chance(0.5)
        elif property_type == pb.STRUCT:
            value.struct_value.CopyFrom(self.struct())
        else:
            value.proto_value.CopyFrom(self.packed())
        return value

    def struct(self):
        struct = struct_pb2.Struct()
        if self.chance(0.8):
            struct.update({"n": 1.5, "s": self.choice(STRINGS), "l": [True, None, {"deep": 1e-9}]})
        return struct

    def packed(self):
        packed = any_pb2.Any()
        packed.Pack(pb.Artifact(name=self.choice(STRINGS)))
        return packed

    def fill(self, node, node_type, share=0.6):
        for name, property_type in sorted(node_type.properties.items()):
            if self.chance(share):
                node.properties[name].CopyFrom(self.value(property_type))
        for name in ("c1", "c two", "c'3", " "):
            if self.chance(0.25):
                value = self.value(self.choice(PROPERTY_TYPES))
                node.custom_properties[name].CopyFrom(value)

    def decorate(self, kind, node):
        if kind is ARTIFACT:
            if self.chance(0.7):
                node.uri = self.choice(("", "/data/1", "/data/2", "s3://b/ü?x=1"))
            if self.chance(0.5):
                node.state = self.random.randint(0, 6)
        if kind is EXECUTION and self.chance(0.5):
            node.last_known_state = self.random.randint(0, 6)
        if self.chance(0.05):
            node.system_metadata.CopyFrom(self.packed())
        if self.chance(0.1):
            node.create_time_since_epoch = 12

    # Types.

    def struct_type(self, depth=3):
        """An input or output type of executions; stored as it came, never looked into."""
        struct_type = pb.ArtifactStructType()
        form = self.random.randint(0, 7) if depth else 4
        if form == 0:
            struct_type.simple.name = self.fresh("Simple")
            struct_type.simple.properties["p"] = pb.INT
        elif form == 1:
            struct_type.union_type.candidates.add().CopyFrom(self.struct_type(depth - 1))
        elif form == 2:
            struct_type.intersection.constraints.add().CopyFrom(self.struct_type(depth - 1))
        elif form == 3:
            struct_type.list.element.CopyFrom(self.struct_type(depth - 1))
        elif form == 4:
            getattr(struct_type, self.choice(("none", "any"))).SetInParent()
        elif form == 5:
            for _ in range(2):
                struct_type.tuple.elements.add().CopyFrom(self.struct_type(depth - 1))
        elif form == 6:
            struct_type.dict.properties["é"].CopyFrom(self.struct_type(depth - 1))
            struct_type.dict.none_type_not_required = self.chance(0.5)
        else:
            struct_type.dict.extra_properties_type.CopyFrom(self.struct_type(depth - 1))
        return struct_type

    def new_type(self, kind):
        made = kind.type(name=self.fresh(kind.title))
        if self.chance(0.5):
            made.name = self.choice(("T0", "T1", "it's a type", "Ünï"))
            made.version = self.choice(("", "v1", "v2", self.fresh("v")))
        for property_type in PROPERTY_TYPES:
            if self.chance(0.6):
                made.properties[f"p{property_type}"] = property_type
        if self.chance(0.3):
            made.description = self.choice(STRINGS)
        if self.chance(0.3):
            made.external_id = self.fresh("x")
        if BASE_TYPES[kind] and self.chance(0.4):
            made.base_type = self.choice(BASE_TYPES[kind])
        if kind is EXECUTION and self.chance(0.5):
            made.input_type.CopyFrom(self.struct_type())
            made.output_type.CopyFrom(self.struct_type())
        return made

    def evolved_type(self, kind):
        """A stored type as it is put again: the same, with more, fewer or other properties."""
        stored = self.choice(self.types[kind].values()) if self.types[kind] else None
        if stored is None:
            return self.new_type(kind)
        put = kind.type()
        put.CopyFrom(stored)
        put.ClearField("id")
        if self.chance(0.3):
            put.properties[self.fresh("more")] = self.choice(PROPERTY_TYPES)
        if put.properties and self.chance(0.3):
            del put.properties[self.choice(sorted(put.properties))]
        if self.chance(0.2):
            put.description = "another"
        if self.chance(0.3):
            put.ClearField("base_type")
        if self.chance(0.3):
            put.ClearField("external_id")
        if self.chance(0.2):
            put.external_id = self.fresh("x")
        return put

    def system_type(self, kind):
        return kind.type(name=self.choice(SYSTEM_TYPES[kind])) if SYSTEM_TYPES[kind] else None

    def flawed_type(self, kind, flaw):
        put = self.new_type(kind)
        put.name, put.version = self.fresh("Flawed"), ""
        stored = self.choice(self.types[kind].values()) if self.types[kind] else None
        if flaw == "no name":
            put.ClearField("name")
        elif flaw == "empty name":
            put.name = ""
        elif flaw == "unknown property type":
            put.properties["u"] = pb.UNKNOWN
        elif flaw == "nameless property":
            put.properties[""] = pb.INT
        elif flaw == "unset base type":
            put.base_type = 0
        elif flaw == "base type is itself" and SYSTEM_TYPES[kind]:
            index = self.random.randrange(len(SYSTEM_TYPES[kind]))
            put = kind.type(name=SYSTEM_TYPES[kind][index], base_type=index + 1)
        elif flaw == "external id taken":
            owner = self.choice(KINDS)
            taken = [t for t in self.types[owner].values() if t.external_id]
            if not taken:
                return None
            put.external_id = self.choice(taken).external_id
        elif stored is None:
            return None
        elif flaw == "other property type" and stored.properties:
            put = kind.type(name=stored.name, version=stored.version)
            put.properties.update(stored.properties)
            name = self.choice(sorted(put.properties))
            put.properties[name] = put.properties[name] % 6 + 1
        elif flaw == "other base type" and stored.base_type:
            put = kind.type(name=stored.name, version=stored.version)
            put.properties.update(stored.properties)
            put.base_type = stored.base_type % len(BASE_TYPES[kind]) + 1
        else:
            return None
        return put

    TYPE_FLAWS = (
        "no name",
        "empty name",
        "unknown property type",
        "nameless property",
        "unset base type",
        "base type is itself",
        "external id taken",
        "other property type",
        "other base type",
    )

    def type_to_put(self, kind):
        """A type, and what is wrong with it."""
        dice = self.random.random()
        if dice < 0.25:
            flaw = self.choice(self.TYPE_FLAWS)
            flawed = self.flawed_type(kind, flaw)
            if flawed is not None:
                return flawed, flaw
        if dice < 0.6:
            return self.evolved_type(kind), "evolve"
        if dice < 0.65 and SYSTEM_TYPES[kind]:
            return self.system_type(kind), "system type"
        return self.new_type(kind), "valid"

    def flags(self, request, cautious=0.5):
        if not self.chance(cautious):
            request.can_add_fields = True
            request.can_omit_fields = self.chance(0.7)
        elif self.chance(0.3):
            request.can_omit_fields = True
        if self.chance(0.1):
            request.can_delete_fields = True

    def put_type(self):
        kind = self.choice(KINDS)
        put, note = self.type_to_put(kind)
        request = new_request(f"Put{kind.title}Type", **{f"{kind.name}_type": put})
        self.flags(request)
        if note == "valid" and self.chance(0.05):
            request.all_fields_match = False
            note = "not all fields match"
        return Operation(f"Put{kind.title}Type", request, note)

    def put_types(self):
        request = new_request("PutTypes")
        notes = []
        flawed = self.choice(KINDS) if self.chance(0.3) else None
        for kind in KINDS:
            types = getattr(request, f"{kind.name}_types")
            for _ in range(self.random.randint(0, 2)):
                types.add().CopyFrom(self.new_type(kind))
            if kind is flawed:
                put, note = self.type_to_put(kind)
                types.add().CopyFrom(put)
                notes.append(note)
        if request.artifact_types and self.chance(0.1):
            request.artifact_types.add().CopyFrom(request.artifact_types[0])
        self._spell_out_external_ids(request.artifact_types)
        self._spell_out_external_ids(request.execution_types)
        self._spell_out_external_ids(request.context_types)
        request.can_add_fields = request.can_omit_fields = self.chance(0.8)
        if not notes and self.chance(0.03):
            request.all_fields_match = False
            notes = ["not all fields match"]
        return Operation("PutTypes", request, ", ".join(notes) or "valid")

    @staticmethod
    def _spell_out_external_ids(types):
        seen = {}
        for put in types:
            known = seen.setdefault((put.name, put.version), put.external_id)
            if known:
                put.external_id = known

    # Nodes.

    def new_node(self, kind):
        node_type = self.choice(self.types[kind].values())
        node = kind.node(type_id=node_type.id)
        if kind is CONTEXT or self.chance(0.7):
            node.name = self.fresh(self.choice(("n", "n", "é'\"☂ ")))
        if self.chance(0.3):
            node.external_id = self.fresh("x")
        self.fill(node, node_type)
        self.decorate(kind, node)
        return node

    def changed_node(self, kind, whole=False):
        """A stored node as it is put again: untouched, edited, or with most of it left out."""
        stored = self.pick(kind)
        if stored is None:
            return self.new_node(kind)
        node = kind.node()
        node.CopyFrom(stored)
        form = self.random.random()
        if form > 0.3:
            node.ClearField("type")
        if form > 0.5:
            for properties in (node.properties, node.custom_properties):
                for name in sorted(properties):
                    if self.chance(0.4):
                        del properties[name]
            self.fill(node, self.types[kind][stored.type_id], share=0.4)
            self.decorate(kind, node)
            if self.chance(0.2):
                node.name = self.fresh("n")
            if self.chance(0.2):
                node.external_id = self.fresh("x")
        if form > 0.85:
            node = kind.node(id=stored.id, type_id=stored.type_id, name=stored.name)
            if not stored.HasField("name"):
                node.ClearField("name")
        if not whole and self.chance(0.3):
            node.ClearField("type_id")
        return node

    def node(self, kind, whole=False):
        if self.chance(0.4):
            return self.changed_node(kind, whole)
        return self.new_node(kind)

    NODE_FLAWS = (
        "unknown type",
        "no type",
        "type of another kind",
        "unknown id",
        "id zero",
        "negative id",
        "another type",
        "wrong value",
        "wrong value by update",
        "undeclared property",
        "undeclared property by update",
        "unset property value",
        "name taken",
        "name taken by update",
        "external id taken",
        "external id taken by update",
        "no name",
        "empty name",
        "empty external id",
    )

    def flawed_node(self, kind, flaw):
        """A node with one error, or nothing if the store does not hold what the error needs."""
        node = self.new_node(kind)
        if flaw == "unknown type":
            node.type_id = UNKNOWN_ID
            node.properties.clear()
        elif flaw == "no type":
            node.ClearField("type_id")
        elif flaw == "type of another kind":
            others = [k for k in KINDS if k is not kind and self.types[k]]
            node.type_id = self.choice(self.types[self.choice(others)])
            node.properties.clear()
        elif flaw in ("unknown id", "id zero", "negative id"):
            node.id = {"unknown id": UNKNOWN_ID, "id zero": 0, "negative id": -3}[flaw]
        elif flaw == "no name":
            node.ClearField("name")
        elif flaw == "empty name":
            node.name = ""
        elif flaw == "empty external id":
            node.external_id = ""
        else:
            return self._flawed_by_store(kind, flaw, node)
        return node

    def _flawed_by_store(self, kind, flaw, node):
        by_update = flaw.endswith(" by update")
        stored = self.pick(kind)
        if by_update or flaw == "another type":
            if stored is None:
                return None
            node = kind.node()
            node.CopyFrom(stored)
        if flaw == "another type":
            others = [i for i in self.types[kind] if i != stored.type_id]
            if not others:
                return None
            node.type_id = self.choice(others)
            node.properties.clear()
        elif flaw.startswith("wrong value"):
            declared = sorted(self.types[kind][node.type_id].properties.items())
            if not declared:
                return None
            name, property_type = self.choice(declared)
            node.properties[name].CopyFrom(self.value(property_type % 6 + 1))
        elif flaw.startswith("undeclared property"):
            node.properties["undeclared"].int_value = 1
        elif flaw == "unset property value":
            node.properties["p1"].Clear()
        elif flaw.startswith("name taken"):
            taken = self.pick(kind, "name")
            if taken is None:
                return None
            node.name = taken.name
            if not by_update:
                node.type_id = taken.type_id
                node.properties.clear()
        else:
            taken = self.pick(kind, "external_id")
            if taken is None:
                return None
            node.external_id = taken.external_id
        return node

    def nodes_to_put(self, kind, whole=False, flawed=0.25, most=3):
        """Some nodes, at most one of them with an error, and what the error is."""
        nodes = [self.node(kind, whole) for _ in range(self.random.randint(1, most))]
        if self.chance(flawed):
            flaw = self.choice(self.NODE_FLAWS)
            node = self.flawed_node(kind, flaw)
            if node is not None:
                nodes.insert(self.random.randint(0, len(nodes)), node)
                return nodes, flaw
        return nodes, "valid"

    def mask(self):
        paths = (
            "uri state last_known_state external_id name properties custom_properties properties.p1"
            " properties.p3 custom_properties.c1 properties.nothing type_id create_time_since_epoch"
            " bogus"
        ).split()
        return self.random.sample(paths, self.random.randint(1, 4))

    def put_nodes(self):
        kind = self.choice(KINDS)
        nodes, note = self.nodes_to_put(kind)
        request = new_request(f"Put{kind.title}s", **{kind.plural: nodes})
        if note == "valid" and self.chance(0.4):
            request.update_mask.paths.extend(self.mask())
            note = "masked"
        if self.chance(0.1):
            request.transaction_options.tag = "tagged"
        return Operation(f"Put{kind.title}s", request, note)

    def put_artifacts_unless_changed(self):
        artifacts = [self.node(ARTIFACT), self.changed_node(ARTIFACT)]
        request, note = new_request("PutArtifacts", artifacts=artifacts), "abort if changed"
        request.options.abort_if_latest_updated_time_changed = True
        for artifact in request.artifacts:
            artifact.last_update_time_since_epoch = SAME_UPDATE_TIME
        if self.chance(0.5):
            request.artifacts[-1].last_update_time_since_epoch = 5
            note = "abort because changed"
        return Operation("PutArtifacts", request, note)

    # Answers.

    def readback(self, operation, response):
        """Reads of everything that a successful write has touched."""
        reads = []
        for kind in KINDS:
            type_ids = list(getattr(response, f"{kind.name}_type_ids", ()))
            if operation.method == f"Put{kind.title}Type":
                type_ids = [response.type_id]
            if type_ids:
                method = f"Get{kind.title}TypesByID"
                reads.append(Operation(method, new_request(method, type_ids=type_ids), "readback"))
            ids = list(getattr(response, f"{kind.name}_ids", ()))
            if operation.method == "PutExecution" and kind is EXECUTION:
                ids = [response.execution_id]
            if ids:
                method = f"Get{kind.title}sByID"
                request = new_request(method, **{f"{kind.name}_ids": ids})
                reads.append(Operation(method, request, "readback"))
        return reads

    def learn(self, operation, response, number):
        """Remembers what an answer tells about the store."""
        method, request = operation.method, operation.request
        for kind in KINDS:
            if method == f"Get{kind.title}TypesByID":
                for found in getattr(response, f"{kind.name}_types"):
                    self.types[kind][found.id] = found
            elif method == f"Get{kind.title}sByID":
                for found in getattr(response, kind.plural):
                    self.nodes[kind][found.id] = found
        if method == "PutEvents":
            self.events.extend((e.artifact_id, e.execution_id, e.type) for e in request.events)
        elif method == "PutParentContexts":
            self.parents.extend((p.parent_id, p.child_id) for p in request.parent_contexts)
        elif method == "PutLineageSubgraph":
            for edge in request.event_edges:
                event = edge.event
                execution_id = event.execution_id or response.execution_ids[edge.execution_index]
                artifact_id = event.artifact_id or response.artifact_ids[edge.artifact_index]
                self.events.append((artifact_id, execution_id, event.type))
        elif method == "PutExecution":
            pairs = zip(request.artifact_event_pairs, response.artifact_ids, strict=True)
            for pair, artifact_id in pairs:
                if pair.HasField("event"):
                    self.events.append((artifact_id, response.execution_id, pair.event.type))
        elif getattr(response, "next_page_token", "") and number is not None:
            order = request.options.order_by_field
            self.tokens.append((number, method, order.field, order.is_asc))
