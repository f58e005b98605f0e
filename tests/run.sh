#!/usr/bin/env bash
# tests/run.sh [FILTER]: installs the servers and clients that the tests use, builds once, runs every test (or those whose name has FILTER).
set -euo pipefail
cd "$(dirname "$0")/.."

. tests/setup/build.sh
. tests/setup/clients.sh
build_needs
postgres_programs
python_drivers
openid_provider
terminal_and_certificates
shells_and_pages

say "building"
cargo build --workspace --quiet
# More tests at a time than this starve each other on two cores, and time-outs tell nothing any more.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-3} cargo test --workspace --no-fail-fast --quiet -- ${1:+"$1"}
