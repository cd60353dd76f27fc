"""`headwater.autolog` and Keras."""

import pytest

import headwater as hw


@pytest.fixture
def keras(need):
    return need("keras")


@pytest.fixture
def rows(need):
    numpy = need("numpy")
    X = numpy.random.default_rng(1).normal(size=(64, 3)).astype("float32")
    return X, X.sum(axis=1)


def make(keras):
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(1),
        ],
        name="tiny",
    )
    optimizer = keras.optimizers.Adam(learning_rate=0.01)
    model.compile(optimizer=optimizer, loss="mse", metrics=["mae"])
    return model


def test_a_fit_is_a_run_with_a_point_for_each_epoch(keras, rows, runs):
    hw.autolog()
    model = make(keras)
    validation = (rows[0][:20], rows[1][:20])
    history = model.fit(*rows, epochs=3, batch_size=16, validation_data=validation, verbose=0)
    run = runs.one()
    assert (run.type, run.state) == ("headwater.Train", "COMPLETE")
    assert run.properties["run.name"] == "tiny"
    assert (run.params["epochs"], run.params["batch_size"]) == (3, 16)
    assert (run.params["optimizer"], run.params["loss"]) == ("Adam", "mse")
    assert run.params["optimizer.learning_rate"] == pytest.approx(0.01)
    assert run.params["model.parameters"] == model.count_params() == 21
    assert {*history.history} == {"loss", "mae", "val_loss", "val_mae"}
    for name, values in history.history.items():
        assert run.metrics[name] == list(enumerate(values))
    assert [*run.inputs] == ["training", "labels", "validation", "validation.labels"]
    (made,) = run.outputs["model"]
    assert (made["framework"], made["framework_version"]) == ("keras", keras.__version__)
    assert (made["model_type"], made["format"]) == ("Sequential", "keras")
    assert made["architecture"].count("Dense") == 2


def test_what_is_trained_is_what_it_would_be_without(keras, rows, runs):
    def train():
        model, callbacks = make(keras), [keras.callbacks.EarlyStopping("loss")]
        history = model.fit(*rows, epochs=2, verbose=0, callbacks=callbacks)
        assert len(callbacks) == 1
        return history.history, [of.tolist() for of in model.get_weights()]

    without = train()
    hw.autolog()
    assert train() == without
    hw.autolog(False)
    assert train() == without
    runs.one()


def test_a_fit_that_fails_is_a_run_that_failed(keras, rows, runs):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise ZeroDivisionError("enough")

    hw.autolog()
    callbacks = keras.callbacks.CallbackList([Stop()])
    with pytest.raises(ZeroDivisionError):
        make(keras).fit(*rows, verbose=0, callbacks=callbacks)
    assert len(callbacks.callbacks) == 1
    run = runs.one()
    assert (run.state, run.properties["run.error"]) == ("FAILED", "ZeroDivisionError: enough")


def test_data_that_can_only_be_read_once_is_described(keras, rows, runs):
    def batches():
        while True:
            yield rows[0][:8], rows[1][:8]

    hw.autolog()
    with hw.run("mine"):
        make(keras).fit(batches(), steps_per_epoch=2, epochs=2, verbose=0)
    run = runs.one()
    assert run.inputs == {}
    assert run.tags == {"data.training": "builtins.generator"}
    assert len(run.metrics["loss"]) == 2
