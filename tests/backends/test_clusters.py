"""Clusters that lose a server under load: nothing acknowledged is lost, clients at most retry.

Only with CLUSTERS=1: each test starts a cluster of its own, and takes a minute.
"""

import os
import time

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from cluster import running
from databases import BACKENDS
from load import RETRIED, Load, check_the_api, stored_executions

pytestmark = [
    pytest.mark.skipif(os.environ.get("CLUSTERS") != "1", reason="slow: only with CLUSTERS=1"),
    pytest.mark.timeout(600),
]
WRITERS = int(os.environ.get("WRITERS", "32"))
SECONDS = float(os.environ.get("SECONDS", "5"))
PAUSE_SECONDS_MAX = 30


@pytest.fixture
def galera():
    with running("galera") as cluster:
        yield cluster


@pytest.fixture
def postgres():
    with running("postgres") as cluster:
        yield cluster


def database_of(cluster, name=None, server=0):
    scheme = "mysql" if cluster.engine == "galera" else "postgres"
    return BACKENDS[scheme](cluster.address(server), name)


def write_while(break_it, servers):
    """Writes before, while and after the cluster is broken; gives what was written."""
    with Load(servers, WRITERS, readers=4, retries=True) as load:
        time.sleep(SECONDS)
        before = len(load.acknowledged)
        break_it()
        broken_at = time.monotonic()
        while load.written_at[-1] < broken_at + 1:
            assert time.monotonic() < broken_at + PAUSE_SECONDS_MAX, load.failed_writes[-5:]
            time.sleep(0.1)
        time.sleep(SECONDS)
    moments = sorted(load.written_at)
    pause = max(later - earlier for earlier, later in zip(moments, moments[1:], strict=False))
    print(
        f"{before} steps before, {len(load.acknowledged) - before} then; the longest pause took"
        f" {pause:.1f} s; {len(load.failed_writes)} writes and {len(load.failed_reads)} reads were"
        " sent again"
    )
    assert before > 0
    assert pause < PAUSE_SECONDS_MAX
    assert load.codes() <= RETRIED, load.codes()
    assert all(failure.words.strip() for failure in load.failed_writes + load.failed_reads)
    assert all(server.is_running() for server in servers)
    return load


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_galera_loses_a_node_under_load_and_nothing_acknowledged(lost, galera, start_server):
    """Node 1 is the first in the URL, and so the one that is used, if one is."""
    database = database_of(galera)
    servers = [start_server(database.url(hosts=",".join(galera.hosts))) for _ in range(2)]
    load = write_while(lambda: galera.run("kill", lost), servers)
    for number in {1, 2, 3} - {lost}:
        node = database_of(galera, database.name, number - 1)
        executions = stored_executions(node, load)
    check_the_api(servers[0], executions)
    galera.run("revive", lost)
    assert stored_executions(database_of(galera, database.name, lost - 1), load) == executions
    check_the_api(servers[1], executions)


def test_galera_nodes_that_are_lost_one_after_the_other_lose_nothing(galera, start_server):
    database = database_of(galera)
    server = start_server(database.url(hosts=",".join(galera.hosts)))

    def roll():
        for number in (1, 2, 3):
            galera.run("kill", number)
            time.sleep(1)
            galera.run("revive", number)

    load = write_while(roll, [server])
    for number in range(3):
        executions = stored_executions(database_of(galera, database.name, number), load)
    check_the_api(server, executions)


def test_postgres_loses_its_primary_under_load_and_nothing_acknowledged(postgres, start_server):
    database = database_of(postgres)
    servers = [start_server(database.url(hosts=",".join(postgres.hosts))) for _ in range(2)]

    def fail_over():
        postgres.run("kill", "primary")
        time.sleep(1)
        postgres.run("promote")

    load = write_while(fail_over, servers)
    executions = stored_executions(database_of(postgres, database.name, 1), load)
    for server in servers:
        check_the_api(server, executions)


def test_a_server_finds_the_primary_wherever_it_stands_in_the_url(postgres, start_server):
    database = database_of(postgres)
    backwards = ",".join(reversed(postgres.hosts))
    server = start_server(database.url(hosts=backwards))
    assert server.store().put_artifact_type(pb.ArtifactType(name="Data")) > 0
    postgres.run("kill", "primary")
    postgres.run("promote")
    again = start_server(database.url(hosts=backwards))
    assert [found.name for found in again.store().get_artifact_types()][-1] == "Data"


def test_reads_that_may_go_to_a_replica_see_what_was_written(postgres, start_server, wait_until):
    """Soon, at least: the replica has a commit on disk, but may not show it yet."""
    database = database_of(postgres)
    server = start_server(database.url(read_replica=postgres.hosts[1]))
    store = server.store()
    type_id = store.put_artifact_type(pb.ArtifactType(name="Data"))
    for number in range(10):
        store.put_artifacts([pb.Artifact(type_id=type_id, name=f"artifact {number}")])
        wait_until(lambda written=number + 1: len(store.get_artifacts()) == written, 5)
    replica = database_of(postgres, database.name, 1)
    assert replica.sessions() > 0, "no read goes to the replica"
