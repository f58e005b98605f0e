//! What the client says.

use bytes::{Bytes, BytesMut};
use hoop_shared::refusal::{Code, Refusal};

use super::expect::Expect;
use super::judge::Judge;
use super::names::{LONGEST_NAME, Meaning};
use super::steps::{Steps, reserved_name};
use super::{Conversation, Intake, Over, Passing};
use crate::engine::postgres::codec::frame::{Frame, Side, client, header};
use crate::engine::postgres::codec::frontend::{self, Execute, Named};
use crate::engine::postgres::codec::{DecodeError, write};
use crate::inspect::sql::Reach;

/// What became of a message.
pub(super) enum Flow {
    /// It is dealt with.
    Done,
    /// It waits: the intake says for what.
    Wait(Frame),
}

/// Names and lengths of a message may take this much beside its text.
const BESIDE: usize = 64 << 10;

impl<J: Judge> Conversation<J> {
    /// Takes the client's messages from `input` as far as they can be dealt with now.
    pub fn client_bytes(&mut self, input: &mut BytesMut) {
        self.deal_with(input);
        if self.expected.is_empty() && !self.is_held() {
            // Nothing of what was read has passed.
            self.judge.answered();
        }
    }

    fn deal_with(&mut self, input: &mut BytesMut) {
        while self.over.is_none()
            && matches!(self.intake, Intake::Open)
            && self.expected.len() < self.bounds.outstanding
        {
            let frame = match self.current.take() {
                Some(frame) => frame,
                None => match self.next(input) {
                    Ok(Some(frame)) => frame,
                    Ok(None) => return,
                    Err(error) => return self.broken(error),
                },
            };
            match self.client_message(frame) {
                Ok(Flow::Done) => {}
                Ok(Flow::Wait(frame)) => self.current = Some(frame),
                Err(error) => return self.broken(error),
            }
        }
    }

    /// The next whole message; long data passes in pieces.
    fn next(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        loop {
            match self.passing {
                Passing::None => {}
                Passing::On(left) | Passing::Away(left) if input.is_empty() && left > 0 => return Ok(None),
                Passing::On(left) => {
                    let piece = input.split_to(left.min(input.len())).freeze();
                    let left = left - piece.len();
                    self.passing = if left == 0 { Passing::None } else { Passing::On(left) };
                    self.copy_in_data(&piece);
                    self.to_target.push(piece);
                    continue;
                }
                Passing::Away(left) => {
                    let piece = input.split_to(left.min(input.len()));
                    let left = left - piece.len();
                    self.passing = if left == 0 { Passing::None } else { Passing::Away(left) };
                    continue;
                }
            }
            let Some(header) = header(Side::Client, input)? else {
                return Ok(None);
            };
            let long = header.total > self.bounds.statement.saturating_add(BESIDE);
            match header.tag {
                client::COPY_DATA if header.total > input.len() => {
                    if self.copying {
                        self.passing = Passing::On(header.total);
                    } else if self.awaits_data() {
                        self.wait_for_answers();
                        return Ok(None);
                    } else {
                        self.passing = Passing::Away(header.total);
                    }
                }
                client::QUERY | client::PARSE | client::BIND | client::FUNCTION_CALL if long => {
                    if self.copying {
                        return Err(DecodeError::UnknownTag(header.tag));
                    }
                    if !self.ignoring {
                        let limit = self.bounds.statement;
                        let message = format!("the message is longer than the {limit} bytes that the relay takes");
                        let refusal = Refusal::new(Code::LimitExceeded, message)
                            .hint("an operator can raise `statement_bytes` under `[limits]`; COPY has no such limit");
                        self.kept_back = None;
                        self.judge.refused(None, &refusal);
                        let report = self.judge.report(&refusal);
                        if matches!(header.tag, client::QUERY | client::FUNCTION_CALL) {
                            self.refuse_query(&report);
                        } else {
                            self.refuse_extended(&report);
                        }
                    }
                    self.passing = Passing::Away(header.total);
                }
                _ => return Ok(Frame::split(header, input)),
            }
        }
    }

    fn client_message(&mut self, frame: Frame) -> Result<Flow, DecodeError> {
        if frame.tag() == client::TERMINATE {
            frontend::empty(frame.body())?;
            self.send_kept_back();
            self.to_target.push(frame.into_bytes());
            self.over = Some(Over::Terminated);
            return Ok(Flow::Done);
        }
        if self.copying {
            return self.copy_message(frame);
        }
        if self.ignoring {
            if frame.tag() != client::SYNC {
                return Ok(Flow::Done);
            }
        } else if self.awaits_data() {
            self.wait_for_answers();
            return Ok(Flow::Wait(frame));
        }
        match frame.tag() {
            client::QUERY => self.query(frame),
            client::PARSE => self.parse(frame),
            client::BIND => self.bind(frame),
            client::EXECUTE => self.execute(frame),
            client::DESCRIBE => self.describe(frame),
            client::CLOSE => self.close(frame),
            client::SYNC => {
                frontend::empty(frame.body())?;
                self.send_kept_back();
                self.ignoring = false;
                self.unsynced = false;
                self.to_target.push(frame.into_bytes());
                self.expected.push_back(Expect::Sync { ours: false });
                Ok(Flow::Done)
            }
            client::FLUSH => {
                frontend::empty(frame.body())?;
                self.send_kept_back();
                if self.unsynced {
                    self.to_target.push(frame.into_bytes());
                }
                Ok(Flow::Done)
            }
            // What is left of a COPY that failed: the server drops these too.
            client::COPY_DATA => Ok(Flow::Done),
            client::COPY_DONE => frontend::empty(frame.body()).map(|()| Flow::Done),
            client::COPY_FAIL => frontend::copy_fail(frame.body()).map(|_| Flow::Done),
            client::FUNCTION_CALL => {
                let refusal = Refusal::new(Code::Unsupported, "calling a function by its oid is not supported")
                    .hint("call it in a SELECT");
                self.judge.refused(None, &refusal);
                self.refuse(&frame, &refusal);
                Ok(Flow::Done)
            }
            other => Err(DecodeError::UnknownTag(other)),
        }
    }

