//! A catalog for a target that is not asked: it has what a statement names, in `public` unless the statement says otherwise.
//!
//! What the reader does not find it lists. Each round gives it what it missed, until it finds everything or nothing new.
//! What views, triggers and functions of the real target would do is not in it: an answer from it can be too mild.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::inspect::catalog::{Catalog, Column, Function, FunctionKind, Parts, Relation, RelationKind, Type, TypeKind};
use crate::inspect::masked::MaskedColumns;
use crate::inspect::sql::{Reading, Scope, World, read};
use crate::policy::{Action, Resource, SqlAction};

/// Rounds until it stops. Each finds at least one name; statements name few.
const ROUNDS: usize = 40;
/// The version that is assumed: what every supported server has.
const SERVER_VERSION: u32 = 150_000;
/// Oids of assumed objects of users, and of the server's own types.
const FIRST: u32 = 20_000;
const FIRST_TYPE: u32 = 14_000;
/// `text`.
const TEXT: u32 = 25;

/// The types that the grammar itself writes, with their oids.
const TYPES: &[(&str, u32)] = &[
    ("bool", 16),
    ("bytea", 17),
    ("int8", 20),
    ("int2", 21),
    ("int4", 23),
    ("text", TEXT),
    ("json", 114),
    ("float4", 700),
    ("float8", 701),
    ("bpchar", 1042),
    ("varchar", 1043),
    ("date", 1082),
    ("time", 1083),
    ("timestamp", 1114),
    ("timestamptz", 1184),
    ("interval", 1186),
    ("numeric", 1700),
    ("uuid", 2950),
    ("jsonb", 3802),
];

/// What a statement seems to need.
#[derive(Default)]
struct Needs {
    relations: BTreeMap<(String, String), BTreeSet<String>>,
    builtin_functions: BTreeSet<String>,
    functions: BTreeSet<(String, String)>,
    operators: BTreeSet<String>,
    types: BTreeSet<(String, String)>,
    /// How often a name was missed.
    seen: BTreeMap<String, usize>,
    round: usize,
}

/// Gives the catalog in which `statement` finds as much as it can.
pub(super) fn catalog(statement: &str) -> Catalog {
    let (scope, masked) = (Scope::fresh(), MaskedColumns::default());
    let mut needs = Needs::default();
    for round in 0..ROUNDS {
        needs.round = round;
        let catalog = needs.build();
        let world = World {
            catalog: &catalog,
            scope: &scope,
            masked: &masked,
            recorded: &masked,
            most_tokens: crate::inspect::sql::MOST_TOKENS,
            parameter_types: &[],
        };
        if !needs.learn(statement, &read(statement, &world)) {
            return catalog;
        }
    }
    needs.build()
}

impl Needs {
    /// Takes what was missed. `false`: there is nothing new.
    fn learn(&mut self, text: &str, reading: &Reading) -> bool {
        let mut new = false;
        for name in &reading.unresolved {
            // `c.email` may be email(c). It is taken for a column, unless the text calls something of that name.
            let column = name.strip_suffix("()").filter(|called| !calls(text, called));
            new |= self.provide(column.unwrap_or(name));
        }
        // A function of the server's that nobody has reviewed is taken for one of a user's: either way it is `sql:call`.
        for statement in &reading.statements {
            for effect in &statement.effects {
                if let (Action::Sql(SqlAction::Call), Resource::Function(schema, name, _)) =
                    (effect.action, &effect.resource)
                    && &**schema == "pg_catalog"
                    && self.builtin_functions.remove(&**name)
                {
                    new |= self.functions.insert(("public".to_owned(), name.to_string()));
                }
            }
        }
        new
    }

