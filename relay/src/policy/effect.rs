//! The vocabulary of policy: actions on resources, and the facts that a policy may ask about.

use std::fmt;
use std::sync::Arc;

/// One action on one resource that an operation has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Effect {
    /// What is done.
    pub action: Action,
    /// To what it is done.
    pub resource: Resource,
    /// An UPDATE or DELETE without WHERE, or with one that is always true.
    pub unbounded: bool,
    /// Every row it changes is pinned by equality of a whole primary or unique key with constants or parameters.
    pub by_key: bool,
    /// For [`SqlAction::Call`]: what calls the function.
    pub call_kind: Option<CallKind>,
    /// For [`SqlAction::Set`] and [`SqlAction::Configure`]: the setting's name, folded to lower case.
    pub setting: Option<Arc<str>>,
    /// The setting's new value, where it is a constant.
    pub value: Option<Arc<str>>,
}

impl Effect {
    /// Makes an effect without further facts.
    pub fn new(action: SqlAction, resource: Resource) -> Self {
        Self {
            action: Action::Sql(action),
            resource,
            unbounded: false,
            by_key: false,
            call_kind: None,
            setting: None,
            value: None,
        }
    }
}

/// What calls the function of a [`SqlAction::Call`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// A function in an expression or in FROM.
    Function,
    /// CALL.
    Procedure,
    /// An operator's function.
    Operator,
    /// A cast's, a type's input or a domain check's function.
    Cast,
    /// A trigger or a rule of the target.
    Trigger,
}

impl CallKind {
    /// The word that policies use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Procedure => "procedure",
            Self::Operator => "operator",
            Self::Cast => "cast",
            Self::Trigger => "trigger",
        }
    }
}

/// An action, as policies name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Open a session on a connection.
    Connect,
    /// See a masked value.
    Unmask,
    /// Watch a running session.
    Watch,
    /// End a running session.
    Kill,
    /// Read a recording.
    Replay,
    /// Take a recording out of the relay.
    Export,
    /// A SQL action.
    Sql(SqlAction),
}

impl Action {
    /// The action's id in Cedar: `connect`, `sql:select`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Unmask => "unmask",
            Self::Watch => "watch",
            Self::Kill => "kill",
            Self::Replay => "replay",
            Self::Export => "export",
            Self::Sql(sql) => sql.as_str(),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! sql_actions {
    ($($(#[$doc:meta])* $name:ident = $id:literal in $group:literal,)*) => {
        /// What a SQL statement does. [`SqlAction::group`] is the action group that Cedar's schema puts it in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum SqlAction { $($(#[$doc])* $name,)* }

        impl SqlAction {
            /// Every action, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The action's id in Cedar.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// The action group it is a member of; its own id where it stands alone.
            pub const fn group(self) -> &'static str {
                match self { $(Self::$name => $group,)* }
            }
        }
    };
}

sql_actions! {
    /// Read rows of a table, or values of a column.
    Select = "sql:select" in "sql:read",
    /// SHOW.
    Show = "sql:show" in "sql:read",
    /// EXPLAIN without ANALYZE.
    Explain = "sql:explain" in "sql:read",
    /// Read a system catalog that holds no values.
    Catalog = "sql:catalog" in "sql:catalog",
    /// BEGIN, COMMIT, SAVEPOINT, …
    Transaction = "sql:transaction" in "sql:session",
    /// Change a harmless setting.
    Set = "sql:set" in "sql:session",
    /// DECLARE, FETCH, MOVE, CLOSE.
    Cursor = "sql:cursor" in "sql:session",
    /// PREPARE, DEALLOCATE.
    Prepare = "sql:prepare" in "sql:session",
    /// LISTEN, UNLISTEN.
    Listen = "sql:listen" in "sql:signal",
    /// NOTIFY.
    Notify = "sql:notify" in "sql:signal",
    /// LOCK TABLE, FOR UPDATE, advisory locks.
    Lock = "sql:lock" in "sql:signal",
    /// INSERT.
    Insert = "sql:insert" in "sql:write",
    /// UPDATE.
    Update = "sql:update" in "sql:write",
    /// DELETE.
    Delete = "sql:delete" in "sql:write",
    /// MERGE.
    Merge = "sql:merge" in "sql:write",
    /// TRUNCATE.
    Truncate = "sql:truncate" in "sql:write",
    /// COPY FROM STDIN.
    CopyIn = "sql:copy_in" in "sql:write",
    /// CREATE of anything.
    Create = "sql:create" in "sql:ddl",
    /// ALTER of anything.
    Alter = "sql:alter" in "sql:ddl",
    /// DROP of anything.
    Drop = "sql:drop" in "sql:ddl",
    /// COMMENT, SECURITY LABEL.
    Comment = "sql:comment" in "sql:ddl",
    /// GRANT, owners, default privileges.
    Grant = "sql:grant" in "sql:admin",
    /// REVOKE.
    Revoke = "sql:revoke" in "sql:admin",
    /// CREATE, ALTER, DROP ROLE.
    Role = "sql:role" in "sql:admin",
    /// SET ROLE, SET SESSION AUTHORIZATION.
    SetRole = "sql:set_role" in "sql:admin",
    /// Change a setting that is not on the list of harmless ones.
    Configure = "sql:configure" in "sql:admin",
    /// COPY … PROGRAM.
    CopyProgram = "sql:copy_program" in "sql:admin",
    /// Files of the server.
    ServerFile = "sql:server_file" in "sql:admin",
    /// Catalogs and functions that show values or secrets of others.
    ServerData = "sql:server_data" in "sql:admin",
    /// CREATE EXTENSION, LOAD.
    Extension = "sql:extension" in "sql:admin",
    /// VACUUM, ANALYZE, REINDEX, REFRESH, …
    Maintenance = "sql:maintenance" in "sql:admin",
    /// ALTER SYSTEM, CHECKPOINT, tablespaces, databases.
    System = "sql:system" in "sql:admin",
    /// Publications, subscriptions, replication slots.
    Replication = "sql:replication" in "sql:admin",
    /// Call what is not on the reviewed list of harmless functions.
    Call = "sql:call" in "sql:call",
    /// A masked column decides the outcome, or flows into storage.
    Infer = "sql:infer" in "sql:infer",
    /// What could not be read.
    Unknown = "sql:unknown" in "sql:unknown",
}

/// What an action is done to. Names are as the server resolved them, not as the text spells them. The connection is the grant's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// The connection itself: `db-prod`.
    Connection,
    /// `db-prod/public`.
    Schema(Arc<str>),
    /// `db-prod/public.customers`; views, sequences and other relations too.
    Table(Arc<str>, Arc<str>),
    /// `db-prod/public.customers.email`.
    Column(Arc<str>, Arc<str>, Arc<str>),
    /// `db-prod/public.archive(customers)`: schema, name, types of the arguments without the parentheses.
    Function(Arc<str>, Arc<str>, Arc<str>),
}

impl Resource {
    /// The resource's id, as policies and JSON write it. A name that could be taken for another resource's (it has a dot, a
    /// slash, a parenthesis or a quote) stands in double quotes, a quote in it twice, as in SQL.
    pub fn id(&self, connection: &str) -> String {
        match self {
            Self::Connection => connection.to_owned(),
            Self::Schema(schema) => format!("{connection}/{}", Name(schema)),
            Self::Table(schema, table) => format!("{connection}/{}.{}", Name(schema), Name(table)),
            Self::Column(schema, table, column) => {
                format!("{connection}/{}.{}.{}", Name(schema), Name(table), Name(column))
            }
            Self::Function(schema, name, arguments) => {
                format!("{connection}/{}.{}({arguments})", Name(schema), Name(name))
            }
        }
    }
}

/// One name inside a resource's id.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() || self.0.contains(['.', '/', '(', ')', '"']) {
            write!(f, "\"{}\"", self.0.replace('"', "\"\""))
        } else {
            f.write_str(self.0)
        }
    }
}

