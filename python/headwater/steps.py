"""Steps that need not run again: the same code on the same inputs has the same outputs.

>>> import headwater as hw
>>> hw.init("sqlite::memory:")
>>> @hw.step
... def double(numbers, by=2):
...     return [by * each for each in numbers]
>>> double([1, 2])
[2, 4]
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import dis
import functools
import hashlib
import inspect
import json
import os
import threading
import time
import types
import uuid
import warnings
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar, Union, cast, overload

from headwater import artifacts, errors, provenance, recorder, sender, vocabulary
from headwater.artifacts import Artifact
from headwater.digest import digest_object, digest_path
from headwater.sender import PASSING
from headwater.store import Store
from headwater.v1 import headwater_pb2
from ml_metadata.proto import metadata_store_pb2 as pb

# For how long a step is that of the process which runs it, unless that says it lives.
LEASE_SECONDS = 60.0
_WAIT_SECONDS_MAX = 2.0
# A value that is longer is a digest in the step's parts.
_VALUE_BYTES_MAX = 200
# Functions that a step calls, and they in turn.
_FUNCTIONS_MAX = 500

_Function = TypeVar("_Function", bound=Callable[..., Any])


@overload
def step(function: _Function, /) -> _Function: ...
@overload
def step(
    *,
    name: Optional[str] = None,
    kind: str = "transform",
    cache: bool = True,
    max_age: Union[timedelta, float, None] = None,
    verify: bool = False,
    environment: bool = True,
    version: str = "",
) -> Callable[[_Function], _Function]: ...
def step(
    function: Optional[_Function] = None,
    /,
    *,
    name: Optional[str] = None,
    kind: str = "transform",
    cache: bool = True,
    max_age: Union[timedelta, float, None] = None,
    verify: bool = False,
    environment: bool = True,
    version: str = "",
) -> Any:
    """Makes each call of a function a run, and skips it if it ran on the same before.

    It is the same if the function's code, that of the functions of its package which it calls, the
    constants that they use (numbers, texts, lists, dicts, dataclasses), its arguments and the
    environment are the same. Arguments that are versions, files (``Path``) or
    data (frames, tables, arrays) are inputs, known by their bytes; others are parameters.
    What it returns must be versions, files, plain values, or objects that can be pickled, one or a
    tuple, list or dict of them.

    Args:
      name: of the step; without it the function's.
      kind: as for :func:`headwater.run`.
      cache: whether it may be skipped.
      max_age: how old a result may be, in seconds.
      verify: whether to read what was made and compare it with its digest before it is used.
      environment: whether other versions of Python, packages or system are another step.
      version: part of the key: change it to run again.

    Raises:
      TypeError: the function is a coroutine or a generator.
    """

    def decorated(function: _Function) -> _Function:
        for is_other in (inspect.iscoroutinefunction, inspect.isgeneratorfunction):
            if is_other(function) or inspect.isasyncgenfunction(function):
                raise TypeError(f"{function!r} is no plain function: it returns before it has run")
        made = _Step(
            function, name or function.__name__, kind, cache, max_age, verify, environment, version
        )

        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            return made(arguments, named)

        call.step = made  # type: ignore[attr-defined]
        return cast(_Function, call)

    return decorated(function) if function is not None else decorated


def explain(run: Union[int, recorder.Run], *, store: Union[str, Store, None] = None) -> str:
    """Why a step ran, or was skipped, in a sentence.

    Raises:
      headwater.errors.StatusError: there is no such step.
    """
    id_ = run if isinstance(run, int) else run.id
    return sender.opened(store or recorder.place()).explain_step(execution_id=id_).text


def forget(step: Union[str, Callable[..., Any]], *, store: Union[str, Store, None] = None) -> int:
    """Forgets what a step made, so that it runs again; how many results there were.

    Args:
      step: the name of the step, or the function.
      store: as for :func:`headwater.run`.
    """
    name = step if isinstance(step, str) else step.step.name  # type: ignore[attr-defined]
    return int(sender.opened(store or recorder.place()).forget_steps(name=name).steps)


class _Uncacheable(Exception):
    """Why a call cannot be compared with another one."""


class _Step:
    """A function and how its calls are recorded."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        kind: str,
        cache: bool,
        max_age: Union[timedelta, float, None],
        verify: bool,
        environment: bool,
        version: str,
    ) -> None:
        self.function = function
        self.name = name
        self.kind = kind
        self.cache = cache
        seconds = max_age.total_seconds() if isinstance(max_age, timedelta) else max_age
        self.age_ms_max = None if seconds is None else int(seconds * 1000)
        self.verify = verify
        self.environment = environment
        self.version = version

    def __call__(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        call = _Call(self, arguments, named)
        if not self.cache:
            return call.run(None, "it may not be skipped")
        try:
            parts = call.parts()
        except _Uncacheable as error:
            _warn(f"step {self.name!r} cannot be skipped: {error}")
            return call.run(None, str(error))
        try:
            return call.look_up(_store(), parts)
        except _Unreachable as error:
            _warn(f"step {self.name!r} runs without looking whether it must: {error}")
            return call.run(None, "the store could not be reached")


class _Unreachable(Exception):
    """The store does not answer. Raised before the function has run only."""


class _Call:
    """One call of a step."""

    def __init__(self, step: _Step, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        self.step = step
        self.arguments = arguments
        self.named = named
        self.inputs: dict[str, Union[int, Artifact]] = {}
        self.params: dict[str, Any] = {}
        bound = inspect.signature(step.function).bind(*arguments, **named)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            self._take(name, value)

    def _take(self, name: str, value: Any) -> None:
        if isinstance(value, Artifact):
            self.inputs[name] = value
        elif isinstance(value, os.PathLike) and os.path.exists(value):
            self.inputs[name] = artifacts.dataset(value, profile=False)
        elif _is_plain(value):
            self.params[name] = value
        elif isinstance(value, (list, tuple)) and value and all(map(_is_version, value)):
            for at, each in enumerate(value):
                self._take(f"{name}.{at}", each)
        elif isinstance(value, (dict, list, tuple, set)):
            self.params[name] = value
        else:
            data = artifacts.of_values(value, profile=False)
            if data is not None:
                self.inputs[name] = data
            else:
                self.params[name] = value

    def parts(self) -> dict[str, str]:
        """What the step depends on, by name."""
        found = {f"code.{name}": of for name, of in _code_parts(self.step.function).items()}
        for name, given in self.inputs.items():
            found[f"input.{name}"] = given.key if isinstance(given, Artifact) else str(given)
        for name, value in self.params.items():
            found[f"params.{name}"] = _part(name, value)
        if self.step.environment:
            found["environment"] = provenance.environment_digest()
        if self.step.version:
            found["version"] = self.step.version
        return found

    def look_up(self, store: Store, parts: Mapping[str, str]) -> Any:
        """Takes what was made before, or runs, one at a time."""
        claim = _Claim(store, self.step, parts)
        miss = ""
        while True:
            begun = claim.ask()
            if begun.HasField("execution"):
                try:
                    results = _Results(begun, store.url, self.step.verify)
                    value = results.value()
                except Exception as no:  # a pickle raises whatever its classes like
                    miss = str(no) or type(no).__name__
                    claim.refused.append(begun.execution.id)
                    continue
                self._link(results, parts, begun.fingerprint)
                return value
            if begun.is_claimed:
                return self.run(claim, miss, parts, begun.fingerprint)
            time.sleep(min(begun.wait_ms / 1000, _WAIT_SECONDS_MAX, claim.pause()))

    def _begin(self, parts: Mapping[str, str], fingerprint: str) -> recorder.Run:
        run = recorder.run(self.step.name, kind=self.step.kind)
        said = {vocabulary.STEP_NAME: self.step.name}
        if fingerprint:
            said[vocabulary.STEP_FINGERPRINT] = fingerprint
        said.update({f"{vocabulary.STEP_PART}{name}": of for name, of in parts.items()})
        run._sender.put(said)
        run.log_params(self.params)
        for name, given in self.inputs.items():
            run.input(given, name)
        return run

    def _link(self, results: _Results, parts: Mapping[str, str], fingerprint: str) -> None:
        """Records that the step was skipped, with what it would have made."""
        run = self._begin(parts, fingerprint)
        run._sender.put({vocabulary.STEP_SAME_AS: results.execution_id})
        for role, made in results.outputs.items():
            run.output(made, role)
        run._end(pb.Execution.CACHED)

    def run(
        self,
        claim: Optional[_Claim],
        miss: str,
        parts: Optional[Mapping[str, str]] = None,
        fingerprint: str = "",
    ) -> Any:
        run = self._begin(parts or {}, fingerprint)
        if miss:
            run._sender.put({vocabulary.STEP_MISS: miss})
        is_kept = False
        try:
            with run:
                with claim.kept() if claim else contextlib.nullcontext():
                    value = self.step.function(*self.arguments, **self.named)
                is_kept = _record(run, value)
        finally:
            if claim is not None:
                claim.finish(run, is_kept)
        return value


class _Claim:
    """That this call runs the step, and no other."""

    def __init__(self, store: Store, step: _Step, parts: Mapping[str, str]) -> None:
        self.store = store
        self.step = step
        self.parts = parts
        self.name = uuid.uuid4().hex
        self.refused: list[int] = []
        self._fingerprint = ""
        self._pause = 0.02

    def ask(self) -> headwater_pb2.BeginStepResponse:
        try:
            begun = self.store.begin_step(
                name=self.step.name,
                parts=self.parts,
                claimant=self.name,
                lease_ms=int(LEASE_SECONDS * 1000),
                age_ms_max=self.step.age_ms_max,
                refused_execution_ids=self.refused,
            )
        except errors.StatusError as error:
            raise _Unreachable(str(error)) from error
        self._fingerprint = begun.fingerprint
        return begun

    def pause(self) -> float:
        self._pause = min(self._pause * 1.5, _WAIT_SECONDS_MAX)
        return self._pause

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Says that the step goes on, as long as it does."""
        ended = threading.Event()

        def keep() -> None:
            while not ended.wait(LEASE_SECONDS / 3):
                with contextlib.suppress(Exception):
                    self.ask()

        thread = threading.Thread(target=keep, name="headwater-step", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def finish(self, run: recorder.Run, is_kept: bool) -> None:
        """Lets the others know; without a word they would wait for the lease to end."""
        execution_id = None
        with contextlib.suppress(errors.StatusError):
            if is_kept and run.is_stored:
                execution_id = run.id
        try:
            self.store.finish_step(
                fingerprint=self._fingerprint, claimant=self.name, execution_id=execution_id
            )
        except PASSING as error:
            _warn(f"step {self.step.name!r} will run again: {error}")
        except errors.StatusError as error:
            _warn(f"what step {self.step.name!r} made is not found again: {error}")


# What a step returns. The run says in `step.returns` how the value is put together: `shape` is one,
# tuple, list or dict, and of each place it has `role`, `key` and how it is read, or the value.


def _record(run: recorder.Run, value: Any) -> bool:
    """Records what a step returned; whether it can be had again."""
    shape, places = "one", {"return": value}
    if type(value) in (tuple, list) and any(not _is_plain(each) for each in value):
        shape = type(value).__name__
        places = {f"return.{at}": each for at, each in enumerate(value)}
    elif type(value) is dict and all(isinstance(name, str) for name in value):
        shape = "dict"
        places = {f"return.{name}": each for name, each in value.items()}
    made: list[dict[str, Any]] = []
    is_kept = True
    for role, each in places.items():
        if _is_plain(each):
            made.append({"role": role, "as": "value", "value": each})
            continue
        if isinstance(each, Artifact):
            output, how = each, "version"
        elif isinstance(each, os.PathLike):
            output, how = artifacts.dataset(each, profile=False), "path"
        else:
            # Data is known by its values, so that who reads it reads this version.
            data = artifacts.of_values(each, save=True, profile=False)
            output, how = data or artifacts.artifact(each), "object"
            is_kept = is_kept and output.digest is not None and bool(output.uri)
        run.output(output, role)
        made.append({"role": role, "as": how, "key": output.key})
    said = json.dumps({"shape": shape, "places": made})
    if len(said) > 60_000:
        _warn(f"step {run.name!r} cannot be skipped later: it returns too many plain values")
        return False
    run._sender.put({vocabulary.STEP_RETURNS: said})
    return is_kept


class _Results:
    """What a step made when it ran."""

    def __init__(self, begun: headwater_pb2.BeginStepResponse, url: str, verify: bool) -> None:
        self.execution_id = begun.execution.id
        said = begun.execution.custom_properties[vocabulary.STEP_RETURNS].string_value
        self._said = json.loads(said or "{}")
        self._verify = verify
        nodes = {node.id: Artifact.stored(node, url) for node in begun.artifacts}
        self.outputs: dict[str, Artifact] = {
            event.path.steps[0].key: nodes[event.artifact_id]
            for event in begun.events
            if event.path.steps
        }

    def value(self) -> Any:
        """ValueError or OSError if it cannot be had any more."""
        if "places" not in self._said:
            raise ValueError("it does not say what it returned")
        values = {place["role"]: self._place(place) for place in self._said["places"]}
        shape = self._said["shape"]
        if shape == "one":
            return values["return"]
        if shape == "dict":
            return {role.partition(".")[2]: each for role, each in values.items()}
        return (tuple if shape == "tuple" else list)(values.values())

    def _place(self, place: Mapping[str, Any]) -> Any:
        if place["as"] == "value":
            return place["value"]
        made = self.outputs.get(place["role"])
        if made is None:
            # What is returned twice has one event.
            same = [each for each in self.outputs.values() if each.key == place["key"]]
            made = same[0] if same else None
        if made is None:
            raise ValueError(f"its output {place['role']!r} is gone from the store")
        if made.uri.startswith("file://"):
            self._check(made)
        if place["as"] == "version":
            return made
        if place["as"] == "path":
            return Path(made.path)
        value = artifacts.load(made)
        frame = made.properties.get(vocabulary.DIGEST_FRAME)
        if self._verify and frame and digest_object(value).frame != frame:
            raise ValueError(f"its output {made.path!r} has changed")
        return value

    def _check(self, made: Artifact) -> None:
        if not os.path.exists(made.path):
            raise ValueError(f"its output {made.path!r} is gone")
        expected = made.properties.get(vocabulary.DIGEST_SHA256)
        size = made.properties.get(vocabulary.SIZE_BYTES) if expected else None
        if os.path.isfile(made.path) and size not in (None, os.path.getsize(made.path)):
            raise ValueError(f"its output {made.path!r} has changed")
        if self._verify and expected and digest_path(made.path).sha256 != expected:
            raise ValueError(f"its output {made.path!r} has changed")


# What a step depends on.


def _is_plain(value: Any) -> bool:
    return value is None or type(value) in (bool, int, float, str)


def _is_version(value: Any) -> bool:
    return isinstance(value, (Artifact, os.PathLike))


def _digest(value: Any) -> Optional[str]:
    with contextlib.suppress(TypeError, ValueError):
        return digest_object(value).key
    return None


def _part(name: str, value: Any) -> str:
    """A value as a part of the key: itself if it is short, else its digest."""
    if _is_plain(value):
        text = repr(value)
        if len(text.encode("utf-8", "backslashreplace")) <= _VALUE_BYTES_MAX:
            return text.encode("utf-8", "backslashreplace").decode()
    found = _digest(value)
    if found is None and isinstance(value, types.FunctionType):
        found = _hash(json.dumps(_code_parts(value), sort_keys=True))
    if found is None:
        raise _Uncacheable(
            f"its argument {name!r} is a {type(value).__name__}, which cannot be compared"
        )
    return found


def _hash(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _code_parts(function: Callable[..., Any]) -> dict[str, str]:
    """For the function and each of its package that it calls: a digest of its code."""
    found: dict[str, str] = {}
    seen: set[int] = set()
    waiting: list[Any] = [function]
    home = _package(function)
    while waiting and len(seen) < _FUNCTIONS_MAX:
        each = waiting.pop()
        each = inspect.unwrap(each)
        code = getattr(each, "__code__", None)
        if code is None or id(code) in seen:
            continue
        seen.add(id(code))
        values = dict(_values(each))
        plain = {name: _constant(of) for name, of in values.items()}
        said = [_source(each), repr(each.__defaults__), repr(each.__kwdefaults__)]
        said.append(repr(sorted((name, of) for name, of in plain.items() if of is not None)))
        found[getattr(each, "__qualname__", "?")] = _hash("\0".join(said))
        for value in values.values():
            members = vars(value).values() if inspect.isclass(value) else [value]
            for member in members:
                called = getattr(member, "__func__", member)
                if inspect.isfunction(called) and _package(called) == home:
                    waiting.append(called)
    return found


def _package(of: Any) -> str:
    return (getattr(of, "__module__", None) or "").partition(".")[0]


def _values(function: Any) -> Iterator[tuple[str, Any]]:
    """What a function takes from around it, by name: globals, and those of functions in it."""
    yield from inspect.getclosurevars(function).nonlocals.items()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
        for instruction in dis.get_instructions(code):
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                name = instruction.argval
                if name in function.__globals__:
                    yield name, function.__globals__[name]


def _constant(value: Any) -> Optional[str]:
    """The value of a global that counts as code, such as a setting; None for modules."""
    if _is_plain(value):
        return repr(value)
    if isinstance(value, (tuple, list, frozenset, set, dict)):
        return _digest(value) or repr(type(value))
    if isinstance(value, (types.SimpleNamespace, argparse.Namespace)) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    ):
        return _digest(vars(value)) or repr(type(value))
    return None


def _source(function: Any) -> str:
    code = function.__code__
    try:
        source = inspect.getsource(function)
    except Exception:  # no file, another one, or one that is no Python
        source = ""
    if code.co_name in source or (code.co_name == "<lambda>" and "lambda" in source):
        return source
    return _bytecode(code)


def _bytecode(code: types.CodeType) -> str:
    """A code without what is only of this process or place."""

    def constant(of: Any) -> str:
        if isinstance(of, types.CodeType):
            return _bytecode(of)
        return repr(sorted(map(repr, of))) if isinstance(of, frozenset) else repr(of)

    return repr((code.co_code, code.co_names, [constant(each) for each in code.co_consts]))


def _store() -> Store:
    try:
        return sender.opened(recorder.place())
    except errors.StatusError as error:
        raise _Unreachable(str(error)) from error


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=4)
