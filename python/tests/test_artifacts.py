"""Versions of data and models: the same bytes are the same version, whatever they are called."""

import hashlib
import json
import os
import pickle
import subprocess
import threading
from pathlib import Path

import pytest

import headwater as hw
from headwater import artifacts, recorder
from headwater.digest import Digest
from headwater.values import plain
from ml_metadata.proto import metadata_store_pb2 as pb


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(artifacts, "FOLDER", str(tmp_path / "artifacts"))
    return tmp_path


@pytest.fixture
def store(tmp_path):
    with hw.open(f"sqlite:{tmp_path}/store.db") as opened:
        yield opened


def stored(store, made):
    """The artifact, and its custom properties as plain values."""
    (node,) = store.get_artifacts_by_id(artifact_ids=[made.register(store)]).artifacts
    return node, {name: plain(of) for name, of in node.custom_properties.items()}


def test_a_file_is_a_version_with_the_digests_that_everybody_computes(here, store):
    (here / "raw.csv").write_bytes(b"age,country\n31,DE\n42,FR\n")
    made = hw.dataset("raw.csv")
    node, found = stored(store, made)
    assert (node.name, node.type, made.version) == ("raw@1", "headwater.Dataset", "raw@1")
    assert node.uri == (here / "raw.csv").as_uri()
    md5sum = subprocess.run(["md5sum", "raw.csv"], capture_output=True, text=True, check=True)
    assert found["digest.md5"] == md5sum.stdout.split()[0]
    assert found["digest.sha256"] == hashlib.sha256((here / "raw.csv").read_bytes()).hexdigest()
    assert found["digest"] == f"sha256:{found['digest.sha256']}"
    assert (found["size_bytes"], found["rows"], found["format"]) == (24, 2, "csv")
    columns = {name: of for name, of in found.items() if name.startswith("column.")}
    assert columns == {"column.age": "int64", "column.country": "string"}
    profile = json.loads(store.get_content(digest=found["profile"]).content)
    assert [column["name"] for column in profile["columns"]] == ["age", "country"]
    kind = store.get_artifact_type(type_name="headwater.Dataset").artifact_type
    assert kind.base_type == pb.ArtifactType.DATASET
    (context,) = store.get_contexts_by_artifact(artifact_id=node.id).contexts
    assert (context.type, context.name) == ("headwater.RegisteredDataset", "raw")


def test_the_same_bytes_elsewhere_are_the_same_version_and_a_changed_byte_the_next(here, store):
    (here / "raw.csv").write_bytes(b"a\n1\n")
    first = hw.dataset("raw.csv")
    ids = [first.register(store), first.register(store)]
    (here / "copy.csv").write_bytes(b"a\n1\n")
    moved = hw.dataset(here / "copy.csv")
    ids.append(moved.register(store))
    assert len(set(ids)) == 1
    assert (moved.version, moved.name) == ("raw@1", "raw")
    (here / "raw.csv").write_bytes(b"a\n2\n")
    changed = hw.dataset("raw.csv")
    assert changed.register(store) not in ids
    assert changed.version == "raw@2"
    named = hw.dataset("copy.csv", name="features")
    assert named.register(store) not in ids
    assert named.version == "features@1"


def test_a_folder_is_what_its_files_are(here, store):
    parts = here / "parts"
    (parts / "sub").mkdir(parents=True)
    (parts / "a.csv").write_text("x\n1\n")
    (parts / "sub" / "b.csv").write_text("x\n2\n")
    node, found = stored(store, hw.dataset("parts"))
    lines = b"".join(
        name + b"\0" + hashlib.sha256(data).hexdigest().encode() + b"\n"
        for name, data in ((b"a.csv", b"x\n1\n"), (b"sub/b.csv", b"x\n2\n"))
    )
    assert found["digest.sha256"] == hashlib.sha256(lines).hexdigest()
    assert (node.name, found["files"], found["size_bytes"]) == ("parts@1", 2, 8)
    (parts / "sub" / "b.csv").rename(parts / "sub" / "c.csv")
    assert stored(store, hw.dataset("parts"))[0].name == "parts@2"


