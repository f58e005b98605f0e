//! What the answers of the token endpoint mean for a device login, and when it is asked again (RFC 8628, section 3.5).
//!
//! | answer | does |
//! |---|---|
//! | `authorization_pending` | waits the interval |
//! | `slow_down` | waits 5 s more, for good |
//! | `access_denied` | ends: denied |
//! | `expired_token`, `invalid_grant` | ends: start again |
//! | another error in JSON | ends: the provider and its configuration do not fit |
//! | no answer, 429, 5xx, no JSON | waits longer each time, and says so |

use std::time::{Duration, Instant};

use super::super::token_endpoint::Answer;

/// What `slow_down` adds (RFC 8628, section 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The longest wait while the provider is in trouble, unless its own interval is longer.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// The intervals that are believed.
const INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::authn) enum Step {
    Wait {
        interval: Duration,
        trouble: Option<String>,
    },
    Token(String),
    Denied,
    Expired,
    Refused(String),
}

/// When the next question may be asked.
#[derive(Debug)]
pub(in crate::authn) struct Waits {
    interval: Duration,
    troubles: u32,
    next: Instant,
}

impl Waits {
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        let interval = interval.clamp(INTERVALS.0, INTERVALS.1);
        Self {
            interval,
            troubles: 0,
            next: now + interval,
        }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// How much too early a question would be.
    pub(super) fn early(&self, now: Instant) -> Option<Duration> {
        self.next.checked_duration_since(now).filter(|early| !early.is_zero())
    }

    /// Takes an answer.
    pub(super) fn take(&mut self, answer: Answer, now: Instant) -> Step {
        let mut trouble = None;
        match answer {
            Answer::Token(token) => return Step::Token(token),
            Answer::Denied => return Step::Denied,
            Answer::Expired => return Step::Expired,
            Answer::Refused(problem) => return Step::Refused(problem),
            Answer::Pending => self.troubles = 0,
            Answer::SlowDown => {
                self.troubles = 0;
                self.interval = self.interval.saturating_add(SLOW_DOWN).min(INTERVALS.1);
            }
            Answer::Trouble(what) => {
                self.troubles = self.troubles.saturating_add(1).min(16);
                trouble = Some(what);
            }
        }
        let longest = LONGEST_BACK_OFF.max(self.interval);
        let interval = self.interval.saturating_mul(1 << self.troubles).min(longest);
        self.next = now + interval;
        Step::Wait { interval, trouble }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn wait(seconds: u64) -> Step {
        Step::Wait {
            interval: SECOND * u32::try_from(seconds).unwrap(),
            trouble: None,
        }
    }

    #[test]
    fn slow_down_adds_five_seconds_for_good() {
        let now = Instant::now();
        let mut waits = Waits::new(SECOND * 5, now);
        assert_eq!(waits.take(Answer::Pending, now), wait(5));
        assert_eq!(waits.take(Answer::SlowDown, now), wait(10));
        assert_eq!(waits.take(Answer::Pending, now), wait(10));
        assert_eq!(waits.take(Answer::SlowDown, now), wait(15));
        assert_eq!(waits.early(now), Some(SECOND * 15));
        assert_eq!(waits.early(now + SECOND * 15), None);
    }

    #[test]
    fn trouble_waits_longer_each_time_and_is_forgotten_after_an_answer() {
        let now = Instant::now();
        let mut waits = Waits::new(SECOND * 5, now);
        let mut troubled = || match waits.take(Answer::Trouble("x".into()), now) {
            Step::Wait { interval, trouble } => (interval.as_secs(), trouble),
            other => panic!("{other:?}"),
        };
        assert_eq!(troubled(), (10, Some("x".into())));
        assert_eq!(troubled().0, 20);
        assert_eq!(troubled().0, 30);
        for _ in 0..100 {
            assert_eq!(troubled().0, 30);
        }
        assert_eq!(waits.take(Answer::Pending, now), wait(5));
    }

    #[test]
    fn an_interval_is_believed_within_reason() {
        let now = Instant::now();
        assert_eq!(Waits::new(Duration::ZERO, now).interval(), SECOND);
        assert_eq!(Waits::new(SECOND * 1_000_000, now).interval(), SECOND * 60);
    }
}
