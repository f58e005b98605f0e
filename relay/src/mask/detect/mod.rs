//! Detectors: values that are sensitive by what they look like, wherever they stand.
//!
//! ```text
//! row ▸ suspects (one pass: literals that every detector needs, and digits) ▸ value ▸ exact checks ▸ spans ▸ replaced
//! ```
//!
//! They are the second line: a mask on a column follows the column, a detector only sees the value. Each is linear in
//! the length of its input, whatever the input. A detector looks behind `\u0040`, `&#64;` and `%40`; what is found only
//! there makes the whole value redacted, because its place in the original cannot be told.

mod disguise;
mod email;
mod field;
mod iban;
mod numbers;
mod secrets;

use aho_corasick::AhoCorasick;

pub(super) use self::disguise::hex;
pub(super) use self::field::is_secret_name;
pub(super) use self::numbers::is_card;
use super::kind::{Format, Kind};
use super::replace::{Applied, HashKey, stricter, text as replace_text};
use super::{array, binary, hstore, json};
use crate::config::{Detector, MaskWith};

/// How many detectors there are.
const COUNT: usize = 10;
/// Digits without which neither a card, a social security number nor a telephone number exists.
const FEWEST_DIGITS: usize = 7;
/// Digits that every IBAN in use has; its other characters may be letters.
const FEWEST_IBAN_DIGITS: usize = 4;

/// The detectors of one connection, and the key of its hashes.
#[derive(Clone, Debug)]
pub struct Detectors {
    with: [Option<MaskWith>; COUNT],
    literals: Option<AhoCorasick>,
    digits: Option<usize>,
    key: HashKey,
}

/// A place in a text, and how it is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub with: MaskWith,
}

