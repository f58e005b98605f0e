//! How long to wait before each event.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The pace of a replay.
#[derive(Debug)]
pub struct Pace {
    speed: Option<f64>,
    longest: Option<Duration>,
    last: Option<OffsetDateTime>,
}

impl Pace {
    /// Makes a pace: without `speed` it never waits; no pause of the session counts for more than `longest`.
    pub fn new(speed: Option<f64>, longest: Option<Duration>) -> Self {
        Self {
            speed,
            longest,
            last: None,
        }
    }

    /// The pause before an event of this time (RFC 3339). A time that cannot be read, or goes back, makes no pause.
    pub fn before(&mut self, time: &str) -> Option<Duration> {
        let speed = self.speed?;
        let time = OffsetDateTime::parse(time, &Rfc3339).ok()?;
        let last = self.last.replace(time)?;
        let pause = Duration::try_from(time - last).ok()?;
        let pause = self.longest.map_or(pause, |longest| pause.min(longest));
        Duration::try_from_secs_f64(pause.as_secs_f64() / speed)
            .ok()
            .filter(|pause| !pause.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: [&str; 5] = [
        "2026-11-24T03:40:00Z",
        "2026-11-24T03:40:00.5Z",
        "2026-11-24T03:41:00.5Z",
        "2026-11-24T03:41:00Z",
        "no time",
    ];

    fn pauses(mut pace: Pace) -> Vec<Option<u128>> {
        TIMES
            .iter()
            .map(|time| pace.before(time).map(|pause| pause.as_millis()))
            .collect()
    }

    #[test]
    fn pauses_are_those_of_the_session() {
        assert_eq!(
            pauses(Pace::new(Some(1.0), None)),
            [None, Some(500), Some(60_000), None, None]
        );
    }

    #[test]
    fn a_speed_divides_and_idle_time_is_cut_before() {
        let longest = Some(Duration::from_secs(1));
        assert_eq!(
            pauses(Pace::new(Some(10.0), longest)),
            [None, Some(50), Some(100), None, None]
        );
    }

    #[test]
    fn without_a_speed_nothing_waits() {
        assert_eq!(pauses(Pace::new(None, None)), [None; 5]);
    }

    #[test]
    fn a_speed_near_nothing_does_not_overflow() {
        assert_eq!(pauses(Pace::new(Some(1e-300), None)), [None; 5]);
    }
}
