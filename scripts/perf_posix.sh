#!/usr/bin/env bash
# Measures the mount beside others; arguments go to perf/posix.py, see its --help. Needs root, and /dev/fuse.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh test release
exec .venv/bin/python -m perf.posix "$@"
