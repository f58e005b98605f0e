//! Clients over QUIC: one connection each, its first bidirectional stream is control, every other attaches to a session.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use hoop_shared::socket::ReactorRuntime;
use hoop_shared::wire::{Attached, Frame, FrameReader, Refused};
use metrics::counter;
use quinn::{Connection, Endpoint, EndpointConfig, Incoming, RecvStream, SendStream, VarInt};
use quinn_proto::HashedConnectionIdGenerator;
use rustls_pki_types::CertificateDer;
use tokio::task::JoinSet;
use tracing::debug;

use super::ClientStream;
use super::control::{self, Left};
use super::gate::{Full, Place};
use super::reactor::Context;
use super::service::{Client, Service};

/// How long a handshake may take, a lost packet or two included.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// How long the last frame may take to reach a client that is being closed.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long streams may take to end by themselves when their connection is gone.
const STREAMS_END: Duration = Duration::from_secs(10);
/// Derives the key that marks connection ids as ours.
const CONNECTION_IDS: &str = "hoop 2026 quic: connection ids";
/// Application error codes of a closed connection.
const DONE: VarInt = VarInt::from_u32(0);
const VIOLATION: VarInt = VarInt::from_u32(1);
const REFUSED: VarInt = VarInt::from_u32(2);

/// Opens the endpoint on a socket. The socket is the place for another one that costs fewer system calls.
pub(super) fn endpoint<S: Service>(context: &Context<S>, socket: UdpSocket) -> io::Result<Endpoint> {
    let tls = context.tls.load();
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &*context.reset_key)));
    // A reset answers only ids that a run of this relay can have given.
    let [a, b, c, d, e, f, g, h, ..] = blake3::derive_key(CONNECTION_IDS, &*context.reset_key);
    let ids = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    Endpoint::new(config, Some(tls.quic.clone()), socket, Arc::new(ReactorRuntime))
}

/// Decides about an attempt without waiting for anything, and gives what is to be awaited elsewhere.
pub(super) fn admit<S: Service>(
    context: &Arc<Context<S>>,
    incoming: Incoming,
) -> Option<impl Future<Output = ()> + 'static> {
    let address = incoming.remote_address().ip();
    // What comes from an unproved address may be forged: it must not use up the places of who really has it.
    if !incoming.remote_address_validated() && context.gate.busy() {
        return retry(incoming);
    }
    match context.gate.enter(address) {
        Ok(place) => {
            let config = Arc::new(context.tls.load().quic.clone());
            match incoming.accept_with(config) {
                Ok(connecting) => return Some(connection(Arc::clone(context), connecting, place)),
                Err(error) => debug!(%address, %error, "QUIC attempt failed"),
            }
        }
        Err(Full::Source) if !incoming.remote_address_validated() => return retry(incoming),
        Err(full) => {
            counter!("hoop_connections_refused_total").increment(1);
            debug!(%address, ?full, "no place for a connection");
            incoming.refuse();
        }
    }
    None
}

fn retry<F>(incoming: Incoming) -> Option<F> {
    if let Err(error) = incoming.retry() {
        error.into_incoming().ignore();
    }
    None
}

async fn connection<S: Service>(context: Arc<Context<S>>, connecting: quinn::Connecting, mut place: Place) {
    let connection = match tokio::time::timeout(HANDSHAKE_DEADLINE, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return debug!(%error, "QUIC handshake failed"),
        Err(_) => return debug!("QUIC handshake took too long"),
    };
    place.settle();
    let source = connection.remote_address().ip().to_canonical();
    let Some(certificate) = certificate(&connection) else {
        return connection.close(REFUSED, b"no client certificate");
    };
    let client = Client {
        certificate: Arc::new(certificate),
        source,
    };
    let left = serve(&context, &connection, &client).await;
    debug!(%source, %left, "QUIC connection ends");
    close(&connection, &left);
}

