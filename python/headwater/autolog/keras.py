"""Keras 3, on any backend: ``fit`` of a model."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

from headwater.autolog import hooks, training

_ARGUMENTS = (
    "batch_size",
    "epochs",
    "initial_epoch",
    "validation_split",
    "shuffle",
    "class_weight",
    "steps_per_epoch",
    "validation_steps",
    "validation_batch_size",
    "validation_freq",
)


def _fit(call: hooks.Call) -> Generator[None, Any, None]:
    model = call.args[0]
    arguments = call.arguments()
    name = type(model).__name__
    of = call.begin("keras", model.name if name in ("Functional", "Sequential", "Model") else name)
    of.params({name: arguments[name] for name in _ARGUMENTS if name in arguments})
    of.params(training.tried("what Keras compiled", lambda: _compiled(model)) or {})
    _say_data(of, arguments.get("x"), arguments.get("y"), "training")
    validation = arguments.get("validation_data")
    if isinstance(validation, (tuple, list)):
        _say_data(of, validation[0], validation[1] if len(validation) > 1 else None, "validation")
    else:
        _say_data(of, validation, None, "validation")
    ours = _callback(of)
    callbacks = arguments.get("callbacks")
    if callbacks is None:
        call.set_argument("callbacks", [ours])
    elif isinstance(callbacks, (list, tuple)):
        call.set_argument("callbacks", [*callbacks, ours])
    elif hasattr(callbacks, "callbacks"):  # a list of the caller's own, that stays the caller's
        callbacks.append(ours)
        call.at_end(lambda: callbacks.callbacks.remove(ours))
    else:
        call.set_argument("callbacks", [callbacks, ours])
    yield
    size = training.tried("the parameters of a model", model.count_params)
    of.params({"model.class": name, "model.parameters": size})
    of.model(
        model,
        name,
        "keras",
        name=model.name if name in ("Functional", "Sequential", "Model") else name,
        save=lambda path: model.save(f"{path}.keras"),
        format="keras",
        architecture=_architecture(model),
    )


def _compiled(model: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        found["optimizer"] = type(optimizer).__name__
        config = optimizer.get_config()
        found.update({f"optimizer.{name}": of for name, of in config.items() if name != "name"})
    loss = getattr(model, "loss", None)
    if loss is not None:
        found["loss"] = loss if isinstance(loss, (str, dict, list)) else _name(loss)
    compiled = model.get_compile_config() or {}
    if compiled.get("metrics"):
        found["metrics"] = f"{compiled['metrics']}"
    return found


def _name(of: Any) -> str:
    return getattr(of, "__name__", None) or type(of).__name__


def _architecture(model: Any) -> str:
    return ", ".join(f"{layer.name}: {type(layer).__name__}" for layer in model.layers[:500])


def _callback(of: training.Training) -> Any:
    base = sys.modules["keras.src.callbacks.callback"].Callback

    class Epochs(base):  # type: ignore[misc, valid-type]
        """Reports the metrics of each epoch."""

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            with training.harmless("keras"):
                of.metrics(dict(logs or {}), epoch)

    return Epochs()


def _say_data(of: training.Training, x: Any, y: Any, role: str) -> None:
    if isinstance(x, dict):
        for name, part in x.items():
            of.data(part, f"{role}.{name}")
    else:
        of.data(x, role)
    of.data(y, "labels" if role == "training" else f"{role}.labels")


def _install(module: Any, undo: hooks.Undo) -> None:
    # `fit` is the backend's.
    for kind in module.Model.__mro__:
        if kind.__module__.startswith("keras."):
            hooks.patch_method(kind, "fit", hooks.observing(_fit), undo)


PLACES = (hooks.Place("keras.src.models.model", _install, ("keras",)),)
