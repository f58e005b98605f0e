//! SQL for reading: what is a key word, a literal, a comment, and what was written out because it cannot be seen.
//!
//! The lexical structure is PostgreSQL's (documentation, section 4.1) with `standard_conforming_strings` on, as the relay pins it: a
//! comment may begin inside a run of operator characters (`>--`), block comments nest, and names may have a `$`. A colour that called
//! code a comment would mislead whoever decides, so nothing is ever dimmed, and every byte is in exactly one run. Any text has runs.

use std::ops::Range;

use anstyle::{AnsiColor, Style};

use crate::printer::escape;

/// What a run of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Names, operators, space.
    Plain,
    /// A key word that says what is done.
    Keyword,
    /// A string constant of any kind.
    Literal,
    /// A number.
    Number,
    /// `$1`.
    Parameter,
    /// A comment.
    Comment,
    /// What cannot be seen, written out.
    Hidden,
}

impl Kind {
    /// How it is printed on a terminal with 16 colours.
    pub fn ansi(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Keyword => colour(AnsiColor::Cyan),
            Self::Literal => colour(AnsiColor::Green),
            Self::Number | Self::Parameter => colour(AnsiColor::Magenta),
            Self::Comment => colour(AnsiColor::Yellow),
            Self::Hidden => colour(AnsiColor::Red).invert(),
        }
    }
}

/// A longer statement is shown without colours, whole all the same.
const LONGEST: usize = 256 << 10;

/// Sorted, for looking up.
const KEYWORDS: &[&str] = &[
    "ALL",
    "ALTER",
    "ANALYZE",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "BEGIN",
    "BETWEEN",
    "BY",
    "CALL",
    "CASCADE",
    "CASE",
    "CHECK",
    "COLUMN",
    "COMMENT",
    "COMMIT",
    "CONSTRAINT",
    "COPY",
    "CREATE",
    "CROSS",
    "DATABASE",
    "DEFAULT",
    "DELETE",
    "DESC",
    "DISTINCT",
    "DO",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXECUTE",
    "EXISTS",
    "EXPLAIN",
    "EXTENSION",
    "FALSE",
    "FOR",
    "FROM",
    "FULL",
    "FUNCTION",
    "GRANT",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INDEX",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LISTEN",
    "LOCK",
    "MATERIALIZED",
    "MERGE",
    "NATURAL",
    "NOT",
    "NOTIFY",
    "NULL",
    "OFFSET",
    "ON",
    "ONLY",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "OWNER",
    "PARTITION",
    "PREPARE",
    "PRIMARY",
    "PROCEDURE",
    "PROGRAM",
    "RECURSIVE",
    "REFRESH",
    "REINDEX",
    "RENAME",
    "REPLACE",
    "RESET",
    "RESTRICT",
    "RETURNING",
    "REVOKE",
    "RIGHT",
    "ROLE",
    "ROLLBACK",
    "SAVEPOINT",
    "SCHEMA",
    "SELECT",
    "SEQUENCE",
    "SET",
    "SHOW",
    "TABLE",
    "TEMPORARY",
    "THEN",
    "TO",
    "TRIGGER",
    "TRUE",
    "TRUNCATE",
    "TYPE",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USER",
    "USING",
    "VACUUM",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];
/// Letters of the longest key word.
const LONGEST_KEYWORD: usize = 12;

/// A line of a statement: safe to print, with what its parts are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// The line, escaped; a tab stays.
    pub text: String,
    /// Where a run begins, and what it is. The first begins at 0.
    runs: Vec<(usize, Kind)>,
}

impl Code {
    /// A line without colours.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            runs: Vec::new(),
        }
    }

    /// The parts of a piece of the line, in order.
    pub fn parts(&self, piece: Range<usize>) -> impl Iterator<Item = (&str, Kind)> {
        let first = self
            .runs
            .partition_point(|(start, _)| *start <= piece.start)
            .saturating_sub(1);
        let mut at = piece.start;
        let mut runs = self.runs.get(first..).unwrap_or_default().iter().peekable();
        std::iter::from_fn(move || {
            if at >= piece.end {
                return None;
            }
            let kind = runs.next().map_or(Kind::Plain, |(_, kind)| *kind);
            let end = runs.peek().map_or(piece.end, |(start, _)| (*start).min(piece.end));
            let part = self.text.get(at..end).unwrap_or_default();
            at = end;
            Some((part, kind))
        })
    }

    fn push(&mut self, text: &str, kind: Kind) {
        for c in text.chars() {
            let hidden = c != '\t' && escape::must_be_written_out(c);
            let kind = if hidden { Kind::Hidden } else { kind };
            if self.runs.last().is_none_or(|(_, last)| *last != kind) {
                self.runs.push((self.text.len(), kind));
            }
            if hidden {
                escape::write_out(c, &mut self.text);
            } else {
                self.text.push(c);
            }
        }
    }
}

