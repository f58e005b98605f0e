//! What follows from a write: its effects on columns, a view's tables, triggers, foreign keys' actions.

use std::sync::Arc;

use super::reader::{Reader, is_system};
use crate::inspect::catalog::{CastContext, Event, OnForeign, Relation, RelationKind};
use crate::policy::{CallKind, Resource, SqlAction};

impl Reader<'_> {
    /// The effects of a write on a relation and its columns; a view's tables are written too.
    pub fn writes(&mut self, action: SqlAction, relation: &Arc<Relation>, columns: &[Arc<str>]) {
        self.on_relation(action, relation);
        if is_system(relation) {
            self.act(SqlAction::System, Resource::Connection);
        }
        let behind = self.behind.get(&relation.oid).into_iter().flatten();
        if behind.map(|behind| behind.kind).any(|kind| kind == RelationKind::View) {
            // Which tables are written through it is followed for what is named only.
            self.unknown();
        }
        for name in columns {
            match relation.column_named(name) {
                Some(column) => {
                    self.on_column(action, relation, name);
                    self.converts(column.type_oid, 0, CastContext::Assignment);
                }
                None => self.not_found(format!("{}.{name}", relation.qualified())),
            }
        }
        match relation.kind {
            RelationKind::Table | RelationKind::Partitioned | RelationKind::Foreign => {}
            RelationKind::View
                if self.views.len() < super::reader::MAX_DEPTH && !self.views.contains(&relation.oid) =>
            {
                self.writes_through(action, relation, columns);
            }
            _ => self.unknown(),
        }
    }

    /// A view that the server updates by itself: its tables are written.
    pub fn writes_through(&mut self, action: SqlAction, view: &Arc<Relation>, columns: &[Arc<str>]) {
        let event = event_of(action);
        let replaced = (view.rules.iter()).any(|rule| rule.replaces && rule.event.is_some() && rule.event == event);
        if replaced || view.triggers.iter().any(|trigger| trigger.instead) {
            // The rows that are found for it are the view's.
            if event != Some(Event::Insert) {
                self.view(view);
            }
            return;
        }
        let Some(text) = view.view.clone() else {
            self.unknown();
            return;
        };
        self.views.push(view.oid);
        let before = self.named.len();
        let shape = self.definition(&text);
        let bases: Vec<Arc<Relation>> = self.named.iter().skip(before).cloned().collect();
        for base in bases {
            let written: Vec<Arc<str>> = view
                .columns
                .iter()
                .zip(&shape.columns)
                .filter(|(column, _)| columns.contains(&column.name))
                .flat_map(|(_, from)| from.origin.copied.iter())
                .filter(|origin| origin.relation == base.oid)
                .filter_map(|origin| base.column(origin.attnum).map(|column| column.name.clone()))
                .collect();
            self.through.push((view.oid, base.clone()));
            self.writes(action, &base, &written);
            if let Some(event) = event {
                self.follow(&base, event, &written);
                self.mark(action, &base, false, false);
            }
        }
        self.views.pop();
    }

    /// What the server does by itself after a write: triggers, defaults and checks, foreign keys' actions. Says whether a cascade
    /// comes back to the relation.
    pub fn follow(&mut self, relation: &Arc<Relation>, event: Event, columns: &[Arc<str>]) -> bool {
        let mut comes_back = false;
        let mut work = vec![(relation.clone(), event, columns.to_vec())];
        let mut seen = std::collections::HashSet::from([(relation.oid, event)]);
        let mut first = true;
        while let Some((relation_now, event_now, columns_now)) = work.pop() {
            if !self.spend() {
                self.unknown();
                return true;
            }
            self.triggers(&relation_now, event_now);
            if event_now != Event::Delete && event_now != Event::Truncate {
                for function in relation_now.write_calls.clone() {
                    self.call_oid(function, CallKind::Function);
                }
            }
            if !first {
                let action = if event_now == Event::Delete {
                    SqlAction::Delete
                } else {
                    SqlAction::Update
                };
                self.on_relation(action, &relation_now);
                for name in &columns_now {
                    self.on_column(action, &relation_now, name);
                }
                self.mark(action, &relation_now, false, false);
            }
            first = false;
            // Rows of children and partitions are deleted through their parent; a key of an ancestor may be referenced.
            let mut reached = self.with_ancestors(&relation_now);
            let children: Vec<u32> = self.world.catalog.children(relation_now.oid).to_vec();
            for child in children {
                if let Some(child) = self.world.catalog.relation(child) {
                    reached.push(child.clone());
                }
            }
            for referenced in reached {
                for key in self.world.catalog.referencing(referenced.oid).to_vec() {
                    let does = match event_now {
                        Event::Delete => key.on_delete,
                        Event::Update
                            if key.to_columns.iter().any(|attnum| {
                                referenced
                                    .column(*attnum)
                                    .is_some_and(|column| columns_now.contains(&column.name))
                            }) =>
                        {
                            key.on_update
                        }
                        _ => OnForeign::Nothing,
                    };
                    let next = match (does, event_now) {
                        (OnForeign::Nothing, _) => continue,
                        (OnForeign::Cascade, Event::Delete) => Event::Delete,
                        _ => Event::Update,
                    };
                    let Some(from) = self.world.catalog.relation(key.from).cloned() else {
                        self.unknown();
                        continue;
                    };
                    comes_back |= from.oid == relation.oid;
                    if seen.insert((from.oid, next)) {
                        let names = if next == Event::Update {
                            key.from_columns
                                .iter()
                                .filter_map(|attnum| from.column(*attnum).map(|column| column.name.clone()))
                                .collect()
                        } else {
                            Vec::new()
                        };
                        work.push((from, next, names));
                    }
                }
            }
        }
        comes_back
    }
}

/// What triggers and rules listen to.
fn event_of(action: SqlAction) -> Option<Event> {
    match action {
        SqlAction::Insert | SqlAction::CopyIn => Some(Event::Insert),
        SqlAction::Update => Some(Event::Update),
        SqlAction::Delete => Some(Event::Delete),
        _ => None,
    }
}
