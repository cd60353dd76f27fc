"""`headwater.run`: what a script did is there afterwards, whatever happened on the way."""

import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import pytest

import headwater as hw
from headwater import recorder, sender
from headwater.values import plain
from ml_metadata.proto import metadata_store_pb2 as pb

COMPLETE, FAILED, RUNNING = pb.Execution.COMPLETE, pb.Execution.FAILED, pb.Execution.RUNNING


@pytest.fixture(params=["process", "server"])
def store(request, tmp_path):
    """A store in this process or behind a server; its URL is where runs are recorded."""
    url = f"sqlite:{tmp_path}/store.db"
    if request.param == "server":
        pytest.importorskip("grpc")
        url = "grpc://" + request.getfixturevalue("server")
    with hw.open(url) as opened:
        yield opened


@pytest.fixture
def file(tmp_path):
    """The URL of a file to record into."""
    return f"sqlite:{tmp_path}/runs.db"


def stored(store, id_):
    """The execution, and its custom properties as plain values."""
    if isinstance(store, str):
        with hw.open(store) as opened:
            return stored(opened, id_)
    (execution,) = store.get_executions_by_id(execution_ids=[id_]).executions
    return execution, {name: plain(of) for name, of in execution.custom_properties.items()}


def points(store, id_, name):
    if isinstance(store, str):
        with hw.open(store) as opened:
            return points(opened, id_, name)
    found = store.get_metrics(execution_id=id_, names=[name]).series
    return list(zip(found[0].steps, found[0].values)) if found else []


