"""Many writers on one context: no call fails, and nothing acknowledged is lost."""

import os
import time

import pytest

from load import Load, check_the_api, stored_executions

WRITERS = int(os.environ.get("WRITERS", "32"))
SECONDS = float(os.environ.get("SECONDS", "5"))


@pytest.mark.timeout(240 + 4 * SECONDS + WRITERS)
@pytest.mark.parametrize("servers", [1, 2], ids=["one server", "two servers"])
def test_writers_on_one_context_have_no_call_fail_and_every_step_is_there_once(
    servers, serve, database
):
    started = [serve() for _ in range(servers)]
    with Load(started, WRITERS) as load:
        time.sleep(SECONDS)
    assert load.failed_writes == []
    writers = {name.rpartition("-step-")[0] for name in load.acknowledged}
    assert len(writers) == WRITERS, "a writer wrote nothing"
    executions = stored_executions(database, load)
    assert executions.keys() == load.acknowledged.keys()
    ((count,),) = database.query("SELECT count(*) FROM Execution")
    assert count == len(executions)
    for server in started:
        check_the_api(server, executions)
    print(f"{WRITERS} writers, {servers} servers: {count / SECONDS:.0f} steps a second")
