//! A run from its session to its end.

use std::time::Duration;

use bytes::BytesMut;
use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::wire::Opened;
use hoop_shared::wire::run::{Idempotency, Run};
use tokio::time::{Instant, timeout};

use super::conversation::{Conversation, farewell, messages_of};
use super::messages::Event;
use super::rows::{Layout, Pipe, Rows};
use super::script::Unit;
use super::waiting::{IN_A_LOG, Patience, Tick, Waiting};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::printer::{Output, escape};
use crate::tunnel::{Answer, Tunnel};

/// What the recording calls the client.
const CLIENT: &str = "hoopctl exec";
/// How long the relay's word about the end of a session may come after the end of its stream.
const WORD_OF_THE_END: Duration = Duration::from_secs(1);
/// How long the relay may take to have all of a run that is left.
const LEAVING: Duration = Duration::from_secs(30);

/// What is to be run, and how.
#[derive(Debug)]
pub struct Job {
    /// The connection.
    pub connection: String,
    /// Why.
    pub reason: Option<String>,
    /// What is sent, in order.
    pub units: Vec<Unit>,
    /// All of it in one transaction.
    pub single_transaction: bool,
    /// How long one waits for approvals.
    pub patience: Patience,
    /// What must never run twice.
    pub key: Option<String>,
    /// What NULL is in a table or CSV.
    pub null: Option<String>,
    /// How results are laid out.
    pub output: Output,
}

/// How a run ended that did not fail.
#[derive(Debug)]
pub enum Ran {
    /// All of it is done.
    Done,
    /// It happened before, in this session.
    Before(hoop_shared::id::SessionId),
}

impl Job {
    /// Runs it.
    ///
    /// # Errors
    /// The first thing that fails, a wait that is left included.
    pub async fn run(&self, pipe: &Pipe, context: &Context) -> Result<Ran> {
        let doing = || format!("cannot run on {}", escape::line(&self.connection));
        let tunnel = context.tunnel().await.map_err(|error| error.doing(doing()))?;
        for notice in &tunnel.welcome().notices {
            context.printer.say(escape::line(notice));
        }
        if !tunnel.knows_runs() && (self.key.is_some() || self.patience != Patience::Ttl) {
            tunnel.close().await;
            let message = "the relay is too old for --wait, --no-wait and --idempotency-key";
            return Err(Error::new(Code::VersionMismatch, message).hint("ask its operator for a newer one"));
        }
        let mut interrupt = Interrupt::listen()?;
        let ran = match self.open(&tunnel, &mut interrupt, context).await {
            Ok(Answer::Opened(opened)) => {
                let mut running = Running {
                    job: self,
                    tunnel: &tunnel,
                    rows: Rows::new(Layout {
                        output: self.output,
                        null: self.null.clone(),
                        session: opened.session.clone(),
                    }),
                    opened,
                    pipe,
                    interrupt,
                    context,
                    since: Instant::now(),
                };
                running.run().await.map(|()| Ran::Done)
            }
            Ok(Answer::Repeated(session)) => Ok(Ran::Before(session)),
            Err(error) => Err(error.doing(doing())),
        };
        tunnel.close().await;
        ran
    }

    async fn open(&self, tunnel: &Tunnel, interrupt: &mut Interrupt, context: &Context) -> Result<Answer> {
        let reason = self.reason.as_deref();
        let opening = async {
            if tunnel.knows_runs() {
                let run = Run {
                    idempotency: self.key.clone().map(|key| Idempotency {
                        key,
                        digest: self.digest(),
                    }),
                };
                tunnel.open_run(&self.connection, reason, CLIENT, run).await
            } else {
                tunnel
                    .open(&self.connection, reason, Some(CLIENT))
                    .await
                    .map(Answer::Opened)
            }
        };
        let mut opening = std::pin::pin!(opening);
        let mut over = match self.patience {
            Patience::For(longest) => Instant::now().checked_add(longest),
            Patience::Ttl | Patience::None => None,
        };
        // What the relay said: the session itself waits for approval.
        let mut said: Option<String> = None;
        loop {
            let deadline = async {
                match over {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                answer = &mut opening => return answer.map_err(|error| error.refusal().into()),
                Some(notice) = tunnel.notice() => {
                    context.printer.tell(escape::block(&notice));
                    if self.patience == Patience::None {
                        over = Some(Instant::now());
                    }
                    said = Some(notice);
                }
                () = tokio::time::sleep(IN_A_LOG), if said.is_some() => {
                    context.printer.say(escape::block(said.as_deref().unwrap_or_default()));
                }
                () = deadline => return Err(withdrawn("a session that itself waits for approval cannot be left")),
                signal = interrupt.came() => {
                    return Err(match said {
                        Some(_) => withdrawn(&signal.to_string()),
                        None => signal,
                    });
                }
            }
        }
    }

    /// The digest of everything that would run.
    fn digest(&self) -> String {
        let mut digest = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            // Length before content: no two runs have the same bytes.
            digest.update(&(bytes.len() as u64).to_be_bytes()).update(bytes);
        };
        part(b"hoopctl exec 1");
        part(&[u8::from(self.single_transaction)]);
        for unit in &self.units {
            part(unit.text.as_bytes());
            part(&(unit.values.len() as u64).to_be_bytes());
            for value in &unit.values {
                match value {
                    Some(text) => {
                        part(b"=");
                        part(text.as_bytes());
                    }
                    None => part(b"NULL"),
                }
            }
        }
        digest.finalize().to_hex().to_string()
    }

