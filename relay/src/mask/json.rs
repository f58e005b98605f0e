//! JSON under detectors: strings, keys and numbers are read decoded, replaced and written as JSON again; everything
//! else keeps its bytes.
//!
//! A flat walk over tokens: it needs no stack, so depth costs nothing.

use super::detect::{Detectors, is_card, is_secret_name};
use super::replace::{Applied, stricter, text as replace_text};
use crate::config::{Detector, MaskWith};

/// Replaces what is found in a JSON text.
pub(super) fn mask(detectors: &Detectors, value: &[u8], out: &mut Vec<u8>) -> Applied {
    let start = out.len();
    let mut walk = Walk {
        detectors,
        value,
        out,
        changed: false,
        secret: Secret::No,
        depth: 0,
    };
    let applied = walk.run();
    if applied != Applied::Replaced {
        out.truncate(start);
    }
    applied
}

/// Whether the walk is inside the value of a field that is called password or the like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secret {
    No,
    /// The next value is.
    Next,
    /// Everything down to this depth is.
    Within(usize),
}

struct Walk<'a> {
    detectors: &'a Detectors,
    value: &'a [u8],
    out: &'a mut Vec<u8>,
    changed: bool,
    secret: Secret,
    depth: usize,
}

impl Walk<'_> {
    fn run(&mut self) -> Applied {
        let mut at = 0;
        while let Some(&byte) = self.value.get(at) {
            let end = match byte {
                b'"' => string_end(self.value, at + 1),
                b'-' | b'0'..=b'9' => at + self.value[at..].iter().take_while(|byte| is_number(**byte)).count(),
                _ => at + 1,
            };
            let token = &self.value[at..end];
            at = end;
            let applied = match byte {
                b'"' => self.string(token, end),
                b'-' | b'0'..=b'9' => self.number(token),
                _ => {
                    self.punctuation(byte);
                    self.out.push(byte);
                    Applied::Same
                }
            };
            if applied == Applied::Null {
                return Applied::Null;
            }
        }
        if self.changed { Applied::Replaced } else { Applied::Same }
    }

    fn punctuation(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => {
                self.depth += 1;
                if self.secret == Secret::Next {
                    self.secret = Secret::Within(self.depth);
                }
            }
            b'}' | b']' => {
                if self.secret == Secret::Within(self.depth) {
                    self.secret = Secret::No;
                }
                self.depth = self.depth.saturating_sub(1);
            }
            b',' if self.secret == Secret::Next => self.secret = Secret::No,
            _ => {}
        }
    }

    /// A string or a key, quotes included.
    fn string(&mut self, token: &[u8], end: usize) -> Applied {
        let inner = &token[1..];
        let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
        let decoded = decode(inner);
        let text = decoded.as_deref().unwrap_or(inner);
        let is_key = self.value[end..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
        let field = self.detectors.with(Detector::PasswordField);
        if let (Some(with), false, true) = (field, is_key, self.secret != Secret::No) {
            self.leaf_done();
            return self.put(with, text);
        }
        let mut replaced = Vec::new();
        let applied = self.detectors.text(text, &mut replaced);
        match applied {
            Applied::Same => self.out.extend_from_slice(token),
            Applied::Replaced => {
                encode(&replaced, self.out);
                self.changed = true;
            }
            Applied::Null => {}
        }
        if !is_key {
            self.leaf_done();
        } else if field.is_some() && self.secret == Secret::No && is_secret_name(text) {
            self.secret = Secret::Next;
        }
        applied
    }

    fn number(&mut self, token: &[u8]) -> Applied {
        let field = self
            .detectors
            .with(Detector::PasswordField)
            .filter(|_| self.secret != Secret::No);
        let card = self.detectors.with(Detector::CreditCard).filter(|_| is_card(token));
        self.leaf_done();
        match field.into_iter().chain(card).reduce(stricter) {
            Some(with) => self.put(with, token),
            None => {
                self.out.extend_from_slice(token);
                Applied::Same
            }
        }
    }

    fn leaf_done(&mut self) {
        if self.secret == Secret::Next {
            self.secret = Secret::No;
        }
    }

    fn put(&mut self, with: MaskWith, text: &[u8]) -> Applied {
        if with == MaskWith::Null {
            return Applied::Null;
        }
        let mut replaced = Vec::new();
        replace_text(with, text, self.detectors.key(), &mut replaced);
        encode(&replaced, self.out);
        self.changed = true;
        Applied::Replaced
    }
}

const fn is_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// The place behind the closing quote; the end where there is none.
fn string_end(value: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(offset) = memchr::memchr2(b'"', b'\\', value.get(at..).unwrap_or_default()) {
        at += offset;
        if value[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    value.len()
}

/// Decodes the escapes of a string; `None` where there is none.
fn decode(inner: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'\\', inner)?;
    let mut out = Vec::with_capacity(inner.len());
    let mut at = 0;
    while let Some(&byte) = inner.get(at) {
        if byte != b'\\' {
            out.push(byte);
            at += 1;
            continue;
        }
        let short = match inner.get(at + 1) {
            Some(b'n') => Some(b'\n'),
            Some(b't') => Some(b'\t'),
            Some(b'r') => Some(b'\r'),
            Some(b'b') => Some(8),
            Some(b'f') => Some(12),
            Some(&other @ (b'"' | b'\\' | b'/')) => Some(other),
            _ => None,
        };
        if let Some(short) = short {
            out.push(short);
            at += 2;
            continue;
        }
        let (character, length) = unicode(&inner[at..]).unwrap_or(('\\', 1));
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        at += length;
    }
    Some(out)
}

/// Reads `\uXXXX`, or a pair of surrogates.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let digits = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = unit(0)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 6));
    }
    let pair = unit(6).filter(|second| (0xDC00..0xE000).contains(second) && first < 0xDC00);
    let character = pair.and_then(|second| char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)));
    Some(character.map_or((char::REPLACEMENT_CHARACTER, 6), |character| (character, 12)))
}

/// Appends a JSON string.
fn encode(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
