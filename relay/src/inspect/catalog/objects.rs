//! What a snapshot holds of each object.

use std::sync::Arc;

/// A table, view, index, sequence, … of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Its schema's name.
    pub schema: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: RelationKind,
    /// Its columns, by attnum; dropped ones are not here.
    pub columns: Vec<Column>,
    /// Full primary and unique keys: neither partial nor over expressions, and valid.
    pub keys: Vec<Key>,
    /// A view's query, as `pg_get_viewdef` prints it under `search_path = pg_catalog`.
    pub view: Option<Arc<str>>,
    /// Its inheritance parents, or the partitioned table it is a partition of.
    pub parents: Vec<u32>,
    /// It is a partition.
    pub partition: bool,
    /// Rules that rewrite writes; a view's own SELECT rule is not here.
    pub rules: Vec<Rule>,
    /// User triggers that are enabled.
    pub triggers: Vec<Trigger>,
    /// Functions of users that a write calls: defaults, checks, index expressions, policies, domains.
    pub write_calls: Vec<u32>,
    /// Functions of users that a read calls: row policies, virtual generated columns.
    pub read_calls: Vec<u32>,
}

impl Relation {
    /// `schema.name`, as `context.tables` has it.
    pub fn qualified(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// The column of that attnum.
    pub fn column(&self, attnum: i16) -> Option<&Column> {
        self.columns.iter().find(|column| column.attnum == attnum)
    }

    /// The column of that name.
    pub fn column_named(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| &*column.name == name)
    }
}

/// `pg_class.relkind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RelationKind {
    /// `r`.
    Table,
    /// `p`.
    Partitioned,
    /// `v`.
    View,
    /// `m`.
    MaterializedView,
    /// `f`.
    Foreign,
    /// `S`.
    Sequence,
    /// `c`.
    Composite,
    /// `i`, `I`.
    Index,
    /// `t` and whatever else.
    Other,
}

impl RelationKind {
    /// Reads `pg_class.relkind`.
    pub fn of(relkind: &str) -> Self {
        match relkind {
            "r" => Self::Table,
            "p" => Self::Partitioned,
            "v" => Self::View,
            "m" => Self::MaterializedView,
            "f" => Self::Foreign,
            "S" => Self::Sequence,
            "c" => Self::Composite,
            "i" | "I" => Self::Index,
            _ => Self::Other,
        }
    }
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// `pg_attribute.attnum`.
    pub attnum: i16,
    /// Its name.
    pub name: Arc<str>,
    /// Its type's oid.
    pub type_oid: u32,
    /// It cannot be NULL.
    pub not_null: bool,
    /// It is computed from other columns of its row.
    pub generated: bool,
    /// The columns it is computed from, by attnum; those it may be where the server does not say.
    pub generated_from: Vec<i16>,
}

/// A full primary or unique key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its columns, by attnum.
    pub columns: Vec<i16>,
    /// Primary key.
    pub primary: bool,
}

/// What a trigger or rule listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// INSERT, COPY FROM, MERGE's insert.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// TRUNCATE.
    Truncate,
}

/// A rule that rewrites writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: Arc<str>,
    /// `None`: ON SELECT, or not known.
    pub event: Option<Event>,
    /// INSTEAD without a condition: the statement itself is not run.
    pub replaces: bool,
    /// Its definition, as `pg_get_ruledef` prints it under the path of the snapshot's queries.
    pub text: Option<Arc<str>>,
}

/// A user trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Its function's oid.
    pub function: u32,
    /// What it listens to.
    pub events: Vec<Event>,
    /// It stands in for the write (views).
    pub instead: bool,
}

/// What a foreign key does to the referencing rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnForeign {
    /// NO ACTION, RESTRICT.
    Nothing,
    /// CASCADE.
    Cascade,
    /// SET NULL, SET DEFAULT.
    Set,
}

/// A foreign key, seen from the referenced table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// The referencing table.
    pub from: u32,
    /// Its columns.
    pub from_columns: Vec<i16>,
    /// The referenced table.
    pub to: u32,
    /// The referenced columns.
    pub to_columns: Vec<i16>,
    /// On DELETE of the referenced row.
    pub on_delete: OnForeign,
    /// On UPDATE of the referenced key.
    pub on_update: OnForeign,
}

/// A function, procedure or aggregate that is not the server's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// `pg_proc.oid`.
    pub oid: u32,
    /// Its schema's name.
    pub schema: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The types of its input arguments, for resources: `integer, text`.
    pub arguments: Arc<str>,
    /// The oids of its input arguments' types.
    pub argument_types: Vec<u32>,
    /// How many of its last arguments have defaults.
    pub defaults: usize,
    /// The last argument is VARIADIC.
    pub variadic: bool,
    /// What it is.
    pub kind: FunctionKind,
    /// It may return several rows.
    pub set: bool,
    /// The type it returns.
    pub returns: u32,
    /// Its OUT and TABLE columns.
    pub outputs: Vec<String>,
}

/// `pg_proc.prokind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    /// `f`, `w`.
    Function,
    /// `p`.
    Procedure,
    /// `a`.
    Aggregate,
}

/// An operator that is not the server's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Its schema's name.
    pub schema: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The left type's oid; 0 for a prefix operator.
    pub left: u32,
    /// The right type's oid.
    pub right: u32,
    /// Its function's oid.
    pub function: u32,
}

/// A type that is not the server's own, or a built-in one by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// `pg_type.oid`.
    pub oid: u32,
    /// Its schema's name.
    pub schema: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: TypeKind,
    /// A domain's base type, an array's element type, a range's or multirange's subtype; 0 for others.
    pub base: u32,
    /// A composite's relation; 0 for others.
    pub relation: u32,
    /// Functions of users that making a value calls: input, domain checks.
    pub calls: Vec<u32>,
    /// Its values are written and sent as `text` is: citext.
    pub text: bool,
}

/// `pg_type.typtype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// `b`.
    Base,
    /// `b` with an element type: an array.
    Array,
    /// `c`.
    Composite,
    /// `d`.
    Domain,
    /// `e`.
    Enum,
    /// `p`.
    Pseudo,
    /// `r`.
    Range,
    /// `m`.
    Multirange,
}

/// When a cast is applied without being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CastContext {
    /// Only where it is written.
    Explicit,
    /// Also where a value is stored.
    Assignment,
    /// Anywhere.
    Implicit,
}

/// A cast that is not the server's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cast {
    /// From this type.
    pub source: u32,
    /// To this type.
    pub target: u32,
    /// Its function's oid; 0: none of a user.
    pub function: u32,
    /// When it applies.
    pub context: CastContext,
}
