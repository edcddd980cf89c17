#!/usr/bin/env bash
# The long rounds: every Rust test with 2,000 histories a profile, as many over S3, fuzzing, and pytest's `soak` tests,
# which say what programs they would need that aren't installed.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh test

export PACKSTONE_HISTORIES=2000
cargo test --profile quick --locked --workspace
.venv/bin/pytest tests/histories
scripts/fuzz.sh
.venv/bin/pytest -m soak -rs --timeout=7200
