//! Breaking and cutting text by the columns that it takes.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a tab: it is shown as spaces.
pub const TAB: &str = "    ";

/// Where the parts of a line begin, each of at most `width` columns and at least one character; at least one part.
pub fn breaks(text: &str, width: usize) -> Vec<usize> {
    let mut starts = vec![0];
    let mut used = 0;
    for (place, c) in text.char_indices() {
        let columns = if c == '\t' { TAB.len() } else { c.width().unwrap_or(0) };
        if used + columns > width && used > 0 {
            starts.push(place);
            used = 0;
        }
        used += columns;
    }
    starts
}

/// Breaks a line into parts of at most `width` columns; at least one part, each with at least one character.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let text = text.replace('\t', TAB);
    let mut starts = breaks(&text, width).into_iter().peekable();
    let mut parts = Vec::new();
    while let Some(start) = starts.next() {
        let end = starts.peek().copied().unwrap_or(text.len());
        parts.push(text.get(start..end).unwrap_or_default().to_owned());
    }
    parts
}

/// Cuts a line to `width` columns, with a mark where something was left out, and fills it up with spaces.
pub fn fit(text: &str, width: usize) -> String {
    let text = text.replace('\t', TAB);
    let mut cut = if text.width() <= width {
        text
    } else {
        let mut parts = wrap(&text, width.saturating_sub(1));
        let mut first = parts.swap_remove(0);
        first.push('…');
        first
    };
    cut.push_str(&" ".repeat(width.saturating_sub(cut.width())));
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_nothing_is_too_wide() {
        for text in [
            "",
            "abc",
            "abcdefghij",
            "日本語日本語",
            "e\u{301}e\u{301}e\u{301}",
            "a\tb",
        ] {
            for width in 2..8 {
                let parts = wrap(text, width);
                assert!(
                    parts.iter().all(|part| part.width() <= width),
                    "{text:?} {width} {parts:?}"
                );
                assert_eq!(parts.concat(), text.replace('\t', TAB));
            }
        }
    }

    #[test]
    fn a_character_that_is_wider_than_the_line_does_not_stop_it() {
        assert_eq!(wrap("日本", 1), ["日", "本"]);
        assert_eq!(wrap("ab", 0), ["a", "b"]);
    }

    #[test]
    fn what_is_cut_is_marked() {
        assert_eq!(fit("abc", 5), "abc  ");
        assert_eq!(fit("abcdef", 5), "abcd…");
        assert_eq!(fit("日本語", 4), "日… ");
    }
}
