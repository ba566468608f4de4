#!/usr/bin/env bash
# Sets up what is missing, then runs the words after it inside the environment:
#
#     bash install.sh                        set up only
#     bash install.sh python inference.py    set up if needed, then sing
#
# The active environment is used if there is one (VIRTUAL_ENV or CONDA_PREFIX), else .venv beside this file is made with
# JAM_PYTHON (default: a python3 of version 3.11 or newer). The second time it is instant: a stamp inside the environment
# says which requirements, of which folder, are in. It is written last, so an install that was cut off is taken up again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

recent_enough() { # PYTHON
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${JAM_PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null && recent_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or newer found (tried: ${JAM_PYTHON:-python3 python3.13 python3.12 python3.11}); name one: JAM_PYTHON=/path/to/python bash install.sh"
}

environment=${VIRTUAL_ENV:-${CONDA_PREFIX:-}}
if [ -n "$environment" ]; then
    [ -x "$environment/bin/python" ] || fail "the active environment $environment has no bin/python; deactivate it (deactivate, conda deactivate) and try again"
    recent_enough "$environment/bin/python" || fail "the active environment $environment is older than Python 3.11; deactivate it and try again"
else
    environment=$PWD/.venv
fi
stamp=$environment/.jam-installed
wanted="$(cksum <requirements.txt) $PWD"

if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    moved=no # an environment's scripts know their folder: one that was moved is made anew
    [ -f "$stamp" ] && [ "$environment" = "$PWD/.venv" ] && ! grep -qxF "${wanted#* * }" <(cut -d' ' -f3- "$stamp") && moved=yes
    if [ $moved = yes ] || ! "$environment/bin/python" -m pip --version >/dev/null 2>&1; then
        [ "$environment" = "$PWD/.venv" ] || fail "the active environment $environment has no pip; install it there (python -m ensurepip) and try again"
        python=$(find_python)
        echo "install.sh: making $environment with $("$python" --version)"
        "$python" -m venv --clear "$environment" || fail "could not make $environment (on Debian and Ubuntu: apt-get install python3-venv)"
    fi
    rm -f "$stamp"
    echo "install.sh: installing requirements.txt into $environment (first time: several GB, a few minutes)"
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
    "$environment/bin/python" -m pip install -r requirements.txt |
        { grep --line-buffered -v -e '^Requirement already' -e '^Looking in' -e '^  Using cached' -e '^  Obtaining dependency' -e '^Collecting' || true; } ||
        fail "pip could not install requirements.txt (its message is above); run this again to go on where it stopped"
    "$environment/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable . ||
        fail "pip could not add this folder to $environment (its message is above)"
    echo "$wanted" >"$stamp"
    echo "install.sh: done"
fi

[ $# -gt 0 ] || exit 0
export VIRTUAL_ENV=$environment PATH="$environment/bin:$PATH"
unset PYTHONHOME
command -v "$1" >/dev/null || fail "no command '$1' in $environment or on the PATH"
exec "$@"