def script(place, code, **options):
    """Runs a script that records into a place."""
    command = [sys.executable, "-c", f"import headwater as hw\nhw.init({place!r})\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_a_run_is_an_execution_with_all_that_was_said_of_it(store):
    params = {"lr": 0.1, "epochs": 3, "nested": {"on": True, "deep": {"x": "y"}}, "layers": [1, 2]}
    with hw.run("train", kind="train", params=params, tags={"team": "ads"}, store=store) as run:
        assert hw.current_run() is run
        run.log_param("seed", 2**70)
        run.set_tags({"team": "churn"})
        run.set_note("half a surrogate: \ud800")
    assert hw.current_run() is None
    execution, found = stored(store, run.id)
    assert (execution.type, execution.last_known_state) == ("headwater.Train", COMPLETE)
    said = ("params.", "tag.")
    own = {name: of for name, of in found.items() if name.startswith(said)}
    assert own == {
        "params.lr": 0.1,
        "params.epochs": 3,
        "params.nested.on": True,
        "params.nested.deep.x": "y",
        "params.layers": "[1, 2]",
        "params.seed": str(2**70),
        "tag.team": "churn",
    }
    assert (found["run.name"], found["run.pid"]) == ("train", os.getpid())
    assert found["run.note"] == "half a surrogate: \\ud800"
    assert 0 <= found["run.ended_ms"] - found["run.started_ms"] < 60_000
    types = store.get_execution_type(type_name="headwater.Train")
    assert types.execution_type.base_type == pb.ExecutionType.TRAIN


def test_runs_of_a_pipeline_are_in_its_contexts(store):
    where = {"experiment": "churn", "pipeline": "p", "pipeline_run": "1", "store": store}
    with hw.run("a", **where) as a, hw.run("b", **where) as b:
        pass
    for run in (a, b):
        contexts = store.get_contexts_by_execution(execution_id=run.id).contexts
        assert {(of.type, of.name) for of in contexts} == {
            ("headwater.Experiment", "churn"),
            ("headwater.Pipeline", "p"),
            ("headwater.PipelineRun", "p/1"),
        }
    (of_run,) = [of for of in contexts if of.type == "headwater.PipelineRun"]
    (parent,) = store.get_parent_contexts_by_context(context_id=of_run.id).contexts
    assert parent.name == "p"
    assert stored(store, b.id)[1]["run.parent"] == a.id
    assert "run.parent" not in stored(store, a.id)[1]


def test_every_point_of_a_metric_is_there(store):
    with hw.run("train", store=store) as run:
        for step in range(20_500):
            run.log_metric("loss", 1 / (step + 1), step=step)
        run.log_metrics({"odd": math.nan, "also": 1})
        run.log_metrics({"odd": -math.inf, "also": True})
        run.log_metric("odd", 7, step=5, time_ms=77)
    assert points(store, run.id, "loss") == [(step, 1 / (step + 1)) for step in range(20_500)]
    assert str(points(store, run.id, "odd")) == "[(0, nan), (1, -inf), (5, 7.0)]"
    assert points(store, run.id, "also") == [(0, 1.0), (1, 1.0)]
    found = stored(store, run.id)[1]
    assert (found["metrics.loss"], found["metrics.loss.max"]) == (1 / 20_500, 1.0)


def test_what_is_read_and_made_is_in_the_lineage(store):
    data = store.put_artifact_type(artifact_type={"name": "Data"}).type_id
    made = store.put_artifacts(artifacts=[{"type_id": data}, {"type_id": data}]).artifact_ids
    with hw.run("train", store=store) as run:
        run.input(made[0], "training")
        run.output(made[1], "model")
        run.output(made[1], "model")
        run.input(99)
        with pytest.warns(RuntimeWarning, match="artifact 99 is left out"):
            run.flush()
    events = store.get_events_by_execution_ids(execution_ids=[run.id]).events
    described = [of.path.steps[0].key for of in events if of.artifact_id not in made]
    assert described == ["code", "environment"]
    events = [of for of in events if of.artifact_id in made]
    assert [(of.artifact_id, of.type, of.path.steps[0].key) for of in events] == [
        (made[0], pb.Event.INPUT, "training"),
        (made[1], pb.Event.OUTPUT, "model"),
    ]


@pytest.mark.parametrize(
    ("error", "state", "text"),
    [
        (ZeroDivisionError("by \udcff"), FAILED, "ZeroDivisionError: by \\udcff"),
        (KeyboardInterrupt(), pb.Execution.CANCELED, "KeyboardInterrupt"),
        (SystemExit(3), FAILED, "SystemExit: 3"),
        (SystemExit(0), COMPLETE, None),
    ],
)
def test_an_exception_ends_a_run_and_goes_on(file, error, state, text):
    runs = []

    def work():
        with hw.run("train", store=file) as run:
            runs.append(run)
            run.log_metric("loss", 1.0)
            raise error

    with pytest.raises(type(error)):
        work()
    (run,) = runs
    execution, found = stored(file, run.id)
    assert (execution.last_known_state, found.get("run.error")) == (state, text)
    assert ("test_recorder.py" in found.get("run.traceback", "")) == (state == FAILED)
    assert points(file, run.id, "loss") == [(0, 1.0)]


def test_threads_may_log_at_the_same_time(store):
    with hw.run("train", store=store) as run:

        def work(at):
            for step in range(500):
                run.log_metric(f"m{at % 2}", at, step=at * 500 + step)
                run.log_param(f"p{at}", step)

        threads = [threading.Thread(target=work, args=[at]) for at in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = stored(store, run.id)[1]
    assert [found[f"params.p{at}"] for at in range(8)] == [499] * 8
    for odd in (0, 1):
        expected = [(at * 500 + step, at) for at in range(odd, 8, 2) for step in range(500)]
        assert points(store, run.id, f"m{odd}") == expected


def work_in_a_fork(run, at):
    run.log_metric("loss", at, step=at)
    run.log_param(f"from.{at}", os.getpid())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it has threads, as usual
def test_processes_that_were_forked_log_to_the_run(file):
    with hw.run("train", store=file) as run:
        run.log_metric("loss", 0.0, step=0)
        assert run.id
        forks = multiprocessing.get_context("fork")
        workers = [forks.Process(target=work_in_a_fork, args=(run, at)) for at in (1, 2, 3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
        run.log_metric("loss", 4.0, step=4)
    execution, found = stored(file, run.id)
    assert execution.last_known_state == COMPLETE
    assert points(file, run.id, "loss") == [(at, at) for at in range(5)]
    pids = {found[f"params.from.{at}"] for at in (1, 2, 3)}
    assert pids == {worker.pid for worker in workers}


@pytest.mark.parametrize(
    ("end", "state"), [("", COMPLETE), ("raise ValueError('no')", FAILED), ("exit(0)", COMPLETE)]
)
def test_a_script_need_not_end_its_run(file, end, state):
    done = script(file, f"run = hw.run('train')\nrun.log_metric('loss', 1.0)\n{end}")
    assert (done.returncode == 0) == (state == COMPLETE), done.stderr
    with hw.open(file) as opened:
        (execution,) = opened.get_executions().executions
    assert execution.last_known_state == state
    assert points(file, execution.id, "loss") == [(0, 1.0)]
    assert ("run.error" in execution.custom_properties) == (state == FAILED)


def test_a_run_whose_process_was_killed_does_not_stay_running(file, monkeypatch):
    code = "import os\nrun = hw.run('train')\nrun.flush()\nos.kill(os.getpid(), 9)"
    assert script(file, code).returncode == -signal.SIGKILL
    with hw.open(file) as opened:
        (killed,) = opened.get_executions().executions
        assert killed.last_known_state == RUNNING
    with hw.run("meanwhile", store=file):
        pass
    assert stored(file, killed.id)[0].last_known_state == RUNNING, "it may still be at work"
    monkeypatch.setattr(sender, "DEAD_AFTER_SECONDS", 0.0)
    with hw.run("later", store=file) as later:
        later.flush()
    execution, found = stored(file, killed.id)
    assert execution.last_known_state == FAILED
    assert found["run.error"] == "the process ended without a word"
    assert found["run.ended_ms"] == found["run.heartbeat_ms"]


def test_a_process_that_lives_says_so(file, monkeypatch):
    monkeypatch.setattr(sender, "HEARTBEAT_EVERY_SECONDS", 0.2)
    monkeypatch.setattr(sender, "SEND_EVERY_SECONDS", 0.05)
    with hw.run("train", store=file) as run:
        first = stored(file, run.id)[1]["run.heartbeat_ms"]
        until = time.monotonic() + 20
        while stored(file, run.id)[1]["run.heartbeat_ms"] == first and time.monotonic() < until:
            time.sleep(0.05)
        assert stored(file, run.id)[1]["run.heartbeat_ms"] > first


def test_a_server_that_goes_away_and_comes_back_has_everything_once(tmp_path, monkeypatch):
    pytest.importorskip("grpc")
    from server import BINARY, Server

    if not os.path.exists(BINARY):
        assert not os.environ.get("HEADWATER_TEST_REQUIRED"), f"{BINARY} is not built"
        pytest.skip(f"{BINARY} is not built")
    monkeypatch.setattr(sender, "SEND_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(recorder, "FINISH_SECONDS_MAX", 60.0)
    server = Server(tmp_path / "server.db")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with hw.run("train", store=f"grpc://127.0.0.1:{server.port}") as run:
            for step in range(300):
                run.log_metric("loss", step, step=step)
                if step == 100:
                    assert run.id
                    server.stop()
                if step == 200:
                    run.log_param("away", True)
                    assert not run.flush(0.3)
                    server = Server(tmp_path / "server.db", server.port)
                time.sleep(0.001)
    server.stop()
    place = f"sqlite:{tmp_path}/server.db"
    execution, found = stored(place, run.id)
    assert (execution.last_known_state, found["params.away"]) == (COMPLETE, True)
    assert points(place, run.id, "loss") == [(step, step) for step in range(300)]


@pytest.mark.parametrize("place", ["grpc://127.0.0.1:1", "sqlite:/no/such/folder/x.db"])
def test_a_store_that_is_never_there_breaks_no_script(place, tmp_path, monkeypatch):
    if place.startswith("grpc"):
        pytest.importorskip("grpc")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recorder, "FINISH_SECONDS_MAX", 0.5)
    run = hw.run("train", store=place)
    run.log_metrics({"a": 1.0, "b": 2.0, "c": 3.0})
    with pytest.raises(hw.errors.UnavailableError, match="has no id yet"):
        run.id  # noqa: B018, it is asked for
    with pytest.warns(RuntimeWarning, match=r"not stored whole: 3 points .* are in 'sqlite:"):
        run.finish()
    assert not run.is_stored


def test_what_no_store_took_is_put_aside_and_sent_later(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recorder, "FINISH_SECONDS_MAX", 0.5)
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    place = "sqlite:/no/such/folder/x.db"
    run = hw.run("train", kind="train", experiment="churn", params={"lr": 0.1}, store=place)
    data = run.input("data.csv", "training")
    run.output(hw.model({"w": 1}, name="churn"), "model", made_from=[data])
    run.log_metric("loss", math.nan, step=7)
    with pytest.warns(RuntimeWarning, match="not stored whole"):
        run.finish()
    aside = f"sqlite:{tmp_path / 'headwater-offline.db'}"
    with hw.open(file) as opened:
        already = hw.dataset("data.csv", name="other").register(opened)
        first = hw.sync(aside, to=opened)
        assert (first.runs, first.points) == (1, 1)
        assert hw.sync(aside, to=opened) == first
        (execution,) = opened.get_executions().executions
        contexts = opened.get_contexts_by_execution(execution_id=execution.id).contexts
        nodes = {of.id: of for of in opened.get_artifacts().artifacts}
        events = opened.get_events_by_execution_ids(execution_ids=[execution.id]).events
    execution, found = stored(file, execution.id)
    assert (execution.type, execution.last_known_state) == ("headwater.Train", COMPLETE)
    assert execution.name == run.key
    assert (found["params.lr"], found["metrics.loss.step"]) == (0.1, 7)
    assert str(points(file, execution.id, "loss")) == "[(7, nan)]"
    assert [of.name for of in contexts] == ["churn"]
    read = {of.path.steps[0].key: nodes[of.artifact_id] for of in events}
    assert (read["training"].name, read["model"].name) == ("data@1", "churn@1")
    assert read["training"].id != already
    (made,) = [of for of in events if of.path.steps[0].key == "model"]
    assert [of.index for of in made.path.steps[2:]] == [read["training"].id]
    assert {"code", "environment"} <= set(read)


def test_points_are_lost_only_where_nothing_can_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recorder, "FINISH_SECONDS_MAX", 0.5)
    monkeypatch.setattr(sender, "OFFLINE", "no/such/folder/x.db")
    run = hw.run("train", store="sqlite:/no/such/folder/x.db")
    run.log_metrics({"a": 1.0, "b": 2.0, "c": 3.0})
    with pytest.warns(RuntimeWarning, match=r"not stored whole: 3 points .* are lost"):
        run.finish()


def test_what_cannot_be_stored_costs_nothing_else(store):
    with warnings.catch_warnings(record=True) as said, hw.run("train", store=store) as run:
        warnings.simplefilter("always")
        run.log_metric("good", 1.0)
        run.log_metric("loss.min", 1.0)
        run.log_metric("none", None)
        run.log_metric("step", 1.0, step="x")
        run.log_metric("large", 1.0, step=2**63)
        run.log_params({"p" * 300: 1, "fine": 2})
        run.log_metric("good", 2.0)
        run.flush()
    words = " ".join(str(warning.message) for warning in said)
    for bad in ("metric 'loss.min'", "metric 'none'", "a point of 'step'", "a point of 'large'"):
        assert f"{bad} is left out" in words
    assert points(store, run.id, "good") == [(0, 1.0), (1, 2.0)]
    execution, found = stored(store, run.id)
    assert (execution.last_known_state, found["params.fine"]) == (COMPLETE, 2)


def test_a_run_that_has_ended_takes_no_more(file):
    with hw.run("train", store=file) as run:
        run.log_metric("loss", 1.0)
    for say in (lambda: run.log_metric("loss", 2.0), lambda: run.set_tags({"late": "yes"})):
        with pytest.warns(RuntimeWarning, match="left out: run 'train' has ended"):
            say()
    run.finish()
    assert points(file, run.id, "loss") == [(0, 1.0)]
    assert "tag.late" not in stored(file, run.id)[1]


def test_a_run_that_was_taken_for_dead_may_end_well(file, monkeypatch):
    with hw.run("sleeper", store=file) as sleeper:
        sleeper.flush()
        monkeypatch.setattr(sender, "DEAD_AFTER_SECONDS", 0.0)
        with hw.run("other", store=file) as other:
            other.flush()
        assert stored(file, sleeper.id)[0].last_known_state == FAILED
    execution, found = stored(file, sleeper.id)
    assert (execution.last_known_state, found.get("run.error")) == (COMPLETE, None)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("", {}, "needs a name"),
        ("x", {"kind": "fly"}, "'fly', not one of run, train"),
        ("x", {"pipeline_run": "1"}, "needs pipeline"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(name, options, words):
    with pytest.raises(ValueError, match=words):
        hw.run(name, **options)


def test_the_place_is_said_once(tmp_path):
    code = "with hw.run('a') as run: print(run.id)"
    environment = {**os.environ, "HEADWATER_STORE": "sqlite:by_variable.db"}
    assert script(None, code, cwd=tmp_path, env=environment).stdout == "1\n"
    assert script(None, code, cwd=tmp_path).stdout == "1\n"
    assert sorted(each.name for each in tmp_path.glob("*.db")) == ["by_variable.db", "headwater.db"]


def test_clients_of_mlmd_do_not_import_the_recorder():
    code = "import sys, headwater, ml_metadata; print('headwater.recorder' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert hw.run is recorder.run
    with pytest.raises(AttributeError, match="no attribute 'runs'"):
        hw.runs  # noqa: B018


def test_runs_of_a_process_share_a_store_but_not_one_that_was_deleted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = "sqlite:runs.db"
    first = sender.opened(place)
    assert sender.opened(place) is first
    (tmp_path / "runs.db").unlink()
    with hw.run("train", store=place) as run:
        pass
    assert stored(place, run.id)[0].last_known_state == COMPLETE
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    with hw.run("train", store=place):
        pass
    assert (tmp_path / "other" / "runs.db").exists()
