//! Coming back for a run that goes on at the relay, or has ended there: waits for its end, then prints what its client would have read.

use std::time::Duration;

use hoop_shared::api::{Request, RequestStatus, RunShown, RunState};
use hoop_shared::id::{RequestId, SessionId};
use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::wire::run::Held;
use tokio::time::Instant;

use super::messages::{Event, Messages};
use super::rows::{Layout, Pipe, Rows};
use super::waiting::{Patience, Tick, Waiting};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::printer::{Output, escape};
use crate::relay_api::RelayApi;

/// How long the relay is asked to wait at a time.
const AT_A_TIME: Duration = Duration::from_secs(50);
/// How much longer its answer may take on the way.
const ON_THE_WAY: Duration = Duration::from_secs(15);
/// How long the relay may be out of reach before waiting ends.
const UNREACHABLE: Duration = Duration::from_secs(60);
/// Between tries.
const PAUSE: Duration = Duration::from_secs(2);

/// What is printed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    All,
    /// What its client had not read when it left.
    Left,
}

/// A run to come back for.
#[derive(Debug)]
pub struct Follow<'a> {
    /// The relay's API.
    pub relay: &'a RelayApi,
    /// The run's session.
    pub session: SessionId,
    /// The request that one comes back for.
    pub request: Option<RequestId>,
    /// What is printed.
    pub part: Part,
    /// How long one waits.
    pub patience: Patience,
    /// How results are laid out.
    pub output: Output,
    /// What NULL is in a table or CSV.
    pub null: Option<String>,
}

