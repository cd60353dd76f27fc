"""Starting on stores that are not as they should be: what is wrong, where, and the way out."""

import gc
import hashlib
import os
import pathlib
import sqlite3
import subprocess
import tempfile

import grpc
import ml_metadata as mlmd
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

from conftest import wheel_config
from headwater_process import BINARY

NOBODY = 65534


@pytest.fixture
def refusal(tmp_path):
    """Starts a server that must refuse; gives what it says on stderr."""

    def start(store, *flags, **options):
        command = [BINARY, "serve", "--store", store, "--listen", "127.0.0.1:0", *flags]
        ended = subprocess.run(
            command, capture_output=True, timeout=20, cwd=tmp_path, check=False, **options
        )
        said = ended.stderr.decode(errors="replace")
        assert ended.returncode not in (0, 101), said
        assert "panicked" not in said
        assert ended.stdout == b"", "the ready line must not be printed"
        assert said.strip(), "an exit without a word"
        return said

    return start


@pytest.fixture
def made_by_wheel(wheel, tmp_path):
    """A file of the wheel that holds one type and one artifact."""
    path = tmp_path / "made by the wheel.db"
    store = wheel(path)
    type_id = store.put_artifact_type(pb.ArtifactType(name="Data"))
    store.put_artifacts([pb.Artifact(type_id=type_id, name="one")])
    del store
    gc.collect()
    return path


def change(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


@pytest.mark.parametrize("version", range(1, 10))
def test_an_older_schema_is_refused_with_both_versions_and_left_alone(
    version, made_by_wheel, refusal
):
    mlmd.downgrade_schema(wheel_config(made_by_wheel), version)
    before = digest(made_by_wheel)
    said = refusal(f"sqlite:{made_by_wheel}")
    assert str(version) in said
    assert "10" in said
    assert "headwater migrate" in said
    assert "--enable_database_upgrade" in said
    assert str(made_by_wheel) in said
    assert digest(made_by_wheel) == before


def test_a_database_from_before_versions_were_counted_is_refused(made_by_wheel, refusal):
    mlmd.downgrade_schema(wheel_config(made_by_wheel), 0)
    said = refusal(f"sqlite:{made_by_wheel}")
    assert "0" in said
    assert "10" in said
    assert "headwater migrate" in said


def test_a_newer_schema_is_refused_with_both_versions_and_left_alone(made_by_wheel, refusal):
    change(made_by_wheel, "UPDATE MLMDEnv SET schema_version = 11")
    before = digest(made_by_wheel)
    said = refusal(f"sqlite:{made_by_wheel}")
    assert "11" in said
    assert "10" in said
    assert str(made_by_wheel) in said
    assert digest(made_by_wheel) == before


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM MLMDEnv", "INSERT INTO MLMDEnv VALUES (9)"],
    ids=["no version", "two versions"],
)
def test_a_database_that_does_not_say_its_one_version_is_refused(statement, made_by_wheel, refusal):
    change(made_by_wheel, statement)
    said = refusal(f"sqlite:{made_by_wheel}")
    assert "MLMDEnv" in said
    assert str(made_by_wheel) in said


@pytest.mark.parametrize("table", ["Association", "EventPath", "Type"])
def test_a_database_that_lacks_a_table_is_refused_and_the_table_is_named(
    table, made_by_wheel, refusal
):
    change(made_by_wheel, f"DROP TABLE {table}")
    said = refusal(f"sqlite:{made_by_wheel}")
    assert table in said
    assert str(made_by_wheel) in said


def test_foreign_tables_stay_and_mlmds_are_made_beside_them(serve, tmp_path):
    path = tmp_path / "shared.db"
    change(path, "CREATE TABLE mine (n)", "INSERT INTO mine VALUES (7)")
    serve(path).store().put_artifact_type(pb.ArtifactType(name="Data"))
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT n FROM mine").fetchall() == [(7,)]


def test_an_empty_file_becomes_a_store(serve, tmp_path):
    path = tmp_path / "empty.db"
    path.touch()
    assert serve(path).store().put_artifact_type(pb.ArtifactType(name="Data")) == 10


