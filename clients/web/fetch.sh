#!/usr/bin/env bash
# Fetches what the browser needs beside our own files: the chart library, and for tests the checker of accessibility.
# npm brings them at the versions and SHA-512 sums of package-lock.json from the registry that it is set to, and runs none
# of their scripts. What is used of them goes to the folder that is printed; nothing else is kept. Without npm, or where
# it cannot fetch, this says so and prints nothing: pages then have their tables, and no charts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

cache=${LYCEUM_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/lyceum}
folder=$cache/web-$(sha256sum package-lock.json | cut -c 1-8)
export npm_config_fetch_retries=1 npm_config_fetch_retry_mintimeout=1000 npm_config_fetch_timeout=30000

give_up() {
    echo "fetch.sh: $1; pages have no charts until this works: make setup" >&2
    exit 0
}

if [[ ! -d $folder ]]; then
    command -v npm >/dev/null || give_up "npm is not installed (Debian: npm)"
    mkdir -p "$cache"
    fresh=$(mktemp -d "$cache/web-new.XXXXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    echo "fetch.sh: the chart library (npm, once)" >&2
    cp package.json package-lock.json .npmrc "$fresh"
    said=$(timeout 120 npm --prefix "$fresh" ci --loglevel=error 2>&1) || give_up "npm could not fetch it: $(head -n 2 <<<"$said" | tr '\n' ' ')"
    mkdir "$fresh/kept"
    cp "$fresh"/node_modules/{echarts/dist/echarts,axe-core/axe}.min.js "$fresh/kept"
    for file in LICENSE NOTICE; do cp "$fresh/node_modules/echarts/$file" "$fresh/kept/echarts.$file"; done
    # Complete or absent; of two that fetch at once, the first one's copy stays.
    mv -T "$fresh/kept" "$folder" 2>/dev/null || [[ -d $folder ]] || give_up "$folder cannot be written"
fi
echo "$folder"
