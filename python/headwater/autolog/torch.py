"""PyTorch without a trainer: what can be seen of a loop that the script writes itself.

A training begins with the first ``step()`` of an optimizer. In a run it is recorded there;
otherwise in a run of its own, which ends when nobody holds the optimizer any more, or with the
process. Seen are the optimizer's hyperparameters, the model that holds its parameters, the loss at
each step, changes of the learning rate, the data loader, and what ``torch.save`` writes to a file:
a model, if it is one or nothing but its tensors, else a checkpoint.

The loss is the value that ``backward()`` was called on, before a gradient scaler multiplied it. On
a CPU it is read at each step. On a CUDA device it is copied without waiting for the device, and
read once it has arrived: some steps may be left out. On other devices it is not read.
"""

from __future__ import annotations

import gc
import os
import queue
import sys
import threading
import weakref
from collections.abc import Mapping
from typing import Any, Callable

import headwater
from headwater.autolog import hooks, training

_thread = threading.local()
HYPERPARAMETERS_MAX = 50
ARCHITECTURE_CHARACTERS_MAX = 20_000


class _Loop:
    """A loop that trains with an optimizer, from its first step on."""

    def __init__(self, of: training.Training, name: str) -> None:
        self.of = of
        self.steps = 0
        self.name = name
        self.rates: list[Any] = []
        self.waiting: list[tuple[int, Any, Any]] = []
        self.thread = threading.get_ident()
        # Not the optimizer, with which this ends.
        self.model: Any = None

    def step(self, optimizer: Any) -> None:
        rates = [group.get("lr") for group in optimizer.param_groups]
        if rates != self.rates and all(isinstance(rate, float) for rate in rates):
            for index, rate in enumerate(rates):
                of_group = "" if index == 0 else f"/{index}"
                self.of.metrics({f"{self.name}learning_rate{of_group}": rate}, self.steps)
            self.rates = rates
        loss, _thread.loss = getattr(_thread, "loss", None), None
        if loss is not None:
            self._read(loss)
        self.steps += 1

    def _read(self, loss: Any) -> None:
        kind = loss.device.type
        if kind == "cpu":
            self.of.metrics({f"{self.name}loss": loss.item()}, self.steps)
        elif kind == "cuda":
            while self.waiting and self.waiting[0][2].query():
                step, value, _ = self.waiting.pop(0)
                self.of.metrics({f"{self.name}loss": value.item()}, step)
            if len(self.waiting) < 16:
                torch = sys.modules["torch"]
                value = torch.empty((), dtype=loss.dtype, pin_memory=True)
                value.copy_(loss, non_blocking=True)
                arrived = torch.cuda.Event()
                arrived.record()
                self.waiting.append((self.steps, value, arrived))

    def end(self) -> None:
        for step, value, arrived in self.waiting:
            if arrived.query():
                self.of.metrics({f"{self.name}loss": value.item()}, step)
        self.of.end()


_loops: weakref.WeakKeyDictionary[Any, _Loop] = weakref.WeakKeyDictionary()
# Loops whose optimizer is gone. It may go in the middle of anything, even of what holds a lock.
_over: queue.SimpleQueue[_Loop] = queue.SimpleQueue()
_ender: list[threading.Thread] = []


def _stepped(optimizer: Any, args: Any, kwargs: Any) -> None:
    if hooks.outermost() is not None or not hooks.is_on("torch"):
        return
    with training.harmless("torch.optim"):
        loop = _loops.get(optimizer)
        if loop is None or loop.of.run._is_finished:
            _loops[optimizer] = loop = _begin(optimizer)
        _thread.loop = loop
        loop.step(optimizer)


def _begin(optimizer: Any) -> _Loop:
    """The training that the first step of an optimizer begins, or goes on with a further one."""
    run = headwater.current_run()
    others = [
        loop
        for loop in list(_loops.values())
        if not loop.of.run._is_finished
        and (loop.of.run is run or (run is None and loop.of.is_own))
        and loop.thread == threading.get_ident()
    ]
    with hooks.unobserved():
        model = _model_of(optimizer)
        if others:
            loop = _Loop(others[0].of, f"optimizer{len(others) + 1}/")
        else:
            loop = _Loop(_training(model), "")
            if loop.of.is_own:
                _end_with(optimizer, loop)
        with training.harmless("torch.optim"):
            _describe(loop, optimizer, model, len(others))
    return loop


