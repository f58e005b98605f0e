//! The login records that are not expired, in memory: what the data path asks. The store is read by the control
//! runtime alone, and only for what changed since.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant, SystemTime};

use hoop_shared::refusal::{Code, Refusal};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use super::{Identity, LOG_IN, PrincipalKind};
use crate::store::logins::Changed;
use crate::store::{Store, StoreError};

/// How old the view may be before it is no longer believed: by then a revocation could have been missed for that long.
const STALE: Duration = Duration::from_secs(30);
/// How long an expired record stays, so that its owner is told that it expired and not that it is unknown.
const KEPT: Duration = Duration::from_secs(24 * 3600);

#[derive(Default)]
pub(super) struct View {
    state: RwLock<State>,
    /// One reader of the store at a time, so that no older answer overwrites a newer one.
    refreshing: tokio::sync::Mutex<()>,
    refreshed: Mutex<Option<Instant>>,
}

/// What changed since the last look.
#[derive(Default)]
pub(super) struct News {
    /// Serials that are revoked now and were not before.
    pub(super) revoked: Vec<String>,
    /// New logins of people whose older logins had other groups.
    pub(super) regrouped: Vec<Arc<Identity>>,
}

#[derive(Default)]
struct State {
    by_serial: HashMap<String, Record>,
    revision: i64,
}

impl State {
    /// Gives all logins of a person the groups of the newest: what the issuer said last is true of the person, whichever login they
    /// use, and stays so when that one is revoked. A workload's groups are those of its own token, for two jobs of one `sub` may be
    /// in different ones. Gives the newest identity if any other had other groups.
    fn regroup(&mut self, of: &Identity) -> Option<Arc<Identity>> {
        if of.kind() != PrincipalKind::User {
            return None;
        }
        let theirs = |record: &&Record| record.identity.same_principal(of);
        let newest = self.by_serial.values().filter(theirs).max_by_key(|record| record.id)?;
        let newest = Arc::clone(&newest.identity);
        let mut changed = false;
        for record in self.by_serial.values_mut() {
            if record.identity.same_principal(of) && record.identity.groups() != newest.groups() {
                let mut identity = Identity::clone(&record.identity);
                newest.groups().clone_into(&mut identity.groups);
                record.identity = Arc::new(identity);
                changed = true;
            }
        }
        changed.then_some(newest)
    }
}

struct Record {
    identity: Arc<Identity>,
    fingerprint: String,
    id: i64,
    revoked: bool,
}

impl Record {
    fn valid(&self, now: SystemTime) -> Result<(), Refusal> {
        if self.revoked {
            return Err(Refusal::new(Code::LoginNeeded, "this login was revoked").hint(LOG_IN));
        }
        if self.identity.expires() <= now {
            return Err(Refusal::new(Code::LoginNeeded, "this login has expired").hint(LOG_IN));
        }
        Ok(())
    }
}

impl View {
    /// Reads what changed in the store.
    pub(super) async fn refresh(&self, store: &Store, now: OffsetDateTime) -> Result<News, StoreError> {
        let _alone = self.refreshing.lock().await;
        let revision = self.read().revision;
        let begun = Instant::now();
        let changes = store.logins_since(revision, now).await?;
        let news = if changes.is_empty() {
            News::default()
        } else {
            self.apply(changes, now.into())
        };
        *self.refreshed.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
        Ok(news)
    }

    fn apply(&self, changes: Vec<Changed>, now: SystemTime) -> News {
        let mut state = self.write();
        state
            .by_serial
            .retain(|_, record| record.identity.expires() + KEPT > now);
        let mut news = News::default();
        for change in changes {
            state.revision = state.revision.max(change.revision);
            let login = change.login;
            let record = Record {
                identity: Arc::new(Identity {
                    login: login.serial.clone(),
                    label: login.label,
                    kind: login.kind,
                    issuer: login.issuer,
                    subject: login.subject,
                    groups: login.groups,
                    expires: login.expires.into(),
                }),
                fingerprint: login.fingerprint,
                id: change.id,
                revoked: login.revoked.is_some(),
            };
            let (newly, identity) = (record.revoked, Arc::clone(&record.identity));
            let before = state.by_serial.insert(login.serial.clone(), record);
            if newly && before.as_ref().is_none_or(|before| !before.revoked) {
                news.revoked.push(login.serial);
            }
            news.regrouped.extend(state.regroup(&identity));
        }
        news
    }

    pub(super) fn identity(&self, serial: &str, fingerprint: &str, now: SystemTime) -> Result<Arc<Identity>, Refusal> {
        self.fresh()?;
        let state = self.read();
        // A certificate of our CA for another key than the record's was never issued by us.
        let record = state
            .by_serial
            .get(serial)
            .filter(|record| bool::from(record.fingerprint.as_bytes().ct_eq(fingerprint.as_bytes())))
            .ok_or_else(unknown)?;
        record.valid(now)?;
        Ok(Arc::clone(&record.identity))
    }

    pub(super) fn standing(&self, serial: &str, now: SystemTime) -> Result<(), Refusal> {
        self.fresh()?;
        self.read().by_serial.get(serial).ok_or_else(unknown)?.valid(now)
    }

    pub(super) fn newest(&self, issuer: &str, subject: &str, now: SystemTime) -> Option<Arc<Identity>> {
        self.fresh().ok()?;
        self.read()
            .by_serial
            .values()
            .filter(|record| record.identity.issuer() == issuer && record.identity.subject() == subject)
            .filter(|record| record.valid(now).is_ok())
            .max_by_key(|record| record.id)
            .map(|record| Arc::clone(&record.identity))
    }

    fn fresh(&self) -> Result<(), Refusal> {
        let refreshed = *self.refreshed.lock().unwrap_or_else(PoisonError::into_inner);
        if refreshed.is_some_and(|at| at.elapsed() < STALE) {
            return Ok(());
        }
        Err(Refusal::new(Code::RelayFault, "the relay cannot read its login records").hint("tell the relay's operator"))
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown() -> Refusal {
    Refusal::new(Code::LoginNeeded, "this relay does not know this login").hint(LOG_IN)
}
