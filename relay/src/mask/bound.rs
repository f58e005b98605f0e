//! Masks are bound to columns, not to their names. A rule finds a column by its name once; from then on the column's oid and number
//! carry the mask: renaming the column or its table, or moving it to another schema, frees nothing, and neither does a
//! restart of the relay, because the store keeps what is bound.
//!
//! A binding ends when its rule leaves the configuration, or when the column is gone. Numbers are a database's own: the key has
//! the cluster's system identifier and the database's oid in it, so that a restored copy, whose numbers mean other columns,
//! begins anew. It begins with the names that its forerunner's bound columns had last, so that a dump frees nothing either.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::Masks;
use crate::inspect::catalog::{Catalog, Column, Relation};
use crate::inspect::sql::ColumnRef;
use crate::store::StoreError;

/// A database, wherever it is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DatabaseId {
    /// `system_identifier` of its cluster; empty where the target's role may not know it.
    pub cluster: String,
    /// Its oid there.
    pub oid: u32,
}

/// A column's names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnName {
    /// Its relation's schema.
    pub schema: Arc<str>,
    /// Its relation.
    pub relation: Arc<str>,
    /// Its own.
    pub column: Arc<str>,
}

impl ColumnName {
    pub(super) fn of(relation: &Relation, column: &Column) -> Self {
        Self {
            schema: relation.schema.clone(),
            relation: relation.name.clone(),
            column: column.name.clone(),
        }
    }
}

/// A rule's pattern bound to a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The column.
    pub column: ColumnRef,
    /// The pattern, as [`super::ColumnPattern`] writes itself.
    pub pattern: Arc<str>,
    /// What the column was called when the pattern found it.
    pub bound_as: ColumnName,
    /// What it was called when it was last seen.
    pub seen_as: ColumnName,
}

/// A binding, and the database that it holds in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBinding {
    /// The database.
    pub database: DatabaseId,
    /// The binding.
    pub binding: Binding,
}

/// What is bound in one database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    /// The database.
    pub database: DatabaseId,
    columns: HashMap<ColumnRef, Vec<Binding>>,
    /// Those of other databases that were behind the same connection.
    elsewhere: Vec<Binding>,
}

/// What the store must learn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New ones, and those whose names changed.
    pub keep: Vec<Binding>,
    /// Those that ended.
    pub forget: Vec<Binding>,
}

impl Changes {
    /// Whether it need learn nothing.
    pub fn is_empty(&self) -> bool {
        self.keep.is_empty() && self.forget.is_empty()
    }
}

/// Keeps bindings for targets, and knows the rules that they come from.
pub trait KeepsBindings: Debug + Send + Sync {
    /// The masks of a connection.
    fn masks(&self, connection: &str) -> Option<Arc<Masks>>;

    /// Reads everything that was kept for a connection.
    fn kept(&self, connection: &str) -> BoxFuture<'static, Result<Vec<KeptBinding>, StoreError>>;

    /// Keeps what changed.
    fn keep(
        &self,
        connection: &str,
        database: &DatabaseId,
        changes: Changes,
    ) -> BoxFuture<'static, Result<(), StoreError>>;
}

impl Bindings {
    /// What was kept, for one of the databases.
    pub fn of(database: DatabaseId, kept: Vec<KeptBinding>) -> Self {
        let mut bindings = Self {
            database,
            ..Self::default()
        };
        for KeptBinding { database, binding } in kept {
            if database == bindings.database {
                bindings.add(binding);
            } else {
                bindings.elsewhere.push(binding);
            }
        }
        bindings
    }

    fn add(&mut self, binding: Binding) {
        let bound = self.columns.entry(binding.column.clone()).or_default();
        if !bound.iter().any(|other| other.pattern == binding.pattern) {
            bound.push(binding);
        }
    }

    /// The bindings of a column.
    pub fn column(&self, column: &ColumnRef) -> &[Binding] {
        self.columns.get(column).map_or(&[], Vec::as_slice)
    }

    fn find(&self, like: &Binding) -> Option<&Binding> {
        let of_column = self.column(&like.column).iter();
        of_column.into_iter().find(|binding| binding.pattern == like.pattern)
    }

    fn iter(&self) -> impl Iterator<Item = &Binding> {
        self.columns.values().flatten()
    }

    /// What is different from `before`.
    pub fn since(&self, before: &Self) -> Changes {
        Changes {
            keep: self
                .iter()
                .filter(|binding| before.find(binding) != Some(binding))
                .cloned()
                .collect(),
            forget: before
                .iter()
                .filter(|binding| self.find(binding).is_none())
                .cloned()
                .collect(),
        }
    }

    /// Binds what `rules` find by name, and keeps what is bound as long as its rule and its column are there. `rules` are the
    /// patterns, and whether one means a name.
    pub(super) fn renewed<'a>(
        &self,
        catalog: &Catalog,
        rules: impl Iterator<Item = &'a super::ColumnRule> + Clone,
    ) -> Self {
        let mut now = Self {
            database: self.database.clone(),
            columns: HashMap::new(),
            elsewhere: self.elsewhere.clone(),
        };
        let has_rule = |binding: &Binding| rules.clone().any(|rule| rule.text == binding.pattern);
        for binding in self.iter().filter(|binding| has_rule(binding)) {
            let relation = catalog.relation(binding.column.relation);
            let column = relation.and_then(|relation| Some((relation, relation.column(binding.column.attnum)?)));
            if let Some((relation, column)) = column {
                now.add(Binding {
                    seen_as: ColumnName::of(relation, column),
                    ..binding.clone()
                });
            }
        }
        // Only a database that was never seen begins with another's names: in one that was, they may long mean something else.
        let mut inherited: HashMap<&ColumnName, Vec<&Binding>> = HashMap::new();
        if self.columns.is_empty() {
            for binding in self.elsewhere.iter().filter(|binding| has_rule(binding)) {
                inherited.entry(&binding.seen_as).or_default().push(binding);
            }
        }
        for (relation, column) in columns(catalog) {
            let of = ColumnRef {
                relation: relation.oid,
                attnum: column.attnum,
            };
            let bind = |pattern: &Arc<str>, bound_as: Option<&ColumnName>| {
                let seen_as = ColumnName::of(relation, column);
                Binding {
                    column: of.clone(),
                    pattern: pattern.clone(),
                    bound_as: bound_as.cloned().unwrap_or_else(|| seen_as.clone()),
                    seen_as,
                }
            };
            for rule in rules.clone() {
                if rule.pattern.matches(&relation.schema, &relation.name, &column.name) {
                    now.add(bind(&rule.text, None));
                }
            }
            if !inherited.is_empty() {
                let name = ColumnName::of(relation, column);
                for binding in inherited.get(&name).into_iter().flatten() {
                    now.add(bind(&binding.pattern, Some(&binding.bound_as)));
                }
            }
        }
        now
    }
}

/// Every column of a snapshot, with its relation.
pub(super) fn columns(catalog: &Catalog) -> impl Iterator<Item = (&Arc<Relation>, &Column)> {
    catalog.relations().flat_map(|relation| {
        let columns = relation.columns.iter();
        columns.map(move |column| (relation, column))
    })
}

#[cfg(test)]
#[path = "bound/tests.rs"]
mod tests;
