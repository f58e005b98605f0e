//! relay.toml: no panic, and every problem can be shown.

use hoop_relay::config::{Config, Purpose, Source};

/// Runs one input.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for purpose in [Purpose::Serve, Purpose::Dev] {
        if let Err(problems) = Config::parse(Source::new("relay.toml", text), purpose) {
            assert!(!problems.is_empty());
            for problem in problems {
                let _ = problem.to_string();
            }
        }
    }
}
