# Sourced by install.sh, tests/run.sh and .ci/run: what the build itself needs, installed where it is missing.

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $1"
    [ -z "${2:-}" ] || say "  hint: $2"
    exit 1
}

# apt PACKAGE… : installs Debian packages, as root or through sudo; elsewhere says what is missing.
apt() {
    command -v apt-get >/dev/null || fail "missing: $*" "install these with your system's package manager, then run this again"
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "missing: $*" "install these as root: apt-get install $*"
        as_root=(sudo)
    fi
    say "installing $*"
    local log
    log=$(mktemp)
    if ! { "${as_root[@]}" apt-get update -qq && DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -qq -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "could not install $*" "look at apt-get's message above"
    fi
    rm -f "$log"
}

# The compiler of Rust, a C compiler for aws-lc, SQLite and PostgreSQL's grammar, and libclang for the grammar's binding.
build_needs() {
    [ ! -f "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"
    command -v cargo >/dev/null || fail "no Rust compiler" "install Rust 1.95 or newer from https://rustup.rs, then run this again"
    local packages=()
    command -v cc >/dev/null || packages+=(build-essential)
    command -v cmake >/dev/null || packages+=(cmake)
    ls /usr/lib/llvm-*/lib/libclang*.so* /usr/lib/*/libclang*.so* >/dev/null 2>&1 || [ -n "${LIBCLANG_PATH:-}" ] || packages+=(libclang-dev)
    # libclang brings no headers of its own; bindgen needs stddef.h and friends from clang.
    ls -d /usr/lib/llvm-*/lib/clang/*/include /usr/lib/clang/*/include >/dev/null 2>&1 || packages+=(clang)
    [ ${#packages[@]} = 0 ] || apt "${packages[@]}"
}

# Sets PG_BIN to the folder with PostgreSQL's server programs; installs Debian's package where there is none.
postgres_programs() {
    PG_BIN=$(find_postgres)
    if [ -z "$PG_BIN" ]; then
        apt postgresql
        PG_BIN=$(find_postgres)
    fi
    [ -n "$PG_BIN" ] || fail "no PostgreSQL server programs found" "install PostgreSQL 14 or newer, and put initdb on the PATH"
    export PG_BIN
}

find_postgres() {
    local folder
    for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -Vr) "$(command -v initdb >/dev/null && dirname "$(command -v initdb)")"; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && [ -x "$folder/psql" ]; then
            printf '%s' "$folder"
            return
        fi
    done
}
