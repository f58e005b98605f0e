//! Units: a Query, or a Bind with its values. They are read, resolved and judged here, and launched with what a permit gives.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hoop_shared::refusal::{Code, Refusal};

use super::client::Flow;
use super::expect::{Expect, Run};
use super::judge::{Foresight, Judge, Released, Unit, Unready, Value, Verdict};
use super::known::Known;
use super::lookup::Found;
use super::names::{Meaning, Name, Portal, Prepared, RowsPlan};
use super::steps::{Steps, Unresolved, changed_statement, resolve, resolve_prepared, unknown_statement};
use super::{Attention, Conversation, Intake};
use crate::engine::postgres::codec::backend::{Column, Status};
use crate::engine::postgres::codec::frame::{Frame, client};
use crate::engine::postgres::codec::frontend::{self, Bind, Format, Formats, Parse};
use crate::engine::postgres::codec::write::Report;
use crate::engine::postgres::codec::{DecodeError, write};
use crate::inspect::sql::{Kind, Lineage, Reach};
use crate::policy::Facts;

/// A Parse that waits for its Bind, because running its statement would be held: the server's statement timeout must not run
/// meanwhile.
#[derive(Debug)]
pub(super) struct KeptBack {
    pub(super) name: Name,
    pub(super) statement: Rc<Prepared>,
    bytes: Bytes,
}

/// What the queue of expected answers gets when a unit passes.
#[derive(Debug)]
pub(super) enum Launch {
    Query {
        steps: Rc<[Rc<super::steps::Step>]>,
        reach: Reach,
    },
    Bind {
        parse: Option<(Name, Rc<Prepared>)>,
        portal: Portal,
    },
}

impl Launch {
    pub(super) fn is_query(&self) -> bool {
        matches!(self, Self::Query { .. })
    }
}

impl<J: Judge> Conversation<J> {
    pub(super) fn query(&mut self, frame: Frame) -> Result<Flow, DecodeError> {
        let text: Arc<str> = frontend::query(frame.body())?.into();
        self.send_kept_back();
        if self.has_barrier() {
            self.wait_for_answers();
            return Ok(Flow::Wait(frame));
        }
        let settled = self.expected.is_empty();
        let reading = match self.judge.read(&text, &[]) {
            Ok(reading) => reading,
            Err(unready) => return Ok(self.learn(unready, frame)),
        };
        let steps = match resolve(&mut self.judge, &self.names, settled, &self.reserved, &text, &reading) {
            Ok(steps) => steps,
            Err(unresolved) => return Ok(self.unresolved(unresolved, frame)),
        };
        let mut unit = self.unit(frame.bytes().clone(), text, reading, steps, Vec::new());
        match self.judge.estimate(&unit) {
            Ok(rows) => unit.facts.estimated_rows = rows,
            Err(unready) => return Ok(self.learn(unready, frame)),
        }
        let launch = Launch::Query {
            steps: unit.steps.steps.clone(),
            reach: unit.steps.reach,
        };
        Ok(self.judged(frame, unit, launch))
    }

    pub(super) fn parse(&mut self, frame: Frame) -> Result<Flow, DecodeError> {
        let parse = Parse::decode(frame.body())?;
        self.send_kept_back();
        if let Err(refusal) = self.check_name(parse.name).and_then(|()| self.check_count()) {
            self.judge.refused(None, &refusal);
            self.refuse(&frame, &refusal);
            return Ok(Flow::Done);
        }
        if self.has_barrier() {
            self.wait_for_answers();
            return Ok(Flow::Wait(frame));
        }
        let text: Arc<str> = parse.text.into();
        let settled = self.expected.is_empty();
        let reading = match self.judge.read(&text, &parse.types) {
            Ok(reading) => reading,
            Err(unready) => return Ok(self.learn(unready, frame)),
        };
        let steps = match resolve(&mut self.judge, &self.names, settled, &self.reserved, &text, &reading) {
            Ok(steps) => steps,
            // What it executes by name is resolved again at Bind: then it must be there.
            Err(Unresolved::Refused(_) | Unresolved::Missing(_) | Unresolved::Changed) => Steps::none(&reading),
            Err(unresolved) => return Ok(self.unresolved(unresolved, frame)),
        };
        let meaning = Meaning {
            path: self.judge.search_path(),
            reading: reading.clone(),
        };
        let unit = self.unit(frame.bytes().clone(), text.clone(), reading, steps, Vec::new());
        if let Err(unready) = self.judge.turn(&unit, false) {
            return Ok(self.learn(unready, frame));
        }
        let name: Name = parse.name.into();
        let statement = Prepared::new(text, parse.types, None, Some(meaning));
        match self.judge.foresee(unit) {
            Foresight::Pass => self.send_parse(name, statement, frame.into_bytes(), false),
            Foresight::Doubt => {
                // The server may find what the relay does not: the first Bind, behind a fresh look, says what.
                statement.meanings.borrow_mut().clear();
                self.send_parse(name, statement, frame.into_bytes(), true);
            }
            Foresight::Refuse(refusal) => self.refuse(&frame, &refusal),
            Foresight::Hold => {
                self.kept_back = Some(KeptBack {
                    name,
                    statement,
                    bytes: frame.into_bytes(),
                });
            }
        }
        Ok(Flow::Done)
    }

