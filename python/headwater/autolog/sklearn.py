"""scikit-learn, and every estimator that builds on its classes.

The outermost ``fit`` is a training: params, data, what the fitted estimator itself knows of how
good it is, and the model. ``score`` on the training data is not called, since predicting may cost
more than training; what the script computes with ``score`` or the functions of ``sklearn.metrics``
is recorded with the run of the model. A transformer by itself opens no run: in a run its params
stand under the name of its class.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Generator
from typing import Any, Callable, Optional

import headwater
from headwater.autolog import hooks, training

# Runs of their own for the best candidates of a search.
CANDIDATES_MAX = 10
# What a fitted estimator knows without computing anything, and what it is called as a metric.
_NUMBERS = {
    "oob_score_": "oob_score",
    "best_score_": "best_score",
    "best_loss_": "best_loss",
    "best_validation_score_": "best_validation_score",
    "loss_": "loss",
    "inertia_": "inertia",
    "n_iter_": "n_iter",
    "n_estimators_": "n_estimators",
    "lower_bound_": "lower_bound",
    "reconstruction_err_": "reconstruction_err",
    "alpha_": "alpha",
    "C_": "C",
}
_SERIES = {
    "loss_curve_": "training/loss",
    "train_score_": "training/score",
    "validation_scores_": "validation/score",
    "validation_score_": "validation/score",
}
_LIBRARIES = ("sklearn", "xgboost", "lightgbm")
# Encoders of labels are tools of metrics, and say nothing of a model.
_LABELS = "sklearn.preprocessing._label"


def library_of(estimator: Any) -> str:
    """Which of the libraries an estimator is recorded for."""
    for kind in type(estimator).__mro__:
        package = kind.__module__.partition(".")[0]
        if package in _LIBRARIES:
            return package
    return "sklearn"


def _fit(call: hooks.Call) -> Generator[None, Any, None]:
    estimator = call.args[0]
    library = library_of(estimator)
    if not hooks.is_on(library):
        return
    name = type(estimator).__name__
    is_model = hasattr(estimator, "predict") or hasattr(estimator, "fit_predict")
    if not is_model:
        call.is_quiet = True
        if headwater.current_run() is not None and type(estimator).__module__ != _LABELS:
            call.begin(library, name, part=name).params(params_of(estimator))
            yield
        return
    of = call.begin(library, name)
    of.params(training.tried(name, lambda: params_of(estimator)) or {})
    arguments = call.arguments()
    data, labels = arguments.get("X"), arguments.get("y")
    of.data(data, "training")
    of.data(labels, "labels")
    for index, pair in enumerate(arguments.get("eval_set") or ()):
        if isinstance(pair, tuple) and pair:
            of.data(pair[0], "validation" if index == 0 else f"validation.{index}")
    columns = getattr(data, "columns", None)
    yield
    _known.remember(estimator, of.run)
    training.tried(name, lambda: _report(of, estimator))
    named = training.tried(name, lambda: getattr(estimator, "feature_names_in_", columns))
    of.model(
        estimator,
        name,
        {"sklearn": "scikit-learn"}.get(library, library),
        features=training.features(named),
        features_out=training.features(_features_out(estimator)),
        importances=training.tried(name, lambda: _importances(estimator, named)),
    )


def params_of(estimator: Any) -> dict[str, Any]:
    """The params by name; ``clf__C`` is ``clf.C``, and an estimator is its class."""
    found = {}
    for name, value in estimator.get_params(deep=True).items():
        if name == "steps" or name == "transformers" or name == "estimators":
            value = [f"{part[0]}: {_said(part[1])}" for part in value or ()]
        found[name.replace("__", ".")] = _said(value)
    return found


def _said(value: Any) -> Any:
    return type(value).__name__ if hasattr(value, "get_params") else value


def _report(of: training.Training, estimator: Any) -> None:
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    for fitted in (estimator,) if last is estimator else (estimator, last):
        # Not `getattr`: some of these are properties that compute.
        known = vars(fitted) if hasattr(fitted, "__dict__") else {}
        of.metrics({as_: known[name] for name, as_ in _NUMBERS.items() if name in known})
        for name, as_ in _SERIES.items():
            values = known.get(name)
            if getattr(values, "ndim", 1) == 1 and values is not None:
                for step, value in enumerate(values):
                    of.metrics({as_: value}, step)
    if isinstance(getattr(last, "cv_results_", None), dict):
        if isinstance(getattr(last, "best_params_", None), dict):
            best = {name.replace("__", "."): _said(of) for name, of in last.best_params_.items()}
            of.params(best, "best.")
        _report_candidates(of, last, last.cv_results_)


def _report_candidates(of: training.Training, search: Any, results: dict[str, Any]) -> None:
    """The scores of all candidates by their index, and a run for each of the best."""
    scores = [name for name in results if name.startswith(("mean_test_", "mean_train_"))]
    count = len(results["params"])
    for index in range(count):
        of.metrics({f"candidates/{name}": results[name][index] for name in scores}, index)
    ranks = next((results[name] for name in results if name.startswith("rank_test_")), None)
    if ranks is None:
        return
    best = sorted(range(count), key=lambda index: (ranks[index], index))[:CANDIDATES_MAX]
    name = type(search.estimator).__name__
    for index in best:
        params = results["params"][index]
        tags = {"candidate": str(index), "autolog": of.library}
        child = headwater.run(f"{name} {index}", kind="train", tags=tags)
        child.log_params({key.replace("__", "."): _said(value) for key, value in params.items()})
        for metric in [*scores, *(key for key in results if key.startswith("std_test_"))]:
            child.log_metric(metric, float(results[metric][index]), 0)
        training._end(child, None)


def _features_out(estimator: Any) -> Any:
    """What the steps before the last one of a pipeline make of the features."""
    if not hasattr(estimator, "steps") or len(estimator.steps) < 2:
        return None
    try:
        return estimator[:-1].get_feature_names_out()
    except Exception:  # a step that does not know
        return None


def _importances(estimator: Any, names: Any) -> dict[str, float]:
    values = vars(estimator).get("coef_") if hasattr(estimator, "__dict__") else None
    if values is None:
        # Boosters and forests compute these from their trees, in much less time than training.
        values = getattr(estimator, "feature_importances_", None)
    if values is None or getattr(values, "ndim", 0) > 2 or "sparse" in type(values).__module__:
        return {}
    if values.ndim == 2:
        if values.shape[0] != 1:
            return {}
        values = values[0]
    return training.importances(range(len(values)) if names is None else names, values)


# What is computed with a model afterwards.


class _Known:
    """Which run made an estimator, and which estimator's run an array of predictions is of."""

    def __init__(self) -> None:
        self._runs: dict[int, tuple[weakref.ref[Any], Any]] = {}
        self._steps: weakref.WeakKeyDictionary[Any, dict[str, int]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def remember(self, made: Any, run: Any) -> None:
        key = id(made)
        # By identity: arrays have no hash, and one is no other because it is equal.
        reference = weakref.ref(made, lambda _: self._runs.pop(key, None))
        self._runs[key] = (reference, run)

    def run_of(self, made: Any) -> Optional[Any]:
        reference, run = self._runs.get(id(made), (None, None))
        return run if reference is not None and reference() is made else None

    def log(self, run: Any, name: str, value: float) -> None:
        with self._lock:
            steps = self._steps.setdefault(run, {})
            step = steps[name] = steps.get(name, -1) + 1
        training.log_afterwards(run, name, value, step)


_known = _Known()


def _predicted(function: Any, args: Any, kwargs: Any, result: Any) -> None:
    run = _known.run_of(args[0])
    if run is not None and type(result).__name__ in ("ndarray", "Series", "DataFrame"):
        _known.remember(result, run)


def _score(call: hooks.Call) -> Generator[None, Any, None]:
    estimator = call.args[0]
    run = _known.run_of(estimator) or headwater.current_run()
    if run is None or not hooks.is_on(library_of(estimator)):
        return
    call.training = _Quiet
    result = yield
    number = training.as_number(result)
    if number is not None:
        _known.log(run, "score", number)


def _metric(call: hooks.Call) -> Generator[None, Any, None]:
    run = next((run for run in map(_known.run_of, call.args) if run is not None), None)
    run = run or next(
        (run for run in map(_known.run_of, call.kwargs.values()) if run is not None), None
    )
    run = run or headwater.current_run()
    if run is None or not hooks.is_on("sklearn"):
        return
    call.training = _Quiet
    result = yield
    number = training.as_number(result)
    if number is not None:
        _known.log(run, call.function.__name__, number)


class _QuietTraining(training.Training):
    """What belongs to a training that is over: nothing inside is observed, nothing ends."""

    def __init__(self) -> None:
        pass

    def end(self, error: Optional[BaseException] = None) -> None:
        pass


_Quiet = _QuietTraining()


# Where it is patched.

_METHODS = {
    **dict.fromkeys(("fit", "fit_transform", "fit_predict"), hooks.observing(_fit)),
    **dict.fromkeys(
        ("predict", "predict_proba", "decision_function"), hooks.watching(after=_predicted)
    ),
    "score": hooks.observing(_score),
}


def install_estimators(module: Any, undo: hooks.Undo) -> None:
    """Patches all estimators that there are, and each class that comes as it is made."""

    def patch(kind: type) -> None:
        for name, around in _METHODS.items():
            hooks.patch_method(kind, name, around, undo)

    def patch_all(kind: type) -> None:
        patch(kind)
        below: list[type] = type.__subclasses__(kind)
        for each in below:
            patch_all(each)

    patch_all(module.BaseEstimator)
    for mixin in ("ClassifierMixin", "RegressorMixin"):
        hooks.patch_method(getattr(module, mixin), "score", _METHODS["score"], undo)
    # The one that wraps `fit_transform` when a class is made, and the one that all have.
    owners = [kind for kind in module.TransformerMixin.__mro__ if kind.__name__[0] == "_"]
    for owner in [module.BaseEstimator, *owners]:
        _patch_birth(owner, module.BaseEstimator, patch, undo)


def _patch_birth(owner: Any, base: type, patch: Callable[[type], None], undo: hooks.Undo) -> None:
    original = owner.__dict__.get("__init_subclass__")

    def __init_subclass__(cls: Any, **options: Any) -> None:
        if original is not None:
            original.__get__(None, cls)(**options)
        else:
            super(owner, cls).__init_subclass__(**options)
        if issubclass(cls, base):
            with training.harmless("a class of estimators"):
                patch(cls)

    owner.__init_subclass__ = classmethod(__init_subclass__)  # type: ignore[arg-type]

    def restore() -> None:
        if original is not None:
            owner.__init_subclass__ = original
        else:
            del owner.__init_subclass__

    undo.append(restore)


def install_threads(module: Any, undo: hooks.Undo) -> None:
    """What scikit-learn runs in threads belongs to the training that started them."""
    kind = module._FuncWrapper
    make, run = kind.__init__, kind.__call__

    @functools.wraps(make)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        self.is_in_training = hooks.outermost() is not None

    @functools.wraps(run)
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not vars(self).get("is_in_training") or hooks.outermost() is not None:
            return run(self, *args, **kwargs)
        with hooks.unobserved():
            return run(self, *args, **kwargs)

    kind.__init__, kind.__call__ = __init__, __call__

    def restore() -> None:
        kind.__init__, kind.__call__ = make, run

    undo.append(restore)


def install_metrics(module: Any, undo: hooks.Undo) -> None:
    """Patches the functions of `sklearn.metrics` whose result may be a number."""
    ends = ("_score", "_error", "_loss", "_deviance", "_coef", "auc")
    names = [name for name in module.__all__ if name.endswith(ends)]
    hooks.patch_functions(module, dict.fromkeys(names, hooks.observing(_metric)), undo)


def _cross_validate(call: hooks.Call) -> Generator[None, Any, None]:
    arguments = call.arguments()
    estimator = arguments["estimator"]
    if not hooks.is_on(library_of(estimator)):
        return
    of = call.begin(library_of(estimator), f"cross-validation of {type(estimator).__name__}")
    of.params(params_of(estimator))
    of.params({"cv": arguments.get("cv"), "scoring": arguments.get("scoring")})
    of.data(arguments.get("X"), "training")
    of.data(arguments.get("y"), "labels")
    scores = yield
    for name, values in scores.items():
        if name.startswith(("test_", "train_")):
            for fold, value in enumerate(values):
                of.metrics({f"fold/{name}": value}, fold)
            of.metrics({f"mean_{name}": sum(map(float, values)) / len(values)})


def install_validation(module: Any, undo: hooks.Undo) -> None:
    """Cross-validation is one training, not one per fold."""

    def quiet(function: Any, args: Any, kwargs: Any) -> Any:
        with hooks.unobserved():
            return function(*args, **kwargs)

    # What trains a fold, for scores, predictions and curves alike.
    folds = ("_fit_and_score", "_fit_and_predict", "_permutation_test_score")
    names = (*folds, "_incremental_fit_estimator")
    arounds = {"cross_validate": hooks.observing(_cross_validate), **dict.fromkeys(names, quiet)}
    hooks.patch_functions(module, arounds, undo)


PLACES = (
    hooks.Place("sklearn.base", install_estimators, _LIBRARIES),
    hooks.Place("sklearn.utils.parallel", install_threads, _LIBRARIES),
    hooks.Place("sklearn.metrics", install_metrics, ("sklearn",)),
    hooks.Place("sklearn.model_selection._validation", install_validation, _LIBRARIES),
)