def test_a_text_file_is_refused_as_no_database_and_left_alone(refusal, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary, this is no database.\n" * 200)
    before = digest(path)
    said = refusal(f"sqlite:{path}")
    assert str(path) in said
    assert "not a" in said
    assert "database" in said
    assert digest(path) == before


def test_a_file_with_a_broken_first_page_is_refused_as_damaged(made_by_wheel, refusal):
    with made_by_wheel.open("r+b") as file:
        file.seek(100)
        file.write(b"\xa5" * 3000)
    said = refusal(f"sqlite:{made_by_wheel}")
    assert str(made_by_wheel) in said
    assert "malformed" in said or "damaged" in said or "corrupt" in said


def test_a_truncated_file_is_refused_or_its_reads_fail_and_nothing_panics(made_by_wheel, tmp_path):
    size = made_by_wheel.stat().st_size
    os.truncate(made_by_wheel, size // 2)
    call = [BINARY, "call", "GetArtifacts", "{}", "--store", f"sqlite:{made_by_wheel}"]
    ended = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "panicked" not in ended.stderr
    assert str(made_by_wheel) in ended.stderr


def test_a_directory_is_refused_as_one(refusal, tmp_path):
    said = refusal(f"sqlite:{tmp_path}")
    assert str(tmp_path) in said
    assert "director" in said or "folder" in said


def test_a_missing_parent_folder_is_named(refusal, tmp_path):
    path = tmp_path / "nowhere" / "store.db"
    said = refusal(f"sqlite:{path}")
    assert str(path.parent) in said
    assert "director" in said or "folder" in said
    assert not path.parent.exists()


@pytest.mark.parametrize("store", ["", "sqlite:", "oracle://x", "store.db", "sqlite"])
def test_a_store_address_of_no_known_form_is_refused_with_the_forms_there_are(store, refusal):
    assert "sqlite:" in refusal(store)


def test_a_path_that_is_not_utf8_gets_an_answer(refusal, tmp_path):
    said = refusal(b"sqlite:" + os.fsencode(tmp_path) + b"/\xff\xfe.db")
    assert "--store" in said or "UTF-8" in said


@pytest.fixture
def open_folder():
    """A folder that every user may enter; the one of pytest is the owner's alone."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


def as_a_user():
    """Arguments that take the superuser's rights away, where the tests have them."""
    return {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}


def test_a_file_that_may_not_be_written_is_refused_with_the_way_to_read_it(
    open_folder, made_by_wheel, refusal
):
    path = open_folder / "store.db"
    path.write_bytes(made_by_wheel.read_bytes())
    path.chmod(0o444)
    said = refusal(f"sqlite:{path}", **as_a_user())
    assert str(path) in said
    assert "--read-only" in said


def test_a_file_that_may_not_be_read_is_refused_by_name(open_folder, made_by_wheel, refusal):
    path = open_folder / "store.db"
    path.write_bytes(made_by_wheel.read_bytes())
    path.chmod(0o000)
    said = refusal(f"sqlite:{path}", **as_a_user())
    assert str(path) in said
    assert "permission" in said.lower()


# Read-only.


def status_of(call):
    with pytest.raises(grpc.RpcError) as refused:
        call()
    return refused.value.code()


@pytest.mark.parametrize("made_by", ["wheel", "us"])
def test_a_read_only_server_reads_refuses_writes_and_leaves_the_file_alone(
    made_by, made_by_wheel, serve, tmp_path
):
    path = made_by_wheel
    if made_by == "us":
        path = tmp_path / "ours.db"
        writer = serve(path)
        type_id = writer.store().put_artifact_type(pb.ArtifactType(name="Data"))
        writer.store().put_artifacts([pb.Artifact(type_id=type_id, name="one")])
        writer.stop()
    before = digest(path)
    server = serve(path, "--read-only")
    assert server.store().get_artifact_by_type_and_name("Data", "one").id == 1
    assert server.store().get_artifact_type("Data").id == 10
    assert len(server.store().get_artifacts(mlmd.ListOptions(limit=5))) == 1
    event = pb.Event(artifact_id=1, execution_id=1, type=pb.Event.INPUT)
    put = service.PutContextTypeRequest(context_type=pb.ContextType(name="New"))
    writes = {
        "PutContextType": put,
        "PutArtifacts": service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=10)]),
        "PutEvents": service.PutEventsRequest(events=[event]),
    }
    for method, request in writes.items():
        call = getattr(server.stub, method)
        assert status_of(lambda c=call, r=request: c(r)) is grpc.StatusCode.FAILED_PRECONDITION
    assert len(server.store().get_artifacts()) == 1
    server.stop()
    assert digest(path) == before


def test_a_read_only_server_does_not_create_a_store(refusal, tmp_path):
    path = tmp_path / "absent.db"
    said = refusal(f"sqlite:{path}", "--read-only")
    assert str(path) in said
    assert not path.exists()


def test_a_read_only_server_refuses_an_empty_file_and_leaves_it_empty(refusal, tmp_path):
    path = tmp_path / "empty.db"
    path.touch()
    assert str(path) in refusal(f"sqlite:{path}", "--read-only")
    assert path.stat().st_size == 0


def test_a_memory_store_starts_empty_and_forgets(serve):
    first = serve(store="sqlite::memory:")
    assert first.ready_line.endswith("storing in sqlite::memory:")
    assert first.store().put_artifact_type(pb.ArtifactType(name="Data")) == 10
    assert [found.name for found in first.store().get_artifact_types()] == ["Data"]
    first.stop()
    assert serve(store="sqlite::memory:").store().get_artifact_types() == []
