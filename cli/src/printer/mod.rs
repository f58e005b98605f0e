//! The one place that writes: data goes to stdout, talk to stderr, an error last.
//!
//! Text of others (claims, statements, names, messages of a relay) is escaped here or by whoever puts it into a line with [`escape`].
//! Colour is for terminals only.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use hoop_shared::api::ErrorBody;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::error::{Error, Result};

pub mod escape;
pub mod span;

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For scripts: one JSON document on stdout, an error as the last line on stderr.
    Json,
    /// Rows for people. Only where there are rows.
    #[value(skip)]
    #[serde(skip)]
    Table,
    /// Rows as CSV. Only where there are rows.
    #[value(skip)]
    #[serde(skip)]
    Csv,
    /// Rows as JSON, one object a line. Only where there are rows.
    #[value(skip)]
    #[serde(skip)]
    Jsonl,
}

impl Output {
    /// Reads a format of commands that print no rows.
    pub fn plain() -> impl TypedValueParser<Value = Self> {
        Self::one_of([
            ("text", "For people"),
            (
                "json",
                "For scripts: one JSON document on stdout, an error as the last line on stderr",
            ),
        ])
    }

    /// Reads a format of commands that print rows.
    pub fn of_rows() -> impl TypedValueParser<Value = Self> {
        Self::one_of([
            ("table", "For people"),
            (
                "json",
                "For scripts: one JSON document on stdout, an error as the last line on stderr",
            ),
            ("csv", "A heading and the rows; NULL is nothing, the empty text is \"\""),
            ("jsonl", "One JSON object a row, errors as with json"),
        ])
    }

    fn one_of<const N: usize>(words: [(&'static str, &'static str); N]) -> impl TypedValueParser<Value = Self> {
        let words = words.map(|(word, help)| PossibleValue::new(word).help(help));
        PossibleValuesParser::new(words).map(|word| match word.as_str() {
            "json" => Self::Json,
            "table" => Self::Table,
            "csv" => Self::Csv,
            "jsonl" => Self::Jsonl,
            _ => Self::Text,
        })
    }
}

/// How much is said, and to whom.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Text or JSON.
    pub output: Output,
    /// Says only what is needed.
    pub quiet: bool,
    /// Never asks.
    pub no_input: bool,
    /// `NO_COLOR` is not set, and the terminal is not a dumb one.
    pub colour: bool,
}

/// Writes what a command has to say.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    manner: Manner,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
    stdin_is_terminal: bool,
}

impl Printer {
    /// Makes a printer for this process's streams.
    pub fn new(manner: Manner) -> Self {
        Self {
            manner,
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
            stdin_is_terminal: io::stdin().is_terminal(),
        }
    }

    /// Whether data is JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.manner.output, Output::Json | Output::Jsonl)
    }

    /// How data is printed.
    pub fn output(&self) -> Output {
        self.manner.output
    }

    /// Whether only what is needed is said.
    pub fn is_quiet(&self) -> bool {
        self.manner.quiet
    }

    /// Whether stdout is a terminal.
    pub fn stdout_is_terminal(&self) -> bool {
        self.stdout_is_terminal
    }

    /// Whether stderr is a terminal.
    pub fn stderr_is_terminal(&self) -> bool {
        self.stderr_is_terminal
    }

    /// Whether somebody is there to answer a question.
    pub fn can_ask(&self) -> bool {
        self.stdin_is_terminal && self.stderr_is_terminal && !self.manner.no_input
    }

    /// Prints a value: as one JSON document, or as the text that `text` makes of it.
    ///
    /// # Errors
    /// Stdout cannot be written.
    pub fn show<T: Serialize + ?Sized>(&self, value: &T, text: impl FnOnce(&T) -> String) -> Result<()> {
        if self.is_json() {
            return self.json(value);
        }
        self.text(text(value))
    }

    /// Prints a value as one line of JSON.
    ///
    /// # Errors
    /// Stdout cannot be written.
    pub fn json<T: Serialize + ?Sized>(&self, value: &T) -> Result<()> {
        let line = serde_json::to_string(value).map_err(|error| Error::failed(error.to_string()))?;
        self.text(line)
    }

    /// Prints text on stdout, with one line end.
    ///
    /// # Errors
    /// Stdout cannot be written.
    pub fn text(&self, text: impl AsRef<str>) -> Result<()> {
        let text = text.as_ref();
        if text.is_empty() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| {
                if text.ends_with('\n') {
                    Ok(())
                } else {
                    stdout.write_all(b"\n")
                }
            })
            .and_then(|()| stdout.flush())
            .map_err(|error| Error::output(&error))
    }

    /// Prints text on stdout that the next line of input follows.
    ///
    /// # Errors
    /// Stdout cannot be written.
    pub fn prompt(&self, text: &str) -> Result<()> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|error| Error::output(&error))
    }

    /// Says something on stderr that `--quiet` leaves out.
    pub fn say(&self, text: impl Display) {
        if !self.manner.quiet {
            self.tell(text);
        }
    }

    /// Says something on stderr that must be known, also with `--quiet`.
    pub fn tell(&self, text: impl Display) {
        // One write: the client that runs beside may write to the same terminal. Nobody can be told that stderr is closed.
        let _ = io::stderr().lock().write_all(format!("{text}\n").as_bytes());
    }

    /// Warns on stderr, also with `--quiet`.
    pub fn warn(&self, text: impl Display) {
        self.tell(format_args!("{} {text}", self.paint(AnsiColor::Yellow, "warning:")));
    }

    /// Prints an error: for people, or as the last line in JSON.
    pub fn error(&self, error: &Error) {
        if error.is_silent() {
            return;
        }
        if self.is_json() {
            let body = ErrorBody {
                error: error.as_refusal(),
            };
            if let Ok(line) = serde_json::to_string(&body) {
                self.tell(line);
            }
            return;
        }
        self.tell(self.error_text(error));
    }

    fn error_text(&self, error: &Error) -> String {
        let mut text = format!(
            "{} {}",
            self.paint(AnsiColor::Red, "error:"),
            escape::line(error.headline())
        );
        if let Some(reason) = error.reason() {
            text.push_str("\n  reason: ");
            text.push_str(&escape::line(&reason));
        }
        if let Some(request) = &error.refusal().request {
            text.push_str("\n  request: ");
            text.push_str(request.as_str());
        }
        if let Some(hint) = &error.refusal().hint {
            text.push_str(&format!(
                "\n\n{} {}",
                self.paint(AnsiColor::Cyan, "hint:"),
                escape::line(hint)
            ));
        }
        text
    }

    /// Asks a question that is answered by yes or no; everything but yes is no.
    ///
    /// # Errors
    /// Stdin cannot be read.
    pub fn confirm(&self, question: &str) -> Result<bool> {
        if !self.can_ask() {
            return Ok(false);
        }
        let failed = |error: io::Error| Error::io("cannot ask on this terminal", &error);
        let mut stderr = io::stderr().lock();
        write!(stderr, "{question} [y/N] ")
            .and_then(|()| stderr.flush())
            .map_err(failed)?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map_err(failed)?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Colours a word for stderr, where that is a terminal.
    pub fn paint(&self, colour: AnsiColor, word: &str) -> String {
        painted(self.manner.colour && self.stderr_is_terminal, colour, word)
    }

    /// Colours a word for stdout, where that is a terminal.
    pub fn paint_data(&self, colour: AnsiColor, word: &str) -> String {
        painted(self.data_has_colour(), colour, word)
    }

    /// Whether what goes to stdout may have colours.
    pub fn data_has_colour(&self) -> bool {
        self.manner.colour && self.stdout_is_terminal
    }
}

