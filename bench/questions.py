"""The questions, and what two answers to one of them must have in common."""

import base64
import sqlite3
from typing import NamedTuple

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


def all_about(path):
    """All questions, about nodes that the file at `path` has."""
    found = Found(path)
    one = service.GetArtifactsByIDRequest(artifact_ids=[found.artifact_id])
    yield same("one artifact by id, for the cost of a call", "GetArtifactsByID", one)
    for place, offset in (
        ("first", 0),
        ("middle", found.artifacts // 2),
        ("last", found.artifacts - PAGE),
    ):
        tokens = found.tokens_after(offset) if offset else (None, None)
        requests = [artifacts(by_update=True, token=token) for token in tokens]
        yield Question(f"page by update time, {place}", "GetArtifacts", *requests)
    for name, filter_query, by_update in filters(found):
        yield same(name, "GetArtifacts", artifacts(filter_query, by_update))
    yield lineage("lineage, 20 hops upstream", found.deep_id, 20, UPSTREAM)
    hot = "lineage, both ways from the hot data set"
    yield lineage(hot, graph.HOT_ARTIFACT_ID, 2, BIDIRECTIONAL)


def filters(found):
    many = "properties.accuracy.double_value > 0.9"
    run = f"contexts_run.type = 'run' AND contexts_run.name = '{found.run}'"
    pipeline = f"contexts_p.type = 'pipeline' AND contexts_p.name = '{found.pipeline}'"
    yield "accuracy > 0.9, by id", many, False
    yield "accuracy > 0.9, by update time", many, True
    for order, by_update in (("id", False), ("update time", True)):
        rare = f"properties.accuracy.double_value > {graph.RARE_ACCURACY}"
        yield f"accuracy > {graph.RARE_ACCURACY}, by {order}", rare, by_update
        owner = f"custom_properties.owner.string_value = '{graph.RARE_OWNER}'"
        yield f"owner of few, by {order}", owner, by_update
    yield "name = '...'", f"name = '{found.name}'", False
    yield "uri = '...'", f"uri = '{found.uri}'", False
    yield "run and output event", f"{run} AND events_0.type = OUTPUT", False
    yield "run and pipeline", f"{run} AND {pipeline}", False


def same(name, method, request):
    return Question(name, method, request, request)


def artifacts(filter_query="", by_update=False, token=None):
    request = service.GetArtifactsRequest()
    options = request.options
    options.max_result_size = PAGE
    if filter_query:
        options.filter_query = filter_query
    if by_update:
        options.order_by_field.field = LAST_UPDATE_TIME
        options.order_by_field.is_asc = False
    if token:
        options.next_page_token = token
    return request


def lineage(name, artifact_id, hops, direction):
    request = service.GetLineageSubgraphRequest()  # without a mask: everything
    options = request.lineage_subgraph_query_options
    options.starting_artifacts.filter_query = f"id = {artifact_id}"
    options.max_num_hops = hops
    options.direction = direction
    return same(name, "GetLineageSubgraph", request)


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


def encoded(token):
    return base64.urlsafe_b64encode(token.SerializeToString()).decode().rstrip("=")


# What two answers must have in common, as a whole.


def content(answer):
    """What is compared: ids in order for lists; all nodes, edges and types for a lineage."""
    if not isinstance(answer, service.GetLineageSubgraphResponse):
        return [artifact.id for artifact in answer.artifacts]
    subgraph = answer.lineage_subgraph
    parts = {}
    for field, message in subgraph.ListFields():
        if field.name in ("artifacts", "executions", "contexts"):
            parts[field.name] = sorted(node.id for node in message)
        else:
            parts[field.name] = sorted(
                each.SerializeToString(deterministic=True) for each in message
            )
    return parts


def size_of(answer):
    """How many nodes an answer has."""
    if isinstance(answer, service.GetLineageSubgraphResponse):
        subgraph = answer.lineage_subgraph
        return len(subgraph.artifacts) + len(subgraph.executions)
    return len(answer.artifacts)


def difference(ours, theirs):
    """Where two contents part, in words; nothing if they are equal."""
    if ours == theirs:
        return None
    if isinstance(ours, list):
        return f"{len(ours)} ids, MLMD has {len(theirs)}: {ours[:5]}..., {theirs[:5]}..."
    words = []
    for part in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(part, []), theirs.get(part, [])
        if here != there:
            only_here, only_there = set(here) - set(there), set(there) - set(here)
            words.append(
                f"{part}: {len(here)}, MLMD has {len(there)};"
                f" {len(only_here)} only here, {len(only_there)} only there"
            )
    return "; ".join(words)
