//! The replacement of one whole value: type-correct, NULL stays NULL, of constant length unless `partial` is asked for.
//!
//! Text takes the mask's own form. A type that holds no text takes its neutral value under every mask but `null`; a
//! type without a neutral value becomes NULL.

use super::kind::{Format, Kind};
use crate::config::MaskWith;

/// What stands for redacted text.
pub const REDACTED: &[u8] = b"***";
/// Hex characters of a hash: 64 bits keep different values apart and fit any column that people read.
const HASH_CHARACTERS: usize = 16;

/// The key of `hash`: without it nobody can try values out.
#[derive(Clone)]
pub struct HashKey([u8; 32]);

impl HashKey {
    /// Takes the relay's mask key.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The keyed digest of bytes, whole.
    pub fn digest(&self, bytes: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, bytes)
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey(…)")
    }
}

impl Drop for HashKey {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It stays as it is; nothing was written.
    Same,
    /// Its replacement was appended.
    Replaced,
    /// It becomes NULL; nothing was written.
    Null,
}

/// Appends the replacement of a value that is not NULL.
pub fn replace(with: MaskWith, kind: Kind, format: Format, value: &[u8], key: &HashKey, out: &mut Vec<u8>) -> Applied {
    match kind {
        _ if with == MaskWith::Null => Applied::Null,
        Kind::Text => {
            text(with, value, key, out);
            Applied::Replaced
        }
        _ => neutral(kind, format, out),
    }
}

/// Appends the replacement of a piece of text. `null` cannot be said inside of a text: it is redacted.
pub fn text(with: MaskWith, value: &[u8], key: &HashKey, out: &mut Vec<u8>) {
    match with {
        MaskWith::Redact | MaskWith::Null => out.extend_from_slice(REDACTED),
        MaskWith::Partial { keep_last } => partial(value, keep_last, out),
        MaskWith::Hash => out.extend_from_slice(&key.digest(value).to_hex().as_bytes()[..HASH_CHARACTERS]),
    }
}

/// Keeps the last characters and makes the others `*`. Nothing is kept of a text shorter than twice what would be kept:
/// more than half of it would be seen.
fn partial(value: &[u8], keep_last: usize, out: &mut Vec<u8>) {
    let characters = value.iter().filter(|byte| starts_character(**byte)).count();
    let kept = if keep_last > characters / 2 { 0 } else { keep_last };
    out.extend(std::iter::repeat_n(b'*', characters - kept));
    if kept > 0 {
        let mut seen = 0;
        let start = value.iter().rposition(|byte| {
            seen += usize::from(starts_character(*byte));
            seen == kept
        });
        out.extend_from_slice(&value[start.unwrap_or(value.len())..]);
    }
}

