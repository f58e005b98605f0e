//! Undoes the escapes in which a value can hide from a reader of bytes: `\u0040`, `\x40`, `&#64;`, `&#x40;`, `%40`, and the
//! text form of bytes, `\x4142…`.

/// What a text with such an escape contains.
pub(super) const LITERALS: &[&str] = &["\\u", "\\x", "&#", "%"];

/// Hex digits from which on a run behind `\x` is bytes: fewer hold nothing that a detector finds.
const FEWEST_HEX: usize = 12;

/// Everything that a text may mean besides what it is: with its escapes decoded, with its runs of bytes decoded.
pub(super) fn readings(text: &[u8]) -> Vec<Vec<u8>> {
    [reveal(text), bytes(text)].into_iter().flatten().collect()
}

/// Decodes every `\x4142…`; `None` where there is none.
fn bytes(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut found = false;
    let mut from = 0;
    while let Some(offset) = memchr::memmem::find(text.get(from..)?, b"\\x") {
        let start = from + offset + 2;
        let digits = text[start..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count() & !1;
        out.extend_from_slice(&text[from..start - 2]);
        if digits >= FEWEST_HEX {
            out.extend(hex(&text[start..start + digits]));
            found = true;
        }
        from = start + digits;
    }
    out.extend_from_slice(&text[from..]);
    found.then_some(out)
}

/// Decodes pairs of hex digits; what is none is left out.
pub(in crate::mask) fn hex(digits: &[u8]) -> impl Iterator<Item = u8> + '_ {
    digits
        .chunks_exact(2)
        .filter_map(|pair| u8::try_from(number(pair, 16)?).ok())
}

/// Decodes every escape; `None` where there is none.
fn reveal(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut from = 0;
    while let Some(offset) = memchr::memchr3(b'\\', b'&', b'%', &text[from..]) {
        let at = from + offset;
        match escape(&text[at..]) {
            Some((character, length)) => {
                out.extend_from_slice(&text[from..at]);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                from = at + length;
            }
            None => {
                out.extend_from_slice(&text[from..=at]);
                from = at + 1;
            }
        }
    }
    let found = out.len() != from;
    out.extend_from_slice(&text[from..]);
    found.then_some(out)
}

/// Reads one escape: its character and its length.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let fixed = |start: usize, digits: usize| {
        let code = number(text.get(start..start + digits)?, 16)?;
        Some((char::from_u32(code)?, start + digits))
    };
    match text {
        [b'\\', b'u', ..] => fixed(2, 4),
        [b'\\', b'x', ..] => fixed(2, 2),
        [b'%', ..] => fixed(1, 2),
        [b'&', b'#', rest @ ..] => {
            let (start, radix) = if rest.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'x')) {
                (3, 16)
            } else {
                (2, 10)
            };
            // more than eight digits are no character
            let digits = text.get(start..)?.iter().take(9).position(|byte| *byte == b';')?;
            let code = number(&text[start..start + digits], radix)?;
            Some((char::from_u32(code)?, start + digits + 1))
        }
        _ => None,
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let first_is_digit = digits.first()?.is_ascii_hexdigit();
    let text = std::str::from_utf8(digits).ok().filter(|_| first_is_digit)?;
    u32::from_str_radix(text, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_written_as_hex_are_decoded() {
        let shown = |text: &str| bytes(text.as_bytes()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(
            shown("{\"\\\\x61406578616d706c652e636f6d\",1}").as_deref(),
            Some("{\"\\a@example.com\",1}")
        );
        for text in ["", "\\x", "\\x6140", "x61406578616d706c652e636f6d"] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn escapes_are_decoded_and_what_is_none_stays() {
        let shown = |text: &str| reveal(text.as_bytes()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(
            shown("a\\u0040b&#64;c&#x40;d%40e\\x40f").as_deref(),
            Some("a@b@c@d@e@f")
        );
        for text in [
            "",
            "a@b",
            "50%",
            "\\u00",
            "&#;",
            "&#+4;",
            "\\ud800",
            "&#99999999999;",
            "%+1",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
