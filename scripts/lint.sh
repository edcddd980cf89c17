#!/usr/bin/env bash
# Formatting, lint and types of Python and Rust; changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh test

.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
cargo fmt --all --check
# The profile of the tests, so that C libraries are compiled once for everything that `make test` does.
cargo clippy --profile quick --locked --workspace --all-targets -- -D warnings