def test_what_is_in_memory_is_known_by_its_values(store):
    numpy = pytest.importorskip("numpy")
    pandas = pytest.importorskip("pandas")
    first = hw.dataset(numpy.arange(6).reshape(2, 3), name="x")
    again = hw.dataset(numpy.asfortranarray(numpy.arange(6).reshape(2, 3)), name="x")
    assert first.register(store) == again.register(store)
    assert stored(store, first)[1]["digest.frame"].startswith("sha256:")
    frame = pandas.DataFrame({"age": [1, 2], "secret": ["a", "b"]})
    node, found = stored(store, hw.dataset(frame, name="people", mask=["secret"]))
    assert (node.uri, found["rows"], found["column.age"]) == ("", 2, "int64")
    profile = store.get_content(digest=found["profile"]).content.decode()
    assert '"secret"' in profile
    for hidden in ('"a"', '"b"'):
        assert hidden not in profile


def test_an_object_is_saved_once_and_loads_again(here, store):
    model = {"weights": [0.5, 0.25]}
    made = hw.model(model, name="churn", framework="own", owner="ads")
    node, found = stored(store, made)
    assert (node.name, node.type) == ("churn@1", "headwater.Model")
    own = {name: found[name] for name in ("framework", "model_type", "format", "owner")}
    assert own == {"framework": "own", "model_type": "dict", "format": "pickle", "owner": "ads"}
    assert hw.load(made) == model
    with open(made.path, "rb") as file:
        assert pickle.load(file) == model
    again = hw.model(model, name="churn")
    assert (again.path, again.register(store)) == (made.path, made.register(store))
    assert len(list((here / "artifacts").iterdir())) == 1


def test_equal_bytes_under_two_names_are_both_kept(here):
    def saving(name):
        def save(path):
            with open(f"{path}{name}", "w") as file:
                file.write("{}")

        return save

    paths = [hw.model(object(), name="m", save=saving(each)).path for each in (".json", ".txt")]
    assert [Path(path).read_text() for path in paths] == ["{}", "{}"]
    assert paths[0] != paths[1]

    def folder(path):
        os.mkdir(path)
        for part in "ab":
            with open(f"{path}/{part}", "w") as file:
                file.write(part)

    made = hw.model(object(), name="f", save=folder)
    with open(f"{made.path}/a", "w") as file:
        file.write("changed")
    again = hw.model(object(), name="f", save=folder)
    assert (again.key, again.path) == (made.key, made.path)
    assert Path(made.path, "a").read_text() == "a"


def test_a_library_writes_its_own_format(here, store):
    def save(path):
        with open(f"{path}.json", "w") as file:
            file.write("{}")

    made = hw.model(object(), name="m", save=save, format="json")
    assert made.path.endswith(".json")
    assert stored(store, made)[1]["format"] == "json"
    with pytest.raises(ValueError, match="is not a pickle"):
        hw.load(made)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: hw.dataset("gone.csv"), "gone.csv"),
        (lambda: hw.model(threading.Lock(), name="m"), "cannot be pickled"),
        (lambda: hw.model({}, name="m", save=lambda path: None), "has written nothing"),
        (lambda: hw.dataset(object(), name="x"), "without its bytes"),
    ],
)
def test_what_cannot_be_read_or_saved_is_said_and_still_recorded(store, make, words):
    with pytest.warns(RuntimeWarning, match=words):
        made = make()
    node, found = stored(store, made)
    assert node.name.endswith("@1")
    assert "digest.sha256" not in found
    with pytest.warns(RuntimeWarning, match=words):
        assert make().register(store) != node.id, "nobody knows whether it is the same"


def test_a_full_disk_breaks_no_script(store, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifacts.pickle, "dump", full)
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        made = hw.model({"w": 1}, name="churn")
    assert stored(store, made)[0].name == "churn@1"


