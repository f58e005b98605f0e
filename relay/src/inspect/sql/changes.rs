//! Which names a text rests on, and which it changes for everybody: as numbers, since they are only compared. Two names that share a
//! number only wait for each other without need.
//!
//! A name here is a bare one, without schema: a relation that is made, moved or renamed may take any schema's place on a search path.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use super::reader::Reader;
use crate::inspect::catalog::TEMPORARY;
use crate::policy::{Action, Effect, Resource, SqlAction};

/// A name's number.
pub fn name(text: &str) -> u64 {
    numbered(0, text)
}

/// The number of what only who writes to a relation goes by: its triggers, its constraints, the keys that reference it.
pub fn writes_of(text: &str) -> u64 {
    numbered(1, text)
}

fn numbered(kind: u8, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kind, text).hash(&mut hasher);
    hasher.finish()
}

/// Numbers as they are compared: sorted, each once.
pub fn sorted(mut names: Vec<u64>) -> Arc<[u64]> {
    names.sort_unstable();
    names.dedup();
    names.into()
}

/// The names whose meaning a text changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Changes {
    /// None.
    #[default]
    Nothing,
    /// These, sorted.
    Names(Arc<[u64]>),
    /// Any.
    All,
}

impl Changes {
    /// Of these names.
    pub fn of(names: Vec<u64>) -> Self {
        if names.is_empty() {
            Self::Nothing
        } else {
            Self::Names(sorted(names))
        }
    }

    /// Whether one of these names, which are sorted, is changed.
    pub fn meets(&self, names: &[u64]) -> bool {
        match self {
            Self::Nothing => false,
            Self::Names(changed) => changed.iter().any(|name| names.binary_search(name).is_ok()),
            Self::All => !names.is_empty(),
        }
    }

    /// Whether both change a name.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, _) | (_, Self::Nothing) => false,
            (Self::All, _) | (_, Self::All) => true,
            (_, Self::Names(names)) => self.meets(names),
        }
    }

    /// What both change together.
    pub fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (changes, Self::Nothing) | (Self::Nothing, changes) => changes.clone(),
            (Self::Names(one), Self::Names(two)) => {
                Self::Names(sorted(one.iter().chain(two.iter()).copied().collect()))
            }
        }
    }
}

/// What a reader found of the names that its statement changes, beside its effects.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Names that are no relation's: a type, an operator class, …
    pub names: Vec<u64>,
    /// Relations that others may go on using: nothing that they go by is changed.
    pub for_nobody: Vec<Arc<str>>,
    /// Relations that others may go on reading: only who writes to them goes by what is changed.
    pub for_writers: Vec<Arc<str>>,
    /// Relations that are changed for all.
    pub for_all: Vec<Arc<str>>,
    /// Relations that are only kept from others until the transaction ends.
    pub locked: Vec<Arc<str>>,
    /// What it alters as a whole changes nothing for the reading of others.
    pub harmless: bool,
    /// Any name may mean something else.
    pub everything: bool,
}

impl Touched {
    pub fn absorb(&mut self, mut inner: Self) {
        self.names.append(&mut inner.names);
        self.for_nobody.append(&mut inner.for_nobody);
        self.for_writers.append(&mut inner.for_writers);
        self.for_all.append(&mut inner.for_all);
        self.locked.append(&mut inner.locked);
        self.everything |= inner.everything;
    }
}

impl Reader<'_> {
    /// The statement rests on what this name means.
    pub fn spells(&self, text: &str) {
        self.words.borrow_mut().push(name(text));
    }

    /// The numbers of the names that the statement rests on, and the names that it changes. Takes what was found.
    pub fn touched(&mut self, effects: &[Effect], made: &[String]) -> (Vec<u64>, Changes) {
        let touched = std::mem::take(&mut self.touched);
        let mut words = std::mem::take(self.words.get_mut());
        let mut everything = touched.everything;
        let mut names: Vec<u64> = touched.locked.iter().map(|locked| name(locked)).collect();
        let mut defines = false;
        for effect in effects {
            let Action::Sql(action) = effect.action else { continue };
            match (action, &effect.resource) {
                (SqlAction::Unknown | SqlAction::Extension | SqlAction::System | SqlAction::Role, _) => {
                    everything = true
                }
                (SqlAction::Truncate, Resource::Table(_, table)) => names.push(name(table)),
                (SqlAction::Create | SqlAction::Alter | SqlAction::Drop, resource) => match resource {
                    Resource::Table(schema, table) | Resource::Column(schema, table, _) => {
                        if &**schema == TEMPORARY {
                            continue;
                        }
                        defines = true;
                        if touched.for_all.contains(table) {
                            names.push(name(table));
                        } else if touched.for_writers.contains(table) {
                            names.push(writes_of(table));
                        } else if !touched.for_nobody.contains(table) {
                            names.push(name(table));
                        }
                    }
                    Resource::Function(_, function, _) => {
                        defines = true;
                        names.push(name(function));
                    }
                    Resource::Schema(_) if action == SqlAction::Create => defines = true,
                    Resource::Schema(_) | Resource::Connection if touched.harmless => {}
                    Resource::Connection if action == SqlAction::Create && !touched.names.is_empty() => defines = true,
                    _ => everything = true,
                },
                _ => {}
            }
            if let (true, Resource::Table(_, table)) = (action.group() == "sql:write", &effect.resource) {
                words.push(writes_of(table));
            }
        }
        if defines {
            names.extend(made.iter().map(|made| name(made)));
            names.extend(touched.names);
        }
        let changes = if everything { Changes::All } else { Changes::of(names) };
        (words, changes)
    }
}
