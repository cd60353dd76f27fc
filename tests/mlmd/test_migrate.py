"""Schema versions: what the released wheel took down we take up, and the other way round."""

import contextlib
import gc
import itertools
import shutil
import sqlite3

import ml_metadata as mlmd
import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from answers import StubCaller, WheelCaller
from conftest import wheel_config
from headwater_process import run
from test_files import Writer, differences, rows
from test_start import digest

STEPS = 120
OLDER = range(10)
UNSUPPORTED = "bool_value IS NOT NULL OR proto_value IS NOT NULL"


@pytest.fixture
def upgraded_by_wheel():
    """Opens a file with the wheel, which brings it to its own schema version."""

    def upgrade(path):
        return metadata_store.MetadataStore(wheel_config(path), enable_upgrade_migration=True)

    return upgrade


@pytest.fixture
def migrate():
    """Runs `headwater migrate` on a file; gives what it says, or how it refuses."""

    def start(path, *flags, refused=False):
        ended = run("migrate", "--store", f"sqlite:{path}", *flags)
        assert ended.returncode == (1 if refused else 0), ended.stderr
        assert "panicked" not in ended.stderr
        return ended.stderr if refused else ended.stdout

    return start


def backups(path):
    return sorted(path.parent.glob(f"{path.name}.*backup"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file that the wheel wrote at random, without what version 9 has no place for."""
    path, writer = tmp_path_factory.mktemp("made") / "made by the wheel.db", Writer(8)
    caller = WheelCaller(metadata_store.MetadataStore(wheel_config(path)))
    writer.write(caller, STEPS)
    del caller
    gc.collect()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for table in ("ArtifactProperty", "ExecutionProperty", "ContextProperty"):
            connection.execute(f"DELETE FROM {table} WHERE {UNSUPPORTED}")
        connection.commit()
    return path, writer


@pytest.fixture
def at_version(made, tmp_path):
    """Copies of the file at a version, to which the wheel takes it down."""
    numbers = itertools.count(1)

    def copy(version):
        path = tmp_path / f"{next(numbers)} at version {version}.db"
        shutil.copy(made[0], path)
        if version < 10:
            mlmd.downgrade_schema(wheel_config(path), version)
        return path

    return copy


@pytest.fixture
def content(made):
    """All that is known to have been written, as a caller finds it."""
    return made[1].content


def test_a_plan_shows_the_steps_and_changes_nothing(at_version, migrate):
    path = at_version(7)
    before = digest(path)
    said = migrate(path, "--plan")
    assert "from schema version 7 to 10" in said
    assert [line.split(":")[0].strip() for line in said.splitlines()[1:]] == ["8", "9", "10"]
    assert digest(path) == before
    assert backups(path) == []


@pytest.mark.parametrize("version", OLDER)
def test_what_the_wheel_took_down_comes_up_as_the_wheel_brings_it_up(
    version, at_version, content, migrate, upgraded_by_wheel, serve
):
    ours, theirs = at_version(version), at_version(version)
    before = rows(ours, "SELECT * FROM Artifact ORDER BY id")
    assert f"from schema version {version} to 10" in migrate(ours)
    (backup,) = backups(ours)
    assert f"version-{version}." in backup.name
    assert rows(backup, "SELECT * FROM Artifact ORDER BY id") == before
    found = content(StubCaller(serve(ours).stub))
    assert not differences(found, content(WheelCaller(upgraded_by_wheel(theirs))))


@pytest.mark.parametrize("version", OLDER)
def test_what_we_take_down_the_wheel_brings_up_as_if_it_had_taken_it_down(
    version, at_version, content, migrate, upgraded_by_wheel
):
    ours, theirs = at_version(10), at_version(version)
    assert f"from schema version 10 to {version}" in migrate(ours, "--to", str(version))
    found = [content(WheelCaller(upgraded_by_wheel(path))) for path in (ours, theirs)]
    assert not differences(*found)


def test_a_store_of_this_version_is_left_alone(at_version, migrate):
    path = at_version(10)
    migrate(path)
    before = digest(path)
    assert "has schema version 10" in migrate(path)
    assert digest(path) == before


@pytest.fixture
def unsupported(serve, tmp_path):
    """A file of ours with a boolean and a proto, beside a number."""
    path = tmp_path / "ours.db"
    server = serve(path)
    store = server.store()
    artifact = pb.Artifact(type_id=store.put_artifact_type(pb.ArtifactType(name="Data")))
    artifact.custom_properties["boolean"].bool_value = True
    artifact.custom_properties["proto"].proto_value.SetInParent()
    artifact.custom_properties["number"].int_value = 3
    store.put_artifacts([artifact])
    server.stop()
    return path


def test_what_an_older_version_has_no_place_for_is_dropped_only_when_told(
    unsupported, migrate, upgraded_by_wheel
):
    before = digest(unsupported)
    for flags in (["--to", "9"], ["--to", "5"]):
        said = migrate(unsupported, *flags, refused=True)
        assert "2 boolean and proto properties" in said
        assert "--drop-unsupported" in said
        assert digest(unsupported) == before
    assert "--drop-unsupported" in migrate(unsupported, "--to", "9", "--plan")
    assert digest(unsupported) == before
    assert backups(unsupported) == []
    said = migrate(unsupported, "--to", "9", "--drop-unsupported")
    assert "2 boolean and proto properties were dropped" in said
    assert len(backups(unsupported)) == 1
    (artifact,) = upgraded_by_wheel(unsupported).get_artifacts()
    assert {name: v.int_value for name, v in artifact.custom_properties.items()} == {"number": 3}


def test_the_backup_is_the_store_as_it_was(unsupported, migrate, serve):
    migrate(unsupported, "--to", "0", "--drop-unsupported")
    (backup,) = backups(unsupported)
    (artifact,) = serve(backup).store().get_artifacts()
    assert set(artifact.custom_properties) == {"boolean", "number", "proto"}


@pytest.mark.parametrize("version", ["11", "-1", "x"])
def test_a_version_that_there_is_not_is_refused(version, at_version):
    ended = run("migrate", "--store", f"sqlite:{at_version(10)}", f"--to={version}")
    assert ended.returncode != 0
    assert version in ended.stderr


def test_a_store_that_is_not_there_is_not_made(migrate, tmp_path):
    path = tmp_path / "absent.db"
    for flags in ([], ["--plan"], ["--to", "7"]):
        assert str(path) in migrate(path, *flags, refused=True)
        assert not path.exists()


def test_a_newer_store_is_refused_and_left_alone(at_version, migrate):
    path = at_version(10)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE MLMDEnv SET schema_version = 11")
        connection.commit()
    before = digest(path)
    assert "11" in migrate(path, refused=True)
    assert digest(path) == before
    assert backups(path) == []


def test_a_server_upgrades_when_told(at_version, content, serve, upgraded_by_wheel):
    path, theirs = at_version(9), at_version(9)
    found = content(StubCaller(serve(path, "--upgrade").stub))
    assert not differences(found, content(WheelCaller(upgraded_by_wheel(theirs))))
    assert rows(path, "SELECT schema_version FROM MLMDEnv") == [(10,)]
