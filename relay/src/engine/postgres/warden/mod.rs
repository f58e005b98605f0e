//! The judge of real sessions: reads a unit under what names mean right now, asks policy, records the answer before anything
//! passes, holds what people must decide, and makes the masks of results.
//!
//! ```text
//! world (catalog, scope, masked columns) ▸ inspect::sql::read ▸ policy ▸ recording ▸ Permit ▸ Released
//!                                                                 └▸ hold ▸ Desk ▸ Approved ▸ Permit
//! ```

mod account;
mod estimate;
mod hold;
mod masks;
mod readings;
mod types;
mod words;
mod world;

use std::rc::Rc;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::wire::run::Says;

use super::codec::backend::{CancelKey, Column, Status};
use super::codec::write::{Report, Severity};
use super::drive::{Attend, InBand, Say};
use super::session::{
    Change, CopyPlan, Foresight, Judge, Known, Outcome, Released, RowsPlan, Unit, Unmaskable, Unready, Verdict,
};
use crate::inspect::sql::{CopyOut, Kind, Lineage, Problem, Reach, Reading};
use crate::mask::Cleared;
use crate::policy::{Action, Circumstances, Decision, Reason, Review, SqlAction, Verdict as Foreseen};
use crate::record::Answer;
use crate::session::{End, Session};
use crate::target::Rows;
use crate::target::postgres::{TargetNames, cancel};
use account::Account;
use world::{Learnt, World};

/// Judges for one client connection of a session.
#[derive(Debug)]
pub(super) struct Warden {
    session: Arc<Session>,
    names: Arc<TargetNames>,
    world: World,
    account: Account,
    target_key: Option<CancelKey>,
}

/// A unit that waits for people, and what it was read under.
#[derive(Debug)]
pub(super) struct Waiting {
    review: Review<Unit>,
    details: hold::Details,
}

impl Warden {
    /// Judges for a session's client connection of this number. `target_key` cancels at the target.
    pub(super) fn new(
        session: Arc<Session>,
        names: Arc<TargetNames>,
        stream: u32,
        target_key: Option<CancelKey>,
    ) -> Self {
        Self {
            world: World::new(session.clone(), names.clone()),
            account: Account::new(session.clone(), stream),
            session,
            names,
            target_key,
        }
    }

    /// What cannot be recorded ends the session.
    fn unrecorded(&self) -> Refusal {
        let end = End::unrecorded(self.session.recorder());
        let refusal = end.refusal();
        self.session.end(end);
        refusal
    }

    /// What policy says of a unit.
    fn decided(&mut self, unit: Unit) -> Verdict<Waiting> {
        if let Some(refusal) = Self::fixed(&unit) {
            self.refused(Some(unit), &refusal);
            return Verdict::Refuse(refusal);
        }
        self.world.note(&unit);
        let grant = self.session.grant();
        match self.session.policies().decide(grant, unit) {
            Decision::Allow(permit) => {
                let recorded = self
                    .account
                    .statement(permit.operation(), Answer::Allow, permit.rules().clone());
                self.world.passes(permit.operation());
                let Ok(operation) = recorded else {
                    return Verdict::Refuse(self.unrecorded());
                };
                if let Some(run) = self.session.run() {
                    run.release(&permit.operation().steps.effects);
                }
                match Released::spend(permit, grant.session(), operation) {
                    Some(released) => Verdict::Pass(released),
                    None => Verdict::Refuse(Refusal::new(Code::RelayFault, "the permit is for another session")),
                }
            }
            Decision::Block(blocked) => {
                let unit = &blocked.operation;
                let refusal = words::blocked(
                    grant,
                    unit,
                    blocked.reason,
                    &blocked.rules,
                    blocked.message.as_deref(),
                    blocked.effect,
                );
                let effect = blocked.effect.and_then(|index| unit.steps.effects.get(index));
                let unknown = effect
                    .is_none_or(|effect| matches!(effect.action, Action::Sql(SqlAction::Unknown | SqlAction::Call)));
                if blocked.reason == Reason::NotPermitted && unknown && is_doubtful(&unit.reading) {
                    return Verdict::Doubt(Box::new(blocked.operation), refusal);
                }
                if self
                    .account
                    .statement(unit, Answer::Block, blocked.rules.as_slice().into())
                    .is_err()
                {
                    return Verdict::Refuse(self.unrecorded());
                }
                Verdict::Refuse(refusal)
            }
            Decision::RequireApproval(review) => match self.world.details(review.operation()) {
                Some(details) => Verdict::Hold(Waiting { review, details }),
                None => Verdict::Refuse(Refusal::new(Code::RelayFault, "the masks are not known")),
            },
        }
    }

