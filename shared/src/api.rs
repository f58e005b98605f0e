//! The JSON of the relay's HTTPS API and of `hoopctl -o json`: one set of types for both ends.
//!
//! | route | credential | gives |
//! |---|---|---|
//! | `GET /healthz`, `GET /readyz` | none | text |
//! | `GET /v1/info` | none | [`Info`] |
//! | `POST /v1/login/device` | none | [`DeviceStart`] → [`DeviceStarted`] |
//! | `POST /v1/login/device/poll` | none | [`DevicePoll`] → [`DevicePolled`] |
//! | `POST /v1/login/browser` | none | [`BrowserStart`] → [`BrowserStarted`] |
//! | `POST /v1/login/browser/finish` | none | [`BrowserFinish`] → [`Enrolled`] |
//! | `POST /v1/login/workload` | none | [`WorkloadLogin`] → [`Enrolled`] |
//! | `GET /v1/whoami` | certificate | [`Whoami`] |
//! | `POST /v1/logout` | certificate | [`Logout`] → `{}` |
//! | `GET /v1/providers` | certificate | `[`[`ProviderReached`]`]` |
//! | `GET /v1/connections` | certificate | `[`[`ConnectionListed`]`]` |
//! | `GET /v1/requests?status=…&order=newest\|oldest&before=ID&after=ID&brief=true&limit=N` | certificate | `[`[`Request`]`]` |
//! | `GET /v1/requests/changes?after=N&seconds=N&brief=true&limit=N` | certificate | [`RequestChanges`], at the first change or when the time is over |
//! | `GET /v1/requests/ID` | certificate | [`Request`] |
//! | `GET /v1/requests/ID/history?limit=N` | certificate | `[`[`Request`]`]`: earlier ones of the same principal |
//! | `GET /v1/requests/ID/wait?seconds=N` | certificate | [`Request`], when it is no longer pending or the time is over |
//! | `POST /v1/requests/ID/decision` | certificate | [`Decide`] → [`Request`] |
//! | `POST /v1/requests/ID/cancel` | certificate | [`Request`] |
//! | `GET /v1/runs/ID?seconds=N` | certificate | [`RunShown`], when it has ended, something of it waits, or the time is over |
//! | `GET /v1/runs/ID/result?from=start\|left` | certificate | PostgreSQL's messages |
//! | `GET /v1/sessions` | certificate | `[`[`SessionSummary`]`]` |
//! | `GET /v1/sessions/ID` | certificate | [`SessionShown`] |
//! | `GET /v1/sessions/ID/verify` | certificate | [`Verified`] |
//! | `POST /v1/sessions/ID/kill` | certificate | `{}` |
//!
//! An error is an HTTP status and `{"error": `[`Refusal`]`}`. Times are RFC 3339.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::id::{RequestId, SessionId};
use crate::protocol::Protocol;
use crate::refusal::Refusal;

/// The body of an error answer, and the last line on stderr under `-o json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What, why, what next.
    pub error: Refusal,
}

/// What anybody may know about a relay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Info {
    /// The relay's version.
    pub version: String,
    /// The oldest and newest wire version that it speaks.
    pub wire: (u16, u16),
    /// Names of the identity providers for people; the first is the default.
    pub issuers: Vec<String>,
    /// The relay's time, to notice a wrong clock.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub time: Option<OffsetDateTime>,
}

/// Starts a device login (RFC 8628) for a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceStart {
    /// PKCS #10, PEM. Only its public key is used.
    pub csr: String,
    /// The identity provider's name; the relay's first where absent.
    #[serde(default)]
    pub issuer: Option<String>,
    /// The machine's name, for people to recognise the login.
    pub machine: String,
}

/// What the person must do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceStarted {
    /// Names this login while polling; secret.
    pub login: String,
    /// Where to go.
    pub verification_uri: String,
    /// The same with the code in it, for a QR code.
    pub verification_uri_complete: Option<String>,
    /// What to type there.
    pub user_code: String,
    /// Seconds between polls.
    pub interval: u64,
    /// Seconds until the code ends.
    pub expires_in: u64,
    /// The identity provider's name.
    pub issuer: String,
}

/// Asks whether a device login is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DevicePoll {
    /// From [`DeviceStarted`].
    pub login: String,
}

/// The answer to a poll. A denied or expired login is an error answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum DevicePolled {
    /// Poll again after `interval` seconds.
    Pending {
        /// Seconds.
        interval: u64,
        /// Trouble at the provider that may pass, for the person to see.
        #[serde(default)]
        trouble: Option<String>,
    },
    /// Logged in.
    Done(Enrolled),
}

