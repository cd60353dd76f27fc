"""Lightning, under either of its names: ``Trainer.fit``.

Metrics are what the model logs, at the steps at which Lightning hands them to its loggers, with or
without a logger; nothing is read from a GPU in between. Checkpoints are those that Lightning saves.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping
from typing import Any

from headwater.autolog import hooks, torch, training

_TRAINER = (
    "max_epochs",
    "min_epochs",
    "max_steps",
    "min_steps",
    "accumulate_grad_batches",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "precision",
    "check_val_every_n_epoch",
    "val_check_interval",
    "limit_train_batches",
    "limit_val_batches",
    "num_devices",
    "num_nodes",
    "world_size",
)
# The training of each trainer that fits now, so that its checkpoints are known.
_fitting: dict[int, training.Training] = {}


def _fit(call: hooks.Call) -> Generator[None, Any, None]:
    trainer = call.args[0]
    arguments = call.arguments()
    model = arguments.get("model")
    if not trainer.is_global_zero:
        return
    of = call.begin("lightning", type(model).__name__)
    of.params({name: getattr(trainer, name, None) for name in _TRAINER})
    of.params({"strategy": type(trainer.strategy).__name__})
    for each in (model, arguments.get("datamodule")):
        of.params(dict(getattr(each, "hparams", None) or {}))
    of.params(torch.counts(model))
    loaders = arguments.get("train_dataloaders")
    if hasattr(loaders, "train_dataloader"):  # a data module in the loaders' place
        of.params(dict(getattr(loaders, "hparams", None) or {}))
    else:
        torch.say_loader(of, loaders, "training")
        torch.say_loader(of, arguments.get("val_dataloaders"), "validation")
    ours = _callback(of, type(trainer).__module__.partition(".")[0])
    trainer.callbacks.append(ours)
    call.at_end(lambda: trainer.callbacks.remove(ours))
    _watch_metrics(call, trainer, of)
    _fitting[id(trainer)] = of
    call.at_end(lambda: _fitting.pop(id(trainer), None))
    yield
    of.metrics({"best_model_score": getattr(_checkpoints(trainer), "best_model_score", None)})
    path = getattr(_checkpoints(trainer), "best_model_path", None)
    said: dict[str, Any] = {"architecture": torch.architecture(model), "package": "lightning"}
    if path:
        of.model(str(path), type(model).__name__, "pytorch", format="lightning-ckpt", **said)
    else:
        torch.say_model(of, model, **said)


def _checkpoints(trainer: Any) -> Any:
    return getattr(trainer, "checkpoint_callback", None)


def _callback(of: training.Training, package: str) -> Any:
    base = sys.modules[f"{package}.pytorch" if package == "lightning" else package].Callback

    class Optimizers(base):  # type: ignore[misc, valid-type]
        """Reports the optimizers, which are there when training starts."""

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            with training.harmless("lightning"):
                for index, optimizer in enumerate(trainer.optimizers):
                    of.params(torch.hyperparameters(optimizer, index))

        def __reduce__(self) -> Any:
            # A process that is started with the trainer has no run to report to.
            return base, ()

    return Optimizers()


def _watch_metrics(call: hooks.Call, trainer: Any, of: training.Training) -> None:
    """Sees what goes to the loggers, as it goes there."""
    connector = trainer._logger_connector
    log = connector.log_metrics

    def log_metrics(metrics: Mapping[str, Any], step: Any = None) -> Any:
        with training.harmless("lightning"):
            at = trainer.fit_loop.epoch_loop._batches_that_stepped if step is None else step
            if not trainer.sanity_checking:
                of.metrics({name: each for name, each in metrics.items() if name != "step"}, at)
        return log(metrics, step=step)

    connector.log_metrics = log_metrics
    call.at_end(lambda: vars(connector).pop("log_metrics", None))


def _saved(function: Any, args: Any, kwargs: Any, result: Any) -> None:
    trainer = args[0]
    of = _fitting.get(id(trainer))
    if of is None:
        return
    path = str(kwargs["filepath"] if "filepath" in kwargs else args[1])
    found = {name: training.as_number(value) for name, value in trainer.callback_metrics.items()}
    metrics = {name: number for name, number in found.items() if number is not None}
    of.checkpoint(path, trainer.global_step, metrics)


def _install(module: Any, undo: hooks.Undo) -> None:
    hooks.patch_method(module.Trainer, "fit", hooks.observing(_fit), undo)
    hooks.patch_method(module.Trainer, "save_checkpoint", hooks.watching(after=_saved), undo)


PLACES = (
    hooks.Place("lightning.pytorch.trainer.trainer", _install, ("lightning",)),
    hooks.Place("pytorch_lightning.trainer.trainer", _install, ("lightning",)),
)
