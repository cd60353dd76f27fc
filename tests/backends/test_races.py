"""What many do at once for the first time is done once."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service
from ml_metadata.proto import metadata_store_service_pb2_grpc

from load import new_channel

CLIENTS = 64
ROUNDS = int(os.environ.get("ROUNDS", "20"))
SERVERS_AT_ONCE = 10
START_ROUNDS = int(os.environ.get("START_ROUNDS", "3"))
CALL_SECONDS_MAX = 60
CONTEXT_TYPE_KIND = 2
SCHEMA_VERSION = 10
SYSTEM_TYPES = {
    "mlmd.Dataset",
    "mlmd.Model",
    "mlmd.Metrics",
    "mlmd.Statistics",
    "mlmd.Train",
    "mlmd.Transform",
    "mlmd.Process",
    "mlmd.Evaluate",
    "mlmd.Deploy",
}
TABLES = 15


@pytest.fixture
def clients():
    """Connections of their own to servers in turn, all of them made before the first call."""
    with contextlib.ExitStack() as channels:

        def connect(servers):
            stubs = []
            for number in range(CLIENTS):
                channel = channels.enter_context(new_channel(servers[number % len(servers)]))
                stub = metadata_store_service_pb2_grpc.MetadataStoreServiceStub(channel)
                stub.GetContextTypes(service.GetContextTypesRequest(), timeout=CALL_SECONDS_MAX)
                stubs.append(stub)
            return stubs

        yield connect


def all_at_once(method, request, stubs):
    """The answers to one request of all clients, sent before the first answer is looked at."""
    calls = [getattr(stub, method).future(request, timeout=CALL_SECONDS_MAX) for stub in stubs]
    return [call.result() for call in calls]


def duplicate_types(database):
    # Types without version are equal, too, which NULL is not.
    return database.query(
        "SELECT type_kind, name, COALESCE(version, '') FROM Type"
        " GROUP BY type_kind, name, COALESCE(version, '') HAVING count(*) > 1"
    )


@pytest.mark.timeout(60 + 10 * ROUNDS)
@pytest.mark.parametrize("servers", [1, 2], ids=["one server", "two servers"])
def test_sixty_four_clients_that_make_a_context_type_at_once_all_get_the_one_id(
    servers, serve, database, clients
):
    stubs = clients([serve() for _ in range(servers)])
    made = {}
    for number in range(ROUNDS):
        name, properties = f"type {number}", {"number": pb.INT, "text": pb.STRING}
        request = service.PutContextTypeRequest(
            context_type=pb.ContextType(name=name, properties=properties)
        )
        ids = {answer.type_id for answer in all_at_once("PutContextType", request, stubs)}
        assert len(ids) == 1, f"round {number}: {sorted(ids)}"
        (made[name],) = ids
        read = service.GetContextTypeRequest(type_name=name)
        found = {answer.context_type.id for answer in all_at_once("GetContextType", read, stubs)}
        assert found == ids, f"round {number}"
    stored = database.query(
        "SELECT name, id FROM Type WHERE type_kind = %s ORDER BY id", CONTEXT_TYPE_KIND
    )
    assert len(stored) == ROUNDS
    assert dict(stored) == made
    assert duplicate_types(database) == []
    ((properties,),) = database.query(
        f"SELECT count(*) FROM TypeProperty WHERE type_id >= {min(made.values())}"
    )
    assert properties == 2 * ROUNDS


@pytest.mark.timeout(60 + 10 * ROUNDS)
def test_sixty_four_clients_that_make_a_context_at_once_make_it_once_and_the_others_hear_so(
    serve, database, clients
):
    """Nodes differ from types: who comes second is told so, or to try again, as by MLMD."""
    servers = [serve(), serve()]
    stubs = clients(servers)
    type_id = servers[0].store().put_context_type(pb.ContextType(name="Run"))
    for number in range(ROUNDS):
        context = pb.Context(type_id=type_id, name=f"run {number}")
        request = service.PutContextsRequest(contexts=[context])
        calls = [stub.PutContexts.future(request, timeout=CALL_SECONDS_MAX) for stub in stubs]
        codes = [call.code().name for call in calls]
        assert codes.count("OK") == 1, f"round {number}"
        assert set(codes) <= {"OK", "ALREADY_EXISTS", "ABORTED"}, f"round {number}"
    assert database.query("SELECT count(*) FROM Context") == [(ROUNDS,)]


@pytest.mark.timeout(60 + 30 * START_ROUNDS)
@pytest.mark.parametrize("is_there", [True, False], ids=["empty database", "no database"])
def test_ten_servers_that_start_at_once_on_nothing_all_become_ready_with_one_schema(
    is_there, new_database, start_server, is_serving
):
    for turn in range(START_ROUNDS):
        database = new_database()
        if is_there:
            database.create()
        with ThreadPoolExecutor(SERVERS_AT_ONCE) as pool:
            stores = [database.url()] * SERVERS_AT_ONCE
            servers = list(pool.map(start_server, stores))
        assert all(is_serving(server) for server in servers), f"round {turn}"
        types = database.query("SELECT name FROM Type")
        assert sorted(types) == sorted((name,) for name in SYSTEM_TYPES), f"round {turn}"
        assert database.query("SELECT schema_version FROM MLMDEnv") == [(SCHEMA_VERSION,)]
        tables = [name for (name,) in database.query(database.tables)]
        assert len([name for name in tables if not name.startswith("hw_")]) == TABLES
        ids = {server.store().put_artifact_type(pb.ArtifactType(name="Data")) for server in servers}
        assert len(ids) == 1, f"round {turn}"
        assert duplicate_types(database) == []
        for server in servers:
            assert server.stop() == 0
        database.drop()  # many rounds would leave many
