//! The entry: a text becomes a [`Reading`].

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::reader::Reader;
use super::statement::{Outcome, finish, lineage};
use super::{Kind, Lineage, MOST_TOKENS, Problem, Reading, Refused, Scope, Statement, World, parse};
use crate::inspect::catalog::{Catalog, Relation};
use crate::inspect::masked::MaskedColumns;
use crate::policy::{Action, Effect, Resource, SqlAction};

/// Reads a text under `world`. Total: what cannot be read is one unknown statement. A long text takes milliseconds: 17 for 200 kB.
pub fn read(text: &str, world: &World<'_>) -> Reading {
    let parsed = match parse::parse(text, world.most_tokens) {
        Ok(parsed) => parsed,
        Err(problem) => return unreadable(text, world, problem),
    };
    // Accessors of the binding assert the shape of nodes; a shape that they do not expect is a statement that is not understood.
    match catch_unwind(AssertUnwindSafe(|| read_parsed(text, &parsed, world))) {
        Ok(reading) => reading,
        Err(_) => unreadable(text, world, Problem::TooComplex),
    }
}

fn read_parsed(text: &str, parsed: &parse::Parsed, world: &World<'_>) -> Reading {
    let mut reading = Reading::default();
    let (mut tables, mut functions, mut unresolved) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut earlier = Earlier::default();
    let mut path_changes = false;
    let mut transaction_ends = false;
    for (node, span) in parsed.statements(text.len()) {
        let mut reader = Reader::new(world);
        reader.parameters();
        let outcome = reader.statement(node);
        if earlier.hides(&outcome, &reader) {
            reader.unknown();
        }
        reading.touches_masked |= reader.touches_masked;
        unresolved.append(&mut reader.unresolved);
        tables.extend(reader.tables.iter().cloned());
        functions.extend(reader.functions.iter().cloned());
        path_changes |= reader.scope_changes;
        transaction_ends |= matches!(
            outcome.kind,
            Kind::Commit | Kind::Rollback | Kind::RollbackTo | Kind::Savepoint
        );
        let made = std::mem::take(&mut reader.made);
        let statement = finish(&mut reader, outcome, span);
        if let Some(refused) = reader.refused.take() {
            reading.refused.get_or_insert(refused);
        }
        earlier.note(&statement, made);
        reading.statements.push(statement);
    }
    if reading.statements.len() > 1 && (path_changes || world.scope.transient && transaction_ends) {
        reading.refused.get_or_insert(Refused::SearchPath);
    }
    reading.tables = tables.into_iter().collect();
    reading.functions = functions.into_iter().collect();
    reading.unresolved = unresolved.into_iter().collect();
    reading
}

/// What earlier statements of the same message did to names. The snapshot is older than they are.
#[derive(Default)]
struct Earlier {
    made: BTreeSet<String>,
    everything: bool,
}

impl Earlier {
    /// The names of a statement may mean something else by now.
    fn hides(&self, outcome: &Outcome, reader: &Reader<'_>) -> bool {
        let names_nothing = matches!(
            outcome.kind,
            Kind::Begin
                | Kind::Commit
                | Kind::Rollback
                | Kind::Savepoint
                | Kind::RollbackTo
                | Kind::Close { .. }
                | Kind::Deallocate { .. }
        );
        if names_nothing {
            return false;
        }
        self.everything
            || reader
                .tables
                .iter()
                .chain(&reader.unresolved)
                .any(|name| self.made.contains(name.rsplit('.').next().unwrap_or(name)))
    }

    fn note(&mut self, statement: &Statement, made: Vec<String>) {
        if !statement.changes_names() {
            return;
        }
        // New relations hide what their own names meant; anything else may hide everything.
        let only_makes = statement.effects.iter().all(|effect| {
            !matches!(
                effect.action,
                Action::Sql(
                    SqlAction::Alter
                        | SqlAction::Drop
                        | SqlAction::Call
                        | SqlAction::Unknown
                        | SqlAction::Extension
                        | SqlAction::SetRole
                        | SqlAction::Role
                        | SqlAction::System
                )
            ) && (effect.action != Action::Sql(SqlAction::Create) || matches!(effect.resource, Resource::Table(..)))
        });
        if only_makes {
            self.made.extend(made);
        } else {
            self.everything = true;
        }
    }
}

fn unreadable(text: &str, world: &World<'_>, problem: Problem) -> Reading {
    let touches_masked = world.everything();
    Reading {
        statements: vec![Statement {
            kind: Kind::Plain,
            effects: vec![Effect::new(SqlAction::Unknown, Resource::Connection)],
            lineage: None,
            span: 0..text.len(),
            tables: Vec::new(),
            functions: Vec::new(),
            touches_masked,
        }],
        touches_masked,
        problem: Some(problem),
        ..Reading::default()
    }
}

/// Where a view's columns come from, by its own query.
pub fn view_lineage(catalog: &Catalog, view: &Relation) -> Lineage {
    let Some(text) = view.view.as_deref() else {
        return Lineage::Unknown;
    };
    let world = World {
        catalog,
        scope: &Scope::fresh(),
        masked: &MaskedColumns::default(),
        recorded: &MaskedColumns::default(),
        most_tokens: MOST_TOKENS,
        parameter_types: &[],
    };
    let read = || {
        let mut reader = Reader::new(&world);
        reader.views.push(view.oid);
        lineage(&reader.definition(text))
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Lineage::Unknown)
}
