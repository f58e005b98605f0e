//! Device codes and what became of them (RFC 8628, section 3.5). Pure: no clock, no IO.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a code waits for a person.
pub const LIFETIME: Duration = Duration::from_secs(600);
/// The least time between two polls.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// Codes that wait at a time; past it, none is given.
const MOST_CODES: usize = 1000;
/// Letters of a user code: no vowels, so that no words appear, and none that are taken for another.
const USER_CODE_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// What has happened to a code.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Nobody has decided. `claimed`: somebody has it open in a browser.
    Waiting { claimed: bool },
    /// A person said yes.
    Approved { person: String },
    /// A person said no.
    Denied,
}

#[derive(Debug)]
struct Entry {
    user_code: String,
    state: State,
    made: Instant,
    polled: Option<Instant>,
    interval: Duration,
}

/// The answer to one poll, in the words of RFC 8628.
#[derive(Debug, PartialEq, Eq)]
pub enum Polled {
    /// Keep polling.
    Pending,
    /// Keep polling, less often.
    SlowDown,
    /// The person said no.
    Denied,
    /// Unknown, over, or used already.
    Expired,
    /// The person said yes: issue a token for them. The code is used up.
    Approved(String),
}

/// All codes that wait.
#[derive(Debug)]
pub struct Codes {
    entries: HashMap<String, Entry>,
    sign_in_as: Option<String>,
}

impl Codes {
    /// Without any code. `sign_in_as` approves, at a poll, each code that nobody has opened in a browser.
    pub fn new(sign_in_as: Option<String>) -> Self {
        Self {
            entries: HashMap::new(),
            sign_in_as,
        }
    }

    /// Makes a device code and its user code from random bytes; `None`: too many wait.
    pub fn issue(&mut self, random: [u8; 24], now: Instant) -> Option<(String, String)> {
        self.entries
            .retain(|_, entry| now.duration_since(entry.made) < LIFETIME);
        if self.entries.len() >= MOST_CODES {
            return None;
        }
        let (for_device, for_user) = random.split_at(16);
        let device_code: String = for_device.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut user_code = String::with_capacity(9);
        for (place, byte) in for_user.iter().enumerate() {
            if place == 4 {
                user_code.push('-');
            }
            let letter = USER_CODE_LETTERS
                .get(usize::from(*byte) % USER_CODE_LETTERS.len())
                .copied()
                .unwrap_or(b'B');
            user_code.push(char::from(letter));
        }
        let entry = Entry {
            user_code: user_code.clone(),
            state: State::Waiting { claimed: false },
            made: now,
            polled: None,
            interval: INTERVAL,
        };
        self.entries.insert(device_code.clone(), entry);
        Some((device_code, user_code))
    }

    /// Answers a poll.
    pub fn poll(&mut self, device_code: &str, now: Instant) -> Polled {
        let Some(entry) = self.entries.get_mut(device_code) else {
            return Polled::Expired;
        };
        if now.duration_since(entry.made) >= LIFETIME {
            self.entries.remove(device_code);
            return Polled::Expired;
        }
        // A little early is forgiven: clocks and schedulers are not exact.
        let early = entry
            .polled
            .is_some_and(|last| now.duration_since(last) + Duration::from_millis(200) < entry.interval);
        entry.polled = Some(now);
        if early {
            entry.interval += Duration::from_secs(5);
            return Polled::SlowDown;
        }
        match &entry.state {
            State::Waiting { claimed: false } if self.sign_in_as.is_some() => {
                let person = self.sign_in_as.clone().unwrap_or_default();
                self.entries.remove(device_code);
                Polled::Approved(person)
            }
            State::Waiting { .. } => Polled::Pending,
            State::Denied => {
                self.entries.remove(device_code);
                Polled::Denied
            }
            State::Approved { person } => {
                let person = person.clone();
                self.entries.remove(device_code);
                Polled::Approved(person)
            }
        }
    }

