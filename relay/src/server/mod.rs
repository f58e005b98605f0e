//! The relay, put together: what it is made of, how it starts, reloads and ends.
//!
//! ```text
//! main thread   control runtime: API, logins, store, approvals, signals
//! data-0        data reactor: tunnels, sessions, engines          (crate::connection)
//! recording-*   sealing, syncing                                  (crate::record)
//! ```
//!
//! Start: configuration and policies → store, logins, recordings of the last run → port → one line of JSON on stdout.
//! SIGHUP: reload, all or nothing. SIGTERM: no new sessions, `[session] drain` for those that run, then the end.

mod bindings;
mod certificate;
mod embedded;
mod error;
mod reload;
mod runs;
mod tunnels;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::api::{self, Api};
use crate::approval::{Desk, DeskOptions};
use crate::authn::Authn;
use crate::config::{Config, IdentityProvider, Loaded, Problem};
use crate::connection::{self, Bounds, Parts, Phase, Tls};
use crate::dev::Provider;
use crate::mask;
use crate::policy::Policies;
use crate::record::{KeptResults, Keys, Recordings};
use crate::session::{Door, End, Registry, Rules};
use crate::shutdown::{Signal, Signals};
use crate::store::Store;
use crate::store::sessions::SessionCounts;
use crate::target::postgres::Targets;
use crate::telemetry;

pub use error::ServeError;

use bindings::StoredBindings;
use certificate::ServerCertificate;
use embedded::{embedded, entry_of, with_provider};
use tunnels::Tunnels;

/// Threads of the control runtime: what it does waits for disks and networks, not for processors.
const CONTROL_THREADS: usize = 2;
/// How long sessions may take to say goodbye once the relay ends them.
const LAST_WORDS: Duration = Duration::from_secs(4);
/// The file in `data_dir` of the key that signs QUIC's stateless resets.
const RESET_KEY: &str = "quic-reset.key";

/// Reads the configuration, with what the command line says over it. Called at the start and at every reload.
pub type Load = Box<dyn Fn() -> Result<Loaded, Vec<Problem>> + Send + Sync>;

/// How a relay is run.
pub struct Options {
    /// Reads the configuration.
    pub load: Load,
    /// With an embedded identity provider, for trying out and tests.
    pub dev: Option<DevOptions>,
}

/// `hoop-relay dev`.
#[derive(Clone, Debug, Default)]
pub struct DevOptions {
    /// `--sign-in-as`: whose device codes are approved by themselves.
    pub sign_in_as: Option<String>,
}

/// A running relay.
pub struct Relay {
    load: Load,
    /// The embedded identity provider's entry, put into every configuration.
    dev: Option<IdentityProvider>,
    mask_key: Zeroizing<[u8; 32]>,
    reset_key: Zeroizing<[u8; 32]>,
    authn: Arc<Authn>,
    desk: Desk,
    door: Door,
    store: Store,
    tls: Arc<ArcSwap<Tls>>,
    api: Arc<Api>,
    phase: watch::Sender<Phase>,
    endings: TaskTracker,
}

/// The line on stdout that says where the relay is.
#[derive(Serialize)]
struct Ready<'a> {
    relay: SocketAddr,
    pin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
}

