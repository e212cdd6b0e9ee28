#!/usr/bin/env bash
# Set up, start, demonstrate, and say how long each took. KEEP=0 stops the stack after; FULL=1 replays all of the input.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

# timed NAME COMMAND... : runs the command and prints its wall time.
timed() {
    local name=$1 began=$SECONDS
    shift
    "$@"
    echo "stage $name: $((SECONDS - began)) s"
}

stop_unless_kept() {
    [[ ${KEEP:-1} != 0 ]] || .venv/bin/python -m lyceum_local down
}

timed setup deploy/local/scripts/setup.sh
trap stop_unless_kept EXIT
timed up .venv/bin/python -m lyceum_local up
slice=()
[[ ${FULL:-0} == 0 ]] || slice=(--full)
timed demo .venv/bin/python -m lyceum_demo "${slice[@]}"
.venv/bin/python -m lyceum_local status
echo "in all: $SECONDS s"
[[ ${KEEP:-1} == 0 ]] || .venv/bin/python -m lyceum_local dashboard --query "$(.venv/bin/python -m lyceum_demo --look)"
