//! Why a session ends.

use std::time::Duration;

use hoop_shared::refusal::{Code, Refusal};

use crate::record::{RecordError, Recorder};

/// Why a session ended. Each reason has its own words for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The client closed it.
    Closed,
    /// It did what its client had left it for.
    Finished,
    /// The client's control connection is gone.
    Lost,
    /// The credential that opened it expired.
    CredentialExpired,
    /// It reached `[session] max_duration`.
    MaxDuration(Duration),
    /// No byte from the client for `[session] idle_timeout`.
    Idle(Duration),
    /// Its login was revoked or logged out.
    Revoked,
    /// Somebody ended it.
    Killed {
        /// Who.
        by: String,
    },
    /// Policy no longer permits `connect`.
    NotPermitted {
        /// The rule that forbids it.
        rule: Option<String>,
    },
    /// The connection's definition changed or is gone.
    ConnectionChanged,
    /// The relay is shutting down.
    Draining,
    /// It can no longer be recorded.
    NotRecorded,
    /// Its recording has reached `[limits] recording_bytes`.
    RecordingFull(u64),
}

impl End {
    /// The end of a session whose recorder has failed.
    pub fn unrecorded(recorder: &Recorder) -> Self {
        match recorder.failed() {
            Some(RecordError::Full(limit)) => Self::RecordingFull(limit),
            _ => Self::NotRecorded,
        }
    }

    /// The word for recordings, metrics and logs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Finished => "finished",
            Self::Lost => "lost",
            Self::CredentialExpired => "credential_expired",
            Self::MaxDuration(_) => "max_duration",
            Self::Idle(_) => "idle",
            Self::Revoked => "revoked",
            Self::Killed { .. } => "killed",
            Self::NotPermitted { .. } => "not_permitted",
            Self::ConnectionChanged => "connection_changed",
            Self::Draining => "draining",
            Self::NotRecorded => "not_recorded",
            Self::RecordingFull(_) => "recording_full",
        }
    }

    /// What the client sees.
    pub fn refusal(&self) -> Refusal {
        let again = "open a new session with `hoopctl connect`";
        match self {
            Self::Closed => Refusal::new(Code::Failed, "the session was closed by its client"),
            Self::Finished => Refusal::new(Code::Failed, "the session ended: all that it was left with is done"),
            Self::Lost => Refusal::new(
                Code::SessionLimit,
                "the session ended: its connection to hoopctl was lost",
            )
            .hint(again),
            Self::CredentialExpired => Refusal::new(
                Code::SessionLimit,
                "the session ended: the login that opened it has expired",
            )
            .hint("log in again with `hoopctl login`"),
            Self::MaxDuration(longest) => Refusal::new(
                Code::SessionLimit,
                format!("the session ended: it reached the longest time of {}", spoken(*longest)),
            )
            .hint(again),
            Self::Idle(timeout) => Refusal::new(
                Code::SessionLimit,
                format!("the session ended: it was idle for {}", spoken(*timeout)),
            )
            .hint(again),
            Self::Revoked => Refusal::new(Code::SessionRevoked, "the session ended: its login was revoked")
                .hint("log in again with `hoopctl login`, or ask an operator"),
            Self::Killed { by } => Refusal::new(Code::SessionRevoked, format!("the session was ended by {by}")),
            Self::NotPermitted { rule } => {
                let refusal = Refusal::new(
                    Code::SessionRevoked,
                    "the session ended: policy no longer permits this connection",
                );
                match rule {
                    Some(rule) => refusal.rule(rule),
                    None => refusal,
                }
            }
            Self::ConnectionChanged => Refusal::new(
                Code::SessionRevoked,
                "the session ended: the relay's configuration of this connection changed",
            )
            .hint(again),
            Self::Draining => Refusal::new(Code::RelayUnreachable, "the session ended: the relay is shutting down")
                .hint("connect again in a moment"),
            Self::NotRecorded => Refusal::new(Code::RelayFault, "the session ended: it can no longer be recorded")
                .hint("the relay's operator finds the cause in its log"),
            Self::RecordingFull(limit) => Refusal::new(
                Code::LimitExceeded,
                format!("the session ended: its recording has reached {limit} bytes, the most that it may have"),
            )
            .hint(format!(
                "{again}; an operator can raise `recording_bytes` under `[limits]`"
            )),
        }
    }
}

/// A duration as people say it: the largest unit that loses nothing.
fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0 => return format!("{} ms", duration.as_millis()),
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_own_words() {
        let ends = [
            End::Closed,
            End::Finished,
            End::Lost,
            End::CredentialExpired,
            End::MaxDuration(Duration::from_secs(8 * 3600)),
            End::Idle(Duration::from_secs(1800)),
            End::Revoked,
            End::Killed { by: "bo".into() },
            End::NotPermitted { rule: None },
            End::ConnectionChanged,
            End::Draining,
            End::NotRecorded,
            End::RecordingFull(64),
        ];
        let messages: std::collections::HashSet<_> = ends.iter().map(|end| end.refusal().message).collect();
        let words: std::collections::HashSet<_> = ends.iter().map(End::word).collect();
        assert_eq!((messages.len(), words.len()), (ends.len(), ends.len()));
    }

    #[test]
    fn durations_are_spoken_in_their_largest_whole_unit() {
        let spoken = |seconds| spoken(Duration::from_secs(seconds));
        assert_eq!(spoken(3600), "1 hour");
        assert_eq!(spoken(1800), "30 minutes");
        assert_eq!(spoken(90), "90 seconds");
        assert_eq!(super::spoken(Duration::from_millis(300)), "300 ms");
    }
}
