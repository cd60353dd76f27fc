#!/usr/bin/env bash
# Builds Headwater, starts it, and runs a real training pipeline against it.
#
#   bash examples/run.sh          leaves the server running until Ctrl-C
#   bash examples/run.sh --once   stops the server at the end
#
# Environment:
#   LISTEN   address of the server, 127.0.0.1:8080
#   STORE    where it stores, sqlite:<repo>/headwater.db
#   PYTHON   a CPython 3.9 to 3.11; without it one is looked for
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python_minor_min=9
# shellcheck source=scripts/client_env.sh
source "$repo/scripts/client_env.sh"
venv=$repo/.venv/examples
out=$repo/examples/out
log=$out/server.log
binary=$repo/target/release/headwater
listen=${LISTEN:-127.0.0.1:8080}
store=${STORE:-sqlite:$repo/headwater.db}
once=no
server=
serving=no

# SIGTERM lets the server finish the calls in flight; it is killed only if it does not end by then.
stop_server() {
    [ -n "$server" ] || return 0
    kill -TERM "$server" 2>/dev/null || true
    for _ in {1..100}; do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
}

# Ctrl-C is how the default mode is meant to end, so there it counts as success.
interrupted() {
    trap "" HUP INT TERM
    [ "$serving" = yes ] || exit 130
    say "Stopping the server"
    exit 0
}

# Exits 0 if somebody accepts connections where the server is to listen.
port_is_taken() {
    "$venv/bin/python" - "$listen" <<'PYTHON'
import socket, sys
host, _, port = sys.argv[1].rpartition(":")
try:
    socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
except OSError:
    sys.exit(1)
PYTHON
}

server_is_ready() {
    "$venv/bin/python" - "http://$listen/readyz" 2>/dev/null <<'PYTHON'
import sys, urllib.request
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
sys.exit(direct.open(sys.argv[1], timeout=2).status != 200)
PYTHON
}

start_server() {
    if port_is_taken; then
        fail "something listens on $listen already" \
            "Stop it, or choose another port:  LISTEN=127.0.0.1:8081 bash examples/run.sh"
    fi
    mkdir -p "$out"
    # Job control gives the server a process group of its own: Ctrl-C then reaches the pipeline,
    # which records that it was canceled, and the server is stopped after it.
    set -m
    "$binary" serve --store "$store" --listen "$listen" >"$log" 2>&1 </dev/null &
    server=$!
    set +m
    for _ in {1..150}; do
        if ! kill -0 "$server" 2>/dev/null; then
            cat "$log" >&2
            server=
            fail "the server ended at once; its log is above"
        fi
        if server_is_ready; then return; fi
        sleep 0.2
    done
    cat "$log" >&2
    fail "the server is not ready after 30 s; its log is above"
}

# Leaves the server to the user. Ctrl-C ends the wait, and with it the script.
stay() {
    local status=0 shown
    shown=$(sed -E 's#//([^:/@]*):[^@]*@#//\1:***@#' <<<"$store") # a URL may hold a password
    cat <<TEXT

==> Headwater is listening on $listen until you press Ctrl-C.

  store       $shown
  files       $out
  server log  $log

In another terminal, in $repo:

  target/release/headwater call GetArtifacts '{}' --server http://$listen
  .venv/examples/bin/python examples/pipeline.py --server $listen --out examples/out --seed 8
  .venv/examples/bin/python examples/lineage.py --server $listen
TEXT
    serving=yes
    wait "$server" || status=$?
    cat "$log" >&2
    server=
    fail "the server ended by itself with status $status; its log is above"
}

for argument in "$@"; do
    case $argument in
    --once) once=yes ;;
    *) fail "unknown argument $argument" "usage: bash examples/run.sh [--once]" ;;
    esac
done
if ! [[ $listen =~ ^.+:[1-9][0-9]*$ ]]; then fail "LISTEN=$listen is not HOST:PORT"; fi

trap stop_server EXIT
trap interrupted HUP INT TERM

check_cargo
find_python
install_client "$venv" "$repo/examples/requirements.txt"
say "Building Headwater (the first time takes some minutes)"
(cd "$repo" && cargo build --release -p headwater-server --target-dir "$repo/target")
say "Starting the server on $listen"
start_server
# gRPC would send even loopback traffic to a proxy from the environment.
export no_proxy="${no_proxy:+$no_proxy,}${listen%:*}"
cd "$repo"
say "Training seven models, recording every step"
"$venv/bin/python" examples/pipeline.py --server "$listen" --out "$out"
say "Reading the lineage back"
"$venv/bin/python" examples/lineage.py --server "$listen"

if [ "$once" = no ]; then stay; fi
say "Stopping the server"
