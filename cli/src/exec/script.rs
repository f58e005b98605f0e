//! What is to be run: whole texts, or scripts split into statements, with named parameters turned into `$1`, `$2`, …
//!
//! A script is split at the semicolons that `sqlparser`'s tokenizer finds between statements, with psql's two exceptions: inside of
//! parentheses (`CREATE RULE … DO (a; b)`) and between `BEGIN ATOMIC` and its `END`. Where the tokenizer cannot read a text, or reads one
//! that PostgreSQL may read in another way, it is sent whole: splitting is a convenience, and it is the relay that judges.

use std::collections::BTreeMap;
use std::ops::Range;

use hoop_shared::refusal::Code;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

use crate::error::{Error, Result};

/// Parameters by name; `None` is NULL.
pub type Parameters = BTreeMap<String, Option<String>>;

/// One thing to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its text.
    pub text: String,
    /// The values of `$1`, `$2`, …; a unit without any is one simple query.
    pub values: Vec<Option<String>>,
}

/// A token with the bytes that it stands in.
struct Piece {
    token: Token,
    bytes: Range<usize>,
}

/// Makes the units of texts. A script is split, another text is one unit.
///
/// # Errors
/// A parameter is missing, not used, or cannot be put in.
pub fn units(texts: &[String], is_script: bool, parameters: &Parameters) -> Result<Vec<Unit>> {
    let mut used = Vec::new();
    let mut made = Vec::new();
    for text in texts {
        let pieces = pieces(text);
        let statements = match &pieces {
            Some(pieces) if is_script || !parameters.is_empty() => split(pieces),
            _ => std::iter::once(0..text.len()).collect(),
        };
        if !parameters.is_empty() {
            let Some(pieces) = &pieces else {
                return Err(
                    usage("this text cannot be taken apart here, so parameters cannot be put in")
                        .hint("write `$1`, `$2` in a client of your own: `hoopctl connect NAME -- psql`"),
                );
            };
            if !is_script && statements.len() > 1 {
                return Err(usage("a -c with parameters has one statement")
                    .hint("give each statement its own -c, or put them into a file for -f"));
            }
            for range in statements {
                made.push(bound(text, pieces, range, parameters, &mut used)?);
            }
        } else if is_script {
            made.extend(statements.into_iter().map(|range| plain(&text[range])));
        } else {
            made.push(plain(text));
        }
    }
    let unused: Vec<&str> = parameters
        .keys()
        .filter(|name| !used.contains(*name))
        .map(String::as_str)
        .collect();
    if !unused.is_empty() {
        return Err(usage(format!("no statement has the parameter {}", unused.join(", ")))
            .hint("a parameter `name` stands as :name in the statement, outside of quotes"));
    }
    Ok(made)
}

fn usage(message: impl Into<String>) -> Error {
    Error::new(Code::Usage, message)
}

fn plain(text: &str) -> Unit {
    Unit {
        text: text.to_owned(),
        values: Vec::new(),
    }
}

/// The tokens of a text with their bytes; `None` where the tokenizer cannot read it, or may read it in another way than PostgreSQL.
fn pieces(text: &str) -> Option<Vec<Piece>> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text)
        .with_unescape(false)
        .tokenize_with_location()
        .ok()?;
    let mut place = Place {
        text,
        at: 0,
        line: 1,
        column: 1,
    };
    let mut pieces = Vec::with_capacity(tokens.len());
    for TokenWithSpan { token, span } in tokens {
        if token == Token::EOF {
            break;
        }
        let start = place.go(span.start.line, span.start.column)?;
        let end = place.go(span.end.line, span.end.column)?;
        let piece = Piece {
            token,
            bytes: start..end,
        };
        if !agrees(&piece, &text[start..end]) || pieces.last().is_some_and(|last: &Piece| last.bytes.end != start) {
            return None;
        }
        pieces.push(piece);
    }
    (pieces.last().map_or(0, |last| last.bytes.end) == text.len()).then_some(pieces)
}

/// Whether PostgreSQL reads the text of a token in the same way.
fn agrees(piece: &Piece, text: &str) -> bool {
    match &piece.token {
        Token::Whitespace(Whitespace::SingleLineComment { prefix, .. }) => prefix == "--" && is_one_line(text),
        Token::Whitespace(Whitespace::MultiLineComment(_)) => text.starts_with("/*") && text.ends_with("*/"),
        Token::Whitespace(_) => true,
        Token::Word(_)
        | Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::DollarQuotedString(_) => true,
        // psql's own commands.
        Token::Backslash => false,
        // An operator does not hold a comment, and what looks like one of another dialect's literals is none.
        _ => !text.contains("--") && !text.contains("/*") && !text.contains(['\'', '"', '\n']),
    }
}

/// A comment of one line ends at its line break, which may be a carriage return to PostgreSQL.
fn is_one_line(text: &str) -> bool {
    !text
        .trim_end_matches('\n')
        .trim_end_matches('\r')
        .contains(['\n', '\r'])
}

/// A walk over a text that knows where lines and columns are.
struct Place<'a> {
    text: &'a str,
    at: usize,
    line: u64,
    column: u64,
}

