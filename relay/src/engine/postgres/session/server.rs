//! What the server says. Each answer belongs to the front of the queue of expected ones; only answers change what the relay takes
//! the server to have.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::expect::{Expect, Run};
use super::judge::{Judge, Outcome, Unmaskable};
use super::names::{Portal, Prepared, RowsPlan};
use super::scrub::scrub;
use super::steps::{Change, Step};
use super::unit::formatted;
use super::{Conversation, Intake, Over};
use crate::engine::postgres::codec::backend::{self, Column, Notification, Report, Status};
use crate::engine::postgres::codec::frame::{Frame, Side, header, server};
use crate::engine::postgres::codec::frontend::{Format, Formats};
use crate::engine::postgres::codec::{DecodeError, HEADER, write};
use crate::inspect::sql::Kind;

/// A row that is longer than this, in bytes, and passes as it is, passes in pieces.
const LONG_ROW: usize = 256 << 10;

impl<J: Judge> Conversation<J> {
    /// Takes the server's messages from `input`.
    pub fn target_bytes(&mut self, input: &mut BytesMut) {
        if let Err(error) = self.answers(input) {
            self.broken(error);
        }
        if self.expected.is_empty() && self.over.is_none() {
            self.answered();
        }
        if matches!(self.intake, Intake::Answers) && (self.expected.is_empty() || self.copying) {
            self.intake = Intake::Open;
        }
        // Between batches a question costs no more than its time; inside of one it would make it a pipeline of two.
        let between = self.expected.is_empty() && !self.unsynced && matches!(self.intake, Intake::Open);
        if between && self.over.is_none() && self.status != Status::Failed && self.judge.wants_scope() {
            self.ask_scope();
        }
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
            if header.tag == server::DATA_ROW && header.total > input.len() && header.total > LONG_ROW {
                match self.rows_plan() {
                    Some(RowsPlan::Clear) => {
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

    /// What is done to the rows of the unit that runs; `None` where none runs.
    fn rows_plan(&self) -> Option<RowsPlan> {
        match self.expected.front()? {
            Expect::Execute { portal, .. } => Some(portal.rows.borrow().clone()),
            Expect::Query(run) => Some(run.rows.clone()),
            _ => None,
        }
    }

    /// Deals with the whole rows at the front of `input` at once; false where there are none.
    fn rows(&mut self, input: &mut BytesMut) -> Result<bool, DecodeError> {
        let mut end = 0;
        let mut count = 0_u64;
        while let Some(rest) = input.get(end..)
            && rest.first() == Some(&server::DATA_ROW)
            && let Some(header) = header(Side::Server, rest)?
            && header.total <= rest.len()
        {
            end += header.total;
            count += 1;
        }
        if count == 0 {
            return Ok(false);
        }
        let run = input.split_to(end).freeze();
        if matches!(self.expected.front(), Some(Expect::Own)) {
            let mut rest = BytesMut::from(run);
            while let Some(frame) = Frame::next(Side::Server, &mut rest)? {
                self.own_row(&frame)?;
            }
            return Ok(true);
        }
        if self.stopped {
            return Ok(true);
        }
        let Some(plan) = self.rows_plan() else {
            return Err(DecodeError::UnknownTag(server::DATA_ROW));
        };
        if let Some(Expect::Execute { portal, run }) = self.expected.front() {
            let (portal, operation) = (portal.clone(), run.operation);
            self.describe_from_shape(&portal, operation);
        }
        let operation = self
            .expected
            .front_mut()
            .and_then(Expect::run)
            .map_or(0, |run| run.operation);
        let (messages, masked) = match plan {
            RowsPlan::Clear => (run, 0),
            RowsPlan::Masked(mask) => {
                let mut out = BytesMut::with_capacity(run.len() + 64);
                let mut masked = 0;
                let mut rest = run;
                while let Some(header) = header(Side::Server, &rest)? {
                    let message = rest.split_to(header.total.min(rest.len()));
                    match mask.row(&message, &mut out) {
                        Ok(replaced) => masked += replaced,
                        Err(problem) => {
                            self.stop(&problem);
                            return Ok(true);
                        }
                    }
                }
                (out.freeze(), masked)
            }
            RowsPlan::Undescribed => {
                self.stop(&Unmaskable("the server did not describe it".to_owned()));
                return Ok(true);
            }
            RowsPlan::Unmaskable(problem) => {
                self.stop(&Unmaskable(problem.to_string()));
                return Ok(true);
            }
        };
        let rows = Outcome::Rows {
            messages: &messages,
            rows: count,
            masked,
        };
        self.judge.outcome(operation, rows);
        self.to_client.push(messages);
        Ok(true)
    }

    /// Tells the recording the columns of a portal that nobody described in this Execute.
    fn describe_from_shape(&mut self, portal: &Portal, operation: u64) {
        if portal.told.replace(true) {
            return;
        }
        let shape = portal
            .statement
            .as_ref()
            .and_then(|statement| statement.shape.borrow().clone());
        if let Some((_, columns)) = shape {
            let columns = formatted(&columns, &portal.formats);
            self.judge.outcome(operation, Outcome::Described(&columns));
        }
    }

    fn tell(&mut self, bytes: Bytes) {
        if !self.stopped {
            self.to_client.push(bytes);
        }
    }

    fn answer_message(&mut self, frame: Frame) -> Result<(), DecodeError> {
        let tag = frame.tag();
        match tag {
            server::NOTICE => return self.notice(frame),
            server::PARAMETER_STATUS => {
                backend::parameter_status(frame.body())?;
                self.to_client.push(frame.into_bytes());
                return Ok(());
            }
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
            (server::PARSE_COMPLETE, Expect::Parse { name, statement }) => {
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
                run.rows = if self.judge.masks(run.reach) {
                    RowsPlan::Undescribed
                } else {
                    RowsPlan::Clear
                };
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
            }
            (
                server::PARSE_COMPLETE | server::BIND_COMPLETE | server::CLOSE_COMPLETE | server::COMMAND_COMPLETE,
                Expect::Own,
            ) => {
                return Ok(());
            }
            // What nobody asked for: the relay's picture of the server is wrong, so nothing more may pass. A function's result
            // (`V`) and a replication stream (`W`) are among it.
            (other, _) => return Err(DecodeError::UnknownTag(other)),
        }
        self.tell(frame.into_bytes());
        Ok(())
    }

    /// A result of a Query begins.
    fn result(&mut self, mut run: Run, columns: &[Column]) {
        let step = run.step().cloned();
        let reach = step.as_ref().map_or(run.reach, |step| step.reach);
        // A rule of the target may add results: only the first is the statement's own.
        let lineage = match &step {
            Some(step) if run.results == 0 => step.lineage.clone(),
            _ => crate::inspect::sql::Lineage::Unknown,
        };
        run.results += 1;
        run.rows = if self.judge.masks(reach) {
            self.plan(&lineage, columns, reach)
        } else {
            RowsPlan::Clear
        };
        let unmaskable = match &run.rows {
            RowsPlan::Unmaskable(problem) => Some(problem.to_string()),
            _ => None,
        };
        self.judge.outcome(run.operation, Outcome::Described(columns));
        self.expected.push_front(Expect::Query(run));
        if let Some(problem) = unmaskable.filter(|_| !self.stopped) {
            self.stop(&Unmaskable(problem));
        }
    }

    /// A portal's columns are known.
    fn described(&mut self, portal: &Rc<Portal>, columns: Vec<Column>) {
        let columns: Rc<[Column]> = columns.into();
        if let Some(step) = &portal.step
            && matches!(*portal.rows.borrow(), RowsPlan::Undescribed)
        {
            let plan = self.plan(&step.lineage, &columns, step.reach);
            *portal.rows.borrow_mut() = plan;
        }
        if let Some(statement) = &portal.statement {
            *statement.shape.borrow_mut() = Some((self.judge.generation(), columns));
        }
    }

    fn complete(&mut self, run: &mut Run, frame: &Frame) -> Result<(), DecodeError> {
        let tag = backend::command_complete(frame.body())?;
        self.judge.outcome(run.operation, Outcome::Complete { tag });
        if let Some(step) = run.step().cloned() {
            self.apply(&step, run.operation);
        }
        Ok(())
    }

    /// A statement is done: what it made and dropped.
    fn apply(&mut self, step: &Step, operation: u64) {
        match &step.kind {
            Kind::Prepare { name, .. } => {
                let (text, index) = &step.source;
                let statement = Prepared::new(text.clone(), Vec::new(), Some(*index));
                self.names.statements.insert(name.as_str().into(), statement);
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
                        change: Change::Nothing,
                        lineage: lineage.clone(),
                        has_result: true,
                        reach: step.reach,
                        source: step.source.clone(),
                    })),
                    statement: None,
                    formats: Formats::all(if *binary { Format::Binary } else { Format::Text }),
                    operation,
                    hold: *hold,
                    rows: RefCell::new(if self.judge.masks(step.reach) {
                        RowsPlan::Undescribed
                    } else {
                        RowsPlan::Clear
                    }),
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
            self.tainted = false;
        }
        self.judge.ready(status);
        self.stopped = false;
        if !ours {
            self.to_client.push(frame.into_bytes());
        }
        Ok(())
    }

    fn error(&mut self, frame: &Frame) -> Result<(), DecodeError> {
        let reach = self.quotes_masked();
        self.copying = false;
        match self.expected.front_mut() {
            Some(Expect::Refusal(words)) => {
                let words = words.clone();
                self.tell(words);
            }
            Some(Expect::Own) => self.own_error(frame)?,
            Some(Expect::DescribePortal { ours: true, .. }) if !reach => {
                let bytes = frame.bytes().clone();
                self.tell(bytes);
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

    fn notice(&mut self, frame: Frame) -> Result<(), DecodeError> {
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

    fn notification(&mut self, frame: Frame) -> Result<(), DecodeError> {
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
