"""The examples record what they say, and the second time only what is new."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from server import BINARY

import headwater as hw
from headwater.values import plain
from ml_metadata.proto import metadata_store_pb2 as pb

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CACHED, COMPLETE = pb.Execution.CACHED, pb.Execution.COMPLETE
OUTPUT = pb.Event.OUTPUT


def needs(*modules):
    """In CI all of them are there: examples/requirements-notebook.txt."""
    for module in modules:
        if os.environ.get("HEADWATER_TEST_EXAMPLES"):
            __import__(module)
        else:
            pytest.importorskip(module)


@pytest.fixture
def churn(tmp_path):
    """Runs churn.py in an empty folder; what it prints."""
    needs("pandas", "sklearn")

    def run(*arguments):
        command = [sys.executable, EXAMPLES / "churn.py", "--customers", "600", "--trees", "12"]
        done = subprocess.run(
            [*command, *arguments],
            cwd=tmp_path,
            env={**os.environ, "HEADWATER_STORE": "sqlite:churn.db"},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        assert not done.stderr
        return done.stdout

    return run


@pytest.fixture
def graph(tmp_path):
    """What is in the store: runs by id, versions by name, ids of outputs by run."""

    def read():
        with hw.open(f"sqlite:{tmp_path}/churn.db") as store:
            runs = store.list_executions(order_by="id", page_size=100).executions
            artifacts = store.list_artifacts(order_by="id", page_size=100).artifacts
            events = store.get_events_by_execution_ids(execution_ids=[run.id for run in runs])
        made = {}
        for event in events.events:
            if event.type == OUTPUT:
                made.setdefault(event.execution_id, []).append(event.artifact_id)
        return runs, {node.name: node for node in artifacts if node.name}, made, artifacts

    return read


def states(runs):
    return [(run.custom_properties["run.name"].string_value, run.last_known_state) for run in runs]


def test_churn_runs_each_step_once_and_makes_one_version_of_what_is_the_same(churn, graph):
    churn()
    runs, versions, made, _ = graph()
    names = ["churn", "ingest", "featurize", "train", "evaluate"]
    assert states(runs) == [(name, COMPLETE) for name in names]
    assert list(versions) == ["customers@1", "train@1", "test@1", "churn@1"]
    churn()
    both, after, made, _ = graph()
    second = both[len(runs) :]
    skipped = [(name, CACHED if name in ("ingest", "featurize") else COMPLETE) for name in names]
    assert states(second) == skipped
    assert list(after) == list(versions)
    for old, new in zip(runs[1:4], second[1:4]):
        assert made[old.id] == made[new.id]
    assert made[second[3].id] == [after["churn@1"].id]


def test_churn_on_other_customers_makes_the_next_version_and_other_params_another_model(
    churn, graph
):
    churn()
    churn("--depth", "2")
    runs, versions, _, _ = graph()
    assert states(runs)[6:8] == [("ingest", CACHED), ("featurize", CACHED)]
    assert set(versions) == {"customers@1", "train@1", "test@1", "churn@1", "churn@2"}
    churn("--seed", "8")
    runs, versions, _, _ = graph()
    assert states(runs)[11:13] == [("ingest", COMPLETE), ("featurize", COMPLETE)]
    assert {"customers@2", "train@2", "test@2", "churn@3"} <= set(versions)


def test_churn_records_params_metrics_and_an_evaluation_with_slices(churn, graph, tmp_path):
    churn("--depth", "2")
    runs, versions, made, artifacts = graph()
    train, evaluate = runs[3], runs[4]
    said = {name: plain(of) for name, of in train.custom_properties.items()}
    assert (said["params.n_estimators"], said["params.max_depth"]) == (12, 2)
    with hw.open(f"sqlite:{tmp_path}/churn.db") as store:
        (loss,) = store.get_metrics(execution_id=train.id, names=["loss"]).series
        trace = store.trace_lineage(start_artifacts=["name = 'churn@1'"], direction="UPSTREAM")
    assert list(loss.steps) == list(range(12))
    assert list(loss.values) == sorted(loss.values, reverse=True)
    found = {node.artifact.name for node in trace.nodes}
    assert {"churn@1", "train@1", "customers@1"} <= found
    assert "test@1" not in found
    model = versions["churn@1"].custom_properties
    assert model["model_type"].string_value == "GradientBoostingClassifier"
    assert model["owner"].string_value == "growth"
    (metrics,) = [node for node in artifacts if node.type == "headwater.Metrics"]
    assert made[evaluate.id] == [metrics.id]
    values = {name: plain(of) for name, of in metrics.custom_properties.items()}
    parts = ["", *(f"slice.country={country}." for country in ("DE", "FR", "PL"))]
    assert set(values) == {
        f"{part}metrics.{name}" for part in parts for name in ("accuracy", "roc_auc")
    }
    assert 0.6 < values["metrics.accuracy"] < 1


def test_the_calls_that_churn_prints_answer(churn, graph, tmp_path, monkeypatch):
    printed = churn().partition("ASK IT YOURSELF")[2]
    monkeypatch.chdir(tmp_path)
    program = re.sub(r"^  (?!import|store|hw)[^\n]*\n?", "", printed, flags=re.MULTILINE)
    lines = [line.strip() for line in program.splitlines() if line.strip()]
    assert len(lines) == 5
    runs, _, _, _ = graph()
    ids = {run.custom_properties["run.name"].string_value: run.id for run in runs}
    said = {}
    for line in lines:
        run = ids["featurize" if "explain" in line else "train"]
        is_statement = line.startswith(("import", "store ="))
        made = (exec if is_statement else eval)(line.replace("RUN,", f"{run},", 1), said)
        assert is_statement or made is not None
    said["store"].close()
    if not Path(BINARY).exists():
        assert not os.environ.get("HEADWATER_TEST_REQUIRED"), f"{BINARY} is not built"
        pytest.skip(f"{BINARY} is not built")
    commands = re.findall(r"  headwater (call .*\\\n.*)", printed)
    assert len(commands) == 2
    for command in commands:
        arguments = shlex.split(command.replace("\\\n", " "))
        done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert "churn" in done.stdout or "train" in done.stdout


def test_the_notebook_runs_from_top_to_bottom_and_records_what_it_shows(tmp_path, monkeypatch):
    needs("ipykernel", "matplotlib", "nbclient", "pandas", "sklearn")
    import nbclient
    import nbformat

    for name in ("churn.py", "churn.ipynb"):
        shutil.copy(EXAMPLES / name, tmp_path)
    monkeypatch.setenv("HEADWATER_STORE", "sqlite:churn.db")
    notebook = nbformat.read(EXAMPLES / "churn.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    nbclient.NotebookClient(
        notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in cells for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 3
    withdrawn = [output for output in outputs if "owner" in str(output.get("data", ""))]
    assert re.findall(r"churn@\d", withdrawn[-1].data["text/plain"]) == ["churn@4"]
    with hw.open(f"sqlite:{tmp_path}/churn.db") as store:
        runs = store.list_executions(filter="type = 'headwater.Train'").executions
        models = store.list_artifacts(filter="type = 'headwater.Model'").artifacts
        points = [
            len(series.values)
            for run in runs
            for series in store.get_metrics(execution_id=run.id, names=["loss"]).series
        ]
    assert points == [60] * 4
    assert [model.name for model in models] == [f"churn@{number}" for number in range(1, 5)]


def test_the_notebook_is_kept_without_what_it_printed():
    notebook = json.loads((EXAMPLES / "churn.ipynb").read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells
    for cell in cells:
        assert (cell["outputs"], cell["execution_count"]) == ([], None)
