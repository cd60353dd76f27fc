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
import contextlib
import contextvars
import getpass
import math
import multiprocessing.util
import numbers
import os
import socket
import sys
import traceback
import uuid
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, Union

from headwater import errors, vocabulary
from headwater.sender import FINISH_SECONDS_MAX, Sender, now_ms
from headwater.store import Store
from ml_metadata.proto import metadata_store_pb2 as pb

if TYPE_CHECKING:
    from headwater.artifacts import Artifact

_TEXT_CHARACTERS_MAX = 100_000

_current: contextvars.ContextVar[Optional[Run]] = contextvars.ContextVar("run", default=None)
_running: set[Run] = set()
defaults: dict[str, Any] = {
    "store": None,
    "experiment": None,
    "artifacts": None,
    "describe": True,
}


def init(
    store: Optional[str] = None,
    *,
    experiment: Optional[str] = None,
    artifacts: Optional[str] = None,
    describe: bool = True,
) -> None:
    """Says where runs are recorded, and in which experiment, when :func:`run` does not.

    Args:
      store: a URL as for :func:`headwater.open`. Without one it is the environment variable
        ``HEADWATER_STORE``, or ``sqlite:headwater.db``: what ``headwater serve`` serves.
      experiment: the name of the experiment.
      artifacts: the folder for objects that are in no file. Without one it is the environment
        variable ``HEADWATER_ARTIFACTS``, or ``headwater-artifacts``.
      describe: whether runs say which code runs, and in what environment.
    """
    defaults.update(store=store, experiment=experiment, artifacts=artifacts, describe=describe)


def place() -> str:
    """The URL of the store where runs are recorded that do not say."""
    found = defaults["store"] or os.environ.get("HEADWATER_STORE") or "sqlite:headwater.db"
    return str(found)


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
    made = Run(name, kind, experiment or defaults["experiment"], pipeline, pipeline_run, store)
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
        self._parent = _current.get()
        self._place = store or place()
        given = {
            vocabulary.EXPERIMENT: experiment,
            vocabulary.PIPELINE: pipeline,
            vocabulary.PIPELINE_RUN: pipeline_run and f"{pipeline}/{pipeline_run}",
        }
        self._contexts = [(kind, context) for kind, context in given.items() if context]
        if self._parent is not None and self._parent._place == self._place:
            # A part of a run belongs where the run does.
            inherited = [vocabulary.EXPERIMENT]
            if not pipeline:
                inherited += [vocabulary.PIPELINE, vocabulary.PIPELINE_RUN]
            self._contexts += [
                (kind, context)
                for kind, context in self._parent._contexts
                if kind in inherited and not given[kind]
            ]
        self._state = pb.Execution.RUNNING
        self._token: Optional[contextvars.Token[Optional[Run]]] = None
        self._is_finished = False
        self._is_forked = False
        self._captures = bool(defaults["describe"])
        self._sender = Sender(self, self._place)

    def _begin(self) -> None:
        started = now_ms()
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

    @property
    def is_stored(self) -> bool:
        """Whether all that was said of it is in the store."""
        return self._sender.is_whole and not self._sender.has_more()

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

    def input(self, source: Any, role: str = "input") -> Union[int, Artifact]:
        """Records that the run reads something.

        Args:
          source: what :func:`headwater.dataset` and its like make; or the id of an artifact; or
            what :func:`headwater.dataset` takes: a file, a folder, a URL, a frame.
          role: what it is to the run, as in ``"training"`` or ``"evaluation"``.

        Returns:
          The artifact.
        """
        from headwater import artifacts

        found = artifacts.of(source, "model" if role == "model" else "dataset")
        self._sender.link(found, pb.Event.INPUT, role)
        return found

    def output(
        self, source: Any, role: str = "output", *, made_from: Iterable[Any] = ()
    ) -> Union[int, Artifact]:
        """Records that the run made something.

        Args:
          source: as for :meth:`input`; an object that is no data is saved.
          role: what it is to the run, as in ``"model"`` or ``"predictions"``.
          made_from: the inputs that it came from, where not all of the run's count.

        Returns:
          The artifact.
        """
        from headwater import artifacts

        kind = "model" if role in ("model", "checkpoint") else "artifact"
        found = artifacts.of(source, kind)
        sources = [artifacts.of(each, "dataset") for each in made_from]
        self._sender.link(found, pb.Event.OUTPUT, role, sources)
        return found

    def checkpoint(
        self,
        source: Any,
        step: int,
        *,
        metrics: Optional[Mapping[str, float]] = None,
        **options: Any,
    ) -> Artifact:
        """Records the weights of a step.

        Args:
          source: a file, a folder, a URL; or an object, which is saved.
          step: as in :meth:`log_metric`.
          metrics: those of the step, by which the best checkpoint is found.
          options: as for :func:`headwater.model`.
        """
        from headwater import artifacts

        said = {f"{vocabulary.METRIC}{name}": float(of) for name, of in (metrics or {}).items()}
        made = artifacts.model(
            source, name=f"{self.key}/checkpoint", **{vocabulary.STEP: step, **said, **options}
        )
        self._sender.link(made, pb.Event.OUTPUT, "checkpoint")
        return made

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
            self._sender.put({vocabulary.RUN_ENDED: now_ms()})
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


def _user() -> str:
    try:
        return getpass.getuser()
    except Exception:  # no name for the number, as in many containers
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def _flat(prefix: str, params: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", plain(value)


def plain(value: Any) -> Union[bool, int, float, str]:
    """A value as a property can hold it: anything that is no such number becomes its text."""
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
