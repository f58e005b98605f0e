//! The one task that changes requests: takes commands, sets timers, notices who left, and tells the outcome.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use hoop_shared::api::{Request, RequestStatus};
use hoop_shared::id::{RequestId, SessionId};
use hoop_shared::refusal::{Code, Refusal};
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Ask, DecideError, Decider, Digest, Held, HoldError, Outcome, Person, Record, ReleaseError, Standings};
use crate::store::{Store, StoreError};

/// How long until an end that the store did not take is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// The longest time until a timer: more than any `@ttl` that makes sense, and no instant overflows.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// What the clerk is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Hold {
        ask: Box<Ask>,
        reply: oneshot::Sender<Result<Held, HoldError>>,
    },
    Release {
        id: RequestId,
        digest: Digest,
        /// Who approved it.
        reply: oneshot::Sender<Result<Vec<String>, Refusal>>,
    },
    Decide {
        id: RequestId,
        by: Decider,
        approve: bool,
        reason: Option<String>,
        reply: oneshot::Sender<Result<Request, Refusal>>,
    },
    Cancel {
        id: RequestId,
        by: Person,
        reply: oneshot::Sender<Result<Request, Refusal>>,
    },
    SessionEnded {
        session: SessionId,
        reply: oneshot::Sender<()>,
    },
    Watch {
        id: RequestId,
        reply: oneshot::Sender<Option<watch::Receiver<Option<Outcome>>>>,
    },
}

/// A request that is open and held in this relay.
#[derive(Debug)]
struct Waiting {
    session: SessionId,
    outcome: watch::Sender<Option<Outcome>>,
    /// When the timer rings: its expiry, or the next try to store its end.
    timer: Instant,
    /// Why it ended, while the store does not take it.
    unstored: Option<&'static str>,
}

/// Does the desk's work. There is one for each relay.
#[derive(Debug)]
pub struct Clerk {
    store: Store,
    inbox: mpsc::Receiver<Command>,
    commands: mpsc::WeakSender<Command>,
    pending_per_session: Arc<AtomicUsize>,
    waiting: HashMap<RequestId, Waiting>,
    timers: BTreeSet<(Instant, RequestId)>,
    left: FuturesUnordered<BoxFuture<'static, RequestId>>,
    /// Told to whoever follows all requests that the store has something new.
    changed: watch::Sender<()>,
}

impl Clerk {
    pub(super) fn new(
        store: Store,
        inbox: mpsc::Receiver<Command>,
        commands: mpsc::WeakSender<Command>,
        pending_per_session: Arc<AtomicUsize>,
        changed: watch::Sender<()>,
    ) -> Self {
        Self {
            store,
            inbox,
            commands,
            pending_per_session,
            waiting: HashMap::new(),
            timers: BTreeSet::new(),
            left: FuturesUnordered::new(),
            changed,
        }
    }

    /// Ends what an earlier run left: its sessions are gone, so nobody waits for an answer.
    pub(super) async fn expire_left(&self) -> Result<(), StoreError> {
        let why = "the relay that held it was restarted";
        for id in self.store.open_requests().await? {
            let change = |record: &mut Record, now| record.lapse(now, why);
            self.store
                .change_request(&id, None, |record, _, now| change(record, now))
                .await?;
            tracing::info!(request = %id, "expired a request of an earlier run");
        }
        Ok(())
    }

