//! A running session, shared by its streams.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use hoop_shared::id::SessionId;
use hoop_shared::refusal::{Code, Refusal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{CancelKeys, End, Grant, Holding, Rules, Run, SharedRules};
use crate::approval::Desk;
use crate::config::{Limits, SessionTimes};
use crate::mask::Masks;
use crate::policy::Policies;
use crate::record::Recorder;

/// How long a session outlives its control connection. Short: its client has nowhere to read why anything ends.
const LOST_GRACE: Duration = Duration::from_secs(5);
/// The longest sleep between two looks at the clock, so that a changed wall clock is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// `lost` of a session whose control connection is there.
const NOT_LOST: u64 = u64::MAX;

/// A running session.
#[derive(Debug)]
pub struct Session {
    grant: Grant,
    rules: SharedRules,
    desk: Desk,
    limits: Limits,
    times: SessionTimes,
    recorder: Recorder,
    started: Instant,
    started_at: SystemTime,
    /// Milliseconds after `started` of the last byte from the client.
    touched: AtomicU64,
    /// Milliseconds after `started` at which the control connection was gone.
    lost: AtomicU64,
    /// Operations that wait for people: meanwhile nothing is idle.
    held: AtomicUsize,
    run: Option<Arc<Run>>,
    streams: AtomicUsize,
    numbers: AtomicU32,
    cancel_keys: CancelKeys,
    why: OnceLock<End>,
    ending: CancellationToken,
    changed: Notify,
}

impl Session {
    pub(in crate::session) fn new(
        grant: Grant,
        rules: SharedRules,
        now: &Rules,
        desk: Desk,
        recorder: Recorder,
        run: Option<Arc<Run>>,
    ) -> Self {
        let config = now.config();
        Self {
            grant,
            rules,
            desk,
            limits: config.limits.clone(),
            times: config.session.clone(),
            recorder,
            started: Instant::now(),
            started_at: SystemTime::now(),
            touched: AtomicU64::new(0),
            lost: AtomicU64::new(NOT_LOST),
            held: AtomicUsize::new(0),
            run,
            streams: AtomicUsize::new(0),
            numbers: AtomicU32::new(0),
            cancel_keys: CancelKeys::default(),
            why: OnceLock::new(),
            ending: CancellationToken::new(),
            changed: Notify::new(),
        }
    }

    /// Who, to what, why, until when.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The session's id.
    pub fn id(&self) -> &SessionId {
        self.grant.session()
    }

    /// The policies that hold now: those of the last reload.
    pub fn policies(&self) -> Arc<Policies> {
        Arc::clone(self.rules.load().policies())
    }

    /// The masks that hold now for its connection; `None` where a reload took the connection away, and the session is
    /// about to end.
    pub fn masks(&self) -> Option<Arc<Masks>> {
        self.rules.load().masks(&self.grant.connection().name).cloned()
    }

    /// Where its operations wait for approval.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Its recording: what was decided is in it before what was decided about is released.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The limits that it was opened with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// When it was opened.
    pub fn started(&self) -> SystemTime {
        self.started_at
    }

    /// The cancel keys of its streams.
    pub fn cancel_keys(&self) -> &CancelKeys {
        &self.cancel_keys
    }

    /// Its run, where it is one.
    pub fn run(&self) -> Option<&Arc<Run>> {
        self.run.as_ref()
    }

    /// Notes that an operation waits for people, until what this gives is dropped.
    pub fn hold(self: &Arc<Self>) -> Waits {
        self.held.fetch_add(1, Ordering::Relaxed);
        Waits {
            _run: self.run.as_ref().map(Run::hold),
            session: Arc::clone(self),
        }
    }

    /// Lets a run go on without its client.
    ///
    /// # Errors
    /// It is no run, it has ended, or nothing waits.
    pub fn leave(&self) -> Result<(), Refusal> {
        if let Some(end) = self.why() {
            return Err(end.refusal());
        }
        match &self.run {
            Some(run) => run.leave(),
            None => Err(Refusal::new(
                Code::Unsupported,
                "this session is no run: it cannot be left",
            )),
        }
    }

    fn is_left(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.is_left())
    }

    /// Gives the next number to a client connection of this session, from 1.
    pub fn stream_number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Notes that the client is there. Cheap enough for every read.
    pub fn touch(&self) {
        self.touched.store(self.clock(), Ordering::Relaxed);
    }

    /// Waits for the session's end and says why, in the client's words. Cancel safe.
    pub async fn ended(&self) -> Refusal {
        self.ending.cancelled().await;
        self.why().map_or_else(|| End::Closed.refusal(), End::refusal)
    }

    /// Ends the session. The first reason stands.
    pub fn end(&self, why: End) {
        if self.why.set(why).is_ok() {
            self.ending.cancel();
        }
    }

    /// Why it ended; `None` while it runs.
    pub fn why(&self) -> Option<&End> {
        self.why.get()
    }

    /// Takes a place for one more client connection.
    ///
    /// # Errors
    /// The session has ended, or has as many as it may.
    pub fn stream(self: &Arc<Self>) -> Result<StreamSlot, Refusal> {
        if let Some(end) = self.why() {
            return Err(end.refusal());
        }
        let limit = self.limits.streams_per_session;
        let taken = self
            .streams
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < limit).then_some(n + 1));
        if taken.is_err() {
            let message = format!("the session has {limit} client connections, the most that it may have");
            return Err(Refusal::new(Code::LimitExceeded, message).hint("close some of them, or open another session"));
        }
        Ok(StreamSlot(Arc::clone(self)))
    }

    /// Client connections at this moment.
    pub fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    fn clock(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn since(&self, moment: &AtomicU64) -> Duration {
        Duration::from_millis(self.clock().saturating_sub(moment.load(Ordering::Relaxed)))
    }

    /// What has run out by now, or how long nothing will.
    fn due(&self) -> Result<Duration, End> {
        let credential = self.grant.expires() == self.grant.identity().expires();
        let left = self
            .grant
            .expires()
            .duration_since(SystemTime::now())
            .unwrap_or_default();
        if left.is_zero() {
            return Err(if credential {
                End::CredentialExpired
            } else {
                End::MaxDuration(self.times.max_duration)
            });
        }
        let mut wait = left.min(LONGEST_SLEEP);
        if self.held.load(Ordering::Relaxed) == 0 && !self.is_left() {
            let idle = self.times.idle_timeout.saturating_sub(self.since(&self.touched));
            if idle.is_zero() {
                return Err(End::Idle(self.times.idle_timeout));
            }
            wait = wait.min(idle);
        }
        if !self.is_left() && self.lost.load(Ordering::Relaxed) != NOT_LOST {
            let grace = LOST_GRACE.saturating_sub(self.since(&self.lost));
            if grace.is_zero() {
                return Err(End::Lost);
            }
            wait = wait.min(grace);
        }
        Ok(wait)
    }
}

