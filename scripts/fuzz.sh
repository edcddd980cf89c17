#!/usr/bin/env bash
# Coverage-guided fuzzing of every reader of drives and requests, with libFuzzer.
#   fuzz.sh                 every target, PACKSTONE_FUZZ_SECONDS (300) each
#   fuzz.sh TARGET...       these
#   fuzz.sh TARGET FILE     one input, as often as needed to see it crash
# What was reached stays in target/fuzz/corpus/TARGET, for the next round; what crashed in target/fuzz/found/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh fuzz

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
# The passes that cargo-fuzz asks for; with --target they instrument what is fuzzed and not what builds it.
RUSTFLAGS="--cfg fuzzing -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=4
    -C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table
    -C llvm-args=-sanitizer-coverage-trace-compares" \
    cargo build --locked --profile fuzz --target "$host" --package packstone-fuzz --features libfuzzer
fuzz=$CARGO_TARGET_DIR/$host/fuzz/fuzz

run() {
    # run TARGET LIBFUZZER_ARGUMENT...
    PACKSTONE_FUZZ_TARGET=$1 "$fuzz" -rss_limit_mb=2048 -timeout=10 \
        -artifact_prefix="$CARGO_TARGET_DIR/found/$1/" "${@:2}"
}

if (($# == 2)) && [[ -f $2 ]]; then
    run "$1" "$2"
    exit
fi
if (($# == 0)); then
    mapfile -t targets < <("$fuzz" 2>/dev/null)
    set -- "${targets[@]}"
fi
for target in "$@"; do
    corpus=$CARGO_TARGET_DIR/corpus/$target found=$CARGO_TARGET_DIR/found/$target seeds=$CARGO_TARGET_DIR/seeds/$target
    mkdir -p "$corpus" "$found" "$seeds"
    if PACKSTONE_FUZZ_SEEDS=$seeds run "$target" -max_total_time="${PACKSTONE_FUZZ_SECONDS:-300}" -max_len=65536 -print_final_stats=1 \
        "$corpus" "$seeds" &>"$found/log"; then
        echo "fuzz $target: $(grep -E '^#[0-9]+\s+DONE' "$found/log")"
    else
        tail -n 40 "$found/log" >&2
        input=$(sed -n 's/.*Test unit written to //p' "$found/log")
        echo "fuzz $target: failed; see it again by: scripts/fuzz.sh $target ${input:-(no input; $found/log says more)}" >&2
        exit 1
    fi
done
