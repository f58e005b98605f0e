//! Views: their queries, as the server prints them.

use std::sync::Arc;

use super::reader::Reader;
use super::scope::Shape;
use super::{Scope, World, parse};
use crate::inspect::catalog::Relation;

impl Reader<'_> {
    /// A view: its query's effects, read as the server printed it.
    pub fn view(&mut self, relation: &Arc<Relation>) {
        if self.views.contains(&relation.oid) || !self.views_read.insert(relation.oid) {
            return;
        }
        let Some(text) = relation.view.clone() else {
            self.unknown();
            return;
        };
        self.views.push(relation.oid);
        self.definition(&text);
        self.views.pop();
    }

    /// A query as `pg_get_viewdef` prints it: every name is resolved from `pg_catalog` alone, the rest is qualified.
    pub fn definition(&mut self, text: &str) -> Shape {
        let Ok(parsed) = parse::parse(text, parse::MAX_TOKENS) else {
            self.unknown();
            return Shape::unknown();
        };
        let scope = Scope {
            search_path: ["pg_catalog".to_owned()].into(),
            ..Scope::fresh()
        };
        let world = World {
            scope: &scope,
            parameter_types: &[],
            ..*self.world
        };
        let mut inner = Reader::new(&world);
        inner.views.clone_from(&self.views);
        inner.depth = self.depth + 1;
        inner.nodes = self.nodes;
        inner.views_read = std::mem::take(&mut self.views_read);
        if inner.views.is_empty() {
            inner.views.push(0);
        }
        let mut shape = Shape::unknown();
        for (index, (node, _)) in parsed.statements(text.len()).enumerate() {
            if index == 0 {
                shape = inner.query(node, None, None);
            } else {
                inner.unknown();
            }
        }
        self.absorb(inner);
        shape
    }

    /// Takes over what another reader found.
    pub fn absorb(&mut self, mut inner: Reader<'_>) {
        for effect in inner.finish() {
            self.effect(effect);
        }
        self.tables.append(&mut inner.tables);
        self.functions.append(&mut inner.functions);
        self.unresolved.append(&mut inner.unresolved);
        self.touches_masked |= inner.touches_masked;
        self.named.append(&mut inner.named);
        self.views_read.extend(inner.views_read);
        self.nodes = inner.nodes;
    }
}
