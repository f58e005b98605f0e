//! Walking a TOML tree with its spans: each section asks for its keys, and what nobody asked for is an error.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::problem::{Problem, Source};
use super::value::Item;

/// What all sections of one file share: where problems go, and where relative paths begin.
pub(super) struct Reader {
    source: Arc<Source>,
    directory: PathBuf,
    problems: RefCell<Vec<Problem>>,
    asked: RefCell<BTreeSet<String>>,
}

impl Reader {
    pub(super) fn new(source: Arc<Source>) -> Self {
        let directory = match source.path().parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Self {
            source,
            directory,
            problems: RefCell::default(),
            asked: RefCell::default(),
        }
    }

    pub(super) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The directory of the file: relative paths begin there.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub(super) fn report_at(&self, span: Range<usize>, message: impl AsRef<str>) {
        self.report(Problem::error(message).at(&self.source, span));
    }

    /// Every key that was asked for, as `section.key`.
    #[cfg(test)]
    pub(super) fn asked(&self) -> BTreeSet<String> {
        self.asked.borrow().clone()
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
}

/// A table of the file.
pub(super) struct Section<'a> {
    reader: &'a Reader,
    path: String,
    span: Range<usize>,
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
    unsupported: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn new(reader: &'a Reader, path: String, span: Range<usize>, table: &'a DeTable<'a>) -> Self {
        Self {
            reader,
            path,
            span,
            table,
            known: Vec::new(),
            unsupported: Vec::new(),
        }
    }

    pub(super) fn reader(&self) -> &'a Reader {
        self.reader
    }

    /// Where the table begins.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Reports something about the table as a whole.
    pub(super) fn error(&self, message: impl AsRef<str>) {
        self.reader.report_at(self.span(), message);
    }

    /// The value of a key.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Item<'a>> {
        self.known.push(key);
        let path = self.name(key);
        self.reader.asked.borrow_mut().insert(path.clone());
        let value = self.table.get(key)?;
        Some(Item::new(self.reader, path, value))
    }

    /// Whether a key is there, without asking for it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// The value of a key that must be there.
    pub(super) fn need(&mut self, key: &'static str) -> Option<Item<'a>> {
        let item = self.get(key);
        if item.is_none() {
            self.error(format!("`{}` is missing", self.name(key)));
        }
        item
    }

    /// A key that stands in the documentation of a later version.
    pub(super) fn unsupported(&mut self, key: &'static str, what: &str) {
        self.unsupported.push(key);
        if let Some((spanned, value)) = self.table.get_key_value(key) {
            self.reader.report(
                Problem::error(format!("`{}` is not supported by this version", self.name(key)))
                    .at(&self.reader.source, spanned.span())
                    .concealing(value.span())
                    .hint(what),
            );
        }
    }

    /// Keys that only exist here, whatever they are called.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, Item<'a>)> + use<'a> {
        let (reader, path) = (self.reader, self.path.clone());
        self.table.iter().map(move |(key, value)| {
            let item = Item::new(reader, format!("{path}.{}", key.get_ref()), value);
            (key.get_ref().as_ref(), item)
        })
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        for (key, value) in self.table {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) || self.unsupported.contains(&name) {
                continue;
            }
            let place = match self.path.as_str() {
                "" => "at the top level".to_owned(),
                path => format!("in `{path}`"),
            };
            let problem = Problem::error(format!("unknown key `{name}` {place}"))
                .at(&self.reader.source, key.span())
                .concealing(value.span());
            self.reader.report(match nearest(name, &self.known) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("known keys: {}", self.known.join(", "))),
            });
        }
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// The known word that is most like `word`, if one is.
pub(super) fn nearest(word: &str, known: &[&'static str]) -> Option<&'static str> {
    // A pathological name costs the product of the lengths.
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase().replace('-', "_");
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(lower.len()) / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}