/// The lines of a statement, as [`escape::block`] has them, with their runs.
pub fn lines(statement: &str) -> Vec<Code> {
    let mut lines = vec![Code::default()];
    let whole = Token {
        range: 0..statement.len(),
        kind: Kind::Plain,
    };
    let short = statement.len() <= LONGEST;
    let tokens = Tokens::new(if short { statement } else { "" });
    for token in tokens.chain((!short).then_some(whole)) {
        let text = statement.get(token.range.clone()).unwrap_or_default();
        let after = statement.as_bytes().get(token.range.end);
        let mut pieces = text.split('\n').peekable();
        while let Some(piece) = pieces.next() {
            let ends_line = pieces.peek().is_some() || after == Some(&b'\n');
            let piece = if ends_line {
                piece.strip_suffix('\r').unwrap_or(piece)
            } else {
                piece
            };
            if let Some(line) = lines.last_mut() {
                line.push(piece, token.kind);
            }
            if pieces.peek().is_some() {
                lines.push(Code::default());
            }
        }
    }
    lines
}

struct Token {
    range: Range<usize>,
    kind: Kind,
}

/// The tokens of a text; together they are the text. They begin and end at ASCII characters, which are never inside of another one.
struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    fn rest(&self, at: usize) -> &'a [u8] {
        self.text.get(at..).unwrap_or_default()
    }

    fn run(&self, from: usize, within: impl Fn(u8) -> bool) -> usize {
        from + self.rest(from).iter().take_while(|byte| within(**byte)).count()
    }

    /// Behind the end of what a quote at `at` begins. A doubled quote is in it; a backslash takes the next byte with it where it escapes.
    fn quoted(&self, at: usize, quote: u8, escapes: bool) -> usize {
        let mut at = at + 1;
        while let Some(byte) = self.byte(at) {
            if byte == quote {
                if self.byte(at + 1) != Some(quote) {
                    return at + 1;
                }
                at += 1;
            } else if escapes && byte == b'\\' {
                at += 1;
            }
            at += 1;
        }
        self.text.len()
    }

    /// Behind `$tag$…$tag$`; `None` where no tag stands.
    fn dollar(&self, start: usize) -> Option<usize> {
        if self.byte(start + 1).is_some_and(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let close = self.run(start + 1, is_name);
        if self.byte(close) != Some(b'$') {
            return None;
        }
        let tag = self.text.get(start..=close)?;
        let end = self.rest(close + 1).windows(tag.len()).position(|window| window == tag);
        Some(end.map_or(self.text.len(), |offset| close + 1 + offset + tag.len()))
    }

    /// Behind `/* … */`, nested.
    fn block_comment(&self, start: usize) -> usize {
        let (mut at, mut depth) = (start + 2, 1_usize);
        while depth > 0 {
            match (self.byte(at), self.byte(at + 1)) {
                (Some(b'/'), Some(b'*')) => (depth, at) = (depth + 1, at + 2),
                (Some(b'*'), Some(b'/')) => (depth, at) = (depth - 1, at + 2),
                (Some(_), _) => at += 1,
                (None, _) => return self.text.len(),
            }
        }
        at
    }

    fn word(&self, start: usize) -> (usize, Kind) {
        let end = self.run(start, |byte| is_name(byte) || byte == b'$');
        let word = self.text.get(start..end).unwrap_or_default();
        let kind = if word.first().is_some_and(u8::is_ascii_digit) {
            Kind::Number
        } else if word.len() <= LONGEST_KEYWORD
            && KEYWORDS
                .binary_search_by(|keyword| keyword.bytes().cmp(word.iter().map(u8::to_ascii_uppercase)))
                .is_ok()
        {
            Kind::Keyword
        } else {
            Kind::Plain
        };
        (end, kind)
    }
}

