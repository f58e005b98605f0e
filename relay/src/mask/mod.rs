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
mod detect;
mod json;
mod key;
mod kind;
mod pattern;
mod plan;
mod replace;
mod scrub;

use std::collections::HashMap;
use std::sync::Arc;

pub use self::detect::Detectors;
pub use self::key::{KeyError, open as open_key, open_file as open_key_file};
pub use self::kind::{Format, Kind};
pub use self::pattern::{ColumnPattern, PatternError};
pub use self::plan::{Described, MaskedBy, Plan, PlanError};
pub use self::replace::{Applied, HashKey, stricter};
pub use self::scrub::{Scrubbed, ScrubbedParameters, Scrubber};
use crate::config::{Detector, MaskRule, MaskWhat, MaskWith, pattern_matches};
use crate::inspect::sql::ColumnRef;
use crate::policy::Resource;

/// The masks of one connection.
#[derive(Clone, Debug)]
pub struct Masks {
    columns: Vec<(ColumnPattern, MaskWith)>,
    detectors: Arc<Detectors>,
    no_detectors: Arc<Detectors>,
    scrubber: Scrubber,
}

/// A column with its names, as the catalog has them.
#[derive(Clone, Debug)]
pub struct NamedColumn<'a> {
    /// Which it is.
    pub column: ColumnRef,
    /// Its relation's schema.
    pub schema: &'a str,
    /// Its relation.
    pub relation: &'a str,
    /// Its name.
    pub name: &'a str,
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
                        columns.push((ColumnPattern::parse(pattern)?, rule.with));
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

    /// The columns that are masked by their names, for a principal: those that `unmasked` does not permit. Where
    /// several rules name a column the strictest holds ([`stricter`]).
    pub fn seed<'a>(
        &self,
        columns: impl IntoIterator<Item = NamedColumn<'a>>,
        unmasked: impl Fn(&Resource) -> bool,
    ) -> HashMap<ColumnRef, MaskWith> {
        let mut seed = HashMap::new();
        if self.columns.is_empty() {
            return seed;
        }
        for named in columns {
            let rules = self
                .columns
                .iter()
                .filter(|(pattern, _)| pattern.matches(named.schema, named.relation, named.name));
            let Some(with) = rules.map(|(_, with)| *with).reduce(stricter) else {
                continue;
            };
            let resource = Resource::Column(named.schema.into(), named.relation.into(), named.name.into());
            if !unmasked(&resource) {
                seed.insert(named.column, with);
            }
        }
        seed
    }

    /// The detectors; none for a principal who may see the whole connection unmasked.
    pub fn detectors(&self, unmasked: bool) -> &Arc<Detectors> {
        if unmasked { &self.no_detectors } else { &self.detectors }
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
