//! The queue of requests that wait for a decision, live on the terminal.
//!
//! ```text
//! keys ───────────┐
//! relay's answers ┼──▶ Queue (state, pure) ──▶ screen (draws) ──▶ terminal
//! clock ──────────┘         │
//!                           └─▶ actions: fetch, decide ──▶ relay
//! ```
//!
//! A request can be decided only after the relay gave it whole, and a decision names the request that was on the screen when it
//! was asked for: a list that changes meanwhile does not move it under the fingers.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures::StreamExt;
use hoop_shared::api::{Decide, Request};
use hoop_shared::id::RequestId;
use ratatui::DefaultTerminal;
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::command::requests::path;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::relay_api::RelayApi;

pub mod detail;
mod queue;
mod screen;
mod wrap;

use queue::{Action, Queue};

/// Between looks for new requests.
const REFRESH: Duration = Duration::from_secs(2);
/// Between drawings when nothing happens: times left count down.
const TICK: Duration = Duration::from_secs(1);
/// How many requests are looked at. Past it, the newest are shown, and the screen says so.
const MOST: usize = 200;

/// What the relay answered.
enum Answer {
    Listed(Result<Vec<Request>>),
    Fetched(RequestId, Result<Request>),
    Decided(RequestId, bool, Result<Request>),
}

/// Shows the queue until the person leaves it; gives the exit code.
///
/// # Errors
/// There is no login, or the terminal cannot be used.
pub async fn run(context: &Context) -> Result<u8> {
    let login = context.login().await?;
    let relay = Rc::new(RelayApi::of(&login, &context.news)?);
    // The first answer decides whether there is anything to show a screen for.
    let first = list(&relay).await?;
    context.news.tell(&context.printer);
    let mut queue = Queue::new(login.whoami.principal.clone(), MOST);
    queue.listed(first);
    let mut terminal = Terminal::enter()?;
    work(&mut terminal.0, &mut queue, &relay, context.settings.manner.colour).await?;
    Ok(0)
}

async fn work(terminal: &mut DefaultTerminal, queue: &mut Queue, relay: &Rc<RelayApi>, colour: bool) -> Result<()> {
    let mut keys = EventStream::new();
    let mut answers: JoinSet<Answer> = JoinSet::new();
    let mut refresh = tokio::time::interval_at(tokio::time::Instant::now() + REFRESH, REFRESH);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tick = tokio::time::interval(TICK);
    let mut listing = false;
    let mut stop = Stop::new()?;
    loop {
        if let Some(id) = queue.missing() {
            let relay = Rc::clone(relay);
            answers.spawn_local(async move {
                let fetched = relay.get(&path(&id)).await;
                Answer::Fetched(id, fetched)
            });
        }
        terminal
            .draw(|frame| screen::draw(frame, queue, OffsetDateTime::now_utc(), colour))
            .map_err(|error| unusable(&error))?;
        tokio::select! {
            key = keys.next() => match key {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => match queue.key(key) {
                    Some(Action::Quit) => return Ok(()),
                    Some(Action::Decide { id, approve, reason }) => {
                        let relay = Rc::clone(relay);
                        answers.spawn_local(async move {
                            let path = format!("{}/decision", path(&id));
                            let decided = relay.post(&path, &Decide { approve, reason }).await;
                            Answer::Decided(id, approve, decided)
                        });
                    }
                    None => {}
                },
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(unusable(&error)),
                // The terminal is gone.
                None => return Ok(()),
            },
            Some(Ok(answer)) = answers.join_next() => match answer {
                Answer::Listed(listed) => {
                    listing = false;
                    match listed {
                        Ok(requests) => queue.listed(requests),
                        Err(error) => queue.trouble(&error.to_string()),
                    }
                }
                Answer::Fetched(id, fetched) => queue.fetched(&id, fetched.map_err(|error| error.to_string())),
                Answer::Decided(id, approve, decided) => {
                    queue.decided(&id, approve, decided.map_err(|error| error.to_string()));
                    refresh.reset_immediately();
                }
            },
            _ = refresh.tick(), if !listing => {
                listing = true;
                let relay = Rc::clone(relay);
                answers.spawn_local(async move { Answer::Listed(list(&relay).await) });
            }
            _ = tick.tick() => {}
            () = stop.wait() => return Ok(()),
        }
    }
}

async fn list(relay: &RelayApi) -> Result<Vec<Request>> {
    relay.get(&format!("/v1/requests?status=pending&limit={MOST}")).await
}

fn unusable(error: &io::Error) -> Error {
    Error::io("cannot use this terminal", error)
}

/// The terminal in raw mode on its alternate screen, until it is dropped. A panic restores it too, before its message is written.
struct Terminal(DefaultTerminal);

impl Terminal {
    fn enter() -> Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self(terminal)),
            Err(error) => {
                ratatui::restore();
                Err(unusable(&error))
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// The signals that end a program, so that the terminal is restored first. Ctrl-C is a key in raw mode.
struct Stop {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
}

impl Stop {
    fn new() -> Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let signals = signal(SignalKind::terminate()).and_then(|term| Ok([term, signal(SignalKind::hangup())?]));
            Ok(Self {
                signals: signals.map_err(|error| Error::io("cannot wait for signals", &error))?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for one of them. Cancel safe.
    async fn wait(&mut self) {
        #[cfg(unix)]
        {
            let [term, hang_up] = &mut self.signals;
            tokio::select! {
                _ = term.recv() => {}
                _ = hang_up.recv() => {}
            }
        }
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    }
}