/// Whether a byte begins a UTF-8 character.
const fn starts_character(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

/// Appends the neutral value of a type that holds no text.
fn neutral(kind: Kind, format: Format, out: &mut Vec<u8>) -> Applied {
    let zeros = |count: u8, out: &mut Vec<u8>| out.extend(std::iter::repeat_n(0, usize::from(count)));
    match (kind, format) {
        (Kind::Text | Kind::Char, _) => out.push(b'*'),
        (Kind::Number(_), Format::Text) => out.push(b'0'),
        (Kind::Number(size) | Kind::Time(size), Format::Binary) => zeros(size, out),
        (Kind::Bool, Format::Text) => out.push(b'f'),
        (Kind::Bool, Format::Binary) => zeros(1, out),
        (Kind::Uuid, Format::Text) => out.extend_from_slice(b"00000000-0000-0000-0000-000000000000"),
        (Kind::Uuid, Format::Binary) => zeros(16, out),
        (Kind::Bytea, Format::Text) => out.extend_from_slice(b"\\x"),
        (Kind::Bytea, Format::Binary) | (Kind::Hstore, Format::Text) => {}
        (Kind::Date, Format::Text) => out.extend_from_slice(b"2000-01-01"),
        (Kind::Date, Format::Binary) => zeros(4, out),
        (Kind::Timestamp, Format::Text) => out.extend_from_slice(b"2000-01-01 00:00:00"),
        (Kind::Timestamptz, Format::Text) => out.extend_from_slice(b"2000-01-01 00:00:00+00"),
        (Kind::Timestamp | Kind::Timestamptz, Format::Binary) => zeros(8, out),
        (Kind::Time(_), Format::Text) => out.extend_from_slice(b"00:00:00"),
        (Kind::Timetz, Format::Text) => out.extend_from_slice(b"00:00:00+00"),
        (Kind::Timetz, Format::Binary) => zeros(12, out),
        (Kind::Json | Kind::Jsonb, Format::Text) | (Kind::Json, Format::Binary) => out.extend_from_slice(b"\"***\""),
        (Kind::Jsonb, Format::Binary) => out.extend_from_slice(b"\x01\"***\""),
        (Kind::Array(..) | Kind::Multirange { .. }, Format::Text) => out.extend_from_slice(b"{}"),
        (Kind::Array(element, _), Format::Binary) => {
            // no dimensions, no NULLs, the element's type
            zeros(8, out);
            out.extend_from_slice(&element.to_be_bytes());
        }
        (Kind::Multirange { .. } | Kind::Hstore, Format::Binary) => zeros(4, out),
        (Kind::Range { .. }, Format::Text) => out.extend_from_slice(b"empty"),
        (Kind::Range { .. }, Format::Binary) => out.push(1),
        (Kind::Inet, Format::Text) => out.extend_from_slice(b"0.0.0.0"),
        // family AF_INET, 32 bits, not a cidr, four bytes of address
        (Kind::Inet, Format::Binary) => out.extend_from_slice(&[2, 32, 0, 4, 0, 0, 0, 0]),
        (Kind::Cidr, Format::Text) => out.extend_from_slice(b"0.0.0.0/32"),
        (Kind::Cidr, Format::Binary) => out.extend_from_slice(&[2, 32, 1, 4, 0, 0, 0, 0]),
        (Kind::Record | Kind::Enum | Kind::Plain | Kind::Scanned | Kind::Other, _) => return Applied::Null,
    }
    Applied::Replaced
}

/// Orders masks by what they give away: `null` nothing, `redact` that there is a value, `hash` that two are equal,
/// `partial` some characters, the more the longer. Where several apply the strictest holds.
pub fn stricter(a: MaskWith, b: MaskWith) -> MaskWith {
    const fn shown(with: MaskWith) -> (u8, usize) {
        match with {
            MaskWith::Null => (0, 0),
            MaskWith::Redact => (1, 0),
            MaskWith::Hash => (2, 0),
            MaskWith::Partial { keep_last } => (3, keep_last),
        }
    }
    if shown(a) <= shown(b) { a } else { b }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replaced(with: MaskWith, oid: u32, format: Format, value: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match replace(with, Kind::of(oid), format, value, &HashKey::new([7; 32]), &mut out) {
            Applied::Replaced => Some(out),
            Applied::Null => None,
            Applied::Same => panic!("a mask leaves nothing as it is"),
        }
    }

    #[test]
    fn each_type_has_its_neutral_value() {
        let cases: &[(u32, &[u8], &[u8])] = &[
            (23, b"0", &[0; 4]),
            (20, b"0", &[0; 8]),
            (21, b"0", &[0; 2]),
            (1700, b"0", &[0; 8]),
            (701, b"0", &[0; 8]),
            (16, b"f", &[0]),
            (17, b"\\x", b""),
            (1082, b"2000-01-01", &[0; 4]),
            (1184, b"2000-01-01 00:00:00+00", &[0; 8]),
            (1186, b"00:00:00", &[0; 16]),
            (114, b"\"***\"", b"\"***\""),
            (3802, b"\"***\"", b"\x01\"***\""),
            (1009, b"{}", &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25]),
            (3904, b"empty", &[1]),
            (869, b"0.0.0.0", &[2, 32, 0, 4, 0, 0, 0, 0]),
        ];
        for (oid, text, binary) in cases {
            for with in [MaskWith::Redact, MaskWith::Hash, MaskWith::Partial { keep_last: 4 }] {
                assert_eq!(
                    replaced(with, *oid, Format::Text, b"x").as_deref(),
                    Some(*text),
                    "{oid}"
                );
                assert_eq!(
                    replaced(with, *oid, Format::Binary, b"x").as_deref(),
                    Some(*binary),
                    "{oid}"
                );
            }
            assert_eq!(replaced(MaskWith::Null, *oid, Format::Text, b"x"), None);
        }
        assert_eq!(
            replaced(MaskWith::Redact, 16_999, Format::Text, b"happy"),
            None,
            "an enum has no neutral value"
        );
    }

    #[test]
    fn partial_keeps_the_end_but_never_most_of_it() {
        let partial = |value: &str, keep_last| {
            let out = replaced(MaskWith::Partial { keep_last }, 25, Format::Text, value.as_bytes());
            String::from_utf8(out.unwrap()).unwrap()
        };
        assert_eq!(partial("123-45-6789", 4), "*******6789");
        assert_eq!(partial("1234567", 4), "*******");
        assert_eq!(partial("äöüßäöüß", 4), "****äöüß");
        assert_eq!(partial("12345678", 0), "********");
        assert_eq!(partial("", 4), "");
        assert_eq!(partial("x", usize::MAX), "*");
    }

    #[test]
    fn the_strictest_mask_holds() {
        let partial = |keep_last| MaskWith::Partial { keep_last };
        let order = [MaskWith::Null, MaskWith::Redact, MaskWith::Hash, partial(1), partial(4)];
        for (i, a) in order.iter().enumerate() {
            for (j, b) in order.iter().enumerate() {
                assert_eq!(stricter(*a, *b), order[i.min(j)]);
            }
        }
    }

    proptest! {
        #[test]
        fn redacted_text_tells_nothing_and_a_hash_depends_on_all_of_it(a in ".*", b in ".*") {
            let of = |with, value: &str| replaced(with, 25, Format::Text, value.as_bytes()).unwrap();
            prop_assert_eq!(of(MaskWith::Redact, &a), of(MaskWith::Redact, &b));
            prop_assert_eq!(of(MaskWith::Hash, &a).len(), HASH_CHARACTERS);
            prop_assert_eq!(a == b, of(MaskWith::Hash, &a) == of(MaskWith::Hash, &b));
        }

        #[test]
        fn partial_is_total_and_keeps_the_number_of_characters(value in proptest::collection::vec(any::<u8>(), 0..40), keep in 0_usize..12) {
            let out = replaced(MaskWith::Partial { keep_last: keep }, 25, Format::Text, &value).unwrap();
            let characters = value.iter().filter(|byte| starts_character(**byte)).count();
            prop_assert_eq!(out.iter().filter(|byte| starts_character(**byte)).count(), characters);
        }
    }
}