/// Runs a relay until it is told to stop.
///
/// # Errors
/// It does not start.
pub fn run(options: Options) -> Result<(), ServeError> {
    telemetry::log();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(ServeError::system("no threads"))?;
    runtime.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), ServeError> {
    // Before anything else: a SIGHUP that comes early must not end the process.
    let mut signals = Signals::new().map_err(ServeError::system("no signals"))?;
    let config = checked((options.load)()?);
    let background = CancellationToken::new();
    let tasks = TaskTracker::new();

    let store = Store::open(&config.data_dir).await?;
    let (provider, dev) = match &options.dev {
        Some(dev) => {
            let provider = embedded(&config, dev).await?;
            let entry = entry_of(&provider);
            (Some(provider), Some(entry))
        }
        None => (None, None),
    };
    let config = with_provider(config, dev.as_ref());
    let mask_key = mask::open_key(&config.data_dir)?;
    let rules = rules(config, &mask_key, None)?;
    let config = Arc::clone(rules.config());

    if let Some(address) = config.metrics {
        let counts = telemetry::count()?;
        let listener = telemetry::bind(address).await?;
        tasks.spawn(telemetry::serve(listener, counts, background.clone()));
    }
    let recordings = Arc::new(open_recordings(&config)?);
    settle_last_run(&store, &recordings).await?;
    store.interrupt_runs(OffsetDateTime::now_utc()).await?;
    let results = Arc::new(KeptResults::open(&config.data_dir, config.recording.full)?);
    let authn = Authn::open(&config, store.clone()).await?;
    let desk_options = DeskOptions {
        pending_per_session: config.limits.pending_requests_per_session,
    };
    let (desk, clerk) = Desk::open(store.clone(), desk_options).await?;
    let registry = Arc::new(Registry::default());
    authn.on_revoked(Box::new({
        let registry = Arc::clone(&registry);
        move |login| registry.revoke_login(login)
    }));
    tasks.spawn({
        let (authn, stop) = (Arc::clone(&authn), background.clone());
        async move { authn.run(stop).await }
    });
    tasks.spawn(clerk.run(background.clone()));

    let certificate = ServerCertificate::open(&config)?;
    let door = Door {
        rules: rules.shared(),
        desk: desk.clone(),
        registry,
        recordings: Arc::clone(&recordings),
        results: Arc::clone(&results),
    };
    authn.on_regrouped(Box::new({
        let door = door.clone();
        move |newest| reload::follow_groups(&door, newest)
    }));
    tasks.spawn(runs::forget(
        store.clone(),
        results,
        Arc::clone(&door.rules),
        background.clone(),
    ));
    let relay = Relay {
        load: options.load,
        dev,
        mask_key,
        reset_key: mask::open_key_file(&config.data_dir.join(RESET_KEY))?,
        tls: connection::shared(certificate.tls(&authn)?),
        api: Api::new(Arc::clone(&authn), store.clone(), door.clone()),
        door,
        authn,
        desk,
        store,
        phase: watch::Sender::new(Phase::Serving),
        endings: TaskTracker::new(),
    };
    let sockets = connection::bind(config.listen).map_err(|error| ServeError::Listen {
        address: config.listen,
        error,
    })?;
    let address = sockets.address;
    let serving = connection::serve(sockets, relay.parts(), relay.phase.subscribe())
        .map_err(ServeError::system("no data reactor"))?;

    relay.api.set_ready(true);
    say_ready(&Ready {
        relay: address,
        pin: certificate.pin.to_string(),
        ca: certificate.ca.clone(),
        issuer: provider.as_ref().map(Provider::issuer),
    })?;
    info!(%address, pin = %certificate.pin, "the relay serves");

    while signals.next().await == Signal::Reload {
        relay.reload();
    }
    relay.drain(&mut signals).await;
    serving.finished().await;
    background.cancel();
    tasks.close();
    tasks.wait().await;
    let settle = tokio::task::spawn_blocking(move || recordings.settle());
    if let Err(fault) = settle.await {
        tracing::error!(%fault, "recordings are not put away");
    }
    relay.store.close().await;
    info!("the relay has ended");
    Ok(())
}

impl Relay {
    fn parts(&self) -> Parts<Tunnels> {
        Parts {
            service: Arc::new(Tunnels {
                authn: Arc::clone(&self.authn),
                door: self.door.clone(),
                store: self.store.clone(),
                targets: Arc::new(Targets::new(Arc::new(StoredBindings {
                    rules: self.door.rules.clone(),
                    store: self.store.clone(),
                    control: tokio::runtime::Handle::current(),
                }))),
                control: tokio::runtime::Handle::current(),
                endings: self.endings.clone(),
            }),
            tls: Arc::clone(&self.tls),
            reset_key: self.reset_key.clone(),
            bounds: Bounds::default(),
            api: api::router(Arc::clone(&self.api)),
        }
    }

