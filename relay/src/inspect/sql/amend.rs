//! What a statement of a message changes for those behind it in the same message: a migration is often one text.
//!
//! Objects that are only being made get numbers of no server's. Their columns have no origin that a description of rows could
//! agree with, so where something is masked a result of theirs is redacted. What is not followed here hides what it names, or
//! everything.

use std::sync::Arc;

use pg_raw_parse::raw::{ConstrType, ObjectType, OnCommitAction};
use pg_raw_parse::{Node, nodes};

use super::reader::Reader;
use super::scope::Shape;
use crate::inspect::catalog::{
    Catalog, Column, Event, ForeignKey, Function, FunctionKind, OnForeign, PROVISIONAL_OID, Parts, Relation,
    RelationKind, TEMPORARY, Trigger, Type, TypeKind,
};

/// One change.
#[derive(Clone, Debug)]
pub(super) enum Amendment {
    /// A relation is made, or becomes another.
    Put(Box<Relation>),
    /// A relation goes.
    Gone(u32),
    Key(ForeignKey),
    Type(Type),
    Function(Box<Function>),
    Schema(Arc<str>),
}

/// What is known of the changes of a statement.
#[derive(Clone, Debug, Default)]
pub(super) struct Amendments {
    /// In order.
    pub list: Vec<Amendment>,
    /// They are all that it changes of what names mean, and it runs nothing of a user's.
    pub whole: bool,
}

impl Amendments {
    /// The session gets a temporary schema, if it has none.
    pub fn make_temporary(&self) -> bool {
        self.list.iter().any(|amendment| match amendment {
            Amendment::Put(relation) => &*relation.schema == TEMPORARY,
            _ => false,
        })
    }
}

/// Makes a change.
pub(super) fn apply(catalog: &mut Catalog, amendment: Amendment) {
    let parts = match amendment {
        Amendment::Gone(oid) => return catalog.forget(oid),
        Amendment::Put(relation) => Parts {
            relations: vec![*relation],
            ..Parts::default()
        },
        Amendment::Key(key) => Parts {
            foreign_keys: vec![key],
            ..Parts::default()
        },
        Amendment::Type(ty) => Parts {
            types: vec![ty],
            ..Parts::default()
        },
        Amendment::Function(function) => Parts {
            functions: vec![*function],
            ..Parts::default()
        },
        Amendment::Schema(schema) => Parts {
            schemas: vec![schema.to_string()],
            ..Parts::default()
        },
    };
    catalog.amend(parts);
}

