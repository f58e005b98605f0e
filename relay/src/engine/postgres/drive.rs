//! The driver: moves bytes between a client, the session core and a target, in one task for both directions.
//!
//! One wake-up writes what waits, reads each side once, lets the core deal with all whole messages, and writes again. A side that
//! is not read pushes back on who sends: the client's bytes wait while its statement is held, the target's while the client does
//! not take its rows.

use std::future::{Future, pending, poll_fn};
use std::io::{self};
use std::pin::pin;
use std::task::Poll;

use bytes::BytesMut;
use futures::future::LocalBoxFuture;
use hoop_shared::refusal::{Code, Refusal};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::buffers;
use super::codec::backend::Status;
use super::codec::write::{self, Report};
use super::session::{Attention, Conversation, Judge, Over, Released, Unready};
use super::wires::{FAREWELL, Moved, Wires, drain, farewell, poll_empty, until_closed};
use crate::target::{Queries, QueryError, Rows};

/// What a session needs besides judging: to learn, to ask people, to cancel.
pub trait Attend: Judge {
    /// What was learnt.
    type Learnt: 'static;

    /// Learns what names mean.
    fn learn(&mut self, what: Unready, in_band: InBand) -> LocalBoxFuture<'static, Result<Self::Learnt, Refusal>>;

    /// Takes what was learnt.
    fn learnt(&mut self, learnt: Self::Learnt);

    /// Asks people about a unit and waits for them. Dropping the future withdraws the request.
    fn hold(
        &mut self,
        review: Self::Review,
        say: Say,
        status: Status,
    ) -> LocalBoxFuture<'static, Result<Released, Refusal>>;

    /// Something was sent that changes names for others.
    fn changes_names(&self) -> bool {
        false
    }

    /// Cancels what the target runs for this client.
    fn cancel(&mut self) -> LocalBoxFuture<'static, ()>;

    /// The client is there.
    fn touch(&self);

    /// What is recorded is still to be written, and others may be about to write to the same recording.
    fn has_company(&self) -> bool {
        false
    }

    /// Everything that was told to the judge is about to be shown: what is recorded of it must stand.
    ///
    /// # Errors
    /// It cannot be recorded, so it may not be shown.
    fn settle(&mut self) -> Result<(), Refusal>;
}

/// Says something to the client while its unit is held.
#[derive(Clone, Debug)]
pub struct Say(mpsc::UnboundedSender<Report>);

impl Say {
    /// Says it.
    pub fn say(&self, report: Report) {
        // A client that is gone needs no word.
        let _ = self.0.send(report);
    }
}

/// Where the answers to questions go.
type Reply = oneshot::Sender<Result<Vec<Rows>, QueryError>>;

/// Questions in the client's own stream to the target, for what only this session sees.
#[derive(Debug)]
pub struct InBand(mpsc::Sender<(Vec<String>, Reply)>);

impl Queries for InBand {
    async fn rows(&mut self, sql: &str) -> Result<Rows, QueryError> {
        let answers = self.all(vec![sql.to_owned()]).await?;
        Ok(answers.into_iter().next().unwrap_or_default())
    }

    /// All of them are one transaction of the session's.
    async fn all(&mut self, queries: Vec<String>) -> Result<Vec<Rows>, QueryError> {
        let lost = || QueryError::Lost(io::ErrorKind::BrokenPipe.into());
        let count = queries.len();
        let (reply, answer) = oneshot::channel();
        self.0.send((queries, reply)).await.map_err(|_| lost())?;
        let answers = answer.await.map_err(|_| lost())??;
        if answers.len() == count {
            Ok(answers)
        } else {
            Err(lost())
        }
    }
}

/// What else may happen to a session.
pub struct Outside<E, C> {
    /// The session ends, for this reason.
    pub ended: E,
    /// The client asks to cancel. Called again after each request.
    pub cancelled: C,
}

/// Why a session's stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// The client left.
    Client,
    /// The target closed.
    Target,
    /// The session ended, or the protocol was broken.
    Ended,
}

