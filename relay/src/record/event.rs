//! What a recording is made of: events, one JSON object a line. The fields are described in `relay/docs/recording.md`.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use hoop_shared::api::{EffectShown, EventShown, Parameter, PrincipalKind};
use hoop_shared::id::{RequestId, SessionId};
use hoop_shared::protocol::Protocol;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::mask::{Scrubbed, ScrubbedParameters};

/// The version of the format.
pub(super) const FORMAT: u32 = 1;

/// What a recording begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The session.
    pub session: SessionId,
    /// The connection's name.
    pub connection: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The label of the principal.
    pub principal: String,
    /// Person or workload.
    pub principal_kind: PrincipalKind,
    /// The groups of the principal.
    pub groups: Vec<String>,
    /// The issuer's URL.
    pub issuer: String,
    /// The issuer's `sub`.
    pub subject: String,
    /// Why the session was opened, as they said.
    pub reason: Option<String>,
    /// The address it came from.
    pub source: IpAddr,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The header: always the first event, and only it.
    Session,
    /// A client connection inside the session begins.
    Opened,
    /// A client connection inside the session ends.
    Closed,
    /// An operation and what policy decided about it: before it is released.
    Statement,
    /// What became of a held operation.
    Decision,
    /// A result as the client saw it, or an error in its place.
    Result,
    /// A piece of a result's content that was written before the result ended.
    Part,
    /// Data that the client sent: COPY FROM STDIN.
    CopyIn,
    /// A notice or notification that the client saw.
    Notice,
    /// The client asked to cancel.
    Cancel,
    /// The gateway's own refusal that is no decision: a limit, a protocol error.
    Refused,
    /// The end: always the last event, and only it.
    Sealed,
}

impl Kind {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::Statement => "statement",
            Self::Decision => "decision",
            Self::Result => "result",
            Self::Part => "part",
            Self::CopyIn => "copy_in",
            Self::Notice => "notice",
            Self::Cancel => "cancel",
            Self::Refused => "refused",
            Self::Sealed => "sealed",
        }
    }
}

/// One of policy's three answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It passed.
    Allow,
    /// It did not.
    Block,
    /// It waits for people.
    Approval,
}

impl Answer {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
            Self::Approval => "approval",
        }
    }
}

/// An event to record. Texts are [`Scrubbed`]: there is no other way to put them in.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it is: not [`Kind::Session`], [`Kind::Part`] or [`Kind::Sealed`], which the recorder writes itself.
    pub kind: Kind,
    /// The client connection inside the session, from 1.
    pub stream: Option<u32>,
    /// The statement.
    pub statement: Option<Arc<Scrubbed>>,
    /// Its bound parameters.
    pub parameters: Option<ScrubbedParameters>,
    /// What it does.
    pub effects: Arc<[EffectShown]>,
    /// What policy says.
    pub decision: Option<Answer>,
    /// The rules that decided.
    pub rules: Arc<[String]>,
    /// The request.
    pub request: Option<RequestId>,
    /// Rows that went to the client.
    pub rows: Option<u64>,
    /// Values among them that were masked.
    pub masked: Option<u64>,
    /// The command tag.
    pub command: Option<String>,
    /// An error or notice, as the client saw it.
    pub error: Option<Scrubbed>,
    /// More to know: who decided, why a stream ended.
    pub detail: Option<String>,
}

impl Event {
    /// Makes an event without further facts.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            stream: None,
            statement: None,
            parameters: None,
            effects: Arc::default(),
            decision: None,
            rules: Arc::default(),
            request: None,
            rows: None,
            masked: None,
            command: None,
            error: None,
            detail: None,
        }
    }
}

/// What a session has done, by its recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Operations that were tried.
    pub operations: u64,
    /// Of these, blocked.
    pub blocked: u64,
    /// Of these, held.
    pub held: u64,
    /// Values that were masked.
    pub masked: u64,
}

impl Counts {
    pub(super) fn add(&mut self, line: &Line<'_>) {
        if line.kind == Kind::Statement {
            self.operations += 1;
            self.blocked += u64::from(line.decision == Some(Answer::Block));
            self.held += u64::from(line.decision == Some(Answer::Approval));
        }
        self.masked = self.masked.saturating_add(line.masked.unwrap_or(0));
    }
}

/// Content in the file beside the events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extent {
    pub offset: u64,
    pub length: u64,
    /// BLAKE3, hex.
    pub digest: String,
}

/// An event as its line has it, without the chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    pub seq: u64,
    pub time: Cow<'a, str>,
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Cow<'a, [Parameter]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Cow<'a, [EffectShown]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Answer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Cow<'a, [String]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Cow<'a, RequestId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'a, str>>,
    /// Which content it belongs to: all parts and the result of one content have the same number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<Extent>,
    /// Short content stands in the line itself, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_key: Option<String>,
}

impl<'a> Line<'a> {
    pub(super) const fn new(seq: u64, time: Cow<'a, str>, kind: Kind) -> Self {
        Self {
            seq,
            time,
            kind,
            format: None,
            header: None,
            relay: None,
            public_key: None,
            stream: None,
            statement: None,
            digest: None,
            parameters: None,
            effects: None,
            decision: None,
            rules: None,
            request: None,
            rows: None,
            masked: None,
            command: None,
            error: None,
            detail: None,
            output: None,
            extent: None,
            inline: None,
            end: None,
            counts: None,
            content_bytes: None,
            chain_key: None,
        }
    }

    /// An event's line. It borrows: a line is made for every statement and written at once.
    pub(super) fn of(seq: u64, time: Cow<'a, str>, event: &'a Event) -> Self {
        fn some<T: Clone>(list: &[T]) -> Option<Cow<'_, [T]>> {
            (!list.is_empty()).then_some(Cow::Borrowed(list))
        }
        Self {
            stream: event.stream,
            statement: event.statement.as_ref().map(|statement| statement.text().into()),
            digest: event.statement.as_ref().map(|statement| statement.digest().into()),
            parameters: event.parameters.as_ref().map(|parameters| parameters.as_slice().into()),
            effects: some(&event.effects),
            decision: event.decision,
            rules: some(&event.rules),
            request: event.request.as_ref().map(Cow::Borrowed),
            rows: event.rows,
            masked: event.masked,
            command: event.command.as_deref().map(Cow::Borrowed),
            error: event.error.as_ref().map(|error| error.text().into()),
            detail: event.detail.as_deref().map(Cow::Borrowed),
            ..Self::new(seq, time, event.kind)
        }
    }

    /// The event as it is shown, without its content.
    pub(super) fn shown(self) -> EventShown {
        let end = self.end.map(|end| format!("end: {end}"));
        EventShown {
            seq: self.seq,
            time: self.time.into_owned(),
            kind: self.kind.as_str().to_owned(),
            stream: self.stream,
            statement: self.statement.map(Cow::into_owned),
            digest: self.digest.map(Cow::into_owned),
            parameters: self.parameters.map(Cow::into_owned),
            effects: self.effects.map(Cow::into_owned),
            decision: self.decision.map(|answer| answer.as_str().to_owned()),
            rules: self.rules.map(Cow::into_owned),
            request: self.request.map(Cow::into_owned),
            rows: self.rows,
            masked: self.masked,
            command: self.command.map(Cow::into_owned),
            error: self.error.map(Cow::into_owned),
            detail: self.detail.map(Cow::into_owned).or(end),
            columns: None,
            result: None,
        }
    }
}
