//! Free texts for recordings: statements, parameters, errors and notices, with what detectors find replaced, and with
//! every literal where a password stands replaced, whatever is configured.
//!
//! A statement is split as the server's lexer splits it (manual, section 4.1) with standard_conforming_strings on,
//! which the relay pins. What cannot be split any further, an unclosed literal, counts as one to its end.

mod insert;
mod lexer;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use hoop_shared::api::Parameter;

use self::insert::InsertColumns;
use self::lexer::{Token, TokenKind, Tokens};
use super::detect::{Detectors, is_secret_name};
use super::kind::{Format, Kind};
use super::readers::Recordable;
use super::replace::{Applied, HashKey, REDACTED};
use crate::config::{Detector, MaskWith};

/// How deep statements inside of literals are read: `EXECUTE '… PASSWORD ''…'''`.
const DEPTH: usize = 4;
/// The longest text that a recording keeps of a statement or message; its digest is of the whole.
const LONGEST_TEXT: usize = 16 << 20;
/// The longest value of one parameter that a recording keeps.
const LONGEST_PARAMETER: usize = 64 << 10;
/// What a recording keeps of all parameters of a statement.
const LONGEST_PARAMETERS: usize = 1 << 20;

/// A text that may stand in a recording. Only a [`Scrubber`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrubbed {
    text: String,
    digest: String,
}

impl Scrubbed {
    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The keyed digest of the exact bytes that it was made from, in hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Parameters that may stand in a recording. Only a [`Scrubber`] makes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrubbedParameters(Vec<Parameter>);

impl ScrubbedParameters {
    /// The parameters.
    pub fn as_slice(&self) -> &[Parameter] {
        &self.0
    }
}

/// Replaces what must not stand in a recording. Bound to a connection's detectors.
#[derive(Clone, Debug)]
pub struct Scrubber {
    /// For texts and literals: fields called password too.
    text: Arc<Detectors>,
    /// For SQL outside of literals, where `password = $1` holds no secret.
    code: Arc<Detectors>,
    digest: HashKey,
}

impl Scrubber {
    pub(super) fn new(detectors: &[(Detector, MaskWith)], key: HashKey) -> Self {
        // NULL has no place inside a text
        let redact = |(detector, with)| match with {
            MaskWith::Null => (detector, MaskWith::Redact),
            with => (detector, with),
        };
        let detectors = detectors.iter().copied().map(redact);
        let code = detectors
            .clone()
            .filter(|(detector, _)| *detector != Detector::PasswordField);
        let text = detectors.chain([(Detector::PasswordField, MaskWith::Redact)]);
        let digest = blake3::derive_key(
            "hoop 2026 recording: digest of exact bytes",
            key.digest(b"digest").as_bytes(),
        );
        Self {
            text: Arc::new(Detectors::new(text, key.clone())),
            code: Arc::new(Detectors::new(code, key)),
            digest: HashKey::new(digest),
        }
    }

    /// Scrubs a SQL text.
    pub fn statement(&self, text: &str) -> Scrubbed {
        let mut out = Vec::with_capacity(text.len());
        self.sql(text.as_bytes(), DEPTH, &mut out);
        self.scrubbed(out, text.as_bytes())
    }

    /// Scrubs any other text: an error, a notice, a command tag, a name.
    pub fn text(&self, text: &str) -> Scrubbed {
        let mut out = Vec::new();
        if self.text.text(text.as_bytes(), &mut out) == Applied::Same {
            out.extend_from_slice(text.as_bytes());
        }
        self.scrubbed(out, text.as_bytes())
    }

    /// Scrubs the parameters bound to a statement: type's oid, type's name, value as text. One that stands where a
    /// password does (`secret`) is replaced; very long values are cut.
    pub fn parameters<'a>(
        &self,
        secret: &SecretParameters,
        parameters: impl IntoIterator<Item = (u32, &'a str, Option<&'a str>)>,
    ) -> ScrubbedParameters {
        let mut left = LONGEST_PARAMETERS;
        let parameters = parameters.into_iter().enumerate().map(|(index, (oid, name, value))| {
            let value = value.map(|value| {
                if secret.0.contains(&(index + 1)) {
                    return String::from_utf8_lossy(REDACTED).into_owned();
                }
                let mut out = Vec::new();
                let kind = Kind::of(oid);
                if self.text.value(kind, Format::Text, value.as_bytes(), &mut out) == Applied::Same {
                    out.extend_from_slice(value.as_bytes());
                }
                let text = cut(out, LONGEST_PARAMETER.min(left), value.len());
                left = left.saturating_sub(text.len());
                text
            });
            Parameter {
                type_name: name.to_owned(),
                value,
            }
        });
        ScrubbedParameters(parameters.collect())
    }

