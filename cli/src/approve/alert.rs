//! Tells somebody who looks elsewhere that a request came: the terminal's bell, and a desktop notification where the terminal shows one.

use std::time::{Duration, Instant};

use crate::printer::escape;
use crate::settings::terminal::Notification;

/// Between two alerts: a flood rings no more often.
const PAUSE: Duration = Duration::from_secs(5);
/// Characters of a notification.
const LONGEST: usize = 120;

/// When to ring, and how.
#[derive(Debug)]
pub struct Alert {
    /// Nothing is to be heard.
    quiet: bool,
    notification: Notification,
    last: Option<Instant>,
    count: usize,
    first: String,
}

impl Alert {
    /// With `quiet`, nothing is ever written.
    pub fn new(quiet: bool, notification: Notification) -> Self {
        Self {
            quiet,
            notification,
            last: None,
            count: 0,
            first: String::new(),
        }
    }

    /// Takes that a request came, from whom and about what.
    pub fn came(&mut self, principal: &str, connection: &str) {
        if self.count == 0 {
            self.first = format!("{principal} on {connection}");
        }
        self.count += 1;
    }

    /// What is to be written to the terminal now, if anything. Never a statement: it may hold what a desktop must not show.
    pub fn due(&mut self, now: Instant) -> Option<String> {
        if self.count == 0 || self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            return None;
        }
        let text = match std::mem::take(&mut self.count) {
            1 => format!("1 request waits for you: {}", self.first),
            many => format!("{many} requests wait for you, the first by {}", self.first),
        };
        self.last = Some(now);
        if self.quiet {
            return None;
        }
        // Neither ends the sequence nor begins another part of it.
        let text: String = escape::line(&text).replace(';', ",").chars().take(LONGEST).collect();
        Some(match self.notification {
            Notification::None => "\x07".to_owned(),
            Notification::Osc9 => format!("\x07\x1b]9;hoopctl: {text}\x1b\\"),
            Notification::Osc777 => format!("\x07\x1b]777;notify;hoopctl;{text}\x1b\\"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_rings_once_in_a_while_and_counts() {
        let mut alert = Alert::new(false, Notification::Osc9);
        let start = Instant::now();
        assert_eq!(alert.due(start), None);
        alert.came("agent", "db-prod");
        assert_eq!(
            alert.due(start).as_deref(),
            Some("\x07\x1b]9;hoopctl: 1 request waits for you: agent on db-prod\x1b\\")
        );
        for _ in 0..10_000 {
            alert.came("ana", "db");
            assert_eq!(alert.due(start + Duration::from_secs(1)), None);
        }
        let later = alert.due(start + PAUSE).unwrap_or_default();
        assert!(
            later.contains("10000 requests wait for you, the first by ana on db"),
            "{later}"
        );
        assert_eq!(alert.due(start + PAUSE * 9), None);
    }

    #[test]
    fn a_name_cannot_end_the_sequence_and_quiet_is_quiet() {
        let mut alert = Alert::new(false, Notification::Osc777);
        alert.came("a\x1b\\;b\x07", "c\u{9c}");
        let text = alert.due(Instant::now()).unwrap_or_default();
        assert_eq!(
            text,
            "\x07\x1b]777;notify;hoopctl;1 request waits for you: a\\x1b\\,b\\x07 on c\\u{9c}\x1b\\"
        );
        let mut quiet = Alert::new(true, Notification::Osc9);
        quiet.came("a", "b");
        assert_eq!(quiet.due(Instant::now()), None);
    }
}
