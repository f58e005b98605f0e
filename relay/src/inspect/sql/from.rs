//! FROM: relations, sub-queries, functions, joins.

use std::sync::Arc;

use pg_raw_parse::raw::JoinType;
use pg_raw_parse::{Node, nodes};

use super::Origin;
use super::expression::Role;
use super::reader::Reader;
use super::scope::{Column, Ctes, Env, Frame, Shape, Source};
use crate::policy::CallKind;

impl Reader<'_> {
    /// A whole FROM clause.
    pub fn from<'n>(
        &mut self,
        items: impl Iterator<Item = Node<'n>>,
        outer: Option<&Env<'_>>,
        ctes: Option<&Ctes<'_>>,
    ) -> Frame {
        let mut frame = Frame::default();
        for item in items {
            let next = self.item_of_from(item, &frame, outer, ctes);
            frame.extend(next);
        }
        frame
    }

    /// One item; `left` is what stands before it, for LATERAL.
    fn item_of_from(
        &mut self,
        item: Node<'_>,
        left: &Frame,
        outer: Option<&Env<'_>>,
        ctes: Option<&Ctes<'_>>,
    ) -> Frame {
        if !self.spend() {
            self.unknown();
            return Frame::single(Source {
                shape: Shape::unknown(),
                ..Source::default()
            });
        }
        match item {
            Node::RangeVar(range) => Frame::single(self.range(range, ctes)),
            Node::RangeSubselect(sub) => {
                let env = Env {
                    frame: left,
                    outer,
                    ctes,
                };
                let inner = if sub.lateral { Some(&env) } else { outer };
                let shape = self.query(sub.subquery(), inner, ctes);
                Frame::single(named(shape, sub.alias()))
            }
            Node::RangeFunction(function) => {
                let env = Env {
                    frame: left,
                    outer,
                    ctes,
                };
                Frame::single(self.range_function(function, &env))
            }
            Node::RangeTableFunc(function) => {
                let env = Env {
                    frame: left,
                    outer,
                    ctes,
                };
                Frame::single(self.xml_table(function, &env))
            }
            Node::RangeTableSample(sample) => {
                let frame = self.item_of_from(sample.relation(), left, outer, ctes);
                let env = Env {
                    frame: left,
                    outer,
                    ctes,
                };
                for arg in sample.args() {
                    self.expression(arg, &env, Role::Decides);
                }
                self.expression(sample.repeatable(), &env, Role::Decides);
                let method: Vec<&str> = sample.method().iter().filter_map(Node::as_str).collect();
                if !matches!(
                    method.as_slice(),
                    ["bernoulli" | "system"] | ["pg_catalog", "bernoulli" | "system"]
                ) {
                    self.function_by_name(
                        None,
                        method.last().copied().unwrap_or_default(),
                        1,
                        &[0],
                        CallKind::Function,
                    );
                }
                frame
            }
            Node::JoinExpr(_) => self.joins(item, left, outer, ctes),
            Node::JsonTable(table) => {
                let env = Env {
                    frame: left,
                    outer,
                    ctes,
                };
                Frame::single(self.json_table(table, &env))
            }
            _ => {
                self.unknown();
                Frame::single(Source {
                    shape: Shape::unknown(),
                    ..Source::default()
                })
            }
        }
    }

    /// Joins nest to the left as deep as the text is long: those are taken in a loop.
    fn joins(&mut self, item: Node<'_>, left: &Frame, outer: Option<&Env<'_>>, ctes: Option<&Ctes<'_>>) -> Frame {
        let mut chain = Vec::new();
        let mut first = item;
        while let Node::JoinExpr(join) = first {
            chain.push(join);
            first = join.larg();
        }
        let mut frame = self.item_of_from(first, left, outer, ctes);
        if self.depth >= super::reader::MAX_DEPTH {
            self.unknown();
            return frame;
        }
        self.depth += 1;
        for join in chain.into_iter().rev() {
            let mut beside = left.clone();
            beside.extend(frame.clone());
            let right = self.item_of_from(join.rarg(), &beside, outer, ctes);
            frame = self.join(join, frame, right, outer, ctes);
        }
        self.depth -= 1;
        frame
    }

    fn join(
        &mut self,
        join: &nodes::JoinExpr,
        left: Frame,
        right: Frame,
        outer: Option<&Env<'_>>,
        ctes: Option<&Ctes<'_>>,
    ) -> Frame {
        let using: Vec<Arc<str>> = if join.is_natural {
            left.visible
                .columns
                .iter()
                .filter(|column| right.visible.columns.iter().any(|other| other.name == column.name))
                .map(|column| column.name.clone())
                .collect()
        } else {
            join.using_clause()
                .iter()
                .filter_map(|name| name.sval().map(Arc::from))
                .collect()
        };
        if join.is_natural && (left.visible.open.is_some() || right.visible.open.is_some()) {
            self.unknown();
        }
        let mut merged = Vec::new();
        for name in &using {
            let sides =
                [&left, &right].map(|side| side.visible.columns.iter().find(|column| column.name == *name).cloned());
            let [Some(l), Some(r)] = sides else {
                self.unknown();
                continue;
            };
            for column in [&l, &r] {
                if let Some(base) = &column.base {
                    self.read_column(base);
                }
                self.decides(&column.origin);
            }
            let types = [l.ty, r.ty].map(|ty| self.world.catalog.base_type(ty));
            self.named_operator(None, "=", types[0], types[1]);
            let mut origin = Origin::default();
            match join.jointype {
                JoinType::JOIN_LEFT => origin.merge(&l.origin),
                JoinType::JOIN_RIGHT => origin.merge(&r.origin),
                _ => {
                    origin.merge(&l.origin);
                    origin.merge(&r.origin);
                }
            }
            // Different types meet in a third.
            if l.ty != r.ty {
                let copied = std::mem::take(&mut origin);
                origin.derive(&copied);
            }
            merged.push(Column {
                name: name.clone(),
                origin: Arc::new(origin),
                base: None,
                ty: if l.ty == r.ty { l.ty } else { 0 },
            });
        }
        let rest = |side: &Frame| {
            side.visible
                .columns
                .iter()
                .filter(|column| !using.contains(&column.name))
                .cloned()
                .collect::<Vec<_>>()
        };
        let mut columns = merged.clone();
        columns.extend(rest(&left));
        columns.extend(rest(&right));
        let mut frame = left;
        frame.extend(right);
        // The condition sees both sides, whatever the join is called.
        let env = Env {
            frame: &frame,
            outer,
            ctes,
        };
        self.expression(join.quals(), &env, Role::Decides);
        frame.visible.columns = columns;
        if let Some(alias) = join.join_using_alias() {
            frame.sources.push(named(
                Shape {
                    columns: merged,
                    open: None,
                },
                Some(alias),
            ));
        }
        if let Some(alias) = join.alias() {
            // The join's own name hides those inside it.
            frame = Frame::single(named(frame.visible, Some(alias)));
        }
        frame
    }

    /// A relation or a WITH query by name, read.
    fn range(&mut self, range: &nodes::RangeVar, ctes: Option<&Ctes<'_>>) -> Source {
        let name = range.relname().unwrap_or_default();
        if range.schemaname().is_none()
            && let Some(shape) = ctes.and_then(|ctes| ctes.find(name))
        {
            if shape.columns.is_empty() && shape.open.as_ref().is_some_and(|open| open.unknown) {
                // A query of the same WITH RECURSIVE that stands further behind.
                self.unknown();
            }
            return match range.alias() {
                Some(alias) => self::named(shape.clone(), Some(alias)),
                None => Source {
                    name: Some(Arc::from(name)),
                    shape: shape.clone(),
                    ..Source::default()
                },
            };
        }
        let Some(relation) = self.relation(range) else {
            let mut source = named(Shape::unknown(), range.alias());
            source.name.get_or_insert_with(|| Arc::from(name));
            return source;
        };
        self.read_relation(&relation);
        self.source(&relation, range.alias())
    }
}

