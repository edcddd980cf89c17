#!/usr/bin/env bash
# Builds the native engine and puts it where `packstone_engine` looks for it.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh "${1:-build}"

cargo build --release --locked --workspace --exclude packstone-fuzz

built=${CARGO_TARGET_DIR:-target}/release/libpackstone_bindings.so
placed=engine/bindings/python/packstone_engine/_native.abi3.so
if ! cmp --silent "$built" "$placed"; then
    # Renamed into place: a server that runs has the old file mapped.
    cp "$built" "$placed.new"
    mv "$placed.new" "$placed"
fi
.venv/bin/python -m compileall -q appliance gateway engine/bindings/python
