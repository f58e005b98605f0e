//! Quantities as people write them: `16MiB`, `200ms`, `1h30m`.

use std::time::Duration;

/// A size or duration that is not one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a size.
    #[error("`{0}` is not a size: write a whole number and B, KiB, MiB or GiB, such as 16MiB")]
    Size(String),
    /// Not a duration.
    #[error("`{0}` is not a duration: write whole numbers with ms, s, m, h or d, such as 90s or 1h30m")]
    Duration(String),
    /// More than can be counted.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// Longer texts are cut where they are quoted.
const QUOTED: usize = 40;

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}

/// Reads a size in bytes.
///
/// # Errors
/// The text is no size, or more than memory has addresses.
pub fn size(text: &str) -> Result<usize, QuantityError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err(QuantityError::Size(quoted(text))),
    };
    if number.is_empty() {
        return Err(QuantityError::Size(quoted(text)));
    }
    number
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| QuantityError::TooLarge(quoted(text)))
}

/// Reads a duration: one or more whole numbers with falling units.
///
/// # Errors
/// The text is no duration, or longer than can be counted in milliseconds.
pub fn duration(text: &str) -> Result<Duration, QuantityError> {
    let wrong = || QuantityError::Duration(quoted(text));
    let too_large = || QuantityError::TooLarge(quoted(text));
    let (mut rest, mut total, mut last) = (text, 0_u64, u64::MAX);
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        if number.is_empty() || milliseconds >= last {
            return Err(wrong());
        }
        last = milliseconds;
        let part = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(milliseconds));
        total = part.and_then(|part| total.checked_add(part)).ok_or_else(too_large)?;
        rest = tail;
    }
    Ok(Duration::from_millis(total))
}

/// Writes a size as [`size`] reads it.
pub fn show_size(bytes: usize) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes > 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    format!("{bytes}B")
}

/// Writes a duration as [`duration`] reads it; below a millisecond it is cut.
pub fn show_duration(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    let mut out = String::new();
    for (milliseconds, unit) in [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
        (1, "ms"),
    ] {
        let number = rest / milliseconds;
        rest %= milliseconds;
        if number > 0 {
            out.push_str(&format!("{number}{unit}"));
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_in_binary_units_only() {
        assert_eq!(size("16MiB"), Ok(16 << 20));
        assert_eq!(size("0B"), Ok(0));
        assert_eq!(size("007KiB"), Ok(7 << 10));
        for wrong in [
            "", "16", "MiB", "16MB", "16 MiB", "-1B", "1.5MiB", "16mib", "１MiB", "1B\0", "0x10B", "+1B",
        ] {
            assert!(matches!(size(wrong), Err(QuantityError::Size(_))), "{wrong:?}");
        }
        for large in ["99999999999999999999999999B", "99999999999999GiB"] {
            assert!(matches!(size(large), Err(QuantityError::TooLarge(_))), "{large:?}");
        }
    }

    #[test]
    fn durations_are_whole_numbers_with_falling_units() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        for wrong in [
            "", "5", "s", "5 s", "-5s", "1.5h", "5sec", "30m1h", "1h1h", "5S", "5s ", "٣s", "always", "5µs",
        ] {
            assert!(matches!(duration(wrong), Err(QuantityError::Duration(_))), "{wrong:?}");
        }
        for large in ["99999999999999999999s", "18446744073709551615d"] {
            assert!(matches!(duration(large), Err(QuantityError::TooLarge(_))), "{large:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_where_it_is_quoted() {
        let error = size(&"x".repeat(1 << 20)).unwrap_err();
        assert!(error.to_string().len() < 200);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(bytes in any::<u32>(), milliseconds in any::<u32>()) {
            let bytes = bytes as usize;
            prop_assert_eq!(size(&show_size(bytes)), Ok(bytes));
            let time = Duration::from_millis(u64::from(milliseconds));
            prop_assert_eq!(duration(&show_duration(time)), Ok(time));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = size(&text);
            let _ = duration(&text);
        }
    }
}
