//! Turning rows of `pg_catalog` into the pieces of a snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use super::queries::{self, Which};
use crate::inspect::catalog::{
    Cast, CastContext, Column, Event, ForeignKey, Function, FunctionKind, Key, OnForeign, Operator, Parts, Relation,
    RelationKind, Rule, Trigger, Type, TypeKind,
};

/// A row that is not of the expected shape.
#[derive(Debug, thiserror::Error)]
#[error("the answer of the catalog query `{query}` is not as expected")]
pub struct RowError {
    query: &'static str,
}

/// One query and what it fills.
#[derive(Debug)]
pub(super) struct Step {
    name: &'static str,
    sql: &'static str,
    /// Temporary objects can be of this kind.
    temporary: bool,
    take: fn(&mut Reader, &Row<'_>) -> Option<()>,
}

/// All queries, in an order in which each finds what it adds to.
const STEPS: &[Step] = &[
    Step {
        name: "version",
        temporary: false,
        sql: queries::VERSION,
        take: Reader::version,
    },
    Step {
        name: "schemas",
        temporary: true,
        sql: queries::SCHEMAS,
        take: Reader::schema,
    },
    Step {
        name: "relations",
        temporary: true,
        sql: queries::RELATIONS,
        take: Reader::relation,
    },
    Step {
        name: "columns",
        temporary: true,
        sql: queries::COLUMNS,
        take: Reader::column,
    },
    Step {
        name: "generated",
        temporary: true,
        sql: queries::GENERATED,
        take: Reader::generated,
    },
    Step {
        name: "keys",
        temporary: true,
        sql: queries::KEYS,
        take: Reader::key,
    },
    Step {
        name: "views",
        temporary: true,
        sql: queries::VIEWS,
        take: Reader::view,
    },
    Step {
        name: "view uses",
        temporary: true,
        sql: queries::VIEW_USES,
        take: Reader::view_use,
    },
    Step {
        name: "default uses",
        temporary: true,
        sql: queries::DEFAULT_USES,
        take: Reader::default_use,
    },
    Step {
        name: "rules",
        temporary: true,
        sql: queries::RULES,
        take: Reader::rule,
    },
    Step {
        name: "triggers",
        temporary: true,
        sql: queries::TRIGGERS,
        take: Reader::trigger,
    },
    Step {
        name: "foreign keys",
        temporary: true,
        sql: queries::FOREIGN_KEYS,
        take: Reader::foreign_key,
    },
    Step {
        name: "functions",
        temporary: true,
        sql: queries::FUNCTIONS,
        take: Reader::function,
    },
    Step {
        name: "built-in functions",
        temporary: false,
        sql: queries::BUILTIN_FUNCTIONS,
        take: Reader::builtin_function,
    },
    Step {
        name: "built-in outputs",
        temporary: false,
        sql: queries::BUILTIN_OUTPUTS,
        take: Reader::builtin_output,
    },
    Step {
        name: "operators",
        temporary: true,
        sql: queries::OPERATORS,
        take: Reader::operator,
    },
    Step {
        name: "built-in operators",
        temporary: false,
        sql: queries::BUILTIN_OPERATORS,
        take: Reader::builtin_operator,
    },
    Step {
        name: "types",
        temporary: true,
        sql: queries::TYPES,
        take: Reader::ty,
    },
    Step {
        name: "casts",
        temporary: false,
        sql: queries::CASTS,
        take: Reader::cast,
    },
    Step {
        name: "calls",
        temporary: true,
        sql: queries::CALLS,
        take: Reader::call,
    },
];

impl Step {
    /// The steps that make a snapshot of these objects, with their queries.
    pub(super) fn of(which: Which) -> Vec<(&'static Self, String)> {
        STEPS
            .iter()
            .filter(|step| step.temporary || which == Which::All)
            .map(|step| (step, which.fill(step.sql)))
            .collect()
    }
}

/// Collects rows.
#[derive(Debug, Default)]
pub(super) struct Reader {
    parts: Parts,
    relations: HashMap<u32, usize>,
    types: HashMap<u32, usize>,
    digest: blake3::Hasher,
}

/// One row; a field is `None` where it is missing, NULL or not of the asked type.
struct Row<'a>(&'a [Option<String>]);

impl Row<'_> {
    fn text(&self, at: usize) -> Option<&str> {
        self.0.get(at)?.as_deref()
    }

    fn number<T: std::str::FromStr>(&self, at: usize) -> Option<T> {
        self.text(at)?.parse().ok()
    }

    fn flag(&self, at: usize) -> Option<bool> {
        match self.text(at)? {
            "t" => Some(true),
            "f" => Some(false),
            _ => None,
        }
    }

    fn numbers<T: std::str::FromStr>(&self, at: usize) -> Option<Vec<T>> {
        let text = self.text(at).unwrap_or_default();
        text.split_ascii_whitespace().map(|word| word.parse().ok()).collect()
    }

    fn names(&self, at: usize) -> Option<Vec<String>> {
        self.text(at)
            .map_or(Some(Vec::new()), |text| serde_json::from_str(text).ok())
    }
}

