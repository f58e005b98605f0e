//! DROP and TRUNCATE, with what goes along.

use std::sync::Arc;

use pg_raw_parse::raw::{DropBehavior, ObjectType};
use pg_raw_parse::{Node, nodes};

use super::amend::Amendment;
use super::reader::Reader;
use crate::inspect::catalog::{Relation, RelationKind};
use crate::policy::{Resource, SqlAction};

impl Reader<'_> {
    pub fn truncates(&mut self, relation: &Arc<Relation>, cascade: bool, children: bool) {
        let mut work = vec![relation.clone()];
        let mut seen = std::collections::HashSet::from([relation.oid]);
        while let Some(relation) = work.pop() {
            self.on_relation(SqlAction::Truncate, &relation);
            self.triggers(&relation, crate::inspect::catalog::Event::Truncate);
            let mut next: Vec<u32> = Vec::new();
            if children {
                next.extend(self.world.catalog.children(relation.oid));
            }
            if cascade {
                next.extend(self.world.catalog.referencing(relation.oid).iter().map(|key| key.from));
            }
            for oid in next {
                if seen.insert(oid) {
                    match self.world.catalog.relation(oid) {
                        Some(relation) => work.push(relation.clone()),
                        None => self.unknown(),
                    }
                }
            }
        }
    }

    pub fn drop(&mut self, drop: &nodes::DropStmt) {
        let cascade = drop.behavior == DropBehavior::DROP_CASCADE;
        let mut dropped = Vec::new();
        // Functions and types that go are only missed by what the server then refuses.
        self.amendments.whole = true;
        for object in drop.objects() {
            let names: Vec<&str> = match object {
                Node::NodeList(list) => list.iter().filter_map(Node::as_str).collect(),
                Node::String(name) => name.sval().into_iter().collect(),
                _ => Vec::new(),
            };
            match drop.remove_type {
                ObjectType::OBJECT_TABLE
                | ObjectType::OBJECT_VIEW
                | ObjectType::OBJECT_MATVIEW
                | ObjectType::OBJECT_SEQUENCE
                | ObjectType::OBJECT_FOREIGN_TABLE
                | ObjectType::OBJECT_INDEX => match self.relation_by_names(&names) {
                    Some(relation) => {
                        if names.len() == 1 {
                            self.means(&relation);
                        }
                        dropped.push(relation);
                    }
                    None => self.missing(SqlAction::Drop, &names),
                },
                ObjectType::OBJECT_SCHEMA => {
                    let schema: Arc<str> = Arc::from(names.first().copied().unwrap_or_default());
                    self.act(SqlAction::Drop, Resource::Schema(schema.clone()));
                    if cascade {
                        dropped.extend(
                            self.world
                                .catalog
                                .relations()
                                .filter(|relation| relation.schema == schema && relation.kind != RelationKind::Index)
                                .cloned(),
                        );
                    }
                }
                // … ON table: the last name is the trigger's, rule's, policy's own.
                ObjectType::OBJECT_TRIGGER | ObjectType::OBJECT_RULE | ObjectType::OBJECT_POLICY => {
                    let of = names.split_last().map(|(_, of)| of).unwrap_or_default();
                    match self.relation_by_names(of) {
                        Some(relation) => {
                            self.on_relation(SqlAction::Drop, &relation);
                            self.on_relation(SqlAction::Alter, &relation);
                        }
                        None => {
                            self.missing(SqlAction::Drop, of);
                            self.missing(SqlAction::Alter, of);
                        }
                    }
                }
                kind => {
                    self.drop_other(kind, object);
                    if cascade {
                        // Columns, tables, views may go with it.
                        self.unknown();
                    }
                }
            }
        }
        for relation in &dropped {
            self.amendments.list.push(Amendment::Gone(relation.oid));
            self.on_relation(SqlAction::Drop, relation);
            // Partitions go with their parent, asked or not.
            if relation.kind == RelationKind::Partitioned {
                for child in self.world.catalog.children(relation.oid).to_vec() {
                    if let Some(child) = self.world.catalog.relation(child).cloned() {
                        self.amendments.list.push(Amendment::Gone(child.oid));
                        self.on_relation(SqlAction::Drop, &child);
                    }
                }
            }
        }
        if cascade {
            self.cascades(dropped);
        }
    }

    /// DROP … CASCADE: views over the relations, children, and tables whose foreign keys or defaults go.
    pub fn cascades(&mut self, from: Vec<Arc<Relation>>) {
        let mut seen: std::collections::HashSet<u32> = from.iter().map(|relation| relation.oid).collect();
        let mut work = from;
        while let Some(relation) = work.pop() {
            let catalog = self.world.catalog;
            for key in catalog.referencing(relation.oid) {
                if let Some(from) = catalog.relation(key.from) {
                    self.on_relation(SqlAction::Alter, &from.clone());
                }
            }
            for user in catalog.default_users(relation.oid) {
                match catalog.relation(*user).cloned() {
                    Some(user) => self.on_relation(SqlAction::Alter, &user),
                    None => self.unknown(),
                }
            }
            let next: Vec<u32> = catalog
                .dependent_views(relation.oid)
                .iter()
                .chain(catalog.children(relation.oid))
                .copied()
                .collect();
            for oid in next {
                if seen.insert(oid) {
                    match catalog.relation(oid).cloned() {
                        Some(relation) => {
                            self.amendments.list.push(Amendment::Gone(relation.oid));
                            self.on_relation(SqlAction::Drop, &relation);
                            work.push(relation);
                        }
                        None => self.unknown(),
                    }
                }
            }
        }
    }
}
