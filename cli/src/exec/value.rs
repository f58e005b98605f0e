//! A value's text as PostgreSQL's `to_json` would have it. What comes out is always JSON, on one line, whatever comes in.

use std::borrow::Cow;

use super::nested;
use super::types::Shape;

/// Appends a value as JSON; `None` is null.
pub fn json(out: &mut Vec<u8>, shape: &Shape, value: Option<&[u8]>) {
    match value {
        None => out.extend_from_slice(b"null"),
        Some(bytes) => text(out, shape, &String::from_utf8_lossy(bytes)),
    }
}

/// Appends a string as JSON.
pub fn string(out: &mut Vec<u8>, text: &str) {
    // Writing to memory cannot fail, and every text is a string.
    let _ = serde_json::to_writer(out, text);
}

/// Appends a value from its text.
pub(super) fn text(out: &mut Vec<u8>, shape: &Shape, value: &str) {
    match shape {
        Shape::Bool if value == "t" => out.extend_from_slice(b"true"),
        Shape::Bool if value == "f" => out.extend_from_slice(b"false"),
        // The digits stay as they are: no number loses any.
        Shape::Number if is_json_number(value) => out.extend_from_slice(value.as_bytes()),
        Shape::Timestamp => string(out, &iso(value, false)),
        Shape::TimestampTz => string(out, &iso(value, true)),
        Shape::Json if serde_json::from_str::<&serde_json::value::RawValue>(value).is_ok() => {
            // Line breaks of JSON stand between its tokens only: inside of strings they are escaped.
            out.extend(
                value
                    .bytes()
                    .map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }),
            );
        }
        Shape::Array(element, delimiter) => {
            whole_or_string(out, value, |out| nested::array(out, element, *delimiter, value));
        }
        Shape::Row(columns) => whole_or_string(out, value, |out| nested::row(out, columns, value)),
        Shape::Bool | Shape::Number | Shape::Json | Shape::Text => string(out, value),
    }
}

/// What cannot be read as its type says is a string.
fn whole_or_string(out: &mut Vec<u8>, value: &str, read: impl FnOnce(&mut Vec<u8>) -> Option<()>) {
    let start = out.len();
    if read(out).is_none() {
        out.truncate(start);
        string(out, value);
    }
}

/// Whether a text is a number of JSON (RFC 8259, section 6).
pub fn is_json_number(text: &str) -> bool {
    let mut rest = text.strip_prefix('-').unwrap_or(text);
    let digits = |rest: &mut &str| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        *rest = after;
        digits.len()
    };
    let leading_zero = rest.starts_with('0');
    match digits(&mut rest) {
        0 => return false,
        more if leading_zero && more > 1 => return false,
        _ => {}
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction;
        if digits(&mut rest) == 0 {
            return false;
        }
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        rest = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if digits(&mut rest) == 0 {
            return false;
        }
    }
    rest.is_empty()
}

