//! How often one source may try to log in. Past a limit it waits; no principal is ever locked out, for that would be a weapon.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Sources that are remembered. When more come, those that have waited long enough are forgotten; else all new ones wait.
const SOURCES: usize = 10_000;

/// What is limited, each on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rate {
    /// Logins that begin: device starts and workload tokens.
    Start,
    /// Polls for a login.
    Poll,
    /// Polls for logins that do not exist: guesses.
    Guess,
}

impl Rate {
    /// Tries at once, and the time after which one more is allowed.
    const fn bucket(self) -> (u32, Duration) {
        match self {
            Self::Start => (60, Duration::from_secs(1)),
            Self::Poll => (200, Duration::from_millis(100)),
            Self::Guess => (20, Duration::from_secs(3)),
        }
    }
}

/// Token buckets by source. An IPv6 source is its /64: one machine has all of it.
#[derive(Default)]
pub(super) struct Gate {
    /// When each bucket would be full again.
    full: Mutex<HashMap<(Rate, IpAddr), Instant>>,
}

impl Gate {
    /// Takes one try, or says how long to wait for it.
    pub(super) fn pass(&self, rate: Rate, source: IpAddr) -> Result<(), Duration> {
        self.pass_at(rate, source, Instant::now())
    }

    fn pass_at(&self, rate: Rate, source: IpAddr, now: Instant) -> Result<(), Duration> {
        let (tries, refill) = rate.bucket();
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (rate, network(source));
        if full.len() >= SOURCES && !full.contains_key(&key) {
            full.retain(|_, at| *at > now);
            if full.len() >= SOURCES {
                return Err(refill);
            }
        }
        let at = full.entry(key).or_insert(now);
        let next = (*at).max(now) + refill;
        let allowed = now + refill * tries;
        if next > allowed {
            return Err(next - allowed);
        }
        *at = next;
        Ok(())
    }
}

fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_one_at_a_time() {
        let gate = Gate::default();
        let now = Instant::now();
        let source = "192.0.2.1".parse().unwrap();
        let (tries, refill) = Rate::Guess.bucket();
        for _ in 0..tries {
            gate.pass_at(Rate::Guess, source, now).unwrap();
        }
        assert_eq!(gate.pass_at(Rate::Guess, source, now), Err(refill));
        gate.pass_at(Rate::Guess, source, now + refill).unwrap();
        assert!(gate.pass_at(Rate::Guess, source, now + refill).is_err());
        gate.pass_at(Rate::Poll, source, now).unwrap();
        gate.pass_at(Rate::Guess, "192.0.2.2".parse().unwrap(), now).unwrap();
    }

    #[test]
    fn waiting_long_does_not_save_up_more_than_a_burst() {
        let gate = Gate::default();
        let now = Instant::now();
        let source = "192.0.2.1".parse().unwrap();
        let (tries, _) = Rate::Guess.bucket();
        gate.pass_at(Rate::Guess, source, now).unwrap();
        let later = now + Duration::from_secs(3600);
        let passed = (0..tries * 2)
            .filter(|_| gate.pass_at(Rate::Guess, source, later).is_ok())
            .count();
        assert_eq!(passed, tries as usize);
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_bucket() {
        let gate = Gate::default();
        let now = Instant::now();
        let (tries, _) = Rate::Guess.bucket();
        for host in 0..tries {
            gate.pass_at(Rate::Guess, format!("2001:db8::{host:x}").parse().unwrap(), now)
                .unwrap();
        }
        assert!(
            gate.pass_at(Rate::Guess, "2001:db8::ffff".parse().unwrap(), now)
                .is_err()
        );
        gate.pass_at(Rate::Guess, "2001:db8:0:1::1".parse().unwrap(), now)
            .unwrap();
        assert_eq!(
            network("::ffff:192.0.2.1".parse().unwrap()),
            "192.0.2.1".parse::<IpAddr>().unwrap()
        );
    }

    #[test]
    fn memory_is_bounded_and_idle_sources_make_room() {
        let gate = Gate::default();
        let now = Instant::now();
        for host in 0..SOURCES {
            let source = IpAddr::from(u32::try_from(host).unwrap().to_be_bytes());
            gate.pass_at(Rate::Start, source, now).unwrap();
        }
        assert!(gate.pass_at(Rate::Start, "203.0.113.1".parse().unwrap(), now).is_err());
        gate.pass_at(
            Rate::Start,
            "203.0.113.1".parse().unwrap(),
            now + Duration::from_secs(2),
        )
        .unwrap();
        assert_eq!(gate.full.lock().unwrap().len(), 1);
    }
}
