"""LightGBM: ``lightgbm.train``, and its estimators, which are scikit-learn's."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

from headwater.autolog import hooks, training


def _train(call: hooks.Call) -> Generator[None, Any, None]:
    arguments = call.arguments()
    of = call.begin("lightgbm", "lightgbm.train")
    of.params(arguments.get("params") or {})
    of.params({"num_boost_round": arguments.get("num_boost_round", 100)})
    train_set = arguments.get("train_set")
    _say_data(of, train_set, "training")
    names = arguments.get("valid_names") or ()
    others = arguments.get("valid_sets") or ()
    for index, other in enumerate(others if isinstance(others, (list, tuple)) else [others]):
        if other is not train_set:
            is_named = not isinstance(names, str) and index < len(names)
            _say_data(of, other, names[index] if is_named else f"valid_{index}")
    call.set_argument("callbacks", [*(arguments.get("callbacks") or ()), _Rounds(of)])
    booster = yield
    report_booster(of, booster)


def _inside(call: hooks.Call, args: Any, kwargs: Any) -> Any:
    """An estimator trains with the same function: then its rounds are seen as they pass."""
    of = call.training
    if of is not None and of.library == "lightgbm" and call.reporter is None:
        call.reporter = "lightgbm.train"
        inner = hooks.Call(sys.modules["lightgbm.engine"].train, args, kwargs)
        callbacks = inner.arguments().get("callbacks") or ()
        inner.set_argument("callbacks", [*callbacks, _Rounds(of)])
        return inner.args, inner.kwargs
    return args, kwargs


class _Rounds:
    """A callback that reports the metrics of each round, before one stops the training."""

    order = 5
    before_iteration = False

    def __init__(self, of: training.Training) -> None:
        self._of = of

    def __call__(self, env: Any) -> None:
        with training.harmless("lightgbm"):
            results = env.evaluation_result_list or ()
            self._of.metrics({f"{each[0]}/{each[1]}": each[2] for each in results}, env.iteration)


def report_booster(of: training.Training, booster: Any) -> None:
    """What a trained booster knows of itself, and the model."""
    found: dict[str, Any] = {"num_trees": booster.num_trees()}
    if booster.best_iteration > 0:
        found["best_iteration"] = booster.best_iteration
        for data, scores in booster.best_score.items():
            found.update({f"best/{data}/{name}": value for name, value in scores.items()})
    of.metrics(found)
    names = booster.feature_name()
    of.model(
        booster,
        "Booster",
        "lightgbm",
        save=lambda path: booster.save_model(f"{path}.txt"),
        format="lightgbm-text",
        features=training.features(names),
        importances=training.importances(names, booster.feature_importance("gain")),
    )


def _say_data(of: training.Training, source: Any, role: str) -> None:
    data = getattr(source, "data", None)
    if data is None:  # it was freed after an earlier training
        of.describe_data(source, role)
        return
    of.data(data if isinstance(data, str) or not hasattr(data, "__fspath__") else str(data), role)
    labels = getattr(source, "label", None)
    of.data(labels, "labels" if role == "training" else f"{role}.labels")


def _install(module: Any, undo: hooks.Undo) -> None:
    hooks.patch_functions(module, {"train": hooks.observing(_train, _inside)}, undo)


PLACES = (hooks.Place("lightgbm.engine", _install, ("lightgbm",)),)
