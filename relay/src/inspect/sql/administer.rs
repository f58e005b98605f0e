//! Everything else that defines: functions, types, roles, grants, extensions, replication, the server itself.

use std::sync::Arc;

use pg_raw_parse::{Node, nodes};

use super::amend::{Amendment, Amendments, apply};
use super::expression::Role;
use super::object::{schema_of, type_text};
use super::reader::Reader;
use super::scope::{Env, Frame};
use super::{Scope, World};
use crate::inspect::catalog::TypeKind;
use crate::policy::{Resource, SqlAction};

impl Reader<'_> {
    pub fn administer(&mut self, node: Node<'_>) {
        match node {
            Node::CreateSchemaStmt(create) => {
                self.act(
                    SqlAction::Create,
                    create
                        .schemaname()
                        .map_or(Resource::Connection, |name| Resource::Schema(Arc::from(name))),
                );
                self.create_schema_elements(create);
            }
            Node::CreateFunctionStmt(create) => self.create_function(create),
            Node::AlterFunctionStmt(alter) => {
                let resource = self.function_resource(alter.func());
                self.act(SqlAction::Alter, resource);
                for action in alter.actions() {
                    if let Node::VariableSetStmt(set) = action.arg() {
                        self.stored_setting(Some(set));
                    }
                }
            }
            // Operators, aggregates, types, collations, text search: code that other statements call.
            Node::DefineStmt(define) => {
                let names: Vec<&str> = define.defnames().iter().filter_map(nodes::String::sval).collect();
                if define.kind == pg_raw_parse::raw::ObjectType::OBJECT_OPERATOR {
                    // Operators are used where no text spells them: IN, BETWEEN, CASE.
                    self.touched.everything = true;
                }
                self.makes_name(&names);
                self.act(SqlAction::Create, schema_of(&names));
            }
            Node::CreateDomainStmt(create) => {
                let names: Vec<&str> = create.domainname().iter().filter_map(nodes::String::sval).collect();
                self.makes_name(&names);
                self.act(SqlAction::Create, schema_of(&names));
                let frame = value_frame();
                let env = Env {
                    frame: &frame,
                    outer: None,
                    ctes: None,
                };
                for constraint in create.constraints() {
                    self.expression(constraint.raw_expr(), &env, Role::Decides);
                }
                let base = create.type_name().map_or(0, |name| self.type_oid(name));
                if base != 0 {
                    self.amend_type(&names, TypeKind::Domain, base);
                }
            }
            Node::AlterDomainStmt(alter) => {
                let names: Vec<&str> = alter.type_name().iter().filter_map(Node::as_str).collect();
                self.act(SqlAction::Alter, schema_of(&names));
                let frame = value_frame();
                let env = Env {
                    frame: &frame,
                    outer: None,
                    ctes: None,
                };
                match alter.def() {
                    Node::Constraint(constraint) => {
                        self.expression(constraint.raw_expr(), &env, Role::Decides);
                    }
                    other => {
                        self.expression(other, &env, Role::Decides);
                    }
                }
            }
            Node::CompositeTypeStmt(create) => match create.typevar() {
                Some(range) => self.makes(range, &[SqlAction::Create]),
                None => self.unknown(),
            },
            Node::CreateEnumStmt(create) => {
                let names: Vec<&str> = create.type_name().iter().filter_map(nodes::String::sval).collect();
                self.makes_name(&names);
                self.act(SqlAction::Create, schema_of(&names));
                self.amend_type(&names, TypeKind::Enum, 0);
            }
            Node::CreateRangeStmt(create) => {
                let names: Vec<&str> = create.type_name().iter().filter_map(nodes::String::sval).collect();
                self.makes_name(&names);
                self.act(SqlAction::Create, schema_of(&names));
            }
            Node::AlterEnumStmt(alter) => {
                let names: Vec<&str> = alter.type_name().iter().filter_map(nodes::String::sval).collect();
                // A value more is nothing to who does not name it.
                self.touched.harmless = true;
                self.act(SqlAction::Alter, schema_of(&names));
            }
            Node::CreateOpClassStmt(_)
            | Node::CreateOpFamilyStmt(_)
            | Node::CreateCastStmt(_)
            | Node::CreateConversionStmt(_)
            | Node::CreateTransformStmt(_)
            | Node::CreatePLangStmt(_)
            | Node::CreateEventTrigStmt(_)
            | Node::CreateAmStmt(_) => self.act(SqlAction::Create, Resource::Connection),
            Node::AlterOpFamilyStmt(_)
            | Node::AlterOperatorStmt(_)
            | Node::AlterTypeStmt(_)
            | Node::AlterCollationStmt(_)
            | Node::AlterStatsStmt(_)
            | Node::AlterEventTrigStmt(_)
            | Node::AlterTSDictionaryStmt(_)
            | Node::AlterTSConfigurationStmt(_)
            | Node::AlterObjectDependsStmt(_) => self.act(SqlAction::Alter, Resource::Connection),
            Node::RenameStmt(rename) => {
                let (kind, relation) = (rename.rename_type, rename.relation());
                self.object(SqlAction::Alter, kind, relation, rename.object());
                // From here on the new name means something.
                if let Some(name) = rename.newname() {
                    self.made.push(name.to_owned());
                }
                self.amend_renamed(rename);
            }
            Node::AlterObjectSchemaStmt(alter) => {
                self.object(SqlAction::Alter, alter.object_type, alter.relation(), alter.object());
                if let Some(schema) = alter.newschema() {
                    self.act(SqlAction::Create, Resource::Schema(Arc::from(schema)));
                }
            }
            Node::AlterOwnerStmt(alter) => {
                self.amendments.whole = true;
                self.object(SqlAction::Alter, alter.object_type, alter.relation(), alter.object());
                self.object(SqlAction::Grant, alter.object_type, alter.relation(), alter.object());
            }
            Node::CommentStmt(comment) => {
                self.amendments.whole = true;
                self.object(SqlAction::Comment, comment.objtype, None, comment.object());
            }
            Node::SecLabelStmt(label) => self.object(SqlAction::Comment, label.objtype, None, label.object()),
            Node::GrantStmt(grant) => self.grant(grant),
            Node::GrantRoleStmt(grant) => {
                let action = if grant.is_grant {
                    SqlAction::Grant
                } else {
                    SqlAction::Revoke
                };
                self.act(action, Resource::Connection);
                self.act(SqlAction::Role, Resource::Connection);
            }
            Node::AlterDefaultPrivilegesStmt(alter) => {
                let grants = alter.action().is_none_or(|action| action.is_grant);
                self.act(SqlAction::Alter, Resource::Connection);
                self.act(
                    if grants { SqlAction::Grant } else { SqlAction::Revoke },
                    Resource::Connection,
                );
            }
            Node::CreateRoleStmt(_) => self.role(SqlAction::Create),
            Node::AlterRoleStmt(_) => self.role(SqlAction::Alter),
            Node::AlterRoleSetStmt(alter) => {
                self.role(SqlAction::Alter);
                self.stored_setting(alter.setstmt());
            }
            Node::DropRoleStmt(_) => self.role(SqlAction::Drop),
            Node::DropOwnedStmt(_) => {
                // Which objects is the server's to know.
                self.act(SqlAction::Drop, Resource::Connection);
                self.act(SqlAction::Revoke, Resource::Connection);
                self.unknown();
            }
            Node::ReassignOwnedStmt(_) => {
                self.act(SqlAction::Alter, Resource::Connection);
                self.act(SqlAction::Grant, Resource::Connection);
            }
            Node::CreateExtensionStmt(_) => self.extension(SqlAction::Create),
            Node::AlterExtensionStmt(_) | Node::AlterExtensionContentsStmt(_) => self.extension(SqlAction::Alter),
            Node::LoadStmt(_) => {
                self.act(SqlAction::Extension, Resource::Connection);
                self.act(SqlAction::ServerFile, Resource::Connection);
            }
            Node::CreateFdwStmt(_) | Node::CreateForeignServerStmt(_) | Node::CreateUserMappingStmt(_) => {
                self.foreign(SqlAction::Create);
            }
            Node::ImportForeignSchemaStmt(import) => {
                self.foreign(SqlAction::Create);
                if let Some(schema) = import.local_schema() {
                    self.act(SqlAction::Create, Resource::Schema(Arc::from(schema)));
                }
            }
            Node::AlterFdwStmt(_) | Node::AlterForeignServerStmt(_) | Node::AlterUserMappingStmt(_) => {
                self.foreign(SqlAction::Alter);
            }
            Node::DropUserMappingStmt(_) => self.foreign(SqlAction::Drop),
            Node::CreatePublicationStmt(create) => self.publication(SqlAction::Create, create.pubobjects()),
            Node::AlterPublicationStmt(alter) => self.publication(SqlAction::Alter, alter.pubobjects()),
            Node::CreateSubscriptionStmt(_) => self.replication(SqlAction::Create),
            Node::AlterSubscriptionStmt(_) => self.replication(SqlAction::Alter),
            Node::DropSubscriptionStmt(_) => self.replication(SqlAction::Drop),
            Node::CreateTableSpaceStmt(_) => {
                self.act(SqlAction::ServerFile, Resource::Connection);
                self.system(SqlAction::Create);
            }
            Node::AlterTableSpaceOptionsStmt(_) | Node::AlterTableMoveAllStmt(_) => {
                self.act(SqlAction::ServerFile, Resource::Connection);
                self.system(SqlAction::Alter);
            }
            Node::DropTableSpaceStmt(_) => {
                self.act(SqlAction::ServerFile, Resource::Connection);
                self.system(SqlAction::Drop);
            }
            Node::CreatedbStmt(_) => self.system(SqlAction::Create),
            Node::AlterDatabaseStmt(_) | Node::AlterDatabaseRefreshCollStmt(_) => self.system(SqlAction::Alter),
            Node::AlterDatabaseSetStmt(alter) => {
                self.system(SqlAction::Alter);
                self.stored_setting(alter.setstmt());
            }
            Node::DropdbStmt(_) => self.system(SqlAction::Drop),
            Node::AlterSystemStmt(alter) => {
                self.system(SqlAction::Alter);
                self.act(SqlAction::Maintenance, Resource::Connection);
                self.stored_setting(alter.setstmt());
            }
            Node::CheckPointStmt(_) => self.act(SqlAction::System, Resource::Connection),
            _ => self.unknown(),
        }
    }

    /// What is made in a new schema: one element may name another without the schema's name.
    fn create_schema_elements(&mut self, create: &nodes::CreateSchemaStmt) {
        let Some(name) = create.schemaname() else {
            // The role's own name.
            for element in create.schema_elts() {
                self.define(element);
            }
            self.amendments = Amendments::default();
            return;
        };
        self.amendments.list.push(Amendment::Schema(Arc::from(name)));
        self.amendments.whole = true;
        if create.schema_elts().is_empty() {
            return;
        }
        let path = std::iter::once(name.to_owned()).chain(self.world.scope.search_path.iter().cloned());
        let scope = Scope {
            search_path: path.collect(),
            ..self.world.scope.clone()
        };
        let mut catalog = self.world.catalog.clone();
        for element in create.schema_elts() {
            let world = World {
                catalog: &catalog,
                scope: &scope,
                ..*self.world
            };
            let mut inner = Reader::new(&world);
            inner.depth = self.depth + 1;
            inner.nodes = self.nodes;
            inner.define(element);
            let amendments = std::mem::take(&mut inner.amendments);
            self.made.append(&mut inner.made);
            self.absorb(inner);
            self.amendments.whole &= amendments.whole;
            for amendment in amendments.list {
                apply(&mut catalog, amendment.clone());
                self.amendments.list.push(amendment);
            }
        }
    }

    fn create_function(&mut self, create: &nodes::CreateFunctionStmt) {
        let names: Vec<&str> = create.funcname().iter().filter_map(Node::as_str).collect();
        let schema: Arc<str> = match names.as_slice() {
            [schema, _] | [_, schema, _] => Arc::from(self.schema(schema)),
            _ => Arc::from(self.creation_schema()),
        };
        let name = names.last().copied().unwrap_or_default();
        let arguments: Vec<String> = create
            .parameters()
            .iter()
            .filter(|parameter| {
                use pg_raw_parse::raw::FunctionParameterMode as Mode;
                !matches!(parameter.mode, Mode::FUNC_PARAM_OUT | Mode::FUNC_PARAM_TABLE)
            })
            .map(|parameter| type_text(parameter.arg_type()))
            .collect();
        self.act(
            SqlAction::Create,
            Resource::Function(schema.clone(), Arc::from(name), Arc::from(arguments.join(", "))),
        );
        let frame = Frame::default();
        let env = Env {
            frame: &frame,
            outer: None,
            ctes: None,
        };
        for parameter in create.parameters() {
            self.expression(parameter.defexpr(), &env, Role::Decides);
        }
        self.amend_function(create, &schema, name, &arguments.join(", "));
        for option in create.options() {
            match option.defname() {
                Some("language") => {
                    let language = option.arg().as_str().unwrap_or_default().to_owned();
                    if !matches!(language.as_str(), "sql" | "plpgsql") {
                        // Code that the server runs outside its own languages.
                        self.act(SqlAction::Extension, Resource::Connection);
                    }
                }
                Some("set") => {
                    if let Node::VariableSetStmt(set) = option.arg() {
                        self.stored_setting(Some(set));
                    }
                }
                _ => {}
            }
        }
    }

    /// A type, aggregate, … of that name is made.
    fn makes_name(&mut self, names: &[&str]) {
        if let Some(made) = names.last() {
            self.touched.names.push(super::changes::name(made));
        }
    }

    fn role(&mut self, action: SqlAction) {
        self.act(action, Resource::Connection);
        self.act(SqlAction::Role, Resource::Connection);
        self.act(SqlAction::Grant, Resource::Connection);
    }

    pub fn extension(&mut self, action: SqlAction) {
        self.act(action, Resource::Connection);
        self.act(SqlAction::Extension, Resource::Connection);
        self.act(SqlAction::ServerFile, Resource::Connection);
    }

    pub fn foreign(&mut self, action: SqlAction) {
        self.act(action, Resource::Connection);
        self.act(SqlAction::ServerFile, Resource::Connection);
    }

    pub fn replication(&mut self, action: SqlAction) {
        self.act(action, Resource::Connection);
        self.act(SqlAction::Replication, Resource::Connection);
    }

    fn publication(&mut self, action: SqlAction, objects: &pg_raw_parse::list::NodeList) {
        self.replication(action);
        for object in objects {
            if let Node::PublicationObjSpec(spec) = object
                && let Some(published) = spec.pubtable()
                && let Some(relation) = published.relation().and_then(|range| self.relation(range))
            {
                self.on_relation(SqlAction::Replication, &relation);
            }
        }
    }

    fn system(&mut self, action: SqlAction) {
        self.act(action, Resource::Connection);
        self.act(SqlAction::System, Resource::Connection);
    }
}

/// A domain's check speaks of `value`.
fn value_frame() -> Frame {
    Frame::single(super::write::made("", std::iter::once(Arc::from("value"))))
}
