//! Values as text: what the server's own output functions would write, for the common types. Values of other types in
//! binary form are shown in hex.

use std::fmt::Write as _;

use super::super::codec::fields::Fields;
use super::super::codec::frontend::Format;
use crate::mask::Kind;

/// Days from the Unix epoch to 2000-01-01, where PostgreSQL counts from.
const EPOCH_DAYS: i64 = 10_957;
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Arrays and rows in each other.
const DEPTH: usize = 4;

/// A value as text.
pub fn value_text(type_oid: u32, format: Format, value: &[u8]) -> String {
    match format {
        Format::Text => String::from_utf8_lossy(value).into_owned(),
        Format::Binary => binary(type_oid, value, DEPTH).unwrap_or_else(|| hex(value)),
    }
}

/// Bytes as `bytea` writes them.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("\\x"), |mut text, byte| {
        // writing to a String never fails
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn utf8(value: &[u8]) -> Option<String> {
    std::str::from_utf8(value).ok().map(str::to_owned)
}

fn number<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

fn binary(oid: u32, value: &[u8], depth: usize) -> Option<String> {
    match oid {
        16 => Some(if *value.first()? == 0 { "f" } else { "t" }.to_owned()),
        18 => Some(char::from(*value.first()?).to_string()),
        20 => number(value).map(|value| i64::from_be_bytes(value).to_string()),
        21 => number(value).map(|value| i16::from_be_bytes(value).to_string()),
        23 => number(value).map(|value| i32::from_be_bytes(value).to_string()),
        26 => number(value).map(|value| u32::from_be_bytes(value).to_string()),
        700 => number(value).map(|value| float(f32::from_be_bytes(value))),
        701 => number(value).map(|value| float(f64::from_be_bytes(value))),
        1700 => numeric(value),
        2950 => uuid(value),
        1082 => number(value).and_then(|value| date(i32::from_be_bytes(value))),
        1083 => number(value).map(|value| time(i64::from_be_bytes(value))),
        1114 => number(value).and_then(|value| timestamp(i64::from_be_bytes(value), "")),
        1184 => number(value).and_then(|value| timestamp(i64::from_be_bytes(value), "+00")),
        1186 => interval(value),
        869 | 650 => address(value),
        _ => match Kind::of(oid) {
            Kind::Text | Kind::Json => utf8(value),
            Kind::Jsonb => value.strip_prefix(&[1]).and_then(utf8),
            Kind::Array(element, _) => array(element, value, depth.checked_sub(1)?),
            // a type that is not built in is often text: citext, enums
            Kind::Scanned | Kind::Other if value.iter().all(|byte| *byte >= b' ') => utf8(value),
            _ => None,
        },
    }
}

