//! The TCP port: a look at each ClientHello's ALPN, then tunnels to a data reactor, everything else to the API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use hoop_shared::tls::ALPN_TUNNEL;
use hoop_shared::wire::{Attached, Frame, FrameReader, Refused};
use metrics::counter;
use rustls::server::{Accepted, Acceptor};
use rustls_pki_types::CertificateDer;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};
use tracing::{debug, warn};

use super::control::{self, Left};
use super::gate::{Gate, Place};
use super::reactor::{Context, note};
use super::service::{Client, Service};
use super::{ClientStream, Peer, Phase, Tls, http};

/// How long a client has for its ClientHello, and then for the rest of the handshake.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// How long to rest when no connection can be accepted (no file descriptors): others end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long, and for how many bytes, a refused client is listened to.
const LINGER: Duration = Duration::from_secs(1);
const MAX_IGNORED: u64 = 64 << 10;
/// A peer that is gone without a word is found within some 30 s, as over QUIC.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(15))
    .with_interval(Duration::from_secs(5))
    .with_retries(3);

/// A tunnel's connection on its way to a reactor: its ClientHello is read, nothing is answered yet.
pub(super) struct Arrival {
    accepted: Accepted,
    stream: std::net::TcpStream,
    address: SocketAddr,
    place: Place,
}

/// What the TCP port needs.
pub(super) struct Front {
    pub tls: Arc<ArcSwap<Tls>>,
    pub gate: Arc<Gate>,
    pub api: Router,
    pub reactors: Vec<mpsc::Sender<Arrival>>,
    pub next: AtomicUsize,
    pub phase: watch::Receiver<Phase>,
}

