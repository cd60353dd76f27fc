"""`headwater`: the store of this process, and a server, by typed methods."""

import inspect
import os
import re
import subprocess
import sys
import threading

import pytest

import headwater
from headwater import _methods, _native, errors, values
from ml_metadata.proto import metadata_store_pb2 as pb

MODEL = {"name": "Model", "properties": {"accuracy": pb.DOUBLE}}


@pytest.fixture(params=["process", "server"])
def store(request, tmp_path):
    """The same store, in this process or behind a server."""
    if request.param == "process":
        url = f"sqlite:{tmp_path}/store.db"
    else:
        pytest.importorskip("grpc")
        url = "grpc://" + request.getfixturevalue("server")
    with headwater.open(url) as opened:
        yield opened


def put_model(store, **fields):
    made = store.put_artifact_type(artifact_type=MODEL)
    fields.setdefault("name", "m")
    return store.put_artifacts(artifacts=[{"type_id": made.type_id, **fields}]).artifact_ids[0]


def test_there_is_a_method_for_each_call():
    names = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name, _ in _native.methods()}
    own = {name for name, _ in inspect.getmembers(_methods.Methods, inspect.isfunction)}
    assert own == names
    undocumented = [name for name in own if not getattr(_methods.Methods, name).__doc__]
    assert not undocumented


def test_what_is_put_is_read(store):
    id_ = put_model(store, properties={"accuracy": headwater.value(0.5)}, state=pb.Artifact.LIVE)
    (artifact,) = store.get_artifacts_by_id(artifact_ids=[id_]).artifacts
    assert (artifact.name, artifact.type, artifact.state) == ("m", "Model", pb.Artifact.LIVE)
    assert artifact.properties["accuracy"].double_value == 0.5


def test_messages_and_mappings_are_alike(store):
    made = store.put_artifact_type(artifact_type=pb.ArtifactType(**MODEL))
    assert store.put_artifact_type(artifact_type=MODEL) == made


def test_a_list_is_filtered_and_ordered(store):
    for accuracy in (0.1, 0.9, 0.5):
        put_model(store, name=str(accuracy), properties={"accuracy": headwater.value(accuracy)})
    found = store.list_artifacts(
        filter="properties.accuracy > 0.2", order_by="properties.accuracy DESC"
    )
    assert [artifact.name for artifact in found.artifacts] == ["0.9", "0.5"]


def test_a_trace_is_one_answer(store):
    model = put_model(store)
    step = store.put_execution_type(execution_type={"name": "Train"}).type_id
    event = {"type": pb.Event.OUTPUT}
    store.put_execution(
        execution={"type_id": step},
        artifact_event_pairs=[{"artifact": {"id": model, "name": "m"}, "event": event}],
    )
    traced = store.trace_lineage(start_artifacts=[f"id = {model}"])
    assert [node.artifact.id for node in traced.nodes if node.HasField("artifact")] == [model]
    assert sum(node.HasField("execution") for node in traced.nodes) == 1


def test_metrics_are_series_and_properties(store):
    train = store.put_execution_type(execution_type={"name": "Train"}).type_id
    (run,) = store.put_executions(executions=[{"type_id": train}]).execution_ids
    loss = {"name": "loss", "steps": [1, 2], "times_ms": [10, 20], "values": [0.5, float("nan")]}
    for _ in range(2):
        store.log_metrics(execution_id=run, writer="w", sequence=1, series=[loss])
    (series,) = store.get_metrics(execution_id=run, names=["loss"]).series
    assert list(zip(series.steps, series.times_ms)) == [(1, 10), (2, 20)]
    assert str(list(series.values)) == "[0.5, nan]"
    found = store.list_executions(filter="custom_properties.`metrics.loss.min` < 0.6")
    assert [execution.id for execution in found.executions] == [run]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda store: store.get_artifact_type(type_name="no"), errors.NotFoundError),
        (lambda store: store.list_artifacts(filter="((("), errors.InvalidArgumentError),
        (
            lambda store: store.put_artifact_type(artifact_type={"name": "Model"}),
            errors.AlreadyExistsError,
        ),
    ],
)
def test_a_failure_is_the_exception_of_its_status(store, call, expected):
    put_model(store)
    with pytest.raises(expected) as raised:
        call(store)
    assert raised.value.error_code == expected.code
    assert raised.value.message == str(raised.value) != ""


def test_what_is_no_argument_is_refused(store):
    with pytest.raises(TypeError):
        store.get_artifacts_by_id(ids=[1])
    with pytest.raises(TypeError):
        store.get_artifacts_by_id(artifact_ids=["one"])
    with pytest.raises(TypeError, match=r"uris is a list of strings: give \['s3://x'\]"):
        store.get_artifacts_by_uri(uris="s3://x")


def test_a_closed_store_says_so(tmp_path):
    store = headwater.open(f"sqlite:{tmp_path}/store.db")
    store.close()
    store.close()
    with pytest.raises(errors.FailedPreconditionError, match="closed"):
        store.get_artifacts()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("store.db", errors.InvalidArgumentError),
        ("sqlite:/no/such/folder/store.db", errors.StatusError),
        ("postgres://nobody@127.0.0.1:1/none", errors.UnavailableError),
    ],
)
def test_a_store_that_cannot_be_opened_says_why(url, expected):
    with pytest.raises(expected) as raised:
        headwater.open(url)
    assert raised.value.message


