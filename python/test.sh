#!/usr/bin/env bash
# Builds the wheel, and runs its tests on the Pythons that are here, each with another protobuf.
#
#   bash python/test.sh
#
# Environment:
#   MATRIX                    "PYTHON:PROTOBUF …" in place of the pairs below
#   HEADWATER_TEST_POSTGRES, HEADWATER_TEST_MYSQL   see test.sh; the newest Python tries them
#   HEADWATER_BIN             the server that is called, target/release/headwater
#   HEADWATER_TEST_REQUIRED   set (as in CI): fewer than two Pythons, or no server, is a failure
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/client_env.sh
source "$repo/scripts/client_env.sh"
matrix=${MATRIX:-3.9:3.20.3 3.11:4.25.9 3.13:7.36.2}

# The interpreter of a version such as 3.11, if it is here and works.
find_version() {
    local candidate
    for candidate in "$HOME"/.pyenv/versions/"$1"{,.*}/bin/python "python$1" python3; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c "import ensurepip, sys, venv
sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

pip() { "$1" -m pip --disable-pip-version-check --quiet "${@:2}"; }

pythons=()
for pair in $matrix; do
    version=${pair%:*}
    interpreter=$(find_version "$version")
    if [ -n "$interpreter" ]; then
        pythons+=("$version:${pair#*:}:$interpreter")
    else
        printf '\nSKIPPED: the Python packages on CPython %s, which is not here\n' "$version" >&2
    fi
done
if [ ${#pythons[@]} -lt 2 ] && [ -n "${HEADWATER_TEST_REQUIRED:-}" ]; then
    fail "fewer than two Pythons of $matrix are here"
fi
if [ ${#pythons[@]} = 0 ]; then exit 0; fi

check_cargo
newest=${pythons[-1]##*:}
wheels=$repo/target/wheels
rm -rf "$wheels"
pip "$newest" wheel "$repo/python" --no-deps --wheel-dir "$wheels"
for entry in "${pythons[@]}"; do
    IFS=: read -r version protobuf interpreter <<<"$entry"
    say "The Python packages on CPython $version with protobuf $protobuf"
    venv=$repo/.venv/python-$version
    "$interpreter" -m venv --clear "$venv"
    pip "$venv/bin/python" install "$wheels"/*.whl "protobuf==$protobuf" grpcio pytest \
        pytest-timeout pytest-xdist
    servers=()
    if [ "$interpreter" = "$newest" ]; then
        pip "$venv/bin/python" install pandas pyarrow polars Pillow fsspec tqdm \
            mypy types-protobuf grpc-stubs pg8000 pymysql
    else
        # Database servers are slow to make databases, and do not care which Python asks.
        servers=(-u HEADWATER_TEST_POSTGRES -u HEADWATER_TEST_MYSQL)
    fi
    # Not from the checkout: what is installed is tested.
    (cd "$repo/python/tests" && env "${servers[@]+"${servers[@]}"}" \
        "$venv/bin/python" -m pytest --quiet --timeout 300 --numprocesses 4 --ignore tfx \
        --ignore autolog)
done
say "What autolog records, with the libraries themselves"
autolog=$repo/.venv/autolog
"$newest" -m venv --clear "$autolog"
pip "$autolog/bin/python" install "$wheels"/*.whl grpcio pytest pytest-timeout pytest-xdist \
    -r "$repo/python/tests/autolog/requirements.txt"
if [ -n "${HEADWATER_TEST_REQUIRED:-}" ]; then
    pip "$autolog/bin/python" install -r "$repo/python/tests/autolog/requirements-torch.txt"
else
    printf '\nSKIPPED: PyTorch, which is 5 GB: python/tests/autolog/requirements-torch.txt\n' >&2
fi
(cd "$repo/python/tests/autolog" &&
    "$autolog/bin/python" -m pytest --quiet --timeout 300 --numprocesses 2)
say "Types"
cd "$wheels"
"$venv/bin/mypy" --config-file "$repo/python/pyproject.toml" -p headwater

"$venv/bin/stubtest" --mypy-config-file "$repo/python/pyproject.toml" headwater._native
