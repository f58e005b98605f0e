//! Reading SQL with the server's own grammar: every statement of a message becomes effects on resources.
//!
//! What is not surely known is [`crate::policy::SqlAction::Unknown`] or `Call`, never a guess. The flow:
//!
//! ```text
//! text ▸ parse (limits, grammar) ▸ statement (an allow list of statements) ▸ query / write / define / …
//!                                      names ▸ resolve, functions, operators      columns ▸ lineage
//! ```
//!
//! Grammar: libpg_query, the sources of PostgreSQL 18's own parser. Facts about statements: the server's manual, part VI.

mod administer;
mod alter;
mod amend;
mod call;
mod changes;
mod convert;
mod copy;
mod define;
mod drop;
mod expression;
mod follow;
mod from;
mod function_call;
mod functions;
mod json;
mod keys;
mod names;
mod object;
mod output_name;
mod parse;
mod pattern;
mod query;
mod read;
mod reader;
mod relation;
mod scope;
mod session;
pub mod settings;
mod statement;
mod table_function;
#[cfg(test)]
mod tests;
mod total;
mod view;
mod with;
mod write;

use std::sync::Arc;

use crate::inspect::catalog::Catalog;
use crate::inspect::masked::MaskedColumns;
use crate::policy::{Action, Effect, SqlAction};

pub use changes::{Changes, sorted as sorted_names};
pub use pattern::Pattern;
pub use read::{read, rows_written, view_lineage, without_comments};

/// How many tokens a text may have where nothing else is said.
pub const MOST_TOKENS: usize = parse::MAX_TOKENS;

/// Under what a text is read.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// What names mean at the target.
    pub catalog: &'a Catalog,
    /// What names mean for the session.
    pub scope: &'a Scope,
    /// The columns that are masked for the session's client: what it may not infer.
    pub masked: &'a MaskedColumns,
    /// The columns that are masked in the session's recording: all that are masked for anybody.
    pub recorded: &'a MaskedColumns,
    /// The most tokens that a text may have: `[limits] statement_tokens`.
    pub most_tokens: usize,
    /// The types of `$1`, `$2`, … as Parse gives them; 0 or missing: the server infers the type.
    pub parameter_types: &'a [u32],
}

impl World<'_> {
    /// The reach of what could be anything.
    fn everything(&self) -> Reach {
        Reach {
            client: !self.masked.is_empty(),
            recording: !self.recorded.is_empty(),
        }
    }
}

/// What a message's text means, under one catalog generation and one session scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Its statements, in order; none for an empty text.
    pub statements: Vec<Statement>,
    /// Tables it names, as `schema.table`.
    pub tables: Vec<String>,
    /// Functions it calls, as `schema.name(types)`.
    pub functions: Vec<String>,
    /// A value in reach is masked: some statement reads a masked relation or cannot be known not to.
    pub touches_masked: Reach,
    /// A masked value decides, or flows to where it can be read without its mask, be it one that only the recording may not hold.
    pub spreads: bool,
    /// The text could not be read as a whole; its one statement is unknown.
    pub problem: Option<Problem>,
    /// It must not pass, whatever policies say.
    pub refused: Option<Refused>,
    /// Names that the snapshot does not have: a newer snapshot may, or the server refuses them itself.
    pub unresolved: Vec<String>,
    /// The names that its meaning rests on, as sorted numbers.
    pub uses: Arc<[u64]>,
    /// The names that it changes for everybody.
    pub changes: Changes,
}

impl Reading {
    /// The same, where names may mean something else by the time it runs.
    pub fn uncertain(mut self) -> Self {
        self.touches_masked = Reach::BOTH;
        self.spreads = true;
        self.changes = Changes::All;
        for statement in &mut self.statements {
            let unknown = Effect::new(SqlAction::Unknown, crate::policy::Resource::Connection);
            if !statement.effects.contains(&unknown) {
                statement.effects.push(unknown);
            }
            statement.touches_masked = Reach::BOTH;
            if statement.lineage.is_some() {
                statement.lineage = Some(Lineage::Unknown);
            }
        }
        self
    }
}

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The grammar refuses it; PostgreSQL's words, which quote the text.
    Syntax(String),
    /// It is longer than the parser is given.
    TooLong,
    /// It has too many tokens, or is nested too deeply.
    TooComplex,
}

