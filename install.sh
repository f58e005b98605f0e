#!/usr/bin/env bash
# ./install.sh [--prefix DIR] [--demo]
#   builds hoopctl and hoop-relay, and installs them, the shell completions and the manual pages (default prefix: ~/.local)
#   --demo: then shows the main job on a throwaway PostgreSQL: a masked read, a blocked DROP, a held DELETE that
#           another person approves, and the replay. Everything that it starts ends with it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

. "$here/tests/setup/build.sh"

prefix=$HOME/.local
demo=
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) [ $# -ge 2 ] || fail "--prefix needs a folder" "for example: ./install.sh --prefix /usr/local"; prefix=$2; shift ;;
        --prefix=*) prefix=${1#--prefix=} ;;
        --demo) demo=1 ;;
        -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "unknown argument: $1" "./install.sh [--prefix DIR] [--demo]" ;;
    esac
    shift
done
mkdir -p "$prefix" || fail "cannot make $prefix" "choose a folder of your own with --prefix"
prefix=$(cd "$prefix" && pwd)

# Shows cargo's own progress on a terminal, and a line every half minute elsewhere, so that nobody wonders.
build() {
    local log status=0 started=$SECONDS
    if [ -t 2 ]; then
        (cd "$here" && cargo build --release --locked -p hoopctl -p hoop-relay) || fail "the build failed" "the compiler's message is above"
        return
    fi
    log=$(mktemp)
    (cd "$here" && cargo build --release --locked -p hoopctl -p hoop-relay) >"$log" 2>&1 &
    local build=$!
    while kill -0 "$build" 2>/dev/null; do
        sleep 1
        if [ $(((SECONDS - started) % 30)) = 29 ]; then
            say "  $((SECONDS - started)) s: $(grep -c Compiling "$log" || true) crates so far"
            sleep 1
        fi
    done
    wait "$build" || status=$?
    if [ "$status" != 0 ]; then
        tail -n 40 "$log" >&2
        fail "the build failed" "the compiler's message is above"
    fi
    rm -f "$log"
}

build_needs
say "building hoopctl and hoop-relay (some minutes the first time)"
build
target=${CARGO_TARGET_DIR:-$here/target}
install -d "$prefix/bin"
install -m 755 "$target/release/hoopctl" "$target/release/hoop-relay" "$prefix/bin/"
install -d "$prefix/share/bash-completion/completions" "$prefix/share/zsh/site-functions" "$prefix/share/fish/vendor_completions.d"
install -m 644 "$here/completions/hoopctl.bash" "$prefix/share/bash-completion/completions/hoopctl"
install -m 644 "$here/completions/_hoopctl" "$prefix/share/zsh/site-functions/_hoopctl"
install -m 644 "$here/completions/hoopctl.fish" "$prefix/share/fish/vendor_completions.d/hoopctl.fish"
"$prefix/bin/hoopctl" --quiet man-pages "$prefix/share/man/man1"
"$prefix/bin/hoop-relay" man-pages "$prefix/share/man/man1"
say "installed hoopctl and hoop-relay in $prefix/bin, completions and manual pages in $prefix/share"
case ":$PATH:" in
    *":$prefix/bin:"*) ;;
    *) say "  hint: add it to your PATH: export PATH=\"$prefix/bin:\$PATH\"" ;;
esac

if [ -n "$demo" ]; then
    postgres_programs
    PATH=$prefix/bin:$PATH exec "$here/relay/demo/run.sh"
fi
