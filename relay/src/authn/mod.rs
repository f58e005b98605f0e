//! Who acts. Only this module makes an [`Identity`]: from a client certificate whose login record is valid.
//!
//! ```text
//! person    device ──▶ issuer (device flow, run by the relay) ──▶ token ─┐
//!           browser ─▶ issuer (authorization code with PKCE) ───▶ token ─┤
//! workload  workload ──▶ a token of its platform ────────────────▶ token ─┤ claims ──▶ Principal
//!                                                                         ▼
//!                              store (label bound, record made) ◀── enrol ──▶ authority (certificate for the CSR's key)
//! later     certificate ──▶ view (records in memory) ──▶ Identity
//! ```
//!
//! No token of an issuer reaches `hoopctl`; what it holds is a certificate for a key that never leaves its machine. The
//! rules that a login follows are those of RFC 8628, OpenID Connect Core and RFC 8725 (best current practice for JWT).

use std::net::IpAddr;
use std::sync::{Arc, RwLock};
use std::time::SystemTime;

pub use hoop_shared::api::PrincipalKind;
use hoop_shared::api::{LoginSeen, Whoami};
use hoop_shared::refusal::{Code, Refusal};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::store::logins::Attempt;
use crate::store::{Store, StoreError};

pub mod authority;
mod browser;
mod claims;
mod device;
mod enrol;
mod http;
mod issuer;
mod json;
mod keys;
mod limits;
mod provider;
mod reach;
#[cfg(test)]
mod testing;
mod token;
mod token_endpoint;
mod view;
mod waiting;
mod workload;

use authority::{Authority, AuthorityError, Purpose};
use http::Http;
use issuer::Issuers;
use limits::{Gate, Rate};
use reach::Reached;
use view::View;
use waiting::Logins;

/// A principal, as its login record has it.
#[derive(Clone, Debug)]
pub struct Identity {
    login: String,
    label: String,
    kind: PrincipalKind,
    issuer: String,
    subject: String,
    groups: Vec<String>,
    expires: SystemTime,
}

impl Identity {
    /// The login record's id: the certificate's serial number in hex.
    pub fn login(&self) -> &str {
        &self.login
    }

    /// What policies call the principal. Bound to (issuer, subject) by the first login.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Person or workload.
    pub fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The issuer's URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The issuer's `sub`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The groups of the login, sorted.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// When the certificate ends.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// Whether both are the same principal, over whatever logins: same issuer, same `sub`.
    pub fn same_principal(&self, other: &Self) -> bool {
        self.issuer == other.issuer && self.subject == other.subject
    }

    /// Makes an identity without a login, for tests.
    #[cfg(test)]
    pub fn sample(label: &str, kind: PrincipalKind, groups: &[&str]) -> Self {
        let mut groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        groups.sort();
        Self {
            login: format!("login of {label}"),
            label: label.to_owned(),
            kind,
            issuer: "https://issuer.test".to_owned(),
            subject: format!("sub of {label}"),
            groups,
            expires: SystemTime::now() + std::time::Duration::from_secs(3600),
        }
    }

    /// The same identity with another end, for tests.
    #[cfg(test)]
    pub fn expiring(mut self, expires: SystemTime) -> Self {
        self.expires = expires;
        self
    }
}

/// What a login found out: everything of an [`Identity`] that the issuer says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Principal {
    label: String,
    kind: PrincipalKind,
    issuer: String,
    subject: String,
    groups: Vec<String>,
}

/// Who asks for a login, for limits and for the audit.
#[derive(Clone, Debug)]
pub struct Applicant {
    /// The address.
    pub source: IpAddr,
    /// The machine's name, as it said.
    pub machine: String,
}

/// Why authentication cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AuthnError {
    /// The relay's own CA cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An issuer's configuration cannot be used.
    #[error("{name}: {problem}")]
    Issuer {
        /// Its name in the configuration.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The client that speaks to issuers could not be made.
    #[error("the HTTPS client for issuers: {0}")]
    Http(String),
}

/// Is told the serials of logins that were revoked, at once and from any thread; it must not block.
pub type OnRevoked = Box<dyn Fn(&str) + Send + Sync>;

/// Is told the newest identity of a person whose groups changed, at once and from any thread; it must not block.
pub type OnRegrouped = Box<dyn Fn(&Identity) + Send + Sync>;

