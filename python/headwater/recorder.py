"""Records runs: what a script did, while it does it.

>>> import headwater as hw
>>> with hw.run("train", store="sqlite::memory:", params={"lr": 0.1}) as run:
...     for step in range(3):
...         run.log_metric("loss", 1 / (step + 1), step=step)

Nothing here waits for the store or raises because of it: a thread of the run's own sends what was
logged, about once a second, and again if the store cannot be reached. What could not be stored by
the end of the run is said in a warning.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import contextvars
import getpass
import logging
import math
import multiprocessing.util
import numbers
import os
import socket
import sys
import threading
import time
import traceback
import uuid
import warnings
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Optional, Union

from headwater import errors, vocabulary
from headwater.store import Store
from headwater.store import open as open_store
from headwater.values import value as property_value
from ml_metadata.proto import metadata_store_pb2 as pb

SEND_EVERY_SECONDS = 1.0
HEARTBEAT_EVERY_SECONDS = 30.0
# A run without a sign of life for this long has died.
DEAD_AFTER_SECONDS = 600.0
# How long the end of a run waits for the store.
FINISH_SECONDS_MAX = 30.0
# Points that wait for a store that cannot be reached; of more the oldest are given up.
POINTS_WAITING_MAX = 2_000_000
_POINTS_PER_REQUEST = 100_000
_SEND_AT_ONCE = 10_000
_PAUSE_SECONDS_MAX = 15.0
_TEXT_CHARACTERS_MAX = 100_000

_log = logging.getLogger("headwater")
_current: contextvars.ContextVar[Optional[Run]] = contextvars.ContextVar("run", default=None)
_running: set[Run] = set()
_defaults: dict[str, Optional[str]] = {"store": None, "experiment": None}

# Worth another attempt: the store may be there again, or the writer in the way gone.
_PASSING = (
    errors.UnavailableError,
    errors.AbortedError,
    errors.DeadlineExceededError,
    errors.ResourceExhaustedError,
    errors.CancelledError,
    errors.UnknownError,
)


def init(store: Optional[str] = None, *, experiment: Optional[str] = None) -> None:
    """Says where runs are recorded, and in which experiment, when :func:`run` does not.

    Args:
      store: a URL as for :func:`headwater.open`. Without one it is the environment variable
        ``HEADWATER_STORE``, or ``sqlite:headwater.db``: what ``headwater serve`` serves.
      experiment: the name of the experiment.
    """
    _defaults.update(store=store, experiment=experiment)


def current_run() -> Optional[Run]:
    """The run of the innermost ``with`` block around the caller, in its thread or task."""
    return _current.get()


def run(
    name: str,
    *,
    kind: str = "run",
    experiment: Optional[str] = None,
    pipeline: Optional[str] = None,
    pipeline_run: Optional[str] = None,
    params: Optional[Mapping[str, Any]] = None,
    tags: Optional[Mapping[str, str]] = None,
    note: Optional[str] = None,
    store: Union[str, Store, None] = None,
) -> Run:
    """Begins a run. Use it in a ``with`` block: its end is the run's, an exception its failure.

    Args:
      name: what the run is, such as ``"train"``; runs may share it.
      kind: ``"train"``, ``"transform"``, ``"process"``, ``"evaluate"``, ``"deploy"``, or ``"run"``.
      experiment: the experiment that it belongs to.
      pipeline: the pipeline that it is a step of.
      pipeline_run: the run of the pipeline, which its other steps name, too; needs ``pipeline``.
      params: as for :meth:`Run.log_params`.
      tags: as for :meth:`Run.set_tags`.
      note: as for :meth:`Run.set_note`.
      store: a URL, or an open store; see :func:`init`.

    Raises:
      ValueError: the name is empty, the kind unknown, or a pipeline's run has no pipeline.
    """
    made = Run(name, kind, experiment or _defaults["experiment"], pipeline, pipeline_run, store)
    if params:
        made.log_params(params)
    if tags:
        made.set_tags(tags)
    if note:
        made.set_note(note)
    made._begin()
    return made


class Run:
    """A run that is being recorded. Any number of threads may log to it."""

    def __init__(
        self,
        name: str,
        kind: str,
        experiment: Optional[str],
        pipeline: Optional[str],
        pipeline_run: Optional[str],
        store: Union[str, Store, None],
    ) -> None:
        """Use :func:`headwater.run`."""
        if not name:
            raise ValueError("a run needs a name")
        if kind not in vocabulary.RUN_KINDS:
            raise ValueError(f"kind is {kind!r}, not one of {', '.join(vocabulary.RUN_KINDS)}")
        if pipeline_run and not pipeline:
            raise ValueError("pipeline_run needs pipeline")
        self.name = name
        self.kind = kind
        self.key = f"{name[:80]}-{uuid.uuid4().hex}"
        self._contexts = [
            (type_name, context)
            for type_name, context in (
                (vocabulary.EXPERIMENT, experiment),
                (vocabulary.PIPELINE, pipeline),
                (vocabulary.PIPELINE_RUN, pipeline_run and f"{pipeline}/{pipeline_run}"),
            )
            if context
        ]
        self._parent = _current.get()
        self._place = store or _defaults["store"] or os.environ.get("HEADWATER_STORE")
        self._state = pb.Execution.RUNNING
        self._token: Optional[contextvars.Token[Optional[Run]]] = None
        self._is_finished = False
        self._is_forked = False
        self._sender = _Sender(self, self._place or "sqlite:headwater.db")

    def _begin(self) -> None:
        started = _now_ms()
        self._sender.put(
            {
                vocabulary.RUN_NAME: self.name,
                vocabulary.RUN_STARTED: started,
                vocabulary.RUN_HEARTBEAT: started,
                vocabulary.RUN_USER: _user(),
                vocabulary.RUN_HOST: socket.gethostname(),
                vocabulary.RUN_PID: os.getpid(),
            }
        )
        _running.add(self)
        multiprocessing.util.register_after_fork(self, _finish_with_worker)
        self._sender.start()

    @property
    def id(self) -> int:
        """The id of its execution. Waits until the store has given one.

        Raises:
          headwater.errors.UnavailableError: the store gave none for half a minute.
        """
        found = self._sender.id_of(FINISH_SECONDS_MAX)
        if found is None:
            problem = self._sender.problem or "the store has not answered"
            raise errors.UnavailableError(f"run {self.name!r} has no id yet: {problem}")
        return found

    def log_param(self, name: str, value: Any) -> None:
        """Records a parameter: a bool, int, float or str as it is, anything else as text."""
        self.log_params({name: value})

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Records parameters. A nested mapping gives names with dots, as in ``optimizer.lr``."""
        self._sender.put(dict(_flat(vocabulary.PARAM, params)))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Sets tags; what a tag was before is forgotten."""
        self._sender.put({f"{vocabulary.TAG}{name}": str(value) for name, value in tags.items()})

    def set_note(self, note: str) -> None:
        """Sets the note on the run, for people."""
        self._sender.put({vocabulary.RUN_NOTE: note[:_TEXT_CHARACTERS_MAX]})

    def log_metric(
        self,
        name: str,
        value: float,
        step: Optional[int] = None,
        *,
        time_ms: Optional[int] = None,
    ) -> None:
        """Adds a point to a metric. Takes microseconds.

        Args:
          name: such as ``"loss"`` or ``"validation/accuracy"``.
          value: any number, also NaN; what is none is left out with a warning.
          step: where on the axis the point stands; without it, one after the metric's last point.
          time_ms: when it was taken, in milliseconds since the Unix epoch; now.
        """
        self._sender.point(name, value, step, time_ms)

    def log_metrics(
        self,
        metrics: Mapping[str, float],
        step: Optional[int] = None,
        *,
        time_ms: Optional[int] = None,
    ) -> None:
        """Adds a point to each of some metrics, as :meth:`log_metric` does."""
        for name, value in metrics.items():
            self._sender.point(name, value, step, time_ms)

    def input(self, artifact_id: int, role: str = "input") -> None:
        """Records that the run reads an artifact of the store, such as its ``"training"`` data."""
        self._sender.event(artifact_id, pb.Event.INPUT, role)

    def output(self, artifact_id: int, role: str = "output") -> None:
        """Records that the run made an artifact of the store, such as a ``"model"``."""
        self._sender.event(artifact_id, pb.Event.OUTPUT, role)

    def flush(self, timeout: float = FINISH_SECONDS_MAX) -> bool:
        """Waits until what was logged is stored, at most so many seconds; whether it is."""
        return self._sender.flush(timeout)

    def fail(self, error: BaseException) -> None:
        """Ends the run as failed, with the kind, the text and the traceback of an exception."""
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self._sender.put(
            {
                vocabulary.RUN_ERROR: f"{type(error).__name__}: {error}"[:_TEXT_CHARACTERS_MAX],
                vocabulary.RUN_TRACEBACK: text[-_TEXT_CHARACTERS_MAX:],
            }
        )
        self._end(pb.Execution.FAILED)

    def finish(self) -> None:
        """Ends the run as complete, and waits until it is stored. A run ends once."""
        self._end(pb.Execution.COMPLETE)

    def _end(self, state: pb.Execution.State) -> None:
        if self._is_finished:
            return
        self._is_finished = True
        # A process that was forked sends what it has, and leaves the end to the one that began.
        if not self._is_forked:
            self._state = state
            self._sender.put({vocabulary.RUN_ENDED: _now_ms()})
        self._sender.finish(FINISH_SECONDS_MAX)
        _running.discard(self)

    def __enter__(self) -> Run:
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._token is not None:
            # A generator may be closed in another context than it began in.
            with contextlib.suppress(ValueError):
                _current.reset(self._token)
            self._token = None
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.finish()
        elif isinstance(error, KeyboardInterrupt):
            self._sender.put({vocabulary.RUN_ERROR: "KeyboardInterrupt"})
            self._end(pb.Execution.CANCELED)
        else:
            self.fail(error)

    def __repr__(self) -> str:
        return f"<headwater.Run {self.key}>"


class _Batch:
    """Points that are sent together, under a number that says that they were sent before."""

    def __init__(self, sequence: int, series: list[dict[str, Any]]) -> None:
        self.sequence = sequence
        self.series = series
        self.points = sum(len(each["values"]) for each in series)


class _Sender:
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
        self._events: collections.deque[pb.Event] = collections.deque()
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
        self.lost = 0

    # What callers do.

    def put(self, properties: Mapping[str, Any]) -> None:
        if self._is_over:
            self._leave_out(f"what is said of it, {', '.join(properties)},", self._over())
            return
        with self._lock:
            for name, value in properties.items():
                self._properties[_text(name)] = _text(value) if isinstance(value, str) else value

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

    def event(self, artifact_id: int, kind: pb.Event.Type, role: str) -> None:
        event = pb.Event(artifact_id=artifact_id, type=kind)
        event.milliseconds_since_epoch = _now_ms()
        event.path.steps.add().key = _text(role)
        self._events.append(event)

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
        left = len(self._points) + sum(batch.points for batch in self._batches) + self.lost
        if left or self.has_more():
            warnings.warn(
                f"run {self._run.name!r} is not stored whole: {left} points of metrics and"
                f" {len(self._properties)} properties are lost;"
                f" {self.problem or 'the warnings before say why'}",
                RuntimeWarning,
                stacklevel=4,
            )

    def _over(self) -> Exception:
        return RuntimeError(f"run {self._run.name!r} has ended")

    def has_more(self) -> bool:
        ends = self._ends.is_set() and self._sent_state != self._run._state
        return (
            bool(self._points or self._batches or self._properties or self._events or ends)
            or self._sending.locked()
        )

    # What the thread does.

    def _work(self) -> None:
        pause = 0.0
        try:
            while True:
                self._wake.wait(pause or SEND_EVERY_SECONDS)
                self._wake.clear()
                with self._sending:
                    pause = self._try(pause)
                if self._ends.is_set() and not self.has_more():
                    return
                if pause:
                    time.sleep(min(pause, 0.2))  # also where somebody waits for all to be sent
        finally:
            if self._store is not None and self._store is not self._place:
                self._store.close()

    def _try(self, pause: float) -> float:
        """Sends all there is; how long to wait if that did not work."""
        try:
            while self._send():
                pass
        except _PASSING as error:
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
        self._send_events(store)
        self._send_points(store)
        if not self._points:
            self._send_properties(store)
        return bool(self._points or self._batches)

    def _open(self) -> Store:
        if self._store is None:
            place = self._place
            self._store = open_store(place) if isinstance(place, str) else place
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
            pb.Context(type_id=_context_type(store, kind), name=name)
            for kind, name in run._contexts
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
            return int(found.execution.id)
        ids = dict(zip((kind for kind, _ in run._contexts), answer.context_ids))
        if vocabulary.PIPELINE_RUN in ids:
            pair = (ids[vocabulary.PIPELINE], ids[vocabulary.PIPELINE_RUN])
            link = pb.ParentContext(parent_id=pair[0], child_id=pair[1])
            with contextlib.suppress(errors.AlreadyExistsError):
                store.put_parent_contexts(parent_contexts=[link])
        return int(answer.execution_id)

    def _send_events(self, store: Store) -> None:
        while self._events:
            event = self._events[0]
            event.execution_id = self._id or 0
            try:
                store.put_events(events=[event])
            except errors.AlreadyExistsError:
                pass
            except _PASSING:
                raise
            except errors.StatusError as error:
                self._leave_out(f"artifact {event.artifact_id}", error)
            self._events.popleft()

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
                step = _int64(self._last_steps.get(name, -1) + 1 if step is None else step)
                time_ms = _int64(time_ms)
            except Exception as error:
                self.lost += 1
                self._leave_out(f"a point of {name!r}", error)
                continue
            self._last_steps[name] = step
            of = series.get(name)
            if of is None:
                of = {"name": _text(name), "steps": [], "times_ms": [], "values": []}
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
            self.put({vocabulary.RUN_HEARTBEAT: _now_ms()})
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
            text = "the process ended without a word"
            buried.custom_properties[vocabulary.RUN_ERROR].string_value = text
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
        known, place = self._id, self._place
        self._reset()
        if known is not None:
            self._id = known
            self._has_id.set()
        if not isinstance(place, str):
            self._place = place.url
        self._sent_state = self._run._state
        self.start()


def _context_type(store: Store, name: str) -> int:
    made = store.put_context_type(context_type={"name": name}, can_omit_fields=True)
    return int(made.type_id)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _user() -> str:
    try:
        return getpass.getuser()
    except Exception:  # no name for the number, as in many containers
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def _int64(number: Any) -> int:
    found = int(number)
    if not -(2**63) <= found < 2**63:
        raise OverflowError(f"{found} has more than 64 bits")
    return found


def _text(text: str) -> str:
    """The text without what UTF-8 cannot say, such as half of a pair of surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()


