//! Connections of clients: QUIC and TCP on one port.
//!
//! ```text
//!  UDP ─▶ quic ──────────────────────────────▶ data reactor: control streams, sessions' streams
//!  TCP ─▶ tcp: ClientHello ─ hoop/1 ─────────▶ data reactor: the same frames, one TLS connection each
//!                          └ anything else ──▶ http: the API's router, on the control runtime
//! ```
//!
//! A tunnel's client has proved its key by a certificate of the relay's own CA before the relay reads one frame of it; who
//! that is, and whether the login still stands, is [`Service::authenticate`]'s answer. Everything that a peer can make the
//! relay keep is bounded: handshakes and connections by the [`Gate`](gate), frames by their limits, streams and bytes in
//! flight by the transport's settings, time by deadlines.

mod control;
mod gate;
mod http;
mod peer;
mod quic;
mod reactor;
mod service;
mod sockets;
mod stream;
mod tcp;
mod tls;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwap;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

pub use axum::Router;
pub use gate::Bounds;
pub use peer::Peer;
pub use service::{NotOpened, Service};
pub use sockets::{Sockets, bind};
pub use stream::ClientStream;
pub use tls::{Tls, TlsError};

use gate::Gate;
use reactor::{Context, Reactor};

/// Where the relay is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It serves.
    Serving,
    /// No new sessions; those that run may end.
    Draining,
    /// Everything ends now.
    Closed,
}

impl Phase {
    /// Waits until the relay closes. Cancel safe.
    async fn closed(phase: &mut watch::Receiver<Self>) {
        // One that nobody can change any more is closed too.
        let _closed = phase.wait_for(|phase| *phase == Self::Closed).await.is_ok();
    }
}

/// TLS that all connections share, to be replaced while the relay runs.
pub fn shared(tls: Tls) -> Arc<ArcSwap<Tls>> {
    Arc::new(ArcSwap::from_pointee(tls))
}

/// What serves the port.
pub struct Parts<S> {
    /// What the tunnels are for.
    pub service: Arc<S>,
    /// TLS; what is stored later holds for later connections.
    pub tls: Arc<ArcSwap<Tls>>,
    /// What a relay says to clients of a run that it knows nothing of is signed with this (RFC 9000, 10.3): the same key
    /// after a crash tells them at once that their connection is gone, instead of after half a minute of silence.
    pub reset_key: Zeroizing<[u8; 32]>,
    /// How many connections there may be.
    pub bounds: Bounds,
    /// What is served to everybody who does not ask for a tunnel.
    pub api: Router,
}

/// A port that is being served.
#[derive(Debug)]
pub struct Serving {
    listener: JoinHandle<()>,
    reactors: Vec<oneshot::Receiver<()>>,
}

impl Serving {
    /// Waits until everything has ended, after [`Phase::Closed`].
    pub async fn finished(self) {
        for reactor in self.reactors {
            let _its_thread_is_gone = reactor.await;
        }
        if let Err(fault) = self.listener.await {
            tracing::error!(%fault, "the TCP listener's task failed");
        }
    }
}

/// Starts to serve a port: a data reactor on a thread of its own, the TCP port and the API on the runtime of the caller.
///
/// # Errors
/// A thread, runtime or socket cannot be set up.
pub fn serve<S: Service>(sockets: Sockets, parts: Parts<S>, phase: watch::Receiver<Phase>) -> io::Result<Serving> {
    let gate = Gate::new(parts.bounds);
    let context = Context {
        service: parts.service,
        tls: Arc::clone(&parts.tls),
        gate: Arc::clone(&gate),
        reset_key: parts.reset_key,
        phase: phase.clone(),
    };
    // One reactor: several need a group of UDP sockets that keeps a connection with its reactor.
    let reactor = Reactor::start(0, context, sockets.udp)?;
    let listener = tokio::net::TcpListener::from_std(sockets.tcp)?;
    let front = tcp::Front {
        tls: parts.tls,
        gate,
        api: parts.api,
        reactors: vec![reactor.arrivals],
        next: AtomicUsize::new(0),
        phase,
    };
    Ok(Serving {
        listener: tokio::spawn(tcp::listen(listener, Arc::new(front))),
        reactors: vec![reactor.finished],
    })
}
