//! Errors, notices and notifications of the server: whose they are, and what of them the client may read.

use super::Conversation;
use super::expect::Expect;
use super::judge::{Judge, Outcome};
use super::scrub::scrub;
use crate::engine::postgres::codec::backend::{Notification, Report};
use crate::engine::postgres::codec::frame::Frame;
use crate::engine::postgres::codec::{DecodeError, HEADER, write};
use crate::inspect::sql::Kind;

impl<J: Judge> Conversation<J> {
    pub(super) fn error(&mut self, frame: &Frame) -> Result<(), DecodeError> {
        let reach = self.quotes_masked();
        self.copying = false;
        match self.expected.front_mut() {
            Some(Expect::Refusal(words)) => {
                let words = words.clone();
                self.tell(words);
            }
            Some(Expect::Own) => self.own_error(frame)?,
            Some(Expect::Trial) => {
                self.tell(frame.bytes().clone());
                self.trial_failed();
            }
            front => {
                let operation = front.and_then(|expect| {
                    let run = expect.run()?;
                    run.failed = true;
                    Some(run.operation)
                });
                let bytes = if reach {
                    scrub(frame.tag(), frame.body())?
                } else {
                    frame.bytes().clone()
                };
                let report = Report::decode(bytes.get(HEADER..).unwrap_or_default())?;
                if let Some(operation) = operation
                    && !self.stopped
                {
                    let code = report.text(b'C').unwrap_or_default();
                    let message = report.text(b'M').unwrap_or_default();
                    self.judge.outcome(
                        operation,
                        Outcome::Failed {
                            code: &code,
                            message: &message,
                        },
                    );
                }
                self.tell(bytes);
            }
        }
        match self.expected.front() {
            // The rest of a Query is not run; its ReadyForQuery comes. Nothing is outstanding: the server ends the session.
            None | Some(Expect::Query(_) | Expect::Sync { .. }) => {}
            Some(_) => {
                while self
                    .expected
                    .front()
                    .is_some_and(|expect| !matches!(expect, Expect::Sync { .. }))
                {
                    self.expected.pop_front();
                }
                if self.expected.is_empty() {
                    self.ignoring = true;
                    self.kept_back = None;
                }
            }
        }
        Ok(())
    }

    /// Whether what the server says now may quote a masked value.
    fn quotes_masked(&self) -> bool {
        let reach = match self.expected.front() {
            Some(Expect::Execute { run, .. } | Expect::Query(run)) => {
                let ends = run.step().is_some_and(|step| matches!(step.kind, Kind::Commit));
                run.reach || ends && self.tainted
            }
            Some(Expect::Bind { portal }) => portal.step.as_ref().is_none_or(|step| step.reach),
            Some(Expect::Sync { .. } | Expect::DescribePortal { .. }) | None => self.tainted,
            // Parse and Describe of a statement run nothing; what they quote is the client's own text.
            Some(_) => false,
        };
        reach && self.judge.masks(true)
    }

    pub(super) fn notice(&mut self, frame: Frame) -> Result<(), DecodeError> {
        if matches!(self.expected.front(), Some(Expect::Own)) {
            return Ok(());
        }
        if self.quotes_masked() {
            let bytes = scrub(frame.tag(), frame.body())?;
            self.tell(bytes);
        } else {
            Report::decode(frame.body())?;
            self.tell(frame.into_bytes());
        }
        Ok(())
    }

    pub(super) fn notification(&mut self, frame: Frame) -> Result<(), DecodeError> {
        let Notification {
            process,
            channel,
            payload,
        } = Notification::decode(frame.body())?;
        match self.judge.payload(payload) {
            Some(replaced) => self
                .to_client
                .write(|out| write::notification(out, process, channel, &replaced)),
            None => self.to_client.push(frame.bytes().clone()),
        }
        Ok(())
    }
}