impl Reader<'_> {
    /// A number for an object that is being made.
    fn provisional_oid(&self) -> u32 {
        let made = self.world.catalog.provisional() + self.amendments.list.len();
        PROVISIONAL_OID.saturating_add(u32::try_from(made).unwrap_or(u32::MAX))
    }

    /// A relation is made with these columns.
    pub fn amend_made(&mut self, range: &nodes::RangeVar, kind: RelationKind, columns: Vec<Column>) -> u32 {
        let oid = self.provisional_oid();
        let relation = Relation {
            oid,
            schema: self.schema_for(range),
            name: Arc::from(range.relname().unwrap_or_default()),
            kind,
            columns,
            keys: Vec::new(),
            view: None,
            parents: Vec::new(),
            partition: false,
            rules: Vec::new(),
            triggers: Vec::new(),
            write_calls: self.called.clone(),
            read_calls: Vec::new(),
        };
        self.amendments.list.push(Amendment::Put(Box::new(relation)));
        oid
    }

    /// CREATE TABLE.
    pub fn amend_table(&mut self, create: &nodes::CreateStmt, range: &nodes::RangeVar) {
        if create.if_not_exists && self.existing(range).is_some() {
            self.amendments.whole = true;
            return;
        }
        let inherits =
            !create.inh_relations().is_empty() || create.partbound().is_some() || create.of_typename().is_some();
        // The end of the transaction may come in the same message.
        if inherits || create.oncommit == OnCommitAction::ONCOMMIT_DROP {
            return;
        }
        let mut columns: Vec<Column> = Vec::new();
        let mut keys: Vec<(&nodes::Constraint, Vec<Arc<str>>)> = Vec::new();
        for element in create.table_elts() {
            match element {
                Node::ColumnDef(definition) => {
                    let column = self.amend_column(definition, columns.len());
                    for constraint in definition.constraints().iter().filter_map(super::define::as_constraint) {
                        keys.push((constraint, vec![column.name.clone()]));
                    }
                    columns.push(column);
                }
                Node::Constraint(constraint) => {
                    let own = constraint
                        .fk_attrs()
                        .iter()
                        .filter_map(|name| name.as_str().map(Arc::from))
                        .collect();
                    keys.push((constraint, own));
                }
                Node::TableLikeClause(like) => {
                    let Some(relation) = like.relation().and_then(|range| self.existing(range)) else {
                        return;
                    };
                    for column in &relation.columns {
                        let attnum = i16::try_from(columns.len() + 1).unwrap_or(i16::MAX);
                        columns.push(Column {
                            attnum,
                            ..column.clone()
                        });
                    }
                }
                _ => return,
            }
        }
        let kind = if create.partspec().is_some() {
            RelationKind::Partitioned
        } else {
            RelationKind::Table
        };
        let sequences: Vec<Arc<str>> = columns
            .iter()
            .zip(create.table_elts())
            .filter_map(|(column, element)| match element {
                Node::ColumnDef(definition) if is_numbered(definition) => Some(column.name.clone()),
                _ => None,
            })
            .collect();
        let names: Vec<(Arc<str>, i16)> = columns
            .iter()
            .map(|column| (column.name.clone(), column.attnum))
            .collect();
        let oid = self.amend_made(range, kind, columns);
        for (constraint, own) in keys {
            if constraint.contype == ConstrType::CONSTR_FOREIGN && !self.amend_key(oid, constraint, &own, &names) {
                return;
            }
        }
        for column in sequences {
            let sequence = Relation {
                oid: self.provisional_oid(),
                schema: self.schema_for(range),
                name: Arc::from(format!("{}_{column}_seq", range.relname().unwrap_or_default())),
                kind: RelationKind::Sequence,
                columns: Vec::new(),
                keys: Vec::new(),
                view: None,
                parents: Vec::new(),
                partition: false,
                rules: Vec::new(),
                triggers: Vec::new(),
                write_calls: Vec::new(),
                read_calls: Vec::new(),
            };
            self.amendments.list.push(Amendment::Put(Box::new(sequence)));
        }
        self.amendments.whole = true;
    }

    fn amend_column(&self, definition: &nodes::ColumnDef, before: usize) -> Column {
        let generated = definition.constraints().iter().any(
            |node| matches!(node, Node::Constraint(constraint) if constraint.contype == ConstrType::CONSTR_GENERATED),
        );
        Column {
            attnum: i16::try_from(before + 1).unwrap_or(i16::MAX),
            name: Arc::from(definition.colname().unwrap_or_default()),
            type_oid: definition.type_name().map_or(0, |name| self.type_oid(name)),
            not_null: false,
            generated,
            generated_from: Vec::new(),
        }
    }

    /// A foreign key; `false` where it is not followed.
    fn amend_key(
        &mut self,
        from: u32,
        constraint: &nodes::Constraint,
        own: &[Arc<str>],
        columns: &[(Arc<str>, i16)],
    ) -> bool {
        let action = |code: std::os::raw::c_char| match u8::try_from(code) {
            Ok(b'c') => OnForeign::Cascade,
            Ok(b'n' | b'd') => OnForeign::Set,
            _ => OnForeign::Nothing,
        };
        let Some(to) = constraint.pktable().and_then(|range| self.existing(range)) else {
            // To itself, which is not there yet.
            return action(constraint.fk_del_action) == OnForeign::Nothing
                && action(constraint.fk_upd_action) == OnForeign::Nothing;
        };
        let mut to_columns: Vec<i16> = constraint
            .pk_attrs()
            .iter()
            .filter_map(|name| to.column_named(name.as_str()?).map(|column| column.attnum))
            .collect();
        if to_columns.is_empty() {
            // The primary key, whichever that is.
            to_columns = to.columns.iter().map(|column| column.attnum).collect();
        }
        let key = ForeignKey {
            from,
            from_columns: columns
                .iter()
                .filter(|(name, _)| own.contains(name))
                .map(|(_, attnum)| *attnum)
                .collect(),
            to: to.oid,
            to_columns,
            on_delete: action(constraint.fk_del_action),
            on_update: action(constraint.fk_upd_action),
        };
        self.amendments.list.push(Amendment::Key(key));
        true
    }

    /// CREATE TABLE AS, SELECT INTO.
    pub fn amend_filled(&mut self, into: &nodes::IntoClause, shape: &Shape) {
        let Some(range) = into.rel() else { return };
        if shape.open.is_some() || !self.functions.is_empty() || into.on_commit == OnCommitAction::ONCOMMIT_DROP {
            return;
        }
        let given: Vec<&str> = into.col_names().iter().filter_map(Node::as_str).collect();
        let columns = shape
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| Column {
                attnum: i16::try_from(index + 1).unwrap_or(i16::MAX),
                name: given
                    .get(index)
                    .map_or_else(|| column.name.clone(), |name| Arc::from(*name)),
                type_oid: column.ty,
                not_null: false,
                generated: false,
                generated_from: Vec::new(),
            })
            .collect();
        self.amend_made(range, RelationKind::Table, columns);
        self.amendments.whole = true;
    }

    /// An index is made of a relation, under another name.
    pub fn amend_index(&mut self, like: Relation) {
        let made = Relation {
            oid: self.provisional_oid(),
            columns: Vec::new(),
            keys: Vec::new(),
            parents: Vec::new(),
            partition: false,
            rules: Vec::new(),
            triggers: Vec::new(),
            ..like
        };
        self.amendments.list.push(Amendment::Put(Box::new(made)));
    }

    /// A relation becomes another.
    pub fn amend_changed(&mut self, relation: &Arc<Relation>, change: impl FnOnce(&mut Relation)) {
        let mut changed = (**relation).clone();
        change(&mut changed);
        self.amendments.list.push(Amendment::Put(Box::new(changed)));
    }

    /// ALTER TABLE, where every command is followed and runs nothing.
    pub fn amend_altered(&mut self, alter: &nodes::AlterTableStmt, relation: &Arc<Relation>) {
        use pg_raw_parse::raw::AlterTableType as Alter;
        if !self.functions.is_empty() || !self.world.catalog.children(relation.oid).is_empty() {
            return;
        }
        let mut changed = (**relation).clone();
        for command in alter.cmds() {
            let Node::AlterTableCmd(command) = command else { return };
            let name = command.name().unwrap_or_default();
            match (command.subtype, command.def()) {
                (Alter::AT_AddColumn, Node::ColumnDef(definition)) => {
                    let last = changed
                        .columns
                        .iter()
                        .map(|column| usize::try_from(column.attnum).unwrap_or(0))
                        .max();
                    let column = self.amend_column(definition, last.unwrap_or(0));
                    let keys = definition.constraints().iter().filter_map(super::define::as_constraint);
                    let foreign: Vec<_> = keys.filter(|key| key.contype == ConstrType::CONSTR_FOREIGN).collect();
                    let names = [(column.name.clone(), column.attnum)];
                    for key in foreign {
                        if !self.amend_key(relation.oid, key, std::slice::from_ref(&column.name), &names) {
                            return;
                        }
                    }
                    if changed.column_named(&column.name).is_none() {
                        changed.columns.push(column);
                    }
                }
                (Alter::AT_DropColumn, _) => changed.columns.retain(|column| &*column.name != name),
                (Alter::AT_AlterColumnType, Node::ColumnDef(definition)) => {
                    let ty = definition.type_name().map_or(0, |name| self.type_oid(name));
                    changed
                        .columns
                        .iter_mut()
                        .filter(|column| &*column.name == name)
                        .for_each(|column| column.type_oid = ty);
                }
                (Alter::AT_AddConstraint, Node::Constraint(key)) => {
                    let own: Vec<Arc<str>> = key
                        .fk_attrs()
                        .iter()
                        .filter_map(|name| name.as_str().map(Arc::from))
                        .collect();
                    let names: Vec<_> = changed
                        .columns
                        .iter()
                        .map(|column| (column.name.clone(), column.attnum))
                        .collect();
                    if key.contype == ConstrType::CONSTR_FOREIGN && !self.amend_key(relation.oid, key, &own, &names) {
                        return;
                    }
                }
                (
                    Alter::AT_ColumnDefault
                    | Alter::AT_SetNotNull
                    | Alter::AT_DropNotNull
                    | Alter::AT_DropConstraint
                    | Alter::AT_ValidateConstraint
                    | Alter::AT_SetStatistics
                    | Alter::AT_SetStorage
                    | Alter::AT_SetRelOptions
                    | Alter::AT_ReplicaIdentity
                    | Alter::AT_ChangeOwner,
                    _,
                ) => {}
                _ => return,
            }
        }
        // A key that a constraint was, or NOT NULL, may be gone: without them nothing is by key.
        changed.keys.clear();
        changed.columns.iter_mut().for_each(|column| column.not_null = false);
        self.amendments.list.push(Amendment::Put(Box::new(changed)));
        self.amendments.whole = true;
    }

    /// ALTER … RENAME of a relation or column.
    pub fn amend_renamed(&mut self, rename: &nodes::RenameStmt) {
        let (Some(range), Some(new)) = (rename.relation(), rename.newname()) else {
            return;
        };
        let Some(relation) = self.existing(range) else { return };
        // What depends on it is printed with its old name.
        if !self.world.catalog.dependent_views(relation.oid).is_empty()
            || !self.world.catalog.children(relation.oid).is_empty()
        {
            return;
        }
        match rename.rename_type {
            ObjectType::OBJECT_TABLE
            | ObjectType::OBJECT_VIEW
            | ObjectType::OBJECT_INDEX
            | ObjectType::OBJECT_SEQUENCE => {
                self.amend_changed(&relation, |changed| changed.name = Arc::from(new));
            }
            ObjectType::OBJECT_COLUMN => {
                let old = rename.subname().unwrap_or_default();
                self.amend_changed(&relation, |changed| {
                    changed
                        .columns
                        .iter_mut()
                        .filter(|column| &*column.name == old)
                        .for_each(|column| column.name = Arc::from(new));
                });
            }
            _ => return,
        }
        self.amendments.whole = true;
    }

    /// CREATE FUNCTION, CREATE PROCEDURE.
    pub fn amend_function(&mut self, create: &nodes::CreateFunctionStmt, schema: &str, name: &str, arguments: &str) {
        use pg_raw_parse::raw::FunctionParameterMode as Mode;
        let mut types = Vec::new();
        let (mut defaults, mut variadic, mut outputs) = (0, false, Vec::new());
        for parameter in create.parameters() {
            variadic |= parameter.mode == Mode::FUNC_PARAM_VARIADIC;
            if !matches!(parameter.mode, Mode::FUNC_PARAM_OUT | Mode::FUNC_PARAM_TABLE) {
                types.push(parameter.arg_type().map_or(0, |name| self.type_oid(name)));
                defaults += usize::from(!matches!(parameter.defexpr(), Node::None));
            }
            if matches!(
                parameter.mode,
                Mode::FUNC_PARAM_OUT | Mode::FUNC_PARAM_INOUT | Mode::FUNC_PARAM_TABLE
            ) {
                outputs.push(parameter.name().unwrap_or_default().to_owned());
            }
        }
        let function = Function {
            oid: self.provisional_oid(),
            schema: Arc::from(schema),
            name: Arc::from(name),
            arguments: Arc::from(arguments),
            argument_types: types,
            defaults,
            variadic,
            kind: if create.is_procedure {
                FunctionKind::Procedure
            } else {
                FunctionKind::Function
            },
            set: false,
            returns: 0,
            outputs,
        };
        self.amendments.list.push(Amendment::Function(Box::new(function)));
        self.amendments.whole = self.called.is_empty();
    }

    /// CREATE TRIGGER: from here on writes call its function.
    pub fn amend_trigger(&mut self, trigger: &nodes::CreateTrigStmt) {
        // Bits of the server's `catalog/pg_trigger.h`.
        const EVENTS: [(i16, Event); 4] = [
            (1 << 2, Event::Insert),
            (1 << 3, Event::Delete),
            (1 << 4, Event::Update),
            (1 << 5, Event::Truncate),
        ];
        const INSTEAD: i16 = 1 << 6;
        let Some(relation) = trigger.relation().and_then(|range| self.existing(range)) else {
            return;
        };
        let [function] = self.called.as_slice() else { return };
        let made = Trigger {
            function: *function,
            events: EVENTS
                .iter()
                .filter(|(bit, _)| trigger.events & bit != 0)
                .map(|(_, event)| *event)
                .collect(),
            // With the statement's own effects too, where it stands in for the write.
            instead: trigger.timing & INSTEAD != 0,
        };
        self.amend_changed(&relation, |changed| changed.triggers.push(made));
        self.amendments.whole = true;
    }

    /// CREATE TYPE … AS ENUM, CREATE DOMAIN.
    pub fn amend_type(&mut self, names: &[&str], kind: TypeKind, base: u32) {
        let (schema, name) = match names {
            [name] => (self.creation_schema(), *name),
            [schema, name] | [_, schema, name] => (self.schema(schema), *name),
            _ => return,
        };
        let made = Type {
            oid: self.provisional_oid(),
            schema: Arc::from(schema),
            name: Arc::from(name),
            kind,
            base,
            relation: 0,
            calls: self.called.clone(),
            text: false,
        };
        self.amendments.list.push(Amendment::Type(made));
        self.amendments.whole = true;
    }
}

/// It gets a sequence of its own: `serial`, IDENTITY.
fn is_numbered(definition: &nodes::ColumnDef) -> bool {
    let serial = definition.type_name().is_some_and(|name| {
        let last = name.names().iter().filter_map(nodes::String::sval).next_back();
        matches!(
            last,
            Some("serial" | "serial2" | "serial4" | "serial8" | "bigserial" | "smallserial")
        )
    });
    serial
        || definition.constraints().iter().any(
            |node| matches!(node, Node::Constraint(constraint) if constraint.contype == ConstrType::CONSTR_IDENTITY),
        )
}
