//! A data reactor: one thread with one current-thread runtime that owns its clients' connections and all their sessions.
//! Nothing on the path of a statement crosses a thread.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use quinn::{Endpoint, VarInt};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tracing::error;
use zeroize::Zeroizing;

use super::gate::Gate;
use super::service::Service;
use super::tcp::Arrival;
use super::{Phase, Tls, quic, tcp};

/// TCP connections that wait for the reactor to take them.
const ARRIVALS: usize = 256;
/// How long connections may take to end after the relay has closed.
const LAST: Duration = Duration::from_secs(3);

/// What all connections of a reactor share.
pub(super) struct Context<S> {
    pub service: Arc<S>,
    pub tls: Arc<ArcSwap<Tls>>,
    pub gate: Arc<Gate>,
    pub reset_key: Zeroizing<[u8; 32]>,
    pub phase: watch::Receiver<Phase>,
}

/// A running reactor.
pub(super) struct Reactor {
    pub arrivals: mpsc::Sender<Arrival>,
    pub finished: oneshot::Receiver<()>,
}

impl Reactor {
    /// Starts a reactor's thread on a UDP socket.
    ///
    /// # Errors
    /// The thread, its runtime or the endpoint cannot be made.
    pub fn start<S: Service>(number: usize, context: Context<S>, socket: UdpSocket) -> io::Result<Self> {
        let (arrivals, arriving) = mpsc::channel(ARRIVALS);
        let (finish, finished) = oneshot::channel();
        let (ready, made) = std::sync::mpsc::channel();
        thread::Builder::new().name(format!("data-{number}")).spawn(move || {
            // A local runtime has one queue for the tasks of quinn and of the sessions: a packet's way to its session is one turn.
            let runtime = match Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default())
            {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            let inside = runtime.enter();
            let endpoint = match quic::endpoint(&context, socket) {
                Ok(endpoint) => endpoint,
                Err(error) => return drop(ready.send(Err(error))),
            };
            drop(inside);
            if ready.send(Ok(())).is_err() {
                return;
            }
            runtime.block_on(run(Arc::new(context), &endpoint, arriving));
            drop(endpoint);
            // Nobody waits any more where the relay itself is gone.
            let _gone = finish.send(());
        })?;
        made.recv().map_err(io::Error::other)??;
        Ok(Self { arrivals, finished })
    }
}

async fn run<S: Service>(context: Arc<Context<S>>, endpoint: &Endpoint, mut arriving: mpsc::Receiver<Arrival>) {
    let mut connections = JoinSet::new();
    let mut phase = context.phase.clone();
    loop {
        tokio::select! {
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => {
                    if let Some(connection) = quic::admit(&context, incoming) {
                        connections.spawn_local(connection);
                    }
                }
                None => break,
            },
            Some(arrival) = arriving.recv() => {
                connections.spawn_local(tcp::tunnel(Arc::clone(&context), arrival));
            }
            Some(result) = connections.join_next(), if !connections.is_empty() => note(result),
            () = Phase::closed(&mut phase) => {
                break;
            }
        }
    }
    let ends = async { while connections.join_next().await.map(note).is_some() {} };
    if tokio::time::timeout(LAST, ends).await.is_err() {
        connections.shutdown().await;
    }
    endpoint.close(VarInt::from_u32(0), b"");
    let _late = tokio::time::timeout(LAST, endpoint.wait_idle()).await;
}

/// A task that panicked takes only itself along; the fault is ours, and is said.
pub(super) fn note(result: Result<(), JoinError>) {
    if let Err(fault) = result
        && fault.is_panic()
    {
        error!(%fault, "a connection's task panicked");
    }
}
