"""`headwater.autolog` and XGBoost."""

import json

import pytest

import headwater as hw


@pytest.fixture
def xgboost(need):
    return need("xgboost")


@pytest.fixture
def rows(need):
    """Training and validation data: features as arrays, and labels."""
    numpy = need("numpy")
    X = numpy.random.default_rng(1).normal(size=(90, 4))
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    return X[:60], y[:60], X[60:], y[60:]


def test_a_native_training_is_a_run_with_a_point_for_each_round(xgboost, rows, runs):
    from xgboost import train  # imported by name before it is patched

    hw.autolog()
    X, y, X_valid, y_valid = rows
    training = xgboost.DMatrix(X, label=y, feature_names=list("abcd"))
    validation = xgboost.DMatrix(X_valid, label=y_valid, feature_names=list("abcd"))
    params = {"objective": "binary:logistic", "max_depth": 2, "eta": 0.3, "eval_metric": "logloss"}
    result = {}
    booster = xgboost.train(
        params,
        training,
        30,
        evals=[(training, "training"), (validation, "validation")],
        early_stopping_rounds=3,
        evals_result=result,
        verbose_eval=False,
    )
    assert callable(train)
    run = runs.one()
    assert (run.type, run.state) == ("headwater.Train", "COMPLETE")
    assert (run.params["eta"], run.params["num_boost_round"]) == (0.3, 30)
    assert run.params["early_stopping_rounds"] == 3
    for name in ("training", "validation"):
        points = list(enumerate(result[name]["logloss"]))
        assert run.metrics[f"{name}/logloss"] == points
    assert run.metrics["best_iteration"] == [(0, booster.best_iteration)]
    assert [*run.inputs] == ["training", "labels", "validation", "validation.labels"]
    (made,) = run.outputs["model"]
    assert (made["framework"], made["framework_version"]) == ("xgboost", xgboost.__version__)
    assert (made["model_type"], made["format"]) == ("Booster", "xgboost-ubj")
    assert json.loads(made["features"]) == list("abcd")
    gains = booster.get_score(importance_type="gain")
    assert made["importance.a"] == pytest.approx(gains["a"])


def test_an_estimator_is_recorded_once_and_its_rounds_as_they_pass(xgboost, rows, runs):
    need_params = {"n_estimators": 4, "max_depth": 2, "learning_rate": 0.5}
    X, y, X_valid, y_valid = rows
    hw.autolog()
    model = xgboost.XGBClassifier(**need_params)
    assert model.fit(X, y, eval_set=[(X_valid, y_valid)], verbose=False) is model
    run = runs.one()
    assert run.properties["run.name"] == "XGBClassifier"
    assert {name: run.params[name] for name in need_params} == need_params
    points = list(enumerate(model.evals_result()["validation_0"]["logloss"]))
    assert run.metrics["validation_0/logloss"] == points
    assert [*run.inputs] == ["training", "labels", "validation"]
    (made,) = run.outputs["model"]
    assert (made["framework"], made["model_type"]) == ("xgboost", "XGBClassifier")


def test_a_search_over_estimators_is_no_run_for_each_booster(xgboost, rows, runs, need):
    need("sklearn")
    from sklearn.model_selection import GridSearchCV

    hw.autolog()
    GridSearchCV(xgboost.XGBClassifier(n_estimators=2), {"max_depth": [1, 2]}, cv=2).fit(*rows[:2])
    search, *candidates = runs()
    assert search.properties["run.name"] == "GridSearchCV"
    assert {run.params["max_depth"] for run in candidates} == {1, 2}
    assert len(candidates) == 2


def test_what_is_trained_is_what_it_would_be_without(xgboost, rows, runs):
    X, y, X_valid, y_valid = rows

    def train():
        params = {"subsample": 0.5, "seed": 3, "max_depth": 3}
        callbacks = []
        booster = xgboost.train(params, xgboost.DMatrix(X, y), 5, callbacks=callbacks)
        assert callbacks == []
        model = xgboost.XGBRegressor(n_estimators=3, subsample=0.5).fit(X, y)
        assert model.get_params()["callbacks"] is None
        return bytes(booster.save_raw()), bytes(model.get_booster().save_raw())

    without = train()
    hw.autolog()
    assert train() == without
    assert len(runs()) == 2


def test_a_training_that_fails_is_a_run_that_failed(xgboost, rows, runs):
    hw.autolog()
    with pytest.raises(xgboost.core.XGBoostError):
        xgboost.train({"objective": "no:such"}, xgboost.DMatrix(*rows[:2]))
    assert runs.one().state == "FAILED"


def test_by_itself_it_leaves_scikit_learn_alone(xgboost, rows, runs, need):
    need("sklearn")
    from sklearn.linear_model import LogisticRegression

    hw.autolog(libraries=["xgboost"])
    LogisticRegression().fit(*rows[:2])
    xgboost.XGBClassifier(n_estimators=2).fit(*rows[:2])
    assert runs.one().properties["run.name"] == "XGBClassifier"


def test_a_patch_over_it_records_nothing_once_it_is_off(xgboost, rows, runs, monkeypatch):
    hw.autolog()
    ours = xgboost.train
    monkeypatch.setattr(xgboost, "train", lambda *args, **options: ours(*args, **options))
    hw.autolog(False)
    assert xgboost.train({}, xgboost.DMatrix(*rows[:2]), 2).num_boosted_rounds() == 2
    assert runs() == []


def test_a_booster_without_importances_is_a_model_too(xgboost, rows, runs):
    hw.autolog()
    xgboost.train({"booster": "gblinear"}, xgboost.DMatrix(*rows[:2]), 2)
    assert runs.one().outputs["model"][0]["model_type"] == "Booster"
