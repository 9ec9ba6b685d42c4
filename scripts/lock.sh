#!/usr/bin/env bash
# Pins requirements*.in by hash. torch and torchvision stay out: scripts/setup.sh chooses their build for the machine.
# nvidia-ml-py, which only Ultralytics' GPU figures use, stays out too.
set -euo pipefail
cd "$(dirname "$0")/.."
without=$(mktemp)
trap 'rm -f "$without"' EXIT
printf '%s; python_version < "3"\n' torch torchvision >"$without"
compile() {
    .venv/bin/uv --quiet pip compile --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --override "$without" --no-emit-package nvidia-ml-py --output-file "$2" "$1" >/dev/null
}
compile requirements.in requirements.txt
compile requirements-dev.in requirements-dev.txt