    fn provide(&mut self, name: &str) -> bool {
        if let Some(operator) = name.strip_prefix("operator ") {
            return self.operators.insert(operator.to_owned());
        }
        if let Some(name) = name.strip_prefix("type ") {
            return self.types.insert(qualified(name, "pg_catalog"));
        }
        if let Some(name) = name.strip_suffix("()") {
            let known_as_function = self.functions.iter().any(|(_, other)| other == name);
            return match name.split_once('.') {
                Some(("pg_catalog", name)) => self.builtin_functions.insert(name.to_owned()),
                None if !known_as_function => self.builtin_functions.insert(name.to_owned()),
                _ => self.functions.insert(qualified(name, "public")),
            };
        }
        // At first every relation is missing; then the columns of those that were given.
        let first_round = self.round == 0;
        let tries = self.seen.entry(name.to_owned()).or_default();
        *tries += 1;
        match (*tries, first_round) {
            (1, true) => self.relation(name),
            (1, false) => self.column(name) || self.relation(name),
            (2, _) => self.relation(name) || self.column(name),
            _ => false,
        }
    }

    fn relation(&mut self, name: &str) -> bool {
        let key = qualified(name, "public");
        if self.relations.contains_key(&key) {
            return false;
        }
        self.relations.insert(key, BTreeSet::new());
        true
    }

    /// Adds a column to the relation that the name begins with, else to all.
    fn column(&mut self, name: &str) -> bool {
        let (owner, column) = name
            .rsplit_once('.')
            .map_or((None, name), |(owner, column)| (Some(owner), column));
        let fits = |schema: &str, relation: &str| {
            owner.is_some_and(|owner| owner == relation || owner == format!("{schema}.{relation}"))
        };
        let exact = self.relations.keys().any(|(schema, relation)| fits(schema, relation));
        let mut new = false;
        for ((schema, relation), columns) in &mut self.relations {
            if !exact || fits(schema, relation) {
                new |= columns.insert(column.to_owned());
            }
        }
        new
    }

    fn build(&self) -> Catalog {
        let mut schemas: BTreeSet<&str> = ["pg_catalog", "information_schema", "public"].into();
        schemas.extend(
            self.relations
                .keys()
                .chain(&self.functions)
                .map(|(schema, _)| schema.as_str()),
        );
        let oids = FIRST..;
        let relations = self
            .relations
            .iter()
            .zip(oids)
            .map(|(((schema, name), columns), oid)| Relation {
                oid,
                schema: Arc::from(schema.as_str()),
                name: Arc::from(name.as_str()),
                kind: RelationKind::Table,
                columns: columns
                    .iter()
                    .zip(1..)
                    .map(|(name, attnum)| column(name, attnum))
                    .collect(),
                keys: Vec::new(),
                view: None,
                parents: Vec::new(),
                partition: false,
                rules: Vec::new(),
                triggers: Vec::new(),
                write_calls: Vec::new(),
                read_calls: Vec::new(),
            });
        let relations: Vec<_> = relations.collect();
        let first_function = FIRST + u32::try_from(relations.len()).unwrap_or(0);
        let functions = self
            .functions
            .iter()
            .zip(first_function..)
            .map(|((schema, name), oid)| Function {
                oid,
                schema: Arc::from(schema.as_str()),
                name: Arc::from(name.as_str()),
                arguments: Arc::from(""),
                argument_types: Vec::new(),
                defaults: 0,
                variadic: true,
                kind: FunctionKind::Function,
                set: false,
                returns: 0,
                outputs: Vec::new(),
            });
        let functions = functions.collect();
        let own = TYPES.iter().map(|(name, oid)| ty("pg_catalog", name, *oid));
        let named = self
            .types
            .iter()
            .filter(|(_, name)| !TYPES.iter().any(|(known, _)| known == name));
        let named = named.zip(FIRST_TYPE..).map(|((schema, name), oid)| {
            let oid = if schema == "pg_catalog" { oid } else { oid + 1_000_000 };
            ty(schema, name, oid)
        });
        Parts {
            server_version: SERVER_VERSION,
            schemas: schemas.iter().map(|schema| (*schema).to_owned()).collect(),
            types: own.chain(named).collect(),
            builtin_functions: self.builtin_functions.iter().cloned().collect(),
            builtin_operators: self.operators.iter().map(|name| (name.clone(), TEXT, TEXT)).collect(),
            relations,
            functions,
            ..Parts::default()
        }
        .build()
    }
}

/// Whether a parenthesis follows the name somewhere in the text.
fn calls(text: &str, name: &str) -> bool {
    let (text, name) = (
        text.to_lowercase(),
        name.rsplit('.').next().unwrap_or(name).to_lowercase(),
    );
    let follows = |(at, _): (usize, &str)| {
        let behind = text.get(at + name.len()..).unwrap_or_default();
        behind.trim_start_matches('"').trim_start().starts_with('(')
    };
    !name.is_empty() && text.match_indices(&name).any(follows)
}