def _training(model: Any) -> training.Training:
    of = hooks.settings["torch"]
    name = type(model).__name__ if model is not None else _script()
    return training.Training(
        "torch", name, log_models=of.log_models, log_data=of.log_data, is_scoped=False
    )


def _describe(loop: _Loop, optimizer: Any, model: Any, index: int) -> None:
    loop.of.params(hyperparameters(optimizer, index))
    if model is not None:
        loop.model = weakref.ref(model)
        loop.of.params(counts(model, "model" if index == 0 else f"model{index + 1}"))
    loader = getattr(_thread, "loader", None)
    if loader is not None and loader() is not None and index == 0:
        say_loader(loop.of, loader(), "training")


def _end_with(optimizer: Any, loop: _Loop) -> None:
    # As the process ends the recorder ends what is left, and knows if there was an exception.
    weakref.finalize(optimizer, _over.put, loop).atexit = False
    if not _ender or not _ender[0].is_alive():
        _ender[:] = [threading.Thread(target=_end_loops, daemon=True, name="headwater-torch")]
        _ender[0].start()


def _end_loops() -> None:
    while True:
        with training.harmless("torch.optim"):
            _over.get().end()


def _script() -> str:
    return os.path.splitext(os.path.basename(sys.argv[0] if sys.argv else ""))[0] or "torch"


def _model_of(optimizer: Any) -> Any:
    """The smallest module that has all parameters of an optimizer; looked for once."""
    wanted = {id(each) for group in optimizer.param_groups for each in group["params"]}
    module = sys.modules["torch"].nn.Module
    found, size = None, 0
    for each in gc.get_objects():
        if issubclass(type(each), module):
            held = {id(parameter) for parameter in each.parameters()}
            if wanted <= held and (found is None or len(held) < size):
                found, size = each, len(held)
    return found


# What the other trainers on PyTorch say in the same words.


def hyperparameters(optimizer: Any, index: int = 0) -> dict[str, Any]:
    """The class of an optimizer, and the settings of its groups of parameters."""
    name = "optimizer" if index == 0 else f"optimizer{index + 1}"
    found: dict[str, Any] = {name: type(optimizer).__name__}
    for number, group in enumerate(optimizer.param_groups[:HYPERPARAMETERS_MAX]):
        for key, value in group.items():
            is_new = number == 0 or value is not optimizer.param_groups[0].get(key)
            if key not in ("params", "param_names") and is_new and value is not None:
                of_group = "" if number == 0 else f"group{number}."
                found[f"{name}.{of_group}{key}"] = value
    return found


def counts(model: Any, name: str = "model") -> dict[str, Any]:
    """How many parameters a module has; none of them is read."""
    sizes = [(each.numel(), each.requires_grad) for each in model.parameters() if _is_there(each)]
    return {
        f"{name}.class": type(model).__name__,
        f"{name}.parameters": sum(size for size, _ in sizes),
        f"{name}.trainable_parameters": sum(size for size, trains in sizes if trains),
    }


def _is_there(parameter: Any) -> bool:
    return "Uninitialized" not in type(parameter).__name__


def architecture(model: Any) -> str:
    """The modules of a model, as PyTorch shows them."""
    return repr(model)[:ARCHITECTURE_CHARACTERS_MAX]


def saver(model: Any) -> Callable[[Any], None]:
    """Saves the tensors of a model."""
    return lambda path: sys.modules["torch"].save(model.state_dict(), f"{path}.pt")


def say_model(of: training.Training, model: Any, **said: Any) -> None:
    """Records a model by its tensors."""
    name = type(model).__name__
    of.model(model, name, "pytorch", save=saver(model), format="pytorch-state-dict", **said)


