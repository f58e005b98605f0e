//! A unit that waits for people. Nothing of it has reached the target; what was shown is compared with what is, before it does.

use std::rc::Rc;
use std::sync::Arc;

use hoop_shared::id::RequestId;
use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::wire::run::{self, Says};

use super::account::{Pen, parameters};
use super::estimate::question_of_rows;
use super::words;
use super::world::kept_out;
use crate::approval::{Ask, Outcome};
use crate::engine::postgres::codec::backend::Status;
use crate::engine::postgres::codec::write::{Report, Severity};
use crate::engine::postgres::drive::Say;
use crate::engine::postgres::session::{Released, Unit};
use crate::inspect::catalog::{Catalog, Parts};
use crate::inspect::sql::{Scope, World as Names, read};
use crate::mask::Views;
use crate::policy::{Action, Circumstances, Review, Verdict};
use crate::record::Answer;
use crate::session::{End, Session};
use crate::target::postgres::{Claim, TargetNames, Turn, TurnSession};

/// What a unit was read under.
#[derive(Clone, Debug)]
pub(super) struct Details {
    /// The catalog.
    pub catalog: Arc<Catalog>,
    /// The generation of the snapshot that all sessions share.
    pub base: u64,
    /// The catalog holds what only the session's transaction sees.
    pub in_band: bool,
    /// The session's temporary objects, which no shared snapshot has.
    pub temporary: Option<Box<Parts>>,
    /// The search path.
    pub scope: Scope,
    /// What is masked.
    pub views: Views,
    /// The types of the values.
    pub types: Vec<u32>,
}

/// A hold, from its request to its end.
pub(super) struct Hold {
    pub session: Arc<Session>,
    pub names: Arc<TargetNames>,
    pub turns: Rc<TurnSession>,
    pub account: Pen,
    pub review: Review<Unit>,
    pub details: Details,
    pub status: Status,
}

