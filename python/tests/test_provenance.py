"""Runs say which code runs, and in what environment, and share what is the same."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

import headwater as hw
from headwater.values import plain

SCRIPT = """
import random, sys, headwater as hw
random.seed(7)
hw.init(sys.argv[1])
with hw.run("train") as run:
    pass
"""


def git(folder, *words):
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def project(home, tmp_path):
    """A repository with a script, and the folder of its store beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "config", "user.name", "A")
    git(folder, "config", "user.email", "a@example.org")
    (folder / "train.py").write_text(SCRIPT)
    (folder / "requirements.txt").write_bytes(b"numpy==1.26.4\r\n# as it is\n")
    (folder / "Dockerfile").write_bytes(b"FROM python:3.11\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def recorded(project, *words, **variables):
    """What a script has recorded: the run's properties, and the artifacts it read by role."""
    place = f"sqlite:{project.parent}/runs.db"
    environment = {**os.environ, **variables}
    command = [sys.executable, "train.py", place, *words]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    store = hw.open(place)
    *_, execution = store.list_executions(order_by="id").executions
    found = {name: plain(of) for name, of in execution.custom_properties.items()}
    nodes = {}
    for event in store.get_events_by_execution_ids(execution_ids=[execution.id]).events:
        (node,) = store.get_artifacts_by_id(artifact_ids=[event.artifact_id]).artifacts
        nodes[event.path.steps[0].key] = node
    return store, found, nodes


def said(node):
    return {name: plain(of) for name, of in node.custom_properties.items()}


def test_a_run_names_its_commit_and_its_environment(project):
    store, found, nodes = recorded(project, "--api-key", "hunter2", MY="x", OMP_NUM_THREADS="3")
    commit = git(project, "rev-parse", "HEAD")
    assert (found["code.commit"], found["code.branch"]) == (commit, "main")
    assert (found["code.entry_point"], found["run.folder"]) == ("train.py", str(project))
    argv = json.loads(found["run.argv"])
    assert (argv[0], argv[2:]) == ("train.py", ["--api-key", "***"])
    assert found["env.OMP_NUM_THREADS"] == "3"
    assert "env.MY" not in found
    assert found["seed.random"].startswith("sha256:")
    assert found["host.cpus"] == os.cpu_count()
    code, environment = said(nodes["code"]), said(nodes["environment"])
    assert (code["code.is_dirty"], code["digest"]) == (False, found["code.digest"])
    assert environment["python.version"] == sys.version.split()[0]
    assert environment["package.protobuf"]
    for name in ("requirements.txt", "Dockerfile"):
        kept = store.get_content(digest=environment[f"file.{name}"]).content
        assert kept == (project / name).read_bytes()
    requirements = store.get_content(digest=environment["requirements"]).content.decode()
    assert f"protobuf=={environment['package.protobuf']}\n" in requirements
    details = json.loads(store.get_content(digest=environment["environment.details"]).content)
    assert details["packages"]["protobuf"] == environment["package.protobuf"]


def test_a_patch_brings_back_what_a_dirty_tree_ran(project, tmp_path):
    (project / "train.py").write_text(SCRIPT + "# changed\n")
    (project / "new.py").write_text("x = 1\n")
    store, found, nodes = recorded(project)
    code = said(nodes["code"])
    assert code["code.is_dirty"] is True
    patch = store.get_content(digest=code["code.patch"]).content
    details = json.loads(store.get_content(digest=code["code.details"]).content)
    again = tmp_path / "again"
    git(tmp_path, "clone", "--quiet", str(project), str(again))
    git(again, "checkout", "--quiet", found["code.commit"])
    subprocess.run(["git", "apply", "-"], cwd=again, input=patch, check=True)
    assert set(details["changes"]) == {"train.py", "new.py"}
    for name, digest in details["changes"].items():
        assert f"sha256:{hashlib.sha256((again / name).read_bytes()).hexdigest()}" == digest


def test_without_a_repository_a_snapshot_is_kept(home, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "train.py").write_text(SCRIPT)
    store, found, nodes = recorded(folder)
    code = said(nodes["code"])
    assert "code.commit" not in found
    snapshot = store.get_content(digest=code["code.snapshot"]).content
    listed = subprocess.run(["tar", "tz"], input=snapshot, capture_output=True, check=True)
    assert listed.stdout.split() == [b"train.py"]


def test_runs_that_share_code_and_environment_share_them(project):
    _, _, first = recorded(project)
    _, _, second = recorded(project)
    assert {role: node.id for role, node in first.items()} == {
        role: node.id for role, node in second.items()
    }
    (project / "train.py").write_text(SCRIPT + "# changed\n")
    _, _, third = recorded(project)
    assert third["code"].id != first["code"].id
    assert third["environment"].id == first["environment"].id
    (project / "requirements.txt").write_text("numpy==2.0\n")
    _, _, fourth = recorded(project)
    assert fourth["environment"].id != first["environment"].id


def test_who_does_not_want_it_has_none(project):
    text = SCRIPT.replace("hw.init(sys.argv[1])", "hw.init(sys.argv[1], describe=False)")
    (project / "train.py").write_text(text)
    _, found, nodes = recorded(project)
    assert nodes == {}
    assert {name for name in found if name.startswith(("code.", "env.", "host."))} == set()