/// Starts a login in a browser on the client's machine (RFC 8252) for a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BrowserStart {
    /// PKCS #10, PEM. Only its public key is used.
    pub csr: String,
    /// The identity provider's name; the relay's first where absent.
    #[serde(default)]
    pub issuer: Option<String>,
    /// The machine's name, for people to recognise the login.
    pub machine: String,
    /// Where the client listens: `http://127.0.0.1:PORT/callback`.
    pub redirect_uri: String,
}

/// Where the person logs in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BrowserStarted {
    /// Names this login when it is finished; secret.
    pub login: String,
    /// The provider's login page.
    pub authorization_uri: String,
    /// What the browser must come back with.
    pub state: String,
    /// Seconds until the login ends.
    pub expires_in: u64,
    /// The identity provider's name.
    pub issuer: String,
}

/// What the provider sent the browser back with: a code or an error (RFC 6749, section 4.1.2).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BrowserFinish {
    /// From [`BrowserStarted`].
    pub login: String,
    /// `state`.
    pub state: String,
    /// `code`.
    #[serde(default)]
    pub code: Option<String>,
    /// `error`.
    #[serde(default)]
    pub error: Option<String>,
    /// `iss` (RFC 9207).
    #[serde(default)]
    pub iss: Option<String>,
}

/// Exchanges a platform's OIDC token for a certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkloadLogin {
    /// PKCS #10, PEM. Only its public key is used.
    pub csr: String,
    /// The platform's token.
    pub token: String,
    /// The machine's name.
    pub machine: String,
}

/// A login's result: a certificate for the client's key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolled {
    /// The client certificate, PEM.
    pub certificate: String,
    /// Who it stands for.
    pub whoami: Whoami,
}

/// A person or a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A job, an agent, a service.
    Workload,
}

/// Who one is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Whoami {
    /// The label that policies use.
    pub principal: String,
    /// Person or workload.
    pub kind: PrincipalKind,
    /// The issuer's URL.
    pub issuer: String,
    /// Groups, sorted.
    pub groups: Vec<String>,
    /// When the certificate ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires: OffsetDateTime,
    /// The relay, as the client calls it; the client fills it in.
    #[serde(default)]
    pub relay: String,
    /// The client's profile; the client fills it in.
    #[serde(default)]
    pub profile: String,
    /// Other logins of this principal since its last command, for it to notice a stranger's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_logins: Vec<LoginSeen>,
}

/// The header of an answer to a login's request: a JSON array of [`LoginSeen`] in base 64 (URL-safe, unpadded). Present where the
/// principal has logins that this one was not told of yet.
pub const NEW_LOGINS: &str = "hoop-new-logins";

/// Another login of the same principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginSeen {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// The machine's name, as it said.
    pub machine: String,
    /// The address that it came from.
    pub source: String,
}

impl LoginSeen {
    /// What the principal is told of it. Not escaped: whoever prints it to a terminal escapes it.
    pub fn sentence(&self, principal: &str) -> String {
        let time = self.time.replace_nanosecond(0).unwrap_or(self.time);
        let time = time.format(&Rfc3339).unwrap_or_else(|_| time.to_string());
        format!(
            "new login as {principal} at {time} from {} on the machine {:?}; not yours? `hoopctl logout --all` ends every login of yours, this one too",
            self.source, self.machine
        )
    }
}

/// Ends the caller's login.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logout {
    /// And every other login of the same principal.
    #[serde(default)]
    pub all: bool,
}

/// Whether the relay reaches an identity provider for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderReached {
    /// Its name.
    pub name: String,
    /// It answers, and says of itself what it should.
    pub ok: bool,
    /// What is wrong.
    #[serde(default)]
    pub problem: Option<String>,
}

