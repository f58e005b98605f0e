//! `relay.toml`: the relay's whole configuration.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hoop_shared::protocol::Protocol;
use secrecy::SecretString;

/// A valid configuration. Everything in it was checked; secrets are read.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[listen] address`.
    pub listen: SocketAddr,
    /// `[tls]`: certificate chain and key files; `None`: a private CA in `data_dir`.
    pub tls: Option<TlsFiles>,
    /// `[storage] data_dir`.
    pub data_dir: PathBuf,
    /// `[recording]`.
    pub recording: Recording,
    /// `[limits]`.
    pub limits: Limits,
    /// `[telemetry] metrics`.
    pub metrics: Option<SocketAddr>,
    /// `[session]`.
    pub session: SessionTimes,
    /// `[[identity_provider]]`.
    pub identity_providers: Vec<IdentityProvider>,
    /// `[[workload_identity]]`.
    pub workload_identities: Vec<WorkloadIdentity>,
    /// `[policy]`.
    pub policy: PolicyFiles,
    /// `[[connection]]`, by order of the file.
    pub connections: Vec<Arc<Connection>>,
    /// `[[mask]]`.
    pub masks: Vec<MaskRule>,
}

/// `[tls]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Chain, PEM.
    pub certificate: PathBuf,
    /// Key, PEM.
    pub private_key: PathBuf,
}

/// `[recording]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// `content = "full"`: results too; else statements only.
    pub full: bool,
    /// What a power cut may lose; `None` is `"always"`: durable before release.
    pub sync: Option<Duration>,
}

/// `[limits]`. Each has a documented default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest statement, in bytes.
    pub statement_bytes: usize,
    /// Held operations of one session at a time.
    pub pending_requests_per_session: usize,
    /// Client connections of one session at a time.
    pub streams_per_session: usize,
    /// Sessions of one principal at a time.
    pub sessions_per_principal: usize,
    /// Prepared statements and portals of one client connection.
    pub prepared_statements: usize,
    /// The longest row whose values are masked, in bytes.
    pub masked_row_bytes: usize,
    /// Bytes that wait behind a held operation.
    pub held_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement_bytes: 16 << 20,
            pending_requests_per_session: 4,
            streams_per_session: 100,
            sessions_per_principal: 200,
            prepared_statements: 10_000,
            masked_row_bytes: 64 << 20,
            held_bytes: 16 << 20,
        }
    }
}

/// `[session]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// How long a login's certificate lives.
    pub credential_ttl: Duration,
    /// The longest session.
    pub max_duration: Duration,
    /// Without a byte from the client.
    pub idle_timeout: Duration,
    /// After SIGTERM.
    pub drain: Duration,
}

impl Default for SessionTimes {
    fn default() -> Self {
        Self {
            credential_ttl: Duration::from_secs(12 * 3600),
            max_duration: Duration::from_secs(8 * 3600),
            idle_timeout: Duration::from_secs(30 * 60),
            drain: Duration::from_secs(30),
        }
    }
}

/// `[[identity_provider]]`: people.
#[derive(Clone, Debug)]
pub struct IdentityProvider {
    /// Its name here.
    pub name: String,
    /// The issuer's URL, exact.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
    /// Our client secret there, where it is a confidential client.
    pub client_secret: Option<SecretString>,
    /// Scopes besides `openid`.
    pub scopes: Vec<String>,
    /// The claim that labels the principal.
    pub username_claim: String,
    /// The claim that holds the groups: a name, or a JSON pointer.
    pub groups_claim: String,
    /// Signature algorithms that are accepted.
    pub algorithms: Vec<String>,
    /// `email` counts without `email_verified`.
    pub trust_unverified_email: bool,
}

/// `[[workload_identity]]`: CI and agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadIdentity {
    /// Its name here: the first part of a workload's label.
    pub name: String,
    /// The issuer's URL, exact.
    pub issuer: String,
    /// Our audience.
    pub audience: String,
    /// Group → claims that must all be equal (a claim's name or JSON pointer, and its value).
    pub groups: Vec<(String, Vec<(String, serde_json::Value)>)>,
    /// Signature algorithms that are accepted.
    pub algorithms: Vec<String>,
}

/// `[policy]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFiles {
    /// The files, patterns expanded.
    pub files: Vec<PathBuf>,
    /// `@ttl` where a rule has none.
    pub default_approval_ttl: Duration,
}

/// `[[connection]]`: a named target.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its tags, `key:value`.
    pub tags: Vec<String>,
    /// What the protocol needs.
    pub target: Target,
}

/// A target, by protocol.
#[derive(Clone, Debug)]
pub enum Target {
    /// PostgreSQL.
    Postgres(PostgresTarget),
}

/// A PostgreSQL target.
#[derive(Clone, Debug)]
pub struct PostgresTarget {
    /// `host:port`, or the directory of a Unix socket and a port (`/run/postgresql:5432`).
    pub host: String,
    /// TCP port, or the number in the socket's name.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// Its password.
    pub password: Option<SecretString>,
    /// How TLS is used.
    pub tls: TlsMode,
    /// The CA file for `verify-*`; `None`: the system's.
    pub ca: Option<PathBuf>,
}

/// libpq's words for TLS towards a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Disable,
    /// Encrypted, not verified.
    Require,
    /// The chain is verified.
    VerifyCa,
    /// Chain and host name are verified.
    VerifyFull,
}

/// `[[mask]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskRule {
    /// What it masks.
    pub what: MaskWhat,
    /// How.
    pub with: MaskWith,
    /// Connection name patterns (`*`); empty: all.
    pub connections: Vec<String>,
}

/// What a mask rule finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaskWhat {
    /// `table.column`, `schema.table.column`, with `*` in any part.
    Columns(Vec<String>),
    /// Detectors by name.
    Detect(Vec<Detector>),
}

/// How a value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MaskWith {
    /// A constant.
    Redact,
    /// All but the last characters.
    Partial {
        /// How many stay (default 4).
        keep_last: usize,
    },
    /// A keyed hash.
    Hash,
    /// NULL.
    Null,
}

/// A content detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// An e-mail address.
    Email,
    /// A payment card number, by Luhn.
    CreditCard,
    /// A US social security number.
    UsSsn,
    /// An IBAN, by mod 97.
    Iban,
    /// A telephone number.
    Phone,
    /// A JSON Web Token.
    Jwt,
    /// A PEM private key.
    PrivateKey,
    /// An AWS access key.
    AwsKey,
    /// A GitHub token.
    GithubToken,
    /// The value of a field called password, secret, token, …
    PasswordField,
}