    /// Reads the configuration again.
    fn load(&self) -> Result<Config, ServeError> {
        Ok(with_provider(checked((self.load)()?), self.dev.as_ref()))
    }

    /// Takes no new sessions, lets those that run end, then ends them. A second stop ends them at once.
    async fn drain(&self, signals: &mut Signals) {
        let patience = self.door.rules.load().config().session.drain;
        let registry = &self.door.registry;
        info!(sessions = registry.count(), ?patience, "the relay drains");
        notify(&[sd_notify::NotifyState::Stopping]);
        self.api.set_ready(false);
        self.phase.send_replace(Phase::Draining);
        tokio::select! {
            () = registry.empty() => {}
            () = tokio::time::sleep(patience) => {}
            () = stopped(signals) => {}
        }
        registry.end_where(|_| Some(End::Draining));
        self.endings.close();
        if tokio::time::timeout(LAST_WORDS, self.endings.wait()).await.is_err() {
            warn!(sessions = self.endings.len(), "sessions did not end in time");
        }
        self.phase.send_replace(Phase::Closed);
    }
}

async fn stopped(signals: &mut Signals) {
    while signals.next().await != Signal::Stop {}
}

/// Puts a generation of rules together.
fn rules(config: Config, mask_key: &[u8; 32], before: Option<&Rules>) -> Result<Rules, ServeError> {
    let policies = Policies::load(&config.policy).map_err(ServeError::Configuration)?;
    for warning in policies.warnings() {
        warn!(problem = %warning.render(false), "policy");
    }
    Ok(Rules::new(config, policies, mask_key, before)?)
}

/// Says what is odd about a configuration.
fn checked(loaded: Loaded) -> Config {
    for warning in &loaded.warnings {
        warn!(problem = %warning.render(false), "configuration");
    }
    loaded.config
}

fn open_recordings(config: &Config) -> Result<Recordings, ServeError> {
    let keys = Keys::open(&config.data_dir)?;
    let recording = &config.recording;
    Ok(Recordings::open(
        &config.data_dir,
        keys,
        recording.full,
        recording.sync,
        config.limits.recording_bytes as u64,
    )?)
}

/// Ends what the last run of the relay left open: its recordings are sealed, its sessions have an end.
async fn settle_last_run(store: &Store, recordings: &Recordings) -> Result<(), ServeError> {
    let recovered = recordings.recover()?;
    for session in store.open_sessions().await? {
        let id = &session.summary.id;
        let found = recovered.iter().find(|recording| recording.session == *id);
        let counts = found.map_or_else(SessionCounts::default, |recording| SessionCounts {
            operations: recording.counts.operations,
            blocked: recording.counts.blocked,
            held: recording.counts.held,
            masked: recording.counts.masked,
        });
        let ended = found.and_then(|recording| OffsetDateTime::parse(&recording.ended, &Rfc3339).ok());
        let sealed = found.is_some_and(|recording| recording.sealed);
        store
            .end_session(id, ended.unwrap_or(session.summary.started), counts, sealed)
            .await?;
        info!(session = %id, sealed, "ended a session of an earlier run");
    }
    Ok(())
}

/// Prints the line that scripts wait for, and tells the service manager.
fn say_ready(ready: &Ready<'_>) -> Result<(), ServeError> {
    let line = serde_json::to_string(ready).map_err(std::io::Error::from);
    line.and_then(|line| writeln!(std::io::stdout().lock(), "{line}"))
        .map_err(ServeError::system("standard output"))?;
    notify(&[sd_notify::NotifyState::Ready]);
    Ok(())
}

fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "the service manager is not told");
    }
}
