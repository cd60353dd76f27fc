"""What `headwater` says on the command line of what the recorder wrote."""

import json
import math
import os
import subprocess
from pathlib import Path

import pytest
from server import BINARY

import headwater as hw
from headwater import artifacts, recorder


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch, home):
    """The URL of a store into which this module's runs are recorded."""
    if not os.path.exists(BINARY):
        assert not os.environ.get("HEADWATER_TEST_REQUIRED"), f"{BINARY} is not built"
        pytest.skip(f"{BINARY} is not built")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(artifacts, "FOLDER", str(tmp_path / "artifacts"))
    url = f"sqlite:{tmp_path}/runs.db"
    monkeypatch.setitem(recorder.defaults, "store", url)
    monkeypatch.setenv("HEADWATER_STORE", url)
    return url


def headwater(*words, code=0):
    """What a command prints; on stderr, if it is to fail."""
    done = subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout


def test_a_hash_is_the_md5_that_everybody_knows(tmp_path):
    Path("data.csv").write_text("a\n1\n")
    md5sum = subprocess.run(["md5sum", "data.csv"], capture_output=True, text=True).stdout
    assert headwater("hash", "data.csv").split()[0] == md5sum.split()[0]
    said = json.loads(headwater("hash", "--json", "data.csv"))
    assert said["md5"] == hw.dataset("data.csv").digest.md5
    assert said["sha256"] == hw.dataset("data.csv").digest.sha256


def test_metrics_of_a_run_are_printed_whole_or_in_parts():
    with hw.run("train-b") as run:
        for step in range(400):
            run.log_metric("loss", 1 / (step + 1), step=step, time_ms=1000 + step)
        run.log_metric("odd", math.nan)
        run.log_metric("odd", math.inf)
        run.log_metric("odd", -math.inf)
    lines = headwater("metrics", "run:train-b", "loss").splitlines()
    assert len(lines) == 400
    assert lines[310].split("\t") == ["loss", "310", "1310", repr(1 / 311)]
    for words, step in ((["--last"], 399), (["--min"], 399), (["--max"], 0)):
        assert headwater("metrics", str(run.id), "loss", *words).split("\t")[1] == str(step)
    assert headwater("metrics", run.key, "loss", "--at-step", "310") == lines[310] + "\n"
    odd = [line.split("\t")[3] for line in headwater("metrics", "train-b", "odd").splitlines()]
    assert odd == ["NaN", "Infinity", "-Infinity"]
    summary = headwater("metrics", "train-b")
    assert (
        "loss: 400 points\n  last 0.0025 (step 399)  min 0.0025 (step 399)  max 1 (step 0)"
        in summary
    )
    assert "hint: it has loss, odd" in headwater("metrics", "train-b", "lost", code=1)


def test_the_best_checkpoint_is_the_one_at_the_minimum():
    losses = [0.9, 0.5, math.nan, 0.2, 0.4]
    with hw.run("train") as run:
        kept = {}
        for step, loss in enumerate(losses):
            run.log_metric("val_loss", loss, step=step)
            kept[step] = run.checkpoint({"w": step}, step, metrics={"val_loss": loss})
    said = headwater("best", "run:train", "--metric", "val_loss", "--min")
    assert "val_loss is 0.2 at step 3\n" in said
    assert kept[3].uri in said
    assert f"{run.key}/checkpoint@4 of step 3\n" in said
    assert "at step 0" in headwater("best", "train", "--metric", "val_loss", "--max")
    assert "has no metric `x`" in headwater("best", "train", "--metric", "x", code=1)


def test_the_files_of_an_environment_come_back_byte_for_byte(tmp_path, monkeypatch):
    project = tmp_path / "project"
    project.mkdir()
    kept = {
        "requirements.txt": b"numpy==1.26.4\r\n\xff",
        "Dockerfile": b"FROM python:3.11",
        "environment.yml": b"name: churn\n",
    }
    for name, data in kept.items():
        (project / name).write_bytes(data)
    script = project / "train.py"
    script.write_text("import headwater as hw\nwith hw.run('train'):\n    pass\n")
    subprocess.run([os.sys.executable, "train.py"], cwd=project, check=True, timeout=120)
    headwater("env", "train", "--out", "again")
    for name, data in kept.items():
        assert Path("again", name).read_bytes() == data
    lock = Path("again", "requirements.lock").read_text()
    assert "\nprotobuf==" in lock
    assert "is there already" in headwater("env", "train", "--out", "again", code=1)
    (project / "requirements.txt").write_text("numpy==2.0\n")
    (project / "train.py").write_text(script.read_text().replace("train", "later"))
    subprocess.run([os.sys.executable, "train.py"], cwd=project, check=True, timeout=120)
    assert headwater("env", "train", "--diff", "train") == ""
    changed = headwater("env", "train", "--diff", "later").splitlines()
    assert [line.split(":")[0] for line in changed] == ["file.requirements.txt"]
    assert "python.version = " in headwater("env", "later")