fn painted(on: bool, colour: AnsiColor, word: &str) -> String {
    if !on {
        return word.to_owned();
    }
    let style = Style::new().fg_color(Some(colour.into())).bold();
    format!("{style}{word}{style:#}")
}

/// Lays rows out in columns under their headings. Cells are escaped here.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let cells: Vec<Vec<String>> = std::iter::once(headings.iter().map(|heading| (*heading).to_owned()).collect())
        .chain(
            rows.iter()
                .map(|row| row.iter().map(|cell| escape::line(cell).into_owned()).collect()),
        )
        .collect();
    let width = |column: usize| {
        cells
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.width())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let mut text = String::new();
    for row in &cells {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Lays out facts, one a line: a name and its value. Values are escaped here.
pub fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    facts
        .iter()
        .map(|(name, value)| format!("{name:<width$}  {}\n", escape::line(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Printer {
        Printer {
            manner: Manner::default(),
            stdout_is_terminal: false,
            stderr_is_terminal: false,
            stdin_is_terminal: false,
        }
    }

    #[test]
    fn an_error_says_what_why_and_what_next() {
        let error = Error::login_needed("the certificate ended").doing("cannot open db-prod");
        assert_eq!(
            plain().error_text(&error),
            "error: cannot open db-prod\n  reason: the certificate ended\n\nhint: log in with `hoopctl login`"
        );
    }

    #[test]
    fn text_of_a_relay_cannot_move_the_cursor() {
        let error = Error::failed("a\u{1b}[2Jb\r\nc");
        let text = plain().error_text(&error);
        assert!(
            !text.contains('\u{1b}') && !text.contains('\r') && text.lines().count() == 1,
            "{text:?}"
        );
    }

    #[test]
    fn colour_is_for_terminals_only() {
        assert_eq!(plain().paint(AnsiColor::Red, "x"), "x");
        let mut printer = plain();
        printer.stderr_is_terminal = true;
        assert_eq!(printer.paint(AnsiColor::Red, "x"), "x", "colour was not allowed");
        printer.manner.colour = true;
        assert_ne!(printer.paint(AnsiColor::Red, "x"), "x");
        assert_eq!(printer.paint_data(AnsiColor::Red, "x"), "x", "stdout is no terminal");
    }

    #[test]
    fn nobody_is_asked_without_a_terminal() {
        assert!(!plain().confirm("really?").unwrap_or(true));
    }

    #[test]
    fn columns_line_up() {
        let rows = vec![
            vec!["a".to_owned(), "b".to_owned()],
            vec!["wide".to_owned(), "c".to_owned()],
        ];
        assert_eq!(table(&["X", "Y"], &rows), "X     Y\na     b\nwide  c\n");
    }
}
