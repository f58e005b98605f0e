//! Queries: SELECT, VALUES, set operations, WITH, views.

use std::sync::Arc;

use pg_raw_parse::raw::{A_Expr_Kind, SetOperation};
use pg_raw_parse::{ConstValue, Node, nodes};

use super::Origin;
use super::call::constant_text;
use super::expression::Role;
use super::names::names;
use super::output_name::figure_name;
use super::reader::{MAX_DEPTH, Reader};
use super::scope::{Column, Ctes, Env, Frame, Shape};
use crate::inspect::catalog::Relation;
use crate::policy::SqlAction;

impl Reader<'_> {
    /// A query or a data-modifying statement, with its effects; gives its result's columns.
    pub fn query(&mut self, node: Node<'_>, outer: Option<&Env<'_>>, ctes: Option<&Ctes<'_>>) -> Shape {
        if self.depth >= MAX_DEPTH {
            self.unknown();
            return Shape::unknown();
        }
        self.depth += 1;
        let shape = match node {
            Node::SelectStmt(select) => self.select(select, outer, ctes),
            Node::InsertStmt(insert) => self.insert(insert, outer, ctes),
            Node::UpdateStmt(update) => self.update(update, outer, ctes),
            Node::DeleteStmt(delete) => self.delete(delete, outer, ctes),
            Node::MergeStmt(merge) => self.merge(merge, outer, ctes),
            _ => {
                self.unknown();
                Shape::unknown()
            }
        };
        self.depth -= 1;
        shape
    }

    fn select(&mut self, select: &nodes::SelectStmt, outer: Option<&Env<'_>>, ctes: Option<&Ctes<'_>>) -> Shape {
        let list = self.with(select.with_clause(), outer, ctes);
        let here = Ctes {
            list: &list,
            outer: ctes,
        };
        let ctes = if list.is_empty() { ctes } else { Some(&here) };
        let first_named = self.named.len();
        // What the rows of the query around this one name says nothing about those of this one.
        let outer_pin = self.pinned_setting.take();
        let (shape, frame) = if select.op != SetOperation::SETOP_NONE {
            (self.set_operation(select, outer, ctes), Frame::default())
        } else if !select.values_lists().is_empty() {
            (self.values(select, outer, ctes), Frame::default())
        } else {
            self.plain(select, outer, ctes)
        };
        let env = Env {
            frame: &frame,
            outer,
            ctes,
        };
        for sort in select.sort_clause() {
            self.sort_operator(sort);
            self.output_reference(sort.node(), &shape, &env, false);
        }
        self.expression(select.limit_offset(), &env, Role::Decides);
        self.expression(select.limit_count(), &env, Role::Decides);
        for locking in select.locking_clause() {
            self.locking(locking, &frame, first_named);
        }
        if let Some(into) = select.into_clause() {
            self.fills(into, &shape);
        }
        self.pinned_setting = outer_pin;
        shape
    }

    /// A SELECT with FROM, without what follows GROUP BY's company.
    fn plain(
        &mut self,
        select: &nodes::SelectStmt,
        outer: Option<&Env<'_>>,
        ctes: Option<&Ctes<'_>>,
    ) -> (Shape, Frame) {
        let frame = self.from(select.from_clause().iter(), outer, ctes);
        let env = Env {
            frame: &frame,
            outer,
            ctes,
        };
        self.expression(select.where_clause(), &env, Role::Decides);
        self.pinned_setting = self.pins_setting(select, &env);
        let shape = self.targets(select.target_list().iter(), &env);
        self.pinned_setting = None;
        let mut groups: Vec<Node<'_>> = select.group_clause().iter().collect();
        while let Some(group) = groups.pop() {
            match group {
                Node::GroupingSet(set) => groups.extend(set.content().iter()),
                Node::NodeList(list) => groups.extend(list.iter()),
                other => self.output_reference(other, &shape, &env, true),
            }
        }
        self.expression(select.having_clause(), &env, Role::Decides);
        for window in select.window_clause() {
            match window {
                Node::WindowDef(window) => {
                    let mut work = Vec::new();
                    self.window(window, &mut work);
                    for (node, role) in work {
                        self.expression(node, &env, role);
                    }
                }
                _ => self.unknown(),
            }
        }
        let mut plain_distinct = false;
        for item in select.distinct_clause() {
            match item {
                Node::None => plain_distinct = true,
                other => self.output_reference(other, &shape, &env, false),
            }
        }
        if plain_distinct {
            self.all_decide(&shape);
        }
        (shape, frame)
    }

    /// The whole condition is `name = '…'` of pg_settings, which is the only item of FROM: every row of it names that setting.
    fn pins_setting(&mut self, select: &nodes::SelectStmt, env: &Env<'_>) -> Option<String> {
        let from = select.from_clause();
        let alone = from.len() == 1 && matches!(from.first(), Some(Node::RangeVar(_)));
        let Node::A_Expr(expr) = select.where_clause() else {
            return None;
        };
        let names: Vec<&str> = expr.name().iter().filter_map(Node::as_str).collect();
        // An `=` of a user's could find every row.
        if !alone || !self.pg_catalog_first() || expr.kind != A_Expr_Kind::AEXPR_OP || names != ["="] {
            return None;
        }
        let Node::ColumnRef(reference) = expr.lexpr() else {
            return None;
        };
        let column = self.column(reference, env)?;
        self.is_setting_name(column.base.as_ref()?).then_some(())?;
        match expr.rexpr() {
            constant @ Node::A_Const(_) => constant_text(constant),
            _ => None,
        }
    }

    /// An item of ORDER BY, GROUP BY, DISTINCT ON: a column of the result by number or name, or an expression.
    fn output_reference(&mut self, node: Node<'_>, shape: &Shape, env: &Env<'_>, group: bool) {
        match node {
            Node::A_Const(constant) => {
                if let Some(ConstValue::Integer(number)) = constant.val() {
                    let column = usize::try_from(number)
                        .ok()
                        .and_then(|number| number.checked_sub(1))
                        .and_then(|index| shape.columns.get(index));
                    match column {
                        Some(column) => self.decides(&column.origin.clone()),
                        None => self.all_decide(shape),
                    }
                }
            }
            Node::ColumnRef(reference) => {
                let name = match names(reference).as_deref() {
                    Some([name]) => Some((*name).to_owned()),
                    _ => None,
                };
                let output: Vec<Arc<Origin>> = shape
                    .columns
                    .iter()
                    .filter(|column| Some(&*column.name) == name.as_deref())
                    .map(|column| column.origin.clone())
                    .collect();
                for origin in &output {
                    self.decides(origin);
                }
                // ORDER BY takes the result's column first, GROUP BY the input's.
                if output.is_empty() || group && self.column(reference, env).is_some() {
                    self.expression(node, env, Role::Decides);
                }
            }
            other => {
                self.expression(other, env, Role::Decides);
            }
        }
    }

    /// A target list or RETURNING: the result's columns.
    pub fn targets<'n>(&mut self, targets: impl Iterator<Item = &'n nodes::ResTarget>, env: &Env<'_>) -> Shape {
        let mut shape = Shape::default();
        let mut open: Option<Origin> = None;
        for target in targets {
            let expanded = match target.val() {
                Node::ColumnRef(reference)
                    if matches!(reference.fields().iter().next_back(), Some(Node::A_Star(_))) =>
                {
                    Some(self.star(reference, env))
                }
                Node::A_Indirection(expr) if matches!(expr.indirection().iter().next_back(), Some(Node::A_Star(_))) => {
                    // `(composite).*`, `(f(x)).*`: how many columns is not known.
                    let origin = self.expression(target.val(), env, Role::Value);
                    let mut derived = Origin::default();
                    derived.derive(&origin);
                    Some(Shape {
                        columns: Vec::new(),
                        open: Some(Arc::new(derived)),
                    })
                }
                _ => None,
            };
            match expanded {
                Some(star) => {
                    shape.columns.extend(star.columns);
                    if let Some(more) = star.open {
                        open.get_or_insert_default().derive(&more);
                    }
                }
                None => {
                    let origin = self.expression(target.val(), env, Role::Value);
                    let name = target.name().map_or_else(|| figure_name(target.val()), str::to_owned);
                    shape.columns.push(Column {
                        name: Arc::from(name),
                        origin: Arc::new(origin),
                        base: None,
                        ty: self.type_of(target.val(), env),
                    });
                }
            }
        }
        shape.open = open.map(Arc::new);
        shape
    }

    fn values(&mut self, select: &nodes::SelectStmt, outer: Option<&Env<'_>>, ctes: Option<&Ctes<'_>>) -> Shape {
        let frame = Frame::default();
        let env = Env {
            frame: &frame,
            outer,
            ctes,
        };
        let mut origins: Vec<Origin> = Vec::new();
        for row in select.values_lists() {
            let Node::NodeList(row) = row else {
                self.unknown();
                continue;
            };
            for (index, value) in row.iter().enumerate() {
                let origin = self.expression(value, &env, Role::Value);
                if index >= origins.len() {
                    origins.push(Origin::default());
                }
                if let Some(total) = origins.get_mut(index) {
                    total.derive(&origin);
                }
            }
        }
        Shape {
            columns: origins
                .into_iter()
                .enumerate()
                .map(|(index, origin)| Column {
                    name: Arc::from(format!("column{}", index + 1)),
                    origin: Arc::new(origin),
                    base: None,
                    ty: 0,
                })
                .collect(),
            open: None,
        }
    }

    /// UNION, INTERSECT, EXCEPT nest to the left as deep as the text is long: their leaves are collected in a loop.
    fn set_operation(&mut self, select: &nodes::SelectStmt, outer: Option<&Env<'_>>, ctes: Option<&Ctes<'_>>) -> Shape {
        let mut leaves = Vec::new();
        let mut work = vec![select];
        let mut compares = false;
        while let Some(node) = work.pop() {
            let is_root = std::ptr::eq(node, select);
            let bare = node.with_clause().is_none()
                && node.sort_clause().is_empty()
                && matches!(node.limit_count(), Node::None)
                && matches!(node.limit_offset(), Node::None)
                && node.locking_clause().is_empty();
            if node.op != SetOperation::SETOP_NONE && (is_root || bare) {
                compares |= node.op != SetOperation::SETOP_UNION || !node.all;
                match (node.larg(), node.rarg()) {
                    (Some(left), Some(right)) => work.extend([right, left]),
                    _ => self.unknown(),
                }
            } else {
                leaves.push(node);
            }
        }
        let mut shape: Option<Shape> = None;
        for leaf in leaves {
            if !self.spend() {
                self.unknown();
                return Shape::unknown();
            }
            let next = self.query(Node::SelectStmt(leaf), outer, ctes);
            shape = Some(match shape {
                None => next,
                Some(total) => union(total, next),
            });
        }
        let shape = shape.unwrap_or_else(Shape::unknown);
        if compares {
            self.all_decide(&shape);
        }
        shape
    }

    fn locking(&mut self, locking: &nodes::LockingClause, frame: &Frame, first_named: usize) {
        let mut relations: Vec<Arc<Relation>> = Vec::new();
        for item in locking.locked_rels() {
            if let Node::RangeVar(range) = item {
                let source = frame
                    .sources
                    .iter()
                    .find(|source| source.name.as_deref() == range.relname());
                if let Some(relation) = source.and_then(|source| source.relation.clone()) {
                    relations.push(relation);
                    continue;
                }
            }
            // A sub-query's name: everything in it, and more, is taken as locked.
            relations.extend(self.named.iter().skip(first_named).cloned());
        }
        if locking.locked_rels().is_empty() {
            relations.extend(self.named.iter().skip(first_named).cloned());
        }
        for relation in relations {
            if !super::reader::is_system(&relation) {
                self.on_relation(SqlAction::Lock, &relation);
            }
        }
    }
}

/// Two branches of a set operation.
fn union(mut total: Shape, next: Shape) -> Shape {
    if total.open.is_some() || next.open.is_some() || total.columns.len() != next.columns.len() {
        let mut all = total.everything();
        all.derive(&next.everything());
        let everything = Arc::new(all);
        for column in &mut total.columns {
            column.origin = everything.clone();
        }
        total.open = Some(everything);
        return total;
    }
    for (column, other) in total.columns.iter_mut().zip(&next.columns) {
        let mut origin = (*column.origin).clone();
        origin.merge(&other.origin);
        column.origin = Arc::new(origin);
        if column.ty != other.ty {
            column.ty = 0;
        }
    }
    total
}
