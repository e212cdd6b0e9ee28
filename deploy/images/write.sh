#!/usr/bin/env bash
# Writes services/*/Dockerfile from the one pattern beside this script.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
for service in identity catalog billing reco metrics; do
    sed "s/@SERVICE@/$service/g" deploy/images/service.Dockerfile >"services/$service/Dockerfile"
done
