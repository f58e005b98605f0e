#!/usr/bin/env bash
# tests/fuzz/run.sh [TARGET] [SECONDS]: fuzzes one target, or each, for a while (default 60 s). Needs a nightly compiler.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/setup/build.sh
build_needs
rustup toolchain list | grep -q nightly || fail "no nightly compiler" "rustup toolchain install nightly"
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked --debug --quiet
targets=${1:-frames messages statements config}
for target in $targets; do
    say "fuzzing $target"
    # Findings and new inputs stay out of the committed corpus.
    mkdir -p "target/fuzz/$target"
    cargo +nightly fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz-build "$target" "target/fuzz/$target" "tests/fuzz/corpus/$target" -- \
        -max_total_time="${2:-60}" -rss_limit_mb=2048 -timeout=10 -max_len=65536
done
