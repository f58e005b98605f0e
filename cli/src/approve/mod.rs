//! The requests that wait for a decision: a queue live on the terminal, the same in lines for screen readers, and a watch for bots.
//!
//! ```text
//! keys ───────────┐
//! feed (relay) ───┼──▶ Queue (state, pure) ──▶ screen (draws) ──▶ terminal
//! clock ──────────┘         │                └▶ alert (bell, notification)
//!                           └─▶ actions: fetch, decide ──▶ relay
//! ```
//!
//! A request can be decided only after the relay gave it whole, and a decision names the request that was on the screen when it
//! was asked for: a list that changes meanwhile does not move it under the fingers.

use std::io::{self, Write as _};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures::StreamExt;
use hoop_shared::api::{Decide, Request};
use hoop_shared::id::RequestId;
use time::OffsetDateTime;
use tokio::task::JoinSet;

use crate::command::requests::path;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::relay_api::RelayApi;

mod alert;
pub mod detail;
mod feed;
pub mod highlight;
mod layout;
mod list;
mod paint;
pub mod plain;
mod queue;
mod screen;
mod terminal;
pub mod watch;
mod wrap;

use alert::Alert;
use feed::{Detail, Feed, News};
use queue::{Action, Queue, Whole};
use terminal::{Screen, Terminal, unusable};

/// Between drawings when nothing happens: times left count down.
const TICK: Duration = Duration::from_secs(1);
/// How many requests are kept. Past it, the oldest are shown, and the screen says that there are more.
const MOST: usize = 20_000;
/// How many earlier requests of a principal are shown.
const PAST: usize = 10;

/// What the relay answered.
enum Answer {
    Fetched(RequestId, Result<Whole>),
    Decided(RequestId, bool, Result<Request>),
}

/// Shows the queue until the person leaves it; gives the exit code.
///
/// # Errors
/// There is no login, the relay refuses, or the terminal cannot be used.
pub async fn run(context: &Context) -> Result<u8> {
    let login = context.login().await?;
    let relay = Rc::new(RelayApi::of(&login, &context.news)?);
    let mut feed = Feed::start(Rc::clone(&relay), Detail::Brief, MOST);
    let mut queue = Queue::new(login.whoami.principal.clone(), MOST);
    let mut alert = Alert::new(context.printer.is_quiet(), context.settings.notification);
    // The first answer decides whether there is anything to show a screen for.
    match feed.next().await {
        News::Over(error) => return Err(error),
        News::OutOfTouch(why) => queue.trouble(&why),
        _ => queue.begin(),
    }
    context.news.tell(&context.printer);
    let mut terminal = Terminal::enter()?;
    let colour = context.settings.manner.colour;
    work(&mut terminal.0, &mut queue, &mut feed, &mut alert, &relay, colour).await?;
    Ok(0)
}

async fn work(
    terminal: &mut Screen,
    queue: &mut Queue,
    feed: &mut Feed,
    alert: &mut Alert,
    relay: &Rc<RelayApi>,
    colour: bool,
) -> Result<()> {
    let mut keys = EventStream::new();
    let mut answers: JoinSet<Answer> = JoinSet::new();
    let mut tick = tokio::time::interval(TICK);
    let mut stop = Stop::new()?;
    loop {
        if let Some(id) = queue.missing() {
            let relay = Rc::clone(relay);
            answers.spawn_local(async move {
                let fetched = fetch(&relay, &id).await;
                Answer::Fetched(id, fetched)
            });
        }
        terminal
            .draw(|frame| screen::draw(frame, queue, OffsetDateTime::now_utc(), colour))
            .map_err(|error| unusable(&error))?;
        if let Some(alert) = alert.due(Instant::now()) {
            ring(&alert).map_err(|error| unusable(&error))?;
        }
        tokio::select! {
            key = keys.next() => match key {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => match queue.key(key) {
                    Some(Action::Quit) => return Ok(()),
                    Some(Action::Decide { id, approve, reason }) => {
                        let relay = Rc::clone(relay);
                        answers.spawn_local(async move {
                            let decided = decide(&relay, &id, approve, reason).await;
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
                Answer::Fetched(id, fetched) => queue.fetched(&id, fetched.map_err(|error| error.to_string())),
                Answer::Decided(id, approve, decided) => {
                    queue.decided(&id, approve, decided.map_err(|error| error.to_string()));
                }
            },
            news = feed.next() => match news {
                News::Begin => queue.begin(),
                News::Page(requests) => drop(queue.take(requests)),
                News::Complete => queue.complete(),
                News::Changed(requests) => {
                    for key in queue.take(requests) {
                        if let Some(entry) = queue.list().get(&key) {
                            alert.came(&entry.principal, &entry.connection);
                        }
                    }
                }
                News::OutOfTouch(why) => queue.trouble(&why),
                News::InTouch => queue.in_touch(),
                News::Over(error) => return Err(error),
            },
            _ = tick.tick() => {}
            () = stop.wait() => return Ok(()),
        }
    }
}

/// Writes to the terminal what is neither text nor colour.
fn ring(alert: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(alert.as_bytes())?;
    out.flush()
}

/// A request with what its principal asked for before. A relay that does not say the latter is no reason to keep back the former.
async fn fetch(relay: &RelayApi, id: &RequestId) -> Result<Whole> {
    let past = format!("{}/history?limit={PAST}", path(id));
    let whole = path(id);
    let (request, past) = tokio::join!(relay.get::<Request>(&whole), relay.get::<Vec<Request>>(&past));
    Ok(Whole {
        request: request?,
        past: past.ok(),
    })
}

/// Decides about a request.
///
/// # Errors
/// The relay refuses, or cannot be asked.
pub async fn decide(relay: &RelayApi, id: &RequestId, approve: bool, reason: Option<String>) -> Result<Request> {
    let path = format!("{}/decision", path(id));
    relay.post(&path, &Decide { approve, reason }).await
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
