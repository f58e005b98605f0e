//! Results: whole rows at once, masked or as they are, and what is learnt of their columns.

use std::rc::Rc;

use bytes::BytesMut;

use super::Conversation;
use super::expect::{Expect, Run};
use super::judge::{Judge, Outcome, Unmaskable};
use super::names::{Portal, RowsPlan};
use super::unit::formatted;
use crate::engine::postgres::codec::DecodeError;
use crate::engine::postgres::codec::backend::Column;
use crate::engine::postgres::codec::frame::{Frame, Side, header, server};
use crate::mask::Sent;

impl<J: Judge> Conversation<J> {
    /// What is done to the rows of the unit that runs; `None` where none runs.
    pub(super) fn rows_plan(&self) -> Option<RowsPlan> {
        match self.expected.front()? {
            Expect::Execute { portal, .. } => Some(portal.rows.borrow().clone()),
            Expect::Query(run) => Some(run.rows.clone()),
            _ => None,
        }
    }

    /// Deals with the whole rows at the front of `input` at once; false where there are none.
    pub(super) fn rows(&mut self, input: &mut BytesMut) -> Result<bool, DecodeError> {
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
        let sent = match plan {
            RowsPlan::Clear(cleared) => Sent {
                recording: cleared.pass(run.clone()),
                client: run,
                masked: 0,
            },
            RowsPlan::Masked(mask) => match mask.rows(&run) {
                Ok(sent) => sent,
                Err(problem) => {
                    self.stop(&problem);
                    return Ok(true);
                }
            },
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
            messages: &sent.recording,
            rows: count,
            masked: sent.masked,
        };
        self.judge.outcome(operation, rows);
        self.to_client.push(sent.client);
        Ok(true)
    }

    /// Tells the recording the columns of a portal that nobody described in this Execute.
    pub(super) fn describe_from_shape(&mut self, portal: &Portal, operation: u64) {
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

    /// A result of a Query begins.
    pub(super) fn result(&mut self, mut run: Run, columns: &[Column]) {
        let step = run.step().cloned();
        let reach = step.as_ref().map_or(run.reach, |step| step.reach);
        // A rule of the target may add results: only the first is the statement's own.
        let lineage = match &step {
            Some(step) if run.results == 0 => step.lineage.clone(),
            _ => crate::inspect::sql::Lineage::Unknown,
        };
        run.results += 1;
        run.rows = match self.judge.clear(reach) {
            Some(cleared) => RowsPlan::Clear(cleared),
            None => self.plan(&lineage, columns, reach),
        };
        let unmaskable = match &run.rows {
            RowsPlan::Unmaskable(problem) => Some(problem.to_string()),
            _ => None,
        };
        self.judge.outcome(run.operation, Outcome::Described(columns));
        self.name_types(columns);
        self.expected.push_front(Expect::Query(run));
        if let Some(problem) = unmaskable.filter(|_| !self.stopped) {
            self.stop(&Unmaskable(problem));
        }
    }

    /// Tells a client that wants to know what the types of the result are that comes next.
    pub(super) fn name_types(&mut self, columns: &[Column]) {
        if let Some(remark) = self.judge.types(columns).filter(|_| !self.stopped) {
            self.say(&remark);
        }
    }

    /// A portal's columns are known.
    pub(super) fn described(&mut self, portal: &Rc<Portal>, columns: Vec<Column>) {
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
}