fn column(name: &str, attnum: i16) -> Column {
    Column {
        attnum,
        name: Arc::from(name),
        type_oid: TEXT,
        not_null: false,
        generated: false,
        generated_from: Vec::new(),
    }
}

fn ty(schema: &str, name: &str, oid: u32) -> Type {
    Type {
        oid,
        schema: Arc::from(schema),
        name: Arc::from(name),
        kind: TypeKind::Base,
        base: 0,
        relation: 0,
        calls: Vec::new(),
        text: false,
    }
}

fn qualified(name: &str, otherwise: &str) -> (String, String) {
    let (schema, name) = name.rsplit_once('.').unwrap_or((otherwise, name));
    (schema.to_owned(), name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Effects as `action on resource`, and whether all names were found.
    fn effects(text: &str) -> (Vec<String>, bool) {
        let catalog = catalog(text);
        let masked = crate::inspect::masked::close(&catalog, HashMap::new());
        let world = World {
            catalog: &catalog,
            scope: &Scope::fresh(),
            masked: &masked,
            recorded: &masked,
            most_tokens: crate::inspect::sql::MOST_TOKENS,
            parameter_types: &[],
        };
        let reading = read(text, &world);
        let all = reading.statements.iter().flat_map(|statement| &statement.effects);
        let shown: BTreeSet<_> = all
            .map(|effect| format!("{} {}", effect.action, effect.resource.id("db")))
            .collect();
        (shown.into_iter().collect(), reading.unresolved.is_empty())
    }

    fn found(text: &str, expected: &[&str]) {
        let (effects, whole) = effects(text);
        assert_eq!(effects, expected, "{text}");
        assert!(whole, "{text}");
    }

    #[test]
    fn unqualified_tables_are_those_of_public() {
        found(
            "SELECT id FROM orders WHERE total > 3",
            &[
                "sql:select db/public.orders",
                "sql:select db/public.orders.id",
                "sql:select db/public.orders.total",
            ],
        );
        found(
            "DELETE FROM sales.orders WHERE id = 1",
            &["sql:delete db/sales.orders", "sql:select db/sales.orders.id"],
        );
        found("TRUNCATE a, b.c", &["sql:truncate db/b.c", "sql:truncate db/public.a"]);
        found("DROP TABLE customers", &["sql:drop db/public.customers"]);
    }

    #[test]
    fn columns_of_aliases_are_columns() {
        found(
            "SELECT c.email FROM customers c JOIN orders o ON o.customer = c.id",
            &[
                "sql:select db/public.customers",
                "sql:select db/public.customers.email",
                "sql:select db/public.customers.id",
                "sql:select db/public.orders",
                "sql:select db/public.orders.customer",
            ],
        );
    }

    #[test]
    fn reviewed_functions_are_harmless_and_others_are_calls() {
        found(
            "SELECT count(*), lower(name) FROM t",
            &["sql:select db/public.t", "sql:select db/public.t.name"],
        );
        found("SELECT archive(1)", &["sql:call db/public.archive()"]);
        found(
            "SELECT now(), pg_sleep(1) IS NULL",
            &effects("SELECT pg_sleep(1) IS NULL")
                .0
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        );
    }

    #[test]
    fn what_cannot_be_read_stays_unknown() {
        assert_eq!(effects("SELEC 1").0, ["sql:unknown db"]);
        assert!(effects("SELECT nowhere").0.contains(&"sql:unknown db".to_owned()));
        assert_eq!(effects("").0, [""; 0]);
    }

    #[test]
    fn a_statement_of_many_names_ends() {
        let names: Vec<_> = (0..300).map(|number| format!("t{number}.c{number}")).collect();
        let tables: Vec<_> = (0..300).map(|number| format!("t{number}")).collect();
        let text = format!("SELECT {} FROM {}", names.join(", "), tables.join(", "));
        assert!(effects(&text).0.contains(&"sql:select db/public.t299.c299".to_owned()));
    }
}
