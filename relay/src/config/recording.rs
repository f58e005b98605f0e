//! `[recording]` and `[session]`.

use std::time::Duration;

use super::reader::Section;

/// `[recording]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// `content = "full"`: results too; else statements only.
    pub full: bool,
    /// What a power cut may lose; `None` is `"always"`: durable before release.
    pub sync: Option<Duration>,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            full: true,
            sync: Some(Duration::from_millis(200)),
        }
    }
}

pub(super) fn recording(mut section: Section<'_>) -> Recording {
    let mut recording = Recording::default();
    if let Some(full) = section
        .get("content")
        .and_then(|item| item.word(&[("full", true), ("statements", false)]))
    {
        recording.full = full;
    }
    if let Some(item) = section.get("sync") {
        if item.value().as_str() == Some("always") {
            recording.sync = None;
        } else if let Some(sync) = item.duration(Duration::from_millis(1)..=Duration::from_secs(60)) {
            recording.sync = Some(sync);
        }
    }
    section.finish();
    recording
}

/// `[session]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// How long a login's certificate lives.
    pub credential_ttl: Duration,
    /// The longest session.
    pub max_duration: Duration,
    /// Without a byte from the client.
    pub idle_timeout: Duration,
    /// After SIGTERM.
    pub drain: Duration,
    /// How long the result of a run, and its idempotency key, are kept.
    pub result_retention: Duration,
}

impl Default for SessionTimes {
    fn default() -> Self {
        Self {
            credential_ttl: Duration::from_secs(12 * 3600),
            max_duration: Duration::from_secs(8 * 3600),
            idle_timeout: Duration::from_secs(30 * 60),
            drain: Duration::from_secs(30),
            result_retention: LONGEST,
        }
    }
}

/// A week: what is longer is a standing credential.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

pub(super) fn session(mut section: Section<'_>) -> SessionTimes {
    let default = SessionTimes::default();
    let mut time = |key, low: u64, default| {
        section
            .get(key)
            .and_then(|item| item.duration(Duration::from_secs(low)..=LONGEST))
            .unwrap_or(default)
    };
    let times = SessionTimes {
        credential_ttl: time("credential_ttl", 1, default.credential_ttl),
        max_duration: time("max_duration", 1, default.max_duration),
        idle_timeout: time("idle_timeout", 1, default.idle_timeout),
        drain: time("drain", 0, default.drain),
        result_retention: time("result_retention", 1, default.result_retention),
    };
    section.finish();
    times
}