    /// A refusal that no policy can lift.
    fn fixed(unit: &Unit) -> Option<Refusal> {
        if let Some(refused) = &unit.reading.refused {
            return Some(Refusal::new(Code::Blocked, format!("blocked: {}", refused.message())).hint(refused.hint()));
        }
        match unit.reading.problem {
            Some(Problem::TooLong) => Some(Refusal::new(
                Code::LimitExceeded,
                "the statement is longer than the relay reads",
            )),
            Some(Problem::TooComplex) => Some(
                Refusal::new(
                    Code::LimitExceeded,
                    "the statement is nested too deeply, or has too many parts, for the relay to read",
                )
                .hint("send it in pieces, or use COPY; an operator can raise `statement_tokens` under `[limits]`"),
            ),
            Some(Problem::Syntax(_)) | None => None,
        }
    }
}

/// Whether the server would refuse it by itself: it is not SQL, or names what nobody knows.
fn is_doubtful(reading: &Reading) -> bool {
    !reading.unresolved.is_empty() || matches!(reading.problem, Some(Problem::Syntax(_)))
}

impl Judge for Warden {
    type Review = Waiting;

    fn read(&mut self, text: &str, types: &[u32]) -> Result<Rc<Known>, Unready> {
        self.world.read(text, types)
    }

    fn search_path(&self) -> Arc<[String]> {
        self.world.search_path()
    }

    fn is_transient(&self) -> bool {
        self.world.is_transient()
    }

    fn generation(&self) -> u64 {
        self.world.generation()
    }

    fn estimate(&mut self, unit: &Unit) -> Result<Option<i64>, Unready> {
        if self.session.policies().reads_estimate() {
            self.world.estimate(unit)
        } else {
            Ok(None)
        }
    }

    fn turn(&mut self, unit: &Unit, runs: bool) -> Result<(), Unready> {
        self.world.turn(unit, runs)
    }

    fn answered(&mut self) {
        self.world.answered();
    }

    fn foresee(&mut self, unit: Unit) -> Foresight {
        if let Some(refusal) = Self::fixed(&unit) {
            self.refused(Some(unit), &refusal);
            return Foresight::Refuse(refusal);
        }
        // The server answers it best, and parsing runs nothing.
        if is_doubtful(&unit.reading) {
            return Foresight::Doubt;
        }
        let grant = self.session.grant();
        let around = Circumstances {
            reason: grant.reason(),
            source: grant.source(),
            now: std::time::SystemTime::now(),
        };
        let policies = self.session.policies();
        match policies.judge(
            grant.identity(),
            grant.connection(),
            &unit.steps.effects,
            &unit.facts,
            &around,
        ) {
            Foreseen::Allow { .. } => Foresight::Pass,
            Foreseen::RequireApproval { .. } => Foresight::Hold,
            // It is judged at Bind, by an estimate for its values.
            Foreseen::Block { .. } if policies.reads_estimate() && self.world.can_estimate(&unit) => Foresight::Pass,
            Foreseen::Block {
                reason,
                rules,
                message,
                effect,
            } => {
                let refusal = words::blocked(grant, &unit, reason, &rules, message.as_deref(), effect);
                match self.account.statement(&unit, Answer::Block, rules.into()) {
                    Ok(_) => Foresight::Refuse(refusal),
                    Err(_) => Foresight::Refuse(self.unrecorded()),
                }
            }
        }
    }

    fn judge(&mut self, unit: Unit) -> Verdict<Waiting> {
        let verdict = self.decided(unit);
        if !matches!(verdict, Verdict::Pass(_)) {
            self.world.stays();
        }
        verdict
    }

    fn mistrust(&mut self) {
        self.world.mistrust();
    }

    fn blocked(&mut self, unit: &Unit, refusal: &Refusal) {
        let rules = refusal.rule.iter().cloned().collect();
        if self.account.statement(unit, Answer::Block, rules).is_err() {
            self.unrecorded();
        }
    }

    fn refused(&mut self, unit: Option<Unit>, refusal: &Refusal) {
        if self.account.refused(unit.as_ref(), refusal).is_err() {
            self.unrecorded();
        }
    }

