//! Refusing in the protocol's words, so that the server's state and the client's view of it stay one.

use hoop_shared::refusal::{Code, Refusal};

use super::expect::Expect;
use super::judge::{Judge, Unmaskable};
use super::{Attention, Conversation};
use crate::engine::postgres::codec::backend::Status;
use crate::engine::postgres::codec::frame::{Frame, client};
use crate::engine::postgres::codec::write::{self, Report};

impl<J: Judge> Conversation<J> {
    /// Refuses a message of the client.
    pub(super) fn refuse(&mut self, frame: &Frame, refusal: &Refusal) {
        let report = self.judge.report(refusal);
        match frame.tag() {
            client::QUERY | client::FUNCTION_CALL => self.refuse_query(&report),
            _ => self.refuse_extended(&report),
        }
    }

    /// Refuses what has a `ReadyForQuery` of its own.
    pub(super) fn refuse_query(&mut self, report: &Report) {
        if self.expected.is_empty() && self.status == Status::Idle && !self.unsynced {
            self.to_client.write(|out| {
                report.encode(out);
                write::ready(out, Status::Idle);
            });
            return;
        }
        self.marker(report);
        self.to_target.write(write::sync);
        self.expected.push_back(Expect::Sync { ours: false });
        self.unsynced = false;
    }

    /// Refuses a message of a batch: the server skips the rest of it.
    pub(super) fn refuse_extended(&mut self, report: &Report) {
        self.marker(report);
        self.unsynced = true;
        self.ignoring = true;
    }

    fn marker(&mut self, report: &Report) {
        self.to_target.write(|out| write::execute(out, &self.reserved));
        self.expected.push_back(Expect::Refusal(report.to_bytes()));
    }

    /// Stops a result that may not go on: an error for the client, and the rest of the answers is dropped.
    pub(super) fn stop(&mut self, problem: &Unmaskable) {
        tracing::warn!(problem = %problem, "a result cannot be masked");
        let refusal = Refusal::new(
            Code::RelayFault,
            format!("the result cannot be masked with certainty, so no row of it passes: {problem}"),
        )
        .hint("name the columns in a plain SELECT, without the masked ones");
        let report = self.judge.report(&refusal);
        self.to_client.write(|out| report.encode(out));
        if let Some(run) = self.expected.front_mut().and_then(Expect::run) {
            run.failed = true;
            let operation = run.operation;
            self.judge.outcome(
                operation,
                super::Outcome::Failed {
                    code: &report.code,
                    message: &report.message,
                },
            );
        }
        self.stopped = true;
        let in_batch = matches!(self.expected.front(), Some(Expect::Execute { .. }));
        if in_batch && !self.expected.iter().any(|expect| matches!(expect, Expect::Sync { .. })) && !self.ignoring {
            // The client takes its batch for failed: so must the server.
            self.refuse_extended(&report);
        }
        self.attention.push_back(Attention::Cancel);
    }
}
