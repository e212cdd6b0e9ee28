#!/usr/bin/env bash
# Applies both overlays, and all components at once, to a real API server, server-side: no rejection, no warning. Builds etcd and kube-apiserver from
# their Go modules, once (some 10 minutes on 2 cores, 3 GB of modules). CRDS=folder has the definitions of the custom
# resources. Nothing is scheduled: there are no machines and no controllers, only what the server itself checks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

crds=$(realpath "${CRDS:-../../../../shared/data/crds}")
[[ -d $crds ]] || { echo "k8s: the definitions of custom resources are not there: CRDS=$crds" >&2; exit 3; }
command -v go >/dev/null || { echo "k8s: building an API server needs Go, and there is none" >&2; exit 3; }

kubernetes=1.36.3
etcd=3.6.7
cache="${LYCEUM_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/lyceum}/apiserver-$kubernetes-$etcd"
python=$(cd ../../.. && pwd)/.venv/bin/python
k8s=$(cd .. && pwd)
kubectl=$(dirname "$python")/kubectl

# build NAME MODULE VERSION SOURCE [REPLACED]: a program from a module's package, with k8s.io/* at 0.x of its version.
build() {
    [[ -x $cache/$1 ]] && return
    echo "k8s: building $1 $3"
    local work
    work=$(mktemp -d)
    cp "$4" "$work/main.go"
    (
        cd "$work"
        go mod init trial >/dev/null 2>&1
        go mod edit -require "$2@v$3"
        if [[ -n ${5:-} ]]; then
            local mod
            mod=$(go mod download -json "$2@v$3" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
            sed -n 's/^\t\(k8s\.io\/[a-z-]*\) => \.\/staging.*/\1/p' "$mod" | while read -r one; do go mod edit -replace "$one=$one@v0.${3#*.}"; done
        fi
        go mod tidy -e >/dev/null 2>&1
        CGO_ENABLED=0 go build -ldflags '-s -w' -o "$cache/$1" .
    )
    rm -rf "$work"
}

mkdir -p "$cache"
build etcd go.etcd.io/etcd/server/v3 "$etcd" etcd.go.txt
build kube-apiserver k8s.io/kubernetes "$kubernetes" apiserver.go.txt staging

run=$(mktemp -d)
end() {
    exec 2>/dev/null # bash names each job that was killed
    jobs -p | xargs -r kill -KILL 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$run"
}
trap end EXIT

# free : a port that nobody listens on.
free() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start NAME: a fresh server in a folder of its own; KC asks it.
start() {
    local store peer port folder="$run/$1"
    store=$(free) peer=$(free) port=$(free)
    mkdir "$folder"
    "$cache/etcd" --data-dir "$folder/data" --listen-client-urls "http://127.0.0.1:$store" --unsafe-no-fsync \
        --advertise-client-urls "http://127.0.0.1:$store" --listen-peer-urls "http://127.0.0.1:$peer" >"$folder/etcd.log" 2>&1 &
    openssl genrsa -out "$folder/key" 2048 2>/dev/null
    echo 'trial,admin,1,"system:masters"' >"$folder/tokens"
    "$cache/kube-apiserver" --etcd-servers "http://127.0.0.1:$store" --secure-port "$port" --bind-address 127.0.0.1 \
        --service-account-key-file "$folder/key" --service-account-signing-key-file "$folder/key" --cert-dir "$folder/certs" \
        --service-account-issuer https://kubernetes.default.svc --service-cluster-ip-range 10.0.0.0/16 \
        --token-auth-file "$folder/tokens" --authorization-mode RBAC --disable-admission-plugins ServiceAccount >"$folder/api.log" 2>&1 &
    KC=("$kubectl" --server "https://127.0.0.1:$port" --insecure-skip-tls-verify --token trial)
    for _ in $(seq 120); do
        "${KC[@]}" get --raw /readyz >/dev/null 2>&1 && return
        sleep 0.5
    done
    tail -5 "$folder/api.log" >&2
    return 1
}

most=(kafka postgres backups poolers scaling mtls external-secrets gateway-api monitoring tracing schema-registry payment-simulator release)

# together NAME COMPONENT...: these components on the base, also those that no overlay uses.
together() {
    local name=$1
    shift
    mkdir "$run/$name"
    (
        cd "$run/$name"
        up=$(realpath --relative-to=. "$k8s")
        printf 'namespace: lyceum\nresources: [%s/base]\ncomponents:\n' "$up"
        for one in "$@"; do printf -- '  - %s/components/%s\n' "$up" "$one"; done
        printf 'configMapGenerator:\n  - {name: release, literals: [VERSION=1.0.0, IN_NAMES=1-0-0]}\n'
        printf '  - {name: restore, literals: ["RESTORE_TO=2026-11-29T14:00:00Z"]}\n'
    ) >"$run/$name/kustomization.yaml"
    "$kubectl" kustomize "$run/$name"
}

# rendered NAME: the objects of an overlay, or of all components.
rendered() {
    case $1 in
    everything) together everything "${most[@]}" ;;
    restored) together restored ${most[*]/#backups/backups restore} ;;
    *) "$python" -m lyceum_k8s render "$1" ;;
    esac
}

for one in "$k8s"/components/*/; do
    [[ " ${most[*]} restore " == *" $(basename "$one") "* ]] || { echo "k8s: the trial leaves out $one" >&2; exit 1; }
done
status=0
for overlay in local prod restored everything; do
    mkdir -p "$run/servers"
    start "servers/$overlay"
    "${KC[@]}" apply --server-side -f "$crds" >"$run/crds.log" 2>&1
    "${KC[@]}" wait --for=condition=established --timeout=60s crd --all >/dev/null
    rendered "$overlay" >"$run/$overlay.yaml"
    # Twice: what is applied again must change nothing.
    for round in first again; do
        "${KC[@]}" apply --server-side --field-manager lyceum -f "$run/$overlay.yaml" >"$run/said" 2>&1 || status=1
        echo "$overlay, $round: $(grep -c 'serverside-applied' "$run/said" || true) objects applied, $(grep -vc 'serverside-applied' "$run/said" || true) complaints"
        grep -v 'serverside-applied' "$run/said" && status=1
    done
done
# Other settings under the same version: the jobs cannot be changed, so they go first, as the README says.
sed 's/api\.example\.org/learn.example.org/' "$run/everything.yaml" | sed -E 's/(lyceum-settings-)[a-z0-9]+/\1changed0000/' >"$run/changed.yaml"
"${KC[@]}" -n lyceum delete job -l lyceum.io/role=prepare --ignore-not-found >/dev/null
"${KC[@]}" apply --server-side --field-manager lyceum -f "$run/changed.yaml" >"$run/said" 2>&1 || status=1
echo "everything, other settings: $(grep -c 'serverside-applied' "$run/said" || true) objects applied, $(grep -vc 'serverside-applied' "$run/said" || true) complaints"
grep -v 'serverside-applied' "$run/said" && status=1
exit "$status"
