//! The columns that are masked, wherever a value of theirs can be read: a mask on a table's column holds for the views over it,
//! its partitions and inheritance children in both directions, and the columns generated from it.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::config::MaskWith;
use crate::inspect::catalog::{Catalog, Relation};
use crate::inspect::sql::{ColumnRef, Lineage, Origin, view_lineage};

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

    /// Masks a column; says whether that is new.
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

/// Follows the masks of `seed` through the catalog. A copy keeps the mask; what is computed from a masked column is redacted, and so
/// is every column of a view whose query cannot be followed while something masked is in its reach.
pub fn close(catalog: &Catalog, seed: HashMap<ColumnRef, MaskWith>) -> MaskedColumns {
    let mut masked = MaskedColumns::default();
    // Ordered, so that equal seeds close equally.
    let mut work: BTreeSet<u32> = BTreeSet::new();
    for (column, with) in seed {
        work.insert(column.relation);
        masked.add(column, with);
    }
    let mut views: HashMap<u32, Lineage> = HashMap::new();
    // Each turn that changes something masks a column more, or makes a mask stricter: the loop ends.
    while let Some(oid) = work.pop_first() {
        let Some(relation) = catalog.relation(oid) else {
            continue;
        };
        if generated(&mut masked, relation) {
            work.insert(oid);
        }
        let relatives = relation.parents.iter().chain(catalog.children(oid));
        for other in relatives.filter_map(|oid| catalog.relation(*oid)) {
            if by_name(&mut masked, relation, other) {
                work.insert(other.oid);
            }
        }
        for view in catalog
            .dependent_views(oid)
            .iter()
            .filter_map(|oid| catalog.relation(*oid))
        {
            let lineage = views.entry(view.oid).or_insert_with(|| view_lineage(catalog, view));
            if through_view(&mut masked, view, lineage) {
                work.insert(view.oid);
            }
        }
    }
    masked
}

/// Columns that are computed from a masked one of their row.
fn generated(masked: &mut MaskedColumns, relation: &Relation) -> bool {
    let mut changed = false;
    for column in relation.columns.iter().filter(|column| column.generated) {
        let from_masked = if column.generated_from.is_empty() {
            masked.relation_masked(relation.oid)
        } else {
            column
                .generated_from
                .iter()
                .any(|attnum| masked.columns.contains_key(&reference(relation, *attnum)))
        };
        if from_masked {
            changed |= masked.add(reference(relation, column.attnum), MaskWith::Redact);
        }
    }
    changed
}

/// Parents and children share columns by name.
fn by_name(masked: &mut MaskedColumns, from: &Relation, to: &Relation) -> bool {
    let mut changed = false;
    for column in &from.columns {
        if let Some(with) = masked.get(&reference(from, column.attnum))
            && let Some(same) = to.column_named(&column.name)
        {
            changed |= masked.add(reference(to, same.attnum), with);
        }
    }
    changed
}

fn through_view(masked: &mut MaskedColumns, view: &Relation, lineage: &Lineage) -> bool {
    let mut changed = false;
    for (index, column) in view.columns.iter().enumerate() {
        let origin = match lineage {
            Lineage::Columns(origins) if origins.len() == view.columns.len() => origins.get(index),
            _ => None,
        };
        let with = match origin {
            Some(origin) => mask_of(masked, origin),
            // It could be any of what is in reach.
            None => Some(MaskWith::Redact),
        };
        if let Some(with) = with {
            changed |= masked.add(reference(view, column.attnum), with);
        }
    }
    changed
}

/// The mask that a value of that origin needs.
fn mask_of(masked: &MaskedColumns, origin: &Origin) -> Option<MaskWith> {
    if origin.unknown || origin.derived.iter().any(|column| masked.columns.contains_key(column)) {
        return Some(MaskWith::Redact);
    }
    let mut with = None;
    for column in &origin.copied {
        if let Some(next) = masked.get(column) {
            with = match with {
                None => Some(next),
                Some(old) if old == next => Some(old),
                Some(_) => Some(MaskWith::Redact),
            };
        }
    }
    with
}

fn reference(relation: &Relation, attnum: i16) -> ColumnRef {
    ColumnRef {
        relation: relation.oid,
        attnum,
    }
}
