//! A tunnel over TCP: the same frames, one TLS connection for control and one for each client connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hoop_shared::id::SessionId;
use hoop_shared::tls::RelayVerifier;
use hoop_shared::wire::FrameReader;
use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::control::{Reader, Writer};
use super::dial::{DEADLINE, attach};
use super::{TunnelError, TunnelStream};

/// A relay that is gone without a word is found within some 30 s, as over QUIC.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(10))
    .with_interval(Duration::from_secs(5))
    .with_retries(4);

/// What one more connection to the same relay needs.
#[derive(Clone)]
pub(super) struct Carrier {
    address: SocketAddr,
    name: ServerName<'static>,
    tls: Arc<rustls::ClientConfig>,
    verifier: Arc<RelayVerifier>,
}

impl std::fmt::Debug for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Carrier")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Carrier {
    pub fn new(
        address: SocketAddr,
        name: ServerName<'static>,
        tls: Arc<rustls::ClientConfig>,
        verifier: Arc<RelayVerifier>,
    ) -> Self {
        Self {
            address,
            name,
            tls,
            verifier,
        }
    }

    /// Makes a TLS connection to the relay.
    pub async fn connect(&self) -> Result<TlsStream<TcpStream>, TunnelError> {
        let connect = async {
            let stream = TcpStream::connect(self.address).await?;
            let socket = SockRef::from(&stream);
            socket.set_tcp_nodelay(true)?;
            socket.set_tcp_keepalive(&KEEPALIVE)?;
            TlsConnector::from(Arc::clone(&self.tls))
                .connect(self.name.clone(), stream)
                .await
        };
        connect
            .await
            .map_err(|error| TunnelError::from_io(&error, &self.verifier))
    }

    /// Makes a TLS connection for control.
    pub async fn control(&self) -> Result<(Reader, Writer), TunnelError> {
        let (receive, send) = tokio::io::split(self.connect().await?);
        Ok((FrameReader::new(Box::new(receive)), Box::new(send)))
    }

    pub async fn attach(&self, session: &SessionId) -> Result<TunnelStream, TunnelError> {
        let attached = async {
            let stream = self.connect().await?;
            Ok(TunnelStream::tls(attach(stream, session).await?))
        };
        match tokio::time::timeout(DEADLINE, attached).await {
            Ok(attached) => attached,
            Err(_) => Err(TunnelError::Lost("the relay does not answer".into())),
        }
    }
}
