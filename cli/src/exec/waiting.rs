//! What people and CI logs see while an operation waits for approval: at once what an approver needs, then a live line on a terminal, or
//! a line a minute elsewhere.

use std::io::Write;
use std::time::Duration;

use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::wire::run::Held;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::context::rfc3339;
use crate::error::Error;
use crate::printer::span::{between, short};
use crate::printer::{Printer, escape};

/// Between two lines in a log.
pub const IN_A_LOG: Duration = Duration::from_secs(60);
/// Between two looks of a live line.
const LIVE: Duration = Duration::from_secs(1);

/// How long one waits for approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as the rule's ttl.
    Ttl,
    /// At most so long.
    For(Duration),
    /// Not at all.
    None,
}

/// An operation that waits, and what is said about it.
#[derive(Debug)]
pub struct Waiting {
    held: Held,
    since: Instant,
    next: Instant,
    until: Option<Instant>,
    printer: Printer,
    is_live: bool,
}

impl Waiting {
    /// Begins, and says so. `since`: when this call began to wait for approvals.
    pub fn begin(held: Held, since: Instant, patience: Patience, printer: Printer) -> Self {
        let until = match patience {
            Patience::Ttl => None,
            Patience::For(longest) => since.checked_add(longest),
            Patience::None => Some(since),
        };
        let is_live = printer.stderr_is_terminal() && !printer.is_quiet() && !printer.is_json();
        let request = &held.request;
        printer.tell(format_args!(
            "{request} waits for approval by {} until {}; an approver runs: hoopctl approve {request}",
            escape::line(&held.approvers.join(", ")),
            rfc3339(held.expires)
        ));
        let now = Instant::now();
        Self {
            next: now + if is_live { LIVE } else { IN_A_LOG },
            held,
            since: now,
            until,
            printer,
            is_live,
        }
    }

    /// What waits.
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Waits for the moment of the next line, or the end of patience. Cancel safe.
    pub async fn tick(&mut self) -> Tick {
        let at = self.until.map_or(self.next, |until| until.min(self.next));
        tokio::time::sleep_until(at).await;
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Tick::Over;
        }
        Tick::Go
    }

    /// What is said of it now.
    fn text(&self) -> String {
        let request = &self.held.request;
        let left = between(OffsetDateTime::now_utc(), self.held.expires);
        format!(
            "{request} waits for approval for {}, {} left: hoopctl approve {request}",
            short(self.since.elapsed()),
            short(left)
        )
    }

    /// Says that it still waits.
    pub fn say(&mut self) {
        let text = self.text();
        if self.is_live {
            // Nobody can be told that stderr is closed.
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K{text}");
            self.next = Instant::now() + LIVE;
        } else {
            self.printer.say(text);
            self.next = Instant::now() + IN_A_LOG;
        }
    }

    /// The error of leaving it: it goes on waiting without this call.
    pub fn left(&self) -> Error {
        let request = &self.held.request;
        Refusal::new(
            Code::WaitsForApproval,
            format!("{request} waits for approval by {}", self.held.approvers.join(", ")),
        )
        .hint(format!(
            "an approver runs `hoopctl approve {request}`; then `hoopctl requests wait {request}` gives the result"
        ))
        .request(request.clone())
        .into()
    }
}

impl Drop for Waiting {
    /// Takes the live line away.
    fn drop(&mut self) {
        if self.is_live {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

/// What a [`Waiting::tick`] was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// Say something and go on.
    Go,
    /// Patience is over.
    Over,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::printer::Manner;

    fn waiting(patience: Patience, is_live: bool) -> Waiting {
        let mut waiting = waiting_since(Instant::now(), patience);
        waiting.is_live = is_live;
        waiting
    }

    fn waiting_since(since: Instant, patience: Patience) -> Waiting {
        let held = Held {
            request: "r-0123456789ab".parse().unwrap(),
            approvers: vec!["dba".to_owned()],
            expires: OffsetDateTime::now_utc() + Duration::from_secs(900),
        };
        Waiting::begin(held, since, patience, Printer::new(Manner::default()))
    }

    #[tokio::test]
    async fn a_log_gets_a_line_a_minute_and_a_terminal_one_a_second() {
        for (is_live, seconds) in [(false, 60), (true, 1)] {
            let mut waiting = waiting(Patience::Ttl, is_live);
            for _ in 0..3 {
                waiting.next = Instant::now();
                assert_eq!(waiting.tick().await, Tick::Go);
                waiting.say();
                let until_next = waiting.next.saturating_duration_since(Instant::now());
                assert_eq!((until_next + Duration::from_millis(500)).as_secs(), seconds);
            }
        }
    }

    #[tokio::test]
    async fn a_line_says_how_long_what_is_left_and_what_an_approver_runs() {
        let mut waiting = waiting(Patience::Ttl, false);
        waiting.since = Instant::now().checked_sub(Duration::from_secs(180)).unwrap();
        let text = waiting.text();
        assert_eq!(
            text,
            "r-0123456789ab waits for approval for 3m, 14m left: hoopctl approve r-0123456789ab"
        );
    }

    #[tokio::test]
    async fn patience_counts_from_the_first_wait_of_the_call() {
        let long_ago = Instant::now().checked_sub(Duration::from_secs(90)).unwrap();
        let mut waiting = waiting_since(long_ago, Patience::For(Duration::from_secs(90)));
        assert_eq!(waiting.tick().await, Tick::Over);
        let left = waiting.left();
        assert_eq!(left.code(), Code::WaitsForApproval);
        let hint = left.refusal().hint.clone().unwrap();
        assert!(hint.contains("hoopctl requests wait r-0123456789ab"), "{hint}");
    }
}
