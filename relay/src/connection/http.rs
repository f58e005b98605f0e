//! The API's side of the port: HTTP/1.1 over TLS, into the router.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;
use tower_service::Service;
use tracing::debug;

use super::{Peer, Phase};

/// How long a client has for a request's head.
const HEAD_DEADLINE: Duration = Duration::from_secs(15);
/// The longest head: what any honest request stays far below.
const MAX_HEAD: usize = 32 << 10;
const MAX_HEADERS: usize = 64;
/// How long a request may go on after the relay has closed.
const LAST: Duration = Duration::from_secs(2);

/// Serves one connection. Each request carries the [`Peer`] among its extensions.
pub(super) async fn serve(stream: TlsStream<TcpStream>, peer: Peer, router: Router, mut phase: watch::Receiver<Phase>) {
    let address = peer.address;
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        router.clone().call(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => Some(result),
        () = Phase::closed(&mut phase) => {
            None
        }
    };
    let result = match result {
        Some(result) => result,
        None => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(LAST, connection).await {
                Ok(result) => result,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = result {
        debug!(%address, %error, "API connection failed");
    }
}
