"""`headwater.autolog` and PyTorch without a trainer."""

import gc
import subprocess
import sys
import time

import pytest

import headwater as hw


@pytest.fixture
def torch(need):
    return need("torch")


def loop(torch, steps=6, path=None):
    """A loop as people write it; its losses, and the model."""
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(3)
    X = torch.randn(12, 3)
    loader = DataLoader(TensorDataset(X, X.sum(1, keepdim=True)), batch_size=4, shuffle=True)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)
    losses = []
    for _ in range(steps // 3):
        for x, y in loader:
            loss = torch.nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        with torch.no_grad():
            for (x,) in DataLoader(TensorDataset(X[:2]), batch_size=1):
                model(x)
    if path is not None:
        torch.save({"model": model.state_dict(), "losses": losses}, f"{path}.ckpt")
        torch.save(model.state_dict(), path)
    return losses, model


def test_a_loop_is_recorded_in_the_run_around_it(torch, runs, tmp_path):
    hw.autolog()
    path = str(tmp_path / "net.pt")
    with hw.run("mine", kind="train") as mine:
        losses, model = loop(torch, path=path)
    run = runs.one()
    assert (run.id, run.state) == (mine.id, "COMPLETE")
    assert (run.params["optimizer"], run.params["optimizer.momentum"]) == ("SGD", 0.9)
    assert run.params["optimizer.lr"] == 0.1
    assert run.params["model.class"] == "Sequential"
    assert run.params["model.parameters"] == sum(of.numel() for of in model.parameters())
    assert run.params["batch_size"] == 4
    assert run.metrics["loss"] == list(enumerate(losses))
    assert run.metrics["learning_rate"] == [(0, 0.1), (3, 0.05)]
    assert [*run.inputs] == ["training", "labels"]
    (made,) = run.outputs["model"]
    assert (made["framework"], made["framework_version"]) == ("pytorch", torch.__version__)
    assert (made["model_type"], made["format"]) == ("Sequential", "pytorch-state-dict")
    assert "ReLU()" in made["architecture"]
    (checkpoint,) = run.outputs["checkpoint"]
    assert checkpoint["step"] == 6


def test_without_a_run_its_run_ends_with_the_optimizer(torch, runs):
    hw.autolog()
    losses, _ = loop(torch)
    gc.collect()  # a schedule and its optimizer know each other
    for _ in range(600):
        if runs.one().state == "COMPLETE":
            break
        time.sleep(0.05)
    run = runs.one()
    assert (run.type, run.state) == ("headwater.Train", "COMPLETE")
    assert run.properties["run.name"] == "Sequential"
    assert run.metrics["loss"] == list(enumerate(losses))
    assert hw.current_run() is None


@pytest.mark.parametrize(("last", "state"), [("", "COMPLETE"), ("1 / 0", "FAILED")])
def test_a_script_that_ends_ends_its_run(need, runs, last, state):
    need("torch")
    code = f"""
import headwater as hw
hw.init({runs.url!r})
hw.autolog()
import torch
weights = torch.zeros(2, requires_grad=True)
optimizer = torch.optim.Adam([weights])
for _ in range(3):
    ((weights - 1) ** 2).sum().backward()
    optimizer.step()
{last}
"""
    subprocess.run([sys.executable, "-c", code], timeout=120, capture_output=True)
    run = runs.one()
    assert run.state == state
    assert run.params["optimizer"] == "Adam"
    assert [step for step, _ in run.metrics["loss"]] == [0, 1, 2]


def test_what_is_trained_is_what_it_would_be_without(torch, runs):
    def train():
        losses, model = loop(torch)
        weights = [of.tolist() for of in model.parameters()]
        return losses, weights, torch.rand(1).item()

    backward = torch.Tensor.__dict__["backward"]
    without = train()
    hw.autolog()
    assert train() == without
    assert torch.Tensor.__dict__["backward"] is not backward
    hw.autolog(False)
    assert torch.Tensor.__dict__["backward"] is backward
    assert train() == without
    assert len(runs()) == 1


def test_two_optimizers_of_one_training_are_told_apart(torch, runs):
    hw.autolog()
    first, second = torch.nn.Linear(2, 1), torch.nn.Linear(1, 3)
    optimizers = torch.optim.SGD(first.parameters(), lr=0.1), torch.optim.Adam(second.parameters())
    with hw.run("gan"):
        for _ in range(2):
            for optimizer in optimizers:
                optimizer.zero_grad()
                second(first(torch.ones(1, 2))).sum().backward()
                optimizer.step()
    run = runs.one()
    assert (run.params["optimizer"], run.params["optimizer2"]) == ("SGD", "Adam")
    assert (run.params["model.parameters"], run.params["model2.parameters"]) == (3, 6)
    assert len(run.metrics["loss"]) == len(run.metrics["optimizer2/loss"]) == 2


def test_a_loss_is_logged_as_it_was_before_it_was_scaled(torch, runs):
    hw.autolog()
    weights = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([weights], lr=0.5)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with hw.run("mine"):
        scaler.scale((weights * 3).sum()).backward()
        scaler.step(optimizer)
    assert runs.one().metrics["loss"] == [(0, 3.0)]


def test_what_trains_without_gradients_costs_nothing_and_says_nothing(torch, runs):
    hw.autolog()
    model = torch.nn.Linear(2, 1)
    with hw.run("mine"):
        model(torch.ones(1, 2)).sum().backward()
    run = runs.one()
    assert (run.params, run.metrics) == ({}, {})