/// Accepts until the relay closes, then waits for the API's requests to end.
pub(super) async fn listen(listener: TcpListener, front: Arc<Front>) {
    let mut phase = front.phase.clone();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => match front.gate.enter(address.ip()) {
                    Ok(place) => {
                        connections.spawn(route(Arc::clone(&front), stream, address, place));
                    }
                    Err(full) => {
                        counter!("hoop_connections_refused_total").increment(1);
                        debug!(%address, ?full, "no place for a connection");
                    }
                },
                Err(error) => {
                    warn!(%error, "cannot accept a TCP connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(result) = connections.join_next(), if !connections.is_empty() => note(result),
            () = Phase::closed(&mut phase) => {
                break;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.map(note).is_some() {}
}

/// Reads the ClientHello and sends the connection where its ALPN says.
async fn route(front: Arc<Front>, stream: TcpStream, address: SocketAddr, mut place: Place) {
    let socket = SockRef::from(&stream);
    if let Err(error) = socket
        .set_tcp_nodelay(true)
        .and_then(|()| socket.set_tcp_keepalive(&KEEPALIVE))
    {
        return debug!(%address, %error, "TCP connection failed");
    }
    let hello = LazyConfigAcceptor::new(Acceptor::default(), stream);
    let start = match tokio::time::timeout(HANDSHAKE_DEADLINE, hello).await {
        Ok(Ok(start)) => start,
        Ok(Err(error)) => return debug!(%address, %error, "not a TLS connection"),
        Err(_) => return debug!(%address, "no ClientHello in time"),
    };
    let is_tunnel = start
        .client_hello()
        .alpn()
        .is_some_and(|mut names| names.any(|name| name == ALPN_TUNNEL));
    if is_tunnel {
        let StartHandshake { accepted, io, .. } = start;
        let Ok(stream) = io.into_std() else { return };
        let arrival = Arrival {
            accepted,
            stream,
            address,
            place,
        };
        let turn = front.next.fetch_add(1, Ordering::Relaxed);
        let reactor = turn
            .checked_rem(front.reactors.len())
            .and_then(|index| front.reactors.get(index));
        if reactor.is_none_or(|reactor| reactor.try_send(arrival).is_err()) {
            counter!("hoop_connections_refused_total").increment(1);
        }
        return;
    }
    let config = Arc::clone(&front.tls.load().api);
    match tokio::time::timeout(HANDSHAKE_DEADLINE, start.into_stream(config).into_fallible()).await {
        Ok(Ok(stream)) => {
            place.settle();
            let peer = Peer {
                address,
                certificate: certificate(&stream).map(Arc::new),
            };
            http::serve(stream, peer, front.api.clone(), front.phase.clone()).await;
        }
        Ok(Err((error, stream))) => {
            debug!(%address, %error, "TLS handshake failed");
            linger(stream).await;
        }
        Err(_) => debug!(%address, "TLS handshake took too long"),
    }
}

/// Lets the alert reach a client that is still sending: closing a socket with unread bytes would reset it, and the
/// client would not learn that its certificate was refused.
async fn linger(mut stream: TcpStream) {
    let rest = async {
        if stream.shutdown().await.is_ok() {
            let mut unread = (&mut stream).take(MAX_IGNORED);
            let _gone = tokio::io::copy(&mut unread, &mut tokio::io::sink()).await;
        }
    };
    let _long = tokio::time::timeout(LINGER, rest).await;
}

fn certificate(stream: &TlsStream<TcpStream>) -> Option<CertificateDer<'static>> {
    stream
        .get_ref()
        .1
        .peer_certificates()?
        .first()
        .map(|certificate| certificate.clone().into_owned())
}

/// Serves one tunnel connection on the reactor's thread: control, or one stream of a session.
pub(super) async fn tunnel<S: Service>(context: Arc<Context<S>>, arrival: Arrival) {
    let Arrival {
        accepted,
        stream,
        address,
        mut place,
    } = arrival;
    let Ok(stream) = TcpStream::from_std(stream) else {
        return;
    };
    let config = Arc::clone(&context.tls.load().tunnel);
    let handshake = StartHandshake::from_parts(accepted, stream).into_stream(config);
    let stream = match tokio::time::timeout(HANDSHAKE_DEADLINE, handshake.into_fallible()).await {
        Ok(Ok(stream)) => stream,
        Ok(Err((error, stream))) => {
            debug!(%address, %error, "TLS handshake failed");
            return linger(stream).await;
        }
        Err(_) => return debug!(%address, "TLS handshake took too long"),
    };
    place.settle();
    let Some(certificate) = certificate(&stream) else {
        return;
    };
    let client = Client {
        certificate: Arc::new(certificate),
        source: address.ip().to_canonical(),
    };
    let left = serve(&context, &client, stream).await;
    debug!(%address, %left, "TCP connection ends");
}

async fn serve<S: Service>(context: &Arc<Context<S>>, client: &Client, stream: TlsStream<TcpStream>) -> Left {
    let mut reader = FrameReader::new(stream);
    let refusal = match control::first_frame(&mut reader).await {
        Ok(Frame::Hello(hello)) => {
            let greeted = control::greet(context.service.as_ref(), client, &hello, reader.get_mut()).await;
            let left = match greeted {
                Ok(who) => {
                    counter!("hoop_connections_total", "transport" => "tcp").increment(1);
                    let (receive, mut send) = tokio::io::split(reader.into_inner());
                    let mut reader = FrameReader::new(receive);
                    let phase = context.phase.clone();
                    let left = control::run(&context.service, client, who, &mut reader, &mut send, phase).await;
                    let _gone = send.shutdown().await;
                    return left;
                }
                Err(left) => left,
            };
            let _gone = reader.get_mut().shutdown().await;
            return left;
        }
        Ok(Frame::Attach(attach)) => {
            let place = context.service.authenticate(&client.certificate);
            match place.and_then(|who| context.service.attach(&who, &attach.session)) {
                Ok(place) => {
                    if let Err(left) = control::say(reader.get_mut(), Attached {}).await {
                        return left;
                    }
                    context
                        .service
                        .serve(place, ClientStream::tls(reader.into_inner()))
                        .await;
                    return Left::Bye;
                }
                Err(refusal) => refusal,
            }
        }
        Ok(other) => control::violation(&format!("a {} frame instead of a hello or an attach", other.name())),
        Err(Left::Violation(what)) => control::violation(&what),
        Err(left) => return left,
    };
    if control::say(reader.get_mut(), Refused { number: None, refusal })
        .await
        .is_ok()
    {
        let _gone = reader.get_mut().shutdown().await;
    }
    Left::Refused
}
