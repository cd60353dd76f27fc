"""Steps: what ran on the same before is taken from there, and everything else runs."""

import dataclasses
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import headwater as hw
from headwater import artifacts, recorder, steps
from headwater.values import plain
from ml_metadata.proto import metadata_store_pb2 as pb

COMPLETE, CACHED, FAILED = pb.Execution.COMPLETE, pb.Execution.CACHED, pb.Execution.FAILED
LEVEL = 1


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """The URL of a store into which this module's steps are recorded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(artifacts, "FOLDER", str(tmp_path / "artifacts"))
    url = f"sqlite:{tmp_path}/steps.db"
    monkeypatch.setitem(recorder.defaults, "store", url)
    monkeypatch.setitem(recorder.defaults, "describe", False)
    return url


class Calls:
    """What has run. As no plain value, it is no part of the code of the steps that know it."""

    def __init__(self):
        self.all = []

    def append(self, call):
        self.all.append(call)

    def __len__(self):
        return len(self.all)

    def __eq__(self, other):
        return self.all == other


@pytest.fixture
def calls():
    return Calls()


def executions(place):
    with hw.open(place) as store:
        return list(store.list_executions(order_by="id", page_size=100).executions)


def states(place):
    return [execution.last_known_state for execution in executions(place)]


def said(execution):
    return {name: plain(of) for name, of in execution.custom_properties.items()}


def test_a_call_on_the_same_is_skipped_and_gives_the_same(place, calls):
    @hw.step
    def featurize(raw, k=3, *, note="x"):
        calls.append(k)
        out = Path("features.csv")
        out.write_text(raw.read_text() * k)
        return out

    Path("raw.csv").write_text("a\n1\n")
    first = featurize(Path("raw.csv"))
    again = featurize(Path("raw.csv"), k=3)
    assert calls == [3]
    assert again.read_text() == first.read_text() == "a\n1\n" * 3
    assert states(place) == [COMPLETE, CACHED]
    ran, skipped = map(said, executions(place))
    assert skipped["step.same_as"] == executions(place)[0].id
    assert ran["step.fingerprint"] == skipped["step.fingerprint"]
    assert (ran["params.k"], ran["params.note"]) == (3, "x")
    with hw.open(place) as store:
        both = [execution.id for execution in executions(place)]
        events = store.get_events_by_execution_ids(execution_ids=both).events
    shown = [(of.execution_id, of.type, of.artifact_id, of.path.steps[0].key) for of in events]
    by_run = [{each[1:] for each in shown if each[0] == id_} for id_ in both]
    assert by_run[0] == by_run[1]
    assert {each[2] for each in by_run[0]} == {"raw", "return"}
    assert hw.explain(both[1]).startswith(f"skipped: execution {both[0]} ran on the same")


def test_what_differs_runs_and_is_named(place, calls):
    def make(level):
        @hw.step
        def work(raw, k=1):
            calls.append((raw, k))
            return {"sum": sum(raw) * k + level}

        return work

    work = make(0)
    assert work([1, 2]) == {"sum": 3}
    assert work([1, 2], k=2) == {"sum": 6}
    assert work([1, 3], k=2) == {"sum": 8}
    assert make(10)([1, 3], k=2) == {"sum": 18}
    assert work([1, 2]) == {"sum": 3}
    assert len(calls) == 4
    ids = [execution.id for execution in executions(place)]
    assert f"against execution {ids[0]}, params.k is 2 instead of 1" in hw.explain(ids[1])
    assert "params.raw is sha256:" in hw.explain(ids[2])
    assert "code." in hw.explain(ids[3])


def test_every_kind_of_value_comes_back(place, calls):
    numpy = pytest.importorskip("numpy")

    @hw.step
    def work():
        calls.append(1)
        return 1.5, "text", None, [1, {"a": 2}], numpy.arange(3), Path("kept.bin"), version

    @hw.step
    def plain_dict():
        return {"n": 1, "data": numpy.ones(2)}

    @hw.step
    def nothing():
        calls.append("nothing")

    Path("kept.bin").write_bytes(b"kept")
    version = hw.dataset("kept.bin", name="kept")
    first, again = work(), work()
    assert calls == [1]
    assert first[:4] == again[:4] == (1.5, "text", None, [1, {"a": 2}])
    assert again[4].tolist() == [0, 1, 2]
    assert again[5].read_bytes() == b"kept"
    assert again[6].version == "kept@1"
    assert plain_dict()["data"].tolist() == plain_dict()["data"].tolist() == [1, 1]
    assert (nothing(), nothing()) == (None, None)
    assert calls == [1, "nothing"]


@pytest.mark.parametrize(("verify", "tamper", "words"), [
    (False, lambda path: path.unlink(), "is gone"),
    (False, lambda path: path.write_text("longer than before"), "has changed"),
    (True, lambda path: path.write_text("OUT"), "has changed"),
])  # fmt: skip
def test_what_was_made_and_is_gone_or_changed_is_made_again(place, calls, verify, tamper, words):
    @hw.step(verify=verify)
    def work():
        calls.append(1)
        Path("out.txt").write_text("out")
        return Path("out.txt")

    work()
    tamper(Path("out.txt"))
    assert work().read_text() == "out"
    assert len(calls) == 2
    assert states(place) == [COMPLETE, COMPLETE]
    assert words in hw.explain(executions(place)[1].id)
    work()
    assert len(calls) == 2


@pytest.mark.parametrize("bytes_", [b"", b"\x80\x04.", b"\xff" * 50, b"cno_module\nName\n."])
def test_an_object_that_cannot_be_read_again_is_made_again(place, calls, monkeypatch, bytes_):
    @hw.step
    def work():
        calls.append(1)
        return Settings(7)

    assert work() == work() == Settings(7)
    assert len(calls) == 1
    (saved,) = Path("artifacts").glob("*/object.pkl")
    saved.write_bytes(bytes_.ljust(saved.stat().st_size, b"."))
    assert work() == work() == Settings(7)
    assert len(calls) == 2, "and is whole again"


def test_what_returns_before_it_has_run_is_no_step():
    async def later():
        return 1

    def one_by_one():
        yield 1

    for function in (later, one_by_one):
        with pytest.raises(TypeError, match="is no plain function"):
            hw.step(function)


def test_a_failed_step_is_not_remembered(place, calls):
    @hw.step
    def work():
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("no")
        return 7

    with pytest.raises(ValueError, match="no"):
        work()
    assert (work(), work()) == (7, 7)
    assert states(place) == [FAILED, COMPLETE, CACHED]


def test_results_grow_old_and_are_forgotten(place, calls):
    @hw.step(max_age=3600)
    def work():
        calls.append(1)

    @hw.step(name="work", max_age=-1)
    def old():
        calls.append(2)

    work()
    work()
    assert calls == [1]
    assert hw.forget(work) == 1
    assert hw.forget("work") == 0
    work()
    assert calls == [1, 1]
    old()
    old()
    assert calls == [1, 1, 2, 2]


def helper(x):
    return x + LEVEL


class Scaler:
    def scale(self, x):
        return helper(x) * 2


def test_code_that_a_step_calls_is_part_of_it(place, calls, monkeypatch):
    @hw.step
    def work(x):
        calls.append(x)
        return Scaler().scale(x)

    assert (work(1), work(1)) == (4, 4)
    monkeypatch.setitem(globals(), "LEVEL", 2)
    assert work(1) == 6
    assert "code.helper is " in hw.explain(executions(place)[-1].id)
    monkeypatch.setitem(globals(), "LEVEL", 1)
    assert work(1) == 4
    assert len(calls) == 2

    def other(x):
        return -x

    monkeypatch.setitem(globals(), "helper", other)
    assert work(1) == -2
    assert len(calls) == 3


@dataclasses.dataclass
class Settings:
    depth: int


SETTINGS = Settings(3)
FEATURES = ["age", "country"]


def test_settings_around_a_step_are_part_of_it(place, calls, monkeypatch):
    @hw.step
    def work():
        calls.append(1)
        return [SETTINGS.depth, len(FEATURES)]

    assert work() == work() == [3, 2]
    monkeypatch.setattr(SETTINGS, "depth", 4)
    assert work() == [4, 2]
    monkeypatch.setitem(globals(), "FEATURES", ["age", "country", "plan"])
    assert work() == work() == [4, 3]
    assert len(calls) == 3


def test_a_function_whose_source_is_not_there_is_known_by_its_code(place, tmp_path):
    (tmp_path / "no_python.md").write_text("It's a text.\n" * 30)

    def made(text):
        names = {"hw": hw}
        exec(compile(text, str(tmp_path / "no_python.md"), "exec"), names)
        return names["work"]

    text = "@hw.step\ndef work(x):\n    return [y + 1 for y in [x] if y in {'a', 'b', 1}]\n"
    assert made(text)(1) == made(text)(1) == [2]
    assert made(text.replace("+ 1", "+ 2"))(1) == [3]
    assert states(place) == [COMPLETE, CACHED, COMPLETE]
    hw.forget("work")  # processes are compared with each other
    script = tmp_path / "script.py"
    script.write_text(
        f"import headwater as hw\nhw.init({place!r}, describe=False)\n{text}work(1)\n"
    )
    code = f"exec(compile(open({str(script)!r}).read(), 'no file', 'exec'))"
    for seed in "12":
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=120)
    assert states(place)[3:] == [COMPLETE, CACHED], "whatever the order of sets"


def test_a_version_or_another_environment_is_another_step(place, calls, monkeypatch):
    def work():
        calls.append(1)

    hw.step(work)()
    hw.step(version="2")(work)()
    assert len(calls) == 2
    monkeypatch.setattr(steps.provenance, "environment_digest", lambda: "sha256:other")
    hw.step(work)()
    assert len(calls) == 3
    assert "environment is sha256:other instead of" in hw.explain(executions(place)[-1].id)
    hw.step(environment=False)(work)()
    monkeypatch.undo()
    monkeypatch.setitem(recorder.defaults, "store", place)
    hw.step(environment=False)(work)()
    assert len(calls) == 4


def test_threads_that_need_the_same_run_it_once(place, calls):
    @hw.step
    def slow(x):
        calls.append(x)
        time.sleep(0.3)
        return x * 2

    found = []
    threads = [threading.Thread(target=lambda: found.append(slow(4))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [8] * 5
    assert calls == [4]
    assert sorted(states(place)) == sorted([COMPLETE] + [CACHED] * 4)


def test_processes_that_need_the_same_run_it_once(place, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(f"""
import pathlib, time
import headwater as hw
hw.init({place!r}, describe=False)

