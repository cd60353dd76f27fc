"""`headwater.autolog` and Transformers."""

import pytest

import headwater as hw


@pytest.fixture
def transformers(need):
    need("torch")
    need("accelerate")
    return need("transformers")


def trainer(transformers, folder, **options):
    """A trainer of a tiny model of its own, so that nothing is downloaded."""
    import torch

    transformers.set_seed(5)
    config = transformers.BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
    )
    model = transformers.BertForSequenceClassification(config)
    ids = torch.arange(16 * 4).reshape(16, 4) % 20
    rows = [{"input_ids": ids[index], "labels": index % 2} for index in range(16)]
    said = {
        "output_dir": str(folder),
        "num_train_epochs": 2,
        "per_device_train_batch_size": 4,
        "logging_steps": 2,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        **options,
    }
    args = transformers.TrainingArguments(**said)
    return transformers.Trainer(model, args, train_dataset=rows, eval_dataset=rows[:8])


def test_a_training_is_a_run_with_what_is_logged(transformers, runs, tmp_path):
    hw.autolog()
    made = trainer(transformers, tmp_path / "out", learning_rate=0.01, hub_token="secret")
    made.train()
    run = runs.one()
    assert (run.type, run.state) == ("headwater.Train", "COMPLETE")
    assert run.properties["run.name"] == "BertForSequenceClassification"
    assert (run.params["learning_rate"], run.params["num_train_epochs"]) == (0.01, 2)
    assert run.params["model.hidden_size"] == 8
    assert run.params["model.parameters"] == sum(of.numel() for of in made.model.parameters())
    assert "secret" not in str(run.properties)
    logged = {}
    for entry in made.state.log_history:
        for name in {"loss", "eval_loss"} & {*entry}:
            logged.setdefault(name, []).append((entry["step"], entry[name]))
    assert [step for step, _ in logged["loss"]] == [2, 4, 6, 8]
    for name, points in logged.items():
        assert run.metrics[name] == points
    assert run.tags["data.training"] == "builtins.list 16"
    assert [of["step"] for of in run.outputs["checkpoint"]] == [4, 8]
    assert run.outputs["checkpoint"][0]["metrics.eval_loss"] == logged["eval_loss"][0][1]
    (model,) = run.outputs["model"]
    assert (model["framework"], model["framework_version"]) == (
        "transformers",
        transformers.__version__,
    )
    assert model["model_type"] == "BertForSequenceClassification"


def test_what_is_trained_is_what_it_would_be_without(transformers, runs, tmp_path):
    def train(folder):
        made = trainer(transformers, tmp_path / folder, save_strategy="no")
        callbacks = [type(of) for of in made.callback_handler.callbacks]
        made.train()
        assert [type(of) for of in made.callback_handler.callbacks] == callbacks
        return [of.tolist() for of in made.model.parameters()]

    without = train("a")
    hw.autolog()
    assert train("b") == without
    runs.one()


def test_a_training_that_fails_is_a_run_that_failed(transformers, runs, tmp_path):
    hw.autolog()
    made = trainer(transformers, tmp_path / "out")
    made.train_dataset = [{"input_ids": [99], "labels": 0}]
    with pytest.raises(IndexError):
        made.train()
    run = runs.one()
    assert run.state == "FAILED"
    assert run.properties["run.error"].startswith("IndexError")
