//! Makes text from others safe to print on a terminal: nothing in it moves the cursor, hides, or reads in another order than it runs.
//!
//! What a reader cannot see is written out: `\x1b`, `\r`, `\u{202e}`. Everything else stays as it is, so a statement can be read as it was written.
//!
//! | characters | why |
//! |---|---|
//! | C0 and C1 controls, DEL | move the cursor, colour, answer back (ECMA-48) |
//! | bidirectional marks, embeddings, overrides, isolates | show text in another order than it runs (UAX #9) |
//! | zero-width and default-ignorable ones, soft hyphen, fillers, tags, variation selectors | are there and cannot be seen |
//! | line and paragraph separator | break lines in some terminals only |
//! | spaces other than the usual ones | PostgreSQL reads them as letters of a name |

use std::borrow::Cow;
use std::fmt::Write;

/// Escapes text for one line: line breaks and tabs are written out too.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, Breaks::WrittenOut)
}

/// Escapes text that may have several lines: line feeds (also those of CR LF) and tabs stay, a CR on its own is written out.
pub fn block(text: &str) -> Cow<'_, str> {
    escape(text, Breaks::Kept)
}

/// What happens to line feeds and tabs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breaks {
    Kept,
    WrittenOut,
}

fn escape(text: &str, breaks: Breaks) -> Cow<'_, str> {
    let needs = |c: char| must_be_written_out(c) && !(breaks == Breaks::Kept && matches!(c, '\n' | '\t'));
    if !text.contains(needs) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if !needs(c) {
            out.push(c);
        } else if c == '\r' && breaks == Breaks::Kept && characters.peek() == Some(&'\n') {
            // The line feed that follows is the break.
        } else {
            write_out(c, &mut out);
        }
    }
    Cow::Owned(out)
}

/// Writes out one character that cannot be shown as it is.
pub fn write_out(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        // Writing to a String cannot fail.
        c if c.is_ascii() => drop(write!(out, "\\x{:02x}", u32::from(c))),
        c => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
    }
}

/// Whether a character moves the cursor, hides, or reorders what is beside it. A line feed and a tab are among these.
pub fn must_be_written_out(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' // spaces
            | '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{180b}'..='\u{180f}'
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' // fillers
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_not_copied() {
        for text in ["", "select 1", "naïve — 日本語\u{3000}ok", "\\x1b is only text"] {
            assert!(matches!(line(text), Cow::Borrowed(same) if same == text));
            assert!(matches!(block(text), Cow::Borrowed(same) if same == text));
        }
        assert!(matches!(block("a\n\tb"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_moves_the_cursor_is_written_out() {
        assert_eq!(line("a\x1b[2Jb\x07\x7f\u{9b}31m"), "a\\x1b[2Jb\\x07\\x7f\\u{9b}31m");
        assert_eq!(line("one\ntwo\tthree\r\n"), "one\\ntwo\\tthree\\r\\n");
    }

    #[test]
    fn a_bare_carriage_return_shows_and_a_line_break_stays() {
        assert_eq!(block("delete from a; --\rselect 1"), "delete from a; --\\rselect 1");
        assert_eq!(block("a\r\nb\rc\r\r\nd"), "a\nb\\rc\\r\nd");
        assert_eq!(block("a\r"), "a\\r");
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(
            line("a\u{202e}b\u{2066}c\u{200b}d\u{feff}"),
            "a\\u{202e}b\\u{2066}c\\u{200b}d\\u{feff}"
        );
        assert_eq!(
            block("x\u{00a0}y\u{2028}z\u{e0041}\u{fe0f}\u{00ad}"),
            "x\\u{a0}y\\u{2028}z\\u{e0041}\\u{fe0f}\\u{ad}"
        );
    }

    #[test]
    fn no_escaped_text_has_anything_hidden_left() {
        let every: String = (0..=0x10_ffff_u32).filter_map(char::from_u32).collect();
        assert!(!line(&every).chars().any(must_be_written_out));
        assert!(
            !block(&every)
                .chars()
                .any(|c| must_be_written_out(c) && !matches!(c, '\n' | '\t'))
        );
    }
}
