"""One training that a library does: the run it is recorded in, and what is said of it there."""

from __future__ import annotations

import contextlib
import json
import logging
import numbers
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable, Optional

import headwater
from headwater import recorder, vocabulary
from headwater.environment import is_secret_name

# Data up to this size is hashed as training begins: reading it takes about a tenth of a second.
HASHED_BYTES_MAX = 128 << 20
# Cells of a column of Python objects are slow to hash.
HASHED_OBJECTS_MAX = 1_000_000
# What one training may say: a pipeline of a hundred steps stays below.
PARAMS_MAX = 1_000
PARAM_CHARACTERS_MAX = 1_000
FEATURES_MAX = 5_000
IMPORTANCES_MAX = 100
COLUMNS_MAX = 500
# How long the end of a training waits until its run is stored; the rest goes on by itself.
END_SECONDS_MAX = 2.0

_log = logging.getLogger("headwater")
# How many trainings a run of the caller's own has had.
_trainings: weakref.WeakKeyDictionary[recorder.Run, int] = weakref.WeakKeyDictionary()
_lock = threading.Lock()
_said: set[tuple[str, str]] = set()
# The end that took too long, as long as it does.
_slow: Optional[threading.Thread] = None


class Off(Exception):
    """A library is not to be recorded; its text says which."""


@contextlib.contextmanager
def harmless(what: str) -> Iterator[None]:
    """Keeps what goes wrong in here from the script, and says it once."""
    try:
        yield
    except Off:
        pass
    except Exception as error:
        key = (what, type(error).__name__)
        if key not in _said:
            _said.add(key)
            _log.warning("autolog left out a part of %s: %s: %s", what, key[1], error)
            _log.debug("autolog of %s", what, exc_info=True)


def tried(what: str, ask: Callable[[], Any]) -> Any:
    """What a library answers, or None if it raises: the rest is recorded all the same."""
    with harmless(what):
        return ask()
    return None


class Training:
    """A training, in the run that is current or, without one, in a run of its own.

    The first training in a run has the plain names, as in ``params.C``; further ones are told apart
    by their number, as in ``params.fit2.C`` and the metric ``fit2/loss``.

    Attributes:
      library: which library trains, as :func:`headwater.autolog` calls it.
      run: what it is recorded in.
      inputs: the artifacts of its data.
    """

    def __init__(
        self,
        library: str,
        name: str,
        *,
        log_models: bool = True,
        log_data: bool = True,
        part: Optional[str] = None,
        is_scoped: bool = True,
    ) -> None:
        """Begins a run if there is none.

        Args:
          library: which library trains.
          name: of a run of its own.
          log_models: whether models are recorded.
          log_data: whether data is.
          part: says that this is a part of what the run does, under a name that tells it apart.
          is_scoped: whether a run of its own is current until :meth:`end`.
        """
        found = headwater.current_run()
        self.library = library
        self.log_models = log_models
        self.log_data = log_data
        self.inputs: list[Any] = []
        self.is_own = found is None
        self._token: Any = None
        self._params = 0
        if found is not None:
            self.run = found
            self._part = part or _number(found)
            return
        self.run = headwater.run(name, kind="train", tags={"autolog": library})
        self._part = part or ""
        if is_scoped:
            self._token = recorder._current.set(self.run)

    def params(self, params: Mapping[str, Any], prefix: str = "") -> None:
        """Records parameters; of very many only the first."""
        said = {}
        for name, value in _flat(prefix, params):
            self._params += 1
            if self._params > PARAMS_MAX:
                _log.warning("autolog: of %r more than %d params", self.run.name, PARAMS_MAX)
                break
            if isinstance(value, str) and value and is_secret_name(name):
                value = "***"  # the script did not ask for it to be written down
            said[f"{self._part}.{name}" if self._part else name] = value
        self.run.log_params(said)

    def metrics(self, metrics: Mapping[str, Any], step: Optional[int] = None) -> None:
        """Adds a point to each of the metrics whose value is a number."""
        for name, value in metrics.items():
            number = as_number(value)
            if number is not None:
                name = f"{self._part}/{name}" if self._part else name
                self.run.log_metric(name, number, step)

    def data(self, source: Any, role: str) -> None:
        """Records what is trained on; of much data, and of kinds that cannot be read, the shape."""
        if source is None or not self.log_data:
            return
        table = _as_table(source)
        if table is None:
            self.describe_data(source, role)
            return
        role = f"{self._part}.{role}" if self._part else role
        if isinstance(table, str) or _is_hashed(table):
            with harmless(f"the data of {self.run.name}"), self._current():
                # Its first rows and statistics are for the script to say: they cost time, and may
                # hold what nobody should see.
                artifact = headwater.dataset(table, profile=False, **_facts(table))
                self.run.input(artifact, role=role)
                self.inputs.append(artifact)
        else:
            self.run.set_tags({f"data.{role}": f"{describe(table)}, too large to be hashed"})

    def describe_data(self, source: Any, role: str) -> None:
        """Records what can be said of data that cannot be read without changing what happens."""
        if source is not None and self.log_data:
            role = f"{self._part}.{role}" if self._part else role
            self.run.set_tags({f"data.{role}": describe(source)})

    def model(
        self,
        source: Any,
        model_type: str,
        framework: str,
        *,
        name: Optional[str] = None,
        package: Optional[str] = None,
        features: Optional[str] = None,
        features_out: Optional[str] = None,
        architecture: Optional[str] = None,
        importances: Optional[Mapping[str, float]] = None,
        **options: Any,
    ) -> None:
        """Records a trained model, an object or a path, as made from the data.

        Args:
          source: as for :func:`headwater.model`, as are ``options``.
          model_type: its class.
          framework: what it is a model of.
          name: what its versions share; without it they share the class.
          package: whose version is the framework's, if it has another name.
          features: as :func:`features` has them.
          features_out: likewise, after the steps before the model.
          architecture: its layers, for people.
          importances: as :func:`importances` has them.
        """
        if not self.log_models:
            return
        said = {
            vocabulary.FEATURES: features,
            vocabulary.FEATURES_OUT: features_out,
            vocabulary.ARCHITECTURE: architecture,
            **(importances or {}),
            **options,
        }
        with harmless(f"the model of {self.run.name}"), self._current():
            artifact = headwater.model(
                source,
                name=name or model_type,
                framework=framework,
                framework_version=version_of(package or framework),
                model_type=model_type,
                **said,
            )
            role = f"{self._part}.model" if self._part else "model"
            self.run.output(artifact, role=role, made_from=self.inputs)

    def checkpoint(self, path: str, step: int, metrics: Mapping[str, float]) -> None:
        """Records a checkpoint that was saved, with the metrics at its step."""
        if self.log_models:
            with harmless(f"a checkpoint of {self.run.name}"), self._current():
                self.run.checkpoint(path, step=step, metrics=metrics)

    @contextlib.contextmanager
    def _current(self) -> Iterator[None]:
        """Artifacts belong to the run that is current: its store is theirs."""
        token = recorder._current.set(self.run)
        try:
            yield
        finally:
            recorder._current.reset(token)

    def end(self, error: Optional[BaseException] = None) -> None:
        """Ends a run of its own, and waits a moment until it is stored."""
        if self._token is not None:
            with contextlib.suppress(ValueError):
                recorder._current.reset(self._token)
            self._token = None
        if self.is_own:
            _end(self.run, error)


