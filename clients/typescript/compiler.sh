#!/usr/bin/env bash
# Prints the path of the TypeScript compiler at the version and SHA-512 sum of package-lock.json; npm fetches it once, from
# the registry that it is set to, and runs none of its scripts. Without Node 20.3 and npm, or where npm cannot fetch, it says
# so and prints nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

cache=${LYCEUM_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/lyceum}
folder=$cache/typescript-$(sha256sum package-lock.json | cut -c 1-8)
export npm_config_fetch_retries=1 npm_config_fetch_retry_mintimeout=1000 npm_config_fetch_timeout=30000

give_up() {
    echo "compiler.sh: $1" >&2
    exit 0
}

command -v node >/dev/null || give_up "Node is not installed (20.3 or newer)"
node -e 'const [a, b] = process.versions.node.split("."); process.exit(+a > 20 || (+a == 20 && +b >= 3) ? 0 : 1)' ||
    give_up "Node $(node --version) is too old: 20.3 or newer is needed"
if [[ ! -d $folder ]]; then
    command -v npm >/dev/null || give_up "npm is not installed"
    mkdir -p "$cache"
    fresh=$(mktemp -d "$cache/typescript-new.XXXXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    cp package.json package-lock.json .npmrc "$fresh"
    said=$(timeout 120 npm --prefix "$fresh" ci --loglevel=error 2>&1) || give_up "npm could not fetch it: $(head -n 2 <<<"$said" | tr '\n' ' ')"
    # Complete or absent; of two that fetch at once, the first one's copy stays.
    mv -T "$fresh/node_modules" "$folder" 2>/dev/null || [[ -d $folder ]] || give_up "$folder cannot be written"
fi
echo "$folder/.bin/tsc"
