#!/usr/bin/env bash
# tests/fuzz/run.sh [TARGET] [SECONDS]: fuzzes one target, or each, for so long (default 60 s). An input that breaks something stays in
# target/fuzz/TARGET.found, and the exit code is not 0. Needs no other compiler and no other tools than the build itself.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/setup/build.sh
build_needs

all=$(sed -n 's/^    Ok("\(.*\)") => .*/\1/p' tests/fuzz/src/main.rs)
targets=${1:-$all}
[ -z "${1:-}" ] || grep -qx -- "$1" <<<"$all" || fail "there is no target $1" "the targets are: $(echo $all)"

say "building"
RUSTC_WORKSPACE_WRAPPER=$PWD/tests/fuzz/rustc.sh cargo build --workspace --bin hoop-fuzz --quiet
# The next build of the workspace writes a program of the same name.
mkdir -p target/fuzz
cp target/debug/hoop-fuzz target/fuzz/program
for target in $targets; do
    say "fuzzing $target"
    # Findings and new inputs stay out of the committed corpus.
    mkdir -p "target/fuzz/$target" "target/fuzz/$target.found"
    HOOP_FUZZ=$target target/fuzz/program "target/fuzz/$target" "tests/fuzz/corpus/$target" \
        -artifact_prefix="target/fuzz/$target.found/" -max_total_time="${2:-60}" -rss_limit_mb=2048 -timeout=10 -max_len=65536 -print_final_stats=1
done