def _end(run: recorder.Run, error: Optional[BaseException]) -> None:
    """An unreachable store may cost one training a moment, and the next ones nothing."""
    global _slow
    if isinstance(error, SystemExit) and isinstance(error.__context__, KeyboardInterrupt):
        error = error.__context__  # Lightning exits so after Ctrl-C

    def end() -> None:
        run.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)

    thread = threading.Thread(target=end, name="headwater-autolog-end")
    try:
        thread.start()
    except RuntimeError:  # the interpreter is about to end
        end()
        return
    if _slow is None or not _slow.is_alive():
        thread.join(END_SECONDS_MAX)
        _slow = thread if thread.is_alive() else None


def _number(run: recorder.Run) -> str:
    with _lock:
        number = _trainings[run] = _trainings.get(run, 0) + 1
    return f"fit{number}" if number > 1 else ""


def log_afterwards(run: recorder.Run, name: str, value: float, step: int) -> None:
    """Adds a point to a metric of a run, also of one that has ended; then without waiting."""
    if not run._is_finished:
        run.log_metric(name, value, step)
        return
    time_ms = time.time_ns() // 1_000_000

    def send() -> None:
        place = run._place
        try:
            series = {"name": name, "steps": [step], "times_ms": [time_ms], "values": [value]}
            writer = uuid.uuid4().hex
            store = headwater.open(place) if isinstance(place, str) else place
            try:
                store.log_metrics(execution_id=run.id, writer=writer, sequence=1, series=[series])
            finally:
                if store is not place:
                    store.close()
        except Exception as error:
            _log.warning("metric %r of run %r is left out: %s", name, run.name, error)

    with contextlib.suppress(RuntimeError):  # the interpreter is about to end
        threading.Thread(target=send, name="headwater-autolog-metric").start()


def version_of(package: str) -> Optional[str]:
    """The version of an imported package."""
    names = {"scikit-learn": "sklearn", "pytorch": "torch"}
    found = getattr(sys.modules.get(names.get(package, package)), "__version__", None)
    return None if found is None else str(found)


