#!/usr/bin/env bash
# Builds the checkers of manifests that come as Go modules, once, and prints the folder that holds them. Needs Go and a
# module proxy; says so with status 3 where there is none.
set -euo pipefail

folder="${LYCEUM_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/lyceum}/go-tools"
tools=(github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0 github.com/zegl/kube-score/cmd/kube-score@v1.20.0)

for tool in "${tools[@]}"; do
    name=$(basename "${tool%@*}")
    built="$folder/${tool##*@}/$name"
    if [[ ! -x $built ]]; then
        command -v go >/dev/null || {
            echo "k8s: $name needs Go to be built, and there is none: manifests are checked without it" >&2
            exit 3
        }
        echo "k8s: building $name" >&2
        GOBIN="$(dirname "$built")" CGO_ENABLED=0 go install -ldflags '-s -w' "$tool" || {
            echo "k8s: $name cannot be built (is a module proxy within reach?): manifests are checked without it" >&2
            exit 3
        }
    fi
    mkdir -p "$folder/bin"
    ln -sfn "$built" "$folder/bin/$name"
done
echo "$folder/bin"
