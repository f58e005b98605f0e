//! Views and rules: their queries, as the server prints them.

use std::sync::Arc;

use pg_raw_parse::{Node, nodes};

use super::expression::Role;
use super::reader::Reader;
use super::scope::{Env, Frame, Shape};
use super::{Scope, World, parse};
use crate::inspect::catalog::{Relation, TEMPORARY};
use crate::policy::{Resource, SqlAction};

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

    /// A query as `pg_get_viewdef` prints it under the path of the snapshot's queries: what is not in `pg_catalog` or temporary is
    /// qualified.
    pub fn definition(&mut self, text: &str) -> Shape {
        let mut shape = Shape::unknown();
        self.defined(text, |inner, node| shape = inner.query(node, None, None));
        shape
    }

    /// A rule of a relation: what its actions do, whoever's statement it takes the place of.
    pub fn rule(&mut self, relation: &Arc<Relation>, text: &str) {
        self.views.push(relation.oid);
        self.defined(text, |inner, node| match node {
            Node::RuleStmt(rule) => inner.rule_actions(rule, relation),
            _ => inner.unknown(),
        });
        self.views.pop();
    }

    /// The condition and actions of a rule. OLD and NEW are rows of the statement, which is judged for what it does with them.
    pub fn rule_actions(&mut self, rule: &nodes::RuleStmt, relation: &Arc<Relation>) {
        let mut frame = Frame::default();
        for name in ["old", "new"] {
            let mut source = self.source(relation, None);
            source.name = Some(Arc::from(name));
            source.schema = None;
            for column in &mut source.shape.columns {
                column.base = None;
            }
            frame.sources.push(source);
        }
        let env = Env {
            frame: &frame,
            outer: None,
            ctes: None,
        };
        self.expression(rule.where_clause(), &env, Role::Decides);
        for action in rule.actions() {
            match action {
                Node::NotifyStmt(_) => self.act(SqlAction::Notify, Resource::Connection),
                action => {
                    self.query(action, Some(&env), None);
                }
            }
        }
    }

    /// Reads one statement that the server printed, under the path that it was printed for.
    fn defined(&mut self, text: &str, each: impl FnOnce(&mut Reader<'_>, Node<'_>)) {
        let Ok(parsed) = parse::parse(text, parse::MAX_TOKENS) else {
            self.unknown();
            return;
        };
        let scope = Scope {
            search_path: ["pg_catalog", TEMPORARY].map(str::to_owned).into(),
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
        let mut statements = parsed.statements(text.len()).map(|(node, _)| node);
        match (statements.next(), statements.next()) {
            (Some(node), None) => each(&mut inner, node),
            _ => inner.unknown(),
        }
        self.absorb(inner);
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
        self.spreads |= inner.spreads;
        self.named.append(&mut inner.named);
        self.words.get_mut().append(inner.words.get_mut());
        self.touched.absorb(inner.touched);
        self.views_read.extend(inner.views_read);
        self.nodes = inner.nodes;
    }
}
