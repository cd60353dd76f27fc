#!/usr/bin/env bash
# Runs all tests. Sets up what they need, and says aloud what it has to leave out.
#
#   bash test.sh
#
# Environment:
#   HEADWATER_TEST_REQUIRED   set (as in CI): what would be left out is a failure
#   PYTHON                    a CPython 3.10 or 3.11; without it one is looked for
#   ORACLE_SEEDS, ORACLE_STEPS, CLIENT_CALLS, KILL_ROUNDS   see tests/mlmd/README.md
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python_minor_min=10
# shellcheck source=scripts/client_env.sh
source "$repo/scripts/client_env.sh"
cd "$repo"

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
cd tests/mlmd
"$repo/.venv/tests/bin/python" -m pytest --quiet
