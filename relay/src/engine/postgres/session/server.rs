//! What the server says. Each answer belongs to the front of the queue of expected ones; only answers change what the relay takes
//! the server to have.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::expect::{Expect, Run};
use super::judge::{Judge, Outcome, Unmaskable};
use super::names::{Portal, Prepared, RowsPlan};
use super::steps::{Change, Made, Step};
use super::{Conversation, Intake, Over};
use crate::engine::postgres::codec::DecodeError;
use crate::engine::postgres::codec::backend::{self, Status};
use crate::engine::postgres::codec::frame::{Frame, Side, header, server};
use crate::engine::postgres::codec::frontend::{Format, Formats};
use crate::inspect::sql::{Kind, Reach};

impl<J: Judge> Conversation<J> {
    /// Takes the server's messages from `input`.
    pub fn target_bytes(&mut self, input: &mut BytesMut) {
        if let Err(error) = self.answers(input) {
            self.broken(error);
        }
        if self.expected.is_empty() && self.over.is_none() {
            self.answered();
        }
        if !self.is_held() && self.is_resolved() {
            self.judge.answered();
        }
        let settled = match self.intake {
            Intake::Answers => self.expected.is_empty() || self.copying,
            Intake::Trying(..) => self.expected.is_empty(),
            _ => false,
        };
        if settled {
            self.intake = Intake::Open;
        }
        // Between batches a question costs no more than its time; inside of one it would make it a pipeline of two.
        let between = self.expected.is_empty() && !self.unsynced && matches!(self.intake, Intake::Open);
        if between && self.over.is_none() && self.status != Status::Failed && self.judge.wants_scope() {
            self.ask_scope();
        }
    }

    /// Whether the server has found what the names mean of all that was sent: everything is answered, or the last statement gives
    /// rows or takes data already, which may go on for hours.
    fn is_resolved(&self) -> bool {
        let mut expected = self.expected.iter();
        let begun = match expected.next() {
            None => return true,
            Some(Expect::Query(run)) => {
                run.rest().len() == 1 && (run.results > 0 || run.copy.is_some() || self.copying)
            }
            Some(Expect::Execute { portal, run }) => portal.told.get() || run.copy.is_some() || self.copying,
            Some(_) => false,
        };
        begun && expected.all(|expect| matches!(expect, Expect::Sync { .. }))
    }

    fn answers(&mut self, input: &mut BytesMut) -> Result<(), DecodeError> {
        while self.over != Some(Over::Broken) {
            if self.streaming > 0 {
                if input.is_empty() {
                    return Ok(());
                }
                let piece = input.split_to(self.streaming.min(input.len())).freeze();
                self.streaming -= piece.len();
                self.tell(piece);
                continue;
            }
            if self.rows(input)? {
                continue;
            }
            let Some(header) = header(Side::Server, input)? else {
                return Ok(());
            };
            if header.tag == server::DATA_ROW && header.total > input.len() && header.total > self.bounds.recorded_row {
                match self.rows_plan() {
                    Some(RowsPlan::Clear(_)) => {
                        if let Some(run) = self.expected.front_mut().and_then(Expect::run) {
                            let operation = run.operation;
                            self.judge.outcome(operation, Outcome::LongRow);
                        }
                        self.streaming = header.total;
                        continue;
                    }
                    Some(_) if header.total > self.bounds.masked_row => {
                        let limit = self.bounds.masked_row;
                        self.stop(&Unmaskable(format!(
                            "a row is longer than the {limit} bytes that are masked"
                        )));
                        self.streaming = header.total;
                        continue;
                    }
                    _ => {}
                }
            }
            let Some(frame) = Frame::split(header, input) else {
                return Ok(());
            };
            self.answer_message(frame)?;
        }
        input.clear();
        Ok(())
    }

    pub(super) fn tell(&mut self, bytes: Bytes) {
        if !self.stopped {
            self.to_client.push(bytes);
        }
    }