    /// Everything that is sent, in order, with whether its result is shown.
    fn sent(&self) -> Result<Vec<(BytesMut, bool, bool)>> {
        let own = |text: &str| -> Result<(BytesMut, bool, bool)> {
            let unit = Unit {
                text: text.to_owned(),
                values: Vec::new(),
            };
            Ok((messages_of(&unit)?, false, false))
        };
        let mut all = Vec::new();
        if self.single_transaction {
            all.push(own("BEGIN")?);
        }
        for unit in &self.units {
            all.push((messages_of(unit)?, !unit.values.is_empty(), true));
        }
        if self.single_transaction {
            all.push(own("COMMIT")?);
        }
        Ok(all)
    }
}

/// The request for a session ends with the call that made it.
fn withdrawn(why: &str) -> Error {
    Error::new(
        Code::ApprovalCancelled,
        format!("{why}: the request for it was withdrawn"),
    )
    .hint("wait for it, with --wait DURATION for instance")
}

struct Running<'a> {
    job: &'a Job,
    tunnel: &'a Tunnel,
    opened: Opened,
    rows: Rows,
    pipe: &'a Pipe,
    interrupt: Interrupt,
    context: &'a Context,
    since: Instant,
}

/// Why a unit did not end by itself.
enum Stop {
    /// It failed, and was ended in order.
    Ended(Error),
    /// Something else is wrong: what runs does not go on.
    Failed(Error),
    /// It waits, and is left.
    Leave(Waiting),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Running<'_> {
    async fn run(&mut self) -> Result<()> {
        let result = self.units().await;
        self.rows.end(result.is_ok());
        // Whoever reads may be gone; the pipe's end says so.
        let _ = self.pipe.pass_all(self.rows.written()).await;
        result
    }

