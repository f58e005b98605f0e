//! What names mean for this client connection right now: the catalog, the search path, the masked columns; and what texts mean
//! under them, kept until one of these changes.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hoop_shared::refusal::{Code, Refusal};
use tokio::task::JoinSet;

use super::estimate::question;
use super::hold::Details;
use super::readings::Readings;
use crate::engine::postgres::codec::backend::Status;
use crate::engine::postgres::drive::InBand;
use crate::engine::postgres::session::{Change, Known, Unit, Unready};
use crate::inspect::catalog::{Catalog, Parts, TEMPORARY};
use crate::inspect::sql::{Kind, Reach, Scope, World as Names, read};
use crate::mask::{Bindings, Cleared, Masks, Views};
use crate::policy::{Action, Effect, Policies, SqlAction};
use crate::session::Session;
use crate::target::Rows;
use crate::target::catalog::{Around, load_temporary, load_within};
use crate::target::postgres::{AGE, Changing, Question, TargetNames};

/// What names mean.
#[derive(Debug)]
pub(super) struct World {
    session: Arc<Session>,
    names: Arc<TargetNames>,
    /// What all sessions share.
    shared: Arc<Catalog>,
    /// The same with what only this session sees.
    catalog: Arc<Catalog>,
    /// The session's temporary objects.
    temporary: Option<Box<Parts>>,
    temporary_stale: bool,
    /// The catalog holds what only this session's transaction sees.
    in_band: bool,
    /// The transaction changed the catalog since `catalog` was loaded.
    uncommitted: bool,
    /// It did at all.
    changed: bool,
    scope: Scope,
    scope_stale: bool,
    /// The session's own setting of search_path, which a question in band puts back.
    path: String,
    /// The search path was changed in this transaction: its end may change it back.
    scope_touched: bool,
    status: Status,
    /// While what this session has sent may change the catalog for others.
    changing: Option<Changing>,
    /// When the catalog was loaded for the message that waits.
    just_learnt: Option<Instant>,
    /// What is masked; `None`: not known yet.
    views: Option<Views>,
    policies: Option<Arc<Policies>>,
    masks: Option<Arc<Masks>>,
    bound: Arc<Bindings>,
    readings: Readings,
    generation: u64,
    refreshing: JoinSet<()>,
    /// The unit that the planner is asked about.
    asked: Option<(Bytes, Question)>,
    /// What it said about the last one, once.
    estimated: Option<(Bytes, Option<i64>)>,
}

/// What the driver learnt.
#[derive(Debug)]
pub(in crate::engine::postgres) enum Learnt {
    /// There is a fresh snapshot.
    Catalog,
    /// A snapshot as this session sees it.
    InBand(Box<Catalog>),
    /// The session's temporary objects.
    Temporary(Box<Parts>),
    /// How many rows a unit of these bytes would touch.
    Estimate(Bytes, Option<i64>),
}

