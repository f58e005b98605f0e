//! Errors, notices and notifications of the server: whose they are, and what of them the client may read.

use bytes::{Bytes, BytesMut};

use super::Conversation;
use super::expect::Expect;
use super::judge::{Judge, Outcome};
use super::scrub::{detect, scrub};
use crate::engine::postgres::codec::backend::{self, Notification, Report};
use crate::engine::postgres::codec::frame::Frame;
use crate::engine::postgres::codec::{DecodeError, HEADER, write};
use crate::inspect::sql::{Kind, Reach};
use crate::mask::REDACTED;

/// The settings that the server reports and that can be any text (PostgreSQL, "Asynchronous Operations").
const FREE_TEXT: &[&str] = &["application_name", "TimeZone", "search_path", "session_authorization"];

impl<J: Judge> Conversation<J> {
    pub(super) fn error(&mut self, frame: &Frame) -> Result<(), DecodeError> {
        let quotes = self.quotes_masked();
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
                let told = self.words(quotes.client, frame)?;
                let kept = if quotes.recording {
                    scrub(frame.tag(), frame.body())?
                } else {
                    frame.bytes().clone()
                };
                let report = Report::decode(kept.get(HEADER..).unwrap_or_default())?;
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
                self.tell(told);
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

    /// The server's words as the client may read them. `quotes`: they may quote a value that is masked for it.
    fn words(&self, quotes: bool, frame: &Frame) -> Result<Bytes, DecodeError> {
        if quotes {
            return scrub(frame.tag(), frame.body());
        }
        let found = detect(frame.tag(), frame.body(), |text| self.judge.detected(text))?;
        Ok(found.unwrap_or_else(|| frame.bytes().clone()))
    }

    /// For whom what the server says now may quote a masked value.
    fn quotes_masked(&self) -> Reach {
        let reach = match self.expected.front() {
            Some(Expect::Execute { run, .. } | Expect::Query(run)) => {
                let ends = run.step().is_some_and(|step| matches!(step.kind, Kind::Commit));
                if ends { run.reach | self.tainted } else { run.reach }
            }
            Some(Expect::Bind { portal }) => portal.step.as_ref().map_or(Reach::BOTH, |step| step.reach),
            Some(Expect::Sync { .. } | Expect::DescribePortal { .. }) | None => self.tainted,
            // Parse and Describe of a statement run nothing; what they quote is the client's own text.
            Some(_) => Reach::default(),
        };
        self.judge.quotes(reach)
    }

    pub(super) fn notice(&mut self, frame: Frame) -> Result<(), DecodeError> {
        if matches!(self.expected.front(), Some(Expect::Own)) {
            return Ok(());
        }
        let told = self.words(self.quotes_masked().client, &frame)?;
        self.tell(told);
        Ok(())
    }

    /// A result's description as the client may read it: names are text like any other.
    pub(super) fn names(&self, frame: Frame) -> Result<Bytes, DecodeError> {
        if self.judge.detected(frame.body()).is_none() {
            return Ok(frame.into_bytes());
        }
        let mut columns = backend::row_description(frame.body())?;
        for column in &mut columns {
            if let Some(name) = self.judge.detected(&column.name) {
                column.name = name.into();
            }
        }
        let mut out = BytesMut::new();
        write::row_description(&mut out, &columns);
        Ok(out.freeze())
    }

    /// A setting's new value. One that was set from data stands in the server's reports as long as the session lives: a later
    /// rollback reports it again.
    pub(super) fn parameter_status(&mut self, frame: Frame) -> Result<(), DecodeError> {
        let (name, value) = backend::parameter_status(frame.body())?;
        let replaced = if self.set_from_data && FREE_TEXT.contains(&name) && self.judge.quotes(Reach::BOTH).client {
            Some(REDACTED.to_vec())
        } else {
            self.judge.detected(value.as_bytes())
        };
        match replaced {
            Some(value) => {
                let value = String::from_utf8_lossy(&value);
                self.to_client.write(|out| write::parameter_status(out, name, &value));
            }
            None => self.to_client.push(frame.into_bytes()),
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
