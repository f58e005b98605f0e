//! The allow list of statements. What is not on it is unknown.

use pg_raw_parse::raw::TransactionStmtKind;
use pg_raw_parse::{Node, nodes};

use super::changes::Changes;
use super::expression::Role;
use super::reader::Reader;
use super::scope::{Env, Frame, Shape};
use super::{Kind, Lineage, Origin, Statement, World};
use crate::policy::{CallKind, Effect, Resource, SqlAction};

/// What a statement turned out to be, besides its effects.
pub(super) struct Outcome {
    pub kind: Kind,
    pub lineage: Option<Lineage>,
}

impl Outcome {
    pub fn plain() -> Self {
        Self {
            kind: Kind::Plain,
            lineage: None,
        }
    }

    fn kind(kind: Kind) -> Self {
        Self { kind, lineage: None }
    }
}

/// `CURSOR_OPT_*` of the server's `nodes/parsenodes.h`.
const CURSOR_BINARY: i32 = 0x0001;
const CURSOR_HOLD: i32 = 0x0020;

impl Reader<'_> {
    /// Reads one statement of a message.
    pub fn statement(&mut self, node: Node<'_>) -> Outcome {
        match node {
            Node::SelectStmt(select) => {
                let shape = self.query(node, None, None);
                if select.into_clause().is_some() {
                    return Outcome::plain();
                }
                self.with_result(&shape)
            }
            Node::InsertStmt(_) | Node::UpdateStmt(_) | Node::DeleteStmt(_) | Node::MergeStmt(_) => {
                let shape = self.query(node, None, None);
                let returns = match node {
                    Node::InsertStmt(stmt) => stmt.returning_clause().is_some(),
                    Node::UpdateStmt(stmt) => stmt.returning_clause().is_some(),
                    Node::DeleteStmt(stmt) => stmt.returning_clause().is_some(),
                    Node::MergeStmt(stmt) => stmt.returning_clause().is_some(),
                    _ => false,
                };
                if returns {
                    self.with_result(&shape)
                } else {
                    Outcome::plain()
                }
            }
            Node::CopyStmt(copy) => self.copy(copy),
            Node::ExplainStmt(explain) => self.explain(explain),
            Node::CreateTableAsStmt(create) => self.create_table_as(create),
            Node::TransactionStmt(transaction) => Outcome::kind(self.transaction(transaction)),
            Node::PrepareStmt(prepare) => self.prepare(prepare),
            Node::ExecuteStmt(execute) => self.execute(execute),
            Node::DeallocateStmt(deallocate) => {
                self.act(SqlAction::Prepare, Resource::Connection);
                Outcome::kind(Kind::Deallocate {
                    name: deallocate.name().map(str::to_owned),
                })
            }
            Node::DeclareCursorStmt(declare) => self.declare(declare),
            Node::FetchStmt(fetch) => {
                self.act(SqlAction::Cursor, Resource::Connection);
                Outcome::kind(Kind::Fetch {
                    name: fetch.portalname().unwrap_or_default().to_owned(),
                    moves: fetch.ismove,
                })
            }
            Node::ClosePortalStmt(close) => {
                self.act(SqlAction::Cursor, Resource::Connection);
                Outcome::kind(Kind::Close {
                    name: close.portalname().map(str::to_owned),
                })
            }
            Node::CallStmt(call) => self.call_statement(call),
            Node::DoStmt(_) => {
                let mut effect = Effect::new(SqlAction::Call, Resource::Connection);
                effect.call_kind = Some(CallKind::Procedure);
                self.effect(effect);
                self.unknown();
                Outcome::plain()
            }
            other => match self.session(other) {
                Some(outcome) => outcome,
                None => {
                    self.define(other);
                    Outcome::plain()
                }
            },
        }
    }

    fn with_result(&mut self, shape: &Shape) -> Outcome {
        Outcome {
            kind: Kind::Plain,
            lineage: Some(lineage(shape)),
        }
    }

    fn explain(&mut self, explain: &nodes::ExplainStmt) -> Outcome {
        let mut analyze = false;
        for option in explain.options() {
            // EXPLAIN takes the last of several; what is not clearly off is on.
            if option.defname() == Some("analyze") {
                analyze = super::copy::switch(option.arg()).unwrap_or(true);
            }
        }
        let inner = self.statement(explain.query());
        if !analyze {
            self.only_explained();
            // Estimates come from statistics, which hold the values of masked columns.
        }
        let kind = match inner.kind {
            execute @ Kind::Execute { .. } => execute,
            _ => Kind::Plain,
        };
        // Lines show conditions and constants.
        Outcome {
            kind,
            lineage: Some(Lineage::Columns(vec![Origin::unknown()])),
        }
    }

    fn create_table_as(&mut self, create: &nodes::CreateTableAsStmt) -> Outcome {
        let (kind, shape) = match create.query() {
            Node::ExecuteStmt(execute) => {
                // What the stored statement reads is known to the engine only, and all of it flows into storage.
                if !self.world.masked.is_empty() {
                    self.act(SqlAction::Infer, Resource::Connection);
                }
                (self.execute(execute).kind, Shape::unknown())
            }
            query => (Kind::Plain, self.query(query, None, None)),
        };
        match create.into() {
            Some(into) => self.fills(into, &shape),
            None => self.unknown(),
        }
        Outcome { kind, lineage: None }
    }

    fn transaction(&mut self, transaction: &nodes::TransactionStmt) -> Kind {
        self.act(SqlAction::Transaction, Resource::Connection);
        match transaction.kind {
            TransactionStmtKind::TRANS_STMT_BEGIN | TransactionStmtKind::TRANS_STMT_START => Kind::Begin,
            TransactionStmtKind::TRANS_STMT_COMMIT | TransactionStmtKind::TRANS_STMT_PREPARE => Kind::Commit,
            TransactionStmtKind::TRANS_STMT_ROLLBACK => Kind::Rollback,
            TransactionStmtKind::TRANS_STMT_SAVEPOINT | TransactionStmtKind::TRANS_STMT_RELEASE => Kind::Savepoint,
            TransactionStmtKind::TRANS_STMT_ROLLBACK_TO => Kind::RollbackTo,
            // Another session's work.
            _ => {
                self.unknown();
                Kind::Plain
            }
        }
    }

    fn prepare(&mut self, prepare: &nodes::PrepareStmt) -> Outcome {
        self.act(SqlAction::Prepare, Resource::Connection);
        let types: Vec<u32> = prepare.argtypes().iter().map(|name| self.type_oid(name)).collect();
        let world = World {
            parameter_types: &types,
            ..*self.world
        };
        let mut inner = Reader::new(&world);
        inner.depth = self.depth + 1;
        inner.parameters();
        let outcome = inner.statement(prepare.query());
        let statement = finish(&mut inner, outcome, 0..0);
        let (mut words, changes) = inner.touched(&statement.effects, &[]);
        self.words.get_mut().append(&mut words);
        self.touched.everything |= changes != Changes::Nothing;
        self.tables.extend(statement.tables.iter().cloned());
        self.functions.extend(statement.functions.iter().cloned());
        self.touches_masked |= statement.touches_masked;
        self.spreads |= inner.spreads;
        self.unresolved.append(&mut inner.unresolved);
        if let Some(refused) = inner.refused {
            self.refused.get_or_insert(refused);
        }
        Outcome::kind(Kind::Prepare {
            name: prepare.name().unwrap_or_default().to_owned(),
            inner: Box::new(statement),
        })
    }

    fn execute(&mut self, execute: &nodes::ExecuteStmt) -> Outcome {
        self.act(SqlAction::Prepare, Resource::Connection);
        let frame = Frame::default();
        let env = Env {
            frame: &frame,
            outer: None,
            ctes: None,
        };
        for param in execute.params() {
            self.expression(param, &env, Role::Decides);
        }
        self.reaches_everything();
        Outcome::kind(Kind::Execute {
            name: execute.name().unwrap_or_default().to_owned(),
        })
    }

    fn declare(&mut self, declare: &nodes::DeclareCursorStmt) -> Outcome {
        self.act(SqlAction::Cursor, Resource::Connection);
        let shape = self.query(declare.query(), None, None);
        Outcome::kind(Kind::Declare {
            name: declare.portalname().unwrap_or_default().to_owned(),
            hold: declare.options & CURSOR_HOLD != 0,
            binary: declare.options & CURSOR_BINARY != 0,
            lineage: lineage(&shape),
        })
    }

    fn call_statement(&mut self, call: &nodes::CallStmt) -> Outcome {
        let Some(call) = call.funccall() else {
            self.unknown();
            return Outcome::plain();
        };
        let frame = Frame::default();
        let env = Env {
            frame: &frame,
            outer: None,
            ctes: None,
        };
        let mut types = Vec::new();
        for arg in call.args() {
            types.push(self.type_of(arg, &env));
            self.expression(arg, &env, Role::Decides);
        }
        let names: Vec<&str> = call.funcname().iter().filter_map(Node::as_str).collect();
        match names.as_slice() {
            [name] => self.function_by_name(None, name, types.len(), &types, CallKind::Procedure),
            [schema, name] | [_, schema, name] => {
                self.function_by_name(Some(schema), name, types.len(), &types, CallKind::Procedure)
            }
            _ => {
                self.unknown();
                return Outcome::plain();
            }
        };
        // INOUT arguments come back as a row.
        Outcome {
            kind: Kind::Plain,
            lineage: Some(Lineage::Unknown),
        }
    }
}

/// A result's lineage.
pub(super) fn lineage(shape: &Shape) -> Lineage {
    if shape.open.is_some() {
        return Lineage::Unknown;
    }
    Lineage::Columns(shape.columns.iter().map(|column| (*column.origin).clone()).collect())
}

/// A reader's findings as a statement.
pub(super) fn finish(reader: &mut Reader<'_>, outcome: Outcome, span: std::ops::Range<usize>) -> Statement {
    let kind = match outcome.kind {
        Kind::Plain if reader.scope_changes => Kind::SearchPath,
        // A cursor or COPY that changes it while it runs.
        kind => {
            if reader.scope_changes && !matches!(kind, Kind::SearchPath) {
                reader.refused.get_or_insert(super::Refused::SearchPath);
            }
            kind
        }
    };
    if reader.late && reader.scope_changes {
        reader.unknown();
    }
    Statement {
        kind,
        effects: reader.finish(),
        lineage: outcome.lineage,
        span,
        tables: std::mem::take(&mut reader.tables).into_iter().collect(),
        functions: std::mem::take(&mut reader.functions).into_iter().collect(),
        touches_masked: reader.touches_masked,
    }
}