    /// Works until `stop`, then withdraws what still waits.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let ring = self.timers.first().map(|(at, _)| *at);
            tokio::select! {
                () = stop.cancelled() => break,
                command = self.inbox.recv() => match command {
                    Some(command) => self.take(command).await,
                    None => break,
                },
                Some(id) = self.left.next() => self.end(&id, "its client went away").await,
                () = at(ring) => self.ring().await,
            }
        }
        self.inbox.close();
        for id in self.waiting.keys().cloned().collect::<Vec<_>>() {
            self.end(&id, "the relay stopped").await;
        }
    }

    async fn take(&mut self, command: Command) {
        // Who asked may be gone: then nobody needs the answer. A `Held` that nobody takes is dropped, which withdraws it.
        match command {
            Command::Hold { ask, reply } => drop(reply.send(self.hold(*ask).await)),
            Command::Release { id, digest, reply } => drop(reply.send(self.release(&id, digest).await)),
            Command::Decide {
                id,
                by,
                approve,
                reason,
                reply,
            } => {
                drop(reply.send(self.decide(&id, by, approve, reason).await));
            }
            Command::Cancel { id, by, reply } => drop(reply.send(self.cancel(&id, by).await)),
            Command::SessionEnded { session, reply } => {
                let of_it = self.waiting.iter().filter(|(_, waiting)| waiting.session == session);
                for id in of_it.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
                    self.end(&id, "its session ended").await;
                }
                let _ = reply.send(());
            }
            Command::Watch { id, reply } => {
                drop(reply.send(self.waiting.get(&id).map(|waiting| waiting.outcome.subscribe())));
            }
        }
    }

    async fn hold(&mut self, ask: Ask) -> Result<Held, HoldError> {
        let limit = self.pending_per_session.load(Ordering::Relaxed);
        if self
            .waiting
            .values()
            .filter(|waiting| waiting.session == ask.session)
            .count()
            >= limit
        {
            return Err(HoldError::TooMany(limit));
        }
        if ask.requirements.is_empty()
            || ask
                .requirements
                .iter()
                .any(|requirement| requirement.approvers.is_empty())
        {
            return Err(HoldError::NoApprovers);
        }
        let commands = self.commands.upgrade().ok_or(HoldError::Stopping)?;
        let timer = Instant::now() + ask.ttl.min(LONGEST);
        let record = Record::new(RequestId::random()?, ask, OffsetDateTime::now_utc());
        self.store.insert_request(&record).await?;
        self.changed.send_replace(());
        tracing::info!(request = %record.id, session = %record.session, connection = record.connection, "held");

        let (outcome, watched) = watch::channel(None);
        let (held, gone) = oneshot::channel::<Infallible>();
        let id = record.id.clone();
        self.timers.insert((timer, id.clone()));
        self.waiting.insert(
            id.clone(),
            Waiting {
                session: record.session.clone(),
                outcome,
                timer,
                unstored: None,
            },
        );
        self.left.push(Box::pin(async move {
            // Nothing can be sent: it resolves when the `Held` is dropped.
            let _ = gone.await;
            id
        }));
        Ok(Held {
            request: record.shown(),
            session: record.session,
            digest: record.digest,
            outcome: watched,
            commands,
            _held: held,
        })
    }

    async fn release(&mut self, id: &RequestId, digest: Digest) -> Result<Vec<String>, Refusal> {
        self.settle(id).await?;
        let changed = self
            .store
            .change_request(id, None, |record, standings, now| {
                record.release(&digest, standings, now)
            })
            .await
            .inspect_err(|error| tracing::error!(request = %id, %error, "cannot release"))?;
        let (record, released) = changed.ok_or_else(|| not_found(id))?;
        self.tell(&record);
        match &released {
            Ok(_) => tracing::info!(request = %id, "released"),
            Err(error) => tracing::warn!(request = %id, %error, "not released"),
        }
        released.map_err(|error| match error {
            ReleaseError::Ended(outcome) => outcome
                .refusal(id)
                .unwrap_or_else(|| Refusal::new(Code::RelayFault, "the request's state is not consistent")),
            ReleaseError::Lapsed(why) => {
                Refusal::new(Code::ApprovalExpired, format!("the approval no longer holds: {why}"))
                    .hint("try again: that makes a new request")
                    .request(id.clone())
            }
            ReleaseError::Pending => {
                Refusal::new(Code::WaitsForApproval, format!("{id} is not approved yet")).request(id.clone())
            }
            ReleaseError::Spent => {
                Refusal::new(Code::RelayFault, format!("{id} was released before")).request(id.clone())
            }
        })
    }

    async fn decide(
        &mut self,
        id: &RequestId,
        by: Decider,
        approve: bool,
        reason: Option<String>,
    ) -> Result<Request, Refusal> {
        self.settle(id).await?;
        let is_held = self.waiting.contains_key(id);
        let change = |record: &mut Record, standings: &Standings, now| {
            if !is_held {
                record.lapse(now, "nothing waits for it any more");
            }
            record.decide(&by, approve, reason, standings, now)
        };
        let changed = self
            .store
            .change_request(id, Some(&by), change)
            .await
            .inspect_err(|error| tracing::error!(request = %id, %error, "cannot decide"))?;
        let Some((record, decided)) = changed else {
            return Err(refused(id, DecideError::NotAnApprover));
        };
        self.tell(&record);
        decided.map_err(|error| refused(id, error))?;
        tracing::info!(request = %id, by = by.person.label, approve, status = ?record.status, "decided");
        Ok(record.shown())
    }

    async fn cancel(&mut self, id: &RequestId, by: Person) -> Result<Request, Refusal> {
        self.settle(id).await?;
        let changed = self
            .store
            .change_request(id, None, |record, _, now| {
                (record.asker == by).then(|| record.cancel(now, "withdrawn by who asked"))
            })
            .await
            .inspect_err(|error| tracing::error!(request = %id, %error, "cannot cancel"))?;
        let Some((record, Some(done))) = changed else {
            return Err(not_found(id));
        };
        self.tell(&record);
        if done || record.status == RequestStatus::Cancelled {
            Ok(record.shown())
        } else {
            Err(over(id, record.status, record.outcome()))
        }
    }

    /// Withdraws a request whose client, session or relay goes away.
    async fn end(&mut self, id: &RequestId, why: &'static str) {
        if self.waiting.contains_key(id) {
            let stored = self
                .store
                .change_request(id, None, |record, _, now| record.cancel(now, why))
                .await;
            self.ended(id, stored.map(|changed| changed.map(|(record, _)| record)), why);
        }
    }

    /// Stores an end that the store did not take before, ahead of any other change.
    async fn settle(&mut self, id: &RequestId) -> Result<(), Refusal> {
        if let Some(why) = self.waiting.get(id).and_then(|waiting| waiting.unstored) {
            self.end(id, why).await;
            if self.waiting.contains_key(id) {
                return Err(
                    Refusal::new(Code::RelayFault, "the relay's store does not answer").hint("try again in a minute")
                );
            }
        }
        Ok(())
    }

    /// Lets the first timer ring.
    async fn ring(&mut self) {
        let Some((_, id)) = self.timers.pop_first() else { return };
        let Some(waiting) = self.waiting.get(&id) else { return };
        if let Some(why) = waiting.unstored {
            return self.end(&id, why).await;
        }
        let stored = self
            .store
            .change_request(&id, None, |record, _, now| record.expire(now))
            .await;
        self.ended(
            &id,
            stored.map(|changed| changed.map(|(record, _)| record)),
            "its time was over",
        );
    }

    /// Tells an end that the store took, or arms the timer to try again.
    fn ended(&mut self, id: &RequestId, stored: Result<Option<Record>, StoreError>, why: &'static str) {
        match stored {
            Ok(Some(record)) => self.tell(&record),
            Ok(None) => self.forget(id),
            Err(error) => {
                tracing::error!(request = %id, %error, "cannot store the end of a request; trying again");
                if let Some(waiting) = self.waiting.get_mut(id) {
                    self.timers.remove(&(waiting.timer, id.clone()));
                    waiting.timer = Instant::now() + AGAIN;
                    waiting.unstored = Some(why);
                    // Whatever the store says: who waits must not go on.
                    waiting.outcome.send_replace(Some(Outcome::Expired));
                    self.timers.insert((waiting.timer, id.clone()));
                }
            }
        }
    }

    /// Tells those who wait where a request stands, and forgets one that is over.
    fn tell(&mut self, record: &Record) {
        self.changed.send_replace(());
        if let Some(waiting) = self.waiting.get(&record.id) {
            let outcome = record.outcome();
            waiting.outcome.send_if_modified(|known| {
                let changes = *known != outcome;
                *known = outcome;
                changes
            });
        }
        if !record.is_open() {
            self.forget(&record.id);
        }
    }

    fn forget(&mut self, id: &RequestId) {
        if let Some(waiting) = self.waiting.remove(id) {
            self.timers.remove(&(waiting.timer, id.clone()));
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

fn not_found(id: &RequestId) -> Refusal {
    Refusal::new(Code::NotFound, format!("there is no request {id}")).hint("`hoopctl requests ls` shows yours")
}

fn refused(id: &RequestId, error: DecideError) -> Refusal {
    let refusal = match error {
        DecideError::NotAnApprover => Refusal::new(
            Code::Blocked,
            format!("there is no request {id} that you may decide about"),
        )
        .hint("`hoopctl requests ls` shows those that you may"),
        DecideError::Own => Refusal::new(Code::Blocked, "nobody decides about their own request")
            .hint("ask another of its approvers; to withdraw it: `hoopctl requests cancel ID`"),
        DecideError::Workload => Refusal::new(Code::Blocked, "only people decide about requests"),
        DecideError::Over(status, outcome) => return over(id, status, outcome),
    };
    refusal.request(id.clone())
}

/// The refusal of a change to a request that has ended.
fn over(id: &RequestId, status: RequestStatus, outcome: Option<Outcome>) -> Refusal {
    match (status, outcome.and_then(|outcome| outcome.refusal(id))) {
        (RequestStatus::Denied, Some(refusal)) => Refusal {
            message: format!("{id} was {}", refusal.message),
            hint: None,
            ..refusal
        },
        (_, Some(refusal)) => Refusal { hint: None, ..refusal },
        (_, None) => Refusal::new(Code::Failed, format!("{id} was approved and released already")).request(id.clone()),
    }
}

#[cfg(test)]
mod tests;
