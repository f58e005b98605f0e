//! One value of a TOML tree, read as what it must be; what it is instead is an error with its place.

use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::problem::Problem;
use super::quantity;
use super::reader::{Reader, Section, nearest};

/// A value of the file.
pub(super) struct Item<'a> {
    reader: &'a Reader,
    path: String,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Item<'a> {
    pub(super) fn new(reader: &'a Reader, path: String, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { reader, path, value }
    }

    pub(super) fn reader(&self) -> &'a Reader {
        self.reader
    }

    /// Its full name: `limits.statement_bytes`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.value.span()
    }

    pub(super) fn value(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    pub(super) fn problem(&self, message: impl AsRef<str>) -> Problem {
        Problem::error(message).at(self.reader.source(), self.span())
    }

    pub(super) fn error(&self, message: impl AsRef<str>) {
        self.reader.report(self.problem(message));
    }

    pub(super) fn warn(&self, message: impl AsRef<str>) {
        self.reader
            .report(Problem::warning(message).at(self.reader.source(), self.span()));
    }

    fn wrong_type(&self, expected: &str) {
        self.error(format!(
            "`{}` must be {expected}, not {}",
            self.path,
            type_name(self.value())
        ));
    }

    /// A string. It is not empty, and has no control character.
    pub(super) fn text(&self) -> Option<&'a str> {
        let Some(text) = self.value().as_str() else {
            self.wrong_type("a string");
            return None;
        };
        if text.is_empty() {
            self.error(format!("`{}` is empty", self.path));
            return None;
        }
        if text.chars().any(char::is_control) {
            self.error(format!("`{}` has a control character", self.path));
            return None;
        }
        Some(text)
    }

    /// A string of any form: a statement.
    pub(super) fn free_text(&self) -> Option<&'a str> {
        let text = self.value().as_str();
        if text.is_none() {
            self.wrong_type("a string");
        }
        text
    }

    /// A path; a relative one begins at the file's directory.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.text().map(|text| self.reader.directory().join(text))
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let value = self.value().as_bool();
        if value.is_none() {
            self.wrong_type("true or false");
        }
        value
    }

    /// A whole number inside `range`.
    pub(super) fn number(&self, range: RangeInclusive<usize>) -> Option<usize> {
        let Some(integer) = self.value().as_integer() else {
            self.wrong_type("a whole number");
            return None;
        };
        let digits = integer.as_str();
        match usize::from_str_radix(digits, integer.radix()) {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                self.error(format!(
                    "`{}` must be from {} to {}",
                    self.path,
                    range.start(),
                    range.end()
                ));
                None
            }
        }
    }

    /// A size such as `"16MiB"` inside `range`.
    pub(super) fn size(&self, range: RangeInclusive<usize>) -> Option<usize> {
        let Some(text) = self.value().as_str() else {
            self.wrong_type("a size such as \"16MiB\"");
            return None;
        };
        match quantity::size(text) {
            Ok(size) if range.contains(&size) => Some(size),
            Ok(_) => {
                let (low, high) = (quantity::show_size(*range.start()), quantity::show_size(*range.end()));
                self.error(format!("`{}` must be from {low} to {high}", self.path));
                None
            }
            Err(error) => {
                self.error(format!("`{}`: {error}", self.path));
                None
            }
        }
    }

    /// A duration such as `"12h"` inside `range`.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let Some(text) = self.value().as_str() else {
            self.wrong_type("a duration such as \"30s\"");
            return None;
        };
        match quantity::duration(text) {
            Ok(duration) if range.contains(&duration) => Some(duration),
            Ok(_) => {
                let (low, high) = (
                    quantity::show_duration(*range.start()),
                    quantity::show_duration(*range.end()),
                );
                self.error(format!("`{}` must be from {low} to {high}", self.path));
                None
            }
            Err(error) => {
                self.error(format!("`{}`: {error}", self.path));
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let problem = self.problem(format!("`{}` is not `{text}`", self.path));
        self.reader.report(match nearest(text, &known) {
            Some(near) => problem.hint(format!("did you mean `{near}`? It is one of {}", known.join(", "))),
            None => problem.hint(format!("it is one of {}", known.join(", "))),
        });
        None
    }

    /// The elements of a list that may not be empty.
    pub(super) fn list(&self) -> Option<Vec<Item<'a>>> {
        let Some(array) = self.value().as_array() else {
            self.wrong_type("a list");
            return None;
        };
        if array.is_empty() {
            self.error(format!("`{}` is an empty list", self.path));
            return None;
        }
        let item = |value| Item {
            reader: self.reader,
            path: self.path.clone(),
            value,
        };
        Some(array.iter().map(item).collect())
    }

    /// The strings of a list, without a repeated one.
    pub(super) fn texts(&self) -> Option<Vec<String>> {
        let mut texts: Vec<String> = Vec::new();
        for item in self.list()? {
            let Some(text) = item.text() else { continue };
            if texts.iter().any(|seen| seen == text) {
                item.error(format!("`{text}` stands twice in `{}`", self.path));
            } else {
                texts.push(text.to_owned());
            }
        }
        Some(texts)
    }

    /// A table.
    pub(super) fn section(&self) -> Option<Section<'a>> {
        let Some(table) = self.value().as_table() else {
            self.wrong_type("a table");
            return None;
        };
        Some(Section::new(self.reader, self.path.clone(), self.span(), table))
    }

    /// The tables of `[[name]]`.
    pub(super) fn sections(&self) -> Vec<Section<'a>> {
        let Some(array) = self.value().as_array() else {
            self.error(format!("`{0}` is a list of tables: write `[[{0}]]`", self.path));
            return Vec::new();
        };
        let table = |value: &'a Spanned<DeValue<'a>>| {
            let item = Item::new(self.reader, self.path.clone(), value);
            item.section()
        };
        array.iter().filter_map(table).collect()
    }

    /// A value of JSON's kinds without structure: for comparing claims.
    pub(super) fn scalar(&self) -> Option<serde_json::Value> {
        let value = match self.value() {
            DeValue::String(text) => Some(serde_json::Value::from(text.as_ref())),
            DeValue::Boolean(boolean) => Some(serde_json::Value::from(*boolean)),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .ok()
                .map(serde_json::Value::from),
            _ => None,
        };
        if value.is_none() {
            self.error(format!(
                "`{}` must be a string, a whole number, true or false",
                self.path
            ));
        }
        value
    }

    /// A value that serde reads by name.
    pub(super) fn named<T: serde::de::DeserializeOwned>(&self, all: &[&'static str]) -> Option<T> {
        let words: Vec<_> = all.iter().map(|word| (*word, *word)).collect();
        let word = self.word(&words)?;
        let deserializer = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(word);
        T::deserialize(deserializer).ok()
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
