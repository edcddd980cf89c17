#!/usr/bin/env bash
# Builds the native engine and puts it where `packstone_engine` looks for it.
#   build.sh                    to be run
#   build.sh test [PROFILE]     with what tests need besides, by cargo's profile `quick` unless another is named
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-build} profile=${2:-quick}
if [[ $purpose == build ]]; then
    profile=release
fi
scripts/setup.sh "$purpose"

cargo build --profile "$profile" --locked --workspace --exclude packstone-fuzz

built=${CARGO_TARGET_DIR:-target}/$profile/libpackstone_bindings.so
placed=engine/bindings/python/packstone_engine/_native.abi3.so
if ! cmp --silent "$built" "$placed"; then
    # Renamed into place: a server that runs has the old file mapped.
    cp "$built" "$placed.new"
    mv "$placed.new" "$placed"
fi
.venv/bin/python -m compileall -q appliance gateway engine/bindings/python