impl Reader {
    pub(super) fn take(&mut self, step: &Step, mut rows: Vec<Vec<Option<String>>>) -> Result<(), RowError> {
        // The server gives rows in any order; equal catalogs must have equal digests.
        rows.sort_unstable();
        self.digest.update(step.name.as_bytes());
        for row in &rows {
            for field in row {
                match field {
                    Some(text) => {
                        self.digest.update(&(text.len() as u64).to_le_bytes());
                        self.digest.update(text.as_bytes());
                    }
                    None => {
                        self.digest.update(&u64::MAX.to_le_bytes());
                    }
                }
            }
            (step.take)(self, &Row(row)).ok_or(RowError { query: step.name })?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Parts {
        for relation in &mut self.parts.relations {
            relation.columns.sort_by_key(|column| column.attnum);
        }
        let digest = self.digest.finalize();
        let (first, _) = digest.as_bytes().split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        self.parts.digest = u64::from_le_bytes(*first);
        self.parts
    }

    fn version(&mut self, row: &Row<'_>) -> Option<()> {
        self.parts.server_version = row.number(0)?;
        Some(())
    }

    fn schema(&mut self, row: &Row<'_>) -> Option<()> {
        self.parts.schemas.push(row.text(0)?.to_owned());
        self.parts
            .searched
            .push((row.text(0)?.to_owned(), row.text(1)?.to_owned()));
        Some(())
    }

    fn relation(&mut self, row: &Row<'_>) -> Option<()> {
        let oid = row.number(0)?;
        self.relations.insert(oid, self.parts.relations.len());
        self.parts.relations.push(Relation {
            oid,
            schema: Arc::from(row.text(1)?),
            name: Arc::from(row.text(2)?),
            kind: RelationKind::of(row.text(3)?),
            columns: Vec::new(),
            keys: Vec::new(),
            view: None,
            parents: row.numbers(5)?,
            partition: row.flag(4)?,
            rules: Vec::new(),
            triggers: Vec::new(),
            write_calls: Vec::new(),
            read_calls: Vec::new(),
        });
        Some(())
    }

    /// The relation that a row is about. One that came into being between two queries is skipped; the next snapshot has it.
    fn of(&mut self, oid: u32) -> Option<&mut Relation> {
        self.relations
            .get(&oid)
            .and_then(|index| self.parts.relations.get_mut(*index))
    }

    fn column(&mut self, row: &Row<'_>) -> Option<()> {
        let column = Column {
            attnum: row.number(1)?,
            name: Arc::from(row.text(2)?),
            type_oid: row.number(3)?,
            not_null: row.flag(4)?,
            generated: row.flag(5)?,
            generated_from: Vec::new(),
        };
        if let Some(relation) = self.of(row.number(0)?) {
            relation.columns.push(column);
        }
        Some(())
    }

    fn generated(&mut self, row: &Row<'_>) -> Option<()> {
        let (attnum, from) = (row.number::<i16>(1)?, row.number(2)?);
        if let Some(relation) = self.of(row.number(0)?)
            && let Some(column) = relation.columns.iter_mut().find(|column| column.attnum == attnum)
        {
            column.generated_from.push(from);
        }
        Some(())
    }

    fn key(&mut self, row: &Row<'_>) -> Option<()> {
        let key = Key {
            primary: row.flag(1)?,
            columns: row.numbers(2)?,
        };
        if let Some(relation) = self.of(row.number(0)?)
            && !key.columns.is_empty()
        {
            relation.keys.push(key);
        }
        Some(())
    }

    fn view(&mut self, row: &Row<'_>) -> Option<()> {
        let query = row.text(1).map(Arc::from);
        if let Some(relation) = self.of(row.number(0)?) {
            relation.view = query;
        }
        Some(())
    }

    fn view_use(&mut self, row: &Row<'_>) -> Option<()> {
        self.parts.view_uses.push((row.number(0)?, row.number(1)?));
        Some(())
    }

    fn default_use(&mut self, row: &Row<'_>) -> Option<()> {
        self.parts.default_uses.push((row.number(0)?, row.number(1)?));
        Some(())
    }

    fn rule(&mut self, row: &Row<'_>) -> Option<()> {
        let rule = Rule {
            name: Arc::from(row.text(1)?),
            event: match row.text(2)? {
                "2" => Some(Event::Update),
                "3" => Some(Event::Insert),
                "4" => Some(Event::Delete),
                _ => None,
            },
            replaces: row.flag(3)?,
            text: row.text(4).map(Arc::from),
        };
        if let Some(relation) = self.of(row.number(0)?) {
            relation.rules.push(rule);
        }
        Some(())
    }

    fn trigger(&mut self, row: &Row<'_>) -> Option<()> {
        // Bits of `pg_trigger.tgtype`, from the server's `catalog/pg_trigger.h`.
        const EVENTS: [(i16, Event); 4] = [
            (1 << 2, Event::Insert),
            (1 << 3, Event::Delete),
            (1 << 4, Event::Update),
            (1 << 5, Event::Truncate),
        ];
        let bits: i16 = row.number(2)?;
        let trigger = Trigger {
            function: row.number(1)?,
            events: EVENTS
                .iter()
                .filter(|(bit, _)| bits & bit != 0)
                .map(|(_, event)| *event)
                .collect(),
            instead: bits & (1 << 6) != 0,
        };
        if let Some(relation) = self.of(row.number(0)?) {
            relation.triggers.push(trigger);
        }
        Some(())
    }

    fn foreign_key(&mut self, row: &Row<'_>) -> Option<()> {
        let action = |word: &str| match word {
            "a" | "r" => OnForeign::Nothing,
            "c" => OnForeign::Cascade,
            _ => OnForeign::Set,
        };
        self.parts.foreign_keys.push(ForeignKey {
            from: row.number(0)?,
            from_columns: row.numbers(1)?,
            to: row.number(2)?,
            to_columns: row.numbers(3)?,
            on_delete: action(row.text(4)?),
            on_update: action(row.text(5)?),
        });
        Some(())
    }

    fn function(&mut self, row: &Row<'_>) -> Option<()> {
        self.parts.functions.push(Function {
            oid: row.number(0)?,
            schema: Arc::from(row.text(1)?),
            name: Arc::from(row.text(2)?),
            arguments: Arc::from(row.text(3)?),
            argument_types: row.numbers(4)?,
            defaults: row.number(5)?,
            variadic: row.flag(6)?,
            kind: match row.text(7)? {
                "p" => FunctionKind::Procedure,
                "a" => FunctionKind::Aggregate,
                _ => FunctionKind::Function,
            },
            set: row.flag(8)?,
            returns: row.number(9)?,
            outputs: row.names(10)?,
        });
        Some(())
    }

    fn builtin_function(&mut self, row: &Row<'_>) -> Option<()> {
        self.parts.builtin_functions.push(row.text(0)?.to_owned());
        Some(())
    }

    fn builtin_output(&mut self, row: &Row<'_>) -> Option<()> {
        self.parts
            .builtin_outputs
            .push((row.text(0)?.to_owned(), row.names(1)?));
        Some(())
    }

    fn operator(&mut self, row: &Row<'_>) -> Option<()> {
        self.parts.operators.push(Operator {
            schema: Arc::from(row.text(0)?),
            name: Arc::from(row.text(1)?),
            left: row.number(2)?,
            right: row.number(3)?,
            function: row.number(4)?,
        });
        Some(())
    }

    fn builtin_operator(&mut self, row: &Row<'_>) -> Option<()> {
        self.parts
            .builtin_operators
            .push((row.text(0)?.to_owned(), row.number(1)?, row.number(2)?));
        Some(())
    }

    fn ty(&mut self, row: &Row<'_>) -> Option<()> {
        let oid = row.number(0)?;
        self.types.insert(oid, self.parts.types.len());
        self.parts.types.push(Type {
            oid,
            schema: Arc::from(row.text(1)?),
            name: Arc::from(row.text(2)?),
            kind: match row.text(3)? {
                "a" => TypeKind::Array,
                "c" => TypeKind::Composite,
                "d" => TypeKind::Domain,
                "e" => TypeKind::Enum,
                "p" => TypeKind::Pseudo,
                "r" => TypeKind::Range,
                "m" => TypeKind::Multirange,
                _ => TypeKind::Base,
            },
            base: row.number(4)?,
            relation: row.number(5)?,
            calls: row.number(6).into_iter().collect(),
            text: row.flag(7)?,
        });
        Some(())
    }

    fn cast(&mut self, row: &Row<'_>) -> Option<()> {
        self.parts.casts.push(Cast {
            source: row.number(0)?,
            target: row.number(1)?,
            function: row.number(2)?,
            context: match row.text(3)? {
                "i" => CastContext::Implicit,
                "a" => CastContext::Assignment,
                _ => CastContext::Explicit,
            },
        });
        Some(())
    }

    fn call(&mut self, row: &Row<'_>) -> Option<()> {
        let (oid, function) = (row.number(0)?, row.number(2)?);
        match row.text(1)? {
            "t" => {
                if let Some(ty) = self.types.get(&oid).and_then(|index| self.parts.types.get_mut(*index)) {
                    ty.calls.push(function);
                }
            }
            moment => {
                let write = moment == "w";
                if let Some(relation) = self.of(oid) {
                    let calls = if write {
                        &mut relation.write_calls
                    } else {
                        &mut relation.read_calls
                    };
                    calls.push(function);
                }
            }
        }
        Some(())
    }
}
