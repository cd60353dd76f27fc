"""Under the name `metadata_store_server`, the binary takes the flags of MLMD's server."""

import gc
import pathlib
import socket
import sqlite3
import subprocess
import time

import grpc
import ml_metadata as mlmd
import pytest
import trustme
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service
from ml_metadata.proto import metadata_store_service_pb2_grpc

from conftest import wheel_config
from headwater_process import BINARY
from stores import SERVERS
from test_files import rows
from test_start import digest


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def program(tmp_path):
    """The binary under MLMD's name."""
    path = tmp_path / "metadata_store_server"
    path.symlink_to(pathlib.Path(BINARY).resolve())
    return path


@pytest.fixture
def serve(program, tmp_path):
    """Starts the server on a free port and gives the port; stops it at the end."""
    started = []

    def start(*flags):
        port = free_port()
        with (tmp_path / "server.log").open("ab") as log:
            process = subprocess.Popen(
                [program, f"--grpc_port={port}", *flags], stdout=subprocess.PIPE, stderr=log
            )
        started.append(process)
        line = process.stdout.readline().decode()
        assert line.startswith(f"headwater ready on 0.0.0.0:{port}, "), line
        return port

    yield start
    for process in started:
        process.terminate()
        assert process.wait(timeout=30) == 0
        process.stdout.close()


@pytest.fixture
def refusal(program):
    """Starts the server with flags that it must refuse; gives what it says."""

    def start(*flags):
        ended = subprocess.run([program, *flags], capture_output=True, text=True, timeout=20)
        assert ended.returncode == 1, ended.stderr
        assert "panicked" not in ended.stderr
        return ended.stderr

    return start


@pytest.fixture
def made_by_wheel(wheel, tmp_path):
    """A file of the wheel with one artifact, taken down to version 9."""
    path = tmp_path / "older.db"
    store = wheel(path)
    store.put_artifacts(
        [pb.Artifact(type_id=store.put_artifact_type(pb.ArtifactType(name="Data")))]
    )
    del store
    gc.collect()
    mlmd.downgrade_schema(wheel_config(path), 9)
    return path


def config_file(tmp_path, text):
    path = tmp_path / "config.pbtxt"
    path.write_text(text)
    return f"--metadata_store_server_config_file={path}"


def client(port, **fields):
    return metadata_store.MetadataStore(
        pb.MetadataStoreClientConfig(host="localhost", port=port, **fields)
    )


def test_without_a_database_it_stores_in_memory(serve):
    store = client(serve())
    assert store.put_artifact_type(pb.ArtifactType(name="Data")) == 10


def test_a_configuration_in_text_format_names_the_file(serve, tmp_path, wheel):
    path = tmp_path / "configured.db"
    flag = config_file(
        tmp_path,
        f"""# as in an existing manifest
        connection_config {{
          sqlite {{ filename_uri: "{path}" connection_mode: READWRITE_OPENCREATE }}
          retry_options {{ max_num_retries: 3 }}
        }}
        migration_options {{ enable_upgrade_migration: true }}""",
    )
    store = client(serve(flag, "--metadata_source_config_type=config_file"))
    store.put_artifact_type(pb.ArtifactType(name="Data"))
    assert wheel(path).get_artifact_type("Data").id == 10


def test_a_read_only_connection_refuses_writes(serve, tmp_path, wheel):
    path = tmp_path / "configured.db"
    wheel(path).put_artifact_type(pb.ArtifactType(name="Data"))
    flag = config_file(
        tmp_path,
        f'connection_config {{ sqlite {{ filename_uri: "{path}" connection_mode: READONLY }} }}',
    )
    port = serve(flag)
    stub = metadata_store_service_pb2_grpc.MetadataStoreServiceStub(
        grpc.insecure_channel(f"127.0.0.1:{port}")
    )
    assert len(stub.GetArtifactTypes(service.GetArtifactTypesRequest()).artifact_types) == 1
    with pytest.raises(grpc.RpcError) as refused:
        stub.PutArtifactType(service.PutArtifactTypeRequest(artifact_type={"name": "More"}))
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION


# Databases on servers.


def mlmds_flags(database):
    """A database as MLMD's own flags name it."""
    name, config_type = {"postgres": ("dbname", "postgresql"), "mysql": ("database", "mysql")}[
        database.kind
    ]
    given = {
        "host": database.host,
        "port": database.port,
        "user": database.user,
        "password": database.password,
        name: database.name,
    }
    flags = [f"--{database.kind}_config_{field}={value}" for field, value in given.items()]
    return [f"--metadata_source_config_type={config_type}", *flags]


def mlmds_config(database):
    """A database as MLMD's configuration names it."""
    where = f'host: "{database.host}" user: "{database.user}" password: "{database.password}"'
    if database.kind == "mysql":
        return f'mysql {{ {where} port: {database.port} database: "{database.name}" }}'
    return f'postgresql {{ {where} port: "{database.port}" dbname: "{database.name}" }}'


@pytest.mark.backends("postgres", "mysql")
@pytest.mark.parametrize("form", ["flags", "configuration"])
def test_mlmds_names_for_a_database_lead_to_it(form, serve, new_place, tmp_path):
    database = new_place()
    flags = mlmds_flags(database)
    if form == "configuration":
        flags = [config_file(tmp_path, f"connection_config {{ {mlmds_config(database)} }}")]
    store = client(serve(*flags))
    type_id = store.put_artifact_type(pb.ArtifactType(name="Data"))
    store.put_artifacts([pb.Artifact(type_id=type_id, name="one")])
    assert [found.name for found in store.get_artifacts()] == ["one"]
    assert database.execute("SELECT name FROM Artifact") == [("one",)]


@pytest.mark.backends("mysql")
def test_mysql_is_taken_by_default_if_it_is_named(serve, new_place):
    store = client(serve(*mlmds_flags(new_place())[1:]))
    assert store.get_artifact_types() == []


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("form", ["flags", "configuration"])
def test_a_server_that_cannot_be_reached_is_named_without_the_password(
    kind, form, refusal, tmp_path
):
    url = f"{kind}://user:secret@127.0.0.1:{free_port()}"
    database = SERVERS[kind](url)
    flags = mlmds_flags(database)
    if form == "configuration":
        flags = [config_file(tmp_path, f"connection_config {{ {mlmds_config(database)} }}")]
    said = refusal(*flags, "--metadata_store_connection_retries=1", f"--grpc_port={free_port()}")
    assert f"127.0.0.1:{database.port}" in said
    assert "refused" in said
    assert "attempt=1 of=1" in said
    assert "attempt=2" not in said
    assert "secret" not in said


def test_a_locked_file_is_refused_as_locked(refusal, wheel, tmp_path):
    """Each try takes 10 s; `headwater serve`, which does the same, cannot be told to try once."""
    path = tmp_path / "locked.db"
    wheel(path).put_artifact_type(pb.ArtifactType(name="Data"))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    flag = config_file(tmp_path, file_config(path))
    said = refusal(flag, "--metadata_store_connection_retries=0", f"--grpc_port={free_port()}")
    assert str(path) in said
    assert "locked" in said
    holder.close()


# Other schema versions.


def file_config(path, more=""):
    return f'connection_config {{ sqlite {{ filename_uri: "{path}" }} }} {more}'


UPGRADE = "migration_options { enable_upgrade_migration: true }"


@pytest.mark.parametrize("form", ["flag", "configuration"])
def test_an_older_database_is_upgraded_when_told(form, serve, made_by_wheel, tmp_path, wheel):
    flags = ["--enable_database_upgrade"] if form == "flag" else []
    more = "" if form == "flag" else UPGRADE
    port = serve(config_file(tmp_path, file_config(made_by_wheel, more)), *flags)
    assert len(client(port).get_artifacts()) == 1
    assert len(wheel(made_by_wheel).get_artifacts()) == 1


