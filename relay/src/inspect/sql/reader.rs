//! The state of reading one statement: what it found so far, and the few ways to add to it.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::amend::Amendments;
use super::changes::Touched;
use super::scope::Shape;
use super::{ColumnRef, Origin, Reach, Refused, World};
use crate::inspect::catalog::{Event, Function, Relation, RelationKind, Rule};
use crate::policy::{Action, CallKind, Effect, Resource, SqlAction};

/// How many queries may stand inside one another, views among them. A level takes some kilobytes of stack.
pub(super) const MAX_DEPTH: usize = 60;

/// How many nodes one statement may have, those of its views among them.
pub(super) const MAX_NODES: usize = 4_000_000;

/// Reads one statement.
pub(super) struct Reader<'w> {
    pub world: &'w World<'w>,
    effects: Vec<Effect>,
    seen: HashSet<Effect>,
    pub tables: BTreeSet<String>,
    pub functions: BTreeSet<String>,
    pub unresolved: BTreeSet<String>,
    pub touches_masked: Reach,
    pub spreads: bool,
    pub refused: Option<Refused>,
    /// search_path or role changes.
    pub scope_changes: bool,
    /// (view, table that a write of the view writes).
    pub through: Vec<(u32, Arc<Relation>)>,
    /// `WHERE name = '…'` of a query on pg_settings: the one setting that its rows name.
    pub pinned_setting: Option<String>,
    /// Names of relations that it makes.
    pub made: Vec<String>,
    /// Relations of the same name that the search path finds behind the one that was named. Where that goes away before the server
    /// comes to look (a lock, a statement in front), the next one is meant.
    pub behind: HashMap<u32, Vec<Arc<Relation>>>,
    /// A name in it is looked up only while it runs.
    pub late: bool,
    /// The numbers of the names that it rests on.
    pub words: RefCell<Vec<u64>>,
    /// The names that it changes.
    pub touched: Touched,
    /// What it changes for the statements behind it.
    pub amendments: Amendments,
    /// Users' functions that it calls, or has called from now on.
    pub called: Vec<u32>,
    /// Relations that were named, in order: what FOR UPDATE may lock.
    pub named: Vec<Arc<Relation>>,
    /// The views whose queries are being read.
    pub views: Vec<u32>,
    /// Views whose queries were read: their effects are there.
    pub views_read: HashSet<u32>,
    pub depth: usize,
    pub nodes: usize,
    marks: HashMap<(SqlAction, u32), (bool, bool)>,
}

impl<'w> Reader<'w> {
    pub fn new(world: &'w World<'w>) -> Self {
        Self {
            world,
            effects: Vec::new(),
            seen: HashSet::new(),
            tables: BTreeSet::new(),
            functions: BTreeSet::new(),
            unresolved: BTreeSet::new(),
            touches_masked: Reach::default(),
            spreads: false,
            refused: None,
            scope_changes: false,
            through: Vec::new(),
            pinned_setting: None,
            made: Vec::new(),
            behind: HashMap::new(),
            late: false,
            words: RefCell::default(),
            touched: Touched::default(),
            amendments: Amendments::default(),
            called: Vec::new(),
            named: Vec::new(),
            views: Vec::new(),
            views_read: HashSet::new(),
            depth: 0,
            nodes: 0,
            marks: HashMap::new(),
        }
    }

    /// Counts a node; `false` when there are too many.
    pub fn spend(&mut self) -> bool {
        self.nodes += 1;
        self.nodes <= MAX_NODES
    }

    pub fn effect(&mut self, effect: Effect) {
        if self.seen.insert(effect.clone()) {
            self.effects.push(effect);
        }
    }

    pub fn act(&mut self, action: SqlAction, resource: Resource) {
        self.effect(Effect::new(action, resource));
    }

    /// It may reach any masked value.
    pub fn reaches_everything(&mut self) {
        self.touches_masked |= self.world.everything();
    }

    /// Something could not be read.
    pub fn unknown(&mut self) {
        self.reaches_everything();
        self.act(SqlAction::Unknown, Resource::Connection);
    }

    /// A name is not in the snapshot.
    pub fn not_found(&mut self, name: String) {
        self.unresolved.insert(name);
        self.unknown();
    }