/// What holds for the whole operation, for `context` in policies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The text of the statement or message, whole.
    pub statement: Arc<str>,
    /// The tables it names: `public.customers`.
    pub tables: Arc<[String]>,
    /// The functions it calls: `public.archive(customers)`.
    pub functions: Arc<[String]>,
    /// It runs inside a transaction block.
    pub in_transaction: bool,
    /// The planner's estimate, where it was asked.
    pub estimated_rows: Option<i64>,
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_those_of_the_documentation() {
        let id = |resource: Resource| resource.id("db-prod");
        assert_eq!(id(Resource::Connection), "db-prod");
        assert_eq!(id(Resource::Schema("public".into())), "db-prod/public");
        assert_eq!(
            id(Resource::Table("public".into(), "customers".into())),
            "db-prod/public.customers"
        );
        assert_eq!(
            id(Resource::Column("public".into(), "customers".into(), "email".into())),
            "db-prod/public.customers.email"
        );
        assert_eq!(
            id(Resource::Function(
                "public".into(),
                "archive".into(),
                "customers".into()
            )),
            "db-prod/public.archive(customers)"
        );
        assert_eq!(
            id(Resource::Table("public".into(), "My Table".into())),
            "db-prod/public.My Table"
        );
        assert_eq!(
            id(Resource::Table("a.b".into(), "c\"d".into())),
            r#"db-prod/"a.b"."c""d""#
        );
    }

    fn name() -> impl Strategy<Value = Arc<str>> {
        "[ab./()\"]{0,3}".prop_map(Arc::from)
    }

    proptest! {
        #[test]
        fn two_resources_of_a_kind_never_share_an_id(names in proptest::collection::vec((name(), name(), name()), 2..40)) {
            let mut tables = HashMap::new();
            let mut columns = HashMap::new();
            for (a, b, c) in names {
                let table = Resource::Table(a.clone(), b.clone());
                let other = tables.entry(table.id("db")).or_insert(table.clone()).clone();
                prop_assert_eq!(other, table);
                let column = Resource::Column(a, b, c);
                let other = columns.entry(column.id("db")).or_insert(column.clone()).clone();
                prop_assert_eq!(other, column);
            }
        }
    }
}
