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
use crate::inspect::sql::{Changes, Kind, Reach, Scope, World as Names, read};
use crate::mask::{Bindings, Cleared, Masks, Views};
use crate::policy::{Action, Effect, Policies, SqlAction};
use crate::session::Session;
use crate::target::Rows;
use crate::target::catalog::{Around, Began, load_temporary, load_within};
use crate::target::postgres::{AGE, Claim, Question, TargetNames, Turn, TurnSession};

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
    /// How many changes of the target `catalog` has seen.
    known: u64,
    /// The catalog holds what only this session's transaction sees, and was loaded then.
    in_band: Option<Began>,
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
    /// A part in the turns of the target's sessions.
    turns: Rc<TurnSession>,
    /// Names were taken that may be in use at the server.
    taken: bool,
    /// They were taken for a unit that is being judged.
    judging: bool,
    /// What the unit claims that waits for its turn.
    claimed: Claim,
    /// Something was sent that changes names, and nobody was told since.
    untold: bool,
    /// The transaction has savepoints: not all of what it did is undone where it fails.
    savepoints: bool,
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
    InBand(Box<Catalog>, Began),
    /// The session's temporary objects.
    Temporary(Box<Parts>),
    /// Nothing: it may be this session's turn.
    Turn,
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
            known: 0,
            in_band: None,
            uncommitted: false,
            changed: false,
            scope: Scope::fresh(),
            scope_stale: true,
            path: String::new(),
            scope_touched: false,
            status: Status::Idle,
            turns: Rc::new(names.join()),
            taken: false,
            judging: false,
            claimed: Claim::default(),
            untold: false,
            savepoints: false,
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
        if !reading.unresolved.is_empty() && self.in_band.is_none() && self.names.doubt() {
            return Err(Unready::Catalog);
        }
        Ok(reading)
    }

    fn ready_to_read(&mut self) -> Result<(), Unready> {
        if self.scope_stale {
            return Err(Unready::Scope);
        }
        // What others change is seen in this transaction too.
        if self
            .in_band
            .is_some_and(|began| !self.names.is_fresh(&began) && !self.just_learnt())
        {
            self.uncommitted = true;
        }
        if self.uncommitted {
            return Err(Unready::CatalogInBand);
        }
        if self.in_band.is_none() {
            if self.temporary_stale {
                return Err(Unready::Temporary);
            }
            // What was loaded for this message serves it, whatever else has changed: its turn tells whether its own names have.
            let learnt = if self.just_learnt() { self.names.newest() } else { None };
            let Some(known) = self.names.fresh().or(learnt) else {
                return Err(Unready::Catalog);
            };
            let catalog = known.catalog;
            self.known = known.changes;
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
                let same_path = catalog.searches_as(&self.shared);
                self.shared = catalog;
                self.masks = None;
                if !same_path && self.generation > 0 && self.status != Status::Failed {
                    self.scope_stale = true;
                    return Err(Unready::Scope);
                }
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

    /// The catalog was loaded for the message that waits, once.
    fn just_learnt(&mut self) -> bool {
        self.just_learnt.take().is_some_and(|then| then.elapsed() < AGE)
    }

    /// Takes the names of a unit that was just read.
    pub(super) fn turn(&mut self, unit: &Unit, runs: bool) -> Result<(), Unready> {
        // The server runs nothing now but the transaction's end.
        if self.status == Status::Failed && unit.reading.statements.len() <= 1 {
            return Ok(());
        }
        let claim = Claim {
            uses: unit.steps.uses.clone(),
            changes: if runs {
                unit.steps.changes.clone()
            } else {
                Changes::Nothing
            },
            in_transaction: self.status != Status::Idle,
        };
        match self.turns.take(&claim, self.known) {
            Turn::Granted => {
                self.taken = true;
                self.judging = runs;
                Ok(())
            }
            Turn::Busy => {
                self.claimed = claim;
                Err(Unready::Turn)
            }
            Turn::Stale if self.in_band.is_some() => {
                self.uncommitted = true;
                Err(Unready::CatalogInBand)
            }
            Turn::Stale => Err(Unready::Catalog),
        }
    }

    /// A unit is held: it takes its names when it is approved, and may pass then.
    pub(super) fn may_pass(&mut self, unit: &Unit) {
        self.taken = true;
        self.passes(unit);
    }

    /// The unit that has taken its turn does not pass, or not now.
    pub(super) fn stays(&mut self) {
        if std::mem::take(&mut self.judging) {
            self.turns.give_back();
        }
    }

    /// What was sent has met what it names.
    pub(super) fn answered(&mut self) {
        if std::mem::take(&mut self.taken) {
            self.turns.answered();
        }
    }

    /// Something was sent that changes names for others.
    pub(super) fn changes_names(&self) -> bool {
        self.untold
    }

    /// What must be waited for, and how.
    pub(super) fn waits(&self) -> (Rc<TurnSession>, Claim) {
        (self.turns.clone(), self.claimed.clone())
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
        if self.in_band.is_some() || self.changed {
            self.uncommitted = true;
        } else {
            self.names.changed(Changes::All);
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
        question(unit, &self.scope, self.in_band.is_some()).is_some()
    }

    /// What the planner says about a unit.
    pub(super) fn estimate(&mut self, unit: &Unit) -> Result<Option<i64>, Unready> {
        if let Some((bytes, rows)) = self.estimated.take()
            && bytes == unit.bytes
        {
            return Ok(rows);
        }
        match question(unit, &self.scope, self.in_band.is_some()) {
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
        if matches!(kind, Kind::Savepoint) {
            self.savepoints = true;
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
        self.judging = false;
        let commits = |kind: &Kind| self.changed && matches!(kind, Kind::Commit);
        self.untold |= Change::of_effects(&unit.steps.effects) == Change::Catalog
            || unit.steps.changes == Changes::All
            || unit.reading.statements.iter().any(|statement| commits(&statement.kind));
    }

    pub(super) fn ready(&mut self, status: Status) {
        self.status = status;
        // What fails is undone as a whole, but behind a savepoint.
        if status == Status::Transaction || status == Status::Failed && self.savepoints {
            return;
        }
        if std::mem::take(&mut self.untold) {
            self.tell();
        }
        self.turns.ended();
        if status == Status::Failed {
            return;
        }
        self.savepoints = false;
        if self.scope_touched {
            self.scope_changed();
        }
        self.scope_touched = false;
        if self.changed {
            self.settled();
        }
    }

    fn tell(&self) {
        match self.turns.changes() {
            Changes::Nothing => self.names.changed(Changes::All),
            changes => self.names.changed(changes),
        }
    }

    /// The transaction that changed the catalog is over: everybody looks again.
    fn settled(&mut self) {
        self.tell();
        self.changed = false;
        self.uncommitted = false;
        self.in_band = None;
        self.masks = None;
    }

    pub(super) fn learnt(&mut self, learnt: Learnt) {
        match learnt {
            Learnt::Catalog => self.just_learnt = Some(Instant::now()),
            Learnt::InBand(catalog, began) => {
                let catalog: Arc<Catalog> = Arc::from(catalog);
                if !catalog.searches_as(&self.catalog) {
                    self.scope_stale = true;
                }
                self.catalog = catalog;
                self.known = began.changes;
                self.just_learnt = Some(Instant::now());
                self.in_band = Some(began);
                self.uncommitted = false;
                self.masks = None;
            }
            Learnt::Temporary(parts) => {
                self.temporary_stale = false;
                self.temporary_learnt(Some(parts));
            }
            Learnt::Turn => {}
            Learnt::Estimate(bytes, rows) => self.estimated = Some((bytes, rows)),
        }
    }

    /// What a unit that waits was read under; `None`: nothing is known yet, and nothing was read.
    pub(super) fn details(&self, unit: &Unit) -> Option<Details> {
        Some(Details {
            catalog: self.catalog.clone(),
            base: self.names.newest().map_or(0, |known| known.catalog.generation),
            in_band: self.in_band.is_some(),
            temporary: self.temporary.clone(),
            scope: self.scope.clone(),
            views: self.views.clone()?,
            types: unit.values.iter().map(|value| value.type_oid).collect(),
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What it sent may have been done, although nobody saw the answer.
        if self.untold {
            self.tell();
        }
    }
}

/// Learns what is missing.
pub(super) async fn learn(
    names: Arc<TargetNames>,
    (turns, claim): (Rc<TurnSession>, Claim),
    what: Unready,
    mut in_band: InBand,
    around: Around,
    asked: Option<(Bytes, Question)>,
    connection: String,
) -> Result<Learnt, Refusal> {
    let began = names.begin();
    let learnt = match what {
        Unready::Turn => {
            return if turns.wait(&claim).await {
                Ok(Learnt::Turn)
            } else {
                Err(kept_out())
            };
        }
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
            .map(|catalog| Learnt::InBand(Box::new(catalog), began)),
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

/// The refusal of a unit that waited for others for too long.
pub(super) fn kept_out() -> Refusal {
    let mut refusal = Refusal::new(
        Code::LimitExceeded,
        "another session is changing what this statement names, or uses what it changes",
    )
    .hint("try again when that transaction has ended");
    // lock_not_available: what the server says of a lock that takes too long.
    refusal.sqlstate = Some("55P03".to_owned());
    refusal
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
