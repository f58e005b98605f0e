//! INSERT, UPDATE, DELETE, MERGE, with what follows from them: triggers, cascades, views' tables.

use std::sync::Arc;

use pg_raw_parse::raw::{CmdType, MergeMatchKind, OnConflictAction, ReturningOptionKind};
use pg_raw_parse::{Node, nodes};

use super::Origin;
use super::expression::Role;
use super::keys;
use super::reader::Reader;
use super::scope::{Column, Ctes, Env, Frame, Shape, Source};
use crate::inspect::catalog::{Event, Relation};
use crate::policy::SqlAction;

impl Reader<'_> {
    pub fn insert(&mut self, insert: &nodes::InsertStmt, outer: Option<&Env<'_>>, ctes: Option<&Ctes<'_>>) -> Shape {
        let list = self.with(insert.with_clause(), outer, ctes);
        let here = Ctes {
            list: &list,
            outer: ctes,
        };
        let ctes = if list.is_empty() { ctes } else { Some(&here) };
        let Some((relation, source)) = self.target(insert.relation()) else {
            self.rest_of_unknown_target(insert.select_stmt(), outer, ctes);
            return Shape::unknown();
        };
        let mut given = None;
        if !matches!(insert.select_stmt(), Node::None) {
            let shape = self.query(insert.select_stmt(), outer, ctes);
            self.all_decide(&shape);
            given = shape.open.is_none().then_some(shape.columns.len());
        }
        let mut columns: Vec<Arc<str>> = Vec::new();
        for target in insert.cols() {
            let Node::ResTarget(target) = target else {
                self.unknown();
                continue;
            };
            columns.push(Arc::from(target.name().unwrap_or_default()));
            self.assigned_indirection(target, &source, outer, ctes);
        }
        if columns.is_empty() && !matches!(insert.select_stmt(), Node::None) {
            let count = given.unwrap_or(relation.columns.len());
            columns = relation
                .columns
                .iter()
                .take(count)
                .map(|column| column.name.clone())
                .collect();
        }
        self.writes(SqlAction::Insert, &relation, &columns);
        self.follow(&relation, Event::Insert, &columns);
        if let Some(conflict) = insert.on_conflict_clause() {
            self.on_conflict(conflict, &relation, &source, outer, ctes);
        }
        let frame = Frame::single(source.clone());
        self.returning(insert.returning_clause(), frame, &source, outer, ctes)
    }

    fn on_conflict(
        &mut self,
        conflict: &nodes::OnConflictClause,
        relation: &Arc<Relation>,
        source: &Source,
        outer: Option<&Env<'_>>,
        ctes: Option<&Ctes<'_>>,
    ) {
        let frame = Frame::single(source.clone());
        let env = Env {
            frame: &frame,
            outer,
            ctes,
        };
        if conflict.infer().is_none_or(|infer| infer.conname().is_some()) {
            // Any key, or one by its name: which rows are there shows what they hold.
            let columns: Vec<i16> = relation
                .keys
                .iter()
                .flat_map(|key| key.columns.iter().copied())
                .collect();
            for column in &source.shape.columns {
                if column.base.as_ref().is_some_and(|base| columns.contains(&base.attnum)) {
                    self.decides(&column.origin);
                }
            }
        }
        if let Some(infer) = conflict.infer() {
            for element in infer.index_elems() {
                match element {
                    Node::IndexElem(element) => {
                        if let Some(column) = element.name().and_then(|name| source.column(name)) {
                            self.decides(&column.origin);
                        }
                        self.expression(element.expr(), &env, Role::Decides);
                    }
                    _ => self.unknown(),
                }
            }
            self.expression(infer.where_clause(), &env, Role::Decides);
        }
        if conflict.action != OnConflictAction::ONCONFLICT_UPDATE {
            return;
        }
        // The row that was proposed: what it holds was counted when it was read.
        let mut excluded = source.clone();
        excluded.name = Some(Arc::from("excluded"));
        excluded.schema = None;
        for column in &mut excluded.shape.columns {
            column.base = None;
            column.origin = Arc::default();
        }
        let mut frame = frame.clone();
        frame.sources.push(excluded);
        let env = Env {
            frame: &frame,
            outer,
            ctes,
        };
        let columns = self.assignments(conflict.target_list().iter(), source, &env);
        self.expression(conflict.where_clause(), &env, Role::Decides);
        self.writes(SqlAction::Update, relation, &columns);
        self.mark(SqlAction::Update, relation, false, false);
        self.follow(relation, Event::Update, &columns);
    }

    pub fn update(&mut self, update: &nodes::UpdateStmt, outer: Option<&Env<'_>>, ctes: Option<&Ctes<'_>>) -> Shape {
        let list = self.with(update.with_clause(), outer, ctes);
        let here = Ctes {
            list: &list,
            outer: ctes,
        };
        let ctes = if list.is_empty() { ctes } else { Some(&here) };
        let Some((relation, source)) = self.target(update.relation()) else {
            return Shape::unknown();
        };
        let from = self.from(update.from_clause().iter(), outer, ctes);
        let mut frame = Frame::single(source.clone());
        frame.extend(from);
        let env = Env {
            frame: &frame,
            outer,
            ctes,
        };
        let columns = self.assignments(update.target_list().iter(), &source, &env);
        self.expression(update.where_clause(), &env, Role::Decides);
        self.writes(SqlAction::Update, &relation, &columns);
        self.follow(&relation, Event::Update, &columns);
        let only = update.relation().is_some_and(|range| !range.inh);
        let unbounded = keys::unbounded(update.where_clause(), &source);
        let by_key = update.from_clause().is_empty() && self.by_key(update.where_clause(), &relation, &source, only);
        self.mark(SqlAction::Update, &relation, unbounded, by_key);
        self.returning(update.returning_clause(), frame, &source, outer, ctes)
    }

    pub fn delete(&mut self, delete: &nodes::DeleteStmt, outer: Option<&Env<'_>>, ctes: Option<&Ctes<'_>>) -> Shape {
        let list = self.with(delete.with_clause(), outer, ctes);
        let here = Ctes {
            list: &list,
            outer: ctes,
        };
        let ctes = if list.is_empty() { ctes } else { Some(&here) };
        let Some((relation, source)) = self.target(delete.relation()) else {
            return Shape::unknown();
        };
        let using = self.from(delete.using_clause().iter(), outer, ctes);
        let mut frame = Frame::single(source.clone());
        frame.extend(using);
        let env = Env {
            frame: &frame,
            outer,
            ctes,
        };
        self.expression(delete.where_clause(), &env, Role::Decides);
        self.writes(SqlAction::Delete, &relation, &[]);
        let cascades_back = self.follow(&relation, Event::Delete, &[]);
        let only = delete.relation().is_some_and(|range| !range.inh);
        let unbounded = keys::unbounded(delete.where_clause(), &source);
        let by_key = !cascades_back
            && delete.using_clause().is_empty()
            && self.by_key(delete.where_clause(), &relation, &source, only);
        self.mark(SqlAction::Delete, &relation, unbounded, by_key);
        self.returning(delete.returning_clause(), frame, &source, outer, ctes)
    }

    pub fn merge(&mut self, merge: &nodes::MergeStmt, outer: Option<&Env<'_>>, ctes: Option<&Ctes<'_>>) -> Shape {
        if self.world.catalog.server_version < 150_000 {
            self.unknown();
        }
        let list = self.with(merge.with_clause(), outer, ctes);
        let here = Ctes {
            list: &list,
            outer: ctes,
        };
        let ctes = if list.is_empty() { ctes } else { Some(&here) };
        let Some((relation, target)) = self.target(merge.relation()) else {
            return Shape::unknown();
        };
        let mut frame = self.from(std::iter::once(merge.source_relation()), outer, ctes);
        frame.extend(Frame::single(target.clone()));
        let env = Env {
            frame: &frame,
            outer,
            ctes,
        };
        self.expression(merge.join_condition(), &env, Role::Decides);
        self.writes(SqlAction::Merge, &relation, &[]);
        for clause in merge.merge_when_clauses() {
            if clause.match_kind == MergeMatchKind::MERGE_WHEN_NOT_MATCHED_BY_SOURCE
                && self.world.catalog.server_version < 170_000
            {
                self.unknown();
            }
            self.expression(clause.condition(), &env, Role::Decides);
            match clause.command_type {
                CmdType::CMD_UPDATE => {
                    let targets = clause.target_list().iter().filter_map(as_target);
                    let columns = self.assignments(targets, &target, &env);
                    self.writes(SqlAction::Update, &relation, &columns);
                    self.mark(SqlAction::Update, &relation, false, false);
                    self.follow(&relation, Event::Update, &columns);
                }
                CmdType::CMD_INSERT => {
                    let mut columns: Vec<Arc<str>> = clause
                        .target_list()
                        .iter()
                        .filter_map(as_target)
                        .map(|target| Arc::from(target.name().unwrap_or_default()))
                        .collect();
                    for value in clause.values() {
                        self.expression(value, &env, Role::Decides);
                    }
                    if columns.is_empty() {
                        let count = clause.values().len();
                        columns = relation
                            .columns
                            .iter()
                            .take(count)
                            .map(|column| column.name.clone())
                            .collect();
                    }
                    self.writes(SqlAction::Insert, &relation, &columns);
                    self.follow(&relation, Event::Insert, &columns);
                }
                CmdType::CMD_DELETE => {
                    self.writes(SqlAction::Delete, &relation, &[]);
                    self.mark(SqlAction::Delete, &relation, false, false);
                    self.follow(&relation, Event::Delete, &[]);
                }
                CmdType::CMD_NOTHING => {}
                _ => self.unknown(),
            }
        }
        if merge.returning_clause().is_some() && self.world.catalog.server_version < 170_000 {
            self.unknown();
        }
        self.returning(merge.returning_clause(), frame, &target, outer, ctes)
    }

    /// The table that a statement writes, as a source for its expressions.
    fn target(&mut self, range: Option<&nodes::RangeVar>) -> Option<(Arc<Relation>, Source)> {
        let range = range?;
        let relation = self.relation(range)?;
        if range.schemaname().is_none() {
            self.means(&relation);
        }
        let source = self.source(&relation, range.alias());
        Some((relation, source))
    }

    /// The target is not known: the source is read all the same.
    fn rest_of_unknown_target(&mut self, select: Node<'_>, outer: Option<&Env<'_>>, ctes: Option<&Ctes<'_>>) {
        if !matches!(select, Node::None) {
            let shape = self.query(select, outer, ctes);
            self.all_decide(&shape);
        }
    }

    /// SET a = x, (b, c) = (…): the columns that are written.
    fn assignments<'n>(
        &mut self,
        targets: impl Iterator<Item = &'n nodes::ResTarget>,
        source: &Source,
        env: &Env<'_>,
    ) -> Vec<Arc<str>> {
        let mut columns = Vec::new();
        for target in targets {
            columns.push(Arc::from(target.name().unwrap_or_default()));
            for item in target.indirection() {
                if let Node::A_Indices(_) = item {
                    self.expression(item, env, Role::Decides);
                }
            }
            match target.val() {
                // One source for several columns is read once.
                Node::MultiAssignRef(assign) if assign.colno > 1 => {}
                value => {
                    self.expression(value, env, Role::Decides);
                }
            }
        }
        let _ = source;
        columns
    }

    fn assigned_indirection(
        &mut self,
        target: &nodes::ResTarget,
        source: &Source,
        outer: Option<&Env<'_>>,
        ctes: Option<&Ctes<'_>>,
    ) {
        let frame = Frame::single(source.clone());
        let env = Env {
            frame: &frame,
            outer,
            ctes,
        };
        for item in target.indirection() {
            if let Node::A_Indices(_) = item {
                self.expression(item, &env, Role::Decides);
            }
        }
    }

    /// RETURNING: the result's columns; without it there is no result.
    fn returning(
        &mut self,
        clause: Option<&nodes::ReturningClause>,
        mut frame: Frame,
        target: &Source,
        outer: Option<&Env<'_>>,
        ctes: Option<&Ctes<'_>>,
    ) -> Shape {
        let Some(clause) = clause else { return Shape::default() };
        let mut names = vec!["old".to_owned(), "new".to_owned()];
        for option in clause.options() {
            let index = usize::from(option.option != ReturningOptionKind::RETURNING_OPTION_OLD);
            if let (Some(name), Some(value)) = (names.get_mut(index), option.value()) {
                value.clone_into(name);
            }
        }
        if self.world.catalog.server_version >= 180_000 {
            for name in names {
                if frame
                    .sources
                    .iter()
                    .all(|source| source.name.as_deref() != Some(name.as_str()))
                {
                    let mut source = target.clone();
                    source.name = Some(Arc::from(name));
                    source.schema = None;
                    frame.sources.push(source);
                }
            }
        } else if !clause.options().is_empty() {
            self.unknown();
        }
        let env = Env {
            frame: &frame,
            outer,
            ctes,
        };
        let targets: Vec<&nodes::ResTarget> = clause.exprs().iter().filter_map(as_target).collect();
        if targets.len() != clause.exprs().len() {
            self.unknown();
        }
        self.targets(targets.into_iter(), &env)
    }

    /// SELECT INTO, CREATE TABLE AS: a table is made and filled.
    pub fn fills(&mut self, into: &nodes::IntoClause, shape: &Shape) {
        match into.rel() {
            Some(range) => self.makes(range, &[SqlAction::Create, SqlAction::Insert]),
            None => self.unknown(),
        }
        self.amend_filled(into, shape);
        self.all_decide(shape);
    }
}

fn as_target(node: Node<'_>) -> Option<&nodes::ResTarget> {
    match node {
        Node::ResTarget(target) => Some(target),
        _ => None,
    }
}

/// A source of columns that are only being made: they come from nothing.
pub(super) fn made(name: &str, columns: impl Iterator<Item = Arc<str>>) -> Source {
    Source {
        name: Some(Arc::from(name)),
        shape: Shape {
            columns: columns
                .map(|name| Column {
                    name,
                    origin: Arc::new(Origin::default()),
                    base: None,
                    ty: 0,
                })
                .collect(),
            open: None,
        },
        ..Source::default()
    }
}