/// What no policy can permit, because the relay's own reading rests on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Another value for a pinned setting.
    Pinned {
        /// The setting.
        setting: String,
    },
    /// `set_config` whose name is not a constant: it could be a pinned one.
    SettingNotConstant,
    /// A change of search_path that is not to constants, or not alone in its message.
    SearchPath,
    /// COPY TO STDOUT in another encoding than UTF8.
    Encoding,
    /// An option of COPY that is not understood.
    CopyOption,
    /// A name without schema is one of a permanent and of a temporary relation, and the statement changes one of them.
    TwoOfAName {
        /// The name.
        name: String,
    },
}

impl Refused {
    /// What a user is told.
    pub fn message(&self) -> String {
        match self {
            Self::Pinned { setting } => format!("the relay holds the setting {setting} at one value"),
            Self::SettingNotConstant => "set_config needs a constant as its first argument".to_owned(),
            Self::SearchPath => {
                "search_path can only be set to constants, by a statement that is alone in its message".to_owned()
            }
            Self::Encoding => "COPY passes in UTF8 only".to_owned(),
            Self::CopyOption => "an option of COPY cannot be read".to_owned(),
            Self::TwoOfAName { name } => format!("there is a temporary {name} and a permanent one"),
        }
    }

    /// What a user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Pinned { .. } => "leave the setting as it is",
            Self::SettingNotConstant => "write the name of the setting into the statement",
            Self::SearchPath => "send SET search_path on its own, with names written out",
            Self::Encoding => "leave out the ENCODING option",
            Self::TwoOfAName { .. } => "write the schema too; that of temporary ones is pg_temp",
            Self::CopyOption => "write DELIMITER, NULL, QUOTE and ESCAPE as quoted constants",
        }
    }
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
    /// Tables it names, as `schema.table`.
    pub tables: Vec<String>,
    /// Functions it calls, as `schema.name(types)`.
    pub functions: Vec<String>,
    /// It can reach a masked value.
    pub touches_masked: Reach,
}

/// Whether masked values are in reach: those that are masked for the client, and those that are masked in the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// A value that the session's client may not see.
    pub client: bool,
    /// A value that the session's recording may not hold.
    pub recording: bool,
}

impl Reach {
    /// Nothing is known: both.
    pub const BOTH: Self = Self {
        client: true,
        recording: true,
    };

    /// Of either.
    pub const fn any(self) -> bool {
        self.client || self.recording
    }
}

impl std::ops::BitOr for Reach {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            client: self.client | other.client,
            recording: self.recording | other.recording,
        }
    }
}

impl std::ops::BitOrAssign for Reach {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
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
    /// PREPARE name: what EXECUTE of it would do, to the session's state too.
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
    /// A change of search_path or role: the scope must be read again before the next statement, and after the transaction or
    /// savepoint that it stands in ends.
    SearchPath,
}

impl Statement {
    /// It may change what names mean: the catalog and the scope must be read again before the next statement is judged.
    pub fn changes_names(&self) -> bool {
        matches!(self.kind, Kind::SearchPath | Kind::Discard { .. })
            || self.effects.iter().any(|effect| match effect.action {
                Action::Sql(action) => {
                    action.group() == "sql:ddl"
                        || matches!(
                            action,
                            SqlAction::Call
                                | SqlAction::Unknown
                                | SqlAction::Extension
                                | SqlAction::SetRole
                                | SqlAction::Role
                                | SqlAction::System
                        )
                }
                _ => false,
            })
    }
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
    /// Schemas in search order, `current_schemas(true)`; the session's own temporary one is called `pg_temp`.
    pub search_path: Arc<[String]>,
    /// The session's temporary schema as the server calls it, once it has one.
    pub temporary: Option<Arc<str>>,
    /// Where the temporary schema will stand in the search path, as long as there is none; `None`: not known.
    pub temporary_at: Option<usize>,
    /// Values of masked columns may stand in temporary objects: a statement was permitted to let them flow into storage.
    pub temporary_tainted: bool,
    /// search_path or role were changed in the transaction that runs, so that its end changes them back.
    pub transient: bool,
    /// The timeouts that the session began with, by setting, in milliseconds: they may only be shortened. 0 or missing: none.
    pub timeouts: Arc<[(String, u64)]>,
}

impl Scope {
    /// The scope of a fresh session with PostgreSQL's default search path.
    pub fn fresh() -> Self {
        Self {
            search_path: ["pg_catalog", "public"].map(str::to_owned).into(),
            temporary: None,
            // Where it is not named it is searched first.
            temporary_at: Some(0),
            temporary_tainted: false,
            transient: false,
            timeouts: Arc::default(),
        }
    }
}