    /// An action on a relation, and on the partitioned tables that it is a part of.
    pub fn on_relation(&mut self, action: SqlAction, relation: &Arc<Relation>) {
        for relation in self.with_ancestors(relation) {
            self.spells(&relation.name);
            self.tables.insert(relation.qualified());
            self.touches_masked |= Reach {
                client: self.world.masked.relation_masked(relation.oid),
                recording: self.world.recorded.relation_masked(relation.oid),
            };
            self.act(action, table(&relation));
        }
    }

    /// An action on a column, and on the same column of the partitioned tables that it is a part of.
    pub fn on_column(&mut self, action: SqlAction, relation: &Arc<Relation>, name: &Arc<str>) {
        for relation in self.with_ancestors(relation) {
            self.act(
                action,
                Resource::Column(relation.schema.clone(), relation.name.clone(), name.clone()),
            );
        }
    }

    /// The relation, the partitioned tables that it is a part of, and what its name may come to mean.
    pub fn with_ancestors(&self, relation: &Arc<Relation>) -> Vec<Arc<Relation>> {
        let mut all = vec![relation.clone()];
        all.extend(self.behind.get(&relation.oid).into_iter().flatten().cloned());
        let mut at = 0;
        while let Some(here) = all.get(at).cloned() {
            at += 1;
            if here.partition && at < 64 {
                for parent in &here.parents {
                    if let Some(parent) = self.world.catalog.relation(*parent)
                        && all.iter().all(|known| known.oid != parent.oid)
                    {
                        all.push(parent.clone());
                    }
                }
            }
        }
        all
    }

    /// Reading a base column by its name.
    pub fn read_column(&mut self, column: &ColumnRef) {
        let Some(relation) = self.world.catalog.relation(column.relation).cloned() else {
            return;
        };
        let Some(found) = relation.column(column.attnum) else {
            return;
        };
        if is_system(&relation) {
            if super::functions::is_secret_column(&relation.name, &found.name) {
                self.act(SqlAction::ServerData, table(&relation));
            }
            return;
        }
        let name = found.name.clone();
        self.on_column(SqlAction::Select, &relation, &name);
    }

    /// A value decides the outcome, or flows to where it can be read without its mask.
    pub fn decides(&mut self, origin: &Origin) {
        // What a view's own query compares was decided by who made the view.
        if !self.views.is_empty() || self.world.recorded.is_empty() {
            return;
        }
        // What is unknown came with an effect of its own: a call, or `sql:unknown`.
        if origin.unknown {
            self.reaches_everything();
            self.spreads = true;
        }
        for column in origin.copied.iter().chain(&origin.derived) {
            let client = self.world.masked.get(column).is_some();
            let recording = self.world.recorded.get(column).is_some();
            self.touches_masked |= Reach { client, recording };
            self.spreads |= client || recording;
            if !client {
                continue;
            }
            let resource = self
                .world
                .catalog
                .relation(column.relation)
                .and_then(|relation| {
                    let name = relation.column(column.attnum)?.name.clone();
                    Some(Resource::Column(relation.schema.clone(), relation.name.clone(), name))
                })
                .unwrap_or(Resource::Connection);
            self.act(SqlAction::Infer, resource);
        }
    }

    /// Every column of a result decides, or flows into storage.
    pub fn all_decide(&mut self, shape: &Shape) {
        let everything = shape.everything();
        self.decides(&everything);
    }

    /// A call of a user's function, by what finds it.
    pub fn call(&mut self, function: &Function, kind: CallKind) {
        self.called.push(function.oid);
        self.spells(&function.name);
        self.call_named(
            function.schema.clone(),
            function.name.clone(),
            function.arguments.clone(),
            kind,
        );
    }

    pub fn call_named(&mut self, schema: Arc<str>, name: Arc<str>, arguments: Arc<str>, kind: CallKind) {
        self.functions.insert(format!("{schema}.{name}({arguments})"));
        // What runs inside is not read: it may reach any masked value, and its errors may say so.
        self.reaches_everything();
        let mut effect = Effect::new(SqlAction::Call, Resource::Function(schema, name, arguments));
        effect.call_kind = Some(kind);
        self.effect(effect);
    }

