#!/usr/bin/env bash
# Makes .venv from the hashed requirements and installs every package of the tree into it, editable.
# Does nothing when neither the requirements, a pyproject.toml nor the place of the tree changed since the last run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

venv=.venv
python=${PYTHON:-}

refuse() {
    echo "make setup: $1" >&2
    exit 1
}

# fingerprint FILE... : changes with the names and content of the files, and with the folder of the tree (venvs hold it).
fingerprint() {
    { pwd && sha256sum "$@"; } | sha256sum | cut -d ' ' -f 1
}

# current NAME VALUE : true where the stamp NAME holds VALUE.
current() {
    [[ -f $venv/.stamp-$1 && $(<"$venv/.stamp-$1") == "$2" ]]
}

check_python() {
    command -v "$python" >/dev/null || refuse "no Python 3.11 was found that can make a venv; install it (on Debian with python3.11-venv), or name it: make setup PYTHON=/path/to/python3.11"
    local found
    found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || refuse "'$python' does not run; name a Python 3.11: make setup PYTHON=/path/to/python3.11"
    [[ $found == 3.11 ]] || refuse "Python 3.11 is needed and '$python' is $found; install 3.11, or name it: make setup PYTHON=/path/to/python3.11"
}

install_requirements() {
    echo "setup: third-party packages (hashed)"
    rm -f "$venv"/.stamp-requirements "$venv"/.stamp-projects
    if ! current place "$PWD"; then
        if [[ -z $python ]]; then
            python=$(deploy/local/scripts/python.sh)
            check_python
        fi
        echo "setup: $(command -v "$python"), $("$python" --version)"
        "$python" -m venv --clear "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
        echo "$PWD" >"$venv/.stamp-place"
    fi
    VIRTUAL_ENV=$PWD/$venv "$venv/bin/uv" pip sync --quiet --require-hashes requirements/uv.txt requirements/dev.txt
}

install_projects() {
    echo "setup: the packages of this tree (editable)"
    local editable=()
    for file in "$@"; do editable+=(-e "$(dirname "$file")"); done
    VIRTUAL_ENV=$PWD/$venv "$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --offline "${editable[@]}"
}

install_java_if_missing() {
    "$venv/bin/python" -m lyceum_local java >/dev/null 2>&1 && return
    echo "setup: no JDK 17 or newer found, installing the one from requirements/jdk.txt"
    VIRTUAL_ENV=$PWD/$venv "$venv/bin/uv" pip install --quiet --require-hashes -r requirements/jdk.txt
}

[[ -z $python ]] || check_python
mkdir -p "$venv"
exec 9>"$venv.lock"
flock --timeout 600 9 || refuse "another 'make setup' has held $venv.lock for 10 minutes; end it and run this again"

wanted=$(fingerprint requirements/*.txt)
if ! current requirements "$wanted"; then
    install_requirements
    echo "$wanted" >"$venv/.stamp-requirements"
fi

shopt -s nullglob
projects=(libs/*/pyproject.toml services/*/pyproject.toml clients/*/pyproject.toml tools/*/pyproject.toml deploy/*/pyproject.toml)
wanted=$(fingerprint "${projects[@]}")
if ! current projects "$wanted"; then
    install_projects "${projects[@]}"
    install_java_if_missing
    echo "$wanted" >"$venv/.stamp-projects"
fi

clients/web/fetch.sh >/dev/null
