"""Opening stores, in this process and on a server; retries; schema versions."""

import os
import socket
import subprocess
import sys

import ml_metadata as mlmd
import pytest
from ml_metadata import errors
from ml_metadata.metadata_store import connection, metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

from kinds import ARTIFACT


@pytest.fixture
def sleeps(monkeypatch):
    """The seconds that a test would have slept."""
    slept = []
    monkeypatch.setattr(connection.time, "sleep", slept.append)
    return slept


class Aborting:
    """In the place of a native store: aborts a number of calls, and then answers."""

    def __init__(self, aborts):
        self.aborts, self.calls = aborts, 0

    def call(self, method, request):
        self.calls += 1
        if self.calls <= self.aborts:
            raise errors.AbortedError("another writer was faster")
        return service.PutArtifactsResponse(artifact_ids=[5]).SerializeToString()


@pytest.mark.parametrize("value", [None, 5, "sqlite:x.db", pb.Artifact()])
def test_what_is_no_configuration_is_refused(value):
    with pytest.raises(ValueError, match="proto.ConnectionConfig"):
        mlmd.MetadataStore(value)


def test_a_configuration_without_a_database_is_refused():
    for _ in range(3):
        with pytest.raises(RuntimeError):
            mlmd.MetadataStore(pb.ConnectionConfig())


def test_a_file_that_cannot_be_opened_is_a_runtime_error(config, tmp_path):
    config.sqlite.filename_uri = str(tmp_path / "no folder" / "store.db")
    with pytest.raises(RuntimeError, match="no folder"):
        mlmd.MetadataStore(config)


def test_a_store_that_is_read_only_is_not_made_and_not_written(config):
    read_only = pb.ConnectionConfig.FromString(config.SerializeToString())
    read_only.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READONLY
    with pytest.raises(RuntimeError):
        mlmd.MetadataStore(read_only)
    ARTIFACT.put_some(mlmd.MetadataStore(config), 1)
    store = mlmd.MetadataStore(read_only)
    assert len(store.get_artifacts()) == 1
    with pytest.raises(errors.StatusError):
        store.put_artifact_type(pb.ArtifactType(name="New"))


def test_a_file_keeps_what_was_put(config):
    ids = ARTIFACT.put_some(mlmd.MetadataStore(config), 2)
    assert [node.id for node in mlmd.MetadataStore(config).get_artifacts()] == ids


def test_two_stores_on_one_file_see_each_other(config):
    first, second = mlmd.MetadataStore(config), mlmd.MetadataStore(config)
    ARTIFACT.put_some(first, 1)
    assert len(second.get_artifacts()) == 1


def test_every_fake_database_is_its_own(fake_config):
    ARTIFACT.put_some(mlmd.MetadataStore(fake_config), 1)
    assert mlmd.MetadataStore(fake_config).get_artifacts() == []


def test_sqlite_without_a_file_is_its_own():
    config = pb.ConnectionConfig()
    config.sqlite.SetInParent()
    ARTIFACT.put_some(mlmd.MetadataStore(config), 1)
    assert mlmd.MetadataStore(config).get_artifacts() == []


def test_there_is_no_pipeline_asset(store):
    assert store.pipeline_asset is None


def test_extra_options_have_no_effect(store):
    options = metadata_store.ExtraOptions(euc=None)
    assert store.get_artifacts(extra_options=options) == []


@pytest.mark.parametrize(("retries", "attempts"), [(None, 5), (3, 3), (1, 1), (0, 1)])
def test_aborted_calls_are_repeated(fake_config, sleeps, retries, attempts):
    if retries is not None:
        fake_config.retry_options.max_num_retries = retries
    store = mlmd.MetadataStore(fake_config)
    store._metadata_store = Aborting(attempts - 1)
    assert store.put_artifacts([]) == [5]
    store._metadata_store = Aborting(attempts)
    with pytest.raises(errors.AbortedError):
        store.put_artifacts([])
    assert store._metadata_store.calls == attempts
    assert len(sleeps) == 2 * (attempts - 1)
    assert all(seconds > 0 for seconds in sleeps)


def test_other_errors_are_raised_at_once(fake_config, sleeps):
    store = mlmd.MetadataStore(fake_config)
    with pytest.raises(errors.NotFoundError):
        store.get_artifact_type("none")
    assert sleeps == []


def test_a_call_of_ones_own_fills_the_response_as_mlmd_does(store):
    ARTIFACT.put_some(store, 2)
    response = service.GetArtifactsResponse()
    store._call("GetArtifacts", service.GetArtifactsRequest(), response)
    assert list(response.artifacts) == store.get_artifacts()