@hw.step
def slow(x):
    with open("ran.txt", "a") as file:
        file.write("ran\\n")
    time.sleep(0.5)
    return x * 2

print(slow(4))
""")
    running = [
        subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [each.communicate(timeout=120)[0] for each in running] == ["8\n"] * 4
    assert Path("ran.txt").read_text() == "ran\n"


def test_who_dies_at_work_keeps_nobody_waiting(place, calls, monkeypatch):
    monkeypatch.setattr(steps, "LEASE_SECONDS", 1.0)
    code = f"""
import os
import headwater as hw
from headwater import steps
steps.LEASE_SECONDS = 1.0
hw.init({place!r}, describe=False)
@hw.step(name="work")
def work(x):
    os._exit(9)
work(4)
"""
    script = Path("dies.py")
    script.write_text(code)
    assert subprocess.run([sys.executable, str(script)], timeout=120).returncode == 9

    @hw.step(name="work")
    def work(x):
        calls.append(x)
        return x

    assert work(4) == 4
    assert calls == [4]


def test_a_step_that_takes_longer_than_its_lease_stays_its_own(place, calls, monkeypatch):
    monkeypatch.setattr(steps, "LEASE_SECONDS", 1.0)

    @hw.step
    def slow():
        calls.append(1)
        time.sleep(2.5)
        return 1

    threads = [threading.Thread(target=slow) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert calls == [1]


def test_what_cannot_be_compared_runs_each_time(place, calls):
    @hw.step
    def work(lock):
        calls.append(1)
        return 1

    for _ in range(2):
        with pytest.warns(RuntimeWarning, match="its argument 'lock' is a lock"):
            assert work(threading.Lock()) == 1
    assert len(calls) == 2
    assert states(place) == [COMPLETE, COMPLETE]


def test_what_cannot_be_kept_runs_each_time(place, calls):
    @hw.step
    def work():
        calls.append(1)
        return threading.Lock()

    for _ in range(2):
        with pytest.warns(RuntimeWarning, match="cannot be pickled"):
            work()
    assert len(calls) == 2


def test_without_a_store_the_function_runs(calls, monkeypatch):
    monkeypatch.setitem(recorder.defaults, "store", "sqlite:/no/such/folder/x.db")
    monkeypatch.setattr(recorder, "FINISH_SECONDS_MAX", 0.3)

    @hw.step
    def work():
        calls.append(1)
        return 5

    with pytest.warns(RuntimeWarning, match="runs without looking"):
        assert work() == 5
    assert calls == [1]


def test_steps_belong_to_the_run_around_them(place):
    @hw.step
    def work():
        return 1

    with hw.run("p1", pipeline="churn-train", pipeline_run="p1", store=place) as run:
        work()
        work()
    outer, ran, skipped = executions(place)
    with hw.open(place) as store:
        for inner in (ran, skipped):
            assert said(inner)["run.parent"] == run.id
            contexts = store.get_contexts_by_execution(execution_id=inner.id).contexts
            assert {context.name for context in contexts} == {"churn-train", "churn-train/p1"}


def test_a_step_keeps_its_name_and_documentation():
    @hw.step(name="other")
    def work(x):
        """What it does."""
        return x

    assert (work.__name__, work.__doc__, work.step.name) == ("work", "What it does.", "other")
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        work()


def test_a_run_that_is_no_step_has_nothing_to_explain(place):
    with hw.run("train", store=place) as run:
        pass
    with pytest.raises(hw.errors.InvalidArgumentError, match="not a memoized step"):
        hw.explain(run)
