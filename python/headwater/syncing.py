"""Takes what was recorded without a store to where it belongs.

>>> import headwater as hw
>>> hw.sync("sqlite:headwater-offline.db", to="grpc://metadata:8080")  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional, Union

from headwater import errors, provenance, recorder, sender, vocabulary
from headwater.store import Store
from headwater.store import open as open_store
from headwater.values import plain
from ml_metadata.proto import metadata_store_pb2 as pb

_PAGE = 100
# Points of one request.
_POINTS = 100_000
# Properties of an execution that name another node of the store by its id.
_IDS = (vocabulary.RUN_PARENT, vocabulary.STEP_SAME_AS)


@dataclass(frozen=True)
class Synced:
    """What was taken along. What was there already counts, too."""

    runs: int
    artifacts: int
    points: int


def sync(source: Union[str, Store], *, to: Union[str, Store, None] = None) -> Synced:
    """Copies runs from one store to another, with what they read and made.

    What is there already is found again, by the names of runs and the digests of versions, so it
    may be repeated. Nothing is taken away at the source.

    Args:
      source: the URL of a store, such as the file that a warning has named.
      to: where to; without it, where runs are recorded.

    Raises:
      headwater.errors.StatusError: a store cannot be reached or refuses something.
    """
    with _opened(source, read_only=True) as here, _opened(to or recorder.place()) as there:
        return _Copy(here, there).all()


@contextlib.contextmanager
def _opened(place: Union[str, Store], *, read_only: bool = False) -> Iterator[Store]:
    if isinstance(place, Store):
        yield place
        return
    is_remote = place.startswith(("grpc:", "grpcs:"))
    with open_store(place, read_only=read_only and not is_remote) as opened:
        yield opened


class _Copy:
    """Nodes of one store and what they are in the other."""

    def __init__(self, here: Store, there: Store) -> None:
        self._here = here
        self._there = there
        # By id here: the id there.
        self._artifacts: dict[int, int] = {}
        self._executions: dict[int, int] = {}
        self._contexts: dict[int, int] = {}
        self._points = 0

    def all(self) -> Synced:
        token = ""
        wanted = f"custom_properties.`{vocabulary.RUN_STARTED}` > 0"
        while True:
            page = self._here.list_executions(filter=wanted, page_size=_PAGE, page_token=token)
            for execution in page.executions:
                self._execution(execution)
            token = page.next_page_token
            if not token:
                return Synced(len(self._executions), len(self._artifacts), self._points)

    def _execution(self, node: pb.Execution) -> int:
        if node.id in self._executions:
            return self._executions[node.id]
        contexts = self._contexts_of(node.id)
        made = pb.Execution(name=node.name, last_known_state=node.last_known_state)
        made.type_id = self._execution_type(node.type)
        own = dict(node.custom_properties)
        self._translate(own)
        try:
            found = self._there.get_execution_by_type_and_name(
                type_name=node.type, execution_name=node.name
            ).execution
        except errors.NotFoundError:
            found = pb.Execution()
        # Of metrics the store there keeps account itself, from the points.
        said = {name: of for name, of in own.items() if not name.startswith(vocabulary.METRIC)}
        for name, of in said.items():
            made.custom_properties[name].CopyFrom(of)
        if found.id:
            made.id = found.id
            paths = [f"custom_properties.{name}" for name in said] + ["last_known_state"]
            self._there.put_executions(executions=[made], update_mask={"paths": paths})
            id_ = found.id
        else:
            id_ = self._there.put_executions(executions=[made]).execution_ids[0]
        self._executions[node.id] = id_
        if contexts:
            links = [pb.Association(context_id=each, execution_id=id_) for each in contexts]
            self._there.put_attributions_and_associations(associations=links)
        self._events(node.id, id_, contexts)
        self._metrics(node.id, id_)
        return id_

    def _execution_type(self, name: str) -> int:
        kind = self._here.get_execution_type(type_name=name).execution_type
        kind.ClearField("id")
        made = self._there.put_execution_type(execution_type=kind, can_omit_fields=True)
        return int(made.type_id)

    def _translate(self, properties: dict[str, Any]) -> None:
        """Ids of executions as they are there."""
        for name in _IDS:
            if name not in properties:
                continue
            try:
                (other,) = self._here.get_executions_by_id(
                    execution_ids=[properties[name].int_value]
                ).executions
            except ValueError:  # it is not here any more
                del properties[name]
                continue
            properties[name].int_value = self._execution(other)

    def _contexts_of(self, execution_id: int) -> list[int]:
        try:
            found = self._here.get_contexts_by_execution(execution_id=execution_id).contexts
        except errors.NotFoundError:
            return []
        return [self._context(each) for each in found]

    def _context(self, node: pb.Context) -> int:
        if node.id in self._contexts:
            return self._contexts[node.id]
        type_id = sender.context_type(self._there, node.type)
        made = pb.Context(type_id=type_id, name=node.name)
        for name, of in node.custom_properties.items():
            made.custom_properties[name].CopyFrom(of)
        try:
            id_ = self._there.put_contexts(contexts=[made]).context_ids[0]
        except errors.AlreadyExistsError:
            id_ = self._there.get_context_by_type_and_name(
                type_name=node.type, context_name=node.name
            ).context.id
        self._contexts[node.id] = id_
        for parent in self._here.get_parent_contexts_by_context(context_id=node.id).contexts:
            link = pb.ParentContext(parent_id=self._context(parent), child_id=id_)
            with contextlib.suppress(errors.AlreadyExistsError):
                self._there.put_parent_contexts(parent_contexts=[link])
        return int(id_)

    def _events(self, here: int, there: int, contexts: Iterable[int]) -> None:
        events = list(self._here.get_events_by_execution_ids(execution_ids=[here]).events)
        for event in events:
            event.execution_id = there
            event.artifact_id = self._artifact(event.artifact_id)
            is_source = False
            for step in event.path.steps:
                if step.HasField("index") and is_source:
                    step.index = self._artifact(step.index)
                is_source = is_source or step.key == "from"
            with contextlib.suppress(errors.AlreadyExistsError):
                self._there.put_events(events=[event])
            links = [
                pb.Attribution(context_id=each, artifact_id=event.artifact_id) for each in contexts
            ]
            if links:
                self._there.put_attributions_and_associations(attributions=links)

    def _artifact(self, id_: int) -> int:
        if id_ in self._artifacts:
            return self._artifacts[id_]
        (node,) = self._here.get_artifacts_by_id(artifact_ids=[id_]).artifacts
        self._contents(node)
        self._artifacts[id_] = self._version(node) or self._other(node)
        return self._artifacts[id_]

    def _contents(self, node: pb.Artifact) -> None:
        """Takes along the bytes that properties name by their digests."""
        texts = [plain(of) for of in node.custom_properties.values()]
        digests = [of for of in texts if isinstance(of, str) and of.startswith("sha256:")]
        for at in range(0, len(digests), 1000):
            held = set(self._here.list_contents(digests=digests[at : at + 1000]).digests)
            known = self._there.list_contents(digests=list(held)).digests
            for digest in held.difference(known):
                content = self._here.get_content(digest=digest).content
                self._there.put_contents(contents=[content])

    def _version(self, node: pb.Artifact) -> Optional[int]:
        """A version gets the number that is the next there."""
        properties = {name: plain(of) for name, of in node.custom_properties.items()}
        name = properties.get("version.name")
        counted = {kind: counter for kind, _, counter in vocabulary.VERSION_KINDS.values()}
        if not name or node.type not in counted:
            return None
        made = self._made(node)
        for own in ("version.name", "version.number", "digest"):
            del made.custom_properties[own]
        answer = self._there.register_version(
            artifact=made,
            context_type_id=sender.context_type(self._there, counted[node.type]),
            name=name,
            digest=properties["digest"],
        )
        return int(answer.artifact_id)

    def _other(self, node: pb.Artifact) -> int:
        made = self._made(node)
        # What has no name of its own gets one, so that it is found when this is repeated.
        seed = f"{self._here.url}#{node.id}#{node.create_time_since_epoch}"
        made.external_id = node.external_id or f"sync/{hashlib.sha256(seed.encode()).hexdigest()}"
        try:
            return int(self._there.put_artifacts(artifacts=[made]).artifact_ids[0])
        except errors.AlreadyExistsError:
            found = self._there.get_artifacts_by_external_ids(external_ids=[made.external_id])
            return int(found.artifacts[0].id)

    def _made(self, node: pb.Artifact) -> pb.Artifact:
        kind = self._here.get_artifact_type(type_name=node.type).artifact_type
        made = pb.Artifact(uri=node.uri, state=node.state)
        made.type_id = provenance.artifact_type(self._there, node.type, kind.base_type)
        for name, of in node.custom_properties.items():
            made.custom_properties[name].CopyFrom(of)
        return made

    def _metrics(self, here: int, there: int) -> None:
        found = self._here.get_metrics(execution_id=here).series
        sequence = 0
        for series in found:
            for at in range(0, len(series.steps), _POINTS):
                sequence += 1
                part: Mapping[str, Any] = {
                    "name": series.name,
                    "steps": series.steps[at : at + _POINTS],
                    "times_ms": series.times_ms[at : at + _POINTS],
                    "values": series.values[at : at + _POINTS],
                }
                # The same points again are the same request, which counts once.
                writer = hashlib.sha256(f"{self._here.url}#{here}".encode()).hexdigest()
                self._there.log_metrics(
                    execution_id=there, writer=writer, sequence=sequence, series=[part]
                )
                self._points += len(part["steps"])