    pub(super) fn bind(&mut self, frame: Frame) -> Result<Flow, DecodeError> {
        let bind = Bind::decode(frame.body())?;
        if let Err(refusal) = self.check_name(bind.portal).and_then(|()| self.check_count()) {
            self.kept_back = None;
            self.judge.refused(None, &refusal);
            self.refuse(&frame, &refusal);
            return Ok(Flow::Done);
        }
        if self
            .kept_back
            .as_ref()
            .is_some_and(|kept| &*kept.name != bind.statement)
        {
            self.send_kept_back();
        }
        if self.has_barrier() {
            self.wait_for_answers();
            return Ok(Flow::Wait(frame));
        }
        let statement = match self.find_statement(bind.statement) {
            Found::Here(statement) => statement,
            Found::Outstanding => {
                self.wait_for_answers();
                return Ok(Flow::Wait(frame));
            }
            Found::Absent => {
                return Ok(self.unresolved(Unresolved::Missing(bind.statement.to_owned()), frame));
            }
        };
        let settled = self.expected.is_empty();
        let resolved = resolve_prepared(&mut self.judge, &self.names, settled, &self.reserved, &statement);
        let (reading, steps) = match resolved {
            Ok(resolved) => resolved,
            Err(unresolved) => return Ok(self.unresolved(unresolved, frame)),
        };
        let step = steps.steps.first().cloned();
        // An empty statement reaches nothing.
        let reach = step.as_ref().map_or_else(Reach::default, |step| step.reach);
        let mut rows = RowsPlan::undescribed(self.judge.clear(reach));
        if let Some(step) = step.as_ref().filter(|step| step.has_result)
            && matches!(rows, RowsPlan::Undescribed)
        {
            let known = statement.shape.borrow().clone();
            if let Some((_, columns)) = known.filter(|(generation, _)| *generation == self.judge.generation()) {
                rows = self.plan(&step.lineage, &formatted(&columns, &bind.results), step.reach);
            }
        }
        let values = (bind.values.iter().enumerate())
            .map(|(index, value)| Value {
                type_oid: statement.type_of(index),
                format: bind.formats.of(index).unwrap_or_default(),
                bytes: value.map(|value| frame.bytes().slice_ref(value)),
            })
            .collect();
        let bytes = match &self.kept_back {
            None => frame.bytes().clone(),
            Some(kept) => {
                let mut both = BytesMut::with_capacity(kept.bytes.len() + frame.bytes().len());
                both.extend_from_slice(&kept.bytes);
                both.extend_from_slice(frame.bytes());
                both.freeze()
            }
        };
        let portal = Portal {
            name: bind.portal.into(),
            step,
            statement: Some(statement.clone()),
            formats: bind.results.clone(),
            operation: 0,
            hold: false,
            rows: RefCell::new(rows),
            told: Cell::new(false),
        };
        let mut unit = self.unit(bytes, statement.text.clone(), reading, steps, values);
        match self.judge.estimate(&unit) {
            Ok(rows) => unit.facts.estimated_rows = rows,
            Err(unready) => return Ok(self.learn(unready, frame)),
        }
        let launch = Launch::Bind {
            parse: self
                .kept_back
                .as_ref()
                .map(|kept| (kept.name.clone(), kept.statement.clone())),
            portal,
        };
        Ok(self.judged(frame, unit, launch))
    }