/// Ends a session when its time is over; returns when it has ended, for whatever reason. Sleeps until the next limit.
pub async fn supervise(session: &Session) -> End {
    loop {
        if let Some(end) = session.why() {
            return end.clone();
        }
        match session.due() {
            Err(end) => session.end(end),
            // A little more than the rest, since timers count whole milliseconds.
            Ok(wait) => tokio::select! {
                () = session.ending.cancelled() => {}
                () = session.changed.notified() => {}
                () = tokio::time::sleep(wait + Duration::from_millis(1)) => {}
            },
        }
    }
}

/// A place for one client connection of a session.
#[derive(Debug)]
pub struct StreamSlot(Arc<Session>);

impl StreamSlot {
    /// Its session.
    pub fn session(&self) -> &Arc<Session> {
        &self.0
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
        self.0.touch();
    }
}

/// An operation of a session waits for people.
#[derive(Debug)]
pub struct Waits {
    _run: Option<Holding>,
    session: Arc<Session>,
}

impl Drop for Waits {
    fn drop(&mut self) {
        // Its client was not idle while it waited.
        self.session.touch();
        self.session.held.fetch_sub(1, Ordering::Relaxed);
        self.session.changed.notify_one();
    }
}

/// What a control connection holds of a session that was opened over it. Dropped without [`Lease::close`], the session
/// counts as lost and ends soon.
#[derive(Debug)]
pub struct Lease(Arc<Session>);

impl Lease {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self(session)
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        &self.0
    }

    /// Ends the session because its client said so.
    pub fn close(self) {
        self.0.end(End::Closed);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.lost.store(self.0.clock(), Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}