fn float(value: impl Into<f64> + std::fmt::Display + Copy) -> String {
    let wide: f64 = value.into();
    if wide.is_infinite() {
        return if wide > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    value.to_string()
}

fn uuid(value: &[u8]) -> Option<String> {
    let value: [u8; 16] = number(value)?;
    let mut text = String::with_capacity(36);
    for (index, byte) in value.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

/// Year, month and day of a number of days since 1970, in the proleptic Gregorian calendar (Hinnant's algorithm).
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// The date, and what stands at the very end.
fn day(days: i64) -> (String, &'static str) {
    let (year, month, day) = civil(days + EPOCH_DAYS);
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

fn date(days: i32) -> Option<String> {
    match days {
        i32::MAX => Some("infinity".to_owned()),
        i32::MIN => Some("-infinity".to_owned()),
        _ => {
            let (date, era) = day(days.into());
            Some(format!("{date}{era}"))
        }
    }
}

fn time(micros: i64) -> String {
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction > 0 {
        let _ = write!(text, ".{fraction:06}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

fn timestamp(micros: i64, zone: &str) -> Option<String> {
    match micros {
        i64::MAX => Some("infinity".to_owned()),
        i64::MIN => Some("-infinity".to_owned()),
        _ => {
            let (date, era) = day(micros.div_euclid(MICROS_PER_DAY));
            Some(format!("{date} {}{zone}{era}", time(micros.rem_euclid(MICROS_PER_DAY))))
        }
    }
}

fn interval(value: &[u8]) -> Option<String> {
    let mut fields = Fields::new(value);
    let high = u64::from(fields.u32().ok()?);
    let micros = ((high << 32) | u64::from(fields.u32().ok()?)).cast_signed();
    let days = fields.i32().ok()?;
    let months = fields.i32().ok()?;
    fields.end().ok()?;
    let mut parts = Vec::new();
    let mut part = |count: i32, one: &str, many: &str| {
        if count != 0 {
            parts.push(format!("{count} {}", if count == 1 { one } else { many }));
        }
    };
    part(months / 12, "year", "years");
    part(months % 12, "mon", "mons");
    part(days, "day", "days");
    if micros != 0 || parts.is_empty() {
        let sign = if micros < 0 { "-" } else { "" };
        parts.push(format!("{sign}{}", time(i64::try_from(micros.unsigned_abs()).ok()?)));
    }
    Some(parts.join(" "))
}

fn numeric(value: &[u8]) -> Option<String> {
    let mut fields = Fields::new(value);
    let count = fields.u16().ok()?;
    let weight = fields.i16().ok()?;
    let sign = fields.u16().ok()?;
    let scale = usize::from(fields.u16().ok()?);
    let digits: Vec<u16> = (0..count)
        .map(|_| fields.u16().ok().filter(|digit| *digit < 10_000))
        .collect::<Option<_>>()?;
    fields.end().ok()?;
    let mut text = String::new();
    match sign {
        0 => {}
        0x4000 => text.push('-'),
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => return None,
    }
    let digit = |place: i32| {
        usize::try_from(place)
            .ok()
            .and_then(|place| digits.get(place))
            .copied()
            .unwrap_or(0)
    };
    let weight = i32::from(weight);
    if weight < 0 {
        text.push('0');
    }
    for place in 0..=weight {
        let digit = digit(place);
        let _ = if place == 0 {
            write!(text, "{digit}")
        } else {
            write!(text, "{digit:04}")
        };
    }
    if scale > 0 {
        text.push('.');
        let end = text.len() + scale;
        let mut place = weight + 1;
        while text.len() < end {
            let _ = write!(text, "{:04}", digit(place));
            place += 1;
        }
        text.truncate(end);
    }
    Some(text)
}

fn address(value: &[u8]) -> Option<String> {
    let [family, bits, is_network, length, rest @ ..] = value else {
        return None;
    };
    let address: std::net::IpAddr = match (family, length) {
        (2, 4) => number::<4>(rest)?.into(),
        (3, 16) => number::<16>(rest)?.into(),
        _ => return None,
    };
    let whole = usize::from(*length) * 8;
    Some(if *is_network == 0 && usize::from(*bits) == whole {
        address.to_string()
    } else {
        format!("{address}/{bits}")
    })
}

fn array(element: u32, value: &[u8], depth: usize) -> Option<String> {
    let mut fields = Fields::new(value);
    let dimensions = usize::try_from(fields.i32().ok()?).ok().filter(|count| *count <= 6)?;
    fields.take(8).ok()?;
    if dimensions == 0 {
        return Some("{}".to_owned());
    }
    let mut sizes = Vec::with_capacity(dimensions);
    for _ in 0..dimensions {
        sizes.push(usize::try_from(fields.i32().ok()?).ok().filter(|size| *size > 0)?);
        fields.take(4).ok()?;
    }
    let mut text = String::new();
    let mut index = 0_usize;
    while !fields.is_empty() {
        // a brace opens for each dimension that begins here, and closes for each that ends
        let step = |inner: usize| {
            sizes[inner..]
                .iter()
                .fold(1_usize, |product, size| product.saturating_mul(*size))
        };
        let opens = (0..dimensions)
            .filter(|inner| index.is_multiple_of(step(*inner)))
            .count();
        if index > 0 {
            text.push(',');
        }
        text.extend(std::iter::repeat_n('{', opens));
        match fields.value().ok()? {
            None => text.push_str("NULL"),
            Some(value) => quoted(&binary(element, value, depth).unwrap_or_else(|| hex(value)), &mut text),
        }
        index += 1;
        let closes = (0..dimensions)
            .filter(|inner| index.is_multiple_of(step(*inner)))
            .count();
        text.extend(std::iter::repeat_n('}', closes));
    }
    Some(text)
}

/// An element as the server quotes it.
fn quoted(element: &str, text: &mut String) {
    let special =
        |character: char| matches!(character, '{' | '}' | ',' | '"' | '\\') || character.is_ascii_whitespace();
    if !element.is_empty() && !element.eq_ignore_ascii_case("null") && !element.contains(special) {
        text.push_str(element);
        return;
    }
    text.push('"');
    for character in element.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}
