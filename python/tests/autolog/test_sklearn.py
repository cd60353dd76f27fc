"""`headwater.autolog` and scikit-learn."""

import inspect
import io
import json
import pickle
import subprocess
import sys
import threading

import pytest

import headwater as hw
from headwater import recorder


@pytest.fixture
def sklearn(need):
    need("sklearn.ensemble")
    return need("sklearn")


@pytest.fixture
def data(need, sklearn):
    """Features as a frame, and labels as a series."""
    datasets, pandas = need("sklearn.datasets"), need("pandas")
    X, y = datasets.make_classification(80, 5, random_state=1)
    return pandas.DataFrame(X, columns=list("abcde")), pandas.Series(y, name="y")


def test_a_fit_is_a_run_with_params_data_and_model(sklearn, data, runs):
    from sklearn.ensemble import RandomForestClassifier

    hw.autolog()
    model = RandomForestClassifier(7, max_depth=3, oob_score=True, random_state=2).fit(*data)
    run = runs.one()
    assert (run.type, run.state) == ("headwater.Train", "COMPLETE")
    assert run.properties["run.name"] == "RandomForestClassifier"
    assert (run.params["n_estimators"], run.params["max_depth"]) == (7, 3)
    assert len(run.params) == len(model.get_params())
    assert run.metrics["oob_score"] == [(0, model.oob_score_)]
    assert [*run.inputs] == ["training", "labels"]
    (made,) = run.outputs["model"]
    assert (made["framework"], made["framework_version"]) == ("scikit-learn", sklearn.__version__)
    assert made["model_type"] == "RandomForestClassifier"
    assert json.loads(made["features"]) == list("abcde")
    assert made["importance.a"] == model.feature_importances_[0]


def test_the_same_data_is_the_same_version_and_another_one_is_not(sklearn, data, runs):
    from sklearn.linear_model import LogisticRegression

    hw.autolog()
    X, y = data
    LogisticRegression().fit(X, y)
    LogisticRegression().fit(X.copy(), y)
    LogisticRegression().fit(X + 1, y)
    a, b, c = (run.inputs["training"][0]["id"] for run in runs())
    assert a == b != c
    assert len({run.inputs["labels"][0]["id"] for run in runs()}) == 1


def test_what_is_fitted_is_what_it_would_be_without(sklearn, data, runs):
    import numpy
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def train():
        numpy.random.seed(5)
        forest = GridSearchCV(RandomForestClassifier(5), {"max_depth": [1, 2]}, cv=3)
        model = make_pipeline(StandardScaler(), forest)
        assert model.fit(*data) is model
        return (
            model,
            model.predict_proba(data[0]),
            numpy.random.rand(),
            inspect.signature(model.fit),
        )

    model, *without = train()
    plain = pickle.dumps(model)
    fit = type(model).__dict__["fit"]
    hw.autolog()
    model, *with_ = train()
    assert str(without) == str(with_)
    assert len(pickle.dumps(model)) == len(plain)
    assert b"headwater" not in pickle.dumps(model)
    assert inspect.isfunction(type(model).fit)
    # scikit-learn asks so as it makes a class, to know what may be routed to it.
    assert hasattr(type("Forest", (RandomForestClassifier,), {}), "set_fit_request")
    hw.autolog(False)
    assert type(model).__dict__["fit"] is fit


