"""How libraries are observed: patches that are put on as a library is imported, and one guard for
all of them, so that what trains inside a training is part of it.

An observer is a generator. It gets the :class:`Call` before the library does, may change its
arguments, yields once, is sent the result, and says what it saw to ``call.training``. Whatever goes
wrong in it is logged and costs the caller nothing.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import importlib.abc
import importlib.machinery
import inspect
import operator
import sys
import threading
import types
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from headwater.autolog.training import Off, Training, harmless

Undo = list[Callable[[], None]]
Observer = Callable[["Call"], Generator[None, Any, None]]
Inside = Callable[["Call", Any, Any], Any]
Watcher = Callable[[Callable[..., Any], Any, Any, Any], None]
# What stands around a function: it gets the function, its arguments, and answers for it.
Around = Callable[[Callable[..., Any], Any, Any], Any]


@dataclass
class Settings:
    """What one library is to have recorded."""

    is_on: bool = False
    log_models: bool = True
    log_data: bool = True


@dataclass
class Place:
    """A module in which something is patched as soon as it is imported.

    Attributes:
      module: its name.
      install: patches it; adds to the list how that is undone.
      libraries: for the sake of which; with all of them off the patches go.
    """

    module: str
    install: Callable[[Any, Undo], None]
    libraries: tuple[str, ...]
    undo: Undo = field(default_factory=list)
    is_installed: bool = False


@dataclass
class Call:
    """A call of a patched function, as it was made."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    training: Optional[Training] = None
    # Whom a callback was given to, so that one training is not reported twice.
    reporter: Optional[str] = None
    # Whether what is called inside is nothing of its own although this is no training.
    is_quiet: bool = False
    ends: Undo = field(default_factory=list)

    def begin(self, library: str, name: str, **options: Any) -> Training:
        """Makes this call a training, in the run around it or in a run of its own."""
        if not is_on(library):
            raise Off(library)  # and yet called, by a patch that somebody put over this one
        of = settings[library]
        self.training = Training(
            library, name, log_models=of.log_models, log_data=of.log_data, **options
        )
        return self.training

    def at_end(self, undo: Callable[[], Any]) -> None:
        """Has something done when the call is over, however it ended."""
        self.ends.append(undo)

    def arguments(self) -> dict[str, Any]:
        """The arguments by name, as far as they were given."""
        bound = inspect.signature(self.function).bind_partial(*self.args, **self.kwargs)
        return dict(bound.arguments)

    def set_argument(self, name: str, value: Any) -> None:
        """Gives an argument another value."""
        bound = inspect.signature(self.function).bind_partial(*self.args, **self.kwargs)
        bound.arguments[name] = value
        self.args, self.kwargs = bound.args, dict(bound.kwargs)


settings: dict[str, Settings] = {}
_places: dict[str, Place] = {}
_lock = threading.RLock()
_outermost: contextvars.ContextVar[Optional[Call]] = contextvars.ContextVar("call", default=None)


def is_on(library: str) -> bool:
    """Whether a library is to be recorded now."""
    of = settings.get(library)
    return of is not None and of.is_on


def outermost() -> Optional[Call]:
    """The observed call around the caller, in its thread or task."""
    return _outermost.get()


@contextlib.contextmanager
def unobserved() -> Iterator[None]:
    """What is called in here is nothing of its own, as in threads that a training starts."""
    token = _outermost.set(Call(_nothing, (), {}))
    try:
        yield
    finally:
        _outermost.reset(token)