    fn report(&self, refusal: &Refusal) -> Report {
        let mut report = words::report(self.session.grant(), refusal);
        let run = self.session.run();
        report.word = run.and_then(|run| run.word(Says::Refused(refusal.clone())));
        report
    }

    fn clear(&self, reach: Reach) -> Option<Cleared> {
        self.world.clear(reach)
    }

    fn quotes(&self, reach: Reach) -> Reach {
        self.world.quotes(reach)
    }

    fn detected(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.world.views()?.detected(text)
    }

    fn rows(&mut self, lineage: &Lineage, columns: &[Column], reach: Reach) -> Result<RowsPlan, Unmaskable> {
        masks::rows(
            &self.world,
            lineage,
            columns,
            reach,
            self.session.limits().masked_row_bytes,
        )
    }

    fn copy(&mut self, copy: &CopyOut, columns: usize, reach: Reach) -> Result<CopyPlan, Unmaskable> {
        masks::copy(
            &self.world,
            copy,
            columns,
            reach,
            self.session.limits().masked_row_bytes,
        )
    }

    fn payload(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        self.world.payload(payload)
    }

    fn wants_scope(&self) -> bool {
        self.world.wants_scope()
    }

    fn scope(&mut self, rows: &Rows) -> bool {
        self.world.scope_learnt(rows)
    }

    fn done(&mut self, kind: &Kind, change: Change) {
        self.world.done(kind, change);
    }

    fn ready(&mut self, status: Status) {
        self.world.ready(status);
    }

    fn outcome(&mut self, operation: u64, outcome: Outcome<'_>) {
        self.account.outcome(operation, outcome);
    }

    fn remark(&mut self) -> Option<Report> {
        let run = self.session.run()?;
        let masked = self.account.masked();
        let mut remark = Report::new(Severity::Notice, "00000", format!("{masked} values are masked"));
        remark.word = Some(run.word(Says::Masked(masked))?);
        (masked > 0).then_some(remark)
    }

    fn types(&self, columns: &[Column]) -> Option<Report> {
        let run = self.session.run()?;
        let types = types::named(self.world.catalog(), columns)?;
        // A name is text like any other: where a detector finds something in one, none is told.
        if types::words(&types).any(|name| self.detected(name.as_bytes()).is_some()) {
            return None;
        }
        let mut remark = Report::new(Severity::Notice, "00000", format!("{} types are named", types.len()));
        remark.word = Some(run.word(Says::Types(types))?);
        Some(remark)
    }
}

impl Attend for Warden {
    type Learnt = Learnt;

    fn learn(&mut self, what: Unready, in_band: InBand) -> LocalBoxFuture<'static, Result<Learnt, Refusal>> {
        world::learn(
            self.names.clone(),
            self.world.waits(),
            what,
            in_band,
            self.world.around(),
            self.world.asked(),
            self.session.grant().connection().name.clone(),
        )
        .boxed_local()
    }

    fn learnt(&mut self, learnt: Learnt) {
        self.world.learnt(learnt);
    }

    fn hold(
        &mut self,
        review: Waiting,
        say: Say,
        status: Status,
    ) -> LocalBoxFuture<'static, Result<Released, Refusal>> {
        let Waiting { review, details } = review;
        // It may pass without another word.
        self.world.may_pass(review.operation());
        let hold = hold::Hold {
            session: self.session.clone(),
            names: self.names.clone(),
            turns: self.world.waits().0,
            account: self.account.pen(),
            review,
            details,
            status,
        };
        hold.run(say).boxed_local()
    }

    fn changes_names(&self) -> bool {
        self.world.changes_names()
    }

    fn cancel(&mut self) -> LocalBoxFuture<'static, ()> {
        self.account.cancelled();
        let (names, key) = (self.names.clone(), self.target_key);
        async move {
            let Some(key) = key else { return };
            if let Err(error) = cancel(names.target(), key).await {
                tracing::warn!(%error, "a statement cannot be cancelled");
            }
        }
        .boxed_local()
    }

    fn touch(&self) {
        self.session.touch();
    }

    fn has_company(&self) -> bool {
        self.session.streams() > 1 && self.session.recorder().is_behind()
    }

    fn settle(&mut self) -> Result<(), Refusal> {
        self.account.settle().map_err(|_| self.unrecorded())
    }
}