def test_a_store_that_is_only_read_is_not_written(tmp_path):
    url = f"sqlite:{tmp_path}/store.db"
    with pytest.raises(errors.StatusError):
        headwater.open(url, read_only=True)
    headwater.open(url).close()
    with headwater.open(url, read_only=True) as store:
        with pytest.raises(errors.FailedPreconditionError):
            put_model(store)
        assert not store.get_artifacts().artifacts


def test_a_process_may_go_to_another_folder(tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    monkeypatch.chdir(first)
    with headwater.open("sqlite:store.db") as store:
        monkeypatch.chdir(second)
        # Readers connect when they are needed first.
        put_model(store)
        assert len(store.get_artifacts().artifacts) == 1
    assert not list(second.iterdir())


def test_an_unknown_method_or_garbage_is_refused(tmp_path):
    store = _native.Store.open(f"sqlite:{tmp_path}/store.db")
    with pytest.raises(errors.UnimplementedError, match="DropEverything"):
        store.call("DropEverything", b"")
    with pytest.raises(errors.InvalidArgumentError):
        store.call("PutArtifacts", b"\xff\xff\xff")
    with pytest.raises(TypeError):
        store.call("PutArtifacts", "text")


def test_threads_share_a_store(tmp_path):
    store = headwater.open(f"sqlite:{tmp_path}/store.db")
    kind = store.put_artifact_type(artifact_type=MODEL).type_id
    failures = []

    def write(thread):
        try:
            for at in range(20):
                artifact = {"type_id": kind, "name": f"{thread}/{at}"}
                store.put_artifacts(artifacts=[artifact])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(store.get_artifacts().artifacts) == 160


def test_other_threads_run_while_a_call_waits(tmp_path):
    """The interpreter is let go of while the database works."""
    script = (
        "import sys, threading, time, headwater\n"
        "store = headwater.open('sqlite::memory:')\n"
        "kind = store.put_artifact_type(artifact_type={'name': 'T'}).type_id\n"
        "request = [{'type_id': kind, 'name': str(n)} for n in range(20000)]\n"
        "ticks = 0\n"
        "done = threading.Event()\n"
        "def work():\n"
        "    store.put_artifacts(artifacts=request); done.set()\n"
        "thread = threading.Thread(target=work); thread.start()\n"
        "sys.setswitchinterval(10)\n"
        "while not done.is_set():\n"
        "    ticks += 1; time.sleep(0.001)\n"
        "thread.join()\n"
        "print(ticks)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(ran.stdout) > 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_must_open_its_own_and_harms_nothing(tmp_path):
    url = f"sqlite:{tmp_path}/store.db"
    store = headwater.open(url)
    put_model(store)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            store.get_artifacts()
        except errors.FailedPreconditionError as error:
            store.close()
            del store
            with headwater.open(url) as own:
                put_model(own, name="of the child")
            code = 0 if "forked" in error.message else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    put_model(store, name="of the parent")
    assert len(store.get_artifacts().artifacts) == 3


def test_a_server_that_is_not_there_is_unavailable():
    pytest.importorskip("grpc")
    store = headwater.open("grpc://127.0.0.1:1")
    with pytest.raises(errors.UnavailableError):
        store.get_artifacts()
    store.close()


def test_grpc_is_imported_for_servers_only():
    script = (
        "import sys, headwater, ml_metadata; headwater.open('sqlite::memory:').get_artifacts();"
        "print(sorted({'grpc', 'absl', 'attr', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("of", [True, 7, 0.5, "text", {"a": [1.0, None, {"b": "c"}]}])
def test_a_value_reads_back_as_it_was(store, of):
    id_ = put_model(store, custom_properties={"of": headwater.value(of)})
    (artifact,) = store.get_artifacts_by_id(artifact_ids=[id_]).artifacts
    (read,) = artifact.custom_properties.values()
    assert values.plain(read) == of
    assert type(values.plain(read)) is type(of)


def test_a_message_is_a_value_and_a_list_is_none():
    packed = headwater.value(pb.Artifact(id=1)).proto_value
    assert pb.Artifact.FromString(packed.value).id == 1
    with pytest.raises(TypeError, match="list"):
        headwater.value([1])


def nodes():
    first = pb.Artifact(id=1, name="m", state=pb.Artifact.LIVE, create_time_since_epoch=1000)
    first.properties["accuracy"].double_value = 0.5
    second = pb.Artifact(id=2, uri="s3://x")
    second.custom_properties["note"].string_value = "n"
    second.custom_properties["detail"].struct_value.update({"k": [1, None]})
    return [first, second]


def test_nodes_become_a_data_frame():
    pytest.importorskip("pandas")
    frame = headwater.to_pandas(nodes())
    assert list(frame.columns[:4]) == ["id", "name", "uri", "state"]
    assert frame["state"][0] == "LIVE"
    assert frame["properties.accuracy"][0] == 0.5
    assert frame["custom_properties.note"][1] == "n"
    assert frame["custom_properties.detail"][1] == {"k": [1.0, None]}
    assert frame["create_time"][0].isoformat() == "1970-01-01T00:00:01+00:00"
    assert headwater.to_pandas([]).empty


def test_nodes_become_an_arrow_table():
    pytest.importorskip("pyarrow")
    table = headwater.to_arrow(nodes()[:1])
    assert table.num_rows == 1
    assert table.to_pylist()[0]["properties.accuracy"] == 0.5
    mixed = nodes()
    mixed[1].properties["accuracy"].string_value = "high"
    with pytest.raises(TypeError, match="several types"):
        headwater.to_arrow(mixed)