def observing(observer: Observer, inside: Optional[Inside] = None) -> Around:
    """Has calls observed that nothing observed is around.

    Where something is, ``inside`` may change the arguments.
    """

    def around(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        outer = _outermost.get()
        if outer is None:
            return _observe(observer, function, args, kwargs)
        if inside is not None:
            with harmless(_name(function)):
                args, kwargs = inside(outer, args, kwargs)
        return function(*args, **kwargs)

    return around


def watching(before: Optional[Watcher] = None, after: Optional[Watcher] = None) -> Around:
    """Has calls seen: the function, its arguments and, afterwards, its result."""

    def around(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if before is not None:
            with harmless(_name(function)):
                before(function, args, kwargs, None)
        result = function(*args, **kwargs)
        if after is not None:
            with harmless(_name(function)):
                after(function, args, kwargs, result)
        return result

    return around


def _observe(observer: Observer, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    call = Call(function, args, kwargs)
    token = _outermost.set(call)
    failed: Optional[BaseException] = None
    try:
        steps = observer(call)
        with harmless(_name(function)):
            if next(steps, _NOTHING) is not _NOTHING:
                args, kwargs = call.args, call.kwargs
        if call.training is None:
            if not call.is_quiet:
                _outermost.set(None)  # somebody inside may be worth a training
            return function(*args, **kwargs)
        result = function(*args, **kwargs)
        with harmless(_name(function)), contextlib.suppress(StopIteration):
            steps.send(result)
        return result
    except BaseException as error:
        failed = error
        raise
    finally:
        _outermost.reset(token)
        while call.ends:
            with harmless(_name(function)):
                call.ends.pop()()
        if call.training is not None:
            with harmless(_name(function)):
                call.training.end(failed)


_NOTHING = object()


def _nothing() -> None:
    """Stands for a call that nobody observes."""


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', function)}"


class Method:
    """A method that is observed when it is called on an object.

    The class itself shows the original, and so does what is pickled: signatures, routing of
    metadata and classes that are pickled by value are as if nothing had been patched.
    """

    def __init__(self, function: Callable[..., Any], around: Around) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._around = around

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._around(self._function, args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self._function if instance is None else types.MethodType(self, instance)

    def __getattr__(self, name: str) -> Any:
        if name == "_function":  # an object that is not made yet
            raise AttributeError(name)
        return getattr(self._function, name)

    def __reduce__(self) -> Any:
        # Python's own words for "the function": nobody needs Headwater to load it.
        return operator.getitem, ([self._function], 0)


def patch_method(owner: type, name: str, around: Around, undo: Undo) -> None:
    """Puts something around a method that a class itself defines; nothing if it defines none."""
    function = owner.__dict__.get(name)
    if isinstance(getattr(function, "fn", None), types.FunctionType):
        # scikit-learn's methods that are there if a step has them.
        owner, name, function = function, "fn", function.fn  # type: ignore[assignment, union-attr]
    if not isinstance(function, types.FunctionType):
        return
    method = Method(function, around)
    setattr(owner, name, method)

    def restore() -> None:
        if owner.__dict__.get(name) is method:
            setattr(owner, name, function)

    undo.append(restore)


def patch_functions(module: Any, arounds: Mapping[str, Around], undo: Undo) -> None:
    """Puts something around functions of a module, wherever they were imported to."""
    forth: dict[int, tuple[Any, Any]] = {}
    back: dict[int, tuple[Any, Any]] = {}
    for name, around in arounds.items():
        function = vars(module).get(name)
        if isinstance(function, types.FunctionType):
            wrapper = _wrapper(function, around)
            forth[id(function)] = (function, wrapper)
            back[id(wrapper)] = (wrapper, function)
    _exchange(forth)
    undo.append(lambda: _exchange(back))


def _wrapper(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return around(function, args, kwargs)

    return wrapper


_dict: Any = vars(types.ModuleType)["__dict__"]


def _exchange(functions: Mapping[int, tuple[Any, Any]]) -> None:
    """A function may have been imported by name before: `from xgboost import train`."""
    for module in list(sys.modules.values()):
        # Past what a class of modules makes of `__dict__`: one imports all that it could.
        names = _dict.__get__(module) if isinstance(module, types.ModuleType) else None
        if names:
            for name, value in list(names.items()):
                found = functions.get(id(value))
                if found is not None and found[0] is value:
                    names[name] = found[1]


def apply(places: Mapping[str, Place]) -> None:
    """Patches what is wanted and imported, waits for what is not imported yet, undoes the rest."""
    with _lock:
        _places.update(places)
        for place in _places.values():
            module = sys.modules.get(place.module)
            if not _is_wanted(place):
                _remove(place)
            elif module is not None and not _is_initializing(module):
                _install(place, module)
        is_waiting = any(_is_wanted(place) for place in _places.values())
        if is_waiting and _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        elif not is_waiting and _finder in sys.meta_path:
            sys.meta_path.remove(_finder)


def _is_wanted(place: Place) -> bool:
    return any(is_on(library) for library in place.libraries)


def _is_initializing(module: Any) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _install(place: Place, module: Any) -> None:
    with _lock:
        if place.is_installed:
            return
        place.is_installed = True
        with harmless(place.module):
            place.install(module, place.undo)


def _remove(place: Place) -> None:
    while place.undo:
        with harmless(place.module):
            place.undo.pop()()
    place.is_installed = False


class _Finder(importlib.abc.MetaPathFinder):
    """Patches a module right after it was executed, before whoever imports it sees it."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        place = _places.get(fullname)
        if place is None or not _is_wanted(place):
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(fullname, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, place)
                return spec
        return None


class _Loader:
    def __init__(self, loader: Any, place: Place) -> None:
        self._loader = loader
        self._place = place

    def __getattr__(self, name: str) -> Any:
        if name == "_loader":  # an object that is not made yet
            raise AttributeError(name)
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Any:
        create = getattr(self._loader, "create_module", None)
        return create(spec) if create else None

    def exec_module(self, module: Any) -> None:
        # The module is to know the loader that it has without us.
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._place.is_installed = False  # the module may be a new one
        _install(self._place, module)


_finder = _Finder()
