//! ALTER TABLE, command by command.

use std::sync::Arc;

use pg_raw_parse::raw::{AlterTableType as Alter, DropBehavior};
use pg_raw_parse::{Node, nodes};

use super::define::as_constraint;
use super::expression::Role;
use super::reader::Reader;
use super::scope::{Env, Frame};
use super::write::made;
use crate::inspect::catalog::Relation;
use crate::policy::{CallKind, SqlAction};

impl Reader<'_> {
    pub fn alter_table(&mut self, alter: &nodes::AlterTableStmt) {
        let Some(range) = alter.relation() else {
            self.unknown();
            return;
        };
        let Some(relation) = self.object_of(SqlAction::Alter, range) else {
            return;
        };
        self.on_relation(SqlAction::Alter, &relation);
        let commands = alter.cmds().iter().map(|command| match command {
            Node::AlterTableCmd(command) => whom(command.subtype),
            _ => Whom::All,
        });
        let touched = match commands.max() {
            Some(Whom::Nobody) => &mut self.touched.for_nobody,
            Some(Whom::Writers) => &mut self.touched.for_writers,
            Some(Whom::All) | None => &mut self.touched.for_all,
        };
        touched.push(relation.name.clone());
        let source = self.source(&relation, None);
        let mut frame = Frame::single(source);
        for command in alter.cmds() {
            let Node::AlterTableCmd(command) = command else {
                self.unknown();
                continue;
            };
            if let (Alter::AT_AddColumn, Node::ColumnDef(column)) = (command.subtype, command.def()) {
                let added = made("", std::iter::once(Arc::from(column.colname().unwrap_or_default())));
                frame.visible.columns.extend(added.shape.columns);
            }
            let env = Env {
                frame: &frame,
                outer: None,
                ctes: None,
            };
            self.alter_command(command, &relation, &env);
        }
        self.amend_altered(alter, &relation);
    }

    pub fn alter_command(&mut self, command: &nodes::AlterTableCmd, relation: &Arc<Relation>, env: &Env<'_>) {
        match command.subtype {
            Alter::AT_DropColumn => {
                let name: Arc<str> = Arc::from(command.name().unwrap_or_default());
                self.on_column(SqlAction::Drop, relation, &name);
                if command.behavior == DropBehavior::DROP_CASCADE {
                    self.cascades(vec![relation.clone()]);
                }
            }
            Alter::AT_DropConstraint if command.behavior == DropBehavior::DROP_CASCADE => {
                self.cascades(vec![relation.clone()])
            }
            Alter::AT_ChangeOwner => self.on_relation(SqlAction::Grant, relation),
            Alter::AT_AttachPartition | Alter::AT_DetachPartition | Alter::AT_DetachPartitionFinalize => {
                match command.def() {
                    Node::PartitionCmd(partition) => {
                        self.changes(SqlAction::Alter, partition.name());
                        if let Some(bound) = partition.bound() {
                            self.partition_bound(bound, env);
                        }
                    }
                    _ => self.unknown(),
                }
            }
            Alter::AT_AddInherit | Alter::AT_DropInherit => match command.def() {
                Node::RangeVar(parent) => self.changes(SqlAction::Alter, Some(parent)),
                _ => self.unknown(),
            },
            _ => {}
        }
        match command.def() {
            Node::ColumnDef(column) => {
                self.expression(column.raw_default(), env, Role::Decides);
                for constraint in column.constraints().iter().filter_map(as_constraint) {
                    self.constraint(constraint, env);
                }
                if command.subtype == Alter::AT_AlterColumnType {
                    // The rows are written again, as other values.
                    if let Some(name) = column.type_name() {
                        self.cast(name, 0);
                    }
                    for function in relation.write_calls.clone() {
                        self.call_oid(function, CallKind::Function);
                    }
                }
            }
            Node::Constraint(constraint) => self.constraint(constraint, env),
            // The new default, or the expression of a generated column.
            other if matches!(command.subtype, Alter::AT_ColumnDefault | Alter::AT_SetExpression) => {
                self.expression(other, env, Role::Decides);
            }
            _ => {}
        }
    }
}

/// For whom a table is another behind a command.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    Nobody,
    Writers,
    All,
}

fn whom(command: Alter::Type) -> Whom {
    match command {
        Alter::AT_ValidateConstraint
        | Alter::AT_SetStatistics
        | Alter::AT_SetStorage
        | Alter::AT_SetRelOptions
        | Alter::AT_ResetRelOptions
        | Alter::AT_ClusterOn
        | Alter::AT_ReplicaIdentity => Whom::Nobody,
        Alter::AT_ColumnDefault
        | Alter::AT_AddConstraint
        | Alter::AT_DropConstraint
        | Alter::AT_AlterConstraint
        | Alter::AT_SetNotNull
        | Alter::AT_EnableTrig
        | Alter::AT_DisableTrig
        | Alter::AT_EnableTrigUser
        | Alter::AT_DisableTrigUser => Whom::Writers,
        _ => Whom::All,
    }
}
