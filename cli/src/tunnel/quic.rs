//! A tunnel over QUIC.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use hoop_shared::id::SessionId;
use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::socket::ReactorRuntime;
use hoop_shared::tls::RelayVerifier;
use hoop_shared::wire::FrameReader;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{
    ClientConfig, Connection, ConnectionError, Endpoint, EndpointConfig, IdleTimeout, MtuDiscoveryConfig,
    TransportConfig, TransportErrorCode, VarInt,
};
use rustls::AlertDescription;
use socket2::{Domain, Protocol, Socket, Type};

use super::control::{Reader, Writer};
use super::dial::{DEADLINE, attach};
use super::error::refused_by_alert;
use super::{TunnelError, TunnelStream};

/// NATs forget an address in as little as 30 s.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Silence after which the relay is gone.
const IDLE_MS: u32 = 30_000;
/// Kernel buffers of the socket, so that a burst of results waits instead of being lost. The kernel may give less.
const BUFFER: usize = 4 << 20;
/// Bytes in flight from the relay on one stream, and on the connection.
const STREAM_WINDOW: u32 = 4 << 20;
const WINDOW: u32 = 16 << 20;
/// Bytes that wait to be acknowledged by the relay.
const SEND_WINDOW: u64 = 4 << 20;
/// What every path must carry, and what discovery may find.
const FIRST_MTU: u16 = 1200;
const LARGEST_MTU: u16 = 1452;
/// How long to wait for a stream when as many are open as the relay allows.
const STREAM_WAIT: Duration = Duration::from_secs(5);
/// How long the last packet may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// Where crypto errors begin among QUIC's error codes: the TLS alert is added (RFC 9001, 4.8).
const CRYPTO: u64 = 0x100;

/// A QUIC connection and the socket that it lives on.
#[derive(Debug)]
pub(super) struct Carrier {
    endpoint: Endpoint,
    connection: Connection,
}

/// Makes the handshake with a relay.
pub(super) async fn dial(
    address: SocketAddr,
    name: &str,
    tls: &Arc<rustls::ClientConfig>,
    verifier: &RelayVerifier,
) -> Result<Carrier, TunnelError> {
    let crypto = QuicClientConfig::try_from(Arc::clone(tls)).map_err(|error| TunnelError::Tls(error.to_string()))?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    let lost = |error: io::Error| TunnelError::Lost(error.to_string());
    let socket = socket(address).map_err(lost)?;
    let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(ReactorRuntime)).map_err(lost)?;
    let connecting = endpoint
        .connect_with(config, address, name)
        .map_err(|error| TunnelError::Lost(error.to_string()))?;
    match connecting.await {
        Ok(connection) => Ok(Carrier { endpoint, connection }),
        Err(error) => Err(failed(&error, verifier)),
    }
}

impl Carrier {
    /// Opens the control stream.
    pub async fn control(&self) -> Result<(Reader, Writer), TunnelError> {
        let (send, receive) = self
            .connection
            .open_bi()
            .await
            .map_err(|error| TunnelError::Lost(error.to_string()))?;
        Ok((FrameReader::new(Box::new(receive)), Box::new(send)))
    }

    /// Why the connection ended, where it did, in place of what a stream saw of it.
    pub fn explain(&self, seen: TunnelError, verifier: &RelayVerifier) -> TunnelError {
        match (self.connection.close_reason(), seen) {
            (Some(reason), TunnelError::Lost(_)) => failed(&reason, verifier),
            (_, seen) => seen,
        }
    }

    pub fn rtt(&self) -> Duration {
        self.connection.rtt()
    }

    pub async fn attach(&self, session: &SessionId) -> Result<TunnelStream, TunnelError> {
        let (send, receive) = match tokio::time::timeout(STREAM_WAIT, self.connection.open_bi()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(TunnelError::Lost(error.to_string())),
            Err(_) => {
                let full = Refusal::new(
                    Code::LimitExceeded,
                    "the tunnel has as many client connections as the relay allows",
                );
                return Err(TunnelError::Refused(full.hint("close some of them")));
            }
        };
        let attached = attach(tokio::io::join(receive, send), session);
        let (receive, send) = match tokio::time::timeout(DEADLINE, attached).await {
            Ok(attached) => attached?.into_inner(),
            Err(_) => return Err(TunnelError::Lost("the relay does not answer".into())),
        };
        Ok(TunnelStream::quic(send, receive))
    }

    pub async fn close(self) {
        self.connection.close(VarInt::from_u32(0), b"");
        let _late = tokio::time::timeout(FAREWELL, self.endpoint.wait_idle()).await;
    }
}

fn transport() -> TransportConfig {
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(LARGEST_MTU);
    let mut config = TransportConfig::default();
    config
        // The relay opens no streams.
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(SEND_WINDOW)
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MS))))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0)
        .initial_mtu(FIRST_MTU)
        .mtu_discovery_config(Some(mtu));
    config
}

/// A socket on the wildcard address, so that it survives a new route.
fn socket(towards: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if towards.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0_u16; 8], 0).into()
    };
    let socket = Socket::new(Domain::for_address(any), Type::DGRAM, Some(Protocol::UDP))?;
    for result in [socket.set_recv_buffer_size(BUFFER), socket.set_send_buffer_size(BUFFER)] {
        if let Err(error) = result {
            tracing::debug!(%error, "the UDP socket keeps its buffer");
        }
    }
    socket.set_nonblocking(true)?;
    socket.bind(&any.into())?;
    Ok(socket.into())
}

fn failed(error: &ConnectionError, verifier: &RelayVerifier) -> TunnelError {
    match error {
        // What this side found wrong with the relay.
        ConnectionError::TransportError(fault) if alert(fault.code).is_some() && verifier.refused().is_some() => {
            TunnelError::untrusted(verifier)
        }
        // What the relay found wrong with this side.
        ConnectionError::ConnectionClosed(close) => alert(close.error_code)
            .and_then(refused_by_alert)
            .map_or_else(|| TunnelError::Lost(error.to_string()), TunnelError::Refused),
        other => TunnelError::Lost(other.to_string()),
    }
}

fn alert(code: TransportErrorCode) -> Option<AlertDescription> {
    let alert = u64::from(code).checked_sub(CRYPTO)?;
    u8::try_from(alert).ok().map(AlertDescription::from)
}
