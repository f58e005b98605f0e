//! The plan for one result: what is done to each of its columns. Made once for a shape, applied to every row.
//!
//! Two witnesses say where a column comes from: the lineage that the statement's tree gives, and the origins that the
//! target's description of the result gives. Where they contradict each other there is no plan, and no row leaves.

use std::collections::HashMap;
use std::sync::Arc;

use super::detect::{Detectors, is_secret_name};
use super::kind::{Format, Kind};
use super::replace::{Applied, replace, stricter};
use crate::config::{Detector, MaskWith};
use crate::inspect::masked::MaskedColumns;
use crate::inspect::sql::{ColumnRef, Lineage, Origin};

/// The masked columns of a catalog generation, closed over views, partitions and generated columns.
pub trait MaskedBy {
    /// The mask of a column.
    fn mask(&self, column: &ColumnRef) -> Option<MaskWith>;
    /// The strictest mask of any column of a relation.
    fn of_relation(&self, relation: u32) -> Option<MaskWith>;
    /// Whether nothing is masked.
    fn is_empty(&self) -> bool;
}

impl MaskedBy for HashMap<ColumnRef, MaskWith> {
    fn mask(&self, column: &ColumnRef) -> Option<MaskWith> {
        self.get(column).copied()
    }

    fn of_relation(&self, relation: u32) -> Option<MaskWith> {
        self.iter()
            .filter(|(column, _)| column.relation == relation)
            .map(|(_, with)| *with)
            .reduce(stricter)
    }

    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }
}

impl MaskedBy for MaskedColumns {
    fn mask(&self, column: &ColumnRef) -> Option<MaskWith> {
        self.get(column)
    }

    fn of_relation(&self, relation: u32) -> Option<MaskWith> {
        if !self.relation_masked(relation) {
            return None;
        }
        self.iter()
            .filter(|(column, _)| column.relation == relation)
            .map(|(_, with)| with)
            .reduce(stricter)
    }

    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }
}

/// A result's column, as the target describes it and with the format it is sent in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// The relation it is a column of; 0: none.
    pub table_oid: u32,
    /// Its number there; 0: none, or the whole row.
    pub attnum: i16,
    /// What its values are.
    pub kind: Kind,
    /// How its values are written.
    pub format: Format,
}

/// Why there is no plan. No row may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The statement's tree and the target disagree about how many columns there are.
    #[error("the statement has {read} result columns, the target describes {described}")]
    Count {
        /// By the tree.
        read: usize,
        /// By the target.
        described: usize,
    },
    /// The statement's tree and the target disagree about where a column comes from.
    #[error("result column {column} comes from elsewhere than the statement says")]
    Origin {
        /// Its number, from 1.
        column: usize,
    },
}

/// What is done to one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// Nothing.
    Clear,
    /// Every value is replaced.
    Mask(MaskWith),
    /// Detectors look at every value.
    Detect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ColumnPlan {
    action: Action,
    /// NULL is replaced too: of a computed value it says what went in, `nullif(ssn, '…')`.
    nulls: bool,
    kind: Kind,
    format: Format,
}

/// What is done to each column of a result.
#[derive(Clone, Debug)]
pub struct Plan {
    columns: Vec<ColumnPlan>,
    detectors: Arc<Detectors>,
    masks: bool,
    detects: bool,
}

impl Plan {
    /// Makes the plan for a described result. `reach`: the statement reads a masked relation, or cannot be known not to.
    ///
    /// # Errors
    /// The two witnesses contradict each other.
    pub fn new(
        lineage: &Lineage,
        described: &[Described],
        masked: &dyn MaskedBy,
        reach: bool,
        detectors: &Arc<Detectors>,
    ) -> Result<Self, PlanError> {
        let read = match lineage {
            Lineage::Columns(origins) if origins.len() != described.len() => {
                return Err(PlanError::Count {
                    read: origins.len(),
                    described: described.len(),
                });
            }
            Lineage::Columns(origins) => Some(origins),
            Lineage::Unknown => None,
        };
        let reach = reach && !masked.is_empty();
        let mut columns = Vec::with_capacity(described.len());
        for (index, column) in described.iter().enumerate() {
            let (with, nulls) = match read.and_then(|origins| origins.get(index)) {
                Some(origin) => {
                    let with = witnessed(origin, column, masked, reach);
                    let with = with.ok_or(PlanError::Origin { column: index + 1 })?;
                    (with, computed(origin, masked, reach))
                }
                None => (unread(column, masked, reach), reach),
            };
            let plan = plan_column(with, Some(&column.name), column.kind, column.format, detectors);
            columns.push(ColumnPlan { nulls, ..plan });
        }
        Ok(Self::of(columns, detectors))
    }

    /// Makes the plan for a result that the target does not describe, such as COPY's. `kind` tells a column's type by
    /// the base column that it copies. A column whose type nobody tells is NULL where it is masked.
    pub fn undescribed(
        origins: &[Origin],
        kind: impl Fn(&ColumnRef) -> Option<Kind>,
        format: Format,
        masked: &dyn MaskedBy,
        reach: bool,
        detectors: &Arc<Detectors>,
    ) -> Self {
        let reach = reach && !masked.is_empty();
        let columns = origins.iter().map(|origin| {
            let kind = match origin.copied.as_slice() {
                [] => Kind::Scanned,
                [first, rest @ ..] => {
                    let of_first = kind(first).unwrap_or(Kind::Scanned);
                    if rest.iter().all(|other| kind(other) == Some(of_first)) {
                        of_first
                    } else {
                        Kind::Scanned
                    }
                }
            };
            let plan = plan_column(lineage_mask(origin, masked, reach), None, kind, format, detectors);
            let nulls = computed(origin, masked, reach);
            ColumnPlan { nulls, ..plan }
        });
        Self::of(columns.collect(), detectors)
    }

