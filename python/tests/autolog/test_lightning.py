"""`headwater.autolog` and Lightning."""

import pytest

import headwater as hw


@pytest.fixture
def lightning(need):
    need("lightning")
    return need("lightning.pytorch")


def parts(lightning, error_at=None):
    """A module and loaders of its data."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    class Tiny(lightning.LightningModule):
        def __init__(self, lr=0.1, width=4):
            super().__init__()
            self.save_hyperparameters()
            self.net = torch.nn.Linear(3, 1)

        def training_step(self, batch, index):
            if error_at is not None and self.global_step == error_at:
                raise ZeroDivisionError("enough")
            loss = torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch, index):
            self.log("val_loss", torch.nn.functional.mse_loss(self.net(batch[0]), batch[1]))

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)

    lightning.seed_everything(4)
    X = torch.randn(16, 3)
    rows = TensorDataset(X, X.sum(1, keepdim=True))
    return Tiny(), DataLoader(rows, batch_size=4), DataLoader(TensorDataset(*rows[:8]))


def trainer(lightning, **options):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return lightning.Trainer(**{"max_epochs": 2, "logger": False, **quiet, **options})


def test_a_fit_is_a_run_with_what_the_model_logs(lightning, runs, tmp_path):
    hw.autolog()
    keep = lightning.callbacks.ModelCheckpoint(tmp_path / "kept", monitor="val_loss", save_top_k=2)
    model, *loaders = parts(lightning)
    fitted = trainer(lightning, callbacks=[keep], log_every_n_steps=2)
    fitted.fit(model, *loaders)
    run = runs.one()
    assert (run.type, run.state) == ("headwater.Train", "COMPLETE")
    assert run.properties["run.name"] == "Tiny"
    assert (run.params["lr"], run.params["width"], run.params["max_epochs"]) == (0.1, 4, 2)
    assert (run.params["optimizer"], run.params["optimizer.lr"]) == ("AdamW", 0.1)
    assert (run.params["model.parameters"], run.params["batch_size"]) == (4, 4)
    assert [step for step, _ in run.metrics["train_loss"]] == [1, 3, 5, 7]
    assert [step for step, _ in run.metrics["val_loss"]] == [3, 7]
    last = fitted.callback_metrics["val_loss"].item()
    assert run.metrics["val_loss"][-1][1] == last
    assert [*run.inputs] == ["training", "labels", "validation", "validation.labels"]
    assert [of["step"] for of in run.outputs["checkpoint"]] == [4, 8]
    assert run.outputs["checkpoint"][-1]["metrics.val_loss"] == last
    assert run.metrics["best_model_score"][0][1] == keep.best_model_score.item()
    (made,) = run.outputs["model"]
    assert (made["framework"], made["format"]) == ("pytorch", "lightning-ckpt")
    assert made["model_type"] == "Tiny"


def test_without_checkpoints_the_tensors_are_the_model(lightning, runs):
    hw.autolog()
    with hw.run("mine") as mine:
        model, *loaders = parts(lightning)
        trainer(lightning, enable_checkpointing=False).fit(model, *loaders)
    run = runs.one()
    assert run.id == mine.id
    assert "checkpoint" not in run.outputs
    assert run.outputs["model"][0]["format"] == "pytorch-state-dict"


def test_what_is_trained_is_what_it_would_be_without(lightning, runs, tmp_path):
    def train(folder):
        model, *loaders = parts(lightning)
        fitted = trainer(lightning, default_root_dir=tmp_path / folder)
        callbacks = [type(of) for of in fitted.callbacks]
        fitted.fit(model, *loaders)
        assert [type(of) for of in fitted.callbacks] == callbacks
        assert "log_metrics" not in vars(fitted._logger_connector)
        files = sorted(
            str(path.relative_to(tmp_path / folder))
            for path in tmp_path.rglob("*.ckpt")
            if folder in path.parts
        )
        return [of.tolist() for of in model.parameters()], files

    without = train("a")
    assert without[1] == ["checkpoints/epoch=1-step=8.ckpt"]
    hw.autolog()
    assert train("b") == without
    runs.one()


def test_a_fit_that_fails_is_a_run_that_failed(lightning, runs):
    hw.autolog()
    model, *loaders = parts(lightning, error_at=5)
    fitted = trainer(lightning, enable_checkpointing=False, log_every_n_steps=1)
    with pytest.raises(ZeroDivisionError):
        fitted.fit(model, *loaders)
    run = runs.one()
    assert (run.state, run.properties["run.error"]) == ("FAILED", "ZeroDivisionError: enough")
    assert len(run.metrics["train_loss"]) == 5
