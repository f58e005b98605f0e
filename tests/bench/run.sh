#!/usr/bin/env bash
# tests/bench/run.sh [--quick] [--rounds N] [--seconds S]: builds the release binaries and measures them against a direct connection.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/setup/build.sh
build_needs
postgres_programs
command -v strace >/dev/null || apt strace
[ -x "$PG_BIN/pgbench" ] || fail "no pgbench in $PG_BIN" "install PostgreSQL's contributed programs"

say "building (release)"
cargo build --release --quiet -p hoopctl -p hoop-relay -p hoop-bench
exec target/release/hoop-bench run --pg-bin "$PG_BIN" --binaries target/release "$@"