    /// A person opened the page for this code: from now on only they decide. Whether there is such a code.
    pub fn claim(&mut self, user_code: &str, now: Instant) -> bool {
        match self.waiting(user_code, now) {
            Some(entry) => {
                entry.state = State::Waiting { claimed: true };
                true
            }
            None => false,
        }
    }

    /// A person decided: `Some(person)` approves, `None` denies. Whether there was such a code to decide about.
    pub fn decide(&mut self, user_code: &str, person: Option<String>, now: Instant) -> bool {
        match self.waiting(user_code, now) {
            Some(entry) => {
                entry.state = person.map_or(State::Denied, |person| State::Approved { person });
                true
            }
            None => false,
        }
    }

    fn waiting(&mut self, user_code: &str, now: Instant) -> Option<&mut Entry> {
        let wanted = normal(user_code);
        self.entries.values_mut().find(|entry| {
            normal(&entry.user_code) == wanted
                && matches!(entry.state, State::Waiting { .. })
                && now.duration_since(entry.made) < LIFETIME
        })
    }
}

/// A code as people type it: case, hyphens and spaces do not matter (RFC 8628, section 6.1).
fn normal(code: &str) -> String {
    code.chars()
        .filter(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_uppercase())
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on must say where")]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_pending_until_somebody_decides_and_is_used_once() {
        let (mut codes, start) = (Codes::new(None), Instant::now());
        let (device, user) = codes.issue([7; 24], start).unwrap();
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(codes.poll(&device, later(1)), Polled::Pending);
        assert!(codes.decide(&user.to_lowercase().replace('-', " "), Some("bo".into()), later(2)));
        assert_eq!(codes.poll(&device, later(3)), Polled::Approved("bo".into()));
        assert_eq!(codes.poll(&device, later(4)), Polled::Expired);
        assert!(!codes.decide(&user, None, later(5)));
    }

    #[test]
    fn a_hasty_poll_is_told_to_slow_down_for_good() {
        let (mut codes, start) = (Codes::new(None), Instant::now());
        let (device, _) = codes.issue([7; 24], start).unwrap();
        assert_eq!(codes.poll(&device, start), Polled::Pending);
        assert_eq!(
            codes.poll(&device, start + Duration::from_millis(100)),
            Polled::SlowDown
        );
        assert_eq!(codes.poll(&device, start + Duration::from_secs(2)), Polled::SlowDown);
    }

    #[test]
    fn a_code_ends_after_its_lifetime() {
        let (mut codes, start) = (Codes::new(Some("ana".into())), Instant::now());
        let (device, user) = codes.issue([7; 24], start).unwrap();
        assert!(!codes.claim(&user, start + LIFETIME));
        assert_eq!(codes.poll(&device, start + LIFETIME), Polled::Expired);
    }

    #[test]
    fn a_code_that_is_open_in_a_browser_is_not_approved_by_itself() {
        let (mut codes, start) = (Codes::new(Some("ana".into())), Instant::now());
        let (device, user) = codes.issue([7; 24], start).unwrap();
        assert!(codes.claim(&user, start));
        assert_eq!(codes.poll(&device, start), Polled::Pending);
        assert!(codes.decide(&user, Some("bo".into()), start));
        assert_eq!(
            codes.poll(&device, start + Duration::from_secs(2)),
            Polled::Approved("bo".into())
        );
    }

    #[test]
    fn the_number_of_waiting_codes_is_bounded() {
        let (mut codes, start) = (Codes::new(None), Instant::now());
        let mut random = [0_u8; 24];
        for n in 0..MOST_CODES {
            random[..8].copy_from_slice(&n.to_be_bytes());
            assert!(codes.issue(random, start).is_some());
        }
        random[0] = 1;
        assert!(codes.issue(random, start).is_none());
        assert!(codes.issue(random, start + LIFETIME).is_some());
    }
}