/// The relay's logins: who may make one, what stands for them, whether they still hold.
pub struct Authn {
    store: Store,
    authority: Authority,
    trusted: Vec<CertificateDer<'static>>,
    http: Arc<Http>,
    issuers: RwLock<Arc<Issuers>>,
    view: View,
    logins: Logins,
    gate: Gate,
    reached: Reached,
    on_revoked: RwLock<Vec<OnRevoked>>,
    on_regrouped: RwLock<Vec<OnRegrouped>>,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Authn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authn").finish_non_exhaustive()
    }
}

impl Authn {
    /// Opens the CA in `data_dir` (makes one the first time), publishes it, and reads the login records.
    /// No issuer is asked before somebody logs in.
    ///
    /// # Errors
    /// A key file is open to others, the store fails, or an issuer's configuration cannot be used.
    pub async fn open(config: &Config, store: Store) -> Result<Arc<Self>, AuthnError> {
        let now = OffsetDateTime::now_utc();
        let authority = Authority::open(&config.data_dir, Purpose::Clients, now)?;
        store
            .publish_authority(authority.fingerprint(), authority.certificate(), now)
            .await?;
        let trusted = store
            .authorities(now - config.session.credential_ttl)
            .await?
            .into_iter()
            .map(CertificateDer::from)
            .collect();
        let view = View::default();
        view.refresh(&store, now).await?;
        let http = Arc::new(Http::new(None).map_err(AuthnError::Http)?);
        Ok(Arc::new(Self {
            issuers: RwLock::new(Arc::new(Issuers::new(config, &http)?)),
            store,
            authority,
            trusted,
            http,
            view,
            logins: Logins::default(),
            gate: Gate::default(),
            reached: Reached::default(),
            on_revoked: RwLock::default(),
            on_regrouped: RwLock::default(),
            tasks: TaskTracker::new(),
        }))
    }

    /// Takes over issuers and lifetimes from a new configuration, all or nothing. Logins that wait keep the old ones.
    ///
    /// # Errors
    /// An issuer's configuration cannot be used.
    pub fn reconfigure(&self, config: &Config) -> Result<(), AuthnError> {
        let issuers = Arc::new(Issuers::new(config, &self.http)?);
        *self.issuers.write().unwrap_or_else(std::sync::PoisonError::into_inner) = issuers;
        Ok(())
    }

