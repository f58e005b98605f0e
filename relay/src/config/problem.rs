//! What is wrong with a configuration or policy file, where, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// A file that was read, for pointing into it.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Keeps a file's text.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            path: path.into(),
            text: text.into(),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte offset, both from 1; a column is a character.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        (line, column)
    }

    fn clamp(&self, span: Range<usize>) -> Range<usize> {
        let floor = |mut at: usize| {
            at = at.min(self.text.len());
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = floor(span.start);
        start..floor(span.end).max(start)
    }
}

/// Whether a problem stops the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It does not start, or keeps what it had.
    Error,
    /// It runs, and probably not as meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    severity: Severity,
    message: String,
    hint: Option<String>,
    place: Option<(Arc<Source>, Range<usize>)>,
    path: Option<PathBuf>,
    conceal: Conceal,
}

/// What of the file's text a picture may not show, because a secret may stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Conceal {
    Nothing,
    Range(Range<usize>),
    Everything,
}

impl Problem {
    /// Makes an error without a place.
    pub fn error(message: impl AsRef<str>) -> Self {
        Self {
            severity: Severity::Error,
            message: printable(message.as_ref()),
            hint: None,
            place: None,
            path: None,
            conceal: Conceal::Nothing,
        }
    }

    /// Makes a warning without a place.
    pub fn warning(message: impl AsRef<str>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(message)
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hint = Some(printable(hint.as_ref()));
        self
    }

    /// Adds where it stands.
    #[must_use]
    pub fn at(mut self, source: &Arc<Source>, span: Range<usize>) -> Self {
        self.place = Some((Arc::clone(source), source.clamp(span)));
        self
    }

    /// Adds the file that it is about, where there is no text to point at.
    #[must_use]
    pub fn of_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Shows the place by numbers only: the text there may be a secret.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.conceal = Conceal::Everything;
        self
    }

    /// Shows the place, but not the text in `range`, which may be a secret.
    #[must_use]
    pub fn concealing(mut self, range: Range<usize>) -> Self {
        self.conceal = Conceal::Range(range);
        self
    }

    /// Whether it stops the relay.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The file.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Some((source, _)) => Some(source.path()),
            None => self.path.as_deref(),
        }
    }

    /// Line and column, from 1.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.place.as_ref().map(|(source, span)| source.position(span.start))
    }

    fn order(&self) -> (Option<&Path>, Option<usize>) {
        (self.path(), self.place.as_ref().map(|(_, span)| span.start))
    }

    /// Draws it: message, place, the line it stands in, hint.
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let path = self.path().map(|path| printable(&path.to_string_lossy()));
        let shown = self.picture();
        let mut group = Group::with_title(level.primary_title(self.message.as_str()));
        group = match (&self.place, &path, &shown) {
            (Some((_, span)), Some(path), Some(text)) => group.element(
                Snippet::source(text.as_str())
                    .path(path.as_str())
                    .annotation(AnnotationKind::Primary.span(span.clone())),
            ),
            (Some((source, span)), Some(path), None) => {
                let (line, column) = source.position(span.start);
                group.element(Origin::path(path.as_str()).line(line).char_column(column))
            }
            (None, Some(path), _) => group.element(Origin::path(path.as_str())),
            _ => group,
        };
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }

    /// The file's text as a picture may show it; `None` where none may be drawn.
    fn picture(&self) -> Option<String> {
        let (source, span) = self.place.as_ref()?;
        if shows_secret(&source.text, span) {
            return None;
        }
        match &self.conceal {
            Conceal::Everything => None,
            Conceal::Nothing => Some(source.text.clone()),
            Conceal::Range(range) => {
                let range = source.clamp(range.clone());
                // A picture's offsets hold only for what stands before the gap.
                if range.start < span.end {
                    return None;
                }
                let (before, after) = (source.text.get(..range.start)?, source.text.get(range.end..)?);
                Some(format!("{before}…{after}"))
            }
        }
    }
}

