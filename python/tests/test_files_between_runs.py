"""Lineage that goes through files."""

from pathlib import Path

import pytest

import headwater as hw


def upstream(place, run):
    with hw.open(place) as store:
        found = store.trace_lineage(start_executions=[f"id = {run.id}"], direction="UPSTREAM")
    nodes = [each.execution for each in found.nodes if each.HasField("execution")]
    return {node.custom_properties["run.name"].string_value for node in nodes}


def test_a_file_that_one_run_makes_and_another_reads_connects_them(tmp_path):
    place = f"sqlite:{tmp_path}/runs.db"
    hw.init(place, describe=False)
    file = tmp_path / "features.csv"
    file.write_text("x\n1\n")
    with hw.run("featurize") as run:
        run.output(file, "features")
    with hw.run("train") as run:
        run.input(file, "training")
    assert upstream(place, run) == {"featurize", "train"}


def test_a_file_that_one_step_returns_and_another_takes_connects_them(tmp_path):
    place = f"sqlite:{tmp_path}/runs.db"
    hw.init(place, describe=False)

    @hw.step
    def featurize(folder):
        made = Path(folder, "features.csv")
        made.write_text("x\n1\n")
        return made

    @hw.step
    def train(features):
        train.run = hw.current_run()
        return len(features.read_text())

    train(featurize(str(tmp_path)))
    assert upstream(place, train.run) == {"featurize", "train"}


def test_a_frame_that_one_step_returns_and_another_takes_connects_them(tmp_path, monkeypatch):
    numpy = pytest.importorskip("numpy")
    monkeypatch.chdir(tmp_path)
    place = f"sqlite:{tmp_path}/runs.db"
    hw.init(place, describe=False)

    @hw.step
    def featurize():
        return numpy.arange(5)

    @hw.step
    def train(features):
        train.run = hw.current_run()
        return int(features.sum())

    assert train(featurize()) == 10
    assert upstream(place, train.run) == {"featurize", "train"}
    assert featurize().tolist() == [0, 1, 2, 3, 4]


def test_a_model_file_that_an_evaluation_reads_connects_it(tmp_path):
    place = f"sqlite:{tmp_path}/runs.db"
    hw.init(place, describe=False)
    file = tmp_path / "model.pt"
    file.write_bytes(b"weights")
    with hw.run("train") as run:
        run.output(file, "model")
    with hw.run("evaluate", kind="evaluate") as run:
        run.input(file, "model")
    assert upstream(place, run) == {"train", "evaluate"}
