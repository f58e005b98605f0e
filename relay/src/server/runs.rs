//! Runs in the store: begun before anything of them may run, ended when what became of them is known.

use std::sync::Arc;
use std::time::Duration;

use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::wire::Open;
use hoop_shared::wire::run::LONGEST_KEY;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::tunnels::Tunnels;
use crate::approval::Person;
use crate::authn::Identity;
use crate::connection::NotOpened;
use crate::record::KeptResults;
use crate::session::{Session, SharedRules};
use crate::store::Store;
use crate::store::runs::{Begun, NewRun, RunEnd, RunKey, RunState, StoredRun};

/// How often runs that were kept long enough are looked for.
const LOOK: Duration = Duration::from_secs(600);
/// Hexadecimal digits of a digest.
const DIGEST: usize = 64;

/// The idempotency key that is asked for.
pub(super) fn key(ask: &Open) -> Result<Option<RunKey>, Refusal> {
    let Some(asked) = ask.run.as_ref().and_then(|run| run.idempotency.as_ref()) else {
        return Ok(None);
    };
    let fits = (1..=LONGEST_KEY).contains(&asked.key.len())
        && asked.key.bytes().all(|byte| byte.is_ascii_graphic())
        && asked.digest.len() == DIGEST
        && asked.digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !fits {
        return Err(
            Refusal::new(Code::Usage, "the idempotency key is not of the form that keys have").hint(format!(
                "a key has 1 to {LONGEST_KEY} printable ASCII characters without blanks"
            )),
        );
    }
    Ok(Some(RunKey {
        key: asked.key.clone(),
        digest: asked.digest.clone(),
    }))
}

impl Tunnels {
    /// Finds the run that a key was used for, before anything is opened.
    pub(super) async fn look_up(&self, who: &Identity, connection: &str, key: &RunKey) -> Result<(), NotOpened> {
        let found = self.on_control({
            let (store, owner) = (self.store.clone(), Person::of(who));
            let (connection, key) = (connection.to_owned(), key.key.clone());
            async move { store.run_of_key(&owner, &connection, &key).await }
        });
        match found.await {
            Ok(Some(run)) => Err(taken(&run, key)),
            Ok(None) => Ok(()),
            Err(error) => {
                error!(%error, "a run's key is not looked up");
                Err(Refusal::from(error).into())
            }
        }
    }

    /// Stores a run that begins. Nothing of it has run yet: its client learns of the session behind this.
    pub(super) async fn begin_run(&self, session: &Session, key: Option<RunKey>) -> Result<(), NotOpened> {
        let Some(run) = session.run() else {
            return Ok(());
        };
        let grant = session.grant();
        let new = NewRun {
            session: session.id().clone(),
            connection: grant.connection().name.clone(),
            owner: Person::of(grant.identity()),
            mark: run.mark().to_owned(),
            key: key.clone(),
        };
        let most = session.limits().kept_runs_per_principal;
        let begun = self.on_control({
            let store = self.store.clone();
            async move { store.begin_run(&new, most).await }
        });
        match (begun.await, key) {
            (Ok(Begun::Yes), _) => Ok(()),
            (Ok(Begun::Taken(first)), Some(key)) => Err(taken(&first, &key)),
            (Ok(Begun::Taken(_) | Begun::Full), _) => {
                let message = format!("{} runs of yours are kept or running, the most that there may be", most);
                Err(Refusal::new(Code::LimitExceeded, message)
                    .hint("an operator can raise `kept_runs_per_principal` under `[limits]`, or shorten `result_retention`")
                    .into())
            }
            (Err(error), _) => {
                error!(session = %session.id(), %error, "a run is not stored");
                Err(Refusal::from(error).into())
            }
        }
    }
}

/// What is said where a key was used before.
fn taken(first: &StoredRun, key: &RunKey) -> NotOpened {
    if first.key.as_ref().is_some_and(|taken| taken.digest == key.digest) {
        return NotOpened::Repeated(first.session.clone());
    }
    Refusal::new(
        Code::IdempotencyConflict,
        format!("the idempotency key {} was used for other statements", key.key),
    )
    .hint(format!(
        "use another key; `hoopctl sessions show {}` has what ran under this one",
        first.session
    ))
    .into()
}

/// Stores that a run's client has left it, so that it is found while it goes on.
pub(super) async fn leave(tunnels: Tunnels, session: Arc<Session>) {
    let stored = tunnels.on_control({
        let (store, id) = (tunnels.store.clone(), session.id().clone());
        async move { store.leave_run(&id).await }
    });
    if let Err(error) = stored.await {
        // Its end is stored again, with this.
        error!(session = %session.id(), %error, "that a run was left is not stored");
    }
}

/// Stores what became of a run. Its streams have ended.
pub(super) async fn end(tunnels: &Tunnels, session: &Session) {
    let Some(run) = session.run() else { return };
    let end = match (run.has_released(), run.is_whole()) {
        (true, false) => RunEnd::Keep(RunState::Unknown),
        (false, _) if run.has_key() => RunEnd::FreeKey,
        _ if run.has_key() || run.is_left() => RunEnd::Keep(RunState::Done),
        _ => RunEnd::Forget,
    };
    // A run that nobody can come back for leaves nothing behind.
    let end = if run.has_key() || run.is_left() {
        end
    } else {
        RunEnd::Forget
    };
    let (is_left, seen, now) = (run.is_left(), run.seen(), OffsetDateTime::now_utc());
    let stored = tunnels.on_control({
        let (store, id) = (tunnels.store.clone(), session.id().clone());
        async move { store.end_run(&id, end, is_left, seen, now).await }
    });
    if let Err(error) = stored.await {
        error!(session = %session.id(), %error, "a run's end is not stored");
    }
}

/// Forgets what was kept long enough, until `stop`.
pub(super) async fn forget(store: Store, results: Arc<KeptResults>, rules: SharedRules, stop: CancellationToken) {
    loop {
        let retention = rules.load().config().session.result_retention;
        match store.forget_runs(OffsetDateTime::now_utc() - retention).await {
            Ok(gone) => gone.iter().for_each(|session| results.remove(session)),
            Err(error) => error!(%error, "runs that were kept long enough are not forgotten"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK.min(retention)) => {}
        }
    }
}
