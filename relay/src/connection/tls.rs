//! The relay's TLS on its port: one configuration for each of QUIC, tunnel over TCP, and API.

use std::sync::Arc;
use std::time::Duration;

use hoop_shared::tls::{ALPN_HTTP, ALPN_TUNNEL, provider, server_config};
use quinn::crypto::rustls::{NoInitialCipherSuite, QuicServerConfig};
use quinn::{IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};
use rustls::RootCertStore;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Streams that a client may have open on one QUIC connection, the control stream among them (28 kB a connection; 1,000
/// would be 100 kB).
const MAX_STREAMS: u32 = 100;
/// Of one direction only: nothing uses them; a peer may open some and is ignored.
const MAX_UNI_STREAMS: u32 = 3;
/// Bytes that a client may have in flight to the relay on one stream, and on one connection.
const STREAM_WINDOW: u32 = 4 << 20;
const WINDOW: u32 = 16 << 20;
/// Bytes that wait on one connection for the client to acknowledge them. Larger ones delay short answers behind long ones.
const SEND_WINDOW: u64 = 4 << 20;
/// Silence after which a connection is gone; its client sends a keep-alive every 10 s.
const IDLE_MS: u32 = 30_000;
/// What every path must carry, and what discovery may find.
const FIRST_MTU: u16 = 1200;
const LARGEST_MTU: u16 = 1452;
/// Attempts that wait for the accept loop, and what is kept of each one's bytes meanwhile.
const MAX_INCOMING: usize = 1024;
const INCOMING_BYTES: u64 = 16 << 10;
const INCOMING_BYTES_TOTAL: u64 = 8 << 20;
/// How long a client has to come back with the token of a Retry.
const RETRY_TOKEN: Duration = Duration::from_secs(15);

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate or key is of no use.
    #[error("the relay's certificate cannot be used: {0}")]
    Certificate(#[from] rustls::Error),
    /// There is no CA for client certificates.
    #[error("client certificates cannot be verified: {0}")]
    Clients(#[from] VerifierBuilderError),
    /// QUIC needs a cipher that the provider does not have.
    #[error("QUIC cannot be set up: {0}")]
    Quic(#[from] NoInitialCipherSuite),
}

/// The configurations of one server certificate and one set of client CAs. Made anew when either changes.
#[derive(Debug)]
pub struct Tls {
    pub(super) quic: quinn::ServerConfig,
    pub(super) tunnel: Arc<rustls::ServerConfig>,
    pub(super) api: Arc<rustls::ServerConfig>,
}

impl Tls {
    /// Makes the configurations. Tunnels need a client certificate below one of `clients`; on the API it is optional,
    /// since logins have none yet, but one that is shown is verified.
    ///
    /// # Errors
    /// Certificate and key do not fit, or there is no CA.
    pub fn new(
        chain: &[CertificateDer<'static>],
        key: &PrivateKeyDer<'static>,
        clients: RootCertStore,
    ) -> Result<Self, TlsError> {
        let clients = Arc::new(clients);
        let verifier = || WebPkiClientVerifier::builder_with_provider(Arc::clone(&clients), provider());
        let required = verifier().build()?;
        let optional = verifier().allow_unauthenticated().build()?;
        let tunnel = Arc::new(server_config(
            chain.to_vec(),
            key.clone_key(),
            required,
            &[ALPN_TUNNEL],
        )?);
        let api = Arc::new(server_config(chain.to_vec(), key.clone_key(), optional, &[ALPN_HTTP])?);
        let mut quic = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(Arc::clone(&tunnel))?));
        quic.transport_config(Arc::new(transport()))
            .max_incoming(MAX_INCOMING)
            .incoming_buffer_size(INCOMING_BYTES)
            .incoming_buffer_size_total(INCOMING_BYTES_TOTAL)
            .retry_token_lifetime(RETRY_TOKEN)
            .migration(true);
        Ok(Self { quic, tunnel, api })
    }
}

fn transport() -> TransportConfig {
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(LARGEST_MTU);
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(MAX_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(MAX_UNI_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(SEND_WINDOW)
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MS))))
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0)
        .initial_mtu(FIRST_MTU)
        .mtu_discovery_config(Some(mtu));
    config
}
