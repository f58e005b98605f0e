//! Spans of time, as people write and read them: `90s`, `15m`, `2h`.

use std::time::Duration;

/// Reads a span: a whole number with `ms`, `s`, `m`, `h` or `d` behind it.
///
/// # Errors
/// The text is not of that form.
pub fn parse(text: &str) -> Result<Duration, String> {
    let expected = || format!("`{text}` is not a duration: write `90s`, `15m` or `2h`");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(expected)?;
    let number: u64 = text[..split].parse().map_err(|_| expected())?;
    let milliseconds = match &text[split..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(expected()),
    };
    number
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .ok_or_else(expected)
}

/// Writes a span roughly, in at most four characters for less than a year: `45s`, `12m`, `5h`, `3d`.
pub fn short(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The span from one time to another; nothing where it would be negative.
pub fn between(from: time::OffsetDateTime, to: time::OffsetDateTime) -> Duration {
    Duration::try_from(to - from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        assert_eq!(parse("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(parse("0ms"), Ok(Duration::ZERO));
        assert_eq!(parse("2d"), Ok(Duration::from_secs(172_800)));
        for wrong in [
            "",
            "s",
            "5",
            "-5s",
            "5 s",
            "5µs",
            "1.5h",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_are_short() {
        let written: Vec<String> = [0, 119, 120, 7_199, 7_200, 172_799, 172_800, 86_400 * 364]
            .into_iter()
            .map(|seconds| short(Duration::from_secs(seconds)))
            .collect();
        assert_eq!(written, ["0s", "119s", "2m", "119m", "2h", "47h", "2d", "364d"]);
    }

    #[test]
    fn a_past_time_is_no_time_left() {
        let now = time::OffsetDateTime::now_utc();
        assert_eq!(between(now, now - Duration::from_secs(5)), Duration::ZERO);
        assert_eq!(between(now, now + Duration::from_secs(5)), Duration::from_secs(5));
    }
}