/// What runs beside the bytes.
enum Task<J: Attend> {
    None,
    Learn {
        future: LocalBoxFuture<'static, Result<J::Learnt, Refusal>>,
        questions: mpsc::Receiver<(Vec<String>, Reply)>,
        reply: Option<Reply>,
    },
    Hold {
        future: LocalBoxFuture<'static, Result<Released, Refusal>>,
        words: mpsc::UnboundedReceiver<Report>,
    },
}

/// What a wake-up was for.
enum Event<J: Attend> {
    Moved(Moved),
    Learnt(Result<J::Learnt, Refusal>),
    Question(Vec<String>, Reply),
    Decided(Result<Released, Refusal>),
    Word(Report),
    Ended(Refusal),
    CancelAsked,
    CancelDone,
}

/// Serves a client whose startup is done, until one side leaves or the session ends.
///
/// Not cancel safe: a dropped call drops both connections.
pub async fn drive<J, C, T, E, F, G>(
    mut core: Conversation<J>,
    client: C,
    target: T,
    client_in: BytesMut,
    target_in: BytesMut,
    client_bound: usize,
    outside: Outside<E, F>,
) -> Served
where
    J: Attend,
    C: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
    E: Future<Output = Refusal>,
    F: FnMut() -> G,
    G: Future<Output = ()>,
{
    let mut wires = Wires {
        client,
        target,
        client_in,
        target_in,
        client_bound,
    };
    let served = attended(&mut core, &mut wires, outside).await;
    if core.judge().changes_names() && !core.is_settled() {
        // What was sent may still be done, and then others must not be judged by what names meant before.
        until_closed(&mut wires.target).await;
    }
    served
}

