//! The control stream's task: asks, correlates the answers, and keeps what the relay says of itself.

use std::collections::HashMap;
use std::time::Duration;

use hoop_shared::id::SessionId;
use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::wire::{Bye, Close, Detach, Frame, FrameReader, Open, Opened, ReadError, write_frame};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

use super::TunnelError;

pub(super) type Reader = FrameReader<Box<dyn AsyncRead + Send + Unpin>>;
pub(super) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// How long the relay may take to read one frame.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Questions and notices that wait.
const QUEUE: usize = 16;

/// The control stream.
#[derive(Debug)]
pub(super) struct Control {
    asks: mpsc::Sender<Ask>,
    state: watch::Receiver<State>,
    notices: Mutex<mpsc::Receiver<String>>,
    task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
enum Ask {
    Open(Open, oneshot::Sender<Result<Answer, TunnelError>>),
    Detach(SessionId, oneshot::Sender<Result<(), TunnelError>>),
    End(SessionId),
    Bye,
}

/// The answer to an open that was not refused.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A session.
    Opened(Opened),
    /// The same run happened before, in this session.
    Repeated(SessionId),
}

/// Who waits for an answer.
#[derive(Debug, Default)]
struct Waiting {
    opens: HashMap<u32, oneshot::Sender<Result<Answer, TunnelError>>>,
    detaches: HashMap<SessionId, oneshot::Sender<Result<(), TunnelError>>>,
}

/// What has ended.
#[derive(Debug, Default)]
struct State {
    gone: Option<Refusal>,
    ended: HashMap<SessionId, Refusal>,
}

impl Control {
    /// Starts the task. It ends with the stream, or when this is dropped.
    pub fn start(reader: Reader, writer: Writer) -> Self {
        let (asks, asked) = mpsc::channel(QUEUE);
        let (changes, state) = watch::channel(State::default());
        let (noting, notices) = mpsc::channel(QUEUE);
        let task = tokio::spawn(async move {
            let mut waiting = Waiting::default();
            let gone = run(reader, writer, asked, &changes, &noting, &mut waiting).await;
            changes.send_modify(|state| state.gone = Some(gone.clone()));
            // Whoever asked may have gone away.
            for (_, answer) in waiting.opens {
                let _unheard = answer.send(Err(TunnelError::Refused(gone.clone())));
            }
            for (_, answer) in waiting.detaches {
                let _unheard = answer.send(Err(TunnelError::Refused(gone.clone())));
            }
        });
        Self {
            asks,
            state,
            notices: Mutex::new(notices),
            task: AbortOnDropHandle::new(task),
        }
    }

    /// Asks for a session; the number is set here.
    pub async fn open(&self, open: Open) -> Result<Answer, TunnelError> {
        self.ask(|answer| Ask::Open(open, answer)).await
    }

    pub async fn detach(&self, session: &SessionId) -> Result<(), TunnelError> {
        self.ask(|answer| Ask::Detach(session.clone(), answer)).await
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<Result<T, TunnelError>>) -> Ask) -> Result<T, TunnelError> {
        let (answer, answered) = oneshot::channel();
        if self.asks.send(ask(answer)).await.is_err() {
            return Err(TunnelError::Refused(self.closed().await));
        }
        match answered.await {
            Ok(result) => result,
            Err(_) => Err(TunnelError::Refused(self.closed().await)),
        }
    }

    pub async fn end(&self, session: &SessionId) {
        // A control stream that is gone has ended the session already.
        let _gone = self.asks.send(Ask::End(session.clone())).await;
    }

    pub fn gone(&self) -> Option<Refusal> {
        self.state.borrow().gone.clone()
    }

    pub async fn closed(&self) -> Refusal {
        self.wait(|state| state.gone.clone()).await
    }

    pub async fn ended(&self, session: &SessionId) -> Refusal {
        self.wait(|state| state.ended.get(session).or(state.gone.as_ref()).cloned())
            .await
    }

    async fn wait(&self, what: impl Fn(&State) -> Option<Refusal>) -> Refusal {
        let mut state = self.state.clone();
        loop {
            if let Some(refusal) = what(&state.borrow_and_update()) {
                return refusal;
            }
            if state.changed().await.is_err() {
                return what(&state.borrow()).unwrap_or_else(|| lost("its task ended"));
            }
        }
    }

    pub async fn notice(&self) -> Option<String> {
        self.notices.lock().await.recv().await
    }

    pub async fn bye(self) {
        let goodbye = async {
            if self.asks.send(Ask::Bye).await.is_ok() {
                let _ended = self.task.await;
            }
        };
        let _late = tokio::time::timeout(GOODBYE, goodbye).await;
    }
}