/// A time of DateStyle ISO with a `T` between date and time, and the zone in hours and minutes: `2026-11-24T03:40:17+00:00`. A text of
/// another form stays as it is.
fn iso(text: &str, zoned: bool) -> Cow<'_, str> {
    let (moment, era) = match text.strip_suffix(" BC") {
        Some(moment) => (moment, " BC"),
        None => (text, ""),
    };
    let Some((date, time)) = moment.split_once(' ') else {
        return Cow::Borrowed(text);
    };
    let is_date = date.len() >= 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let is_time = time.len() >= 8
        && time
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b":.+-".contains(&byte));
    if !is_date || !is_time {
        return Cow::Borrowed(text);
    }
    let minutes = match time.rfind(['+', '-']) {
        Some(at) if zoned && !time[at..].contains(':') => ":00",
        _ => "",
    };
    Cow::Owned(format!("{date}T{time}{minutes}{era}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn written(oid: u32, value: &str) -> String {
        let mut out = Vec::new();
        json(&mut out, &Shape::of(oid), Some(value.as_bytes()));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_keep_every_digit() {
        assert_eq!(written(20, "9223372036854775807"), "9223372036854775807");
        let long = "12345678901234567890123456789.000000000000000000010";
        assert_eq!(written(1700, long), long);
        assert_eq!(written(701, "1e+20"), "1e+20");
        assert_eq!(written(701, "-0"), "-0");
        for word in ["NaN", "Infinity", "-Infinity"] {
            assert_eq!(written(701, word), format!("\"{word}\""));
        }
        assert_eq!(written(26, "7"), "\"7\"");
    }

    #[test]
    fn times_are_as_to_json_has_them() {
        assert_eq!(written(1114, "2026-11-24 03:40:17.5"), "\"2026-11-24T03:40:17.5\"");
        assert_eq!(written(1184, "2026-11-24 03:40:17+00"), "\"2026-11-24T03:40:17+00:00\"");
        assert_eq!(
            written(1184, "2026-11-24 03:40:17.25-05:30"),
            "\"2026-11-24T03:40:17.25-05:30\""
        );
        assert_eq!(
            written(1184, "0044-03-15 00:00:00+00 BC"),
            "\"0044-03-15T00:00:00+00:00 BC\""
        );
        assert_eq!(written(1184, "infinity"), "\"infinity\"");
        assert_eq!(written(1082, "2026-11-24"), "\"2026-11-24\"");
        // Another DateStyle is not guessed at.
        assert_eq!(
            written(1114, "Tue Nov 24 03:40:17 2026"),
            "\"Tue Nov 24 03:40:17 2026\""
        );
    }

    #[test]
    fn arrays_are_arrays() {
        assert_eq!(written(1007, "{1,NULL,3}"), "[1,null,3]");
        assert_eq!(written(1007, "{{1,2},{3,4}}"), "[[1,2],[3,4]]");
        assert_eq!(written(1007, "[0:1]={5,6}"), "[5,6]");
        assert_eq!(written(1007, "{}"), "[]");
        assert_eq!(
            written(1009, r#"{a,"b,\"c\"","NULL",NULL,""}"#),
            r#"["a","b,\"c\"","NULL",null,""]"#
        );
        assert_eq!(written(1000, "{t,f}"), "[true,false]");
        assert_eq!(written(199, r#"{"{\"a\": 1}"}"#), r#"[{"a": 1}]"#);
        assert_eq!(
            written(1020, "{(1,1),(0,0);(2,2),(1,1)}"),
            r#"["(1,1),(0,0)","(2,2),(1,1)"]"#
        );
        assert_eq!(written(22, "1 2"), "[1,2]");
        assert_eq!(written(1007, "{1"), "\"{1\"");
    }

    #[test]
    fn json_is_embedded_on_one_line() {
        assert_eq!(written(114, "{\"a\":\n1}"), "{\"a\": 1}");
        assert_eq!(written(3802, "[1, 2]"), "[1, 2]");
        // A target that lies about the type does not break the document.
        assert_eq!(written(114, "{,"), "\"{,\"");
        let deep = "[".repeat(5_000) + &"]".repeat(5_000);
        assert_eq!(written(114, &deep), deep);
    }

    #[test]
    fn null_is_not_empty() {
        let mut out = Vec::new();
        json(&mut out, &Shape::Text, None);
        assert_eq!(out, b"null");
        assert_eq!(written(25, ""), "\"\"");
        assert_eq!(written(17, "\\x00ff"), "\"\\\\x00ff\"");
    }

    proptest! {
        #[test]
        fn what_is_written_is_json_on_one_line(value in any::<Vec<u8>>(), oid in prop::sample::select(
            vec![16_u32, 17, 20, 25, 114, 199, 701, 1007, 1009, 1114, 1184, 1185, 1700, 3802, 22, 1020, 99_999]
        )) {
            let mut out = Vec::new();
            json(&mut out, &Shape::of(oid), Some(&value));
            prop_assert!(serde_json::from_slice::<&serde_json::value::RawValue>(&out).is_ok());
            prop_assert!(!out.contains(&b'\n'));
        }

        #[test]
        fn texts_come_back(value in any::<String>()) {
            let mut out = Vec::new();
            json(&mut out, &Shape::Text, Some(value.as_bytes()));
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), value);
        }

        #[test]
        fn arrays_of_text_come_back(items in prop::collection::vec(prop::option::of(any::<String>()), 0..6)) {
            let quoted: Vec<String> = items
                .iter()
                .map(|item| item.as_ref().map_or("NULL".to_owned(), |item| {
                    format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\""))
                }))
                .collect();
            let mut out = Vec::new();
            json(&mut out, &Shape::of(1009), Some(format!("{{{}}}", quoted.join(",")).as_bytes()));
            prop_assert_eq!(serde_json::from_slice::<Vec<Option<String>>>(&out).unwrap(), items);
        }

        #[test]
        fn a_number_is_one_to_everybody(text in "-?[0-9]{1,4}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?|.{0,6}") {
            let is_number = matches!(
                serde_json::from_str::<&serde_json::value::RawValue>(&text),
                Ok(raw) if raw.get().starts_with(|c: char| c == '-' || c.is_ascii_digit()) && raw.get() == text
            );
            prop_assert_eq!(is_json_number(&text), is_number, "{}", text);
        }
    }
}
