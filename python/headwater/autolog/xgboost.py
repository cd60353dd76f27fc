"""XGBoost: ``xgboost.train``, and its estimators, which are scikit-learn's."""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Generator
from typing import Any, Optional

from headwater.autolog import hooks, training

# Where a matrix has its rows from, as long as that lives: the matrix itself holds them in a form of
# its own, whose digest would be no version of what the script has read.
_sources: weakref.WeakKeyDictionary[Any, dict[str, Any]] = weakref.WeakKeyDictionary()


def _train(call: hooks.Call) -> Generator[None, Any, None]:
    arguments = call.arguments()
    of = call.begin("xgboost", "xgboost.train")
    params = dict(arguments.get("params") or {})
    of.params(params)
    of.params(
        {
            "num_boost_round": arguments.get("num_boost_round", 10),
            "early_stopping_rounds": arguments.get("early_stopping_rounds"),
            "maximize": arguments.get("maximize"),
            "custom_metric": arguments.get("custom_metric"),
            "objective": arguments.get("obj") or params.get("objective"),
        }
    )
    matrix = arguments.get("dtrain")
    _say_data(of, matrix, "training")
    for other, name in arguments.get("evals") or ():
        if other is not matrix:
            _say_data(of, other, name if name != "training" else "validation")
    call.set_argument("callbacks", _with_ours(arguments.get("callbacks"), of))
    booster = yield
    report_booster(of, booster)


def _inside(call: hooks.Call, args: Any, kwargs: Any) -> Any:
    """An estimator trains with the same function: then its rounds are seen as they pass."""
    of = call.training
    if of is not None and of.library == "xgboost" and call.reporter is None:
        call.reporter = "xgboost.train"
        inner = hooks.Call(sys.modules["xgboost.training"].train, args, kwargs)
        inner.set_argument("callbacks", _with_ours(inner.arguments().get("callbacks"), of))
        return inner.args, inner.kwargs
    return args, kwargs


def _with_ours(callbacks: Any, of: training.Training) -> list[Any]:
    return [*(callbacks or ()), _callback(of)]


def _callback(of: training.Training) -> Any:
    base = sys.modules["xgboost.callback"].TrainingCallback

    class Rounds(base):  # type: ignore[misc, valid-type]
        """Reports the metrics of each round."""

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            with training.harmless("xgboost"):
                of.metrics(
                    {
                        f"{data}/{metric}": values[-1][0]
                        if isinstance(values[-1], tuple)
                        else values[-1]
                        for data, metrics in evals_log.items()
                        for metric, values in metrics.items()
                    },
                    epoch,
                )
            return False

    return Rounds()


def report_booster(of: training.Training, booster: Any) -> None:
    """What a trained booster knows of itself, and the model."""
    found = {}
    for name in ("best_iteration", "best_score"):
        try:
            found[name] = getattr(booster, name)
        except AttributeError:  # it was not stopped early
            continue
    of.metrics({**found, "num_boosted_rounds": booster.num_boosted_rounds()})
    # Boosters of linear models have none.
    gains = training.tried("importances", lambda: booster.get_score(importance_type="gain")) or {}
    of.model(
        booster,
        "Booster",
        "xgboost",
        save=lambda path: booster.save_model(f"{path}.ubj"),
        format="xgboost-ubj",
        features=training.features(booster.feature_names),
        importances=training.importances(gains.keys(), gains.values()),
    )


def _say_data(of: training.Training, matrix: Any, role: str) -> None:
    source = _sources.get(matrix) or {}
    data, labels = _alive(source.get("data")), _alive(source.get("label"))
    if data is None:
        rows, columns = matrix.num_row(), matrix.num_col()
        of.describe_data(_Shape(rows, columns), role)
    else:
        of.data(data, role)
    if labels is not None:
        of.data(labels, "labels" if role == "training" else f"{role}.labels")


class _Shape:
    """A matrix whose source is gone."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape


def _alive(reference: Any) -> Optional[Any]:
    return reference() if isinstance(reference, weakref.ref) else reference


def _made(function: Any, args: Any, kwargs: Any, result: Any) -> None:
    arguments = hooks.Call(function, args, kwargs).arguments()
    kept: dict[str, Any] = {}
    for name in ("data", "label"):
        value = arguments.get(name)
        if isinstance(value, str):
            kept[name] = value.partition("?")[0]
        elif value is not None:
            with contextlib.suppress(TypeError):  # a list, say, to which nothing can refer
                kept[name] = weakref.ref(value)
    _sources[args[0]] = kept


def _install_train(module: Any, undo: hooks.Undo) -> None:
    hooks.patch_functions(module, {"train": hooks.observing(_train, _inside)}, undo)


def _install_matrix(module: Any, undo: hooks.Undo) -> None:
    for kind in ("DMatrix", "QuantileDMatrix"):
        hooks.patch_method(getattr(module, kind), "__init__", hooks.watching(after=_made), undo)


PLACES = (
    hooks.Place("xgboost.training", _install_train, ("xgboost",)),
    hooks.Place("xgboost.core", _install_matrix, ("xgboost",)),
)
