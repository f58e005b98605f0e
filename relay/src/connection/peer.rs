//! Who is at the other end of a connection, before anybody asked who acts.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;

/// The other end of a connection. The API's handlers find it among a request's extensions.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Its client certificate, which TLS has verified against the relay's CAs: signature, dates, usage. Whether its login
    /// is still valid only `authn` knows. `None` on the API where the client shows none.
    pub certificate: Option<Arc<CertificateDer<'static>>>,
}
