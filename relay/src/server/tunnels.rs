//! What the relay does for its tunnels: who they are, sessions opened and ended, streams handed to an engine.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hoop_shared::id::SessionId;
use hoop_shared::protocol::Protocol;
use hoop_shared::refusal::Refusal;
use hoop_shared::wire::{Open, Opened, WireLimits};
use metrics::{counter, gauge};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::{error, info};

use super::runs;
use crate::approval::Person;
use crate::authn::{Authn, Identity};
use crate::config::Target;
use crate::connection::{ClientStream, NotOpened, Service};
use crate::engine::postgres;
use crate::session::{Door, End, Lease, NewRun, Session, StreamSlot, Wish, supervise};
use crate::store::sessions::{NewSession, SessionCounts};
use crate::store::{Store, StoreError};
use crate::target::postgres::Targets;

/// How long an engine may take to say goodbye on a stream whose session has ended.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long a welcome waits for what the person should see.
const NOTICES: Duration = Duration::from_secs(2);
/// How often it is looked whether the last stream of an ended session is gone.
const LOOK: Duration = Duration::from_millis(20);

/// Serves tunnels. Its futures run on a data reactor; the store is asked on the control runtime.
#[derive(Clone, Debug)]
pub(super) struct Tunnels {
    pub authn: Arc<Authn>,
    pub door: Door,
    pub store: Store,
    /// What is known of the connections' targets.
    pub targets: Arc<Targets>,
    /// The control runtime.
    pub control: Handle,
    /// The tasks that see sessions to their end.
    pub endings: TaskTracker,
}

impl Tunnels {
    async fn begin(
        &self,
        who: Arc<Identity>,
        ask: &Open,
        source: IpAddr,
        notices: &mpsc::Sender<String>,
    ) -> Result<Arc<Session>, NotOpened> {
        self.authn.standing(&who)?;
        let key = runs::key(ask)?;
        if let Some(key) = &key {
            self.look_up(&who, &ask.connection, key).await?;
        }
        let wish = Wish {
            connection: ask.connection.clone(),
            reason: ask.reason.clone(),
            source,
            run: ask.run.as_ref().map(|_| NewRun { has_key: key.is_some() }),
        };
        let held = |text| {
            // A client that does not read its notices loses them.
            let _full = notices.try_send(text);
        };
        let session = self.door.open(Arc::clone(&who), wish, held).await?;
        // From here on the session is in the registry: whatever happens, it is seen to its end.
        self.endings
            .spawn_local(see_to_the_end(self.clone(), Arc::clone(&session)));
        let stored = self.on_control({
            let (store, line) = (self.store.clone(), line(&session));
            async move { store.insert_session(&line).await }
        });
        if let Err(error) = stored.await {
            error!(session = %session.id(), %error, "session not stored");
            session.end(End::NotRecorded);
            return Err(Refusal::from(error).into());
        }
        if let Err(not_begun) = self.begin_run(&session, key).await {
            session.end(End::Closed);
            return Err(not_begun);
        }
        // An approval may have taken an hour.
        if let Err(refusal) = self.authn.standing(&who) {
            session.end(End::Revoked);
            return Err(refusal.into());
        }
        Ok(session)
    }

    /// Runs what touches the store where the store lives.
    pub(super) async fn on_control<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.control
            .spawn(work)
            .await
            .unwrap_or(Err(StoreError::Value("a task that did not end")))
    }
}

impl Service for Tunnels {
    type Who = Arc<Identity>;
    type Lease = Lease;
    type Place = StreamSlot;

    fn authenticate(&self, certificate: &CertificateDer<'_>) -> Result<Arc<Identity>, Refusal> {
        self.authn.identity(certificate)
    }

    async fn notices(&self, who: &Arc<Identity>) -> Vec<String> {
        let seen = self.on_control({
            let (authn, who) = (Arc::clone(&self.authn), Arc::clone(who));
            async move { Ok(authn.new_logins(&who).await.unwrap_or_default()) }
        });
        // A store that is slow must not keep anybody out.
        let seen = tokio::time::timeout(NOTICES, seen).await.unwrap_or(Ok(Vec::new()));
        let sentences = seen.unwrap_or_default().into_iter();
        sentences.map(|login| login.sentence(who.label())).collect()
    }

    fn limits(&self) -> WireLimits {
        let rules = self.door.rules.load();
        let limits = &rules.config().limits;
        let count = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        WireLimits {
            streams_per_session: count(limits.streams_per_session),
            sessions: count(limits.sessions_per_principal),
        }
    }

    async fn open(
        &self,
        who: Arc<Identity>,
        ask: Open,
        source: IpAddr,
        notices: mpsc::Sender<String>,
    ) -> Result<(Opened, Lease), NotOpened> {
        match self.begin(Arc::clone(&who), &ask, source, &notices).await {
            Ok(session) => {
                counter!("hoop_sessions_total").increment(1);
                info!(
                    session = %session.id(),
                    principal = ?who.label(),
                    connection = ?ask.connection,
                    client = ?ask.client,
                    %source,
                    "session opened"
                );
                Ok((opened(&session, ask.number), Lease::new(session)))
            }
            Err(NotOpened::Repeated(session)) => {
                info!(principal = ?who.label(), connection = ?ask.connection, %session, "a run that happened before");
                Err(NotOpened::Repeated(session))
            }
            Err(NotOpened::Refused(refusal)) => {
                counter!("hoop_sessions_refused_total", "code" => refusal.code.as_str()).increment(1);
                info!(
                    principal = ?who.label(),
                    connection = ?ask.connection,
                    code = %refusal.code,
                    rule = ?refusal.rule,
                    %source,
                    "session refused"
                );
                Err(refusal.into())
            }
        }
    }