/// Runs until the stream ends; says why it did.
async fn run(
    mut reader: Reader,
    mut writer: Writer,
    mut asked: mpsc::Receiver<Ask>,
    changes: &watch::Sender<State>,
    notices: &mpsc::Sender<String>,
    waiting: &mut Waiting,
) -> Refusal {
    let mut last = 0_u32;
    let mut leaving = false;
    loop {
        tokio::select! {
            ask = asked.recv(), if !leaving => {
                let (frame, answer) = match ask {
                    Some(Ask::Open(mut open, answer)) => {
                        last = last.wrapping_add(1);
                        open.number = last;
                        (Frame::from(open), Some(answer))
                    }
                    Some(Ask::Detach(session, answer)) => {
                        waiting.detaches.insert(session.clone(), answer);
                        (Detach { session }.into(), None)
                    }
                    Some(Ask::End(session)) => (Close { session: Some(session), refusal: None }.into(), None),
                    Some(Ask::Bye) | None => {
                        leaving = true;
                        (Bye {}.into(), None)
                    }
                };
                let failed = match tokio::time::timeout(WRITE_DEADLINE, write_frame(&mut writer, frame)).await {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(TunnelError::from(error)),
                    Err(_) => Some(TunnelError::Lost("it does not read".into())),
                };
                match (failed, answer) {
                    (None, None) => {}
                    (None, Some(answer)) => {
                        waiting.opens.insert(last, answer);
                    }
                    // A frame that cannot be written at all concerns only who asked.
                    (Some(error @ TunnelError::Refused(_)), Some(answer)) => {
                        let _unheard = answer.send(Err(error));
                    }
                    (Some(error), answer) => {
                        let refusal = error.refusal();
                        if let Some(answer) = answer {
                            let _unheard = answer.send(Err(error));
                        }
                        return refusal;
                    }
                }
                if leaving {
                    // The relay ends its side when it has ended the sessions.
                    let _gone = writer.shutdown().await;
                }
            }
            frame = reader.read() => match frame {
                Ok(Some(Frame::Opened(opened))) => {
                    if let Some(answer) = waiting.opens.remove(&opened.number) {
                        let _unheard = answer.send(Ok(Answer::Opened(opened)));
                    }
                }
                Ok(Some(Frame::Repeated(repeated))) => {
                    if let Some(answer) = waiting.opens.remove(&repeated.number) {
                        let _unheard = answer.send(Ok(Answer::Repeated(repeated.session)));
                    }
                }
                Ok(Some(Frame::Detached(detached))) => {
                    if let Some(answer) = waiting.detaches.remove(&detached.session) {
                        let _unheard = answer.send(detached.refusal.map_or(Ok(()), |refusal| Err(TunnelError::Refused(refusal))));
                    }
                }
                Ok(Some(Frame::Refused(refused))) => {
                    if let Some(answer) = refused.number.and_then(|number| waiting.opens.remove(&number)) {
                        let _unheard = answer.send(Err(TunnelError::Refused(refused.refusal)));
                    }
                }
                Ok(Some(Frame::Close(Close { session, refusal }))) => {
                    let refusal = refusal.unwrap_or_else(|| lost("the relay closed it"));
                    match session {
                        Some(session) => changes.send_modify(|state| {
                            state.ended.insert(session, refusal);
                        }),
                        None => return refusal,
                    }
                }
                Ok(Some(Frame::Notice(notice))) => {
                    // Nobody may be listening; then the newest is lost, not the tunnel.
                    let _full = notices.try_send(notice.text);
                }
                Ok(Some(other)) => {
                    return TunnelError::Protocol(format!("a {} frame on the control stream", other.name())).refusal();
                }
                Ok(None) if leaving => return Refusal::new(Code::Failed, "the tunnel was closed"),
                Ok(None) => return lost("the relay closed it"),
                Err(ReadError::Decode(error)) => return TunnelError::Protocol(error.to_string()).refusal(),
                Err(error) => return lost(&error.to_string()),
            }
        }
    }
}

fn lost(why: &str) -> Refusal {
    TunnelError::Lost(why.to_owned()).refusal()
}