    fn answer_message(&mut self, frame: Frame) -> Result<(), DecodeError> {
        let tag = frame.tag();
        match tag {
            server::NOTICE => return self.notice(frame),
            server::PARAMETER_STATUS => return self.parameter_status(frame),
            server::NOTIFICATION => return self.notification(frame),
            server::ERROR => return self.error(&frame),
            server::READY => return self.server_ready(frame),
            server::COPY_IN => return self.copy_in(frame),
            server::COPY_OUT => return self.copy_out(frame),
            server::COPY_DATA | server::COPY_DONE => {
                if self.stopped {
                    return Ok(());
                }
                return self.copy_out_data(frame, tag == server::COPY_DONE);
            }
            _ => {}
        }
        let Some(front) = self.expected.pop_front() else {
            return Err(DecodeError::UnknownTag(tag));
        };
        match (tag, front) {
            (
                server::PARSE_COMPLETE,
                Expect::Parse {
                    name,
                    statement,
                    doubtful,
                },
            ) => {
                if doubtful {
                    self.judge.mistrust();
                }
                self.names.statements.insert(name, statement);
            }
            (server::BIND_COMPLETE, Expect::Bind { portal }) => {
                self.names.portals.insert(portal.name.clone(), portal);
            }
            (server::CLOSE_COMPLETE, Expect::CloseStatement(name)) => {
                self.names.statements.remove(&name);
            }
            (server::CLOSE_COMPLETE, Expect::ClosePortal(name)) => {
                self.names.portals.remove(&name);
            }
            (server::PARAMETER_DESCRIPTION, Expect::DescribeStatement { statement, half: false }) => {
                let types = backend::parameter_description(frame.body())?;
                if let Some(statement) = &statement {
                    *statement.described.borrow_mut() = Some(types.into());
                }
                self.expected
                    .push_front(Expect::DescribeStatement { statement, half: true });
            }
            (server::ROW_DESCRIPTION, Expect::DescribeStatement { statement, half: true }) => {
                let columns = backend::row_description(frame.body())?;
                if let Some(statement) = statement {
                    *statement.shape.borrow_mut() = Some((self.judge.generation(), columns.into()));
                }
            }
            (server::NO_DATA, Expect::DescribeStatement { half: true, .. }) => {}
            (server::ROW_DESCRIPTION, Expect::DescribePortal { portal, ours }) => {
                let columns = backend::row_description(frame.body())?;
                if !ours {
                    self.name_types(&columns);
                }
                if let Some(portal) = portal {
                    self.described(&portal, columns);
                }
                if ours {
                    return Ok(());
                }
            }
            (server::NO_DATA, Expect::DescribePortal { ours, .. }) => {
                if ours {
                    return Ok(());
                }
            }
            (server::ROW_DESCRIPTION, Expect::Query(run)) => {
                let columns = backend::row_description(frame.body())?;
                self.result(run, &columns);
            }
            (server::COMMAND_COMPLETE, Expect::Query(mut run)) => {
                self.complete(&mut run, &frame)?;
                run.at += 1;
                run.results = 0;
                run.copy = None;
                run.rows = RowsPlan::undescribed(self.judge.clear(run.reach));
                self.expected.push_front(Expect::Query(run));
            }
            (server::EMPTY_QUERY, Expect::Query(run)) => {
                self.judge.outcome(run.operation, Outcome::Complete { tag: "" });
                self.expected.push_front(Expect::Query(run));
            }
            (server::COMMAND_COMPLETE, Expect::Execute { portal, mut run }) => {
                self.describe_from_shape(&portal, run.operation);
                self.complete(&mut run, &frame)?;
            }
            (server::EMPTY_QUERY, Expect::Execute { run, .. }) => {
                self.judge.outcome(run.operation, Outcome::Complete { tag: "" });
            }
            (server::PORTAL_SUSPENDED, Expect::Execute { run, .. }) => {
                self.judge.outcome(run.operation, Outcome::Suspended);
                // What it changes so far may be all.
                if let Some(step) = run.step().filter(|step| step.change != Change::Nothing) {
                    self.judge.done(&step.kind, step.change);
                }
            }
            (server::PARSE_COMPLETE | server::BIND_COMPLETE | server::CLOSE_COMPLETE, Expect::Own) => return Ok(()),
            (server::COMMAND_COMPLETE, Expect::Own) => {
                self.own_complete();
                return Ok(());
            }
            (server::PARSE_COMPLETE, Expect::Trial) => {
                self.trial_passed();
                return Ok(());
            }
            // What nobody asked for: the relay's picture of the server is wrong, so nothing more may pass. A function's result
            // (`V`) and a replication stream (`W`) are among it.
            (other, _) => return Err(DecodeError::UnknownTag(other)),
        }
        let told = if tag == server::ROW_DESCRIPTION {
            self.names(frame)?
        } else {
            frame.into_bytes()
        };
        self.tell(told);
        Ok(())
    }