def test_the_cache_says_which_part_differs(place):
    @hw.step
    def featurize(raw, k=1):
        return len(raw.read_text()) * k

    def pipeline(name):
        with hw.run(name, pipeline="churn-train", pipeline_run=name):
            featurize(Path("raw.csv"))

    Path("raw.csv").write_text("a\n1\n")
    pipeline("p1")
    pipeline("p2")
    Path("raw.csv").write_text("a\n2\n")
    pipeline("p3")
    assert headwater("cache", "explain", "p1/featurize").startswith("MISS: no step `featurize`")
    assert headwater("cache", "explain", "p2/featurize").startswith("HIT: execution ")
    said = headwater("cache", "explain", "churn-train/p3/featurize").splitlines()
    assert said[0].startswith("MISS: against execution ")
    assert said[1:2] == ["  input.raw"]
    assert [line.split()[0] for line in said[2:]] == ["here", "there"]
    assert headwater("cache", "forget", "featurize") == "forgot 2 results\n"
    assert headwater("cache", "forget", "featurize") == "forgot 0 results\n"
    pipeline("p4")
    assert "it was forgotten" in headwater("cache", "explain", "p4/featurize")
    assert "there is no run `p9/featurize`" in headwater("cache", "explain", "p9/featurize", code=1)
    assert "is not a memoized step" in headwater("cache", "explain", "p1", code=1)


def test_files_that_are_gone_or_changed_are_found(tmp_path):
    for name in ("kept", "gone", "longer", "other", "a b%é"):
        Path(f"{name}.csv").write_text(f"{name}\n1\n")
    Path("folder").mkdir()
    Path("folder", "a.csv").write_text("a\n")
    with hw.run("train") as run:
        for path in [*tmp_path.glob("*.csv"), "folder", "s3://bucket/x.csv", "gs://b/y.csv"]:
            run.input(path, str(path))
        run.input([1, 2], "memory")
    assert headwater("check-uris") == (
        "6 there, 0 missing, 0 changed, 1 of gs: not looked at, 1 of s3: not looked at\n"
    )
    Path("gone.csv").unlink()
    Path("longer.csv").write_text("longer than before\n1\n")
    Path("other.csv").write_text("OTHER\n1\n")
    Path("folder", "a.csv").write_text("A\n")
    *found, summary = headwater("check-uris").splitlines()
    assert [line.split("\t")[::2] for line in sorted(found)] == [
        ["changed", "longer@1"],
        ["missing", "gone@1"],
    ]
    assert summary.startswith("4 there, 1 missing, 1 changed, ")
    *found, summary = headwater("check-uris", "--verify").splitlines()
    changed = {line.split("\t")[2] for line in found if line.startswith("changed\t")}
    assert changed == {"longer@1", "other@1", "folder@1"}
    assert headwater("check-uris", "--filter", "name = 'kept@1'") == (
        "1 there, 0 missing, 0 changed\n"
    )
    assert "INVALID_ARGUMENT" in headwater("check-uris", "--filter", "name =", code=1)


@pytest.mark.parametrize("name", ["it's", "back\\slash", "a\nb", "é😀", "`x`", "' OR 1 = 1"])
def test_any_name_is_found_as_it_is(name):
    with hw.run("other"):
        pass
    with hw.run(name) as run:
        run.log_metric("m", 1)
    assert headwater("metrics", f"run:{name}", "m").startswith("m\t0\t")
    assert "there is no run" in headwater("metrics", f"run:{name}x", code=1)


def test_nothing_is_made_by_asking(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADWATER_STORE", f"sqlite:{tmp_path}/none.db")
    for words in (["metrics", "1"], ["env", "1"], ["best", "1", "--metric", "m"]):
        headwater(*words, code=1)
    headwater("cache", "explain", "1", code=1)
    assert not (tmp_path / "none.db").exists()
