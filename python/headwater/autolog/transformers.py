"""Transformers: ``Trainer.train``, and trainers that build on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from typing import Any

from headwater.autolog import hooks, torch, training


def _train(call: hooks.Call) -> Generator[None, Any, None]:
    trainer = call.args[0]
    if not trainer.is_world_process_zero():
        return
    model = trainer.model
    of = call.begin("transformers", type(model if model is not None else trainer).__name__)
    of.params(trainer.args.to_sanitized_dict())
    if model is not None:
        config: Any = getattr(model, "config", None)
        if hasattr(config, "to_diff_dict"):
            of.params({"model": training.tried("a model's configuration", config.to_diff_dict)})
        of.params(torch.counts(model))
    _say_data(of, trainer.train_dataset, "training")
    _say_data(of, trainer.eval_dataset, "validation")
    ours = _callback(of)
    trainer.add_callback(ours)
    call.at_end(lambda: trainer.remove_callback(ours))
    yield
    state = trainer.state
    of.metrics({"best_metric": getattr(state, "best_metric", None)}, state.global_step)
    model = trainer.accelerator.unwrap_model(trainer.model)
    is_pretrained = hasattr(model, "save_pretrained")
    of.model(
        model,
        type(model).__name__,
        "transformers",
        save=model.save_pretrained if is_pretrained else torch.saver(model),
        format="transformers" if is_pretrained else "pytorch-state-dict",
        architecture=torch.architecture(model),
    )


def _callback(of: training.Training) -> Any:
    base = sys.modules["transformers.trainer_callback"].TrainerCallback

    class Reports(base):  # type: ignore[misc, valid-type]
        """Reports what is logged, and the checkpoints."""

        def on_log(
            self, args: Any, state: Any, control: Any, logs: Any = None, **others: Any
        ) -> None:
            with training.harmless("transformers"):
                of.metrics(dict(logs or {}), state.global_step)

        def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            with training.harmless("transformers"):
                path = os.path.join(args.output_dir, f"checkpoint-{state.global_step}")
                if os.path.isdir(path):  # in a search it is elsewhere
                    of.checkpoint(path, state.global_step, _last_metrics(state))

    return Reports()


def _last_metrics(state: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for entry in state.log_history[-2:]:
        for name, value in entry.items():
            number = training.as_number(value)
            if number is not None and name != "step":
                found[name] = number
    return found


def _say_data(of: training.Training, dataset: Any, role: str) -> None:
    if isinstance(dataset, dict):
        for name, part in dataset.items():
            _say_data(of, part, f"{role}.{name}")
        return
    torch.say_dataset(of, dataset, role)


def _install(module: Any, undo: hooks.Undo) -> None:
    hooks.patch_method(module.Trainer, "train", hooks.observing(_train), undo)


PLACES = (hooks.Place("transformers.trainer", _install, ("transformers",)),)
