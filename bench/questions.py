"""The questions, and what two answers to one of them must have in common."""

import base64
import sqlite3
from typing import NamedTuple

from google.protobuf import json_format
from google.protobuf.message import Message
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

import graph

PAGE = 100
LAST_UPDATE_TIME = pb.ListOperationOptions.OrderByField.LAST_UPDATE_TIME
UPSTREAM = pb.LineageSubgraphQueryOptions.UPSTREAM
BIDIRECTIONAL = pb.LineageSubgraphQueryOptions.BIDIRECTIONAL


class Question(NamedTuple):
    """One call. The requests differ between the sides in page tokens only."""

    name: str
    method: str
    ours: Message
    theirs: Message
    targets: dict = {}  # size -> how many times as long the wheel is to take
    is_page: bool = True  # whether the answer does not grow with the store


def all_about(path):
    """All questions, about nodes that the file at `path` has."""
    found = Found(path)
    yield from by_id(found)
    for place, offset in (
        ("first", 0),
        ("middle", found.artifacts // 2),
        ("last", found.artifacts - PAGE),
    ):
        tokens = found.tokens_after(offset) if offset else (None, None)
        requests = [artifacts(by_update=True, token=token) for token in tokens]
        yield Question(f"page by update time, {place}", "GetArtifacts", *requests)
    last = artifacts(token=token_after_id(found.artifacts - PAGE))
    yield same("page by id, last", "GetArtifacts", last)
    for name, filter_query, by_update, targets in filters(found):
        yield same(name, "GetArtifacts", artifacts(filter_query, by_update), targets)
    targets = {10_000: 8, 1_000_000: 100}
    yield lineage("lineage, 20 hops upstream", found.deep_id, 20, UPSTREAM, targets)
    hot = "lineage, both ways from the hot data set"
    yield lineage(hot, graph.HOT_ARTIFACT_ID, 2, BIDIRECTIONAL)


def by_id(found):
    """What needs no filter: nodes by id, and what hangs on one."""
    one = service.GetArtifactsByIDRequest(artifact_ids=[found.artifact_id])
    yield same("`get_artifacts_by_id`, 1", "GetArtifactsByID", one, {10_000: 5})
    ids = range(1, found.artifacts, found.artifacts // PAGE)
    many = service.GetArtifactsByIDRequest(artifact_ids=list(ids)[:PAGE])
    yield same("`get_artifacts_by_id`, 100", "GetArtifactsByID", many, {10_000: 8})
    members = service.GetExecutionsByContextRequest(context_id=found.group_id)
    yield same("members of a context, 1,000", "GetExecutionsByContext", members, {10_000: 20})
    contexts = service.GetContextsByExecutionRequest(execution_id=found.execution_id)
    name = "contexts of one execution"
    yield same(name, "GetContextsByExecution", contexts, {1_000_000: 300})


def filters(found):
    many = "properties.accuracy.double_value > 0.9"
    run = f"contexts_run.type = 'run' AND contexts_run.name = '{found.run}'"
    pipeline = f"contexts_p.type = 'pipeline' AND contexts_p.name = '{found.pipeline}'"
    yield "smallest filter, `id = …`", f"id = {found.artifact_id}", False, {10_000: 20}
    yield "accuracy > 0.9, by id", many, False, {1_000_000: 200}
    yield "accuracy > 0.9, by update time", many, True, {}
    for order, by_update in (("id", False), ("update time", True)):
        rare = f"properties.accuracy.double_value > {graph.RARE_ACCURACY}"
        yield f"accuracy > {graph.RARE_ACCURACY}, by {order}", rare, by_update, {}
        owner = f"custom_properties.owner.string_value = '{graph.RARE_OWNER}'"
        yield f"owner of few, by {order}", owner, by_update, {}
    yield "name = '…'", f"name = '{found.name}'", False, {}
    yield "uri = '…'", f"uri = '{found.uri}'", False, {}
    yield "run and output event", f"{run} AND events_0.type = OUTPUT", False, {}
    yield "run and pipeline", f"{run} AND {pipeline}", False, {}


def same(name, method, request, targets=None):
    return Question(name, method, request, request, targets or {})


def artifacts(filter_query="", by_update=False, token=None):
    request = service.GetArtifactsRequest()
    options = request.options
    options.max_result_size = PAGE
    options.order_by_field.is_asc = not by_update
    if filter_query:
        options.filter_query = filter_query
    if by_update:
        options.order_by_field.field = LAST_UPDATE_TIME
    if token:
        options.next_page_token = token
    return request


def lineage(name, artifact_id, hops, direction, targets=None):
    request = service.GetLineageSubgraphRequest()  # without a mask: everything
    options = request.lineage_subgraph_query_options
    options.starting_artifacts.filter_query = f"id = {artifact_id}"
    options.max_num_hops = hops
    options.direction = direction
    return same(name, "GetLineageSubgraph", request, targets)._replace(is_page=False)


class Found:
    """What the questions are about, looked up in the file."""

    def __init__(self, path):
        self.connection = sqlite3.connect(path)
        self.artifacts = self.one("SELECT count(*) FROM Artifact")[0]
        self.run = graph.run_name(graph.DAYS // 2, 5)
        in_run = (
            "SELECT min(Artifact.id), Artifact.name, Artifact.uri FROM Artifact"
            " JOIN Attribution ON artifact_id = Artifact.id"
            " JOIN Context ON Context.id = context_id WHERE Context.name = ?"
        )
        self.artifact_id, self.name, self.uri = self.one(in_run, self.run)
        self.deep_id = self.one(in_run, graph.run_name(graph.DAYS - 1, 5))[0]
        self.group_id = self.one("SELECT id FROM Context WHERE name = ?", graph.GROUP)[0]
        self.execution_id = self.one(
            "SELECT execution_id FROM Event WHERE artifact_id = ?", self.artifact_id
        )[0]
        self.pipeline = self.one(
            "SELECT parent.name FROM ParentContext"
            " JOIN Context AS parent ON parent.id = parent_context_id"
            " JOIN Context AS child ON child.id = context_id WHERE child.name = ?",
            self.run,
        )[0]

    def one(self, sql, *values):
        return self.connection.execute(sql, values).fetchone()

    def tokens_after(self, offset):
        """The tokens, ours and MLMD's, with which the page of the `offset` last updated ends."""
        page = self.connection.execute(
            "SELECT id, last_update_time_since_epoch FROM Artifact"
            " ORDER BY last_update_time_since_epoch DESC, id DESC LIMIT ? OFFSET ?",
            (PAGE, offset - PAGE),
        ).fetchall()
        last_id, last_time = page[-1]
        ours = pb.ListOperationNextPageToken(id_offset=last_id, field_offset=last_time)
        ours.set_options.order_by_field.CopyFrom(artifacts(by_update=True).options.order_by_field)
        # MLMD orders by time alone, and passes over what it listed with the last time.
        listed = [number for number, changed in reversed(page) if changed == last_time]
        theirs = pb.ListOperationNextPageToken(field_offset=last_time, listed_ids=listed)
        theirs.set_options.CopyFrom(artifacts(by_update=True).options)
        return encoded(ours), encoded(theirs)


def token_after_id(last_id):
    """The token, for both sides, with which the page by id ends that has this one last."""
    token = pb.ListOperationNextPageToken(id_offset=last_id, field_offset=last_id)
    token.listed_ids.append(last_id)
    token.set_options.CopyFrom(artifacts().options)
    return encoded(token)


def encoded(token):
    return base64.urlsafe_b64encode(token.SerializeToString()).decode().rstrip("=")


# What two answers must have in common: everything.


def content(method, answer, is_bare=False):
    """What is compared: all nodes, in their order where the call has one; edges and types.

    In a bare lineage, as the contract's method answers it, nodes are their ids; Python's API adds
    the rest of them, with more calls.
    """
    parts = {}
    message = getattr(answer, "lineage_subgraph", answer)
    for field, values in message.ListFields():
        if field.name == "next_page_token" or (is_bare and field.name.endswith("_types")):
            continue
        if is_bare and field.name in ("artifacts", "executions", "contexts"):
            parts[field.name] = [str(value.id) for value in values]
        else:
            parts[field.name] = [text_of(value) for value in values]
        if method in ("GetLineageSubgraph", "GetExecutionsByContext"):
            parts[field.name].sort()
    return parts


def text_of(message):
    """A message in words. The released wheel makes fifteen digits of a double."""
    for field in ("properties", "custom_properties"):
        for value in getattr(message, field, {}).values():
            if hasattr(value, "double_value") and value.HasField("double_value"):
                value.double_value = round(value.double_value, 6)
    return json_format.MessageToJson(message, indent=None, sort_keys=True)


def nodes_of(answer):
    """The nodes of an answer by the name of their table."""
    message = getattr(answer, "lineage_subgraph", answer)
    tables = {"Artifact": "artifacts", "Execution": "executions", "Context": "contexts"}
    found = {table: list(getattr(message, field, [])) for table, field in tables.items()}
    return {table: nodes for table, nodes in found.items() if nodes}


def difference(ours, theirs):
    """Where two contents part, in words; nothing if they are equal."""
    words = []
    for part in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(part, []), theirs.get(part, [])
        if here != there:
            only_here, only_there = set(here) - set(there), set(there) - set(here)
            words.append(
                f"{part}: {len(here)}, the wheel has {len(there)}; {len(only_here)} only here"
                f" {sorted(only_here)[:1]}, {len(only_there)} only there {sorted(only_there)[:1]}"
            )
    return "; ".join(words)


# The bound: the rows that an answer is made of, by ids that are known already.

MINE = "IN (SELECT value FROM json_each(?))"
COLUMNS = {
    "Artifact": "id, type_id, name, external_id, create_time_since_epoch,"
    " last_update_time_since_epoch, uri, state",
    "Execution": "id, type_id, name, external_id, create_time_since_epoch,"
    " last_update_time_since_epoch, last_known_state",
    "Context": "id, type_id, name, external_id, create_time_since_epoch,"
    " last_update_time_since_epoch",
}
EDGES = {
    "Artifact": ["SELECT context_id, artifact_id FROM Attribution WHERE artifact_id " + MINE],
    "Execution": [
        "SELECT context_id, execution_id FROM Association WHERE execution_id " + MINE,
        "SELECT e.*, p.is_index_step, p.step_index, p.step_key FROM Event AS e"
        " LEFT JOIN EventPath AS p ON p.event_id = e.id WHERE e.execution_id " + MINE,
    ],
}


def bound(answer):
    """The statements of an answer, each with its ids, and how many rows they give at least."""
    statements, least = [], 0
    for table, nodes in nodes_of(answer).items():
        ids = [node.id for node in nodes]
        texts = [
            f"SELECT {COLUMNS[table]} FROM {table} WHERE id {MINE}",
            f"SELECT * FROM {table}Property WHERE {table}_id {MINE}",
        ]
        if hasattr(answer, "lineage_subgraph"):
            texts += EDGES.get(table, [])
        statements += [(text, ids) for text in texts]
        least += sum(1 + len(node.properties) + len(node.custom_properties) for node in nodes)
    return statements, least