/// A shape under an alias, its first columns renamed.
pub(super) fn named(shape: Shape, alias: Option<&nodes::Alias>) -> Source {
    let mut source = Source {
        shape,
        ..Source::default()
    };
    if let Some(alias) = alias {
        source.name = alias.aliasname().map(Arc::from);
        rename(&mut source.shape, alias.colnames().iter());
    }
    source
}

/// A source of columns each of which may hold whatever went into it; called `name` where it has no alias.
pub(super) fn mixed(names: Vec<Arc<str>>, all: Origin, alias: Option<&nodes::Alias>, name: &str) -> Source {
    let origin = Arc::new(all);
    let column = |name| Column {
        name,
        origin: origin.clone(),
        base: None,
        ty: 0,
    };
    let columns = names.into_iter().map(column).collect();
    let mut source = named(Shape { columns, open: None }, alias);
    source.name.get_or_insert_with(|| Arc::from(name));
    source
}

/// Renames the first columns.
pub(super) fn rename<'n>(shape: &mut Shape, names: impl Iterator<Item = Node<'n>>) {
    for (index, name) in names.enumerate() {
        let Some(name) = name.as_str() else { continue };
        match shape.columns.get_mut(index) {
            Some(column) => column.name = Arc::from(name),
            None => {
                // A column that is only known to be there.
                let mut origin = Origin::default();
                if let Some(open) = &shape.open {
                    origin.derive(open);
                } else {
                    origin.unknown = true;
                }
                shape.columns.push(Column {
                    name: Arc::from(name),
                    origin: Arc::new(origin),
                    base: None,
                    ty: 0,
                });
            }
        }
    }
}