impl fmt::Display for Problem {
    /// One line: `FILE:LINE:COLUMN: error: MESSAGE (HINT)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = self.path() {
            write!(f, "{}:", printable(&path.to_string_lossy()))?;
            if let Some((line, column)) = self.position() {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Whether a line of the span gives a key that is named like a secret's a value of its own.
fn shows_secret(text: &str, span: &Range<usize>) -> bool {
    let bytes = text.as_bytes();
    let start = memchr::memrchr(b'\n', &bytes[..span.start]).map_or(0, |at| at + 1);
    let end = memchr::memchr(b'\n', &bytes[span.end..]).map_or(bytes.len(), |at| span.end + at);
    let shown = text.get(start..end).unwrap_or_default().to_ascii_lowercase();
    shown.match_indices('=').any(|(at, _)| {
        let (before, behind) = shown.split_at(at);
        let key = before
            .trim_end()
            .rsplit([' ', '\t', ',', '{', '\n'])
            .next()
            .unwrap_or_default();
        let inline = behind
            .get(1..)
            .unwrap_or_default()
            .trim_start()
            .starts_with(['"', '\'', '[']);
        inline && ["pass", "pwd", "secret", "token"].iter().any(|word| key.contains(word))
    })
}

/// Draws all problems, file by file in the order of their places.
pub fn render(problems: &[Problem], colour: bool) -> String {
    let mut sorted: Vec<_> = problems.iter().collect();
    sorted.sort_by_key(|problem| problem.order());
    sorted.dedup();
    let drawn: Vec<_> = sorted.into_iter().map(|problem| problem.render(colour)).collect();
    drawn.join("\n\n")
}

/// Whether one of them is an error.
pub fn any_error(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// Text for a terminal: line breaks stay, other control and direction characters are escaped.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let hidden = matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if (character.is_control() && character != '\n') || hidden {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_lines_and_characters() {
        let source = Source::new("f", "ä = 1\nßß x\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(2), (1, 2));
        assert_eq!(source.position(7), (2, 1));
        assert_eq!(source.position(12), (2, 4));
        assert_eq!(source.position(9_999), (3, 1));
    }

    #[test]
    fn a_span_inside_a_character_or_past_the_end_is_drawn_all_the_same() {
        let source = Source::new("f", "ä");
        for span in [0..1, 1..2, 1..1, 5..9] {
            let drawn = Problem::error("bad").at(&source, span).render(false);
            assert!(drawn.contains("bad"), "{drawn}");
        }
    }

    #[test]
    fn a_concealed_text_is_not_drawn() {
        let source = Source::new("f.toml", "pasword = \"hunter2\"\n");
        let drawn = Problem::error("unknown key")
            .at(&source, 0..7)
            .concealing(10..19)
            .render(false);
        assert!(drawn.contains("pasword = …") && !drawn.contains("hunter2"), "{drawn}");
        let drawn = Problem::error("inline").at(&source, 10..19).private().render(false);
        assert!(drawn.contains("f.toml:1:11") && !drawn.contains("hunter2"), "{drawn}");
        let drawn = Problem::error("inline")
            .at(&source, 0..19)
            .concealing(10..19)
            .render(false);
        assert!(!drawn.contains("hunter2"), "{drawn}");
    }

    #[test]
    fn a_line_with_a_secret_is_not_drawn_whatever_is_wrong_with_it() {
        let text = "x = [{ wat = 1, db_password = \"hunter2\" }]\npassword = { env = \"A\" }\n";
        let source = Source::new("f.toml", text);
        let drawn = Problem::error("unknown key")
            .at(&source, 7..10)
            .concealing(13..14)
            .render(false);
        assert!(drawn.contains("f.toml:1:8") && !drawn.contains("hunter2"), "{drawn}");
        let drawn = Problem::error("not set").at(&source, 55..67).render(false);
        assert!(drawn.contains("{ env = "), "{drawn}");
    }

    #[test]
    fn the_line_form_names_file_line_column_and_hint() {
        let source = Source::new("f.toml", "a = 1\nb = 2\n");
        let problem = Problem::warning("odd").at(&source, 6..7).hint("drop it");
        assert_eq!(problem.to_string(), "f.toml:2:1: warning: odd (drop it)");
    }

    #[test]
    fn control_and_direction_characters_are_escaped() {
        let text = Problem::error("a\u{1b}[2Jb\u{202e}c\0").to_string();
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\0']), "{text:?}");
    }

    #[test]
    fn problems_are_drawn_in_the_order_of_the_file_and_once() {
        let source = Source::new("f.toml", "a = 1\nb = 2\n");
        let (a, b) = (
            Problem::error("first").at(&source, 0..1),
            Problem::error("second").at(&source, 6..7),
        );
        let drawn = render(&[b.clone(), a, b], false);
        assert!(drawn.find("first").unwrap() < drawn.find("second").unwrap());
        assert_eq!(drawn.matches("second").count(), 1);
    }
}
