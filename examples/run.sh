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
venv=$repo/.venv/examples
out=$repo/examples/out
log=$out/server.log
binary=$repo/target/release/headwater
listen=${LISTEN:-127.0.0.1:8080}
store=${STORE:-sqlite:$repo/headwater.db}
once=no
server=
serving=no

say() { printf '\n==> %s\n' "$*"; }

# The first argument is the error, the others are what to do about it.
fail() {
    printf '\nerror: %s\n' "$1" >&2
    shift
    if [ $# -gt 0 ]; then printf '  %s\n' "$@" >&2; fi
    exit 1
}

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

# Prints why a Python will not do, or nothing.
objection() {
    "$1" - 2>/dev/null <<'PYTHON' || echo "does not run"
import platform, sys
if platform.python_implementation() != "CPython" or not (3, 9) <= sys.version_info[:2] <= (3, 11):
    print("is " + platform.python_implementation() + " " + platform.python_version())
else:
    try:
        import ensurepip, venv
    except ImportError:
        print("lacks the module venv")
PYTHON
}

find_python() {
    local candidate reason
    local -a rejected=() candidates=()
    # What the user names comes first; a pyenv that is not on the PATH last.
    if [ -n "${PYTHON:-}" ]; then candidates+=("$PYTHON"); fi
    candidates+=(python3.11 python3.10 python3.9 python3)
    for candidate in "$HOME"/.pyenv/versions/3.{11,10,9}{,.*}/bin/python; do
        if [ -x "$candidate" ]; then candidates+=("$candidate"); fi
    done
    for candidate in "${candidates[@]}"; do
        if ! command -v "$candidate" >/dev/null; then
            if [ "$candidate" = "${PYTHON:-}" ]; then rejected+=("$candidate is not there"); fi
            continue
        fi
        reason=$(objection "$candidate")
        if [ -z "$reason" ]; then
            python=$(command -v "$candidate")
            return
        fi
        rejected+=("$candidate $reason")
    done
    fail "the ml-metadata client needs CPython 3.9, 3.10 or 3.11 with the module venv" \
        "Debian, Ubuntu:  sudo apt install python3.11 python3.11-venv" \
        "pyenv:           pyenv install 3.11" \
        "or name one:     PYTHON=/path/to/python3.11 bash examples/run.sh" \
        ${rejected[@]+"${rejected[@]/#/found, but no use: }"}
}

check_tools() {
    if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
        PATH=$HOME/.cargo/bin:$PATH
    fi
    command -v cargo >/dev/null || fail "cargo, the build tool of Rust, is not installed" \
        "Get it from https://rustup.rs, open a new terminal, and run this again."
    command -v cc >/dev/null || fail "there is no C compiler (cc); Rust links with it" \
        "Debian, Ubuntu:  sudo apt install build-essential" \
        "macOS:           xcode-select --install"
    find_python
}

# Installs again only when requirements.txt or the Python has changed.
install_client() {
    local stamp=$venv/installed wanted
    wanted=$("$python" --version && cat "$repo/examples/requirements.txt")
    if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
    say "Installing the ml-metadata client and scikit-learn into .venv/examples (once)"
    printf 'with %s, %s\n' "$python" "$("$python" --version)"
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        -r "$repo/examples/requirements.txt" || fail "pip could not install the requirements" \
        "The ml-metadata client is released for Linux on x86-64 only; elsewhere, try a container." \
        "On Linux x86-64, see pip's message above."
    printf '%s\n' "$wanted" >"$stamp"
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

check_tools
install_client
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