    fn of(columns: Vec<ColumnPlan>, detectors: &Arc<Detectors>) -> Self {
        Self {
            masks: columns.iter().any(|column| matches!(column.action, Action::Mask(_))),
            detects: columns.iter().any(|column| column.action == Action::Detect),
            columns,
            detectors: Arc::clone(detectors),
        }
    }

    /// Whether every row passes as it is, without a look at it.
    pub fn is_clear(&self) -> bool {
        !self.masks && !self.detects
    }

    /// Whether both replace the same in every row.
    pub(super) fn does_the_same(&self, other: &Self) -> bool {
        self.columns == other.columns && (!self.detects || Arc::ptr_eq(&self.detectors, &other.detectors))
    }

    /// Whether a row passes as it is: nothing is masked in it, and its bytes hold nothing that a detector looks for.
    pub fn passes(&self, row: &[u8]) -> bool {
        !self.masks && (!self.detects || !self.detectors.suspects(row))
    }

    /// How many columns a row must have.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Replaces a value of a column: appends the replacement to `out`, or nothing. NULL stays NULL, but where it was
    /// computed from a masked value. A column that the plan does not have is NULL.
    pub fn apply(&self, column: usize, value: Option<&[u8]>, out: &mut Vec<u8>) -> Applied {
        let Some(plan) = self.columns.get(column) else {
            return Applied::Null;
        };
        let value = match (value, plan.action) {
            (Some(value), _) => value,
            (None, Action::Mask(_)) if plan.nulls => &[],
            (None, _) => return Applied::Same,
        };
        match plan.action {
            Action::Clear => Applied::Same,
            Action::Mask(with) => replace(with, plan.kind, plan.format, value, self.detectors.key(), out),
            Action::Detect => self.detectors.value(plan.kind, plan.format, value, out),
        }
    }
}

fn plan_column(
    with: Option<MaskWith>,
    name: Option<&str>,
    kind: Kind,
    format: Format,
    detectors: &Detectors,
) -> ColumnPlan {
    let named = || {
        let with = detectors.with(Detector::PasswordField)?;
        let secret =
            matches!(kind, Kind::Text | Kind::Bytea) && name.is_some_and(|name| is_secret_name(name.as_bytes()));
        secret.then_some(with)
    };
    let action = match with.or_else(named) {
        Some(with) => Action::Mask(with),
        // Nobody could tell what it holds.
        None if kind.is_opaque(format) && !detectors.is_empty() => Action::Mask(MaskWith::Null),
        None if kind.holds_text() && !detectors.is_empty() => Action::Detect,
        None => Action::Clear,
    };
    ColumnPlan {
        action,
        nulls: false,
        kind,
        format,
    }
}

/// The mask that the lineage asks for: a copy has the column's own, what is computed is redacted, or NULL if the column
/// is.
fn lineage_mask(origin: &Origin, masked: &dyn MaskedBy, reach: bool) -> Option<MaskWith> {
    let copied = origin.copied.iter().filter_map(|column| masked.mask(column));
    let derived = origin.derived.iter().filter_map(|column| {
        if column.attnum == 0 {
            masked.of_relation(column.relation)
        } else {
            masked.mask(column)
        }
    });
    let derived = derived.map(|with| stricter(with, MaskWith::Redact));
    let unknown = (origin.unknown && reach).then_some(MaskWith::Redact);
    copied.chain(derived).chain(unknown).reduce(stricter)
}

/// Whether a value is computed from masked ones, or may be.
fn computed(origin: &Origin, masked: &dyn MaskedBy, reach: bool) -> bool {
    origin.unknown && reach
        || origin.derived.iter().any(|column| {
            masked.mask(column).is_some() || column.attnum == 0 && masked.of_relation(column.relation).is_some()
        })
}

/// The mask of a column by both witnesses; the outer `None` where they contradict each other.
fn witnessed(origin: &Origin, described: &Described, masked: &dyn MaskedBy, reach: bool) -> Option<Option<MaskWith>> {
    let read = lineage_mask(origin, masked, reach);
    let Described { table_oid, attnum, .. } = *described;
    if table_oid == 0 {
        return Some(read);
    }
    if attnum == 0 {
        let row = masked
            .of_relation(table_oid)
            .map(|with| stricter(with, MaskWith::Redact));
        return Some(read.into_iter().chain(row).reduce(stricter));
    }
    let told = ColumnRef {
        relation: table_oid,
        attnum,
    };
    // system columns hold nothing that a user wrote
    let agrees = origin.unknown
        || attnum < 0
        || origin.copied.contains(&told)
        || origin.derived.iter().any(|column| column.relation == told.relation);
    let elsewhere = origin.copied.iter().any(|column| column.relation == told.relation);
    if !agrees && (reach || elsewhere) {
        return None;
    }
    Some(read.into_iter().chain(masked.mask(&told)).reduce(stricter))
}

/// The mask of a column that only the target knows.
fn unread(described: &Described, masked: &dyn MaskedBy, reach: bool) -> Option<MaskWith> {
    let told = ColumnRef {
        relation: described.table_oid,
        attnum: described.attnum,
    };
    masked
        .mask(&told)
        .into_iter()
        .chain(reach.then_some(MaskWith::Redact))
        .reduce(stricter)
}

#[cfg(test)]
mod tests;