def as_number(value: Any) -> Optional[float]:
    """The number that a value is, also of an array or a tensor with one."""
    if isinstance(value, numbers.Real):
        return float(value)
    if getattr(value, "size", None) == 1 or callable(getattr(value, "numel", None)):
        with contextlib.suppress(Exception):
            return float(value.item())
    return None


def features(names: Optional[Iterable[Any]]) -> Optional[str]:
    """The ordered names of features, as JSON."""
    if names is None:
        return None
    listed = [str(name) for name in names]
    return json.dumps(listed, ensure_ascii=False) if 0 < len(listed) <= FEATURES_MAX else None


def importances(names: Iterable[Any], values: Iterable[Any]) -> dict[str, float]:
    """Properties with the importance of the features that matter most."""
    pairs = [(str(name)[:200], as_number(value)) for name, value in zip(names, values)]
    known = [(name, value) for name, value in pairs if value is not None]
    known.sort(key=lambda pair: -abs(pair[1]))
    return {f"{vocabulary.IMPORTANCE}{name}": value for name, value in known[:IMPORTANCES_MAX]}


def describe(source: Any) -> str:
    """The kind of some data, and its size."""
    kind = type(source)
    text = f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
    shape = getattr(source, "shape", None)
    if isinstance(shape, tuple):
        dtype = getattr(source, "dtype", None)
        return f"{text} {' x '.join(map(str, shape))}{'' if dtype is None else f' {dtype}'}"
    with contextlib.suppress(Exception):
        return f"{text} {len(source)}"
    return text


def _as_table(source: Any) -> Any:
    """What can be a version of a dataset, without copying; None for anything else."""
    if isinstance(source, str):
        return source
    package = type(source).__module__.partition(".")[0]
    if package == "torch":
        if source.device.type != "cpu" or source.is_sparse:
            return None
        return source.detach().numpy()
    if isinstance(source, (list, tuple)) and source and "numpy" in sys.modules:
        if len(source) > 10_000:
            return None
        array = sys.modules["numpy"].asarray(source)
        return None if array.dtype == object else array
    is_table = package in ("pandas", "polars", "pyarrow") or type(source).__name__ == "ndarray"
    return source if is_table else None


def _facts(source: Any) -> dict[str, Any]:
    """What is known of a table without reading it."""
    if isinstance(source, str):
        return {}
    found: dict[str, Any] = {vocabulary.FORMAT: type(source).__module__.partition(".")[0]}
    shape = getattr(source, "shape", None)
    if shape:
        found[vocabulary.ROWS] = int(shape[0])
    columns, types = getattr(source, "columns", None), getattr(source, "dtypes", None)
    if columns is not None and types is not None:
        named = list(zip(columns, types))[:COLUMNS_MAX]
        found.update({f"{vocabulary.COLUMN}{name}": str(kind) for name, kind in named})
    return found


def _is_hashed(source: Any) -> bool:
    size = getattr(source, "nbytes", None)
    types = [getattr(source, "dtype", None)]
    if hasattr(source, "memory_usage"):  # of pandas, whose `nbytes` is not there or is wrong
        usage = source.memory_usage(index=True, deep=False)
        size = int(usage if isinstance(usage, numbers.Integral) else usage.sum())
        types = list(getattr(source, "dtypes", types)) if hasattr(source, "columns") else types
    elif hasattr(source, "estimated_size"):  # of polars
        size = source.estimated_size()
    objects = sum(getattr(of, "kind", None) == "O" for of in types)
    cells = objects * (source.shape[0] if getattr(source, "shape", None) else 0)
    return size is not None and size <= HASHED_BYTES_MAX and cells <= HASHED_OBJECTS_MAX


def _flat(prefix: str, params: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", _leaf(value)


def _leaf(value: Any) -> Any:
    """A parameter as it is said: a number or a text, or in short what it is."""
    if value is None or isinstance(value, (bool, numbers.Number)):
        return value
    if isinstance(value, str):
        return value[:PARAM_CHARACTERS_MAX]
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return f"{value}"[:PARAM_CHARACTERS_MAX] if len(value) <= 100 else describe(value)
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"{value}"[:PARAM_CHARACTERS_MAX] if sum(shape) <= 100 and shape else describe(value)
    if "__repr__" not in _defined(type(value)):  # with an address, that is another in each run
        return f"{type(value).__module__}.{type(value).__qualname__}"
    return f"{value}"[:PARAM_CHARACTERS_MAX]


def _defined(kind: type) -> set[str]:
    """The names that a class and what it is made of define, but for what all objects have."""
    return {name for of in kind.__mro__[:-1] for name in vars(of)}
