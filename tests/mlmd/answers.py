"""Two stores side by side: asks both, and makes their answers comparable.

Times differ between two stores, so each is replaced by what can be compared: a creation time by
whether it ever changed, an update time by how often it was seen to change.
"""

from dataclasses import dataclass

import grpc
from google.protobuf import text_format
from ml_metadata import errors
from ml_metadata.proto import metadata_store_service_pb2 as service

from operations import KINDS, SAME_UPDATE_TIME

CODES = {code.value[0]: code.name for code in grpc.StatusCode}
RECENT = 1_500_000_000_000
IN_REQUEST_ORDER = ("GetArtifactTypesByID", "GetExecutionTypesByID", "GetContextTypesByID")


@dataclass
class Answer:
    """Status code, response (empty unless OK), and the words of an error."""

    code: str
    response: object
    words: str = ""

    def __str__(self):
        text = text_format.MessageToString(self.response, as_utf8=True)
        return f"{self.code} {self.words}\n{text}"


class WheelCaller:
    """Calls the released library in this process.

    It has the two plural reads of related contexts on the wire only; here they are put together
    from its singular reads.
    """

    PLURAL = {
        "GetParentContextsByContexts": ("GetParentContextsByContext", "parent_contexts"),
        "GetChildrenContextsByContexts": ("GetChildrenContextsByContext", "children_contexts"),
    }

    def __init__(self, store):
        self.store = store

    def call(self, method, request):
        if method in self.PLURAL:
            return self._call_one_by_one(method, request)
        response = getattr(service, method + "Response")()
        try:
            self.store._call_method(method, request, response)
        except errors.StatusError as error:
            return Answer(CODES[error.error_code], type(response)(), str(error))
        except UnicodeDecodeError as error:  # it quotes half a character, from a broken filter
            return Answer("INVALID_ARGUMENT", type(response)(), str(error))
        return Answer("OK", response)

    def _call_one_by_one(self, method, request):
        singular, field = self.PLURAL[method]
        response = getattr(service, method + "Response")()
        if not request.context_ids:
            return Answer("INVALID_ARGUMENT", response, "no context ids")
        for context_id in set(request.context_ids):
            single = getattr(service, singular + "Request")(context_id=context_id)
            answer = self.call(singular, single)
            if answer.code != "OK":
                return Answer(answer.code, response, answer.words)
            if answer.response.contexts:
                getattr(response.contexts[context_id], field).extend(answer.response.contexts)
        return Answer("OK", response)


class StubCaller:
    """Calls a server through the stub of the released library."""

    def __init__(self, stub):
        self.stub = stub

    def call(self, method, request):
        try:
            return Answer("OK", getattr(self.stub, method)(request, timeout=30))
        except grpc.RpcError as error:
            response = getattr(service, method + "Response")()
            return Answer(error.code().name, response, error.details())


def lists_in(response, kind):
    """The lists of nodes of one kind in a response."""
    if not hasattr(response, kind.plural):
        return []
    found = getattr(response, kind.plural)
    if not hasattr(found, "items"):
        return [found]
    field = "parent_contexts" if "Parent" in type(response).__name__ else "children_contexts"
    return [getattr(relatives, field) for relatives in found.values()]


def nodes_in(response):
    for kind in KINDS:
        if hasattr(response, kind.name) and response.HasField(kind.name):
            yield kind, getattr(response, kind.name)
        for nodes in lists_in(response, kind):
            for node in nodes:
                yield kind, node


def in_order(operation, given):
    """A copy of a response in which every list without a promised order is sorted."""
    response = type(given)()
    response.CopyFrom(given)
    is_ordered = hasattr(operation.request, "options") and operation.request.HasField("options")
    for kind in KINDS:
        if not is_ordered:
            for nodes in lists_in(response, kind):
                nodes.sort(key=lambda node: node.id)
        types = getattr(response, f"{kind.name}_types", None)
        if types is not None and operation.method not in IN_REQUEST_ORDER:
            types.sort(key=lambda found: found.id)
    if hasattr(response, "lineage_subgraph"):
        graph = response.lineage_subgraph
        graph.attributions.sort(key=lambda link: (link.artifact_id, link.context_id))
        graph.associations.sort(key=lambda link: (link.execution_id, link.context_id))
        for kind in KINDS:
            for name in (kind.plural, f"{kind.name}_types"):
                getattr(graph, name).sort(key=lambda found: found.id)
    events_in(response).sort(key=lambda e: (e.artifact_id, e.execution_id, e.type))
    return response


def events_in(response):
    """The list of events in a response, wherever it is; an empty one if it has none."""
    return getattr(getattr(response, "lineage_subgraph", response), "events", [])


class Side:
    """One store, with the times and tokens it has answered so far."""

    def __init__(self, caller):
        self.caller = caller
        self.created = {}
        self.updated = {}
        self.tokens = {}

    def ask(self, operation, number=None, page=None):
        """The raw answer; placeholders in the request become this side's tokens and times."""
        request = type(operation.request)()
        request.CopyFrom(operation.request)
        if hasattr(request, "options") and hasattr(request.options, "next_page_token"):
            if page is not None:
                request.options.next_page_token = page
            elif request.options.next_page_token.startswith("@"):
                earlier = int(request.options.next_page_token[1:])
                request.options.next_page_token = self.tokens[earlier]
        if operation.method == "PutArtifacts":
            for artifact in request.artifacts:
                if artifact.last_update_time_since_epoch == SAME_UPDATE_TIME:
                    times = self.updated.get(("artifact", artifact.id), [0])
                    artifact.last_update_time_since_epoch = times[-1]
        answer = self.caller.call(operation.method, request)
        if token := getattr(answer.response, "next_page_token", ""):
            self.tokens[number] = token
        return answer

    def comparable(self, operation, answer):
        """The answer without what legitimately differs between two stores."""
        response = in_order(operation, answer.response)
        for kind, node in nodes_in(response):
            self._replace_times(kind, node)
        for event in events_in(response):
            if event.milliseconds_since_epoch > RECENT:
                event.milliseconds_since_epoch = RECENT
        if getattr(response, "next_page_token", ""):
            response.next_page_token = "some"
        return response

    def _replace_times(self, kind, node):
        key = (kind.name, node.id)
        created, updated = node.create_time_since_epoch, node.last_update_time_since_epoch
        times = self.updated.setdefault(key, [updated])
        if updated != times[-1]:
            times.append(updated)
        is_sane = created == self.created.setdefault(key, created)
        is_sane = is_sane and RECENT < created <= updated and times == sorted(set(times))
        node.create_time_since_epoch = 1 if is_sane else -1
        node.last_update_time_since_epoch = len(times)
