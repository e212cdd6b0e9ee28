#!/usr/bin/env bash
# Validates an AsyncAPI document; fetches the parser at its locked version when it is not there yet. Without node it says so
# and passes: the Python tests of tools/generate still hold the document to the schemas.
set -euo pipefail
document=$(realpath "${1:?the AsyncAPI document}")
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "asyncapi: not validated, because node and npm are not installed; install Node 20 or newer to check it" >&2
    exit 0
fi
if ! cmp --silent package-lock.json node_modules/.installed; then
    echo "asyncapi: fetching the parser"
    npm ci --silent
    cp package-lock.json node_modules/.installed
fi
node validate.mjs "$document"
