//! Reading SQL with the server's own grammar: every statement of a message becomes effects on resources.
//!
//! What is not surely known is [`crate::policy::SqlAction::Unknown`] or `Call`, never a guess.

use std::sync::Arc;

use crate::policy::Effect;

/// What a message's text means, under one catalog generation and one session scope.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Its statements, in order; none for an empty text.
    pub statements: Vec<Statement>,
    /// Tables it names, as `schema.table`.
    pub tables: Vec<String>,
    /// Functions it calls, as `schema.name(types)`.
    pub functions: Vec<String>,
    /// A value in reach is masked for this connection's configuration: some statement reads a masked relation or cannot be known not to.
    pub touches_masked: bool,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it does to the session's state.
    pub kind: Kind,
    /// What it would do to the target.
    pub effects: Vec<Effect>,
    /// Its result's columns, where it has a result: `None` = no result, or shape unknown (see `kind`).
    pub lineage: Option<Lineage>,
    /// Byte range in the message's text, for pointing at it.
    pub span: std::ops::Range<usize>,
}

/// What a statement does to the session's own state. Names are folded as the server folds them and cut at 63 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SELECT, VALUES, TABLE, SHOW, EXPLAIN, INSERT, UPDATE, … : no session state.
    Plain,
    /// BEGIN, START TRANSACTION.
    Begin,
    /// COMMIT, END, PREPARE TRANSACTION.
    Commit,
    /// ROLLBACK, ABORT.
    Rollback,
    /// SAVEPOINT, RELEASE.
    Savepoint,
    /// ROLLBACK TO.
    RollbackTo,
    /// PREPARE name: what EXECUTE of it would do.
    Prepare {
        /// The statement's name.
        name: String,
        /// The inner statement, read.
        inner: Box<Statement>,
    },
    /// EXECUTE name (also inside EXPLAIN or CREATE TABLE AS): the engine adds the effects of the stored statement.
    Execute {
        /// The statement's name.
        name: String,
    },
    /// DEALLOCATE name, or all.
    Deallocate {
        /// `None`: all.
        name: Option<String>,
    },
    /// DECLARE name CURSOR: its query's lineage is the statement's.
    Declare {
        /// The cursor's name.
        name: String,
        /// It survives COMMIT.
        hold: bool,
        /// Binary results.
        binary: bool,
        /// The query's columns.
        lineage: Lineage,
    },
    /// FETCH or MOVE from a cursor.
    Fetch {
        /// The cursor's name.
        name: String,
        /// MOVE: no rows.
        moves: bool,
    },
    /// CLOSE name, or all.
    Close {
        /// `None`: all.
        name: Option<String>,
    },
    /// DISCARD ALL, DISCARD PLANS, …; `all` drops statements and cursors.
    Discard {
        /// DISCARD ALL.
        all: bool,
    },
    /// COPY … TO STDOUT.
    CopyOut(CopyOut),
    /// COPY … FROM STDIN.
    CopyIn,
    /// A SET or set_config of search_path to constants: the scope must be read again before the next statement.
    SearchPath,
}

/// How COPY TO STDOUT writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOut {
    /// text, csv or binary.
    pub format: CopyFormat,
    /// Between columns.
    pub delimiter: u8,
    /// Stands for NULL.
    pub null: String,
    /// CSV: quote.
    pub quote: u8,
    /// CSV: escape.
    pub escape: u8,
    /// The first row is a header.
    pub header: bool,
    /// Column numbers that are always quoted; `None`: all (`FORCE_QUOTE *`).
    pub force_quote: Option<Vec<usize>>,
    /// The columns' origins.
    pub lineage: Lineage,
}

/// A COPY format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyFormat {
    /// The default.
    Text,
    /// CSV.
    Csv,
    /// BINARY.
    Binary,
}

/// Where a result's columns come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lineage {
    /// One entry for each output column, in order.
    Columns(Vec<Origin>),
    /// Not known: every value is treated as if it came from any masked column in `reach`.
    Unknown,
}

/// Where one output column's values come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The column is these base columns' values unchanged (several: UNION, COALESCE-free copies of partitions).
    pub copied: Vec<ColumnRef>,
    /// Values are computed from these base columns.
    pub derived: Vec<ColumnRef>,
    /// Something in reach could not be followed.
    pub unknown: bool,
}

/// A base column at the target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnRef {
    /// The relation's oid.
    pub relation: u32,
    /// The column's attnum.
    pub attnum: i16,
}

/// What names mean for a session right now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Schemas in search order, `current_schemas(true)`.
    pub search_path: Arc<[String]>,
    /// The session has temporary objects that the catalog snapshot cannot know.
    pub has_temp: bool,
}
