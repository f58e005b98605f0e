//! Queries: SELECT, VALUES, set operations, WITH, views.

use std::sync::Arc;

use pg_raw_parse::raw::{A_Expr_Kind, SetOperation};
use pg_raw_parse::{ConstValue, Node, nodes};

use super::call::constant_text;
use super::expression::{Role, names};
use super::from::rename;
use super::reader::{MAX_DEPTH, Reader};
use super::scope::{Column, Ctes, Env, Frame, Shape};
use super::{Origin, Scope, World, parse};
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
        let outer_pin = self.pinned_setting.take();
        self.pinned_setting = self.pins_setting(select.where_clause(), &env);
        let shape = self.targets(select.target_list().iter(), &env);
        self.pinned_setting = outer_pin;
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

    /// The whole condition is `name = '…'` of pg_settings, which is the only item of FROM.
    fn pins_setting(&mut self, condition: Node<'_>, env: &Env<'_>) -> Option<String> {
        let Node::A_Expr(expr) = condition else { return None };
        let names: Vec<&str> = expr.name().iter().filter_map(Node::as_str).collect();
        if expr.kind != A_Expr_Kind::AEXPR_OP || names != ["="] || env.frame.sources.len() != 1 {
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

    /// The queries of a WITH clause.
    pub fn with(
        &mut self,
        with: Option<&nodes::WithClause>,
        outer: Option<&Env<'_>>,
        ctes: Option<&Ctes<'_>>,
    ) -> Vec<(Arc<str>, Shape)> {
        let mut list: Vec<(Arc<str>, Shape)> = Vec::new();
        let Some(with) = with else { return list };
        let all: Vec<(Arc<str>, &nodes::CommonTableExpr)> = with
            .ctes()
            .iter()
            .map(|cte| (Arc::from(cte.ctename().unwrap_or_default()), cte))
            .collect();
        for (index, (name, cte)) in all.iter().enumerate() {
            let mut shape = if with.recursive {
                // Later queries of the list can be named too; what they give is not known yet.
                let later: Vec<(Arc<str>, Shape)> = all
                    .iter()
                    .skip(index + 1)
                    .map(|(later, _)| (later.clone(), Shape::unknown()))
                    .collect();
                self.recursive(name, cte, &list, &later, outer, ctes)
            } else {
                let here = Ctes {
                    list: &list,
                    outer: ctes,
                };
                self.query(cte.ctequery(), outer, Some(&here))
            };
            rename(&mut shape, cte.aliascolnames().iter());
            self.search_and_cycle(cte, &mut shape);
            for column in &mut shape.columns {
                column.base = None;
            }
            list.push((name.clone(), shape));
        }
        list
    }

    /// A query that may name itself. What its columns come from is everything that any of them comes from: a step may move values
    /// from one column to another.
    fn recursive(
        &mut self,
        name: &Arc<str>,
        cte: &nodes::CommonTableExpr,
        before: &[(Arc<str>, Shape)],
        later: &[(Arc<str>, Shape)],
        outer: Option<&Env<'_>>,
        ctes: Option<&Ctes<'_>>,
    ) -> Shape {
        let list = |own: Option<Shape>| -> Vec<(Arc<str>, Shape)> {
            before
                .iter()
                .cloned()
                .chain(own.map(|own| (name.clone(), own)))
                .chain(later.iter().cloned())
                .collect()
        };
        let base = match cte.ctequery() {
            Node::SelectStmt(select) if select.op == SetOperation::SETOP_UNION => select.larg(),
            _ => None,
        };
        let Some(base) = base else {
            let list = list(None);
            let here = Ctes {
                list: &list,
                outer: ctes,
            };
            return self.query(cte.ctequery(), outer, Some(&here));
        };
        // The base term may use a WITH of the whole union; `query` below reads that in its place.
        let mut own = {
            let list = list(Some(Shape::unknown()));
            let here = Ctes {
                list: &list,
                outer: ctes,
            };
            let with = match cte.ctequery() {
                Node::SelectStmt(select) => select.with_clause(),
                _ => None,
            };
            let inner = self.with(with, outer, Some(&here));
            let inner_ctes = Ctes {
                list: &inner,
                outer: Some(&here),
            };
            self.query(Node::SelectStmt(base), outer, Some(&inner_ctes))
        };
        for _ in 0..2 {
            let everything = Arc::new(own.everything());
            for column in &mut own.columns {
                column.origin = everything.clone();
                column.ty = 0;
            }
            let mut bound = own.clone();
            rename(&mut bound, cte.aliascolnames().iter());
            self.search_and_cycle(cte, &mut bound);
            let list = list(Some(bound));
            let here = Ctes {
                list: &list,
                outer: ctes,
            };
            let whole = self.query(cte.ctequery(), outer, Some(&here));
            if whole.columns.len() == own.columns.len() {
                for (column, other) in own.columns.iter_mut().zip(&whole.columns) {
                    let mut origin = (*column.origin).clone();
                    origin.derive(&other.origin);
                    column.origin = Arc::new(origin);
                }
            } else {
                own = Shape::unknown();
            }
        }
        let everything = Arc::new(own.everything());
        for column in &mut own.columns {
            column.origin = everything.clone();
        }
        own
    }

    /// SEARCH and CYCLE add columns that are made of the others.
    fn search_and_cycle(&mut self, cte: &nodes::CommonTableExpr, shape: &mut Shape) {
        let mut added = Vec::new();
        if let Some(search) = cte.search_clause() {
            added.extend(search.search_seq_column());
        }
        if let Some(cycle) = cte.cycle_clause() {
            added.extend(cycle.cycle_mark_column());
            added.extend(cycle.cycle_path_column());
        }
        if added.is_empty() {
            return;
        }
        let everything = Arc::new(shape.everything());
        self.decides(&everything);
        for name in added {
            shape.columns.push(Column {
                name: Arc::from(name),
                origin: everything.clone(),
                base: None,
                ty: 0,
            });
        }
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
        let Ok(parsed) = parse::parse(text) else {
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
    fn absorb(&mut self, mut inner: Reader<'_>) {
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

/// The name that the server gives a column without an alias.
fn figure_name(node: Node<'_>) -> String {
    let mut node = node;
    let mut fallback = None;
    loop {
        let name = match node {
            Node::ColumnRef(reference) => reference.fields().iter().filter_map(Node::as_str).next_back(),
            Node::A_Indirection(expr) => match expr.indirection().iter().filter_map(Node::as_str).next_back() {
                Some(name) => Some(name),
                None => {
                    node = expr.arg();
                    continue;
                }
            },
            Node::FuncCall(call) => call.funcname().iter().filter_map(Node::as_str).next_back(),
            Node::TypeCast(cast) => {
                if fallback.is_none() {
                    fallback = cast
                        .type_name()
                        .and_then(|name| name.names().iter().filter_map(nodes::String::sval).next_back());
                }
                node = cast.arg();
                continue;
            }
            Node::CollateClause(clause) => {
                node = clause.arg();
                continue;
            }
            Node::GroupingFunc(_) => Some("grouping"),
            Node::SubLink(link) => match (link.sub_link_type, link.subselect()) {
                (pg_raw_parse::raw::SubLinkType::EXISTS_SUBLINK, _) => Some("exists"),
                (pg_raw_parse::raw::SubLinkType::ARRAY_SUBLINK, _) => Some("array"),
                (pg_raw_parse::raw::SubLinkType::EXPR_SUBLINK, Node::SelectStmt(select)) => {
                    let mut first = select;
                    while let Some(left) = first.larg() {
                        first = left;
                    }
                    match first.target_list().first() {
                        Some(target) => match target.name() {
                            Some(name) => Some(name),
                            None => {
                                node = target.val();
                                continue;
                            }
                        },
                        None => None,
                    }
                }
                _ => None,
            },
            Node::CaseExpr(case) => {
                if fallback.is_none() {
                    fallback = Some("case");
                }
                node = case.defresult();
                continue;
            }
            Node::A_ArrayExpr(_) => Some("array"),
            Node::RowExpr(_) => Some("row"),
            Node::CoalesceExpr(_) => Some("coalesce"),
            Node::MinMaxExpr(expr) => Some(if expr.op == pg_raw_parse::raw::MinMaxOp::IS_GREATEST {
                "greatest"
            } else {
                "least"
            }),
            Node::A_Expr(expr) if expr.kind == pg_raw_parse::raw::A_Expr_Kind::AEXPR_NULLIF => Some("nullif"),
            Node::XmlSerialize(_) => Some("xmlserialize"),
            _ => None,
        };
        return name.or(fallback).unwrap_or("?column?").to_owned();
    }
}