def say_loader(of: training.Training, loader: Any, role: str) -> None:
    """Records the data of a loader, or of several."""
    if isinstance(loader, Mapping):
        for name, part in loader.items():
            say_loader(of, part, f"{role}.{name}")
        return
    if isinstance(loader, (list, tuple)):
        for index, part in enumerate(loader):
            say_loader(of, part, role if index == 0 else f"{role}.{index}")
        return
    if loader is None:
        return
    size = getattr(loader, "batch_size", None)
    if isinstance(size, int):
        of.params({"batch_size" if role == "training" else f"{role}.batch_size": size})
    say_dataset(of, getattr(loader, "dataset", None), role)


def say_dataset(of: training.Training, dataset: Any, role: str) -> None:
    """Records a dataset: its tensors, if it is nothing but tensors in memory."""
    tensors = getattr(dataset, "tensors", None)
    if isinstance(tensors, tuple) and type(dataset).__name__ == "TensorDataset":
        for index, tensor in enumerate(tensors):
            label = "labels" if role == "training" else f"{role}.labels"
            names = {0: role, 1: label}
            of.data(tensor, names.get(index, f"{role}.{index}"))
        return
    of.describe_data(dataset, role)


# Where it is patched.


def _backward(function: Any, args: Any, kwargs: Any, result: Any) -> None:
    if hooks.outermost() is not None:
        return
    loss = args[0]
    scaled, unscaled = getattr(_thread, "scaled", (None, None))
    if scaled is not None and scaled() is loss:
        loss = unscaled
    _thread.scaled = (None, None)
    _thread.loss = loss.detach() if loss.numel() == 1 else None


def _scaled(function: Any, args: Any, kwargs: Any, result: Any) -> None:
    outputs = kwargs.get("outputs", args[1] if len(args) > 1 else None)
    if hasattr(outputs, "detach"):
        _thread.scaled = (weakref.ref(result), outputs.detach())


def _iterated(function: Any, args: Any, kwargs: Any, result: Any) -> None:
    # What is read without gradients is not what is trained on.
    if sys.modules["torch"].is_grad_enabled():
        _thread.loader = weakref.ref(args[0])


def _saved(function: Any, args: Any, kwargs: Any, result: Any) -> None:
    loop = getattr(_thread, "loop", None)
    if hooks.outermost() is not None or loop is None or loop.of.run._is_finished:
        return
    arguments = hooks.Call(function, args, kwargs).arguments()
    saved, path = arguments["obj"], arguments["f"]
    if not isinstance(path, (str, os.PathLike)):
        return
    torch = sys.modules["torch"]
    is_model = isinstance(saved, torch.nn.Module)
    is_state = isinstance(saved, Mapping) and all(
        isinstance(value, torch.Tensor) for value in saved.values()
    )
    with hooks.unobserved():
        if not is_model and not is_state:
            loop.of.checkpoint(os.fspath(path), loop.steps, {})
            return
        model = saved if is_model else loop.model and loop.model()
        loop.of.model(
            os.fspath(path),
            type(model).__name__ if model is not None else "Module",
            "pytorch",
            format="pytorch" if is_model else "pytorch-state-dict",
            step=loop.steps,
            architecture=architecture(model) if model is not None else None,
        )


def _install_optimizers(module: Any, undo: hooks.Undo) -> None:
    undo.append(module.register_optimizer_step_post_hook(_stepped).remove)


def _install_tensors(module: Any, undo: hooks.Undo) -> None:
    hooks.patch_method(module.Tensor, "backward", hooks.watching(before=_backward), undo)


def _install_scaler(module: Any, undo: hooks.Undo) -> None:
    hooks.patch_method(module.GradScaler, "scale", hooks.watching(after=_scaled), undo)


def _install_loader(module: Any, undo: hooks.Undo) -> None:
    hooks.patch_method(module.DataLoader, "__iter__", hooks.watching(after=_iterated), undo)


def _install_save(module: Any, undo: hooks.Undo) -> None:
    hooks.patch_functions(module, {"save": hooks.watching(after=_saved)}, undo)


PLACES = (
    hooks.Place("torch.optim.optimizer", _install_optimizers, ("torch",)),
    hooks.Place("torch._tensor", _install_tensors, ("torch",)),
    hooks.Place("torch.amp.grad_scaler", _install_scaler, ("torch",)),
    hooks.Place("torch.utils.data.dataloader", _install_loader, ("torch",)),
    hooks.Place("torch.serialization", _install_save, ("torch",)),
)