    async fn units(&mut self) -> Result<()> {
        let sent = self.job.sent()?;
        let stream = self.tunnel.stream(&self.opened.session).await;
        let stream = stream.map_err(|error| Error::from(error.refusal()))?;
        let mut conversation = Conversation::begin(stream, &self.opened).await?;
        // The first that is ready is the startup's.
        let mut outcome = self.unit(&mut conversation, &[], false, false).await;
        let mut next = 0;
        while outcome.is_ok()
            && let Some((bytes, is_extended, is_shown)) = sent.get(next)
        {
            next += 1;
            outcome = self.unit(&mut conversation, bytes, *is_extended, *is_shown).await;
        }
        match outcome {
            Ok(()) => {
                // Everything is done: that the farewell cannot be said changes nothing.
                let _ = conversation.send(&farewell()).await;
                let _ = timeout(WORD_OF_THE_END, conversation.finish()).await;
                Ok(())
            }
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Ended(error)) => {
                let _ = conversation.send(&farewell()).await;
                let _ = timeout(WORD_OF_THE_END, conversation.finish()).await;
                Err(error)
            }
            Err(Stop::Leave(waiting)) => {
                let rest: Vec<&BytesMut> = sent.iter().skip(next).map(|(bytes, ..)| bytes).collect();
                self.leave(conversation, &rest).await?;
                Err(waiting.left())
            }
        }
    }

    /// Sends a unit and takes its events to the end.
    async fn unit(
        &mut self,
        conversation: &mut Conversation,
        bytes: &[u8],
        is_extended: bool,
        is_shown: bool,
    ) -> Result<(), Stop> {
        conversation.send(bytes).await?;
        let mut waiting: Option<Waiting> = None;
        let mut failed: Option<Error> = None;
        loop {
            while let Some(event) = conversation.event()? {
                if !matches!(event, Event::Held(_) | Event::Notice(_)) {
                    waiting = None;
                }
                match event {
                    Event::Ready => return failed.map_or(Ok(()), |error| Err(Stop::Ended(error))),
                    Event::Failed(error) => failed = failed.or(Some(error)),
                    Event::CopyIn => conversation.send_no_data(is_extended).await?,
                    Event::Held(held) => {
                        let began = Waiting::begin(held, self.since, self.job.patience, self.context.printer);
                        waiting = Some(began);
                    }
                    Event::Complete(tag) if tag == "ROLLBACK" && !is_shown => {
                        failed = failed.or(Some(
                            Error::new(Code::SqlError, "the transaction was rolled back")
                                .hint("a statement of the script ended it early, or failed inside of it"),
                        ));
                    }
                    other => self.show(other, is_shown)?,
                }
            }
            // A reader that takes its time stops the rows here.
            self.pipe
                .pass(self.rows.written())
                .await
                .map_err(|error| Stop::Failed(Error::output(&error)))?;
            let tick = async {
                match &mut waiting {
                    Some(waiting) => waiting.tick().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                signal = self.interrupt.came() => return Err(self.interrupted(signal, waiting.as_ref()).into()),
                more = conversation.read() => match more {
                    Ok(true) => {}
                    Ok(false) => return Err(self.ended(failed, None).await.into()),
                    Err(error) => return Err(self.ended(failed, Some(error)).await.into()),
                },
                refusal = self.tunnel.ended(&self.opened.session) => return Err(Error::from(refusal).into()),
                Some(notice) = self.tunnel.notice() => self.context.printer.say(escape::block(&notice)),
                tick = tick => match (tick, waiting.take()) {
                    (Tick::Over, Some(over)) => return Err(Stop::Leave(over)),
                    (_, Some(mut still)) => {
                        still.say();
                        waiting = Some(still);
                    }
                    (_, None) => {}
                },
            }
        }
    }

    fn show(&mut self, event: Event, is_shown: bool) -> Result<()> {
        match event {
            Event::Notice(text) => self.context.printer.say(escape::block(&text)),
            _ if !is_shown => {}
            Event::Columns(columns) => self.rows.columns(&columns),
            Event::Row(row) => self.rows.row(&row)?,
            Event::CopyOut => self.rows.copy_out(),
            Event::CopyData(line) => self.rows.copy_line(&line),
            Event::Complete(tag) => {
                self.rows.complete(&tag);
                if matches!(self.job.output, Output::Csv | Output::Jsonl) && !tag.starts_with("SELECT") {
                    self.context.printer.say(escape::line(&tag));
                }
            }
            Event::Masked(values) => self.rows.masked(values),
            Event::Cut(rows) => self.rows.cut(rows),
            Event::Ready | Event::Failed(_) | Event::CopyIn | Event::Held(_) => {}
        }
        Ok(())
    }

    /// Leaves what waits: what is behind it goes to the relay, which runs all of it.
    async fn leave(&self, mut conversation: Conversation, rest: &[&BytesMut]) -> Result<()> {
        let leaving = async {
            let detached = self.tunnel.detach(&self.opened.session).await;
            detached.map_err(|error| Error::from(error.refusal()))?;
            for bytes in rest {
                conversation.send(bytes).await?;
            }
            conversation.finish().await
        };
        let left = timeout(LEAVING, leaving).await;
        let left = left.unwrap_or_else(|_| Err(Error::new(Code::RelayUnreachable, "the relay does not answer")));
        left.map_err(|error| error.doing("what waits cannot be left: it was withdrawn"))
    }

    fn interrupted(&self, signal: Error, waiting: Option<&Waiting>) -> Error {
        match waiting {
            Some(waiting) => {
                let request = &waiting.held().request;
                Refusal::new(Code::ApprovalCancelled, format!("{signal}: {request} was withdrawn"))
                    .request(request.clone())
                    .into()
            }
            None => signal,
        }
    }

    /// The stream ended: why is said on the control stream, a moment later.
    async fn ended(&self, failed: Option<Error>, lost: Option<Error>) -> Error {
        if let Some(error) = failed {
            return error;
        }
        match timeout(WORD_OF_THE_END, self.tunnel.ended(&self.opened.session)).await {
            Ok(refusal) => refusal.into(),
            Err(_) => lost.unwrap_or_else(|| Error::new(Code::TargetUnreachable, "the relay closed the connection")),
        }
    }
}