def test_a_reference_is_kept_without_its_secrets(store):
    made = hw.dataset("s3://key:secret@bucket/raw.csv?X-Amz-Signature=abc", name="raw")
    node, found = stored(store, made)
    assert (node.uri, node.name) == ("s3://bucket/raw.csv", "raw@1")
    everything = str(node)
    for secret in ("secret", "abc"):
        assert secret not in everything
    again = hw.dataset("s3://key:other@bucket/raw.csv?X-Amz-Signature=def", name="raw")
    assert again.register(store) == node.id
    longer = hw.dataset(f"s3://bucket/{'x' * 300}.csv", name="raw")
    assert stored(store, longer)[0].name == "raw@2"


def test_a_place_that_takes_its_time_holds_no_script_up(store, monkeypatch):
    asked = threading.Event()
    answered = threading.Event()

    def ask(uri):
        asked.set()
        assert answered.wait(60)
        return Digest(reference=f"etag:{uri}#1", size_bytes=7)

    monkeypatch.setattr(artifacts, "digest_reference", ask)
    with hw.run("train", store=store) as run:
        made = run.input(hw.dataset("s3://bucket/raw.csv"), "training")
        assert made.version is None
        assert asked.wait(60), "the thread that sends has asked"
        answered.set()
        assert run.flush()
    assert made.version == "raw@1"
    assert stored(store, made)[1]["size_bytes"] == 7


def test_a_place_that_fails_leaves_the_name(store, monkeypatch):
    def fail(uri):
        raise OSError(110, "Connection timed out")

    monkeypatch.setattr(artifacts, "digest_reference", fail)
    made = hw.dataset("s3://bucket/raw.csv")
    with pytest.warns(RuntimeWarning, match="known by its name alone"):
        made.register(store)
    assert made.key == "uri:s3://bucket/raw.csv"


def test_odd_properties_and_names_cost_nothing_else(here, store):
    (here / "raw.csv").write_text("a\n1\n")
    odd = {"note": "half: \ud800", "large": 2**70, "list": [1], "none": None, "\ud800": 1}
    with hw.run("train", store=store) as run:
        made = run.input(hw.dataset("raw.csv", name="x\ud800", **odd), "training")
        run.log_metric("loss", 1.0)
    assert run.is_stored
    found = stored(store, made)[1]
    assert (found["note"], found["large"], found["list"]) == ("half: \\ud800", str(2**70), "[1]")
    assert stored(store, made)[0].name == "x\\ud800@1"


def test_what_cannot_be_registered_stands_in_nobodys_way(here, store, monkeypatch):
    class Broken:
        def register(self, store):
            raise ValueError("odd")

        def __repr__(self):
            return "<broken>"

    (here / "raw.csv").write_text("a\n1\n")
    run = hw.run("train", store=store)
    run._sender.link(Broken(), pb.Event.INPUT, "x")
    made = run.input("raw.csv", "training")
    run.log_metric("loss", 1.0)
    with pytest.warns(RuntimeWarning, match="<broken> is left out: odd"):
        run.finish()
    assert made.version == "raw@1"
    assert store.get_metrics(execution_id=run.id).points == [1]


def test_runs_take_files_frames_and_ids_as_they_are(here, store):
    (here / "raw.csv").write_text("a\n1\n")
    with hw.run("train", kind="train", store=store) as run:
        read = run.input("raw.csv", "training")
        by_id = read.register(store)
        run.input([1.0, 2.0], "validation")
        model = run.output({"w": 1}, "model", made_from=[read])
        run.output(here / "raw.csv", "copy")
        run.checkpoint({"w": 0}, 310, metrics={"val_loss": 0.25})
        assert run.input(by_id, "again") == by_id
    found = {}
    for event in store.get_events_by_execution_ids(execution_ids=[run.id]).events:
        (node,) = store.get_artifacts_by_id(artifact_ids=[event.artifact_id]).artifacts
        found[event.path.steps[0].key] = (event, node)
    assert found["training"][1].type == "headwater.Dataset"
    assert found["validation"][1].type == "headwater.Dataset"
    event, node = found["model"]
    assert (event.type, node.type, node.name) == (pb.Event.OUTPUT, "headwater.Model", model.version)
    assert [(step.key, step.index) for step in event.path.steps[1:]] == [("from", 0), ("", by_id)]
    checkpoint = found["checkpoint"][1]
    said = {name: plain(of) for name, of in checkpoint.custom_properties.items()}
    assert checkpoint.name == f"{run.key}/checkpoint@1"
    assert (said["step"], said["metrics.val_loss"]) == (310, 0.25)


