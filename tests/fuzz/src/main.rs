//! One program for all fuzz targets, driven by libFuzzer: HOOP_FUZZ names the target, arguments are libFuzzer's.
//!
//! Built as any program of the workspace it runs the files that are given, once each: so the tests replay the corpora.
//! `tests/fuzz/run.sh` builds it with coverage and searches for more.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

mod config;
mod frames;
mod masks;
mod messages;
mod startup;
mod statements;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| match std::env::var("HOOP_FUZZ").as_deref() {
    Ok("frames") => frames::run,
    Ok("messages") => messages::run,
    Ok("startup") => startup::run,
    Ok("statements") => statements::run,
    Ok("masks") => masks::run,
    Ok("config") => config::run,
    other => panic!("HOOP_FUZZ names no target: {other:?}"),
});

fuzz_target!(|bytes: &[u8]| TARGET(bytes));
