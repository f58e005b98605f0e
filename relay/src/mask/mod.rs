//! Replacing sensitive values in what leaves the relay. Knows no protocol: values in, values out.
//!
//! ```text
//! [[mask]] ▸ Masks (one connection) ▸ seed: columns of the catalog ▸ closed over views by `inspect`
//!                                   ▸ Detectors                    ▸ Plan (one result) ▸ apply (each value)
//!                                   ▸ Scrubber: statements, parameters, errors for recordings
//! ```
//!
//! A mask on a column follows the column wherever the statement takes it; a detector finds values by what they look
//! like. Both fail closed: what cannot be followed is redacted, two witnesses that disagree stop the result.

mod array;
mod binary;
mod bound;
mod detect;
mod hstore;
mod json;
mod key;
mod kind;
mod pattern;
mod plan;
mod readers;
mod replace;
mod scrub;

use std::collections::HashMap;
use std::sync::Arc;

pub use self::bound::{Binding, Bindings, Changes, ColumnName, DatabaseId, KeepsBindings, KeptBinding};
pub use self::detect::Detectors;
pub use self::key::{KeyError, open as open_key, open_file as open_key_file};
pub use self::kind::{Element, Format, Kind};
pub use self::pattern::{ColumnPattern, PatternError};
pub use self::plan::{Described, MaskedBy, Plan, PlanError};
pub use self::readers::{Both, Cleared, Recordable, Sent, Views};
pub use self::replace::{Applied, HashKey, REDACTED, stricter};
pub use self::scrub::{Scrubbed, ScrubbedParameters, Scrubber, SecretParameters};
use crate::config::{Detector, MaskRule, MaskWhat, MaskWith, pattern_matches};
use crate::inspect::catalog::{Catalog, Relation};
use crate::inspect::masked::close;
use crate::inspect::sql::ColumnRef;
use crate::policy::Resource;

/// What the server keeps of the values of every column (`pg_stats` and what it is made of): masked where any column is.
const STATISTICS: &[(&str, &[&str])] = &[
    (
        "pg_statistic",
        &["stavalues1", "stavalues2", "stavalues3", "stavalues4", "stavalues5"],
    ),
    (
        "pg_stats",
        &[
            "most_common_vals",
            "histogram_bounds",
            "most_common_elems",
            "range_bounds_histogram",
        ],
    ),
    ("pg_statistic_ext_data", &["stxdmcv", "stxdexpr"]),
    ("pg_stats_ext", &["most_common_vals"]),
    (
        "pg_stats_ext_exprs",
        &["most_common_vals", "histogram_bounds", "most_common_elems"],
    ),
];

/// The masks of one connection.
#[derive(Clone, Debug)]
pub struct Masks {
    columns: Vec<ColumnRule>,
    detectors: Arc<Detectors>,
    no_detectors: Arc<Detectors>,
    scrubber: Scrubber,
}

/// A mask by a column's name.
#[derive(Clone, Debug)]
struct ColumnRule {
    pattern: ColumnPattern,
    /// The pattern as it is kept with what it is bound to.
    text: Arc<str>,
    with: MaskWith,
}

/// Whether a column of the server's own holds values of other columns.
fn is_statistics(relation: &Relation, column: &str) -> bool {
    let holds = |(name, columns): &(&str, &[&str])| *name == &*relation.name && columns.contains(&column);
    &*relation.schema == "pg_catalog" && STATISTICS.iter().any(holds)
}

