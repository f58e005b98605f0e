//! The answers that the server owes, in order.

use std::rc::Rc;

use bytes::Bytes;

use super::judge::CopyPlan;
use super::names::{Name, Portal, Prepared, RowsPlan};
use super::steps::Step;
use crate::inspect::sql::Reach;

/// One outstanding answer.
#[derive(Debug)]
pub enum Expect {
    /// `ParseComplete`.
    Parse {
        /// The name that the statement gets.
        name: Name,
        /// The statement.
        statement: Rc<Prepared>,
        /// The relay could not read it: if the server can, the relay's picture of names is old.
        doubtful: bool,
    },
    /// `BindComplete`.
    Bind {
        /// The portal that it makes.
        portal: Rc<Portal>,
    },
    /// `ParameterDescription`, then `RowDescription` or `NoData`.
    DescribeStatement {
        /// The statement, where the relay knows it.
        statement: Option<Rc<Prepared>>,
        /// `ParameterDescription` has arrived.
        half: bool,
    },
    /// `RowDescription` or `NoData`.
    DescribePortal {
        /// The portal, where the relay knows it.
        portal: Option<Rc<Portal>>,
        /// The relay asked: the client does not see the answer.
        ours: bool,
    },
    /// Rows, then `CommandComplete`, `PortalSuspended` or `EmptyQueryResponse`.
    Execute {
        /// The portal.
        portal: Rc<Portal>,
        /// How far it is.
        run: Run,
    },
    /// `CloseComplete` of a statement.
    CloseStatement(Name),
    /// `CloseComplete` of a portal.
    ClosePortal(Name),
    /// `ReadyForQuery` of a Sync. The client waits for it unless the relay asked.
    Sync {
        /// The relay asked.
        ours: bool,
    },
    /// All answers to a Query, up to `ReadyForQuery`.
    Query(Run),
    /// The error that a marker raises; the client sees these bytes in its place.
    Refusal(Bytes),
    /// `ParseComplete` of a text that the relay doubts, which the client does not see; or the server's own error about it.
    Trial,
    /// Something about a question of the relay's own.
    Own,
}

/// A unit that runs.
#[derive(Debug)]
pub struct Run {
    /// The number of its operation.
    pub operation: u64,
    /// Its statements.
    pub steps: Rc<[Rc<Step>]>,
    /// Which of them runs.
    pub at: usize,
    /// Some result may hold a masked value.
    pub reach: Reach,
    /// What is done to the rows of the current result.
    pub rows: RowsPlan,
    /// What is done to the data of the current COPY TO STDOUT; `None`: there is none.
    pub copy: Option<CopyPlan>,
    /// How many results the current statement has had.
    pub results: usize,
    /// It failed.
    pub failed: bool,
    /// The client sent all data of its COPY FROM STDIN.
    pub data_sent: bool,
}

impl Run {
    /// Starts one.
    pub fn new(operation: u64, steps: Rc<[Rc<Step>]>, reach: Reach, rows: RowsPlan) -> Self {
        Self {
            operation,
            steps,
            at: 0,
            reach,
            rows,
            copy: None,
            results: 0,
            failed: false,
            data_sent: false,
        }
    }

    /// The statement that runs.
    pub fn step(&self) -> Option<&Rc<Step>> {
        self.steps.get(self.at)
    }

    /// The statements that are not complete.
    pub fn rest(&self) -> &[Rc<Step>] {
        self.steps.get(self.at..).unwrap_or_default()
    }
}

impl Expect {
    /// The unit that runs, if one does.
    pub fn run(&mut self) -> Option<&mut Run> {
        match self {
            Self::Execute { run, .. } | Self::Query(run) => Some(run),
            _ => None,
        }
    }

    /// It may still ask the client for data.
    pub fn takes_data(&self) -> bool {
        match self {
            Self::Execute { run, .. } => !run.data_sent && run.rest().iter().any(|step| step.takes_data()),
            Self::Query(run) => !run.failed && run.rest().iter().any(|step| step.takes_data()),
            _ => false,
        }
    }

    /// The statements of the unit that are not complete.
    pub fn steps(&self) -> &[Rc<Step>] {
        match self {
            Self::Execute { run, .. } | Self::Query(run) => run.rest(),
            _ => &[],
        }
    }
}
