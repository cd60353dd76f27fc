"""Under the name `metadata_store_server`, the binary takes the flags of MLMD's server."""

import pathlib
import socket
import subprocess
import time

import grpc
import pytest
import trustme
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service
from ml_metadata.proto import metadata_store_service_pb2_grpc

from headwater_process import BINARY


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
        (
            ["--mysql_config_host=db", "--mysql_config_port=3306", "--mysql_config_database=m"],
            ["MySQL", "later release"],
        ),
        (["--metadata_source_config_type=postgresql"], ["PostgreSQL", "later release"]),
        (["--downgrade_db_schema_version=7"], ["downgrading", "later release"]),
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
        ('connection_config { mysql { host: "db" } }', ["MySQL", "not supported yet"]),
        ('connection_config { postgresql { host: "db" } }', ["PostgreSQL", "not supported yet"]),
        ("migration_options { downgrade_to_schema_version: 5 }", ["downgrading"]),
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
