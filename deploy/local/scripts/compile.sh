#!/usr/bin/env bash
# Resolves requirements/*.in into hashed requirements/*.txt. Every image gets the versions of dev.txt, so that what is tested is what ships.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../../requirements"

compile() {
    ../.venv/bin/uv pip compile --quiet --no-header --generate-hashes --python-version "${PYTHON:-3.11}" "$@"
}

services=()
for file in ../services/*/pyproject.toml; do services+=("$(basename "$(dirname "$file")")"); done

compile "${@}" dev.in "${services[@]/%/.in}" -o dev.txt
for image in build "${services[@]}" simulator clients web local; do
    compile "$image.in" -c dev.txt -o "$image.txt"
done
compile "${@}" reco-train.in -c dev.txt -o reco-train.txt
compile "${@}" sources.in -o sources.txt
compile "${@}" jdk.in -o jdk.txt
compile "${@}" uv.in -o uv.txt
compile "${@}" ../bench/peers/requirements.in -o ../bench/peers/requirements.txt
compile "${@}" ../bench/peers/recommending.in -o ../bench/peers/recommending.txt
PYTHON=3.13 compile "${@}" ../bench/peers/recommending_nexteval.in -o ../bench/peers/recommending_nexteval.txt
compile "${@}" ../bench/peers/privacy.in -o ../bench/peers/privacy.txt