impl World {
    pub(super) fn new(session: Arc<Session>, names: Arc<TargetNames>) -> Self {
        Self {
            shared: Arc::default(),
            catalog: Arc::default(),
            temporary: None,
            temporary_stale: false,
            in_band: false,
            uncommitted: false,
            changed: false,
            scope: Scope::fresh(),
            scope_stale: true,
            path: String::new(),
            scope_touched: false,
            status: Status::Idle,
            changing: None,
            just_learnt: None,
            views: None,
            policies: None,
            masks: None,
            bound: Arc::default(),
            readings: Readings::default(),
            generation: 0,
            refreshing: JoinSet::new(),
            asked: None,
            estimated: None,
            session,
            names,
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn search_path(&self) -> Arc<[String]> {
        self.scope.search_path.clone()
    }

    /// The transaction that runs changed the scope or the catalog.
    pub(super) fn is_transient(&self) -> bool {
        self.scope_touched || self.changed
    }

    pub(super) fn read(&mut self, text: &str, types: &[u32]) -> Result<Rc<Known>, Unready> {
        match self.ready_to_read() {
            Ok(()) => {}
            // The server runs nothing now but the transaction's end, and what a message has behind it.
            Err(_) if self.status == Status::Failed && self.generation > 0 => {
                let reading = self.reading(text, types);
                return Ok(if reading.statements.len() <= 1 {
                    reading
                } else {
                    Known::new((**reading).clone().uncertain())
                });
            }
            Err(unready) => return Err(unready),
        }
        let reading = self.reading(text, types);
        if !reading.unresolved.is_empty() && !self.in_band && self.names.doubt() {
            return Err(Unready::Catalog);
        }
        Ok(reading)
    }

    fn ready_to_read(&mut self) -> Result<(), Unready> {
        if self.scope_stale {
            return Err(Unready::Scope);
        }
        if self.uncommitted {
            return Err(Unready::CatalogInBand);
        }
        if !self.in_band {
            if self.temporary_stale {
                return Err(Unready::Temporary);
            }
            let learnt = self.just_learnt.take().is_some_and(|then| then.elapsed() < AGE);
            let catalog = if learnt {
                self.names.newest()
            } else {
                self.names.fresh()
            };
            let Some(catalog) = catalog else {
                return Err(Unready::Catalog);
            };
            if self.names.is_aging() && self.refreshing.is_empty() {
                let names = self.names.clone();
                self.refreshing.spawn_local(async move {
                    if let Err(error) = names.learn().await {
                        tracing::warn!(%error, "the catalog cannot be loaded again");
                    }
                });
            }
            while self.refreshing.try_join_next().is_some() {}
            if !Arc::ptr_eq(&catalog, &self.shared) {
                self.shared = catalog;
                self.masks = None;
            }
            if self.masks.is_none() {
                self.catalog = match &self.temporary {
                    Some(parts) => Arc::new(self.shared.with_temporary((**parts).clone())),
                    None => self.shared.clone(),
                };
            }
        }
        self.masked_now();
        Ok(())
    }

    /// Closes the masks over the catalog again, where either changed, or what the principal may see unmasked.
    fn masked_now(&mut self) {
        let policies = self.session.policies();
        let masks = self.session.masks();
        let same = |old: &Option<Arc<Policies>>| old.as_ref().is_some_and(|old| Arc::ptr_eq(old, &policies));
        let same_masks = match (&self.masks, &masks) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            // A reload took the connection away: the masks stay until the session's end, which is near.
            (Some(_), None) => true,
            (None, _) => false,
        };
        let bound = self.names.bound();
        if same(&self.policies) && same_masks && Arc::ptr_eq(&self.bound, &bound) {
            return;
        }
        if let Some(masks) = masks {
            let grant = self.session.grant();
            let unmasked = |resource: &_| policies.permits(grant, Action::Unmask, resource);
            self.views = Some(masks.views(&self.catalog, &bound, unmasked));
            self.masks = Some(masks);
            self.bound = bound;
        }
        self.policies = Some(policies);
        self.renew();
    }

    fn renew(&mut self) {
        self.generation += 1;
        self.readings.clear();
    }

    fn reading(&mut self, text: &str, types: &[u32]) -> Rc<Known> {
        let none = Arc::default();
        let (masked, recorded) = match &self.views {
            Some(views) => (views.masked(), views.recorded()),
            None => (&none, &none),
        };
        let names = Names {
            catalog: &self.catalog,
            scope: &self.scope,
            masked,
            recorded,
            most_tokens: self.session.limits().statement_tokens,
            parameter_types: types,
        };
        self.readings.of(text, types, || read(text, &names))
    }

    pub(super) fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    pub(super) fn views(&self) -> Option<&Views> {
        self.views.as_ref()
    }

    /// Says that a result needs no look: before anything is known, every one does.
    pub(super) fn clear(&self, reach: Reach) -> Option<Cleared> {
        self.views.as_ref()?.clear(reach)
    }

    /// Whose view the server's words about something with this reach may not enter.
    pub(super) fn quotes(&self, reach: Reach) -> Reach {
        self.views.as_ref().map_or(reach, |views| views.quotes(reach))
    }

    /// A notification comes from any session, with any value in it.
    pub(super) fn payload(&self, payload: &[u8]) -> Option<Vec<u8>> {
        if payload.is_empty() {
            return None;
        }
        if self.quotes(Reach::BOTH).client {
            return Some(b"***".to_vec());
        }
        self.views.as_ref()?.detected(payload)
    }

    /// The server knows names that the catalog does not have.
    pub(super) fn mistrust(&mut self) {
        if self.in_band || self.changed {
            self.uncommitted = true;
        } else {
            self.names.changed();
        }
    }

    /// Masked values may flow into storage by a unit that is about to pass: into temporary tables too, which no mask names.
    pub(super) fn note(&mut self, unit: &Unit) {
        let infers = |effect: &Effect| effect.action == Action::Sql(SqlAction::Infer);
        // What it executes by name was read before.
        let executes = !unit.steps.runs.is_empty() && unit.steps.reach.recording;
        let tainted = executes || unit.reading.spreads || unit.steps.effects.iter().any(infers);
        if tainted && !self.scope.temporary_tainted {
            self.scope.temporary_tainted = true;
            self.renew();
        }
    }

    pub(super) fn wants_scope(&self) -> bool {
        self.scope_stale
    }

    /// What must be asked again before the next text is read.
    fn scope_changed(&mut self) {
        self.scope_stale = true;
        self.temporary_stale = true;
    }

    /// Takes the session's schemas in search order, its temporary schema, and its search_path.
    pub(super) fn scope_learnt(&mut self, rows: &Rows) -> bool {
        let Some([Some(path), temporary, Some(setting)]) = rows.first().map(Vec::as_slice) else {
            return false;
        };
        let Ok(path) = serde_json::from_str::<Vec<String>>(path) else {
            return false;
        };
        let known = path.len();
        let own = |schema: String| {
            if temporary.as_ref() == Some(&schema) {
                TEMPORARY.to_owned()
            } else {
                schema
            }
        };
        let scope = Scope {
            search_path: path.into_iter().map(own).collect(),
            temporary: temporary.as_deref().map(Arc::from),
            temporary_at: temporary_at(setting, known),
            temporary_tainted: self.scope.temporary_tainted,
            transient: self.scope_touched,
            timeouts: self.scope.timeouts.clone(),
        };
        self.path.clone_from(setting);
        if scope.temporary.is_none() {
            self.temporary_stale = false;
            self.temporary_learnt(None);
        }
        if scope != self.scope {
            self.scope = scope;
            self.renew();
        }
        self.scope_stale = false;
        true
    }

    fn temporary_learnt(&mut self, parts: Option<Box<Parts>>) {
        let digest = |parts: &Option<Box<Parts>>| parts.as_ref().map(|parts| parts.digest);
        if digest(&parts) != digest(&self.temporary) {
            self.temporary = parts;
            self.masks = None;
        }
    }

    /// Whether the planner can be asked about a unit.
    pub(super) fn can_estimate(&self, unit: &Unit) -> bool {
        question(unit, &self.scope, self.in_band).is_some()
    }

    /// What the planner says about a unit.
    pub(super) fn estimate(&mut self, unit: &Unit) -> Result<Option<i64>, Unready> {
        if let Some((bytes, rows)) = self.estimated.take()
            && bytes == unit.bytes
        {
            return Ok(rows);
        }
        match question(unit, &self.scope, self.in_band) {
            Some(question) => {
                self.asked = Some((unit.bytes.clone(), question));
                Err(Unready::Estimate)
            }
            None => Ok(None),
        }
    }

    /// What the planner is to be asked.
    pub(super) fn asked(&mut self) -> Option<(Bytes, Question)> {
        self.asked.take()
    }

    /// What stands around questions in band. The session's search path stands aside meanwhile, so that no name in them can be
    /// another's; set for the transaction only, on both ways, it ends as it would have without this.
    pub(super) fn around(&self) -> Around {
        let set = |path: &str| {
            let path = path.replace('\'', "''");
            format!("SELECT pg_catalog.set_config('search_path', '{path}', true)")
        };
        Around {
            before: Some(set("pg_catalog, pg_temp")),
            after: Some(set(&self.path)),
        }
    }

    pub(super) fn done(&mut self, kind: &Kind, change: Change) {
        let ends = matches!(kind, Kind::RollbackTo | Kind::Savepoint | Kind::Commit | Kind::Rollback);
        if change != Change::Nothing
            || ends && self.scope_touched
            || matches!(kind, Kind::SearchPath | Kind::Discard { .. })
        {
            self.scope_changed();
            self.scope_touched = true;
        }
        if matches!(kind, Kind::Commit | Kind::Rollback) && self.changed {
            // What follows may run before the server says that it is ready.
            self.settled();
        }
        if change == Change::Catalog || matches!(kind, Kind::RollbackTo) && self.changed {
            // Committed or not is known when the server is ready.
            self.uncommitted = true;
            self.changed = true;
        }
    }

    /// A unit is about to be sent. From here on, until the server has answered, what it changes may hold for everybody, although
    /// nobody has been told: the client that does not read its answers keeps them from the relay.
    pub(super) fn passes(&mut self, unit: &Unit) {
        let commits = |kind: &Kind| self.changed && matches!(kind, Kind::Commit);
        let changes = Change::of_effects(&unit.steps.effects) == Change::Catalog
            || unit.reading.statements.iter().any(|statement| commits(&statement.kind));
        if changes {
            self.changing.get_or_insert_with(|| self.names.changing());
        }
    }

    pub(super) fn ready(&mut self, status: Status) {
        self.status = status;
        self.changing = None;
        if status != Status::Idle {
            return;
        }
        if self.scope_touched {
            self.scope_changed();
        }
        self.scope_touched = false;
        if self.changed {
            self.settled();
        }
    }

    /// The transaction that changed the catalog is over: everybody looks again.
    fn settled(&mut self) {
        self.names.changed();
        self.changed = false;
        self.uncommitted = false;
        self.in_band = false;
        self.masks = None;
    }

    pub(super) fn learnt(&mut self, learnt: Learnt) {
        match learnt {
            Learnt::Catalog => self.just_learnt = Some(Instant::now()),
            Learnt::InBand(catalog) => {
                self.catalog = Arc::from(catalog);
                self.in_band = true;
                self.uncommitted = false;
                self.masks = None;
            }
            Learnt::Temporary(parts) => {
                self.temporary_stale = false;
                self.temporary_learnt(Some(parts));
            }
            Learnt::Estimate(bytes, rows) => self.estimated = Some((bytes, rows)),
        }
    }

    /// What a unit that waits was read under; `None`: nothing is known yet, and nothing was read.
    pub(super) fn details(&self, unit: &Unit) -> Option<Details> {
        Some(Details {
            catalog: self.catalog.clone(),
            base: self.names.newest().map_or(0, |catalog| catalog.generation),
            in_band: self.in_band,
            temporary: self.temporary.clone(),
            scope: self.scope.clone(),
            views: self.views.clone()?,
            types: unit.values.iter().map(|value| value.type_oid).collect(),
        })
    }
}

/// Learns what is missing.
pub(super) async fn learn(
    names: Arc<TargetNames>,
    what: Unready,
    mut in_band: InBand,
    around: Around,
    asked: Option<(Bytes, Question)>,
    connection: String,
) -> Result<Learnt, Refusal> {
    let learnt = match what {
        Unready::Catalog | Unready::Scope => {
            return names.learn().await.map(|_| Learnt::Catalog).map_err(|error| {
                tracing::warn!(%connection, error = &error as &dyn std::error::Error, "the catalog cannot be loaded");
                error.refusal(&connection)
            });
        }
        Unready::Estimate => {
            let Some((bytes, question)) = asked else {
                return Ok(Learnt::Catalog);
            };
            let rows = names.estimate(&question).await;
            return Ok(Learnt::Estimate(bytes, rows));
        }
        Unready::CatalogInBand => load_within(&mut in_band, around)
            .await
            .map(|catalog| Learnt::InBand(Box::new(catalog))),
        Unready::Temporary => load_temporary(&mut in_band, around)
            .await
            .map(|parts| Learnt::Temporary(Box::new(parts))),
    };
    learnt.map_err(|error| {
        tracing::warn!(%connection, error = &error as &dyn std::error::Error, "the catalog cannot be loaded in band");
        Refusal::new(
            Code::RelayFault,
            "the relay cannot learn what this session changed, so it cannot decide",
        )
        .hint("end the transaction, and go on in the next one")
    })
}

/// Where `pg_temp` will stand among the `known` schemas that are searched: first where the setting does not name it, last where it
/// names it last.
fn temporary_at(setting: &str, known: usize) -> Option<usize> {
    let mut names = setting.split(',').map(|name| name.trim().trim_matches('"'));
    if !names.clone().any(|name| name.eq_ignore_ascii_case(TEMPORARY)) {
        return Some(0);
    }
    names
        .next_back()
        .filter(|name| name.eq_ignore_ascii_case(TEMPORARY))
        .map(|_| known)
}