impl Follow<'_> {
    /// Waits and prints. Going away early changes nothing about the run.
    ///
    /// # Errors
    /// What ended the run, if not its own end; it still waits when patience is over; or the relay refuses, or stays out of reach.
    pub async fn run(&self, pipe: &Pipe, context: &Context) -> Result<()> {
        let run = self.ended(context).await?;
        match run.state {
            RunState::Running | RunState::Done => self.print(&run, pipe, context).await,
            RunState::Unknown => Err(self.unknown().await),
        }
    }

    /// Waits until the run has ended.
    async fn ended(&self, context: &Context) -> Result<RunShown> {
        let since = Instant::now();
        let mut interrupt = Interrupt::listen()?;
        let mut waiting: Option<Waiting> = None;
        let mut reached = Instant::now();
        let over = match self.patience {
            Patience::For(longest) => since.checked_add(longest),
            Patience::None => Some(since),
            Patience::Ttl => None,
        };
        loop {
            let known = waiting.as_ref().map(|waiting| waiting.held().request.clone());
            let left = over.map_or(AT_A_TIME, |over| {
                over.saturating_duration_since(Instant::now()).min(AT_A_TIME)
            });
            let mut path = format!("/v1/runs/{}?seconds={}", self.session, left.as_secs());
            if let Some(known) = &known {
                path.push_str(&format!("&waits={known}"));
            }
            let asking = self.relay.get_within::<RunShown>(&path, AT_A_TIME + ON_THE_WAY);
            let mut asking = std::pin::pin!(asking);
            let answer = loop {
                let tick = async {
                    match &mut waiting {
                        Some(waiting) => waiting.tick().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    answer = &mut asking => break answer,
                    signal = interrupt.came() => return Err(signal),
                    tick = tick => match (tick, waiting.take()) {
                        (Tick::Over, Some(over)) => return Err(over.left()),
                        (_, Some(mut still)) => {
                            still.say();
                            waiting = Some(still);
                        }
                        (_, None) => {}
                    },
                }
            };
            let run = match answer {
                Ok(run) => run,
                Err(error) if error.code() == Code::RelayUnreachable && reached.elapsed() < UNREACHABLE => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            reached = Instant::now();
            if run.state != RunState::Running {
                return Ok(run);
            }
            match &run.waits {
                Some(request) if known.as_ref() != Some(&request.id) => {
                    let held = Held {
                        request: request.id.clone(),
                        approvers: request.approvers.clone(),
                        expires: request.expires,
                    };
                    waiting = Some(Waiting::begin(held, since, self.patience, context.printer));
                }
                Some(_) => {}
                None => waiting = None,
            }
            if over.is_some_and(|over| Instant::now() >= over) {
                return Err(match waiting.take() {
                    Some(waiting) => waiting.left(),
                    None => {
                        let message = format!("the run of session {} goes on", self.session);
                        Error::new(Code::WaitsForApproval, message).hint("come back for it later")
                    }
                });
            }
        }
    }

    async fn print(&self, run: &RunShown, pipe: &Pipe, context: &Context) -> Result<()> {
        let mut rows = Rows::new(Layout {
            output: self.output,
            null: self.null.clone(),
            session: self.session.clone(),
        });
        let result = self.events(run, &mut rows, pipe, context).await;
        rows.end(result.is_ok());
        // Whoever reads may be gone; the pipe's end says so.
        let _ = pipe.pass_all(rows.written()).await;
        result?;
        match rows.missing() {
            0 => Ok(()),
            missing => Err(Error::new(
                Code::LimitExceeded,
                format!("the run is done, but {missing} rows of its result were not kept"),
            )
            .hint("the relay keeps results up to `kept_result_bytes`, and none where `[recording] content` is \"statements\"")),
        }
    }

    async fn events(&self, run: &RunShown, rows: &mut Rows, pipe: &Pipe, context: &Context) -> Result<()> {
        let from = match self.part {
            Part::Left if run.is_left => "left",
            Part::All | Part::Left => "start",
        };
        let mut result = self
            .relay
            .download(&format!("/v1/runs/{}/result?from={from}", self.session))
            .await?;
        let mut messages = Messages::new(Some(run.mark.clone()));
        let mut failed: Option<Error> = None;
        while let Some(piece) = result.chunk().await? {
            messages.feed(&piece);
            while let Some(event) = messages.event()? {
                match event {
                    Event::Columns(columns) => rows.columns(&columns),
                    Event::Row(row) => rows.row(&row)?,
                    Event::CopyOut => rows.copy_out(),
                    Event::CopyData(line) => rows.copy_line(&line),
                    // Transaction control that --single-transaction adds has no result of its own.
                    Event::Complete(tag) if matches!(tag.as_str(), "BEGIN" | "COMMIT") => {}
                    Event::Complete(tag) => rows.complete(&tag),
                    Event::Masked(values) => rows.masked(values),
                    Event::Cut(count) => rows.cut(count),
                    Event::Failed(error) => failed = failed.or(Some(error)),
                    Event::Notice(text) => context.printer.say(escape::block(&text)),
                    Event::Held(_) | Event::CopyIn | Event::Ready => {}
                }
            }
            pipe.pass(rows.written()).await.map_err(|error| Error::output(&error))?;
        }
        if !messages.is_empty() {
            return Err(Error::new(Code::RelayFault, "the kept result is cut"));
        }
        failed.map_or(Ok(()), Err)
    }

    /// What is known of a run whose end nobody saw.
    async fn unknown(&self) -> Error {
        if let Some(id) = &self.request
            && let Ok(request) = self.relay.get::<Request>(&format!("/v1/requests/{id}")).await
            && !matches!(
                request.status,
                RequestStatus::Spent | RequestStatus::Approved | RequestStatus::Pending
            )
            && let Some(refusal) = refused(&request)
        {
            return refusal.into();
        }
        Error::new(
            Code::OutcomeUnknown,
            format!(
                "the run of session {} was cut off: its last statement may have run or not",
                self.session
            ),
        )
        .hint(format!(
            "`hoopctl sessions show {}` has what is known; look at the data before you run it again, under another key",
            self.session
        ))
    }
}

/// What a request's end means for who made it; nothing where it was approved.
pub fn refused(request: &Request) -> Option<Refusal> {
    let id = &request.id;
    let why = request
        .details
        .iter()
        .find(|(name, _)| name == "ended")
        .map(|(_, why)| why);
    let because = why.map(|why| format!(": {why}")).unwrap_or_default();
    let refusal = match request.status {
        RequestStatus::Approved | RequestStatus::Spent => return None,
        RequestStatus::Pending => Refusal::new(Code::WaitsForApproval, format!("{id} still waits for approval"))
            .hint(format!("wait again with `hoopctl requests wait {id}`")),
        RequestStatus::Denied => {
            let denial = request.decisions.iter().rev().find(|decision| !decision.approve);
            let by = denial.map(|denial| format!(" by {}", denial.by)).unwrap_or_default();
            let why = denial
                .and_then(|denial| denial.reason.as_deref())
                .map(|reason| format!(": {reason}"));
            Refusal::new(
                Code::ApprovalDenied,
                format!("{id} was denied{by}{}", why.unwrap_or_default()),
            )
        }
        RequestStatus::Expired => Refusal::new(Code::ApprovalExpired, format!("{id} expired{because}"))
            .hint("try again: that makes a new request"),
        RequestStatus::Cancelled => Refusal::new(Code::ApprovalCancelled, format!("{id} was withdrawn{because}")),
    };
    Some(refusal.request(id.clone()))
}
