"""What is logged to a run, on its way into the store: a queue, and a thread that empties it.

Nothing here waits for the store or raises because of it. What could not be stored by the end of the
run goes into a file beside the script, from where :func:`headwater.sync` takes it.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import itertools
import logging
import os
import threading
import time
import uuid
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Protocol, Union

from headwater import errors, vocabulary
from headwater.store import Store
from headwater.store import open as open_store
from headwater.values import value as property_value
from ml_metadata.proto import metadata_store_pb2 as pb

if TYPE_CHECKING:
    from headwater.recorder import Run

SEND_EVERY_SECONDS = 1.0
HEARTBEAT_EVERY_SECONDS = 30.0
# A run without a sign of life for this long has died.
DEAD_AFTER_SECONDS = 600.0
# How long the end of a run waits for the store.
FINISH_SECONDS_MAX = 30.0
# Points that wait for a store that cannot be reached; of more the oldest are given up.
POINTS_WAITING_MAX = 2_000_000
# Where a run goes that no store took, for `headwater.sync`.
OFFLINE = "headwater-offline.db"
DIED = "the process ended without a word"
_POINTS_PER_REQUEST = 100_000
_SEND_AT_ONCE = 10_000
_PAUSE_SECONDS_MAX = 15.0

_log = logging.getLogger("headwater")

# Worth another attempt: the store may be there again, or the writer in the way gone.
PASSING = (
    errors.UnavailableError,
    errors.AbortedError,
    errors.DeadlineExceededError,
    errors.ResourceExhaustedError,
    errors.CancelledError,
    errors.UnknownError,
)


# Stores that runs of this process share: to open and to close one takes longer than most runs need
# it. By process and URL, with the file that it was then.
_stores: dict[tuple[int, str], tuple[Store, Optional[tuple[int, int]]]] = {}
_stores_lock = threading.Lock()


def opened(place: Union[str, Store]) -> Store:
    """The store at a URL, which stays open until the process ends.

    Raises:
      headwater.errors.StatusError: it cannot be opened.
    """
    if isinstance(place, Store):
        return place
    key = (os.getpid(), place)
    with _stores_lock:
        known = _stores.get(key)
        # Whoever deletes the file, or goes into another folder, means a new one.
        if known is not None and known[1] == _file_of(place):
            return known[0]
        made = open_store(place)
        _stores[key] = (made, _file_of(place))
        return made


def places() -> list[str]:
    """The URLs of the stores that are open."""
    with _stores_lock:
        return [place for _, place in _stores]


def _file_of(place: str) -> Optional[tuple[int, int]]:
    path = path_of(place)
    try:
        found = os.stat(path) if path else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None


def path_of(place: str) -> str:
    """The file of a store's URL; nothing for what is in memory or on a server."""
    scheme, _, path = place.partition(":")
    return path.partition("?")[0] if scheme == "sqlite" and path != ":memory:" else ""


def _close_all() -> None:
    for (process, _), (store, _) in _stores.items():
        if process == os.getpid():
            store.close()
    _stores.clear()


def _after_fork() -> None:
    global _stores_lock
    _stores_lock = threading.Lock()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Registered(Protocol):
    """What becomes an artifact once a store is there."""

    def register(self, store: Store) -> int:
        """Stores it, if it is not there; its id."""


@dataclass(frozen=True)
class _Link:
    """An artifact that a run reads or makes."""

    artifact: Union[int, Registered]
    kind: pb.Event.Type
    role: str
    made_from: tuple[Union[int, Registered], ...]
    time_ms: int


class _Batch:
    """Points that are sent together, under a number that says that they were sent before."""

    def __init__(self, sequence: int, series: list[dict[str, Any]]) -> None:
        self.sequence = sequence
        self.series = series
        self.points = sum(len(each["values"]) for each in series)