def test_a_pipeline_is_one_run_with_the_params_of_its_steps(sklearn, data, runs):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    hw.autolog()
    steps = [
        ("scale", StandardScaler()),
        ("poly", PolynomialFeatures(2)),
        ("clf", LogisticRegression()),
    ]
    Pipeline(steps).fit(*data)
    run = runs.one()
    assert run.params["clf"] == "LogisticRegression"
    assert (run.params["clf.C"], run.params["scale.with_mean"]) == (1.0, True)
    assert run.params["steps"].startswith("['scale: StandardScaler'")
    (made,) = run.outputs["model"]
    assert json.loads(made["features"]) == list("abcde")
    assert json.loads(made["features_out"])[:3] == ["1", "a", "b"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_search_is_one_run_with_one_below_it_for_each_of_the_best(sklearn, data, runs, jobs):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    hw.autolog()
    grid = {"C": [0.001, 0.1, 10.0], "fit_intercept": [True, False]}
    search = GridSearchCV(LogisticRegression(), grid, cv=3, n_jobs=jobs).fit(*data)
    run, *candidates = runs()
    assert run.params["best.C"] == search.best_params_["C"]
    assert run.metrics["best_score"] == [(0, search.best_score_)]
    scores = list(enumerate(search.cv_results_["mean_test_score"]))
    assert run.metrics["candidates/mean_test_score"] == scores
    assert len(candidates) == 6
    assert {each.properties["run.parent"] for each in candidates} == {run.id}
    assert {(each.params["C"], each.params["fit_intercept"]) for each in candidates} == {
        (c, fit) for c in grid["C"] for fit in grid["fit_intercept"]
    }
    assert candidates[0].metrics["mean_test_score"] == [(0, search.best_score_)]
    assert {each.state for each in candidates} == {"COMPLETE"}


def test_what_trains_in_threads_of_a_fit_is_part_of_it(sklearn, data, runs):
    import joblib
    from sklearn.ensemble import VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    hw.autolog()
    parts = [("a", DecisionTreeClassifier()), ("b", LogisticRegression())]
    with joblib.parallel_config("threading"):
        VotingClassifier(parts, n_jobs=2).fit(*data)
    assert runs.one().properties["run.name"] == "VotingClassifier"


def test_fits_in_threads_are_runs_that_know_nothing_of_each_other(sklearn, data, runs):
    from sklearn.linear_model import LogisticRegression

    hw.autolog()
    models = [LogisticRegression(C=c) for c in (1.0, 2.0, 3.0)]
    threads = [threading.Thread(target=model.fit, args=data) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = runs()
    assert sorted(run.params["C"] for run in found) == [1.0, 2.0, 3.0]
    assert all(len(run.outputs["model"]) == 1 for run in found)


def test_a_run_around_it_is_where_a_fit_is_recorded(sklearn, data, runs):
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import StandardScaler

    hw.autolog()
    with hw.run("mine", params={"mine": 1}) as mine:
        X = StandardScaler(with_std=False).fit_transform(data[0])
        LogisticRegression(C=2.0).fit(X, data[1])
        Ridge(alpha=3.0).fit(X, data[1])
    run = runs.one()
    assert run.id == mine.id
    assert (run.params["mine"], run.params["C"], run.params["fit2.alpha"]) == (1, 2.0, 3.0)
    assert run.params["StandardScaler.with_std"] is False
    assert [*run.outputs] == ["model", "fit2.model"]


def test_a_transformer_by_itself_is_no_run(sklearn, data, runs):
    from sklearn.feature_selection import SelectFromModel
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.preprocessing import StandardScaler

    hw.autolog()
    StandardScaler().fit_transform(data[0])
    SelectFromModel(LogisticRegression()).fit(*data)  # what it trains is a part of it
    log_loss([0, 1, 1], [0.1, 0.9, 0.8])
    assert runs() == []


def test_cross_validation_is_one_run(sklearn, data, runs):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict, learning_curve

    hw.autolog()
    from sklearn.model_selection import cross_val_score

    scores = cross_val_score(LogisticRegression(C=2.0), *data, cv=4)
    cross_val_predict(LogisticRegression(), *data, cv=4)
    learning_curve(LogisticRegression(), *data, cv=2, train_sizes=[20, 40])
    run = runs.one()
    assert run.metrics["fold/test_score"] == list(enumerate(scores))
    assert run.metrics["mean_test_score"] == [(0, pytest.approx(scores.mean()))]
    assert run.params["C"] == 2.0


def test_what_is_computed_with_a_model_is_logged_to_its_run(sklearn, data, runs):
    hw.autolog()
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = data
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    other = Ridge().fit(X, y)
    accuracy = accuracy_score(y, model.predict(X))
    auc = roc_auc_score(y_true=y, y_score=other.predict(X))
    model.score(X, y)
    f1_score(y, y)  # of no model
    for thread in threading.enumerate():
        if thread.name == "headwater-autolog-metric":
            thread.join()
    first, second = runs()
    assert first.metrics["accuracy_score"] == [(0, accuracy)]
    assert first.metrics["score"] == [(0, accuracy)]
    assert second.metrics["roc_auc_score"] == [(0, auc)]
    assert "f1_score" not in {*first.metrics, *second.metrics}


def test_what_was_imported_before_is_patched_and_what_comes_later_too(need, runs):
    need("sklearn")
    code = f"""
import sys
from sklearn.metrics import accuracy_score
import headwater as hw
hw.init({runs.url!r})
hw.autolog()
assert "xgboost" not in sys.modules and "torch" not in sys.modules
assert "sklearn.linear_model" not in sys.modules
from sklearn.linear_model import LogisticRegression
assert type(sys.modules["sklearn.linear_model"].__spec__.loader).__module__ != "headwater"
X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
with hw.run("r"):
    accuracy_score(y, LogisticRegression().fit(X, y).predict(X))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    run = runs.one()
    assert run.params["C"] == 1.0
    assert run.metrics["accuracy_score"] == [(0, 1.0)]


def test_a_fit_that_fails_is_a_run_that_failed(sklearn, runs):
    from sklearn.linear_model import LogisticRegression

    hw.autolog()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LogisticRegression().fit([[1.0], [2.0]], [1])
    run = runs.one()
    assert run.state == "FAILED"
    assert run.properties["run.error"].startswith("ValueError: ")
    assert hw.current_run() is None


def test_an_estimator_of_the_scripts_own_is_recorded_and_pickles_by_value(sklearn, data, runs):
    import cloudpickle
    from sklearn.base import BaseEstimator, ClassifierMixin

    hw.autolog()

    class Constant(ClassifierMixin, BaseEstimator):
        def __init__(self, label=1):
            self.label = label

        def fit(self, X, y):
            return self

        def predict(self, X):
            return [self.label] * len(X)

    Constant(0).fit(*data)
    assert runs.one().params == {"label": 0}
    code = cloudpickle.dumps(Constant(3))
    assert b"headwater" not in code
    assert pickle.load(io.BytesIO(code)).fit(*data).predict([1, 2]) == [3, 3]


class Stubborn:
    """What an estimator of the script's own does instead of learning."""

    def __init__(self, error=None, api_token=None):
        self.error = error
        self.api_token = api_token

    def get_params(self, deep=True):
        many = {f"p{index}": index for index in range(2_000)}
        return {"api_token": self.api_token, "text": "x" * 5_000, **many}

    def fit(self, X, y=None):
        if self.error is not None:
            raise self.error
        return self

    def predict(self, X):
        return X


def test_an_interrupted_fit_is_canceled(sklearn, data, runs):
    from sklearn.base import BaseEstimator

    hw.autolog()
    kind = type("Stubborn", (BaseEstimator,), dict(vars(Stubborn)))
    with pytest.raises(KeyboardInterrupt):
        kind(KeyboardInterrupt()).fit(*data)
    assert runs.one().state == "CANCELED"


def test_params_are_bounded_and_say_no_secret(sklearn, data, runs):
    from sklearn.base import BaseEstimator

    hw.autolog(log_models=False)
    kind = type("Stubborn", (BaseEstimator,), dict(vars(Stubborn)))
    kind(api_token="hush").fit(*data)
    run = runs.one()
    assert run.params["api_token"] == "***"
    assert len(run.params["text"]) == 1_000
    assert len(run.params) == 1_000
    assert "hush" not in str(run.properties)


def test_what_cannot_be_read_is_described(sklearn, need, runs):
    from sklearn.linear_model import LogisticRegression

    hw.autolog()
    rows = need("scipy.sparse").csr_matrix([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0]])
    LogisticRegression().fit(rows, [0, 1, 1])
    run = runs.one()
    assert [*run.inputs] == ["labels"]
    assert run.tags["data.training"] == "scipy.csr_matrix 3 x 2 float64"


def test_it_can_be_switched_off_and_by_library(sklearn, data, runs):
    from sklearn.linear_model import LogisticRegression

    hw.autolog(libraries="xgboost")
    LogisticRegression().fit(*data)
    hw.autolog()
    hw.autolog(False, libraries=["sklearn"])
    LogisticRegression().fit(*data)
    hw.autolog(False)
    LogisticRegression().fit(*data)
    assert runs() == []
    with pytest.raises(ValueError, match="cannot log `catboost`"):
        hw.autolog(libraries=["catboost"])
    hw.autolog(log_models=False, log_data=False)
    LogisticRegression().fit(*data)
    run = runs.one()
    assert (run.inputs, run.outputs) == ({}, {})
    assert run.params["C"] == 1.0


def test_an_unreachable_store_does_not_stop_a_loop_of_fits(sklearn, data, runs, monkeypatch):
    from sklearn.linear_model import LogisticRegression

    pytest.importorskip("grpc")
    monkeypatch.setattr(recorder, "FINISH_SECONDS_MAX", 2.5)
    hw.init("grpc://127.0.0.1:9")
    hw.autolog(log_models=False, log_data=False)
    for _ in range(3):
        assert LogisticRegression().fit(*data).coef_.shape == (1, 5)
    for thread in threading.enumerate():
        if thread.name == "headwater-autolog-end":
            thread.join()


def test_what_goes_wrong_in_recording_costs_the_script_nothing(sklearn, data, runs, caplog):
    from sklearn.linear_model import LogisticRegression

    class Odd(LogisticRegression):
        @property
        def feature_names_in_(self):
            raise RuntimeError("no names today")

        @feature_names_in_.setter
        def feature_names_in_(self, names):
            pass

    hw.autolog()
    assert Odd().fit(*data).coef_.shape == (1, 5)
    assert "no names today" in caplog.text
    run = runs.one()
    assert (run.state, run.params["C"]) == ("COMPLETE", 1.0)
    assert run.outputs["model"][0]["model_type"] == "Odd"


def test_much_data_is_described_and_not_hashed(sklearn, data, runs, monkeypatch):
    from sklearn.linear_model import LogisticRegression

    from headwater.autolog import training

    monkeypatch.setattr(training, "HASHED_BYTES_MAX", 1000)
    hw.autolog()
    LogisticRegression().fit(*data)
    run = runs.one()
    assert [*run.inputs] == ["labels"]
    assert run.tags["data.training"] == "pandas.DataFrame 80 x 5, too large to be hashed"
