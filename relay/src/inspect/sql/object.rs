//! Objects that are no relations: what names of functions, types, schemas mean as resources.

use std::sync::Arc;

use pg_raw_parse::raw::{GrantTargetType, ObjectType};
use pg_raw_parse::{Node, nodes};

use super::reader::Reader;
use crate::inspect::catalog::TEMPORARY;
use crate::policy::{Resource, SqlAction};

impl Reader<'_> {
    pub fn function_resource(&self, function: Option<&nodes::ObjectWithArgs>) -> Resource {
        let Some(function) = function else {
            return Resource::Connection;
        };
        let names: Vec<&str> = function.objname().iter().filter_map(Node::as_str).collect();
        let (schema, name) = match names.as_slice() {
            [schema, name] | [_, schema, name] => (Some(*schema), *name),
            [name] => (None, *name),
            _ => return Resource::Connection,
        };
        let mut found = self
            .world
            .catalog
            .functions_named(name)
            .iter()
            .filter(|function| match schema {
                Some(schema) => *function.schema == *self.schema(schema),
                None => self
                    .world
                    .scope
                    .search_path
                    .iter()
                    .any(|path| *path == *function.schema),
            });
        match (found.next(), found.next()) {
            (Some(one), None) => Resource::Function(one.schema.clone(), one.name.clone(), one.arguments.clone()),
            (Some(one), Some(_)) => {
                let arguments: Vec<String> = function
                    .objargs()
                    .iter()
                    .map(|arg| match arg {
                        Node::TypeName(name) => type_text(Some(name)),
                        _ => String::new(),
                    })
                    .collect();
                Resource::Function(one.schema.clone(), one.name.clone(), Arc::from(arguments.join(", ")))
            }
            _ => Resource::Function(
                Arc::from(schema.unwrap_or_else(|| self.creation_schema())),
                Arc::from(name),
                Arc::from(""),
            ),
        }
    }

    /// DROP of what is no relation and no schema.
    pub fn drop_other(&mut self, kind: ObjectType::Type, object: Node<'_>) {
        match kind {
            ObjectType::OBJECT_EXTENSION => self.extension(SqlAction::Drop),
            ObjectType::OBJECT_FDW | ObjectType::OBJECT_FOREIGN_SERVER => self.foreign(SqlAction::Drop),
            ObjectType::OBJECT_PUBLICATION => self.replication(SqlAction::Drop),
            ObjectType::OBJECT_FUNCTION
            | ObjectType::OBJECT_PROCEDURE
            | ObjectType::OBJECT_ROUTINE
            | ObjectType::OBJECT_AGGREGATE => {
                let resource = match object {
                    Node::ObjectWithArgs(function) => self.function_resource(Some(function)),
                    _ => Resource::Connection,
                };
                self.act(SqlAction::Drop, resource);
            }
            ObjectType::OBJECT_TYPE | ObjectType::OBJECT_DOMAIN => {
                let names: Vec<&str> = match object {
                    Node::TypeName(name) => name.names().iter().filter_map(nodes::String::sval).collect(),
                    _ => Vec::new(),
                };
                self.act(SqlAction::Drop, schema_of(&names));
            }
            _ => self.act(SqlAction::Drop, Resource::Connection),
        }
    }

    /// An action on an object that is named in the way of COMMENT, RENAME, OWNER.
    pub fn object(
        &mut self,
        action: SqlAction,
        kind: ObjectType::Type,
        range: Option<&nodes::RangeVar>,
        object: Node<'_>,
    ) {
        if let Some(range) = range {
            if let Some(relation) = self.object_of(action, range) {
                self.on_relation(action, &relation);
            }
            return;
        }
        let names: Vec<&str> = match object {
            Node::NodeList(list) => list.iter().filter_map(Node::as_str).collect(),
            Node::String(name) => name.sval().into_iter().collect(),
            Node::TypeName(name) => name.names().iter().filter_map(nodes::String::sval).collect(),
            _ => Vec::new(),
        };
        let of_relation = match kind {
            ObjectType::OBJECT_TABLE
            | ObjectType::OBJECT_VIEW
            | ObjectType::OBJECT_MATVIEW
            | ObjectType::OBJECT_SEQUENCE
            | ObjectType::OBJECT_INDEX
            | ObjectType::OBJECT_FOREIGN_TABLE => Some(names.as_slice()),
            ObjectType::OBJECT_COLUMN
            | ObjectType::OBJECT_TRIGGER
            | ObjectType::OBJECT_RULE
            | ObjectType::OBJECT_POLICY
            | ObjectType::OBJECT_TABCONSTRAINT => names.split_last().map(|(_, of)| of),
            _ => None,
        };
        if let Some(names) = of_relation {
            match self.relation_by_names(names) {
                Some(relation) => self.on_relation(action, &relation),
                None => self.missing(action, names),
            }
            return;
        }
        let resource = match (kind, object) {
            (ObjectType::OBJECT_SCHEMA, _) => names
                .first()
                .map_or(Resource::Connection, |name| Resource::Schema(Arc::from(*name))),
            (_, Node::ObjectWithArgs(function))
                if matches!(
                    kind,
                    ObjectType::OBJECT_FUNCTION
                        | ObjectType::OBJECT_PROCEDURE
                        | ObjectType::OBJECT_ROUTINE
                        | ObjectType::OBJECT_AGGREGATE
                ) =>
            {
                self.function_resource(Some(function))
            }
            (ObjectType::OBJECT_TYPE | ObjectType::OBJECT_DOMAIN, _) => schema_of(&names),
            _ => Resource::Connection,
        };
        self.act(action, resource);
    }

    pub fn grant(&mut self, grant: &nodes::GrantStmt) {
        let action = if grant.is_grant {
            SqlAction::Grant
        } else {
            SqlAction::Revoke
        };
        let tables = matches!(grant.objtype, ObjectType::OBJECT_TABLE | ObjectType::OBJECT_SEQUENCE);
        if grant.targtype == GrantTargetType::ACL_TARGET_OBJECT && tables {
            for range in grant.objects() {
                if let Some(relation) = self.object_of(action, range) {
                    self.on_relation(action, &relation);
                }
            }
        } else {
            // Everything in a schema, functions, databases, …
            self.act(action, Resource::Connection);
            // Whether a schema is searched goes by the right to use it.
            self.touched.everything |= grant.objtype == ObjectType::OBJECT_SCHEMA;
        }
    }

    /// The schema that a name means: the session's temporary one has two.
    pub fn schema<'s>(&self, written: &'s str) -> &'s str {
        if self.world.scope.temporary.as_deref() == Some(written) {
            TEMPORARY
        } else {
            written
        }
    }

    /// The schema in which an object without one is made.
    pub fn creation_schema(&self) -> &str {
        let path = &self.world.scope.search_path;
        // Where they are not named, these two are searched first, in this order, and nothing is made in them.
        let implied =
            |(index, schema): &(usize, &String)| *schema == "pg_catalog" || *index == 0 && *schema == TEMPORARY;
        path.iter()
            .enumerate()
            .find(|item| !implied(item))
            .map_or("", |(_, schema)| schema)
    }
}

/// The schema of a qualified name, else the connection.
pub(super) fn schema_of(names: &[&str]) -> Resource {
    match names {
        [schema, _] | [_, schema, _] => Resource::Schema(Arc::from(*schema)),
        _ => Resource::Connection,
    }
}

/// A type as resources spell it, as far as it can be known without looking it up.
pub(super) fn type_text(name: Option<&nodes::TypeName>) -> String {
    let Some(name) = name else { return String::new() };
    let last = name
        .names()
        .iter()
        .filter_map(nodes::String::sval)
        .next_back()
        .unwrap_or_default();
    let word = match last {
        "int4" => "integer",
        "int8" => "bigint",
        "int2" => "smallint",
        "bool" => "boolean",
        "varchar" => "character varying",
        "bpchar" => "character",
        "float4" => "real",
        "float8" => "double precision",
        "timestamptz" => "timestamp with time zone",
        "timestamp" => "timestamp without time zone",
        other => other,
    };
    if name.array_bounds().is_empty() {
        word.to_owned()
    } else {
        format!("{word}[]")
    }
}