    fn complete(&mut self, run: &mut Run, frame: &Frame) -> Result<(), DecodeError> {
        let tag = backend::command_complete(frame.body())?;
        self.judge.outcome(run.operation, Outcome::Complete { tag });
        if let Some(remark) = self.judge.remark().filter(|_| !self.stopped) {
            self.say(&remark);
        }
        if let Some(step) = run.step().cloned() {
            self.apply(&step, run.operation);
        }
        Ok(())
    }

    /// A statement is done: what it made and dropped.
    fn apply(&mut self, step: &Step, operation: u64) {
        match &step.kind {
            Kind::Prepare { name, .. } => {
                if let Some(Made { text, index, meaning }) = &step.makes {
                    let statement = Prepared::new(text.clone(), Vec::new(), Some(*index), Some(meaning.clone()));
                    self.names.statements.insert(name.as_str().into(), statement);
                }
            }
            Kind::Deallocate { name: None } => self.names.statements.clear(),
            Kind::Deallocate { name: Some(name) } => {
                self.names.statements.remove(name.as_str());
            }
            Kind::Declare {
                name,
                hold,
                binary,
                lineage,
            } => {
                let portal = Portal {
                    name: name.as_str().into(),
                    step: Some(Rc::new(Step {
                        kind: Kind::Fetch {
                            name: name.clone(),
                            moves: false,
                        },
                        // What its query calls runs when rows are fetched.
                        change: step.change,
                        lineage: lineage.clone(),
                        has_result: true,
                        reach: step.reach,
                        sets: step.sets,
                        makes: None,
                    })),
                    statement: None,
                    formats: Formats::all(if *binary { Format::Binary } else { Format::Text }),
                    operation,
                    hold: *hold,
                    rows: RefCell::new(RowsPlan::undescribed(self.judge.clear(step.reach))),
                    told: Cell::new(false),
                };
                self.names.portals.insert(name.as_str().into(), Rc::new(portal));
            }
            Kind::Close { name: None } => self.names.portals.clear(),
            Kind::Close { name: Some(name) } => {
                self.names.portals.remove(name.as_str());
            }
            Kind::Discard { all: true } => {
                self.names.statements.clear();
                self.names.portals.clear();
            }
            Kind::Commit | Kind::Rollback => self.names.transaction_ended(),
            _ => {}
        }
        self.judge.done(&step.kind, step.change);
    }

    fn server_ready(&mut self, frame: Frame) -> Result<(), DecodeError> {
        let status = backend::ready(frame.body())?;
        let ours = match self.expected.pop_front() {
            Some(Expect::Sync { ours }) => ours,
            Some(Expect::Query(_)) => {
                // A simple Query destroys both.
                self.names.statements.remove("");
                self.names.portals.remove("");
                false
            }
            _ => return Err(DecodeError::UnknownTag(frame.tag())),
        };
        self.copying = false;
        self.status = status;
        if status == Status::Idle {
            self.names.transaction_ended();
            self.tainted = Reach::default();
        }
        self.judge.ready(status);
        self.stopped = false;
        if !ours {
            self.to_client.push(frame.into_bytes());
        }
        Ok(())
    }
}
