//! Texts that differ only in the numbers that columns are compared with, and so mean the same.
//!
//! A program that writes its values into its texts sends a new text each time. Most of these are a SELECT with `column = number`. What
//! such a text does cannot depend on the number, as long as it is an `int4` constant behind an `=`: no rule of PostgreSQL's grammar
//! looks at it there, and of ours only that for `set_config`, whose effects are others than [`Reading::is_of_pattern`] takes.

use super::{Kind, Reading};
use crate::policy::{Action, SqlAction};

/// The longest run of digits that is an `int4` whatever it is.
const DIGITS: usize = 9;

/// A text with zeros for the digits of such numbers, so that places in it are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// The pattern of a text; `None` where it may be anything else than a SELECT of plain words, numbers and symbols: no quote, dollar
    /// or comment may stand in it, so that what looks like a number is one.
    pub fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let select = bytes.get(..6)?.eq_ignore_ascii_case(b"select") && !bytes.get(6).copied().is_some_and(is_word);
        if !select || !text.trim_end().trim_end_matches(';').bytes().all(is_plain) || has_comment(bytes) {
            return None;
        }
        let mut out = bytes.to_vec();
        let mut found = false;
        let mut at = 0;
        while let Some(offset) = memchr::memchr(b'=', bytes.get(at..)?) {
            at += offset + 1;
            let rest = bytes.get(at..)?;
            let start = at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let rest = bytes.get(start..)?;
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let ends = !rest
                .get(digits)
                .copied()
                .is_some_and(|byte| is_word(byte) || byte == b'.');
            if (1..=DIGITS).contains(&digits) && ends {
                out.get_mut(start..start + digits)?.fill(b'0');
                found = true;
            }
        }
        let text = String::from_utf8(out).ok()?;
        found.then(|| Self(text.into()))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_plain(byte: u8) -> bool {
    is_word(byte) || byte.is_ascii_whitespace() || b".,()*+-/<>=".contains(&byte)
}

fn has_comment(text: &[u8]) -> bool {
    text.windows(2).any(|two| two == b"--" || two == b"/*")
}

impl Reading {
    /// Whether it holds for every text of its text's pattern: it is one statement that reads tables and columns, and does nothing else.
    pub fn is_of_pattern(&self) -> bool {
        let [statement] = self.statements.as_slice() else {
            return false;
        };
        let reads = |action: Action| action == Action::Sql(SqlAction::Select);
        statement.kind == Kind::Plain
            && self.problem.is_none()
            && self.refused.is_none()
            && self.unresolved.is_empty()
            && self.functions.is_empty()
            && statement.effects.iter().all(|effect| {
                reads(effect.action) && effect.setting.is_none() && effect.value.is_none() && effect.call_kind.is_none()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(one: &str, other: &str) -> bool {
        let (one, other) = (Pattern::of(one), Pattern::of(other));
        one.is_some() && one == other
    }

    #[test]
    fn numbers_behind_an_equals_sign_are_alike() {
        for (one, other) in [
            ("SELECT a FROM t WHERE b = 123", "SELECT a FROM t WHERE b = 987"),
            ("select a from t where b=1;", "select a from t where b=2;"),
            (
                "SELECT a FROM t WHERE b <= 7 AND c =\n8",
                "SELECT a FROM t WHERE b <= 9 AND c =\n1",
            ),
        ] {
            assert!(alike(one, other), "{one}");
        }
    }

    #[test]
    fn whatever_else_differs_is_not() {
        for (one, other) in [
            // Other places in the text.
            ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = 10"),
            // An int8, a numeric, a name, a float, a number in another base.
            (
                "SELECT a FROM t WHERE b = 1234567890",
                "SELECT a FROM t WHERE b = 9234567890",
            ),
            ("SELECT a FROM t WHERE b = 1.5", "SELECT a FROM t WHERE b = 2.5"),
            ("SELECT a FROM t WHERE b = 1e5", "SELECT a FROM t WHERE b = 2e5"),
            ("SELECT a FROM t WHERE b = 0x1", "SELECT a FROM t WHERE b = 0x2"),
            ("SELECT a FROM t WHERE b = 1_0", "SELECT a FROM t WHERE b = 2_0"),
            ("SELECT a FROM t WHERE b = t1", "SELECT a FROM t WHERE b = t2"),
            // Elsewhere numbers mean something.
            ("SELECT a FROM t ORDER BY 1", "SELECT a FROM t ORDER BY 2"),
            ("SELECT a FROM t WHERE b = -1", "SELECT a FROM t WHERE b = -2"),
            ("SELECT f(a => 1)", "SELECT f(a => 2)"),
            ("SELECT a::float(1)", "SELECT a::float(2)"),
            ("SELECT a FROM t1 WHERE b = c", "SELECT a FROM t2 WHERE b = c"),
            // Other statements.
            ("SET a = 1", "SET a = 2"),
            ("UPDATE t SET a = 1", "UPDATE t SET a = 2"),
            ("SELECT 1; SET a = 1", "SELECT 1; SET a = 2"),
            ("selects = 1", "selects = 2"),
            // What looks like a number is none.
            ("SELECT 'a = 1'", "SELECT 'a = 2'"),
            ("SELECT \"a = 1\" FROM t", "SELECT \"a = 2\" FROM t"),
            ("SELECT $$a = 1$$", "SELECT $$a = 2$$"),
            ("SELECT a FROM t WHERE b = $1", "SELECT a FROM t WHERE b = $2"),
            ("SELECT a -- = 1", "SELECT a -- = 2"),
            ("SELECT a /* = 1", "SELECT a /* = 2"),
            (
                "SELECT a FROM t WHERE b = 1 AND \u{e9} = c",
                "SELECT a FROM t WHERE b = 2 AND \u{e9} = c",
            ),
        ] {
            assert!(!alike(one, other), "{one}");
        }
    }
}