impl Masks {
    /// Takes the rules that hold for a connection. `key` is the relay's mask key: equal values have equal hashes.
    ///
    /// # Errors
    /// A column pattern cannot be read.
    pub fn compile(rules: &[MaskRule], connection: &str, key: &[u8; 32]) -> Result<Self, PatternError> {
        let key = HashKey::new(*key);
        let mut columns = Vec::new();
        let mut detectors: Vec<(Detector, MaskWith)> = Vec::new();
        let holds = |rule: &&MaskRule| {
            rule.connections.is_empty()
                || rule
                    .connections
                    .iter()
                    .any(|pattern| pattern_matches(pattern, connection))
        };
        for rule in rules.iter().filter(holds) {
            match &rule.what {
                MaskWhat::Columns(patterns) => {
                    for pattern in patterns {
                        let pattern = ColumnPattern::parse(pattern)?;
                        columns.push(ColumnRule {
                            text: pattern.to_string().into(),
                            pattern,
                            with: rule.with,
                        });
                    }
                }
                MaskWhat::Detect(names) => detectors.extend(names.iter().map(|name| (*name, rule.with))),
            }
        }
        Ok(Self {
            scrubber: Scrubber::new(&detectors, key.clone()),
            columns,
            detectors: Arc::new(Detectors::new(detectors, key.clone())),
            no_detectors: Arc::new(Detectors::new([], key)),
        })
    }

    /// What is masked in a session: for its client, whom `unmasked` permits to see columns and, by the connection, what
    /// detectors find; and in its recording, as if nothing were permitted.
    pub fn views(&self, catalog: &Catalog, bound: &Bindings, unmasked: impl Fn(&Resource) -> bool) -> Views {
        let mut all = HashMap::new();
        let mut permitted = HashMap::new();
        for (column, names, with) in self.seed(catalog, bound) {
            let resource =
                |name: &ColumnName| Resource::Column(name.schema.clone(), name.relation.clone(), name.column.clone());
            // Under a new name a column is still the one that was masked under the old one.
            if !names.iter().all(|name| unmasked(&resource(name))) {
                permitted.insert(column.clone(), with);
            }
            all.insert(column, with);
        }
        let sees_found = !self.detectors.is_empty() && unmasked(&Resource::Connection);
        let same = permitted.len() == all.len() && !sees_found;
        let columns = Arc::new(close(catalog, permitted));
        if same {
            return Views::new((columns, self.detectors.clone()), None);
        }
        let detectors = if sees_found {
            &self.no_detectors
        } else {
            &self.detectors
        };
        Views::new(
            (columns, detectors.clone()),
            Some((Arc::new(close(catalog, all)), self.detectors.clone())),
        )
    }

    /// Binds the rules to a target's columns. `before`: what was bound so far.
    pub fn bind(&self, catalog: &Catalog, before: &Bindings) -> Bindings {
        before.renewed(catalog, self.columns.iter())
    }

    /// The columns that are masked, by their names or by what is bound, with every name that counts. Where several rules mean a
    /// column the strictest holds ([`stricter`]). With the first of them statistics are masked too.
    fn seed<'a>(
        &'a self,
        catalog: &'a Catalog,
        bound: &'a Bindings,
    ) -> impl Iterator<Item = (ColumnRef, Vec<ColumnName>, MaskWith)> + 'a {
        // Without a rule the catalog is not walked.
        let columns = (!self.columns.is_empty()).then(|| bound::columns(catalog));
        columns.into_iter().flatten().filter_map(|(relation, column)| {
            let of = ColumnRef {
                relation: relation.oid,
                attnum: column.attnum,
            };
            let bindings = bound.column(&of);
            let means = |rule: &&ColumnRule| {
                rule.pattern.matches(&relation.schema, &relation.name, &column.name)
                    || bindings.iter().any(|binding| binding.pattern == rule.text)
            };
            let rules = self.columns.iter().filter(means).map(|rule| rule.with);
            let statistics = is_statistics(relation, &column.name).then_some(MaskWith::Redact);
            let with = rules.chain(statistics).reduce(stricter)?;
            let mut names = vec![ColumnName::of(relation, column)];
            names.extend(bindings.iter().map(|binding| binding.bound_as.clone()));
            Some((of, names, with))
        })
    }

    /// Replaces what detectors find in what is recorded besides results, whoever the principal is.
    pub fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    /// Whether nothing is masked on this connection.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty() && self.detectors.is_empty()
    }
}
