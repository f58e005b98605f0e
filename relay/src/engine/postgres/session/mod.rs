//! The session core: a client's and a server's bytes go in, bytes for both come out. It does no IO and never asks for the time.
//!
//! Two facts carry it. The server alone knows its state: what it has is learnt from its answers, which a queue of expected answers
//! ([`Expect`]) puts beside the messages that caused them. And what is judged is what is sent: a Query or a Bind passes only as a
//! [`Released`] unit, which is a spent permit.
//!
//! ```text
//! client ─▶ client.rs ─▶ unit.rs ─▶ Judge ─▶ launch ─▶ to_target
//!               │ stall until answers arrive / names are learnt / people decide
//! to_client ◀─ server.rs ◀─ answers, in the order of the queue
//! ```
//!
//! A refused statement is replaced by a *marker*: Execute of a portal that cannot exist. The server fails it without side effects,
//! aborts the transaction or the batch as it would for any error, and skips to the client's Sync; only the words of that error are
//! the relay's. So the transaction's state is always the server's own.

mod client;
mod copy;
mod expect;
mod judge;
mod known;
mod lookup;
mod names;
mod output;
mod own;
mod refuse;
mod reports;
mod results;
mod scrub;
mod server;
mod steps;
mod unit;

use std::collections::VecDeque;

use bytes::BytesMut;
use hoop_shared::refusal::{Code, Refusal};

pub use judge::{
    CopyPlan, Foresight, Judge, MaskCopy, MaskRows, Outcome, Released, SCOPE, Unit, Unmaskable, Unready, Value, Verdict,
};
pub use known::Known;
pub use names::RowsPlan;
pub use output::Output;
pub use steps::Change;

use super::codec::DecodeError;
use super::codec::backend::Status;
use super::codec::frame::Frame;
use super::codec::write::{Report, Severity};
use crate::inspect::sql::Reach;
use crate::target::{QueryError, Rows};
use expect::Expect;
use names::Names;
use unit::{KeptBack, Launch};

/// What a client connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The longest Query, Parse or Bind, in bytes.
    pub statement: usize,
    /// The most prepared statements and portals.
    pub names: usize,
    /// The longest row that is masked, in bytes.
    pub masked_row: usize,
    /// The longest row that is recorded, in bytes; a longer one that passes as it is passes in pieces.
    pub recorded_row: usize,
    /// The most messages without an answer.
    pub outstanding: usize,
}

/// Something that the driver must do.
#[derive(Debug)]
pub enum Attention<R> {
    /// Learn what names mean, then call [`Conversation::learnt`].
    Learn(Unready),
    /// Ask people, then call [`Conversation::release`] or [`Conversation::refuse_held`].
    Hold(R),
    /// Cancel what the target runs: its result must not go on.
    Cancel,
}

/// Why the conversation is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// The client said farewell.
    Terminated,
    /// The client or the server broke the protocol, or the relay cannot go on; the client has been told.
    Broken,
}

/// What the client's messages wait for.
#[derive(Debug)]
enum Intake {
    /// Nothing.
    Open,
    /// Every outstanding answer, or that the server takes data.
    Answers,
    /// What names mean, by the driver; `turn`: until others are done with them.
    Learning { turn: bool },
    /// What names mean, by a question in band.
    Asking,
    /// Whether the server can parse what the relay cannot read.
    Trying(Box<Unit>, Box<Refusal>),
    /// People.
    Held(Box<Launch>),
}

/// A conversation between one client and its target, behind the startup.
#[derive(Debug)]
pub struct Conversation<J: Judge> {
    judge: J,
    bounds: Bounds,
    /// What the relay's own names begin with: random, so that nothing at the target can be called so.
    reserved: String,
    names: Names,
    expected: VecDeque<Expect>,
    status: Status,
    /// Extended messages were sent behind the last Sync or Query.
    unsynced: bool,
    /// The server skips to the client's next Sync.
    ignoring: bool,
    /// The rest of the answers up to `ReadyForQuery` does not reach the client.
    stopped: bool,
    /// The transaction touched masked values: errors at its end may quote them.
    tainted: Reach,
    /// Settings may have been changed to values that are masked for the client.
    set_from_data: bool,
    /// The server takes data of a COPY.
    copying: bool,
    kept_back: Option<KeptBack>,
    intake: Intake,
    /// The message that the intake waits with was parsed by the server: the relay's picture of names was old.
    tried: bool,
    /// The message that the intake waits with.
    current: Option<Frame>,
    /// Bytes of a long client message that still come: they go to the target, or nowhere.
    passing: Passing,
    /// Bytes of a long row that still come.
    streaming: usize,
    question: Option<own::Question>,
    answer: Option<Result<Vec<Rows>, QueryError>>,
    attention: VecDeque<Attention<J::Review>>,
    over: Option<Over>,
    to_client: Output,
    to_target: Output,
}

