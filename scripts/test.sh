#!/usr/bin/env bash
# Every test there is, but for the long rounds: what CI runs.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh test
scripts/lint.sh

cargo test --profile quick --locked --workspace
MYPYPATH=engine/bindings/python .venv/bin/stubtest packstone_engine
.venv/bin/pytest
