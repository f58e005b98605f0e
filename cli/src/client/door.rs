//! The door of a session: accepts local clients, lets in whom it may, and gives each a stream of the tunnel.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use hoop_shared::id::SessionId;
use hoop_shared::socket::SocketStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::debug;

use crate::client::directory::SocketDirectory;
use crate::client::pipe::{EndedBy, pipe};
use crate::client::postgres::greet::{self, GreetError, Wish};
use crate::client::postgres::scram::Verifier;
use crate::tunnel::Tunnel;

/// How long a client may take to say who it is, as PostgreSQL's `authentication_timeout`. A person may be typing.
const GREETING: Duration = Duration::from_secs(60);
/// How long the relay may take with a cancel request, which has no answer.
const CANCEL: Duration = Duration::from_secs(10);
/// Clients of a port that have not proved anything yet.
const MAX_STRANGERS: usize = 32;
/// Clients at a time; the relay has its own limit, and says so.
const MAX_CLIENTS: usize = 1024;
/// The pause after an accept that failed: the cause, such as too many open files, passes or comes again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is listened on.
#[derive(Debug)]
pub enum Listener {
    /// A socket in a directory that is this user's alone.
    Socket(SocketDirectory, UnixListener),
    /// A port on loopback, with the verifier of the session's password.
    Port(TcpListener, Rc<Verifier>),
}

/// A session's door. Dropped, it closes, and every client with it.
#[derive(Debug)]
pub struct Door {
    listener: Listener,
    room: Rc<Room>,
}

/// What every client's task needs.
#[derive(Debug)]
struct Room {
    tunnel: Rc<Tunnel>,
    session: SessionId,
    strangers: Semaphore,
    /// Whether the relay ended a client's stream that the client had not ended.
    relay_hung_up: std::cell::Cell<bool>,
}

impl Door {
    /// Makes the door of a session. It opens with [`Door::serve`].
    pub fn new(listener: Listener, tunnel: Rc<Tunnel>, session: SessionId) -> Self {
        Self {
            listener,
            room: Rc::new(Room {
                tunnel,
                session,
                strangers: Semaphore::new(MAX_STRANGERS),
                relay_hung_up: std::cell::Cell::new(false),
            }),
        }
    }

    /// Whether the relay has ended a stream before its client did.
    pub fn relay_hung_up(&self) -> bool {
        self.room.relay_hung_up.get()
    }

    /// Serves clients, for ever. Must run where tasks are local. Cancelled, it leaves no client behind.
    pub async fn serve(&self) -> std::convert::Infallible {
        let mut clients = JoinSet::new();
        loop {
            let full = clients.len() >= MAX_CLIENTS;
            let room = Rc::clone(&self.room);
            tokio::select! {
                Some(_) = clients.join_next(), if !clients.is_empty() => {}
                accepted = self.accept(), if !full => match accepted {
                    Some(Accepted::Owner(stream)) => {
                        clients.spawn_local(async move { room.serve_owner(stream).await });
                    }
                    Some(Accepted::Stranger(stream, verifier)) => {
                        clients.spawn_local(async move { room.serve_stranger(stream, &verifier).await });
                    }
                    None => {}
                }
            }
        }
    }

    /// Accepts one client; none where it is turned away. Cancel safe.
    async fn accept(&self) -> Option<Accepted> {
        match &self.listener {
            Listener::Socket(_, listener) => match listener.accept().await {
                Ok((stream, _)) => {
                    let peer = stream.peer_cred().map(|peer| peer.uid());
                    let us = rustix::process::geteuid().as_raw();
                    if peer.as_ref().is_ok_and(|uid| *uid == us) {
                        match stream.into_std().and_then(SocketStream::new) {
                            Ok(stream) => return Some(Accepted::Owner(stream)),
                            Err(error) => pause(&error).await,
                        }
                    } else {
                        debug!(?peer, "a client of another user was turned away");
                    }
                }
                Err(error) => pause(&error).await,
            },
            Listener::Port(listener, verifier) => match listener.accept().await {
                Ok((stream, peer)) if peer.ip().is_loopback() => match stream.into_std().and_then(SocketStream::new) {
                    Ok(stream) => return Some(Accepted::Stranger(stream, Rc::clone(verifier))),
                    Err(error) => pause(&error).await,
                },
                Ok((_, peer)) => debug!(%peer, "a client from elsewhere was turned away"),
                Err(error) => pause(&error).await,
            },
        }
        None
    }
}

/// A new client, by how far it is known.
#[derive(Debug)]
enum Accepted {
    /// The user whose session it is.
    Owner(SocketStream<UnixStream>),
    /// Anybody on this machine.
    Stranger(SocketStream<TcpStream>, Rc<Verifier>),
}

async fn pause(error: &std::io::Error) {
    debug!(%error, "accept failed");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

impl Room {
    /// A client of the socket: the directory's mode has let it in, and its bytes go through as they are.
    async fn serve_owner<S: AsyncRead + AsyncWrite + Unpin>(&self, mut local: S) {
        match self.tunnel.stream(&self.session).await {
            Ok(remote) => self.pipe(local, remote).await,
            Err(error) => {
                // The client hears of it when it has said what it wants, as from a server.
                if let Ok(Ok(Wish::Connect(_))) = timeout(GREETING, greet::first_packet(&mut local)).await {
                    let _ = greet::refuse(&mut local, &error.refusal()).await;
                }
            }
        }
    }

    /// A client of the port: anybody on this machine, until it has proved that it knows the password.
    async fn serve_stranger<S: AsyncRead + AsyncWrite + Unpin>(&self, mut local: S, verifier: &Verifier) {
        let greeting = async {
            let Ok(_permit) = self.strangers.acquire().await else {
                return Err(GreetError::Io(std::io::ErrorKind::ConnectionAborted.into()));
            };
            let wish = greet::first_packet(&mut local).await?;
            if let Wish::Connect(startup) = &wish {
                greet::authenticate(&mut local, startup, verifier).await?;
            }
            Ok(wish)
        };
        let wish = match timeout(GREETING, greeting).await {
            Ok(Ok(wish)) => wish,
            Ok(Err(error)) => {
                debug!(%error, "a client was turned away");
                let _ = local.shutdown().await;
                return;
            }
            Err(_) => {
                debug!("a client took too long to say who it is");
                return;
            }
        };
        match wish {
            Wish::Connect(startup) => match self.tunnel.stream(&self.session).await {
                Ok(mut remote) => {
                    if remote.write_all(&startup).await.is_ok() && remote.flush().await.is_ok() {
                        self.pipe(local, remote).await;
                    }
                }
                // A client that cannot be told has gone.
                Err(error) => drop(greet::refuse(&mut local, &error.refusal()).await),
            },
            // The key inside is the relay's secret for one query: it is what authorises.
            Wish::Cancel(request) => drop(timeout(CANCEL, self.cancel(&request)).await),
        }
    }

    /// Passes a cancel request on and waits until the relay has done with it, for the client waits for that too.
    async fn cancel(&self, request: &[u8]) -> Option<()> {
        let mut remote = self.tunnel.stream(&self.session).await.ok()?;
        remote.write_all(request).await.ok()?;
        remote.shutdown().await.ok()?;
        let mut nothing = [0_u8; 64];
        while remote.read(&mut nothing).await.ok()? > 0 {}
        Some(())
    }

    async fn pipe<L, R>(&self, local: L, remote: R)
    where
        L: AsyncRead + AsyncWrite + Unpin,
        R: AsyncRead + AsyncWrite + Unpin,
    {
        if pipe(local, remote).await == EndedBy::Relay {
            self.relay_hung_up.set(true);
        }
    }
}