impl Place<'_> {
    /// Goes on to a place; gives its byte. `None` where it is behind, or outside.
    fn go(&mut self, line: u64, column: u64) -> Option<usize> {
        while (self.line, self.column) != (line, column) {
            let c = self.text.get(self.at..)?.chars().next()?;
            self.at += c.len_utf8();
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
            if (self.line, self.column) > (line, column) {
                return None;
            }
        }
        Some(self.at)
    }
}

/// The statements of a script, each without the blanks, comments and semicolon around it.
fn split(pieces: &[Piece]) -> Vec<Range<usize>> {
    let mut statements = Vec::new();
    let mut current: Option<Range<usize>> = None;
    let mut body = Body::default();
    for piece in pieces {
        let ends = piece.token == Token::SemiColon && body.is_outside();
        if ends {
            statements.extend(current.take());
            body = Body::default();
            continue;
        }
        body.take(&piece.token);
        if !matches!(piece.token, Token::Whitespace(_)) {
            let start = current.as_ref().map_or(piece.bytes.start, |range| range.start);
            current = Some(start..piece.bytes.end);
        }
    }
    statements.extend(current);
    statements
}

/// Where in a statement a semicolon does not end it (psql: `psqlscan.l`).
#[derive(Default)]
struct Body {
    words: Vec<String>,
    parentheses: usize,
    blocks: usize,
}

impl Body {
    fn is_outside(&self) -> bool {
        self.parentheses == 0 && self.blocks == 0
    }

    fn take(&mut self, token: &Token) {
        match token {
            Token::LParen => self.parentheses += 1,
            Token::RParen => self.parentheses = self.parentheses.saturating_sub(1),
            Token::Word(word) if word.quote_style.is_none() && self.parentheses == 0 => {
                let word = word.value.to_ascii_lowercase();
                if self.makes_a_routine() {
                    match word.as_str() {
                        "begin" => self.blocks += 1,
                        "case" if self.blocks > 0 => self.blocks += 1,
                        "end" => self.blocks = self.blocks.saturating_sub(1),
                        _ => {}
                    }
                }
                if self.words.len() < 4 {
                    self.words.push(word);
                }
            }
            _ => {}
        }
    }

    fn makes_a_routine(&self) -> bool {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let routine = |word: &str| matches!(word, "function" | "procedure");
        match words.as_slice() {
            ["create", "or", "replace", word, ..] | ["create", word, ..] => routine(word),
            _ => false,
        }
    }
}

/// One statement with its named parameters as `$1`, `$2`, … in the order of their first use. A name of digits is `$N` itself.
fn bound(
    text: &str,
    pieces: &[Piece],
    range: Range<usize>,
    parameters: &Parameters,
    used: &mut Vec<String>,
) -> Result<Unit> {
    let inside: Vec<&Piece> = pieces
        .iter()
        .filter(|piece| range.start <= piece.bytes.start && piece.bytes.end <= range.end)
        .collect();
    let mut unit = plain("");
    let mut names: Vec<&str> = Vec::new();
    let mut numbered: BTreeMap<usize, &Option<String>> = BTreeMap::new();
    let mut brackets = 0_usize;
    let mut index = 0;
    while let Some(piece) = inside.get(index) {
        index += 1;
        let written = &text[piece.bytes.clone()];
        match &piece.token {
            Token::LBracket => brackets += 1,
            Token::RBracket => brackets = brackets.saturating_sub(1),
            Token::Colon => {
                let follows = inside.get(index).and_then(|next| match &next.token {
                    Token::Word(word) if word.quote_style.is_none() => Some(&text[next.bytes.clone()]),
                    _ => None,
                });
                let found = follows.and_then(|name| parameters.get_key_value(name));
                match (follows, found) {
                    (_, Some((name, value))) => {
                        index += 1;
                        let number = match names.iter().position(|known| known == name) {
                            Some(known) => known + 1,
                            None => {
                                names.push(name);
                                unit.values.push(value.clone());
                                names.len()
                            }
                        };
                        used.push(name.clone());
                        unit.text.push_str(&format!("${number}"));
                        continue;
                    }
                    // `a[lower:upper]` is a slice.
                    (Some(name), None) if brackets == 0 => {
                        return Err(usage(format!("there is no value for the parameter :{name}"))
                            .hint(format!("pass it with --param {name}=VALUE")));
                    }
                    _ => {}
                }
            }
            Token::Placeholder(number) => {
                let number = number.trim_start_matches('$');
                let Some((name, value)) = parameters.get_key_value(number) else {
                    return Err(usage(format!("there is no value for the parameter ${number}"))
                        .hint(format!("pass it with --param {number}=VALUE")));
                };
                let at = number.parse::<usize>().ok().filter(|at| (1..=65_535).contains(at));
                let at = at.ok_or_else(|| usage(format!("${number} is no parameter")))?;
                numbered.insert(at, value);
                used.push(name.clone());
            }
            _ => {}
        }
        unit.text.push_str(written);
    }
    if numbered.is_empty() {
        return Ok(unit);
    }
    if !names.is_empty() {
        return Err(usage("one statement has parameters both by name and by number").hint("use one of the two"));
    }
    let count = numbered.keys().next_back().copied().unwrap_or(0);
    if count != numbered.len() {
        return Err(usage(format!(
            "the statement's parameters are not numbered from $1 to ${count}"
        )));
    }
    unit.values = numbered.into_values().cloned().collect();
    Ok(unit)
}

#[cfg(test)]
mod tests;
