# shellcheck shell=bash
# Finding the tools and the Python that the released ml-metadata client runs on. Sourced by the
# scripts that need it; they set $repo, and $python_minor_min to the oldest CPython 3.x they can do
# with.

say() { printf '\n==> %s\n' "$*"; }

# The first argument is the error, the others are what to do about it.
fail() {
    printf '\nerror: %s\n' "$1" >&2
    shift
    if [ $# -gt 0 ]; then printf '  %s\n' "$@" >&2; fi
    exit 1
}

# Prints why a Python will not do, or nothing.
objection() {
    "$1" - "$python_minor_min" 2>/dev/null <<'PYTHON' || echo "does not run"
import platform, sys
oldest = (3, int(sys.argv[1]))
if platform.python_implementation() != "CPython" or not oldest <= sys.version_info[:2] <= (3, 11):
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
    fail "this needs CPython 3.$python_minor_min to 3.11 with the module venv, for ml-metadata" \
        "Debian, Ubuntu:  sudo apt install python3.11 python3.11-venv" \
        "pyenv:           pyenv install 3.11" \
        "or name one:     PYTHON=/path/to/python3.11 bash $0" \
        ${rejected[@]+"${rejected[@]/#/found, but no use: }"}
}

check_cargo() {
    if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
        PATH=$HOME/.cargo/bin:$PATH
    fi
    command -v cargo >/dev/null || fail "cargo, the build tool of Rust, is not installed" \
        "Get it from https://rustup.rs, open a new terminal, and run this again."
    command -v cc >/dev/null || fail "there is no C compiler (cc); Rust links with it" \
        "Debian, Ubuntu:  sudo apt install build-essential" \
        "macOS:           xcode-select --install"
}

# Makes the environment $1 with what the requirements file $2 names; again only when that file or
# the Python has changed.
install_client() {
    local venv=$1 requirements=$2 stamp=$1/installed wanted
    wanted=$("$python" --version && cat "$requirements")
    if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
    say "Installing the ml-metadata client into ${venv#"$repo/"} (once)"
    printf 'with %s, %s\n' "$python" "$("$python" --version)"
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements" || fail "pip could not install the requirements" \
        "The ml-metadata client is released for Linux on x86-64 only; elsewhere, try a container." \
        "On Linux x86-64, see pip's message above."
    printf '%s\n' "$wanted" >"$stamp"
}
