//! relay.toml: no panic, and every problem can be shown.
#![no_main]

use hoop_relay::config::{Config, Purpose, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for purpose in [Purpose::Serve, Purpose::Dev] {
        if let Err(problems) = Config::parse(Source::new("relay.toml", text), purpose) {
            assert!(!problems.is_empty());
            for problem in problems {
                let _ = problem.to_string();
            }
        }
    }
});
