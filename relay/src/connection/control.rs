//! The control stream: hello, then sessions opened and closed, and what the relay has to say at any time.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use hoop_shared::id::SessionId;
use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::wire::run::FEATURE_RUNS;
use hoop_shared::wire::{
    Close, Detach, Detached, Frame, FrameReader, Hello, Notice, Open, ReadError, Refused, Repeated, Welcome,
    WriteError, negotiate, write_frame,
};
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tracing::{debug, info};

use super::Phase;
use super::service::{Client, NotOpened, Service};

/// How long a client has for its first frame, and the relay for writing one. A client that does not read is gone.
pub(super) const FRAME_DEADLINE: Duration = Duration::from_secs(10);
/// Sessions of one control stream that are being opened at a time; each may wait for an approver.
const MAX_OPENING: usize = 16;

/// How a control stream ended.
#[derive(Debug)]
pub(super) enum Left {
    /// The client said goodbye: its sessions end now.
    Bye,
    /// The relay closes.
    Closed,
    /// The client was refused, and told why.
    Refused,
    /// The client is gone without a word.
    Gone(String),
    /// The client sent what it must not.
    Violation(String),
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bye => f.write_str("its client is done"),
            Self::Closed => f.write_str("the relay closes"),
            Self::Refused => f.write_str("it was refused"),
            Self::Gone(why) => write!(f, "its client is gone: {why}"),
            Self::Violation(what) => write!(f, "its client broke the protocol: {what}"),
        }
    }
}

impl From<WriteError> for Left {
    fn from(error: WriteError) -> Self {
        Self::Gone(error.to_string())
    }
}

impl From<ReadError> for Left {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Decode(error) => Self::Violation(error.to_string()),
            other => Self::Gone(other.to_string()),
        }
    }
}

/// Writes one frame, or finds that the client does not read.
pub(super) async fn say(writer: &mut (impl AsyncWrite + Unpin), frame: impl Into<Frame>) -> Result<(), Left> {
    match tokio::time::timeout(FRAME_DEADLINE, write_frame(writer, frame)).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(Left::Gone("it does not read".into())),
    }
}

/// Reads the first frame of a stream.
pub(super) async fn first_frame<R: AsyncRead + Unpin>(reader: &mut FrameReader<R>) -> Result<Frame, Left> {
    match tokio::time::timeout(FRAME_DEADLINE, reader.read()).await {
        Ok(Ok(Some(frame))) => Ok(frame),
        Ok(Ok(None)) => Err(Left::Gone("it closed before its first frame".into())),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Left::Gone("it sent no frame".into())),
    }
}

/// Answers a hello: who it is, which version both speak.
pub(super) async fn greet<S: Service>(
    service: &S,
    client: &Client,
    hello: &Hello,
    writer: &mut (impl AsyncWrite + Unpin),
) -> Result<S::Who, Left> {
    let answer = negotiate(hello.wire).and_then(|version| Ok((version, service.authenticate(&client.certificate)?)));
    match answer {
        Ok((version, who)) => {
            let welcome = Welcome {
                version,
                relay: env!("CARGO_PKG_VERSION").to_owned(),
                limits: service.limits(),
                time: OffsetDateTime::now_utc(),
                notices: service.notices(&who).await,
                features: vec![FEATURE_RUNS.to_owned()],
            };
            say(writer, welcome).await?;
            debug!(source = %client.source, build = ?hello.build, machine = ?hello.machine, "client is welcome");
            Ok(who)
        }
        Err(refusal) => {
            info!(source = %client.source, code = %refusal.code, "client is refused");
            say(writer, Refused { number: None, refusal }).await?;
            Err(Left::Refused)
        }
    }
}

