"""`headwater.autolog` and LightGBM."""

import json

import pytest

import headwater as hw


@pytest.fixture
def lightgbm(need):
    return need("lightgbm")


@pytest.fixture
def rows(need):
    """Training and validation data: features as frames, and labels."""
    numpy, pandas = need("numpy"), need("pandas")
    X = pandas.DataFrame(numpy.random.default_rng(1).normal(size=(200, 4)), columns=list("abcd"))
    y = (X["a"] + X["b"] > 0).astype(int)
    return X[:150], y[:150], X[150:], y[150:]


PARAMS = {"objective": "binary", "learning_rate": 0.2, "verbosity": -1, "num_leaves": 4}


def test_a_native_training_is_a_run_with_a_point_for_each_round(lightgbm, rows, runs):
    hw.autolog()
    X, y, X_valid, y_valid = rows
    result = {}
    training = lightgbm.Dataset(X, y)
    booster = lightgbm.train(
        PARAMS,
        training,
        20,
        valid_sets=[lightgbm.Dataset(X_valid, y_valid, reference=training)],
        valid_names=["validation"],
        callbacks=[lightgbm.record_evaluation(result), lightgbm.early_stopping(2, verbose=False)],
    )
    run = runs.one()
    assert (run.type, run.state) == ("headwater.Train", "COMPLETE")
    assert {name: run.params[name] for name in PARAMS} == PARAMS
    assert run.params["num_boost_round"] == 20
    points = list(enumerate(result["validation"]["binary_logloss"]))
    assert run.metrics["validation/binary_logloss"] == points
    assert run.metrics["best_iteration"] == [(0, booster.best_iteration)]
    assert [*run.inputs] == ["training", "labels", "validation", "validation.labels"]
    (made,) = run.outputs["model"]
    assert (made["framework"], made["framework_version"]) == ("lightgbm", lightgbm.__version__)
    assert (made["model_type"], made["format"]) == ("Booster", "lightgbm-text")
    assert json.loads(made["features"]) == list("abcd")
    assert made["importance.a"] == booster.feature_importance("gain")[0]


def test_an_estimator_is_recorded_once_and_its_rounds_as_they_pass(lightgbm, rows, runs):
    hw.autolog()
    X, y, X_valid, y_valid = rows
    model = lightgbm.LGBMClassifier(n_estimators=5, num_leaves=4, verbosity=-1)
    assert model.fit(X, y, eval_set=[(X_valid, y_valid)]) is model
    run = runs.one()
    assert run.properties["run.name"] == "LGBMClassifier"
    assert (run.params["n_estimators"], run.params["num_leaves"]) == (5, 4)
    points = list(enumerate(model.evals_result_["valid_0"]["binary_logloss"]))
    assert run.metrics["valid_0/binary_logloss"] == points
    assert [*run.inputs] == ["training", "labels", "validation"]
    (made,) = run.outputs["model"]
    assert (made["framework"], made["model_type"]) == ("lightgbm", "LGBMClassifier")
    assert json.loads(made["features"]) == list("abcd")


def test_what_is_trained_is_what_it_would_be_without(lightgbm, rows, runs):
    def train():
        X, y, _, _ = rows
        params = {**PARAMS, "bagging_fraction": 0.5, "bagging_freq": 1, "num_threads": 1}
        booster = lightgbm.train(params, lightgbm.Dataset(X, y), 5)
        model = lightgbm.LGBMRegressor(n_estimators=3, verbosity=-1, n_jobs=1).fit(X, y)
        return booster.model_to_string(), model.booster_.model_to_string()

    without = train()
    hw.autolog()
    assert train() == without
    assert len(runs()) == 2


def test_a_training_that_fails_is_a_run_that_failed(lightgbm, rows, runs):
    hw.autolog()
    with pytest.raises(lightgbm.basic.LightGBMError):
        lightgbm.train({**PARAMS, "objective": "no-such"}, lightgbm.Dataset(*rows[:2]))
    assert runs.one().state == "FAILED"


def test_a_run_around_it_is_where_it_is_recorded(lightgbm, rows, runs):
    hw.autolog(log_models=False)
    with hw.run("mine") as mine:
        for leaves in (3, 5):
            lightgbm.train({**PARAMS, "num_leaves": leaves}, lightgbm.Dataset(*rows[:2]), 2)
    run = runs.one()
    assert run.id == mine.id
    assert (run.params["num_leaves"], run.params["fit2.num_leaves"]) == (3, 5)
    assert run.metrics["fit2/num_trees"] == [(0, 2.0)]
    assert run.outputs == {}
