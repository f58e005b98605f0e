//! The time as recordings write it: RFC 3339, in UTC, to the nanosecond.

use std::cell::RefCell;
use std::fmt::Write as _;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `2026-01-02T03:04:05`.
const TO_THE_SECOND: usize = 19;

thread_local! {
    /// The last second that was written, and how: events of a busy session mostly share it.
    static LAST: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

/// The time now.
pub(super) fn now() -> String {
    written(OffsetDateTime::now_utc())
}

fn written(moment: OffsetDateTime) -> String {
    LAST.with_borrow_mut(|(second, text)| {
        if *second != moment.unix_timestamp() || text.is_empty() {
            let Ok(whole) = moment.format(&Rfc3339) else {
                return String::new();
            };
            text.clear();
            text.push_str(whole.get(..TO_THE_SECOND).unwrap_or_default());
            *second = moment.unix_timestamp();
        }
        let mut out = String::with_capacity(TO_THE_SECOND + 11);
        out.push_str(text);
        if moment.nanosecond() > 0 {
            // A String takes everything.
            let _ = write!(out, ".{:09}", moment.nanosecond());
            out.truncate(out.trim_end_matches('0').len());
        }
        out.push('Z');
        out
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_standard_says() {
        let first = 1_790_000_000_000_000_000_i128;
        for nanoseconds in [
            0,
            1,
            10,
            999_999_999,
            100_000_000,
            1_000_000_000,
            60_123_000_000,
            0,
            86_400_000_000_001,
        ] {
            let moment = OffsetDateTime::from_unix_timestamp_nanos(first + nanoseconds).unwrap();
            assert_eq!(written(moment), moment.format(&Rfc3339).unwrap());
        }
    }
}