async fn attended<J, C, T, E, F, G>(
    core: &mut Conversation<J>,
    wires: &mut Wires<C, T>,
    outside: Outside<E, F>,
) -> Served
where
    J: Attend,
    C: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
    E: Future<Output = Refusal>,
    F: FnMut() -> G,
    G: Future<Output = ()>,
{
    let Outside { ended, mut cancelled } = outside;
    let mut ended = pin!(ended);
    let mut cancel_asked = Box::pin(cancelled());
    let mut cancelling: Option<LocalBoxFuture<'static, ()>> = None;
    let mut task = Task::None;
    loop {
        core.target_bytes(&mut wires.target_in);
        if cancelling.is_none() {
            core.client_bytes(&mut wires.client_in);
        }
        if let Task::Learn { reply, .. } = &mut task
            && let Some(answer) = core.answer()
            && let Some(reply) = reply.take()
        {
            // Who asked may have given up.
            let _ = reply.send(answer);
        }
        while let Some(attention) = core.attention() {
            match attention {
                Attention::Learn(what) => {
                    let (ask, questions) = mpsc::channel(1);
                    task = Task::Learn {
                        future: core.judge().learn(what, InBand(ask)),
                        questions,
                        reply: None,
                    };
                }
                Attention::Hold(review) => {
                    let (say, words) = mpsc::unbounded_channel();
                    let status = core.status();
                    task = Task::Hold {
                        future: core.judge().hold(review, Say(say), status),
                        words,
                    };
                }
                Attention::Cancel => {
                    cancelling.get_or_insert_with(|| core.judge().cancel());
                }
            }
        }
        buffers::release(&mut wires.client_in);
        buffers::release(&mut wires.target_in);
        if core.judge().has_company() {
            // Whoever else is ready now records first: the first to go on writes for all of them.
            turn().await;
        }
        if let Err(refusal) = core.judge().settle() {
            // Neither side gets what does not stand in the recording.
            core.to_client().clear();
            core.to_target().clear();
            core.end(&refusal);
        }
        match core.over() {
            Some(Over::Broken) => {
                drop(task);
                // What runs must not go on without the session; the client need not wait for its end.
                let cancel = (!core.is_settled()).then(|| core.judge().cancel());
                let cancel = async {
                    timeout(FAREWELL, async {
                        if let Some(cancel) = cancel {
                            cancel.await
                        }
                    })
                    .await
                };
                let _ = futures::join!(farewell(wires, core), cancel);
                return Served::Ended;
            }
            Some(Over::Terminated) => {
                // The server does what was asked before, then closes.
                drop(task);
                drain(wires, core).await;
                return Served::Client;
            }
            None => {}
        }

        let event: Event<J> = tokio::select! {
            biased;
            refusal = &mut ended => Event::Ended(refusal),
            () = &mut cancel_asked => Event::CancelAsked,
            () = async { match &mut cancelling { Some(future) => future.await, None => pending().await } } => Event::CancelDone,
            event = beside(&mut task) => event,
            moved = poll_fn(|cx| wires.poll(cx, core)) => Event::Moved(moved),
        };
        match event {
            Event::Moved(moved) => {
                if moved.from_client {
                    core.judge().touch();
                    if (core.is_held() || core.waits_for_turn()) && Conversation::<J>::says_farewell(&wires.client_in) {
                        return Served::Client;
                    }
                }
                if moved.client_gone {
                    // A request that waits is withdrawn with its task. What the server was asked to do goes on, as without a relay.
                    drop(task);
                    core.client_bytes(&mut wires.client_in);
                    if core.judge().settle().is_err() {
                        core.to_target().clear();
                    }
                    core.to_target().write(write::terminate);
                    let _ = timeout(
                        FAREWELL,
                        poll_fn(|cx| poll_empty(&mut wires.target, core.to_target(), cx)),
                    )
                    .await;
                    return Served::Client;
                }
                if moved.target_gone {
                    core.target_bytes(&mut wires.target_in);
                    core.end(&Refusal::new(
                        Code::TargetUnreachable,
                        "the target closed the connection",
                    ));
                    drop(task);
                    farewell(wires, core).await;
                    return Served::Target;
                }
            }
            Event::Learnt(learnt) => {
                task = Task::None;
                match learnt {
                    Ok(learnt) => {
                        core.judge().learnt(learnt);
                        core.learnt();
                    }
                    Err(refusal) => core.not_learnt(&refusal),
                }
            }
            Event::Question(questions, answer) => match core.ask(questions.iter().map(String::as_str)) {
                Ok(()) => {
                    if let Task::Learn { reply, .. } = &mut task {
                        *reply = Some(answer);
                    }
                }
                Err(error) => {
                    let _ = answer.send(Err(error));
                }
            },
            Event::Decided(decided) => {
                task = Task::None;
                match decided {
                    Ok(released) => core.release(released),
                    Err(refusal) => core.refuse_held(&refusal),
                }
            }
            Event::Word(report) => core.say(&report),
            Event::Ended(refusal) => core.end(&refusal),
            Event::CancelAsked => {
                cancel_asked = Box::pin(cancelled());
                if core.waits_for_turn() {
                    task = Task::None;
                    core.not_learnt(&Refusal::new(
                        Code::ApprovalCancelled,
                        "canceling statement due to user request",
                    ));
                } else if core.is_held() {
                    task = Task::None;
                    core.refuse_held(&Refusal::new(
                        Code::ApprovalCancelled,
                        "canceling statement due to user request",
                    ));
                } else if !core.is_settled() && cancelling.is_none() {
                    cancelling = Some(core.judge().cancel());
                }
            }
            Event::CancelDone => cancelling = None,
        }
    }
}

/// Lets every other task run that is ready now. Other than tokio's `yield_now` it asks the system for nothing. Cancel safe.
async fn turn() {
    let mut over = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut over, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits for what runs beside the bytes. Cancel safe.
async fn beside<J: Attend>(task: &mut Task<J>) -> Event<J> {
    match task {
        Task::None => pending().await,
        Task::Learn { future, questions, .. } => tokio::select! {
            learnt = future => Event::Learnt(learnt),
            Some((asked, reply)) = questions.recv() => Event::Question(asked, reply),
        },
        Task::Hold { future, words } => tokio::select! {
            biased;
            Some(word) = words.recv() => Event::Word(word),
            decided = future => Event::Decided(decided),
        },
    }
}