/// Closes the connection; what came first stands.
fn close(connection: &Connection, left: &Left) {
    match left {
        Left::Violation(what) => connection.close(VIOLATION, what.as_bytes()),
        Left::Refused => connection.close(REFUSED, b"refused"),
        Left::Bye | Left::Closed | Left::Gone(_) => connection.close(DONE, b""),
    }
}

fn certificate(connection: &Connection) -> Option<CertificateDer<'static>> {
    let chain = connection
        .peer_identity()?
        .downcast::<Vec<CertificateDer<'static>>>()
        .ok()?;
    chain.into_iter().next()
}

async fn serve<S: Service>(context: &Arc<Context<S>>, connection: &Connection, client: &Client) -> Left {
    let control = tokio::time::timeout(control::FRAME_DEADLINE, connection.accept_bi()).await;
    let (mut send, receive) = match control {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Left::Gone(error.to_string()),
        Err(_) => return Left::Gone("it opened no control stream".into()),
    };
    let mut reader = FrameReader::new(receive);
    let hello = match control::first_frame(&mut reader).await {
        Ok(Frame::Hello(hello)) => hello,
        Ok(other) => return Left::Violation(format!("a {} frame instead of a hello", other.name())),
        Err(left) => return left,
    };
    let who = match control::greet(context.service.as_ref(), client, &hello, &mut send).await {
        Ok(who) => who,
        Err(left) => {
            farewell(&mut send).await;
            return left;
        }
    };
    counter!("hoop_connections_total", "transport" => "quic").increment(1);
    let mut streams = JoinSet::new();
    let left = {
        let control = control::run(
            &context.service,
            client,
            who.clone(),
            &mut reader,
            &mut send,
            context.phase.clone(),
        );
        let mut control = std::pin::pin!(control);
        loop {
            tokio::select! {
                left = &mut control => break left,
                stream = connection.accept_bi() => match stream {
                    Ok((send, receive)) => {
                        streams.spawn_local(attach(Arc::clone(context), who.clone(), send, receive));
                    }
                    Err(error) => break Left::Gone(error.to_string()),
                },
                Some(result) = streams.join_next(), if !streams.is_empty() => super::reactor::note(result),
            }
        }
    };
    if matches!(left, Left::Bye | Left::Closed | Left::Violation(_)) {
        // The client is done, or told: what still runs says so in its own protocol before the connection goes.
        farewell(&mut send).await;
    } else {
        close(connection, &left);
    }
    let ends = async { while streams.join_next().await.map(super::reactor::note).is_some() {} };
    if tokio::time::timeout(STREAMS_END, ends).await.is_err() {
        streams.shutdown().await;
    }
    left
}

/// Waits until the client has all that was said, or is gone.
async fn farewell(send: &mut SendStream) {
    if send.finish().is_ok() {
        let _late = tokio::time::timeout(FAREWELL, send.stopped()).await;
    }
}

async fn attach<S: Service>(context: Arc<Context<S>>, who: S::Who, mut send: SendStream, receive: RecvStream) {
    let mut reader = FrameReader::new(receive);
    let answer = match control::first_frame(&mut reader).await {
        Ok(Frame::Attach(attach)) => context.service.attach(&who, &attach.session),
        Ok(other) => Err(control::violation(&format!(
            "a {} frame instead of an attach",
            other.name()
        ))),
        Err(Left::Violation(what)) => Err(control::violation(&what)),
        Err(left) => return debug!(%left, "stream ends before it began"),
    };
    match answer {
        Ok(place) => match control::say(&mut send, Attached {}).await {
            Ok(()) => {
                context
                    .service
                    .serve(place, ClientStream::quic(send, reader.into_inner()))
                    .await
            }
            Err(left) => debug!(%left, "stream ends before it began"),
        },
        Err(refusal) => {
            if control::say(&mut send, Refused { number: None, refusal }).await.is_ok() {
                farewell(&mut send).await;
            }
        }
    }
}