    fn judged(&mut self, frame: Frame, unit: Unit, launch: Launch) -> Flow {
        if let Err(unready) = self.judge.turn(&unit, true) {
            return self.learn(unready, frame);
        }
        let tried = std::mem::take(&mut self.tried);
        match self.judge.judge(unit) {
            Verdict::Doubt(..) if !tried && !self.expected.is_empty() => {
                self.wait_for_answers();
                return Flow::Wait(frame);
            }
            Verdict::Doubt(unit, refusal) if launch.is_query() && !tried && !self.unsynced => {
                self.try_at_server(unit, refusal);
                return Flow::Wait(frame);
            }
            Verdict::Pass(released) => self.launch(launch, released),
            Verdict::Refuse(refusal) => {
                self.kept_back = None;
                self.refuse(&frame, &refusal);
            }
            Verdict::Doubt(unit, refusal) => {
                self.kept_back = None;
                self.judge.blocked(&unit, &refusal);
                self.refuse(&frame, &refusal);
            }
            Verdict::Hold(_) if !self.expected.is_empty() => {
                // An error among the outstanding answers would make the server skip it: then nobody need be asked.
                self.wait_for_answers();
                return Flow::Wait(frame);
            }
            Verdict::Hold(review) => {
                self.intake = Intake::Held(Box::new(launch));
                self.attention.push_back(Attention::Hold(review));
            }
        }
        Flow::Done
    }

    pub(super) fn launch(&mut self, launch: Launch, released: Released) {
        let (bytes, operation) = released.into_parts();
        self.kept_back = None;
        self.to_target.push(bytes);
        match launch {
            Launch::Query { steps, reach } => {
                self.tainted |= reach;
                self.set_from_data |= reach.client && steps.iter().any(|step| step.sets);
                self.unsynced = false;
                let rows = RowsPlan::undescribed(self.judge.clear(reach));
                self.expected
                    .push_back(Expect::Query(Run::new(operation, steps, reach, rows)));
            }
            Launch::Bind { parse, mut portal } => {
                if let Some(step) = &portal.step {
                    self.tainted |= step.reach;
                    self.set_from_data |= step.reach.client && step.sets;
                }
                self.unsynced = true;
                portal.operation = operation;
                if let Some((name, statement)) = parse {
                    self.expected.push_back(Expect::Parse {
                        name,
                        statement,
                        doubtful: false,
                    });
                }
                let portal = Rc::new(portal);
                self.expected.push_back(Expect::Bind { portal: portal.clone() });
                let undescribed = matches!(*portal.rows.borrow(), RowsPlan::Undescribed);
                if undescribed
                    && portal
                        .step
                        .as_ref()
                        .is_some_and(|step| step.has_result && describable(&step.kind))
                {
                    self.describe_for_us(&portal);
                }
            }
        }
    }

    pub(super) fn describe_for_us(&mut self, portal: &Rc<Portal>) {
        self.to_target.write(|out| write::describe_portal(out, &portal.name));
        self.expected.push_back(Expect::DescribePortal {
            portal: Some(portal.clone()),
            ours: true,
        });
    }

    /// Whether a description of this portal is outstanding.
    pub(super) fn describes(&self, portal: &Rc<Portal>) -> bool {
        self.expected.iter().any(
            |expect| matches!(expect, Expect::DescribePortal { portal: Some(described), .. } if Rc::ptr_eq(described, portal)),
        )
    }

    /// Makes the plan of a result.
    pub(super) fn plan(&mut self, lineage: &Lineage, columns: &[Column], reach: Reach) -> RowsPlan {
        self.judge
            .rows(lineage, columns, reach)
            .unwrap_or_else(|problem| RowsPlan::Unmaskable(problem.0.into()))
    }

    /// Sends a Parse that was kept back, now that it must stand on its own: it runs nothing.
    pub(super) fn send_kept_back(&mut self) {
        if let Some(kept) = self.kept_back.take() {
            self.send_parse(kept.name, kept.statement, kept.bytes, false);
        }
    }

    fn send_parse(&mut self, name: Name, statement: Rc<Prepared>, bytes: Bytes, doubtful: bool) {
        self.unsynced = true;
        self.to_target.push(bytes);
        self.expected.push_back(Expect::Parse {
            name,
            statement,
            doubtful,
        });
    }

