#!/usr/bin/env bash
# Removes what `make` built and installed in this directory. Stored objects in ./data stay.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo clean
rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .hypothesis engine/bindings/python/packstone_engine/_native.abi3.so
find appliance fuse gateway perf scripts tests -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