    fn ended(&self, lease: &Lease) -> impl Future<Output = Refusal> + 'static {
        let session = Arc::clone(lease.session());
        async move { session.ended().await }
    }

    fn detach(&self, lease: &Lease) -> Result<(), Refusal> {
        let session = lease.session();
        session.leave()?;
        info!(session = %session.id(), "its client left a run that waits");
        self.endings.spawn_local(runs::leave(self.clone(), Arc::clone(session)));
        Ok(())
    }

    fn close(&self, lease: Lease) {
        lease.close();
    }

    fn attach(&self, who: &Arc<Identity>, session: &SessionId) -> Result<StreamSlot, Refusal> {
        self.authn.standing(who)?;
        self.door.registry.of_login(session, who)?.stream()
    }

    async fn serve(&self, place: StreamSlot, stream: ClientStream) {
        let session = Arc::clone(place.session());
        let serving = serve(place, stream, Arc::clone(&self.targets));
        let Some(run) = session.run() else {
            return serving.await;
        };
        // A run that its client leaves outlives the connection that this is a part of.
        let mut task = AbortOnDropHandle::new(self.endings.spawn_local(serving));
        tokio::select! {
            _served = &mut task => {}
            () = run.left() => drop(task.detach()),
        }
    }
}

/// Serves a stream to its end, or to the end of its session and a moment longer.
async fn serve(place: StreamSlot, stream: ClientStream, targets: Arc<Targets>) {
    let session = Arc::clone(place.session());
    let served = async {
        match session.grant().connection().protocol {
            Protocol::Postgres => postgres::serve(stream, Arc::clone(&session), &targets).await,
        }
    };
    let overdue = async {
        session.ended().await;
        tokio::time::sleep(GOODBYE).await;
    };
    tokio::select! {
        _served = served => {}
        () = overdue => {}
    }
    if session.run().is_some_and(|run| run.is_left()) {
        session.end(End::Finished);
    }
}

fn opened(session: &Session, number: u32) -> Opened {
    let grant = session.grant();
    let (database, user) = match &grant.connection().target {
        Target::Postgres(target) => (target.database.clone(), target.user.clone()),
    };
    Opened {
        number,
        session: session.id().clone(),
        connection: grant.connection().name.clone(),
        protocol: grant.connection().protocol,
        database: Some(database),
        user: Some(user),
        expires: whole(grant.expires()),
        mark: session.run().map(|run| run.mark().to_owned()),
    }
}

/// A time in whole seconds, as certificates have it.
fn whole(time: SystemTime) -> OffsetDateTime {
    let time = OffsetDateTime::from(time);
    time.replace_nanosecond(0).unwrap_or(time)
}

fn line(session: &Session) -> NewSession {
    let grant = session.grant();
    NewSession {
        id: session.id().clone(),
        connection: grant.connection().name.clone(),
        protocol: grant.connection().protocol,
        owner: Person::of(grant.identity()),
        login: grant.identity().login().to_owned(),
        reason: grant.reason().map(str::to_owned),
        started: session.started().into(),
    }
}

/// Ends a session in time, and puts away what it leaves: its requests, its recording, its line.
async fn see_to_the_end(tunnels: Tunnels, session: Arc<Session>) {
    let running = gauge!("hoop_sessions");
    running.increment(1.0);
    let end = supervise(&session).await;
    tunnels.door.registry.remove(session.id());
    running.decrement(1.0);
    counter!("hoop_sessions_ended_total", "reason" => end.word()).increment(1);
    session.desk().session_ended(session.id()).await;
    // The last words on its streams are recorded too.
    let patience = Instant::now() + GOODBYE + Duration::from_secs(1);
    while session.streams() > 0 && Instant::now() < patience {
        tokio::time::sleep(LOOK).await;
    }
    runs::end(&tunnels, &session).await;
    let (recorder, id, word) = (session.recorder().clone(), session.id().clone(), end.word());
    let sealed = tunnels
        .control
        .spawn_blocking(move || (recorder.seal(word), recorder.counts()))
        .await;
    let (sealed, counts) = match sealed {
        Ok((Ok(counts), _)) => (true, counts),
        Ok((Err(error), counts)) => {
            error!(session = %id, %error, "recording not sealed");
            (false, counts)
        }
        Err(fault) => {
            error!(session = %id, %fault, "recording not sealed");
            (false, session.recorder().counts())
        }
    };
    let counts = SessionCounts {
        operations: counts.operations,
        blocked: counts.blocked,
        held: counts.held,
        masked: counts.masked,
    };
    info!(session = %id, end = word, operations = counts.operations, blocked = counts.blocked, "session ended");
    let (store, ended) = (tunnels.store.clone(), OffsetDateTime::now_utc());
    let stored = tunnels.on_control({
        let id = id.clone();
        async move { store.end_session(&id, ended, counts, sealed).await }
    });
    if let Err(error) = stored.await {
        error!(session = %id, %error, "session's end not stored");
    }
}
