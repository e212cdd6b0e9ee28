#!/usr/bin/env bash
# Makes the environment in which factors are trained (LightFM, PySpark, Parquet; about 1 GB), apart from .venv, and prints its Python.
# Does nothing when neither the requirements nor the place of the tree changed since the last run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

venv=$PWD/.cache/reco-train
requirements=requirements/reco-train.txt
builders=requirements/sources.txt
sources=("$PWD"/libs/{eventfold,eventfold_ops,contracts,servicekit}/src "$PWD"/services/reco/src)

mkdir -p "$venv"
exec 9>"$venv.lock"
flock --timeout 1200 9 || {
    echo "training.sh: another run has held $venv.lock for 20 minutes; end it and run this again" >&2
    exit 1
}

command -v cc >/dev/null || {
    echo "training.sh: LightFM is built from source and no C compiler was found; install one (on Debian gcc and libc6-dev)" >&2
    exit 1
}

wanted=$({ pwd && sha256sum "$requirements" "$builders"; } | sha256sum)
if [[ ! -f $venv/.stamp || $(<"$venv/.stamp") != "$wanted" ]]; then
    echo "training.sh: making the environment for training, a few minutes the first time" >&2
    rm -f "$venv/.stamp"
    .venv/bin/python -m venv --clear "$venv"
    export VIRTUAL_ENV=$venv
    # LightFM and PySpark are built from source, by what is held to the same hashes; for any processor, not only this one.
    LIGHTFM_NO_CFLAGS=1 CFLAGS=-O3 .venv/bin/uv pip sync --quiet --require-hashes --require-build-hashes --build-constraints "$builders" "$requirements" >&2
    printf '%s\n' "${sources[@]}" >"$venv/lib/python3.11/site-packages/lyceum.pth"
    echo "$wanted" >"$venv/.stamp"
fi
echo "$venv/bin/python"