    /// Makes a message of names, each scrubbed, such as the description of a result. `write` writes it.
    pub fn named<'a>(
        &self,
        names: impl IntoIterator<Item = &'a [u8]>,
        write: impl FnOnce(Vec<Box<[u8]>>) -> Bytes,
    ) -> Recordable {
        let scrub = |name: &[u8]| {
            let mut out = Vec::new();
            match self.text.text(name, &mut out) {
                Applied::Same => name.into(),
                Applied::Replaced => out.into_boxed_slice(),
                Applied::Null => REDACTED.into(),
            }
        };
        Recordable::scrubbed(write(names.into_iter().map(scrub).collect()))
    }

    fn scrubbed(&self, out: Vec<u8>, exact: &[u8]) -> Scrubbed {
        Scrubbed {
            text: cut(out, LONGEST_TEXT, exact.len()),
            digest: self.digest.digest(exact).to_hex().to_string(),
        }
    }

    fn sql(&self, text: &[u8], depth: usize, out: &mut Vec<u8>) {
        let mut context = Context::default();
        let mut code = 0;
        for token in Tokens::new(text) {
            if matches!(token.kind, TokenKind::Literal | TokenKind::Comment) {
                self.code(&text[code..token.start], out);
                code = token.end;
                self.literal(text, &token, context.is_secret(), depth, out);
            }
            context.take(text, &token);
        }
        self.code(&text[code..], out);
    }

    fn code(&self, text: &[u8], out: &mut Vec<u8>) {
        if self.code.text(text, out) == Applied::Same {
            out.extend_from_slice(text);
        }
    }

    /// Appends a literal or comment with its quotes.
    fn literal(&self, text: &[u8], token: &Token, secret: bool, depth: usize, out: &mut Vec<u8>) {
        let inner = &text[token.inner.clone()];
        let literal = token.kind == TokenKind::Literal;
        out.extend_from_slice(&text[token.start..token.inner.start]);
        if secret && literal {
            out.extend_from_slice(REDACTED);
        } else {
            let meant = token.meaning(text);
            let mut scrubbed = Vec::new();
            self.prose(&meant, depth, literal, &mut scrubbed);
            if scrubbed == *meant {
                out.extend_from_slice(inner);
            } else if token.escapes {
                // written with backslashes: where the replaced part stands in it is not worth telling
                out.extend_from_slice(REDACTED);
            } else if token.doubled {
                for byte in scrubbed {
                    out.push(byte);
                    if byte == b'\'' {
                        out.push(byte);
                    }
                }
            } else {
                out.extend_from_slice(&scrubbed);
            }
        }
        out.extend_from_slice(&text[token.inner.end..token.end]);
    }

    /// Scrubs the meaning of a literal: as text, and as a statement that it may hold.
    fn prose(&self, meant: &[u8], depth: usize, literal: bool, out: &mut Vec<u8>) {
        let mut text = Vec::new();
        if self.text.text(meant, &mut text) == Applied::Same {
            text.extend_from_slice(meant);
        }
        // a statement with a password in it has a literal of its own
        if literal && depth > 0 && memchr::memchr2(b'\'', b'$', &text).is_some() {
            self.sql(&text, depth - 1, out);
        } else {
            out.extend_from_slice(&text);
        }
    }
}

/// What the tokens so far say about the next value.
#[derive(Debug, Default)]
struct Context {
    /// A name that means a secret stands before it.
    named: bool,
    /// A value has already stood behind that name.
    valued: bool,
    insert: InsertColumns,
}

impl Context {
    fn is_secret(&self) -> bool {
        self.named || self.insert.is_secret()
    }

    fn take(&mut self, text: &[u8], token: &Token) {
        match token.kind {
            TokenKind::Space | TokenKind::Comment => {}
            TokenKind::Literal => self.valued = true,
            TokenKind::Word => {
                let word = &text[token.start..token.end];
                let word = word
                    .strip_prefix(b"\"")
                    .and_then(|word| word.strip_suffix(b"\""))
                    .unwrap_or(word);
                self.insert.word(word);
                if is_secret_name(word) {
                    self.named = true;
                    self.valued = false;
                    return;
                }
                let filler = ["encrypted", "unencrypted", "is", "to"];
                let filler = filler.iter().any(|filler| word.eq_ignore_ascii_case(filler.as_bytes()));
                let calls = || text[token.end..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'(');
                self.named &= !self.valued && (filler || calls());
            }
            TokenKind::Symbol => {
                let symbol = text[token.start];
                self.insert.symbol(symbol);
                self.named &= matches!(symbol, b'=' | b':' | b'>' | b'(' | b',');
            }
        }
    }
}

/// The numbers of a statement's parameters that stand where a secret does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretParameters(HashSet<usize>);

impl SecretParameters {
    /// Finds them.
    pub fn of(statement: &str) -> Self {
        Self(secret_parameters(statement.as_bytes()))
    }
}

fn secret_parameters(text: &[u8]) -> HashSet<usize> {
    let mut context = Context::default();
    let mut found = HashSet::new();
    for token in Tokens::new(text) {
        if token.kind == TokenKind::Symbol && text[token.start] == b'$' && context.is_secret() {
            let digits = text[token.end..]
                .iter()
                .take(6)
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let number = std::str::from_utf8(&text[token.end..token.end + digits]).ok();
            found.extend(number.and_then(|number| number.parse::<usize>().ok()));
        }
        context.take(text, &token);
    }
    found
}

/// Makes text of at most so many bytes; says what is missing.
fn cut(mut text: Vec<u8>, longest: usize, whole: usize) -> String {
    if text.len() <= longest {
        return String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    }
    let mut end = longest;
    while end > 0 && text[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    text.truncate(end);
    let mut text = String::from_utf8_lossy(&text).into_owned();
    text.push_str(&format!("… ({whole} bytes)"));
    text
}

#[cfg(test)]
mod tests;