def _flat(prefix: str, params: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", _plain(value)


def _plain(value: Any) -> Union[bool, int, float, str]:
    if isinstance(value, (bool, str)):
        return value if isinstance(value, bool) else value[:_TEXT_CHARACTERS_MAX]
    item = getattr(value, "item", None)
    if callable(item) and not isinstance(value, numbers.Number):
        with contextlib.suppress(Exception):
            value = item()  # a number of NumPy or PyTorch
    if isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral) and -(2**63) <= int(value) < 2**63:
        return int(value)
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        double = float(value)
        if math.isfinite(double) or isinstance(value, float):
            return double
    return str(value)[:_TEXT_CHARACTERS_MAX]


def _end_all() -> None:
    """Ends what was begun without ``with``, as the interpreter does."""
    error = None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)
    for each in list(_running):
        if error is not None:
            each.fail(error)
        else:
            each.finish()


def _before_fork() -> None:
    # A lock that a thread holds in the store as the process forks is held forever in the new one.
    for each in list(_running):
        each._sender.pause()


def _after_fork_in_parent() -> None:
    for each in list(_running):
        each._sender.go_on()


def _after_fork() -> None:
    for each in list(_running):
        each._is_forked = True
        each._sender.after_fork()


def _finish_with_worker(run: Run) -> None:
    """A worker of multiprocessing ends without ``atexit``."""
    multiprocessing.util.Finalize(None, run.finish, exitpriority=0)


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork,
    )