    pub fn call_oid(&mut self, oid: u32, kind: CallKind) {
        match self.world.catalog.function(oid).cloned() {
            Some(function) => self.call(&function, kind),
            // The server's own function as a trigger or input function: `suppress_redundant_updates_trigger`, …
            None if oid != 0 && oid < crate::inspect::catalog::FIRST_USER_OID => {}
            None => self.not_found(format!("function {oid}")),
        }
    }

    /// Says of one write of a relation whether it is unbounded or by key. Of several, one unbounded is enough, and all must be by
    /// key.
    pub fn mark(&mut self, action: SqlAction, relation: &Arc<Relation>, unbounded: bool, by_key: bool) {
        let bases: Vec<Arc<Relation>> = self
            .through
            .iter()
            .filter(|(view, base)| *view == relation.oid && base.oid != relation.oid)
            .map(|(_, base)| base.clone())
            .collect();
        for base in bases {
            self.mark(action, &base, unbounded, false);
        }
        let mark = self.marks.entry((action, relation.oid)).or_insert((false, true));
        mark.0 |= unbounded;
        mark.1 &= by_key;
        let (unbounded, by_key) = *mark;
        for relation in self.with_ancestors(relation) {
            for effect in &mut self.effects {
                let same = match &effect.resource {
                    Resource::Table(schema, name) | Resource::Column(schema, name, _) => {
                        *schema == relation.schema && *name == relation.name
                    }
                    _ => false,
                };
                if same && effect.action == Action::Sql(action) {
                    effect.unbounded |= unbounded;
                    effect.by_key = by_key;
                }
            }
        }
        // A later effect of the same write must not stand beside the marked one.
        self.seen.extend(self.effects.iter().cloned());
    }

    /// Ends the statement.
    pub fn finish(&mut self) -> Vec<Effect> {
        self.seen.clear();
        std::mem::take(&mut self.effects)
    }

    /// EXPLAIN without ANALYZE: what would be read or written is only planned. Calls stay, since planning may run them.
    pub fn only_explained(&mut self) {
        let effects = self.finish();
        for mut effect in effects {
            let Action::Sql(action) = effect.action else { continue };
            let resource = match (&effect.resource, action.group()) {
                (Resource::Column(schema, name, _), "sql:read" | "sql:write") => {
                    Resource::Table(schema.clone(), name.clone())
                }
                (resource, "sql:read" | "sql:write" | "sql:ddl") => resource.clone(),
                (resource, _) if action == SqlAction::Lock => resource.clone(),
                (resource, _) if action == SqlAction::ServerData => resource.clone(),
                _ => {
                    effect.unbounded = false;
                    effect.by_key = false;
                    self.effect(effect);
                    continue;
                }
            };
            self.act(SqlAction::Explain, resource);
        }
        if self.effects.is_empty() {
            self.act(SqlAction::Explain, Resource::Connection);
        }
    }

    /// User triggers of a relation for an event.
    pub fn triggers(&mut self, relation: &Arc<Relation>, event: Event) {
        let calls: Vec<u32> = relation
            .triggers
            .iter()
            .filter(|trigger| trigger.events.contains(&event))
            .map(|trigger| trigger.function)
            .collect();
        for function in calls {
            self.call_oid(function, CallKind::Trigger);
        }
        let rules: Vec<Rule> = relation
            .rules
            .iter()
            .filter(|rule| rule.event.is_none_or(|of| of == event))
            .cloned()
            .collect();
        for rule in rules {
            match rule.text {
                // A rule whose own action comes back here.
                Some(_) if self.views.contains(&relation.oid) => {}
                Some(text) => self.rule(relation, &text),
                None => self.unknown(),
            }
        }
    }
}

/// The relation as a resource.
pub(super) fn table(relation: &Relation) -> Resource {
    Resource::Table(relation.schema.clone(), relation.name.clone())
}

/// It belongs to the server.
pub(super) fn is_system(relation: &Relation) -> bool {
    matches!(&*relation.schema, "pg_catalog" | "information_schema")
}

/// Rows can be read from it.
pub(super) fn has_rows(relation: &Relation) -> bool {
    matches!(
        relation.kind,
        RelationKind::Table
            | RelationKind::Partitioned
            | RelationKind::View
            | RelationKind::MaterializedView
            | RelationKind::Foreign
            | RelationKind::Sequence
    )
}
