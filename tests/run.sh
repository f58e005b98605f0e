#!/usr/bin/env bash
# tests/run.sh [--full] [FILTER]: installs the servers and clients that the tests use, builds once, runs every test (or those whose name
# has FILTER). With --full also what takes minutes to install: Keycloak, and Chromium on its pages.
set -euo pipefail
cd "$(dirname "$0")/.."

full=
if [ "${1:-}" = --full ]; then
    full=1
    shift
fi

. tests/setup/build.sh
. tests/setup/clients.sh
build_needs
postgres_programs
python_drivers
openid_provider
terminal_and_certificates
shells_and_pages
keyring_service
[ -z "$full" ] || keycloak_with_browser

say "building"
cargo build --workspace --quiet
# More tests at a time than this starve each other on two cores, and time-outs tell nothing any more.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-3} cargo test --workspace --no-fail-fast --quiet -- ${1:+"$1"}