    fn execute(&mut self, frame: Frame) -> Result<Flow, DecodeError> {
        let Execute { portal: name, .. } = Execute::decode(frame.body())?;
        self.send_kept_back();
        let Some(portal) = self.find_portal(name) else {
            if !self.expected.is_empty() {
                self.wait_for_answers();
                return Ok(Flow::Wait(frame));
            }
            let refusal = Refusal::new(Code::NotFound, format!("portal \"{name}\" does not exist"));
            let mut report = self.judge.report(&refusal);
            report.code = "34000".to_owned();
            self.refuse_extended(&report);
            return Ok(Flow::Done);
        };
        if matches!(*portal.rows.borrow(), super::names::RowsPlan::Undescribed)
            && portal.step.as_ref().is_some_and(|step| step.has_result)
            && !self.describes(&portal)
        {
            self.describe_for_us(&portal);
        }
        let steps = portal.step.iter().cloned().collect();
        let reach = portal.step.as_ref().map_or_else(Reach::default, |step| step.reach);
        let rows = portal.rows.borrow().clone();
        let run = super::expect::Run::new(portal.operation, steps, reach, rows);
        self.unsynced = true;
        self.to_target.push(frame.into_bytes());
        self.expected.push_back(Expect::Execute { portal, run });
        Ok(Flow::Done)
    }

    fn describe(&mut self, frame: Frame) -> Result<Flow, DecodeError> {
        let expect = match Named::decode(frame.body())? {
            Named::Statement(name) => {
                self.send_kept_back();
                if self.has_barrier() {
                    self.wait_for_answers();
                    return Ok(Flow::Wait(frame));
                }
                let statement = self.statement_now(name);
                // The server analyses it again where the search path is another: what it finds is what runs later.
                if let Some(statement) = &statement {
                    match self.judge.read(&statement.text, &statement.types) {
                        Ok(reading) => {
                            let unit = self.unit(
                                frame.bytes().clone(),
                                statement.text.clone(),
                                reading.clone(),
                                Steps::none(&reading),
                                Vec::new(),
                            );
                            if let Err(unready) = self.judge.turn(&unit, false) {
                                return Ok(self.learn(unready, frame));
                            }
                            let path = self.judge.search_path();
                            statement.still_means(Meaning { path, reading });
                        }
                        Err(unready) => return Ok(self.learn(unready, frame)),
                    }
                }
                Expect::DescribeStatement { statement, half: false }
            }
            Named::Portal(name) => {
                self.send_kept_back();
                if name.starts_with(&self.reserved) {
                    return self.reserved_name(frame);
                }
                let portal = self.find_portal(name);
                Expect::DescribePortal { portal, ours: false }
            }
        };
        self.unsynced = true;
        self.to_target.push(frame.into_bytes());
        self.expected.push_back(expect);
        Ok(Flow::Done)
    }

    fn close(&mut self, frame: Frame) -> Result<Flow, DecodeError> {
        let (name, expect) = match Named::decode(frame.body())? {
            Named::Statement(name) => (name, Expect::CloseStatement(name.into())),
            Named::Portal(name) => (name, Expect::ClosePortal(name.into())),
        };
        if name.starts_with(&self.reserved) {
            return self.reserved_name(frame);
        }
        self.send_kept_back();
        self.unsynced = true;
        self.to_target.push(frame.into_bytes());
        self.expected.push_back(expect);
        Ok(Flow::Done)
    }

    /// Refuses a message about a name that is the relay's own.
    pub(super) fn reserved_name(&mut self, frame: Frame) -> Result<Flow, DecodeError> {
        self.kept_back = None;
        self.refuse(&frame, &reserved_name());
        Ok(Flow::Done)
    }

    /// Whether a name that a client gives can be told from every other, and is not the relay's own.
    pub(super) fn check_name(&self, name: &str) -> Result<(), Refusal> {
        if name.starts_with(&self.reserved) {
            return Err(reserved_name());
        }
        if name.len() > LONGEST_NAME {
            let message = format!("a name may have {LONGEST_NAME} bytes at most");
            return Err(Refusal::new(Code::LimitExceeded, message));
        }
        Ok(())
    }

    /// Whether an outstanding unit may still ask the client for data, so that nobody knows what the next message will be.
    pub(super) fn awaits_data(&self) -> bool {
        self.expected.iter().any(Expect::takes_data)
    }

    /// Stops the intake until every answer has arrived, and makes the server send those that it has.
    pub(super) fn wait_for_answers(&mut self) {
        if self.unsynced {
            self.to_target.write(write::flush);
        }
        self.intake = Intake::Answers;
    }

    pub(super) fn copy_in_data(&mut self, piece: &Bytes) {
        if let Some(run) = self.expected.front_mut().and_then(Expect::run) {
            let operation = run.operation;
            self.judge.outcome(operation, super::Outcome::CopyIn(piece));
        }
    }
}