/// A long message of the client, in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passing {
    None,
    /// To the target.
    On(usize),
    /// Nowhere.
    Away(usize),
}

impl<J: Judge> Conversation<J> {
    /// Starts behind the startup, where the server said that it is ready. `nonce` is random.
    pub fn new(judge: J, bounds: Bounds, status: Status, nonce: u64) -> Self {
        Self {
            judge,
            bounds,
            reserved: format!("_hoop_relay_{nonce:016x}_"),
            names: Names::default(),
            expected: VecDeque::new(),
            status,
            unsynced: false,
            ignoring: false,
            stopped: false,
            tainted: Reach::default(),
            set_from_data: false,
            copying: false,
            kept_back: None,
            intake: Intake::Open,
            current: None,
            tried: false,
            passing: Passing::None,
            streaming: 0,
            question: None,
            answer: None,
            attention: VecDeque::new(),
            over: None,
            to_client: Output::default(),
            to_target: Output::default(),
        }
    }

    /// What waits to be written to the client.
    pub fn to_client(&mut self) -> &mut Output {
        &mut self.to_client
    }

    /// What waits to be written to the target.
    pub fn to_target(&mut self) -> &mut Output {
        &mut self.to_target
    }

    /// The judge.
    pub fn judge(&mut self) -> &mut J {
        &mut self.judge
    }

    /// What the driver must do next, each once.
    pub fn attention(&mut self) -> Option<Attention<J::Review>> {
        self.attention.pop_front()
    }

    /// Why it is over, once it is.
    pub fn over(&self) -> Option<&Over> {
        self.over.as_ref()
    }

    /// Where the transaction stands.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether people are asked.
    pub fn is_held(&self) -> bool {
        matches!(self.intake, Intake::Held(_))
    }

    /// Whether a unit waits for other sessions.
    pub fn waits_for_turn(&self) -> bool {
        matches!(self.intake, Intake::Learning { turn: true })
    }

    /// Whether the server owes no answer.
    pub fn is_settled(&self) -> bool {
        self.expected.is_empty()
    }

    /// Whether bytes of the client would be dealt with: else they wait.
    pub fn takes_more(&self) -> bool {
        matches!(self.intake, Intake::Open) && self.expected.len() < self.bounds.outstanding
    }

    /// Names were learnt; the message that waits for them goes on.
    pub fn learnt(&mut self) {
        if matches!(self.intake, Intake::Learning { .. }) {
            self.intake = Intake::Open;
        }
    }

    /// Names could not be learnt: the message that waits for them is refused.
    pub fn not_learnt(&mut self, refusal: &Refusal) {
        if !matches!(self.intake, Intake::Learning { .. }) {
            return;
        }
        self.intake = Intake::Open;
        self.kept_back = None;
        if let Some(frame) = self.current.take() {
            self.judge.refused(None, refusal);
            self.refuse(&frame, refusal);
        }
    }

    /// The held unit was approved.
    pub fn release(&mut self, released: Released) {
        if let Intake::Held(launch) = std::mem::replace(&mut self.intake, Intake::Open) {
            self.launch(*launch, released);
        }
    }

    /// The held unit does not pass.
    pub fn refuse_held(&mut self, refusal: &Refusal) {
        if let Intake::Held(launch) = std::mem::replace(&mut self.intake, Intake::Open) {
            self.kept_back = None;
            let report = self.judge.report(refusal);
            if launch.is_query() {
                self.refuse_query(&report);
            } else {
                self.refuse_extended(&report);
            }
        }
    }

    /// Says something to the client between messages.
    pub fn say(&mut self, report: &Report) {
        self.to_client.write(|out| report.encode(out));
    }

    /// Ends it with a last word to the client.
    pub fn end(&mut self, refusal: &Refusal) {
        if self.over.is_none() {
            let mut report = self.judge.report(refusal);
            report.severity = Severity::Fatal;
            self.say(&report);
            self.over = Some(Over::Broken);
        }
    }

    fn broken(&mut self, error: DecodeError) {
        tracing::debug!(%error, "a message cannot be decoded");
        self.end(&Refusal::new(Code::ProtocolViolation, error.to_string()));
    }

    /// Whether the messages that wait in `input` hold a farewell.
    pub fn says_farewell(input: &BytesMut) -> bool {
        let mut rest: &[u8] = input;
        while let Ok(Some(header)) = super::codec::frame::header(super::codec::frame::Side::Client, rest) {
            if header.tag == super::codec::frame::client::TERMINATE {
                return true;
            }
            let Some(behind) = rest.get(header.total..) else {
                return false;
            };
            rest = behind;
        }
        false
    }
}

#[cfg(test)]
mod tests;
