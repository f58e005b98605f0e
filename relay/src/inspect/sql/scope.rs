//! What names of columns and relations mean inside one query: frames of FROM items, enclosing queries, WITH.

use std::sync::Arc;

use super::{ColumnRef, Origin};
use crate::inspect::catalog::Relation;

/// A column that an expression can name, or that a query gives.
#[derive(Clone, Debug, Default)]
pub(super) struct Column {
    /// Its name.
    pub name: Arc<str>,
    /// Where its values come from.
    pub origin: Arc<Origin>,
    /// The base column that naming it reads; `None` where the inner query already counted the read.
    pub base: Option<ColumnRef>,
    /// Its type's oid; 0 where not known.
    pub ty: u32,
}

/// The columns of a query's result.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// In order.
    pub columns: Vec<Column>,
    /// There are columns that are not known, of this origin.
    pub open: Option<Arc<Origin>>,
}

impl Shape {
    /// A result of which nothing is known.
    pub fn unknown() -> Self {
        Self {
            columns: Vec::new(),
            open: Some(Arc::new(Origin::unknown())),
        }
    }

    /// Everything that any of its columns comes from, as derived.
    pub fn everything(&self) -> Origin {
        let mut all = Origin::default();
        for column in &self.columns {
            all.derive(&column.origin);
        }
        if let Some(open) = &self.open {
            all.derive(open);
        }
        all
    }
}

impl Origin {
    /// The origin of what could not be followed.
    pub(super) fn unknown() -> Self {
        Self {
            unknown: true,
            ..Self::default()
        }
    }

    /// A column's own values.
    pub(super) fn of(column: ColumnRef) -> Self {
        Self {
            copied: vec![column],
            ..Self::default()
        }
    }

    /// Adds what a computed value is computed from.
    pub(super) fn derive(&mut self, from: &Self) {
        for column in from.copied.iter().chain(&from.derived) {
            if !self.derived.contains(column) {
                self.derived.push(column.clone());
            }
        }
        self.unknown |= from.unknown;
    }

    /// Adds another source of the same column, for UNION and merged join columns.
    pub(super) fn merge(&mut self, other: &Self) {
        for column in &other.copied {
            if !self.copied.contains(column) {
                self.copied.push(column.clone());
            }
        }
        for column in &other.derived {
            if !self.derived.contains(column) {
                self.derived.push(column.clone());
            }
        }
        self.unknown |= other.unknown;
    }

    /// The values are those of base columns, unchanged.
    pub(super) fn is_copy(&self) -> bool {
        !self.copied.is_empty() && self.derived.is_empty() && !self.unknown
    }
}

/// A relation that FROM brings, under the name that expressions use.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    /// Alias or name.
    pub name: Option<Arc<str>>,
    /// Its schema, while it has no alias.
    pub schema: Option<Arc<str>>,
    /// The catalog relation, where it is one.
    pub relation: Option<Arc<Relation>>,
    /// What it gives.
    pub shape: Shape,
}

/// What a FROM clause, or a part of it, makes visible.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    /// For `name.column`.
    pub sources: Vec<Source>,
    /// For `column` and `*`.
    pub visible: Shape,
}

impl Frame {
    /// One source and nothing else.
    pub fn single(source: Source) -> Self {
        Self {
            visible: source.shape.clone(),
            sources: vec![source],
        }
    }

    /// Puts another item beside it.
    pub fn extend(&mut self, other: Self) {
        self.sources.extend(other.sources);
        self.visible.columns.extend(other.visible.columns);
        if let Some(open) = other.visible.open {
            let mut all = self.visible.open.as_deref().cloned().unwrap_or_default();
            all.derive(&open);
            self.visible.open = Some(Arc::new(all));
        }
    }
}

/// The frames around an expression, the nearest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Env<'e> {
    pub frame: &'e Frame,
    pub outer: Option<&'e Env<'e>>,
    pub ctes: Option<&'e Ctes<'e>>,
}

/// The WITH clauses around a query, the nearest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ctes<'e> {
    pub list: &'e [(Arc<str>, Shape)],
    pub outer: Option<&'e Ctes<'e>>,
}

impl Ctes<'_> {
    /// The query of that name.
    pub fn find(&self, name: &str) -> Option<&Shape> {
        let mut scope = Some(self);
        while let Some(here) = scope {
            // The last one of a list wins only where the server would have refused the list.
            if let Some((_, shape)) = here.list.iter().find(|(known, _)| &**known == name) {
                return Some(shape);
            }
            scope = here.outer;
        }
        None
    }
}

/// What a name in an expression turned out to be.
pub(super) enum Named {
    /// One column.
    Column(Column),
    /// A whole row.
    Row(Source),
    /// Not there, or several.
    Nothing,
}

impl<'e> Env<'e> {
    /// Finds `column`.
    pub fn column(&self, name: &str) -> Named {
        let mut env = Some(self);
        while let Some(here) = env {
            let mut found = here.frame.visible.columns.iter().filter(|column| &*column.name == name);
            match (found.next(), found.next()) {
                (Some(column), None) => return Named::Column(column.clone()),
                (Some(_), Some(_)) => return Named::Nothing,
                _ => {}
            }
            if is_system_column(name) && here.frame.sources.iter().any(|source| source.relation.is_some()) {
                return Named::Column(Column::default());
            }
            if let Some(open) = &here.frame.visible.open {
                return Named::Column(open_column(open));
            }
            env = here.outer;
        }
        // `SELECT c FROM customers c`: the whole row.
        match self.source(None, name) {
            Some(source) => Named::Row(source.clone()),
            None => Named::Nothing,
        }
    }

    /// Finds `relation` or `schema.relation`.
    pub fn source(&self, schema: Option<&str>, name: &str) -> Option<&'e Source> {
        let mut frame = self.frame;
        let mut outer = self.outer;
        loop {
            let mut found = frame.sources.iter().filter(|source| {
                source.name.as_deref() == Some(name) && (schema.is_none() || source.schema.as_deref() == schema)
            });
            match (found.next(), found.next()) {
                (Some(source), None) => return Some(source),
                // `a JOIN b` twice under one name in different schemas: the server calls it ambiguous.
                (Some(_), Some(_)) => return None,
                _ => {}
            }
            let next = outer?;
            frame = next.frame;
            outer = next.outer;
        }
    }
}

impl Source {
    /// Finds a column of the source.
    pub fn column(&self, name: &str) -> Option<Column> {
        let mut found = self.shape.columns.iter().filter(|column| &*column.name == name);
        match (found.next(), found.next()) {
            (Some(column), None) => return Some(column.clone()),
            (Some(_), Some(_)) => return None,
            _ => {}
        }
        if self.relation.is_some() && is_system_column(name) {
            return Some(Column::default());
        }
        self.shape.open.as_ref().map(open_column)
    }
}

fn open_column(open: &Arc<Origin>) -> Column {
    let mut origin = Origin::default();
    origin.derive(open);
    Column {
        origin: Arc::new(origin),
        ..Column::default()
    }
}

/// Columns that every table has and that hold nothing of its rows' values.
fn is_system_column(name: &str) -> bool {
    matches!(name, "ctid" | "xmin" | "xmax" | "cmin" | "cmax" | "tableoid")
}