/// Serves a control stream after its welcome until it ends.
pub(super) async fn run<S: Service>(
    service: &Arc<S>,
    client: &Client,
    who: S::Who,
    reader: &mut FrameReader<impl AsyncRead + Unpin>,
    writer: &mut (impl AsyncWrite + Unpin),
    mut phase: watch::Receiver<Phase>,
) -> Left {
    let (noting, mut noted) = mpsc::channel(MAX_OPENING);
    let mut opening = FuturesUnordered::new();
    let mut endings = FuturesUnordered::new();
    let mut leases: HashMap<SessionId, S::Lease> = HashMap::new();
    let left = loop {
        let step = tokio::select! {
            frame = reader.read() => match frame {
                Ok(Some(Frame::Open(ask))) => {
                    if opening.len() < MAX_OPENING && *phase.borrow() == Phase::Serving {
                        let (service, who, source, noting) = (Arc::clone(service), who.clone(), client.source, noting.clone());
                        opening.push(async move { (ask.number, service.open(who, ask, source, noting).await) });
                        Ok(())
                    } else {
                        let draining = *phase.borrow() != Phase::Serving;
                        say(writer, not_now(&ask, draining)).await
                    }
                }
                Ok(Some(Frame::Close(Close { session: Some(session), .. }))) => {
                    if let Some(lease) = leases.remove(&session) {
                        service.close(lease);
                    }
                    Ok(())
                }
                Ok(Some(Frame::Detach(Detach { session }))) => {
                    let refusal = match leases.get(&session) {
                        Some(lease) => service.detach(lease).err(),
                        None => Some(Refusal::new(Code::NotFound, format!("there is no session {session}"))),
                    };
                    if refusal.is_none() {
                        // The session goes on without this connection.
                        leases.remove(&session);
                    }
                    say(writer, Detached { session, refusal }).await
                }
                Ok(Some(Frame::Bye(_) | Frame::Close(Close { session: None, .. }))) => break Left::Bye,
                Ok(Some(other)) => Err(Left::Violation(format!("a {} frame on the control stream", other.name()))),
                Ok(None) => Err(Left::Gone("its control stream ended".into())),
                Err(error) => Err(error.into()),
            },
            Some((number, result)) = opening.next(), if !opening.is_empty() => match result {
                Ok((opened, lease)) => {
                    let (session, ended) = (opened.session.clone(), service.ended(&lease));
                    let id = session.clone();
                    endings.push(async move { (id, ended.await) });
                    leases.insert(session, lease);
                    say(writer, opened).await
                }
                Err(NotOpened::Repeated(session)) => say(writer, Repeated { number, session }).await,
                Err(NotOpened::Refused(refusal)) => say(writer, Refused { number: Some(number), refusal }).await,
            },
            Some((session, refusal)) = endings.next(), if !endings.is_empty() => {
                // One that the client itself closed is no news.
                if leases.remove(&session).is_some() {
                    say(writer, Close { session: Some(session), refusal: Some(refusal) }).await
                } else {
                    Ok(())
                }
            }
            Some(text) = noted.recv() => say(writer, Notice { session: None, text }).await,
            changed = phase.changed() => {
                let now = *phase.borrow_and_update();
                match (changed, now) {
                    (Ok(()), Phase::Serving) => Ok(()),
                    (Ok(()), Phase::Draining) => say(writer, draining_notice()).await,
                    (Err(_), _) | (Ok(()), Phase::Closed) => {
                        let farewell = Close { session: None, refusal: Some(draining()) };
                        say(writer, farewell).await.and(Err(Left::Closed))
                    }
                }
            }
        };
        if let Err(left) = step {
            break left;
        }
    };
    if let Left::Violation(what) = &left {
        // A client of another version learns what was not understood. It may not read any more.
        let refusal = violation(what);
        let _gone = say(
            writer,
            Close {
                session: None,
                refusal: Some(refusal),
            },
        )
        .await;
    }
    if matches!(left, Left::Bye) {
        leases.into_values().for_each(|lease| service.close(lease));
    }
    left
}

/// The refusal of what cannot be understood, with the versions that may explain it.
pub(super) fn violation(what: &str) -> Refusal {
    let message = format!("the relay cannot read this: {what}");
    Refusal::new(Code::ProtocolViolation, message).hint(concat!(
        "the relay is version ",
        env!("CARGO_PKG_VERSION"),
        ": use the hoopctl of that version, or ask for the relay to be updated"
    ))
}

fn draining() -> Refusal {
    Refusal::new(Code::RelayUnreachable, "the relay is shutting down").hint("connect again in a moment")
}

fn draining_notice() -> Notice {
    Notice {
        session: None,
        text: "the relay is shutting down: sessions end soon, finish what runs".into(),
    }
}

fn not_now(ask: &Open, is_draining: bool) -> Refused {
    let refusal = if is_draining {
        draining()
    } else {
        let message = format!("{MAX_OPENING} sessions of this connection are being opened, the most at a time");
        Refusal::new(Code::LimitExceeded, message).hint("wait until some are open")
    };
    Refused {
        number: Some(ask.number),
        refusal,
    }
}
