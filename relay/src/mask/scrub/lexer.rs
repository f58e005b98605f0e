//! Splits SQL into words, symbols, literals and comments: as much as is needed to know where a literal begins and ends.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// White space.
    Space,
    /// A name, a key word or a number; also a name in double quotes, without them.
    Word,
    /// One byte of anything else.
    Symbol,
    /// A string constant of any kind.
    Literal,
    /// A comment.
    Comment,
}

/// A piece of a statement.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
    /// Of a literal or comment: without prefix and quotes.
    pub inner: Range<usize>,
    /// Quotes inside of it are doubled.
    pub doubled: bool,
    /// Backslashes in it are escapes.
    pub escapes: bool,
}

impl Token {
    /// What a literal means, its doubled quotes and escapes undone.
    pub fn meaning<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let inner = &text[self.inner.clone()];
        let special = (self.doubled && memchr::memchr(b'\'', inner).is_some())
            || (self.escapes && memchr::memchr(b'\\', inner).is_some());
        if !special {
            return Cow::Borrowed(inner);
        }
        let mut out = Vec::with_capacity(inner.len());
        let mut at = 0;
        while let Some(&byte) = inner.get(at) {
            match byte {
                b'\'' if inner.get(at + 1) == Some(&b'\'') => {
                    out.push(byte);
                    at += 2;
                }
                b'\\' if self.escapes => {
                    let (decoded, length) = escape(&inner[at + 1..]);
                    out.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
                    at += 1 + length;
                }
                _ => {
                    out.push(byte);
                    at += 1;
                }
            }
        }
        Cow::Owned(out)
    }
}

/// The character of an escape of `E'…'` or `U&'…'`, and its length without the backslash.
fn escape(text: &[u8]) -> (char, usize) {
    let digits = |start: usize, most: usize, radix: u32| {
        let digits = text
            .get(start..)?
            .iter()
            .take(most)
            .take_while(|byte| char::from(**byte).is_digit(radix))
            .count();
        let code = u32::from_str_radix(std::str::from_utf8(&text[start..start + digits]).ok()?, radix).ok()?;
        Some((char::from_u32(code)?, start + digits))
    };
    let code = match text.first() {
        Some(b'x') => digits(1, 2, 16),
        Some(b'u') => digits(1, 4, 16),
        Some(b'U') => digits(1, 8, 16),
        Some(b'+') => digits(1, 6, 16),
        // octal in E'…', four hexadecimal digits in U&'…': the longer one is the latter
        Some(b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if text.get(3).is_some_and(u8::is_ascii_hexdigit) => {
            digits(0, 4, 16)
        }
        Some(b'0'..=b'7') => digits(0, 3, 8),
        _ => None,
    };
    code.unwrap_or_else(|| {
        let length = text.first().map_or(0, |byte| match byte {
            0xF0.. => 4,
            0xE0.. => 3,
            0xC0.. => 2,
            _ => 1,
        });
        let length = length.min(text.len());
        let character = std::str::from_utf8(&text[..length])
            .ok()
            .and_then(|text| text.chars().next());
        (character.unwrap_or('\\'), length)
    })
}

/// The tokens of a text; together they are the text.
pub(super) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    pub const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// A literal whose quote stands at `quote`.
    fn quoted(&self, start: usize, quote: usize, escapes: bool) -> Token {
        let text = self.text;
        let mut at = quote + 1;
        let close = loop {
            match text.get(at) {
                None => break None,
                Some(b'\\') if escapes => at += 2,
                Some(b'\'') if text.get(at + 1) == Some(&b'\'') => at += 2,
                Some(b'\'') => break Some(at),
                Some(_) => at += 1,
            }
        };
        let inner_end = close.unwrap_or(text.len());
        Token {
            kind: TokenKind::Literal,
            start,
            end: close.map_or(text.len(), |close| close + 1),
            inner: quote + 1..inner_end,
            doubled: true,
            escapes,
        }
    }

    /// `$tag$…$tag$`; `None` where no tag stands.
    fn dollar(&self, start: usize) -> Option<Token> {
        let text = self.text;
        let tag = text[start + 1..].iter().take_while(|byte| is_word(**byte)).count();
        let open = start + 1 + tag;
        if text.get(open) != Some(&b'$') || text.get(start + 1).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        let delimiter = &text[start..=open];
        let inner = open + 1;
        let close = memmem::find(&text[inner..], delimiter).map(|offset| inner + offset);
        Some(Token {
            kind: TokenKind::Literal,
            start,
            end: close.map_or(text.len(), |close| close + delimiter.len()),
            inner: inner..close.unwrap_or(text.len()),
            doubled: false,
            escapes: false,
        })
    }

    /// `/* … */`, nested.
    fn block_comment(&self, start: usize) -> Token {
        let text = self.text;
        let mut depth = 1_usize;
        let mut at = start + 2;
        while depth > 0
            && let Some(offset) = text.get(at..).and_then(|rest| memchr::memchr2(b'*', b'/', rest))
        {
            at += offset;
            match (text[at], text.get(at + 1)) {
                (b'/', Some(b'*')) => {
                    depth += 1;
                    at += 2;
                }
                (b'*', Some(b'/')) => {
                    depth -= 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        let end = if depth == 0 { at } else { text.len() };
        let inner_end = if depth == 0 { end - 2 } else { end };
        plain(TokenKind::Comment, start, end, start + 2..inner_end)
    }
}

const fn plain(kind: TokenKind, start: usize, end: usize, inner: Range<usize>) -> Token {
    Token {
        kind,
        start,
        end,
        inner,
        doubled: false,
        escapes: false,
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let text = self.text;
        let start = self.at;
        let byte = *text.get(start)?;
        let run =
            |from: usize, within: fn(u8) -> bool| from + text[from..].iter().take_while(|byte| within(**byte)).count();
        let token = match (byte, text.get(start + 1), text.get(start + 2)) {
            (b'\'', ..) => self.quoted(start, start, false),
            (b'e' | b'E', Some(b'\''), _) => self.quoted(start, start + 1, true),
            (b'b' | b'B' | b'x' | b'X' | b'n' | b'N', Some(b'\''), _) => self.quoted(start, start + 1, false),
            (b'u' | b'U', Some(b'&'), Some(b'\'')) => {
                let mut token = self.quoted(start, start + 2, false);
                token.escapes = true;
                token
            }
            (b'-', Some(b'-'), _) => {
                let end = run(start, |byte| byte != b'\n' && byte != b'\r');
                plain(TokenKind::Comment, start, end, start + 2..end)
            }
            (b'/', Some(b'*'), _) => self.block_comment(start),
            (b'$', ..) => match self.dollar(start) {
                Some(token) => token,
                None => plain(TokenKind::Symbol, start, start + 1, start..start),
            },
            (b'"', ..) => {
                // the name is a word of its own between two quotes that mean nothing
                let end = text[start + 1..].iter().position(|byte| *byte == b'"');
                let end = end.map_or(text.len(), |offset| start + 2 + offset);
                plain(TokenKind::Word, start, end, start..start)
            }
            _ if byte.is_ascii_whitespace() => plain(
                TokenKind::Space,
                start,
                run(start, |byte| byte.is_ascii_whitespace()),
                start..start,
            ),
            _ if is_word(byte) => plain(
                TokenKind::Word,
                start,
                run(start, |byte| is_word(byte) || byte == b'$'),
                start..start,
            ),
            _ => plain(TokenKind::Symbol, start, start + 1, start..start),
        };
        self.at = token.end;
        Some(token)
    }
}
