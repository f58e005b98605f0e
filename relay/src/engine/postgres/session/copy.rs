//! COPY, which only the server's messages begin: what the client sends while it lasts, what the server sends of a COPY TO STDOUT.

use bytes::Bytes;

use super::Conversation;
use super::client::Flow;
use super::expect::Expect;
use super::judge::{CopyPlan, Judge, Outcome, Unmaskable};
use crate::engine::postgres::codec::backend::CopyStart;
use crate::engine::postgres::codec::frame::{Frame, client};
use crate::engine::postgres::codec::frontend::Format;
use crate::engine::postgres::codec::{DecodeError, frontend};
use crate::inspect::sql::{CopyFormat, Kind, Reach};
use crate::mask::Sent;

impl<J: Judge> Conversation<J> {
    /// A message of the client while the server takes data.
    pub(super) fn copy_message(&mut self, frame: Frame) -> Result<Flow, DecodeError> {
        match frame.tag() {
            client::COPY_DATA => {
                self.copy_in_data(frame.bytes());
            }
            client::COPY_DONE | client::COPY_FAIL => {
                if frame.tag() == client::COPY_DONE {
                    frontend::empty(frame.body())?;
                } else {
                    frontend::copy_fail(frame.body())?;
                }
                self.copying = false;
                if let Some(run) = self.expected.front_mut().and_then(Expect::run) {
                    run.data_sent = true;
                }
            }
            // The server ignores both while it takes data.
            client::FLUSH | client::SYNC => return frontend::empty(frame.body()).map(|()| Flow::Done),
            // The server would lose the protocol's thread, and end the session.
            other => return Err(DecodeError::UnknownTag(other)),
        }
        self.to_target.push(frame.into_bytes());
        Ok(Flow::Done)
    }

    /// `CopyInResponse`.
    pub(super) fn copy_in(&mut self, frame: Frame) -> Result<(), DecodeError> {
        CopyStart::decode(frame.body())?;
        let Some(expect) = self.expected.front_mut().filter(|expect| expect.takes_data()) else {
            // Nothing was sent that could take data: what the client says next would be read as data.
            return Err(DecodeError::UnknownTag(frame.tag()));
        };
        if let Some(run) = expect.run() {
            run.data_sent = false;
        }
        self.copying = true;
        self.to_client.push(frame.into_bytes());
        Ok(())
    }

    /// `CopyOutResponse`.
    pub(super) fn copy_out(&mut self, frame: Frame) -> Result<(), DecodeError> {
        let start = CopyStart::decode(frame.body())?;
        let Some(run) = self.expected.front_mut().and_then(Expect::run) else {
            return Err(DecodeError::UnknownTag(frame.tag()));
        };
        let step = run.step().cloned();
        let reach = run.reach | step.as_ref().map_or(Reach::BOTH, |step| step.reach);
        let plan = match (self.judge.clear(reach), step.as_deref().map(|step| &step.kind)) {
            (Some(cleared), _) => Ok(CopyPlan::Clear(cleared)),
            (None, Some(Kind::CopyOut(copy)))
                if (copy.format == CopyFormat::Binary) == (start.format == Format::Binary) =>
            {
                self.judge.copy(copy, start.columns, reach)
            }
            (None, _) => Err(Unmaskable("the statement is not known to be such a COPY".to_owned())),
        };
        match plan {
            Ok(plan) => run.copy = Some(plan),
            Err(problem) => {
                self.stop(&problem);
                return Ok(());
            }
        }
        self.to_client.push(frame.into_bytes());
        Ok(())
    }

    /// `CopyData` of the server, or `CopyDone`.
    pub(super) fn copy_out_data(&mut self, frame: Frame, done: bool) -> Result<(), DecodeError> {
        let Some(run) = self.expected.front_mut().and_then(Expect::run) else {
            return Err(DecodeError::UnknownTag(frame.tag()));
        };
        let operation = run.operation;
        let sent = match &mut run.copy {
            None => return Err(DecodeError::UnknownTag(frame.tag())),
            Some(CopyPlan::Clear(cleared)) => {
                let client = if done { Bytes::new() } else { frame.into_bytes() };
                Ok(Sent {
                    recording: cleared.pass(client.clone()),
                    client,
                    masked: 0,
                })
            }
            Some(CopyPlan::Masked(mask)) if done => mask.end(),
            Some(CopyPlan::Masked(mask)) => mask.data(frame.body()),
        };
        let sent = match sent {
            Ok(sent) => sent,
            Err(problem) => {
                self.stop(&problem);
                return Ok(());
            }
        };
        if done {
            run.copy = None;
        }
        if !sent.client.is_empty() || !sent.recording.bytes().is_empty() {
            let masked = sent.masked;
            let messages = &sent.recording;
            self.judge.outcome(operation, Outcome::CopyOut { messages, masked });
            self.to_client.push(sent.client);
        }
        if done {
            self.to_client
                .write(|out| crate::engine::postgres::codec::write::message(out, b'c', |_| {}));
        }
        Ok(())
    }
}