    fn issuers(&self) -> Arc<Issuers> {
        Arc::clone(&self.issuers.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// The CA certificates that client certificates may come from: this relay's, and those of the relays that share the store.
    pub fn trusted(&self) -> &[CertificateDer<'static>] {
        &self.trusted
    }

    /// Names of the identity providers for people; the first is the default.
    pub fn providers(&self) -> Vec<String> {
        self.issuers()
            .people
            .iter()
            .map(|person| person.config.name.clone())
            .collect()
    }

    /// Calls `told` with the serial of every login that is revoked from now on, by whomever and in whatever process.
    pub fn on_revoked(&self, told: OnRevoked) {
        self.on_revoked
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(told);
    }

    /// Calls `told` with the newest identity of every person whose groups change from now on: older logins have them too.
    pub fn on_regrouped(&self, told: OnRegrouped) {
        self.on_regrouped
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(told);
    }

    /// Makes the identity of a client certificate whose chain and key TLS has verified. Does not wait for the store.
    ///
    /// # Errors
    /// The login is unknown, revoked or expired, each with its own message.
    pub fn identity(&self, certificate: &CertificateDer<'_>) -> Result<Arc<Identity>, Refusal> {
        let (serial, fingerprint) = authority::presented(certificate)
            .ok_or_else(|| Refusal::new(Code::LoginNeeded, "the client certificate cannot be read").hint(LOG_IN))?;
        self.view.identity(&serial, &fingerprint, SystemTime::now())
    }

    /// Asks whether an identity's login still holds. Does not wait for the store.
    ///
    /// # Errors
    /// The login is revoked or expired.
    pub fn standing(&self, identity: &Identity) -> Result<(), Refusal> {
        self.view.standing(identity.login(), SystemTime::now())
    }

    /// Gives the newest login of a principal that is neither expired nor revoked: what an approver's groups are read from.
    pub fn newest(&self, issuer: &str, subject: &str) -> Option<Arc<Identity>> {
        self.view.newest(issuer, subject, SystemTime::now())
    }

    /// Says who an identity is, with the logins that its principal has not been told of.
    ///
    /// # Errors
    /// The store failed.
    pub async fn whoami(&self, identity: &Identity) -> Result<Whoami, Refusal> {
        let mut whoami = enrol::whoami(identity);
        whoami.new_logins = self.new_logins(identity).await?;
        Ok(whoami)
    }

    /// Gives the logins of the identity's principal, other than its own, that it was not told of yet; each is given once.
    ///
    /// # Errors
    /// The store failed.
    pub async fn new_logins(&self, identity: &Identity) -> Result<Vec<LoginSeen>, Refusal> {
        self.store.new_logins(identity.login()).await.map_err(logged)
    }

    /// Ends the identity's own login, and the sessions that it opened.
    ///
    /// # Errors
    /// The store failed.
    pub async fn logout(&self, identity: &Identity) -> Result<(), Refusal> {
        let now = OffsetDateTime::now_utc();
        self.store
            .revoke_login(identity.login(), identity.label(), now)
            .await
            .map_err(logged)?;
        self.refresh().await.map_err(logged)
    }

    /// Ends every login of the identity's principal, on whatever machine, and the sessions that they opened.
    ///
    /// # Errors
    /// The store failed.
    pub async fn logout_everywhere(&self, identity: &Identity) -> Result<(), Refusal> {
        let now = OffsetDateTime::now_utc();
        self.store
            .revoke_principal(identity.issuer(), identity.subject(), identity.label(), now)
            .await
            .map_err(logged)?;
        self.refresh().await.map_err(logged)
    }

    /// Reads what changed in the store and tells who must know.
    ///
    /// # Errors
    /// The store failed.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let news = self.view.refresh(&self.store, OffsetDateTime::now_utc()).await?;
        let told = self
            .on_revoked
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for serial in &news.revoked {
            tracing::info!(login = serial, "login revoked");
            told.iter().for_each(|told| told(serial));
        }
        let told = self
            .on_regrouped
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for identity in &news.regrouped {
            tracing::info!(principal = identity.label(), groups = ?identity.groups(), "groups changed");
            told.iter().for_each(|told| told(identity));
        }
        Ok(())
    }

    /// Keeps the records in memory current until `cancel`: what another process or relay revokes is known within a
    /// second. Runs on the control runtime for as long as the relay serves; without it, identities are refused after
    /// some seconds.
    pub async fn run(&self, cancel: CancellationToken) {
        let mut forgotten = tokio::time::Instant::now();
        while !cancel.is_cancelled() {
            if let Err(error) = self.refresh().await {
                tracing::error!(%error, "login records cannot be read");
            }
            if forgotten.elapsed() > FORGET {
                forgotten = tokio::time::Instant::now();
                self.logins.forget_expired();
                let now = OffsetDateTime::now_utc();
                let forgotten = async {
                    self.store.forget_expired_tokens(now).await?;
                    self.store.forget_attempts(now - ATTEMPTS).await
                };
                if let Err(error) = forgotten.await {
                    tracing::error!(%error, "what has expired cannot be forgotten");
                }
            }
            tokio::select! {
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(REFRESH) => {}
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Lets a source through, or says when to come again. A limit delays, it never locks a principal out.
    fn admit(&self, rate: Rate, source: IpAddr) -> Result<(), Refusal> {
        self.gate.pass(rate, source).map_err(|wait| {
            Refusal::new(Code::LimitExceeded, "too many logins are tried from this address")
                .hint(format!("try again in {} s", wait.as_secs() + 1))
        })
    }

    /// Records an attempt to log in. A login goes on when its record cannot be written; making the login record itself fails then too.
    async fn record(&self, attempt: Attempt) {
        tracing::info!(
            outcome = attempt.outcome,
            issuer = attempt.issuer.as_deref(),
            source = attempt.source,
            detail = attempt.detail.as_deref(),
            "login"
        );
        if let Err(error) = self.store.record_attempt(&attempt, OffsetDateTime::now_utc()).await {
            tracing::error!(%error, "login attempt not recorded");
        }
    }
}

/// How often changes of the store are looked for: a revocation by another process is visible within a second.
const REFRESH: std::time::Duration = std::time::Duration::from_millis(400);
/// How often what has expired is forgotten.
const FORGET: std::time::Duration = std::time::Duration::from_secs(60);
/// How long attempts to log in are kept.
const ATTEMPTS: time::Duration = time::Duration::days(400);
/// The hint of every refusal that a new login answers.
const LOG_IN: &str = "run `hoopctl login`";

/// Logs a failure of the store, once, and tells the user no more than that.
fn logged(error: StoreError) -> Refusal {
    tracing::error!(%error, "store");
    error.into()
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::config as test_config;