class Sender:
    """Sends what was logged, in a thread of its own, as often as it takes."""

    def __init__(self, run: Run, place: Union[str, Store]) -> None:
        self._run = run
        self._place = place
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._is_paused = False
        self._is_over = False
        self._wake = threading.Event()
        self._has_id = threading.Event()
        self._ends = threading.Event()
        self._points: collections.deque[tuple[str, Optional[int], int, float]] = collections.deque()
        self._properties: dict[str, Any] = {}
        self._links: collections.deque[_Link] = collections.deque()
        self._context_ids: list[int] = []
        self._is_described = False
        self._writer = uuid.uuid4().hex
        self._sequence = 0
        self._last_steps: dict[str, int] = {}
        self._batches: collections.deque[_Batch] = collections.deque()
        self._sent_state: Optional[int] = None
        self._beat = time.monotonic()
        self._thread: Optional[threading.Thread] = None
        self._id: Optional[int] = None
        self._store: Optional[Store] = None
        self.problem: Optional[str] = None
        # Whether nothing was left out, or went into a file instead.
        self.is_whole = True
        self.lost = 0

    # What callers do.

    def put(self, properties: Mapping[str, Any], *, is_late: bool = False) -> None:
        """Takes properties; late ones, of what the thread itself finds out, after the end, too."""
        if self._is_over and not is_late:
            self._leave_out(f"what is said of it, {', '.join(properties)},", self._over())
            return
        with self._lock:
            for name, value in properties.items():
                self._properties[text(name)] = text(value) if isinstance(value, str) else value

    def point(self, name: str, value: Any, step: Optional[int], time_ms: Optional[int]) -> None:
        if type(value) is not float:
            try:
                value = float(value)
            except Exception as error:
                self._leave_out(f"metric {name!r}", error)
                return
        if time_ms is None:
            time_ms = time.time_ns() // 1_000_000
        points = self._points
        points.append((str(name), step, time_ms, value))
        if self._is_over:
            points.pop()
            self._leave_out(f"metric {name!r}", self._over())
            return
        if len(points) >= _SEND_AT_ONCE:
            if len(points) > POINTS_WAITING_MAX:
                points.popleft()
                self.lost += 1
            self._wake.set()

    def link(
        self,
        artifact: Union[int, Registered],
        kind: pb.Event.Type,
        role: str,
        made_from: Iterable[Union[int, Registered]] = (),
        *,
        is_late: bool = False,
    ) -> None:
        if self._is_over and not is_late:
            self._leave_out(f"{artifact!r}", self._over())
            return
        self._links.append(_Link(artifact, kind, text(role), tuple(made_from), now_ms()))

    def id_of(self, timeout: float) -> Optional[int]:
        self._wake.set()
        self._has_id.wait(timeout)
        return self._id

    def flush(self, timeout: float) -> bool:
        until = time.monotonic() + timeout
        while self.has_more():
            left = until - time.monotonic()
            if left <= 0 or self._thread is None or not self._thread.is_alive():
                return not self.has_more()
            self._wake.set()
            time.sleep(min(left, 0.005))
        return True

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="headwater-run", daemon=True)
        self._thread.start()

    def finish(self, timeout: float) -> None:
        self._ends.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)
        self._is_over = True
        said = []
        if self.has_more():
            points = len(self._points) + sum(batch.points for batch in self._batches)
            what = (
                f"{points} points of metrics, {len(self._properties)} properties and"
                f" {len(self._links)} artifacts"
            )
            aside = self._put_aside()
            more = f"in {aside!r} instead, from where `headwater.sync({aside!r})` takes them"
            said.append(f"{what} are {more if aside else 'lost'}")
        if self.lost:
            said.append(f"{self.lost} points of metrics are lost")
        if said:
            self.is_whole = False
            reason = self.problem or "the warnings before say why"
            warnings.warn(
                f"run {self._run.name!r} is not stored whole: {'; '.join(said)}; {reason}",
                RuntimeWarning,
                stacklevel=4,
            )

    def _put_aside(self) -> Optional[str]:
        """Records what is left into a file; its URL, if that worked."""
        if not self._sending.acquire(timeout=2.0):
            return None  # the thread waits for an answer still
        known = self._store, self._id
        try:
            url = f"sqlite:{os.path.abspath(OFFLINE)}"
            with open_store(url) as store:
                self._store, self._id, self._context_ids = store, None, []
                self._writer = uuid.uuid4().hex  # the batches are numbered for another store
                self._sent_state = None
                while self._send():
                    pass
            return url
        except Exception as error:
            _log.warning("run %r cannot be put aside: %s", self._run.name, error)
            return None
        finally:
            self._store, self._id = known
            self._sending.release()

    def _over(self) -> Exception:
        return RuntimeError(f"run {self._run.name!r} has ended")

    def has_more(self) -> bool:
        ends = self._ends.is_set() and self._sent_state != self._run._state
        return (
            bool(self._points or self._batches or self._properties or self._links or ends)
            or self._sending.locked()
        )

    # What the thread does.

    def _work(self) -> None:
        pause = 0.0
        while True:
            self._wake.wait(pause or SEND_EVERY_SECONDS)
            self._wake.clear()
            with self._sending:
                pause = self._try(pause)
            if self._ends.is_set() and not self.has_more():
                return
            if pause:
                time.sleep(min(pause, 0.2))  # also where somebody waits for all to be sent

    def _try(self, pause: float) -> float:
        """Sends all there is; how long to wait if that did not work."""
        try:
            while self._send():
                pass
        except PASSING as error:
            self._note(error)
            return min(pause * 2 or 0.2, _PAUSE_SECONDS_MAX)
        except Exception as error:
            self._give_up(error)
            return min(pause * 2 or 0.2, _PAUSE_SECONDS_MAX)
        return 0.0

    def _send(self) -> bool:
        """Sends a part; whether there is more."""
        store = self._open()
        if self._id is None:
            self._id = self._make(store)
            self._has_id.set()
            with contextlib.suppress(errors.StatusError):
                self._bury(store)
        if not self._is_described:
            self._describe(store)
            self._is_described = True
        self._send_links(store)
        self._send_points(store)
        if not self._points:
            self._send_properties(store)
        return bool(self._points or self._batches)

    def _open(self) -> Store:
        if self._store is None:
            self._store = opened(self._place)
        return self._store

    def _make(self, store: Store) -> int:
        """Makes the execution and what it is in. The same again finds what was made."""
        run = self._run
        type_name, base = vocabulary.RUN_KINDS[run.kind]
        execution_type = pb.ExecutionType(name=type_name)
        if base:
            execution_type.base_type = base
        made = store.put_execution_type(execution_type=execution_type, can_omit_fields=True)
        contexts = [
            pb.Context(type_id=context_type(store, kind), name=name) for kind, name in run._contexts
        ]
        execution = pb.Execution(
            type_id=made.type_id, name=run.key, last_known_state=pb.Execution.RUNNING
        )
        if run._parent is not None and run._parent._place == run._place:
            parent = run._parent._sender.id_of(FINISH_SECONDS_MAX)
            if parent is not None:
                execution.custom_properties[vocabulary.RUN_PARENT].int_value = parent
        with self._lock:
            # What callers said may be refused, and comes afterwards.
            own = {name: of for name, of in self._properties.items() if name.startswith("run.")}
        for name, value in own.items():
            execution.custom_properties[name].CopyFrom(property_value(value))
        try:
            answer = store.put_execution(
                execution=execution,
                contexts=contexts,
                options={"reuse_context_if_already_exist": True},
            )
        except errors.AlreadyExistsError:
            found = store.get_execution_by_type_and_name(
                type_name=type_name, execution_name=run.key
            )
            id_ = int(found.execution.id)
            with contextlib.suppress(errors.NotFoundError):
                contexts = list(store.get_contexts_by_execution(execution_id=id_).contexts)
                self._context_ids = [each.id for each in contexts]
            return id_
        self._context_ids = list(answer.context_ids)
        ids = dict(zip((kind for kind, _ in run._contexts), answer.context_ids))
        if vocabulary.PIPELINE_RUN in ids:
            pair = (ids[vocabulary.PIPELINE], ids[vocabulary.PIPELINE_RUN])
            link = pb.ParentContext(parent_id=pair[0], child_id=pair[1])
            with contextlib.suppress(errors.AlreadyExistsError):
                store.put_parent_contexts(parent_contexts=[link])
        return int(answer.execution_id)

    def _send_links(self, store: Store) -> None:
        links = list(self._links)
        events = []
        for link in links:
            try:
                events.append(self._event(store, link))
            except PASSING:
                raise
            except Exception as error:  # it must not stand in the way of what comes after it
                self._leave_out(_named(link.artifact), error)
        if events:
            self._put_events(store, events)
        for _ in links:
            self._links.popleft()

    def _event(self, store: Store, link: _Link) -> pb.Event:
        event = pb.Event(execution_id=self._id or 0, type=link.kind)
        event.artifact_id = _id_in(link.artifact, store)
        event.milliseconds_since_epoch = link.time_ms
        event.path.steps.add().key = link.role
        sources = [_id_in(each, store) for each in link.made_from]
        if sources:
            event.path.steps.add().key = "from"
        for source in sources:
            event.path.steps.add().index = source
        return event

    def _put_events(self, store: Store, events: list[pb.Event]) -> None:
        try:
            store.put_events(events=events)
        except PASSING:
            raise
        except errors.StatusError as refused:
            # One of them: each by itself, so that it costs no other.
            if len(events) > 1:
                for event in events:
                    self._put_events(store, [event])
                return
            if not isinstance(refused, errors.AlreadyExistsError):
                self._leave_out(f"artifact {events[0].artifact_id}", refused)
                return
        if self._context_ids:
            pairs = itertools.product(self._context_ids, {each.artifact_id for each in events})
            store.put_attributions_and_associations(
                attributions=[
                    pb.Attribution(context_id=context, artifact_id=artifact)
                    for context, artifact in pairs
                ]
            )

    def _describe(self, store: Store) -> None:
        """Says which code runs, and in what environment."""
        if not self._run._captures or self._run._is_forked:
            return
        from headwater import provenance

        try:
            described = provenance.describe(store)
        except PASSING:
            raise
        except Exception as error:
            self._leave_out("the description of code and environment", error)
            return
        self.put(described.properties, is_late=True)
        for role, artifact_id in described.artifacts.items():
            self.link(artifact_id, pb.Event.INPUT, role, is_late=True)

    def _send_points(self, store: Store) -> None:
        if not self._batches and not self._take_batch():
            return
        batch = self._batches[0]
        try:
            store.log_metrics(
                execution_id=self._id or 0,
                writer=self._writer,
                sequence=batch.sequence,
                series=batch.series,
            )
        except errors.InvalidArgumentError as error:
            if len(batch.series) == 1:
                self.lost += batch.points
                self._leave_out(f"metric {batch.series[0]['name']!r}", error)
            # Each metric by itself, so that a bad one costs no other.
            for series in batch.series if len(batch.series) > 1 else ():
                self._sequence += 1
                self._batches.append(_Batch(self._sequence, [series]))
        self._batches.popleft()

    def _take_batch(self) -> bool:
        """Makes a batch of the points that wait, and has it sent until it is stored."""
        series: dict[str, dict[str, Any]] = {}
        for _ in range(min(len(self._points), _POINTS_PER_REQUEST)):
            name, step, time_ms, value = self._points.popleft()
            try:
                step = int64(self._last_steps.get(name, -1) + 1 if step is None else step)
                time_ms = int64(time_ms)
            except Exception as error:
                self.lost += 1
                self._leave_out(f"a point of {name!r}", error)
                continue
            self._last_steps[name] = step
            of = series.get(name)
            if of is None:
                of = {"name": text(name), "steps": [], "times_ms": [], "values": []}
                series[name] = of
            of["steps"].append(step)
            of["times_ms"].append(time_ms)
            of["values"].append(value)
        if not series:
            return False
        self._sequence += 1
        self._batches.append(_Batch(self._sequence, list(series.values())))
        return True

    def _send_properties(self, store: Store) -> None:
        state = self._run._state
        if time.monotonic() - self._beat > HEARTBEAT_EVERY_SECONDS:
            self.put({vocabulary.RUN_HEARTBEAT: now_ms()})
        with self._lock:
            sent = dict(self._properties)
        if not sent and self._sent_state == state:
            return
        try:
            self._update(store, state, sent)
        except errors.InvalidArgumentError:
            for name, value in sent.items():
                try:
                    self._update(store, state, {name: value})
                except errors.InvalidArgumentError as error:
                    self._leave_out(f"property {name!r}", error)
        self._beat = time.monotonic()
        self._sent_state = state
        with self._lock:
            for name, value in sent.items():
                if self._properties.get(name) is value:
                    del self._properties[name]

    def _update(
        self, store: Store, state: pb.Execution.State, properties: Mapping[str, Any]
    ) -> None:
        update = pb.Execution(id=self._id or 0)
        paths = [f"custom_properties.{name}" for name in properties]
        if not self._run._is_forked:
            update.last_known_state = state
            paths.append("last_known_state")
            if state == pb.Execution.COMPLETE:
                # It may have slept for so long that another run took it for dead.
                paths.append(f"custom_properties.{vocabulary.RUN_ERROR}")
        for name, value in properties.items():
            update.custom_properties[name].CopyFrom(property_value(value))
        if paths:
            store.put_executions(executions=[update], update_mask={"paths": paths})

    def _bury(self, store: Store) -> None:
        """Marks runs as failed whose processes died: by the store's clock, they have not said for
        long that they live."""
        (own,) = store.get_executions_by_id(execution_ids=[self._id or 0]).executions
        before = own.create_time_since_epoch - int(DEAD_AFTER_SECONDS * 1000)
        # Older ones were looked at by the runs before; so it costs the same in any store.
        dead = store.list_executions(
            filter=f"id > {own.id - 2000} AND last_known_state = RUNNING"
            f" AND last_update_time_since_epoch < {before}"
            f" AND custom_properties.`{vocabulary.RUN_HEARTBEAT}` > 0",
            page_size=100,
        ).executions
        for execution in dead:
            last = execution.custom_properties[vocabulary.RUN_HEARTBEAT].int_value
            buried = pb.Execution(id=execution.id, last_known_state=pb.Execution.FAILED)
            buried.custom_properties[vocabulary.RUN_ERROR].string_value = DIED
            buried.custom_properties[vocabulary.RUN_ENDED].int_value = last
            names = (vocabulary.RUN_ERROR, vocabulary.RUN_ENDED)
            paths = ["last_known_state", *(f"custom_properties.{name}" for name in names)]
            store.put_executions(executions=[buried], update_mask={"paths": paths})

    def _note(self, error: Exception) -> None:
        if self.problem is None:
            _log.warning("run %r is not stored yet: %s", self._run.name, error)
        self.problem = str(error)

    def _give_up(self, error: Exception) -> None:
        """What was refused for good would be refused again."""
        self._note(error)
        if self._id is None:
            return
        if self._batches:
            self.lost += self._batches.popleft().points
            return
        with self._lock:
            self._properties.clear()
        self._sent_state = self._run._state

    def _leave_out(self, what: str, error: Exception) -> None:
        self.is_whole = False
        warnings.warn(f"{what} is left out: {error}", RuntimeWarning, stacklevel=5)

    def pause(self) -> None:
        """Sends nothing until told to go on, if what is being sent comes to an end soon."""
        self._is_paused = self._sending.acquire(timeout=2.0)

    def go_on(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._sending.release()

    def after_fork(self) -> None:
        """Goes on in a process that was forked: the parent sends what it had."""
        known, place, context_ids = self._id, self._place, self._context_ids
        self._reset()
        self._context_ids = context_ids
        if known is not None:
            self._id = known
            self._has_id.set()
        if not isinstance(place, str):
            self._place = place.url
        self._sent_state = self._run._state
        self.start()


def context_type(store: Store, name: str) -> int:
    made = store.put_context_type(context_type={"name": name}, can_omit_fields=True)
    return int(made.type_id)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def int64(number: Any) -> int:
    found = int(number)
    if not -(2**63) <= found < 2**63:
        raise OverflowError(f"{found} has more than 64 bits")
    return found


def text(text: str) -> str:
    """The text without what UTF-8 cannot say, such as half of a pair of surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()


def _named(artifact: Union[int, Registered]) -> str:
    return f"artifact {artifact}" if isinstance(artifact, int) else repr(artifact)


def _id_in(artifact: Union[int, Registered], store: Store) -> int:
    return artifact if isinstance(artifact, int) else artifact.register(store)