impl Detectors {
    /// Takes the detectors with their masks; the strictest holds for one that is named twice.
    pub fn new(rules: impl IntoIterator<Item = (Detector, MaskWith)>, key: HashKey) -> Self {
        let mut with: [Option<MaskWith>; COUNT] = [None; COUNT];
        for (detector, mask) in rules {
            let mask = match (detector, mask) {
                // the last characters of a password are a part of it
                (Detector::PasswordField | Detector::PrivateKey, MaskWith::Partial { .. }) => MaskWith::Redact,
                (_, mask) => mask,
            };
            let slot = &mut with[detector as usize];
            *slot = Some(slot.map_or(mask, |other| stricter(other, mask)));
        }
        let has = |detector: Detector| with[detector as usize].is_some();
        let mut literals: Vec<&str> = Vec::new();
        let pieces: [(Detector, &[&str]); 6] = [
            (Detector::Email, &["@", "%40"]),
            (Detector::Jwt, secrets::JWT),
            (Detector::PrivateKey, secrets::PRIVATE_KEY),
            (Detector::AwsKey, secrets::AWS_KEY),
            (Detector::GithubToken, secrets::GITHUB_TOKEN),
            (Detector::PasswordField, field::LITERALS),
        ];
        for (detector, pieces) in pieces {
            if has(detector) {
                literals.extend(pieces);
            }
        }
        let numbers = has(Detector::CreditCard) || has(Detector::UsSsn) || has(Detector::Phone);
        let digits = match (has(Detector::Iban), numbers) {
            (true, _) => Some(FEWEST_IBAN_DIGITS),
            (false, true) => Some(FEWEST_DIGITS),
            (false, false) => None,
        };
        if with.iter().any(Option::is_some) {
            literals.extend(disguise::LITERALS);
        }
        let literals = (!literals.is_empty())
            .then(|| AhoCorasick::builder().ascii_case_insensitive(true).build(literals).ok())
            .flatten();
        Self {
            with,
            literals,
            digits,
            key,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.with.iter().all(Option::is_none)
    }

    /// The key of hashes.
    pub fn key(&self) -> &HashKey {
        &self.key
    }

    /// Whether bytes may hold something: a whole row, or one value. No means no for every part of them.
    pub fn suspects(&self, bytes: &[u8]) -> bool {
        if self.is_empty() {
            return false;
        }
        let digits = self
            .digits
            .is_some_and(|fewest| bytes.iter().filter(|byte| byte.is_ascii_digit()).count() >= fewest);
        // an automaton that could not be built finds nothing out: everything is looked at
        digits || self.literals.as_ref().is_none_or(|literals| literals.is_match(bytes))
    }

    /// Replaces what is found in a value that is not NULL, in the way of its type.
    pub fn value(&self, kind: Kind, format: Format, value: &[u8], out: &mut Vec<u8>) -> Applied {
        if !kind.holds_text() || !self.suspects(value) {
            return Applied::Same;
        }
        match (kind, format) {
            (Kind::Text, _) => self.text(value, out),
            (
                Kind::Record
                | Kind::Hstore
                | Kind::Range { .. }
                | Kind::Multirange { .. }
                | Kind::Scanned
                | Kind::Other,
                Format::Text,
            ) => self.text(value, out),
            (Kind::Bytea, Format::Text) => binary::text(self, value, out),
            (Kind::Bytea, Format::Binary) => binary::bytes(self, value, out),
            (Kind::Hstore, Format::Binary) => hstore::binary(self, value, out),
            (Kind::Json, _) | (Kind::Jsonb, Format::Text) => json::mask(self, value, out),
            (Kind::Jsonb, Format::Binary) => match value.split_first() {
                Some((&version, text)) => {
                    let start = out.len();
                    out.push(version);
                    let applied = json::mask(self, text, out);
                    if applied != Applied::Replaced {
                        out.truncate(start);
                    }
                    applied
                }
                None => Applied::Same,
            },
            (Kind::Array(_, element), Format::Text) => array::text(self, element.kind(), value, out),
            (Kind::Array(_, element), Format::Binary) => array::binary(self, element.kind(), value, out),
            (Kind::Record, Format::Binary) => array::record(self, value),
            _ if self.finds(value) => Applied::Null,
            _ => Applied::Same,
        }
    }

    /// Replaces what is found in a text.
    pub fn text(&self, value: &[u8], out: &mut Vec<u8>) -> Applied {
        if !self.suspects(value) {
            return Applied::Same;
        }
        let start = out.len();
        let spans = self.spans(value);
        if spans.iter().any(|span| span.with == MaskWith::Null) {
            return Applied::Null;
        }
        let mut from = 0;
        for span in &spans {
            out.extend_from_slice(&value[from..span.start]);
            replace_text(span.with, &value[span.start..span.end], &self.key, out);
            from = span.end;
        }
        out.extend_from_slice(&value[from..]);
        let clear = disguise::readings(&out[start..]);
        let hidden = clear.iter().flat_map(|clear| self.spans(clear));
        if let Some(with) = hidden.map(|span| span.with).reduce(stricter) {
            out.truncate(start);
            // its own text would show how long it is and how it ends
            return match with {
                MaskWith::Null => Applied::Null,
                MaskWith::Hash => {
                    replace_text(with, value, &self.key, out);
                    Applied::Replaced
                }
                MaskWith::Redact | MaskWith::Partial { .. } => {
                    replace_text(MaskWith::Redact, value, &self.key, out);
                    Applied::Replaced
                }
            };
        }
        if spans.is_empty() {
            out.truncate(start);
            return Applied::Same;
        }
        Applied::Replaced
    }

    /// Whether anything is found in bytes.
    pub(super) fn finds(&self, bytes: &[u8]) -> bool {
        self.suspects(bytes)
            && (!self.spans(bytes).is_empty()
                || disguise::readings(bytes)
                    .iter()
                    .any(|clear| !self.spans(clear).is_empty()))
    }

    /// The mask of a detector.
    pub(super) fn with(&self, detector: Detector) -> Option<MaskWith> {
        self.with[detector as usize]
    }

    /// Everything found, in order; what overlaps is one span with the strictest mask.
    pub(super) fn spans(&self, text: &[u8]) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let mut run = |detector: Detector, find: fn(&[u8], &mut dyn FnMut(usize, usize))| {
            if let Some(with) = self.with(detector) {
                find(text, &mut |start, end| spans.push(Span { start, end, with }));
            }
        };
        run(Detector::Email, email::find);
        run(Detector::CreditCard, numbers::cards);
        run(Detector::UsSsn, numbers::social_security);
        run(Detector::Phone, numbers::phones);
        run(Detector::Iban, iban::find);
        run(Detector::Jwt, secrets::jwt);
        run(Detector::PrivateKey, secrets::private_key);
        run(Detector::AwsKey, secrets::aws_key);
        run(Detector::GithubToken, secrets::github_token);
        run(Detector::PasswordField, field::find);
        spans.sort_unstable_by_key(|span| span.start);
        let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.start < last.end => {
                    last.end = last.end.max(span.end);
                    last.with = stricter(last.with, span.with);
                }
                _ => merged.push(span),
            }
        }
        merged
    }
}

/// Whether a byte is a letter or digit of ASCII.
fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests;
