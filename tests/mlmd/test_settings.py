"""Settings: a flag beats the environment, the environment a file, a file the default."""

import json
import os
import subprocess

import pytest

from headwater_process import BINARY


@pytest.fixture
def headwater(tmp_path):
    """Runs a command in an empty folder with exactly these variables of ours."""

    def run(*arguments, **variables):
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("HEADWATER_")}
        return subprocess.run(
            [BINARY, *arguments],
            capture_output=True,
            timeout=60,
            cwd=tmp_path,
            env=inherited | variables,
        )

    return run


def put_type(headwater, *arguments, **variables):
    request = json.dumps({"artifactType": {"name": "Data"}})
    ended = headwater("call", "PutArtifactType", request, *arguments, **variables)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {"typeId": "10"}


def test_the_default_store_is_a_file_in_the_folder(headwater, tmp_path):
    put_type(headwater)
    assert (tmp_path / "headwater.db").exists()


def test_a_flag_beats_the_environment_and_the_environment_a_file(headwater, tmp_path):
    (tmp_path / "settings.toml").write_text('store = "sqlite:file.db"\nlog = "error"\n')
    config = ("--config", "settings.toml")
    for name, flags, variables in [
        ("file.db", config, {}),
        ("environment.db", config, {"HEADWATER_STORE": "sqlite:environment.db"}),
        (
            "flag.db",
            (*config, "--store", "sqlite:flag.db"),
            {"HEADWATER_STORE": "sqlite:environment.db"},
        ),
        ("named.db", (), {"HEADWATER_CONFIG": "named.toml"}),
    ]:
        (tmp_path / "named.toml").write_text('store = "sqlite:named.db"\n')
        put_type(headwater, *flags, **variables)
        assert (tmp_path / name).exists()
        (tmp_path / name).unlink()
    assert not (tmp_path / "headwater.db").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stor = 1\n", ["stor", "settings.toml"]),
        ("store = 1\n", ["store", "settings.toml"]),
        ("not toml", ["settings.toml"]),
        ('store = "somewhere"\n', ["somewhere", "sqlite:PATH"]),
        ('log = "no=such=filter="\n', ["no=such=filter="]),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(text, words, headwater, tmp_path):
    (tmp_path / "settings.toml").write_text(text)
    ended = headwater("call", "GetArtifacts", "--config", "settings.toml")
    assert ended.returncode == 1
    for word in words:
        assert word in ended.stderr.decode()


def test_a_missing_file_is_named(headwater):
    ended = headwater("serve", "--config", "nowhere.toml")
    assert ended.returncode == 1
    assert b"nowhere.toml" in ended.stderr


@pytest.mark.parametrize(
    "store",
    [
        "somewhere",
        "sqlite:",
        b"sqlite:\xff\xfe.db",
        "oracle://u:secret@h/d",
        "postgres:u:secret@h/d",
        "postgres://u:secret@h",
        "postgres://u:secret@h:port/d",
        "mysql://u:secret/@h/d",
        "mysql://u:secret@h/d?sslmode=always",
        "mysql://u:secret@h/d?pasword_file=x",
    ],
)
def test_a_store_that_is_none_is_refused_without_its_password(store, headwater, tmp_path):
    ended = headwater("serve", "--store", store)
    assert ended.returncode == 1
    assert b"--store" in ended.stderr
    assert b"secret" not in ended.stderr
    assert b"panicked" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["postgres", "mysql"])
def test_a_database_that_cannot_be_reached_is_named_without_its_password(scheme, headwater):
    store = f"{scheme}://u:secret@127.0.0.1:1/d"
    for command in (["call", "GetArtifacts"], ["migrate"]):
        ended = headwater(*command, "--store", store)
        assert ended.returncode == 1
        assert b"127.0.0.1:1" in ended.stderr
        assert b"refused" in ended.stderr
        assert b"secret" not in ended.stderr + ended.stdout


def test_log_lines_are_json_when_asked(serve, server):
    server.stop()
    told = serve(server.path, "--log-format", "json", "--log", "debug")
    told.store().get_artifact_types()
    told.stop()
    lines = [json.loads(line) for line in told.words().splitlines()]
    assert any(line.get("message") == "stopped" for line in lines)
    assert all({"timestamp", "level"} <= line.keys() for line in lines)


def test_a_refused_call_is_logged_with_its_request_id_and_an_ok_one_is_not(serve, server):
    server.stop()
    told = serve(server.path, "--log", "debug")
    ended = subprocess.run(
        [
            BINARY,
            "call",
            "GetArtifactType",
            '{"typeName": "nope"}',
            "--server",
            f"http://{told.address}",
        ],
        capture_output=True,
        check=False,
    )
    assert b"NOT_FOUND" in ended.stderr
    told.stop()
    (line,) = [line for line in told.words().splitlines() if "`nope`" in line]
    assert "request_id=" in line
    assert "GetArtifactType" in line
