#!/bin/sh
# RUSTC_WORKSPACE_WRAPPER of tests/fuzz/run.sh: our own crates are built so that libFuzzer sees which branches an input takes.
# Dependencies stay as they are built already. Source: LLVM documentation, SanitizerCoverage.
rustc=$1
shift
case " $* " in
    *" --crate-name hoop_"*)
        exec "$rustc" "$@" -Cpasses=sancov-module \
            -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
            -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
        ;;
    *) exec "$rustc" "$@" ;;
esac
