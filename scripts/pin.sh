#!/usr/bin/env bash
# Resolves the Python dependencies of pyproject.toml anew and pins them, with hashes, in the requirements files.
# Run it by hand after changing a dependency: scripts/pin.sh [--upgrade-package NAME | --upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."

uv=.venv/bin/uv
trap 'rm -f uv.lock' EXIT

"$uv" lock --quiet --python .venv/bin/python "$@"
export_pins() {
    "$uv" export --quiet --locked --no-emit-workspace --no-header --no-annotate --no-default-groups --group build "$@"
}
export_pins >requirements.txt
export_pins --group dev >requirements-dev.txt

if grep -nE '://|--(extra-)?index-url|--find-links' requirements.txt requirements-dev.txt; then
    echo 'The lines above tie the pins to one package index: take them out.' >&2
    exit 1
fi
