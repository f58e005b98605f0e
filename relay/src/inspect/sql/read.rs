//! The entry: a text becomes a [`Reading`].

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pg_raw_parse::Node;

use super::amend::apply;
use super::changes::{Changes, sorted};
use super::reader::Reader;
use super::statement::{Outcome, finish, lineage};
use super::{Kind, Lineage, MOST_TOKENS, Problem, Reading, Refused, Scope, Statement, World, parse};
use crate::inspect::catalog::{Catalog, Relation, TEMPORARY};
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

/// The query that reads the rows which a DELETE or an UPDATE writes; `None` for any other text.
pub fn rows_written(text: &str) -> Option<String> {
    parse::rows_written(text)
}

/// A text without its comments.
pub fn without_comments(text: &str) -> String {
    parse::without_comments(text)
}

fn read_parsed(text: &str, parsed: &parse::Parsed, world: &World<'_>) -> Reading {
    let mut reading = Reading::default();
    let (mut tables, mut functions, mut unresolved) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut uses, mut changes) = (Vec::new(), Changes::Nothing);
    let mut earlier = Earlier::default();
    let mut path_changes = false;
    let several = parsed.statements(text.len()).nth(1).is_some();
    let mut amended: Option<Catalog> = None;
    let mut scope = world.scope.clone();
    for (node, span) in parsed.statements(text.len()) {
        let here = World {
            catalog: amended.as_ref().unwrap_or(world.catalog),
            scope: &scope,
            ..*world
        };
        let mut reader = Reader::new(&here);
        reader.parameters();
        let outcome = match node {
            Node::Invalid(_) => reader.unwrapped(text.get(span.clone()).unwrap_or_default()),
            node => reader.statement(node),
        };
        if earlier.hides(&outcome, &reader) {
            reader.unknown();
        }
        reading.touches_masked |= reader.touches_masked;
        reading.spreads |= reader.spreads;
        unresolved.append(&mut reader.unresolved);
        tables.extend(reader.tables.iter().cloned());
        functions.extend(reader.functions.iter().cloned());
        path_changes |= reader.scope_changes;
        // What the transaction, or the message itself, changed may be undone.
        let ends = matches!(
            outcome.kind,
            Kind::Commit | Kind::Rollback | Kind::RollbackTo | Kind::Savepoint
        );
        let undoes = matches!(outcome.kind, Kind::Rollback | Kind::RollbackTo);
        let uncertain = ends && world.scope.transient || undoes && (amended.is_some() || !earlier.made.is_empty());
        let made = std::mem::take(&mut reader.made);
        let mut amendments = std::mem::take(&mut reader.amendments);
        let statement = finish(&mut reader, outcome, span);
        let (mut words, touched) = reader.touched(&statement.effects, &made);
        uses.append(&mut words);
        changes = changes.and(&touched);
        if let Some(refused) = reader.refused.take() {
            reading.refused.get_or_insert(refused);
        }
        if amendments.make_temporary() && scope.temporary.is_none() {
            match scope.temporary_at {
                Some(at) if at <= scope.search_path.len() => {
                    let mut path = scope.search_path.to_vec();
                    if !path.iter().any(|schema| schema == TEMPORARY) {
                        path.insert(at, TEMPORARY.to_owned());
                    }
                    scope.search_path = path.into();
                }
                _ => amendments.whole = false,
            }
        }
        let known = |effect: &Effect| effect.action != Action::Sql(SqlAction::Unknown);
        if !(amendments.whole && statement.effects.iter().all(known)) {
            earlier.note(&statement, made);
        }
        if several && !amendments.list.is_empty() {
            let mut catalog = amended.take().unwrap_or_else(|| world.catalog.clone());
            amendments
                .list
                .into_iter()
                .for_each(|amendment| apply(&mut catalog, amendment));
            amended = Some(catalog);
        }
        earlier.everything |= uncertain;
        reading.statements.push(statement);
    }
    if reading.statements.len() > 1 && path_changes {
        reading.refused.get_or_insert(Refused::SearchPath);
    }
    reading.tables = tables.into_iter().collect();
    reading.functions = functions.into_iter().collect();
    reading.unresolved = unresolved.into_iter().collect();
    reading.uses = sorted(uses);
    reading.changes = changes;
    reading
}

impl Reader<'_> {
    /// A statement for which the binding has no node.
    fn unwrapped(&mut self, text: &str) -> Outcome {
        match parse::foreign_table(text) {
            Some(parsed) => {
                // What it reads and writes later is another server's, or a file.
                self.act(SqlAction::ServerFile, Resource::Connection);
                for (node, _) in parsed.statements(text.len()) {
                    self.define(node);
                }
            }
            None => self.unknown(),
        }
        Outcome::plain()
    }
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
        spreads: touches_masked.any(),
        problem: Some(problem),
        changes: Changes::All,
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