    pub(super) fn unit(
        &self,
        bytes: Bytes,
        text: Arc<str>,
        reading: Rc<Known>,
        steps: Rc<Steps>,
        values: Vec<Value>,
    ) -> Unit {
        let facts = Facts {
            statement: text.clone(),
            tables: steps.tables.clone(),
            functions: steps.functions.clone(),
            in_transaction: self.in_transaction(),
            estimated_rows: None,
        };
        Unit {
            bytes,
            text,
            reading,
            steps,
            facts,
            values,
        }
    }

    pub(super) fn learn(&mut self, unready: Unready, frame: Frame) -> Flow {
        if !self.expected.is_empty() {
            self.wait_for_answers();
        } else if unready == Unready::Scope {
            self.ask_scope();
        } else {
            self.intake = Intake::Learning {
                turn: unready == Unready::Turn,
            };
            self.attention.push_back(Attention::Learn(unready));
        }
        Flow::Wait(frame)
    }

    fn unresolved(&mut self, unresolved: Unresolved, frame: Frame) -> Flow {
        match unresolved {
            Unresolved::Unready(unready) => self.learn(unready, frame),
            Unresolved::Outstanding => {
                self.wait_for_answers();
                Flow::Wait(frame)
            }
            Unresolved::Missing(name) => {
                let report = self.judge.report(&unknown_statement(&name));
                self.refuse_as_the_server("26000", report, &frame)
            }
            Unresolved::Changed => {
                let refusal = changed_statement();
                self.judge.refused(None, &refusal);
                let report = self.judge.report(&refusal);
                self.refuse_as_the_server("0A000", report, &frame)
            }
            Unresolved::Refused(refusal) => {
                self.kept_back = None;
                self.judge.refused(None, &refusal);
                self.refuse(&frame, &refusal);
                Flow::Done
            }
        }
    }

    /// Refuses with the code that the server itself would give.
    fn refuse_as_the_server(&mut self, code: &str, mut report: Report, frame: &Frame) -> Flow {
        self.kept_back = None;
        report.code = code.to_owned();
        if frame.tag() == client::QUERY {
            self.refuse_query(&report);
        } else {
            self.refuse_extended(&report);
        }
        Flow::Done
    }

    fn check_count(&self) -> Result<(), Refusal> {
        let limit = self.bounds.names;
        if self.names.count() < limit {
            return Ok(());
        }
        let message = format!("this connection has {limit} prepared statements and portals, the most that it may have");
        Err(Refusal::new(Code::LimitExceeded, message).hint("close some of them: DEALLOCATE, CLOSE"))
    }

    /// Whether what follows can only be judged when outstanding units are done.
    pub(super) fn has_barrier(&self) -> bool {
        // A transaction that is about to end takes what it changed with it; one that has failed hides what it would have found.
        let transient = self.judge.is_transient() || self.status == Status::Failed;
        self.expected.iter().any(|expect| {
            matches!(expect, Expect::Parse { doubtful: true, .. })
                || expect
                    .steps()
                    .iter()
                    .any(|step| step.is_barrier() || transient && step.ends())
                || transient && matches!(expect, Expect::Sync { .. } | Expect::Query(_))
        })
    }

    /// Whether the next unit will find itself in a transaction block, if all that is outstanding succeeds.
    fn in_transaction(&self) -> bool {
        let mut inside = self.status != Status::Idle;
        for step in self.expected.iter().flat_map(Expect::steps) {
            match step.kind {
                Kind::Begin => inside = true,
                Kind::Commit | Kind::Rollback => inside = false,
                _ => {}
            }
        }
        inside
    }
}

/// Statements whose description would be in the way: it takes a snapshot, and they must come before one.
fn describable(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Plain | Kind::Execute { .. } | Kind::Fetch { .. } | Kind::SearchPath
    )
}

/// Columns as a statement's description has them, with the formats that a Bind asks for.
pub(super) fn formatted(columns: &[Column], formats: &Formats) -> Vec<Column> {
    let with = |(index, column): (usize, &Column)| Column {
        format: formats.of(index).unwrap_or(Format::Text),
        ..column.clone()
    };
    columns.iter().enumerate().map(with).collect()
}