/// A connection that the principal may use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConnectionListed {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its tags.
    pub tags: Vec<String>,
    /// What policy will ask: `"read: allow"`, `"write (insert): approval by dba"`, `"call: depends (allow where trusted, else block)"`, …
    /// Behind the colon stands `allow`, `approval by …`, `block` or `depends (…)`; ` now` behind that, where the hour or the address counts.
    pub asks: Vec<String>,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestKind {
    /// A held operation.
    Operation,
    /// A session.
    Session,
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestStatus {
    /// Nobody has decided, or not enough people.
    Pending,
    /// Approved, not yet released.
    Approved,
    /// Denied.
    Denied,
    /// Nobody decided in time, or the relay that held it is gone.
    Expired,
    /// Withdrawn by who made it.
    Cancelled,
    /// Approved and released: its permit is used up.
    Spent,
}

/// A held operation (or session) that waits for approval.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// Operation or session.
    pub kind: RequestKind,
    /// Where it stands.
    pub status: RequestStatus,
    /// The connection.
    pub connection: String,
    /// Who asks.
    pub principal: String,
    /// The groups of who asks.
    pub groups: Vec<String>,
    /// Why, as they say.
    pub reason: Option<String>,
    /// The statement, whole. Not escaped: whoever prints it to a terminal escapes it.
    pub statement: String,
    /// Bound parameters.
    pub parameters: Vec<Parameter>,
    /// What it would do.
    pub effects: Vec<EffectShown>,
    /// The rules that ask for approval.
    pub rules: Vec<String>,
    /// The groups that may decide.
    pub approvers: Vec<String>,
    /// How many different people must approve.
    pub needed: u32,
    /// Who decided what.
    pub decisions: Vec<DecisionShown>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it ends by itself.
    #[serde(with = "time::serde::rfc3339")]
    pub expires: OffsetDateTime,
    /// The session it belongs to.
    pub session: SessionId,
    /// More to know before deciding: transaction, settings, estimated rows, digest of the exact bytes; name and text.
    #[serde(default)]
    pub details: Vec<(String, String)>,
}

/// What changed about requests since one asked last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestChanges {
    /// What to ask for next.
    pub after: i64,
    /// What was known is worth nothing: list what there is, and go on from here.
    #[serde(default)]
    pub anew: bool,
    /// There are more already.
    #[serde(default)]
    pub more: bool,
    /// The changed requests as they are now, the longest unchanged first.
    pub requests: Vec<Request>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It goes on, or waits for approval.
    Running,
    /// It has ended, and its result is kept.
    Done,
    /// It was cut off: what it did last may have happened or not.
    Unknown,
}

/// A run: a one-shot session that one may come back for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunShown {
    /// Its session.
    pub session: SessionId,
    /// The connection.
    pub connection: String,
    /// Where it stands.
    pub state: RunState,
    /// Its client left it.
    pub is_left: bool,
    /// It has an idempotency key.
    pub has_key: bool,
    /// What marks the relay's own words in its result.
    pub mark: String,
    /// What of it waits for approval.
    pub waits: Option<Request>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended: Option<OffsetDateTime>,
}

/// A bound parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// The type's name at the target.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its value as text; null is NULL.
    pub value: Option<String>,
}

/// An effect, as JSON has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectShown {
    /// `sql:delete`.
    pub action: String,
    /// `db-prod/public.orders`.
    pub resource: String,
}

/// What one approver decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionShown {
    /// Who.
    pub by: String,
    /// Approve or deny.
    pub approve: bool,
    /// Why.
    pub reason: Option<String>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
}

/// Decides about a request. A relay that does not know a field refuses it: a condition that is not heard would be a decision without one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// Approve or deny.
    pub approve: bool,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A recorded session, in a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionSummary {
    /// Its id.
    pub id: SessionId,
    /// The connection.
    pub connection: String,
    /// The protocol.
    pub protocol: Protocol,
    /// Whose it is.
    pub principal: String,
    /// Why, as they said.
    pub reason: Option<String>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended: Option<OffsetDateTime>,
    /// Operations that were tried.
    pub operations: u64,
    /// Of these, blocked.
    pub blocked: u64,
    /// Of these, held.
    pub held: u64,
    /// Values that were masked.
    pub masked: u64,
    /// The recording is complete and signed.
    pub sealed: bool,
}

/// A recorded session with its events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionShown {
    /// The line of `sessions ls`.
    #[serde(flatten)]
    pub summary: SessionSummary,
    /// Its events.
    pub events: Vec<EventShown>,
}

/// One event of a recording.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EventShown {
    /// Its number, from 0.
    pub seq: u64,
    /// When, RFC 3339.
    pub time: String,
    /// `statement`, `result`, `decision`, `notice`, …
    pub kind: String,
    /// The client connection inside the session, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<u32>,
    /// The statement's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The keyed digest of the statement's exact bytes, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Bound parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Vec<Parameter>>,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Vec<EffectShown>>,
    /// `allow`, `block` or `approval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// The rules that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<String>>,
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// Rows that went to the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Values among them that were masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<u64>,
    /// The command tag: `SELECT 2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// An error's text, as the client saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// More to know: who decided, why the session ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Names of the columns of a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// The masked rows as the client saw them, as text, for replay. Absent where `content = "statements"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Vec<Vec<Option<String>>>>,
}

/// What verifying a recording found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// The session.
    pub session: SessionId,
    /// Nothing is missing or altered.
    pub ok: bool,
    /// Events that were read.
    pub events: u64,
    /// The last event before which all is well.
    pub last_good: Option<u64>,
    /// What is wrong.
    pub problem: Option<String>,
}