impl Hold {
    /// Asks, waits, compares, and gives the unit for release.
    pub(super) async fn run(self, say: Say) -> Result<Released, Refusal> {
        let grant = self.session.grant();
        let unit = self.review.operation();
        let digest = *blake3::hash(&unit.bytes).as_bytes();
        let estimate = match unit.facts.estimated_rows {
            Some(rows) => Some(rows),
            None => match question_of_rows(unit, &self.details.scope, self.details.in_band) {
                Some(question) => self.names.estimate(&question).await,
                None => None,
            },
        };
        let mut held = match self.session.desk().hold(self.ask(digest, estimate)).await {
            Ok(held) => held,
            Err(error) => {
                let refusal = Refusal::from(error);
                let mut event = self.account.statement(unit, Answer::Block, self.rules(), None);
                event.detail = Some(refusal.message.clone());
                self.append(&event)?;
                return Err(refusal);
            }
        };
        let request = held.id().clone();
        let event = self
            .account
            .statement(unit, Answer::Approval, self.rules(), Some(&request));
        self.append(&event)?;
        let waits = self.session.hold();
        say.say(self.notice(&request, held.expires()));

        let outcome = held.decided().await;
        if let Some(refusal) = outcome.refusal(&request) {
            let event = self.account.decision(Answer::Block, &request, refusal.message.clone());
            self.append(&event)?;
            return Err(told(refusal, &outcome));
        }
        let taken = Taken {
            turns: &self.turns,
            passes: false,
        };
        let checked = match self.turn().await {
            Ok(()) => self.still_the_same(&request).await,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = checked {
            let event = self.account.decision(Answer::Block, &request, refusal.message.clone());
            self.append(&event)?;
            return Err(refusal);
        }
        let approved = match held.release().await {
            Ok(approved) if approved.digest() == &digest && approved.session() == grant.session() => approved,
            Ok(_) => return Err(Refusal::new(Code::RelayFault, "the approval is for something else").request(request)),
            Err(refusal) => {
                let event = self.account.decision(Answer::Block, &request, refusal.message.clone());
                self.append(&event)?;
                return Err(refusal);
            }
        };
        let detail = format!("approved by {}", approved.by().join(", "));
        let operation = self.append(&self.account.decision(Answer::Allow, &request, detail))?;
        if let Some(run) = self.session.run() {
            run.release(&self.review.operation().steps.effects);
        }
        // From here on its client cannot leave it: the result goes where the client is now.
        drop(waits);
        let mut taken = taken;
        taken.passes = true;
        drop(taken);
        let permit = self.review.approve(approved);
        Released::spend(permit, self.session.grant().session(), operation)
            .ok_or_else(|| Refusal::new(Code::RelayFault, "the permit is for another session"))
    }

    fn rules(&self) -> Arc<[String]> {
        self.review.rules.as_slice().into()
    }

    /// Takes the unit's names: what is compared then stays so until the server has it.
    async fn turn(&self) -> Result<(), Refusal> {
        let unit = self.review.operation();
        let claim = Claim {
            uses: unit.steps.uses.clone(),
            changes: unit.steps.changes.clone(),
            in_transaction: self.status != Status::Idle,
        };
        // Whether they were changed is compared next, by all that was shown of them.
        while self.turns.take(&claim, u64::MAX) != Turn::Granted {
            if !self.turns.wait(&claim).await {
                return Err(kept_out());
            }
        }
        Ok(())
    }

    fn append(&self, event: &crate::record::Event) -> Result<u64, Refusal> {
        self.account.append(event).map_err(|_| {
            let end = End::unrecorded(self.session.recorder());
            let refusal = end.refusal();
            self.session.end(end);
            refusal
        })
    }

    fn ask(&self, digest: [u8; 32], estimate: Option<i64>) -> Ask {
        let unit = self.review.operation();
        let transaction = match self.status {
            Status::Idle => "no",
            Status::Transaction => "yes: its locks stay while it waits",
            Status::Failed => "yes, and it has failed",
        };
        let mut ask = Ask::new(self.session.grant(), &self.review, digest)
            .parameters(parameters(unit, &self.details.catalog))
            .detail("in transaction", transaction)
            .detail("search_path", self.details.scope.search_path.join(", "))
            .detail("length", format!("{} bytes", unit.text.len()));
        if let Some(rows) = estimate {
            ask = ask.detail("estimated rows", rows.to_string());
        }
        if !unit.facts.tables.is_empty() {
            ask = ask.detail("tables", unit.facts.tables.join(", "));
        }
        for (name, text) in &unit.steps.runs {
            ask = ask.detail(format!("EXECUTE {name}"), &**text);
        }
        if !unit.facts.functions.is_empty() {
            ask = ask.detail("functions", unit.facts.functions.join(", "));
        }
        ask
    }

    fn notice(&self, request: &RequestId, expires: time::OffsetDateTime) -> Report {
        let mut groups: Vec<&str> = self
            .review
            .requirements
            .iter()
            .flat_map(|rule| rule.approvers.iter().map(String::as_str))
            .collect();
        groups.sort_unstable();
        groups.dedup();
        let message = format!("{request} waits for approval by {}", groups.join(", "));
        let mut report = Report::new(Severity::Notice, "00000", message);
        let until = expires
            .replace_nanosecond(0)
            .unwrap_or(expires)
            .format(&time::format_description::well_known::Rfc3339)
            .unwrap_or_default();
        report.detail = Some(format!("session {}, until {until}", self.session.id()));
        report.hint = Some(format!("an approver runs: hoopctl approve {request}"));
        report.word = self.session.run().and_then(|run| {
            run.word(Says::Held(run::Held {
                request: request.clone(),
                approvers: groups.iter().map(|group| (*group).to_owned()).collect(),
                expires,
            }))
        });
        report
    }

    /// Compares what was shown with what is: names, masks and policies may have changed meanwhile. The session's own settings and
    /// transaction cannot have: nothing was sent.
    async fn still_the_same(&self, request: &RequestId) -> Result<(), Refusal> {
        let grant = self.session.grant();
        let unit = self.review.operation();
        let void = |what: &str| {
            Refusal::new(
                Code::ApprovalExpired,
                format!("{request} is void: {what} since it was made"),
            )
            .hint("run the statement again to make a new request")
            .request(request.clone())
        };
        let catalog = self
            .names
            .learn_now()
            .await
            .map_err(|error| error.refusal(&grant.connection().name))?;
        if catalog.generation != self.details.base {
            if self.details.in_band {
                return Err(void("the target's catalog changed"));
            }
            let catalog = match &self.details.temporary {
                Some(parts) => Arc::new(catalog.with_temporary((**parts).clone())),
                None => catalog,
            };
            let policies = self.session.policies();
            let now = self.session.masks().map(|masks| {
                masks.views(&catalog, &self.names.bound(), |resource| {
                    policies.permits(grant, Action::Unmask, resource)
                })
            });
            let views = now.as_ref().unwrap_or(&self.details.views);
            let names = Names {
                catalog: &catalog,
                scope: &self.details.scope,
                masked: views.masked(),
                recorded: views.recorded(),
                most_tokens: self.session.limits().statement_tokens,
                parameter_types: &self.details.types,
            };
            let before = Names {
                catalog: &self.details.catalog,
                scope: &self.details.scope,
                masked: self.details.views.masked(),
                recorded: self.details.views.recorded(),
                most_tokens: self.session.limits().statement_tokens,
                parameter_types: &self.details.types,
            };
            let same_objects = unit
                .facts
                .tables
                .iter()
                .all(|table| same_table(&self.details.catalog, &catalog, table));
            if !same_objects
                || !unit.facts.functions.is_empty()
                || read(&unit.text, &names) != read(&unit.text, &before)
            {
                return Err(void("what it names changed"));
            }
        }
        let around = Circumstances {
            reason: grant.reason(),
            source: grant.source(),
            now: std::time::SystemTime::now(),
        };
        let verdict = self.session.policies().judge(
            grant.identity(),
            grant.connection(),
            &unit.steps.effects,
            &unit.facts,
            &around,
        );
        if let Verdict::Block {
            reason,
            rules,
            message,
            effect,
        } = verdict
        {
            return Err(words::blocked(grant, unit, reason, &rules, message.as_deref(), effect));
        }
        Ok(())
    }
}

/// The turn of a unit that may still not pass.
struct Taken<'a> {
    turns: &'a TurnSession,
    passes: bool,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.passes {
            self.turns.give_back();
        }
    }
}

/// Whether a table is the same object with the same columns, triggers and rules in both snapshots.
fn same_table(before: &Catalog, now: &Catalog, name: &str) -> bool {
    let Some((schema, table)) = name.split_once('.') else {
        return false;
    };
    before.relation_in(schema, table) == now.relation_in(schema, table)
}

/// Says of a denial that it is one of policy's kind.
fn told(refusal: Refusal, outcome: &Outcome) -> Refusal {
    match outcome {
        Outcome::Denied { .. } => Refusal {
            message: format!("blocked: {}", refusal.message),
            ..refusal
        },
        _ => refusal,
    }
}
