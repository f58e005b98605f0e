//! `bytea` under detectors: bytes that are text are read as text; of other bytes, the runs of text in them.

use super::detect::{Detectors, hex};
use super::replace::Applied;

/// The shortest run of text in other bytes that is looked at. Of random bytes one in ten million begins such a run, so that
/// pictures and ciphertexts stay as they are.
const SHORTEST_RUN: usize = 16;

/// Replaces what is found in the text form: `\x6162…`, or bytes with escapes (`bytea_output = escape`). What is replaced is
/// written in the first.
pub(super) fn text(detectors: &Detectors, value: &[u8], out: &mut Vec<u8>) -> Applied {
    let decoded: Vec<u8> = match value.strip_prefix(b"\\x") {
        Some(digits) => hex(digits).collect(),
        None => unescape(value),
    };
    let mut replaced = Vec::new();
    let applied = bytes(detectors, &decoded, &mut replaced);
    if applied == Applied::Replaced {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        out.extend_from_slice(b"\\x");
        out.extend(
            replaced
                .iter()
                .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        );
    }
    applied
}

/// Decodes `\\` and `\ooo`.
fn unescape(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let octal = |digit: &u8| (b'0'..=b'7').contains(digit);
        match (byte, behind) {
            (b'\\', [b'\\', after @ ..]) => {
                out.push(b'\\');
                rest = after;
            }
            (b'\\', [a @ b'0'..=b'3', b, c, after @ ..]) if octal(b) && octal(c) => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => out.push(byte),
        }
    }
    out
}

/// Replaces what is found in bytes.
pub(super) fn bytes(detectors: &Detectors, value: &[u8], out: &mut Vec<u8>) -> Applied {
    if is_text(value) {
        return detectors.text(value, out);
    }
    let start = out.len();
    let mut changed = false;
    let mut from = 0;
    while from < value.len() {
        let run = value[from..].iter().take_while(|byte| is_printable(**byte)).count();
        let (piece, next) = (&value[from..from + run], from + run + 1);
        let applied = if run < SHORTEST_RUN {
            Applied::Same
        } else {
            detectors.text(piece, out)
        };
        match applied {
            Applied::Same => out.extend_from_slice(piece),
            Applied::Replaced => changed = true,
            Applied::Null => {
                out.truncate(start);
                return Applied::Null;
            }
        }
        out.extend(value.get(from + run));
        from = next;
    }
    if changed {
        return Applied::Replaced;
    }
    out.truncate(start);
    Applied::Same
}

/// Whether bytes are text: UTF-8, or nearly all of them characters of some alphabet with ASCII in it.
fn is_text(value: &[u8]) -> bool {
    let printable = || value.iter().filter(|byte| is_printable(**byte)).count();
    std::str::from_utf8(value).is_ok_and(|text| !text.contains('\0')) || printable() >= value.len() / 4 * 3
}

const fn is_printable(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Detector, MaskWith};
    use crate::mask::HashKey;

    fn detectors() -> Detectors {
        Detectors::new([(Detector::Email, MaskWith::Redact)], HashKey::new([1; 32]))
    }

    fn shown(value: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        (bytes(&detectors(), value, &mut out) == Applied::Replaced).then_some(out)
    }

    #[test]
    fn text_in_bytes_is_found_whatever_stands_around_it() {
        assert_eq!(shown(b"ask a@example.com").as_deref(), Some(&b"ask ***"[..]));
        assert_eq!(
            shown("für a@example.com".as_bytes()).as_deref(),
            Some("für ***".as_bytes())
        );
        assert_eq!(shown(b"\xff: a@example.com").as_deref(), Some(&b"\xff: ***"[..]));
        let mut picture = [0x89, 0, 1, 2, 0xfe, 0xff, 3, 4].repeat(20);
        assert_eq!(shown(&picture), None);
        picture.extend_from_slice(b"\0mail ask.me@example.com\0\0");
        let masked = shown(&picture).unwrap_or_default();
        assert!(masked.ends_with(b"\0mail ***\0\0"), "{masked:?}");
        assert_eq!(masked[..160], picture[..160]);
    }

    #[test]
    fn both_text_forms_are_read() {
        let mut out = Vec::new();
        assert_eq!(
            text(&detectors(), b"\\x61406578616d706c652e636f6d", &mut out),
            Applied::Replaced
        );
        assert_eq!(out, b"\\x2a2a2a");
        out.clear();
        assert_eq!(
            text(&detectors(), b"\\000\\\\ a@example.com", &mut out),
            Applied::Replaced
        );
        assert_eq!(out, b"\\x005c202a2a2a");
        out.clear();
        assert_eq!(text(&detectors(), b"\\x0001", &mut out), Applied::Same);
        assert!(out.is_empty());
    }
}