def test_nodes_of_a_run_are_in_its_contexts(here, store):
    (here / "raw.csv").write_text("a\n1\n")
    with hw.run("train", experiment="churn", store=store) as run:
        read = run.input("raw.csv")
    names = {
        context.name
        for context in store.get_contexts_by_artifact(artifact_id=read.register(store)).contexts
    }
    assert names == {"churn", "raw"}
    assert run.is_stored


def test_threads_that_register_the_same_get_one_version(here, store):
    (here / "raw.csv").write_text("a\n1\n")
    ids = []

    def work():
        ids.append(hw.dataset("raw.csv", profile=False).register(store))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1


@pytest.mark.parametrize("name", ["", "a@b"])
def test_a_name_that_could_not_be_numbered_is_refused(name):
    with pytest.raises(ValueError, match="versions are numbered"):
        hw.dataset([1], name=name)


def test_an_evaluation_is_a_run_of_its_own_with_slices(here, store):
    (here / "holdout.csv").write_text("a\n1\n")
    with hw.run("train", kind="train", experiment="churn", store=store) as run:
        model = run.output(hw.model({"w": 1}, name="churn"), "model")
        slices = {"country=DE": {"accuracy": 0.8}, "country=FR": {"accuracy": 0.95}}
        measured = hw.evaluation(
            model, "holdout.csv", {"accuracy": 0.9}, slices=slices, store=store
        )
    (node,) = store.get_executions_by_id(execution_ids=[measured.id]).executions
    assert (node.type, node.last_known_state) == ("headwater.Evaluate", pb.Execution.COMPLETE)
    assert node.custom_properties["run.parent"].int_value == run.id
    assert node.custom_properties["metrics.accuracy"].double_value == 0.9
    contexts = store.get_contexts_by_execution(execution_id=measured.id).contexts
    assert [context.name for context in contexts] == ["churn"]
    events = store.get_events_by_execution_ids(execution_ids=[measured.id]).events
    roles = {event.path.steps[0].key: event for event in events}
    assert roles["model"].artifact_id == model.register(store)
    (metrics,) = store.get_artifacts_by_id(artifact_ids=[roles["metrics"].artifact_id]).artifacts
    assert metrics.type == "headwater.Metrics"
    assert {name: plain(of) for name, of in metrics.custom_properties.items()} == {
        "metrics.accuracy": 0.9,
        "slice.country=DE.metrics.accuracy": 0.8,
        "slice.country=FR.metrics.accuracy": 0.95,
    }


def test_a_folder_with_the_store_in_it_is_not_read(here, store, monkeypatch):
    place = f"sqlite:{here}/data/runs.db"
    (here / "data").mkdir()
    (here / "data" / "raw.csv").write_text("a\n1\n")
    monkeypatch.setitem(recorder.defaults, "store", place)
    with pytest.warns(RuntimeWarning, match="holds the store"):
        hw.dataset("data")
    with pytest.warns(RuntimeWarning, match="holds the store"), hw.run("train") as run:
        run.input("data/runs.db")
    assert hw.dataset("data/raw.csv").digest.sha256


def test_data_that_was_saved_is_the_version_that_is_read(store):
    numpy = pytest.importorskip("numpy")
    values = numpy.arange(4)
    read = hw.dataset(values, name="x")
    read.register(store)
    saved = hw.dataset(values, name="x", save=True)
    assert saved.register(store) == read.register(store)
    assert stored(store, read)[0].uri == saved.uri
    assert hw.load(saved).tolist() == [0, 1, 2, 3]
