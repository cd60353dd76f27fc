"""Databases that end sessions, go away, come back, refuse, or are not what they should be.

What a server does follows from its order in `serve.rs`: it opens the store before it takes calls,
so a store that cannot be opened ends it, with the cause on stderr. From then on it stays: calls
that need the database fail while it is away, health says NOT_SERVING within two probes, and all
comes back by itself.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

from cluster import running
from databases import Postgres
from headwater_process import run
from load import RETRIED, Load, check_the_api, stored_executions
from proxy import Proxy

DEADLINE = grpc.StatusCode.DEADLINE_EXCEEDED
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
KILLS = 5
SECONDS_BETWEEN_KILLS = 1.5
RECOVERY_SECONDS_MAX = 1
NOTICE_SECONDS_MAX = 5  # two probes of a second each, and some more on a busy machine
CONNECTIONS_MAX = 3
# What must never be seen stands between signs that a URL has to escape.
HUSH = "Hush7f3a"
PASSWORD = f"p@{HUSH}/:%?&"


def read(server, timeout=30):
    """Those of the first artifacts that are there."""
    request = service.GetArtifactsByIDRequest(artifact_ids=range(1, 100))
    return server.stub.GetArtifactsByID(request, timeout=timeout).artifacts


def write(server, timeout=30):
    """Makes one artifact; the type is put first, which needs the database each time."""
    stub, request = server.stub, service.PutArtifactTypeRequest()
    request.artifact_type.name = "Data"
    type_id = stub.PutArtifactType(request, timeout=timeout).type_id
    put = service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=type_id)])
    return stub.PutArtifacts(put, timeout=timeout).artifact_ids[0]


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


def check_refused(call, *codes, **options):
    """A call must fail with one of the codes, and say why."""
    with pytest.raises(grpc.RpcError) as refused:
        call(**options)
    assert refused.value.code() in codes, refused.value
    assert refused.value.details().strip()
    assert HUSH not in refused.value.details()


# Sessions that end.


@pytest.mark.parametrize("way", ["killed in the database", "cut in the network"])
def test_readers_do_not_see_that_sessions_end_and_writers_recover_within_a_second(
    way, serve, database, proxy
):
    server, ends = serve(database.url(hosts=f"{proxy.host}:{proxy.port}")), []
    with Load([server], writers=8, readers=4) as load:
        for _ in range(KILLS):
            time.sleep(SECONDS_BETWEEN_KILLS)
            assert database.sessions() > 0
            began = time.monotonic()
            if way == "cut in the network":
                proxy.cut()
            else:
                assert database.kill_sessions() > 0
            ends.append((began, time.monotonic()))
        time.sleep(SECONDS_BETWEEN_KILLS)
    assert load.failed_reads == []
    assert load.reads > 0
    assert load.codes() <= RETRIED, load.failed_writes
    for failure in load.failed_writes:
        assert failure.words.strip()
        ended_at = max((end for began, end in ends if began < failure.ended), default=0)
        assert failure.ended - ended_at < RECOVERY_SECONDS_MAX, failure
    for _, end in ends:
        recovered = [at for at in load.written_at if end < at < end + RECOVERY_SECONDS_MAX]
        assert recovered, "no write for a second"
    check_the_api(server, stored_executions(database, load))
    assert server.is_running()


def test_sessions_that_ended_while_nobody_called_are_replaced_unnoticed(serve, database):
    server = serve()
    write(server)
    for _ in range(3):
        assert database.kill_sessions() > 0
        assert len(read(server)) == 1
    assert database.kill_sessions() > 0
    assert code_of(lambda: write(server)) in {"OK"} | RETRIED  # it might have happened
    assert len(read(server)) in (1, 2)
    write(server)


# A database that goes away and comes back.


@pytest.fixture
def behind(serve, database, proxy):
    """A server that reaches its database through the proxy, and has used it."""
    server = serve(database.url(hosts=f"{proxy.host}:{proxy.port}"))
    write(server)
    return server


def check_comes_back(server, proxy, is_serving, wait_until):
    """After `resume` reads and writes work by themselves, in the process that was there."""
    proxy.resume()
    wait_until(lambda: is_serving(server), NOTICE_SECONDS_MAX)
    assert server.get("/readyz")[0] == 200
    stored = len(read(server))
    write(server)
    assert len(read(server)) == stored + 1
    assert server.is_running()


def test_a_database_that_refuses_makes_calls_unavailable_until_it_is_back(
    behind, proxy, is_serving, wait_until
):
    proxy.refuse()
    proxy.cut()
    with ThreadPoolExecutor(2) as pool:
        calls = [
            pool.submit(check_refused, lambda call=call: call(behind), UNAVAILABLE)
            for call in (read, write)
        ]
        wait_until(lambda: not is_serving(behind), NOTICE_SECONDS_MAX)
        assert behind.get("/readyz")[0] == 503
        assert behind.get("/livez")[0] == 200
        for call in calls:
            call.result()
    check_comes_back(behind, proxy, is_serving, wait_until)


def test_calls_into_a_black_hole_end_by_their_deadlines_and_hold_nobody_up_afterwards(
    behind, proxy, is_serving, wait_until
):
    proxy.black_hole()
    calls = [read, write] * 40  # more than there are connections, turns and threads

    def check_call(call):
        began = time.monotonic()
        check_refused(lambda: call(behind, timeout=3), DEADLINE, UNAVAILABLE)
        assert time.monotonic() - began < 10

    with ThreadPoolExecutor(len(calls)) as pool:
        list(pool.map(check_call, calls))
    wait_until(lambda: not is_serving(behind), NOTICE_SECONDS_MAX)
    assert behind.get("/livez")[0] == 200
    check_comes_back(behind, proxy, is_serving, wait_until)


def test_a_network_that_stands_still_for_two_seconds_only_delays(behind, proxy):
    proxy.pause()
    with ThreadPoolExecutor(8) as pool:
        began = time.monotonic()
        calls = [pool.submit(call, behind) for call in [read, write] * 4]
        time.sleep(2)
        proxy.resume()
        for call in calls:
            assert call.result()
        assert time.monotonic() - began >= 2


# Starts that cannot succeed.


@pytest.fixture
def proxied_url(database, proxy):
    return database.url(hosts=f"{proxy.host}:{proxy.port}")


def test_a_start_without_the_database_is_refused_by_its_address(proxied_url, proxy, refusal):
    proxy.refuse()
    assert f"{proxy.host}:{proxy.port}" in refusal(proxied_url)


def test_a_start_into_a_black_hole_ends_by_itself(proxied_url, proxy, refusal):
    proxy.black_hole()
    # Five attempts of 20 seconds, with a pause after each.
    assert f"{proxy.host}:{proxy.port}" in refusal(proxied_url, seconds_max=150)


def test_an_unknown_host_is_named(database, refusal):
    assert "db.invalid" in refusal(database.url(hosts=f"db.invalid:{database.port}"))


def test_a_missing_database_that_must_not_be_made_is_named_and_not_made(database, refusal):
    assert database.name in refusal(database.url(skip_db_creation="true"))
    database.create()  # or it would be there already
    assert database.query(database.tables) == []


def test_a_missing_database_is_made(serve, database):
    write(serve())
    assert database.query("SELECT count(*) FROM Artifact") == [(1,)]


def test_a_database_that_must_not_be_made_and_is_there_becomes_a_store(serve, database):
    database.create()
    write(serve(database.url(skip_db_creation="true")))
    assert database.query("SELECT count(*) FROM Artifact") == [(1,)]


# Passwords.


@pytest.fixture(scope="module")
def strict_postgres():
    """A PostgreSQL that asks for passwords; the usual one trusts whoever is on this machine."""
    with running("postgres") as cluster:
        Postgres(cluster.address()).administer("CREATE ROLE with_password")
        yield cluster.address()


@pytest.fixture
def guarded(database, request):
    """A database and a user of it who needs a password, and may do everything there."""
    user, is_own = database.add_user(PASSWORD), False
    if database.accepts(user, "wrong"):
        database, is_own = Postgres(request.getfixturevalue("strict_postgres")), True
        user = database.add_user(PASSWORD, group="with_password")
    assert database.accepts(user, PASSWORD)
    assert not database.accepts(user, "wrong")
    database.create()
    database.allow_all(user)
    yield database, user
    if is_own:
        database.drop()


def test_a_wrong_password_is_refused_with_the_user_and_without_the_password(guarded, refusal):
    database, user = guarded
    assert user in refusal(database.url(user=user, password=f"not {HUSH}"), secret=HUSH)
    assert database.query(database.tables) == []


def test_a_password_is_never_seen_whatever_happens(guarded, start_server):
    database, user = guarded
    with Proxy(database.host, database.port) as proxy:
        url = database.url(user=user, password=PASSWORD, hosts=f"{proxy.host}:{proxy.port}")
        server = start_server(url, "--log", "trace", secret=HUSH)
        write(server)
        assert database.kill_sessions() > 0
        assert len(read(server)) == 1
        proxy.refuse()
        proxy.cut()
        check_refused(lambda: read(server), UNAVAILABLE)
        time.sleep(2)  # the probe finds it, too
        for path in ("/", "/livez", "/readyz", "/metrics"):
            assert HUSH not in server.get(path)[1]
        ended = run("call", "GetArtifacts", "--store", url, "--log", "trace")
    assert ended.returncode == 1
    assert HUSH not in ended.stdout + ended.stderr
    # What is written to the log is looked through by `start_server`.


def test_a_password_that_stays_in_its_file_opens_the_store(guarded, start_server, tmp_path):
    database, user = guarded
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    url = database.url(user=user, password_file=str(file))
    write(start_server(url, "--log", "trace", secret=HUSH))


def test_a_password_file_that_is_wrong_or_missing_is_refused(guarded, refusal, tmp_path):
    database, user = guarded
    file = tmp_path / "password"
    url = database.url(user=user, password_file=str(file))
    assert str(file) in refusal(url)
    file.write_text(f"not {HUSH}\n")
    assert user in refusal(url, secret=HUSH)


# Rights and limits.


@pytest.mark.parametrize("is_there", [True, False], ids=["tables", "a database"])
def test_a_user_who_may_not_make_what_is_missing_is_refused_by_name(is_there, database, refusal):
    user = database.add_user(PASSWORD)
    if is_there:
        database.create()
        database.allow_rows(user)
    said = refusal(database.url(user=user, password=PASSWORD), secret=HUSH)
    assert user in said or database.name in said
    if is_there:
        assert database.query(database.tables) == []


def test_a_user_without_the_right_to_create_works_on_a_store_that_is_there(serve, database):
    write(serve())
    user = database.add_user(PASSWORD)
    database.allow_rows(user)
    server = serve(database.url(user=user, password=PASSWORD), secret=HUSH)
    assert len(read(server)) == 1
    write(server)
    assert len(read(server)) == 2


@pytest.fixture
def limited(database):
    """A user who may have few connections to the database."""
    database.create()
    user = database.add_user(PASSWORD)
    database.allow_all(user)
    database.limit_connections(user, CONNECTIONS_MAX)
    return user


def test_fewer_connections_than_wanted_slow_calls_down_and_stop_none_for_good(
    limited, serve, database
):
    server = serve(database.url(user=limited, password=PASSWORD), secret=HUSH)
    with Load([server], writers=8, readers=8) as load:
        time.sleep(3)
        assert database.sessions() <= CONNECTIONS_MAX
    assert load.acknowledged
    assert load.reads > 0
    assert load.codes() <= {"UNAVAILABLE"}
    assert all(failure.words.strip() for failure in load.failed_writes + load.failed_reads)
    database.limit_connections(limited, None)
    with Load([server], writers=8, readers=8, names="later", ids=load.ids) as unlimited:
        time.sleep(1)
    assert unlimited.codes() == set()
    assert unlimited.acknowledged
    stored_executions(database, load)


def test_a_start_without_a_free_connection_is_refused_with_the_cause(limited, database, refusal):
    held = [database.connect(database.name, limited, PASSWORD) for _ in range(CONNECTIONS_MAX)]
    said = refusal(database.url(user=limited, password=PASSWORD), secret=HUSH)
    assert "connection" in said.lower()
    for connection in held:
        connection.close()


# Databases of others.


def test_a_database_with_a_table_of_one_of_mlmds_names_is_refused_and_left_alone(database, refusal):
    database.create()
    database.query("CREATE TABLE Artifact (sculptor VARCHAR(20), weight INT)")
    database.query("INSERT INTO Artifact VALUES ('Rodin', 180)")
    said = refusal(database.url())
    assert "MLMD" in said
    assert database.name in said
    assert len(database.query(database.tables)) == 1
    assert database.query("SELECT * FROM Artifact") == [("Rodin", 180)]


def test_a_store_is_made_beside_foreign_tables_and_they_stay(serve, database):
    database.create()
    database.query("CREATE TABLE mine (n INT)")
    database.query("INSERT INTO mine VALUES (7)")
    write(serve())
    assert database.query("SELECT n FROM mine") == [(7,)]
    assert database.query("SELECT schema_version FROM MLMDEnv") == [(10,)]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE MLMDEnv SET schema_version = 11", "11"),
        ("UPDATE MLMDEnv SET schema_version = 9", "9"),
        ("INSERT INTO MLMDEnv VALUES (9)", "MLMDEnv"),
        ("DROP TABLE EventPath", "EventPath"),
    ],
    ids=["newer", "older", "two versions", "a table missing"],
)
def test_a_store_that_is_not_whole_or_not_of_this_version_is_refused_and_named(
    statement, words, serve, database, refusal
):
    serve().stop()
    database.query(statement)
    said = refusal(database.url())
    assert words.lower() in said.lower()
    assert database.name in said
