#!/usr/bin/env bash
# Runs all tests. Sets up what they need, and says aloud what it has to leave out.
#
#   bash test.sh
#
# Environment:
#   HEADWATER_TEST_POSTGRES   a PostgreSQL server for tests, as in postgres://postgres@127.0.0.1:5432
#   HEADWATER_TEST_MYSQL      a MySQL or MariaDB server, as in mysql://root@127.0.0.1:3306
#   HEADWATER_TEST_REQUIRED   set (as in CI): what would be left out is a failure
#   PYTHON                    a CPython 3.10 or 3.11; without it one is looked for
#   MATRIX                    Pythons and protobufs for the wheel; see python/test.sh
#   ORACLE_SEEDS, ORACLE_STEPS, CLIENT_CALLS, KILL_ROUNDS   see tests/mlmd/README.md
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python_minor_min=10
# shellcheck source=scripts/client_env.sh
source "$repo/scripts/client_env.sh"
cd "$repo"

# Databases named hw_test_… and mlmd_… are made and dropped on the servers, and nothing else.
server() {
    if [ -n "${!1:-}" ]; then return; fi
    if [ -n "${HEADWATER_TEST_REQUIRED:-}" ]; then fail "$1 names no $2 server" "$3"; fi
    printf '\nSKIPPED: all tests on %s. Name a server that may be used:\n  %s\n' "$2" "$3" >&2
}
server HEADWATER_TEST_POSTGRES PostgreSQL \
    "HEADWATER_TEST_POSTGRES=postgres://USER:PASSWORD@127.0.0.1:5432 bash test.sh"
server HEADWATER_TEST_MYSQL MySQL \
    "HEADWATER_TEST_MYSQL=mysql://USER:PASSWORD@127.0.0.1:3306 bash test.sh"
# Most of what these tests do is waiting for a server.
if [ -n "${HEADWATER_TEST_POSTGRES:-}${HEADWATER_TEST_MYSQL:-}" ]; then
    export RUST_TEST_THREADS=${RUST_TEST_THREADS:-8}
fi

check_cargo
say "Rust: unit tests, behaviours on every database, golden files, documentation"
cargo test --workspace --quiet
say "Building the server for the tests with the released client"
cargo build --release --quiet -p headwater-server

python=
if [ -n "${HEADWATER_TEST_REQUIRED:-}" ]; then
    find_python
else
    python=$(find_python >/dev/null 2>&1 && printf '%s' "$python") || true
fi
if [ -z "$python" ]; then
    printf '\nSKIPPED: all tests in tests/mlmd. They need CPython 3.10 or 3.11 on Linux x86-64,\n' >&2
    printf 'where the released ml-metadata client runs; name one with PYTHON=...\n' >&2
    exit 0
fi
install_client "$repo/.venv/tests" "$repo/tests/mlmd/requirements.txt"
say "The unmodified ml-metadata client against the server, and the released library as an oracle"
cd "$repo/tests/mlmd"
# What measures times, or takes both cores, runs by itself.
"$repo/.venv/tests/bin/python" -m pytest --quiet --numprocesses 4 -m "not alone"
"$repo/.venv/tests/bin/python" -m pytest --quiet -m alone
bash "$repo/python/test.sh"
if [ -n "${HEADWATER_TEST_POSTGRES:-}${HEADWATER_TEST_MYSQL:-}" ]; then
    say "Races, faults and latency on database servers"
    "$repo/.venv/tests/bin/python" -m pip install --quiet --disable-pip-version-check \
        -r "$repo/tests/backends/requirements.txt"
    cd "$repo/tests/backends"
    # test_faults.py and test_clusters.py take a quarter of an hour; tests/backends/README.md.
    START_ROUNDS=${START_ROUNDS:-2} "$repo/.venv/tests/bin/python" -m pytest --quiet \
        --numprocesses 4 --dist worksteal \
        test_races.py test_load.py test_latency.py test_interchange.py
    "$repo/.venv/tests/bin/python" -m pytest --quiet test_proxy.py  # measures times
fi