FORKING = """
import os, sys
import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb
config = pb.ConnectionConfig.FromString(bytes.fromhex(sys.argv[1]))
store = mlmd.MetadataStore(config)
child = os.fork()
store.put_artifact_type(pb.ArtifactType(name="child" if child == 0 else "parent"))
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(sorted(type_.name for type_ in store.get_artifact_types()))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_goes_on_with_the_file(config):
    command = [sys.executable, "-c", FORKING, config.SerializeToString().hex()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "['child', 'parent']\n", done.stderr


@pytest.mark.parametrize("version", [-1, 11, 1000])
def test_there_are_no_such_schema_versions(config, version):
    mlmd.MetadataStore(config)
    with pytest.raises(errors.InvalidArgumentError):
        mlmd.downgrade_schema(config, version)


def test_a_downgraded_file_needs_an_upgrade(config):
    ids = ARTIFACT.put_some(mlmd.MetadataStore(config), 2)
    assert mlmd.downgrade_schema(config, 10) is None
    mlmd.downgrade_schema(config, downgrade_to_schema_version=7)
    with pytest.raises(RuntimeError):
        mlmd.MetadataStore(config)
    # It is older than that already, and is not taken up again.
    mlmd.downgrade_schema(config, 9)
    with pytest.raises(RuntimeError):
        mlmd.MetadataStore(config)
    upgraded = mlmd.MetadataStore(config, enable_upgrade_migration=True)
    assert [node.id for node in upgraded.get_artifacts()] == ids
    assert len(mlmd.MetadataStore(config).get_artifacts()) == 2


@pytest.mark.parametrize("make", [pb.ConnectionConfig, "fake_config", "config"])
def test_where_there_is_no_store_there_is_nothing_to_downgrade(request, make):
    config = request.getfixturevalue(make) if isinstance(make, str) else make()
    with pytest.raises(RuntimeError):
        mlmd.downgrade_schema(config, 3)


# Servers.


def test_a_client_does_not_upgrade_its_server(server):
    with pytest.raises(ValueError, match="upgrade"):
        mlmd.MetadataStore(server.config(), enable_upgrade_migration=True)


def test_a_server_that_is_away_is_unavailable(grpc):
    store = mlmd.MetadataStore(pb.MetadataStoreClientConfig(host="127.0.0.1", port=1))
    with pytest.raises(errors.UnavailableError) as caught:
        store.get_artifacts()
    assert caught.value.error_code == errors.UNAVAILABLE
    assert caught.value.message


def test_answers_larger_than_the_client_takes_are_refused(server):
    config = server.config()
    config.channel_arguments.max_receive_message_length = 2
    ARTIFACT.put_some(mlmd.MetadataStore(server.config()), 1)
    with pytest.raises(errors.ResourceExhaustedError):
        mlmd.MetadataStore(config).get_artifacts()


def test_a_call_takes_no_longer_than_the_client_waits(grpc):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = pb.MetadataStoreClientConfig(host="127.0.0.1", port=silent.getsockname()[1])
        config.client_timeout_sec = 0.2
        with pytest.raises(errors.DeadlineExceededError):
            mlmd.MetadataStore(config).get_artifacts()


def test_aborted_answers_of_a_server_are_asked_for_again(grpc, server, sleeps):
    class Abort(grpc.RpcError):
        def code(self):
            return grpc.StatusCode.ABORTED

        def details(self):
            return "again"

    class Stub:
        """A stub that is put in the place of the store's, as the model registry does."""

        calls = 0

        def GetArtifacts(self, request, timeout):
            Stub.calls += 1
            if Stub.calls < 3:
                raise Abort
            return service.GetArtifactsResponse(artifacts=[pb.Artifact(id=1)])

    store = mlmd.MetadataStore(server.config())
    store._metadata_store_stub = Stub()
    assert [node.id for node in store.get_artifacts()] == [1]
    assert len(sleeps) == 2


@pytest.fixture
def channels(grpc, monkeypatch):
    """How channels were asked for: the name of the function, and its arguments."""
    asked = []

    def recorded(name):
        real = getattr(grpc, name)

        def made(*arguments, **named):
            asked.append((name, arguments, named))
            return "credentials" if name.startswith("ssl") else real("localhost:1")

        return made

    for name in ("insecure_channel", "ssl_channel_credentials"):
        monkeypatch.setattr(grpc, name, recorded(name))

    def secure(*arguments, **named):
        asked.append(("secure_channel", arguments, named))
        return grpc.insecure_channel("localhost:1")

    monkeypatch.setattr(grpc, "secure_channel", secure)
    return asked


def test_a_plain_channel_has_no_options_unasked(channels):
    mlmd.MetadataStore(pb.MetadataStoreClientConfig(host="h", port=8080))
    assert channels == [("insecure_channel", ("h:8080",), {"options": []})]


def test_channel_arguments_are_passed_on(channels):
    config = pb.MetadataStoreClientConfig(host="h", port=8080)
    config.channel_arguments.max_receive_message_length = 0
    config.channel_arguments.http2_max_ping_strikes = 7
    mlmd.MetadataStore(config)
    options = [("grpc.max_receive_message_length", 0), ("grpc.http2.max_ping_strikes", 7)]
    assert channels == [("insecure_channel", ("h:8080",), {"options": options})]


@pytest.mark.parametrize(
    ("fields", "credentials"),
    [
        ({}, (None, None, None)),
        ({"custom_ca": "ca"}, (b"ca", None, None)),
        (
            {"custom_ca": "ca", "client_key": "key", "server_cert": "chain"},
            (b"ca", b"key", b"chain"),
        ),
    ],
)
def test_an_encrypted_channel_has_the_certificates(channels, fields, credentials):
    config = pb.MetadataStoreClientConfig(host="h", port=8080)
    config.ssl_config.SetInParent()
    for field, value in fields.items():
        setattr(config.ssl_config, field, value)
    mlmd.MetadataStore(config)
    assert channels[:2] == [
        ("ssl_channel_credentials", credentials, {}),
        ("secure_channel", ("h:8080", "credentials"), {"options": []}),
    ]
