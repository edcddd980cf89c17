#!/usr/bin/env bash
# Measures the performance table of docs/performance.md; arguments go to perf/run.py, see its --help.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh test release
cargo build --release --locked --package packstone-load --package packstone-floor
exec .venv/bin/python -m perf.run "$@"