/// Letters, digits, underscore, and everything that is not ASCII.
const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let start = self.at;
        let first = self.byte(start)?;
        let (end, kind) = match (first.to_ascii_lowercase(), self.byte(start + 1), self.byte(start + 2)) {
            (b'\'', ..) => (self.quoted(start, b'\'', false), Kind::Literal),
            (b'e', Some(b'\''), _) => (self.quoted(start + 1, b'\'', true), Kind::Literal),
            (b'b' | b'x' | b'n', Some(b'\''), _) => (self.quoted(start + 1, b'\'', false), Kind::Literal),
            (b'u', Some(b'&'), Some(b'\'')) => (self.quoted(start + 2, b'\'', false), Kind::Literal),
            (b'"', ..) => (self.quoted(start, b'"', false), Kind::Plain),
            (b'-', Some(b'-'), _) => (self.run(start, |byte| byte != b'\n' && byte != b'\r'), Kind::Comment),
            (b'/', Some(b'*'), _) => (self.block_comment(start), Kind::Comment),
            (b'$', Some(digit), _) if digit.is_ascii_digit() => {
                (self.run(start + 1, |byte| byte.is_ascii_digit()), Kind::Parameter)
            }
            (b'$', ..) => self
                .dollar(start)
                .map_or((start + 1, Kind::Plain), |end| (end, Kind::Literal)),
            _ if is_name(first) => self.word(start),
            _ => (start + 1, Kind::Plain),
        };
        self.at = end;
        Some(Token {
            range: start..end,
            kind,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(statement: &str) -> Vec<(String, Kind)> {
        lines(statement)
            .iter()
            .flat_map(|line| {
                line.parts(0..line.text.len())
                    .map(|(part, kind)| (part.to_owned(), kind))
                    .collect::<Vec<_>>()
            })
            .filter(|(part, _)| !part.trim().is_empty())
            .collect()
    }

    fn of(statement: &str, wanted: Kind) -> Vec<String> {
        kinds(statement)
            .into_iter()
            .filter(|(_, kind)| *kind == wanted)
            .map(|(part, _)| part)
            .collect()
    }

    #[test]
    fn key_words_are_sorted_and_no_longer_than_said() {
        assert!(KEYWORDS.is_sorted());
        assert_eq!(KEYWORDS.iter().map(|word| word.len()).max(), Some(LONGEST_KEYWORD));
    }

    #[test]
    fn a_statement_has_key_words_literals_numbers_and_parameters() {
        let statement = "Delete FROM orders WHERE id = $12 AND note = 'it''s' AND n > 1.5e3 -- why";
        assert_eq!(of(statement, Kind::Keyword), ["Delete", "FROM", "WHERE", "AND", "AND"]);
        assert_eq!(of(statement, Kind::Literal), ["'it''s'"]);
        assert_eq!(of(statement, Kind::Parameter), ["$12"]);
        assert_eq!(of(statement, Kind::Number), ["1", "5e3"]);
        assert_eq!(of(statement, Kind::Comment), ["-- why"]);
    }

    #[test]
    fn literals_end_where_the_server_ends_them() {
        for (statement, literal) in [
            (r"'a\' drop", r"'a\'"),
            (r"E'a\' drop' x", r"E'a\' drop'"),
            ("$$a ' $x$ b$$ drop", "$$a ' $x$ b$$"),
            ("$x$ $$ $x$ drop", "$x$ $$ $x$"),
            ("U&'d\\0061' drop", "U&'d\\0061'"),
            ("'open drop", "'open drop"),
            ("$a$ open drop", "$a$ open drop"),
        ] {
            assert_eq!(of(statement, Kind::Literal), [literal], "{statement}");
        }
        // A name may have a dollar: no literal begins in it.
        assert_eq!(of("a$b$ drop $c$ drop", Kind::Keyword), ["drop"]);
        assert_eq!(of("\"select 'x\" drop", Kind::Keyword), ["drop"]);
    }

    #[test]
    fn comments_end_where_the_server_ends_them() {
        for (statement, comment) in [
            ("a >--' x\n' drop", "--' x"),
            ("/* a /* b */ c */ drop", "/* a /* b */ c */"),
            ("a */ drop /* open drop", "/* open drop"),
            ("- - /x --", "--"),
            ("-- a\rdrop", "-- a"),
        ] {
            assert_eq!(of(statement, Kind::Comment), [comment], "{statement}");
        }
        assert_eq!(of("/* a /* b */ c */ drop", Kind::Keyword), ["drop"]);
        assert_eq!(of("-- a\rdrop", Kind::Keyword), ["drop"]);
    }

    #[test]
    fn what_cannot_be_seen_is_written_out_and_marked() {
        assert_eq!(
            of("select 'a\u{202e}b' -- x\u{200b}\x1b[2J", Kind::Hidden),
            ["\\u{202e}", "\\u{200b}\\x1b"]
        );
        // The text of an escape is no escape.
        assert_eq!(of("select '\\x1b'", Kind::Hidden), Vec::<String>::new());
    }

    #[test]
    fn the_lines_are_those_of_the_escaped_text_and_every_part_is_there_once() {
        let hostile = "a\r\nb\rc\r\r\n'x\r\n\u{2028}y'\n\n/*\n*/\t$a$\n";
        let long = "select 'x' ".repeat(LONGEST / 8);
        for statement in ["", "\n", "select 1", hostile, "日本 'é'", long.as_str()] {
            let lines = lines(statement);
            let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
            assert_eq!(text.join("\n"), escape::block(statement));
            for line in &lines {
                let parts: String = line.parts(0..line.text.len()).map(|(part, _)| part).collect();
                assert_eq!(parts, line.text);
            }
        }
    }

    #[test]
    fn a_piece_of_a_line_has_its_part_of_the_runs() {
        let line = lines("select 'abc' from").remove(0);
        let parts: Vec<_> = line.parts(3..10).collect();
        assert_eq!(
            parts,
            [("ect", Kind::Keyword), (" ", Kind::Plain), ("'ab", Kind::Literal)]
        );
    }
}