def test_an_older_database_is_refused_with_the_flag_that_upgrades_it(
    refusal, made_by_wheel, tmp_path
):
    before = digest(made_by_wheel)
    said = refusal(config_file(tmp_path, file_config(made_by_wheel)), f"--grpc_port={free_port()}")
    assert "9" in said
    assert "10" in said
    assert "--enable_database_upgrade" in said
    assert digest(made_by_wheel) == before


@pytest.mark.parametrize("form", ["flag", "configuration"])
def test_a_database_is_downgraded_when_told_and_the_program_ends(
    form, program, made_by_wheel, tmp_path
):
    flags = ["--downgrade_db_schema_version=7"] if form == "flag" else []
    more = "" if form == "flag" else "migration_options { downgrade_to_schema_version: 7 }"
    flag = config_file(tmp_path, file_config(made_by_wheel, more))
    ended = subprocess.run([program, flag, *flags], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 0, ended.stderr
    assert "9 to 7" in ended.stdout
    assert "headwater ready" not in ended.stdout
    assert rows(made_by_wheel, "SELECT schema_version FROM MLMDEnv") == [(7,)]


def test_a_downgrade_that_would_lose_something_is_refused(serve, refusal, program, tmp_path):
    path = tmp_path / "ours.db"
    flag = config_file(tmp_path, file_config(path))
    store = client(serve(flag))
    artifact = pb.Artifact(type_id=store.put_artifact_type(pb.ArtifactType(name="Data")))
    artifact.custom_properties["checked"].bool_value = True
    store.put_artifacts([artifact])
    said = refusal(flag, "--downgrade_db_schema_version=9")
    assert "1 boolean" in said
    assert len(client(serve(flag)).get_artifacts()) == 1


@pytest.mark.parametrize(
    ("more", "flags"),
    [
        ("", ["--enable_database_upgrade", "--downgrade_db_schema_version=7"]),
        (UPGRADE, ["--downgrade_db_schema_version=7"]),
    ],
)
def test_up_and_down_at_once_is_refused(more, flags, refusal, made_by_wheel, tmp_path):
    before = digest(made_by_wheel)
    said = refusal(config_file(tmp_path, file_config(made_by_wheel, more)), *flags)
    assert "upgraded" in said
    assert "downgraded" in said
    assert digest(made_by_wheel) == before


def test_flags_are_written_as_gflags_writes_them(serve):
    port = serve(
        "-enable_database_upgrade",
        "--nopostgres_config_skip_db_creation",
        "--downgrade_db_schema_version",
        "-1",
        "--grpc_channel_arguments=grpc.max_connection_age_ms=600000,grpc.enable_retries=1",
        "--metadata_store_connection_retries=2",
    )
    assert client(port).get_artifact_types() == []


def test_the_limit_of_a_message_is_a_channel_argument(serve):
    port = serve("--grpc_channel_arguments=grpc.max_receive_message_length=1000")
    stub = metadata_store_service_pb2_grpc.MetadataStoreServiceStub(
        grpc.insecure_channel(f"127.0.0.1:{port}")
    )
    with pytest.raises(grpc.RpcError) as refused:
        stub.PutArtifactType(service.PutArtifactTypeRequest(artifact_type={"name": "x" * 2000}))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_connection_is_closed_at_its_greatest_age_and_calls_go_on(serve):
    store = client(serve("--grpc_channel_arguments=grpc.max_connection_age_ms=300"))
    end = time.monotonic() + 2
    while time.monotonic() < end:
        assert store.get_artifact_types() == []
        time.sleep(0.05)


@pytest.mark.parametrize("with_client_certificate", [False, True])
def test_tls_of_the_configuration_is_used(with_client_certificate, serve, tmp_path):
    authority = trustme.CA()
    server = authority.issue_cert("localhost")
    own = authority.issue_cert("client@example.org")

    def quoted(blob):
        text = blob.bytes().decode().replace("\n", "\\n")
        return f'"{text}"'

    config = f"""connection_config {{ fake_database {{}} }}
    ssl_config {{
      server_key: {quoted(server.private_key_pem)}
      server_cert: {quoted(server.cert_chain_pems[0])}
      custom_ca: {quoted(authority.cert_pem)}
      client_verify: {str(with_client_certificate).lower()}
    }}"""
    port = serve(config_file(tmp_path, config))
    root = authority.cert_pem.bytes()
    pair = [own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes()]
    credentials = grpc.ssl_channel_credentials(root, *(pair if with_client_certificate else []))

    def types(credentials):
        channel = grpc.secure_channel(f"localhost:{port}", credentials)
        stub = metadata_store_service_pb2_grpc.MetadataStoreServiceStub(channel)
        return stub.GetArtifactTypes(service.GetArtifactTypesRequest(), timeout=10)

    assert types(credentials) == service.GetArtifactTypesResponse()
    if with_client_certificate:
        with pytest.raises(grpc.RpcError):
            types(grpc.ssl_channel_credentials(root))
    plain = metadata_store_service_pb2_grpc.MetadataStoreServiceStub(
        grpc.insecure_channel(f"localhost:{port}")
    )
    with pytest.raises(grpc.RpcError):
        plain.GetArtifactTypes(service.GetArtifactTypesRequest(), timeout=10)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--grpc_prot=1"], ["--grpc_prot", "hint:"]),
        (["--grpc_port=x"], ["--grpc_port=x"]),
        (["--grpc_port=0"], ["--grpc_port"]),
        (["--grpc_port=70000"], ["70000"]),
        (["serve"], ["serve"]),
        (["--metadata_source_config_type=oracle"], ["oracle", "postgresql"]),
        (["--metadata_source_config_type=config_file"], ["config_file"]),
        (["--metadata_store_server_config_file=/no/such/file"], ["/no/such/file"]),
        (["--mysql_config_host=db"], ["--mysql_config_port", "--mysql_config_database"]),
        (["--mysql_config_host=db", "--mysql_config_port=x"], ["--mysql_config_port=x"]),
        (["--metadata_source_config_type=mysql"], ["--mysql_config_host"]),
        (["--metadata_source_config_type=postgresql"], ["no database"]),
        (["--downgrade_db_schema_version=7"], ["no metadata store"]),
        (["--downgrade_db_schema_version=11"], ["11", "10"]),
        (["--grpc_channel_arguments=grpc.max_connection_age_ms"], ["grpc.max_connection_age_ms"]),
        (["--grpc_channel_arguments=grpc.max_connection_age_ms=x"], ["not a number"]),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(flags, words, refusal):
    said = refusal(*flags)
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("connection_config { sqllite {} }", ["sqllite", "MetadataStoreServerConfig"]),
        ('connection_config { mysql { host: "db" } }', ["no database"]),
        ('connection_config { mysql { database: "m" } }', ["host", "socket"]),
        ('connection_config { postgresql { host: "db" } }', ["no database"]),
        (
            """connection_config { postgresql {
              host: "db" dbname: "m" ssloption { sslmode: "always" } } }""",
            ["always", "verify-full"],
        ),
        ("migration_options { downgrade_to_schema_version: 5 }", ["no metadata store"]),
        (
            'connection_config { sqlite { filename_uri: "file:x.db?cache=shared" } }',
            ["cache=shared", "hint:"],
        ),
        (
            'ssl_config { server_key: "no key" server_cert: "no certificate" }',
            ["TLS", "cannot be used"],
        ),
    ],
)
def test_what_a_configuration_says_wrong_is_named(text, words, refusal, tmp_path):
    said = refusal(config_file(tmp_path, text), f"--grpc_port={free_port()}")
    for word in words:
        assert word in said


def test_help_names_every_flag_of_mlmd(program):
    said = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    for flag in (
        "grpc_port",
        "grpc_channel_arguments",
        "metadata_source_config_type",
        "metadata_store_server_config_file",
        "metadata_store_connection_retries",
        "mysql_config_host",
        "mysql_config_port",
        "mysql_config_database",
        "mysql_config_user",
        "mysql_config_password",
        "postgres_config_host",
        "postgres_config_dbname",
        "postgres_config_sslmode",
        "enable_database_upgrade",
        "downgrade_db_schema_version",
    ):
        assert f"--{flag}" in said
