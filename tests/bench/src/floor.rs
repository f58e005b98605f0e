//! The naive hop: TCP → quinn stream → TCP, two worker threads at each end, 64 KiB copies, nothing read or decided.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a copy reads at once.
const COPY_BYTES: usize = 64 * 1024;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Arguments of the floor's relay.
#[derive(Args)]
pub struct ServerArgs {
    /// Where the target listens.
    #[arg(long)]
    target: SocketAddr,
    /// Where to write the certificate that the client must trust.
    #[arg(long)]
    certificate: PathBuf,
}

/// Arguments of the floor's client.
#[derive(Args)]
pub struct ClientArgs {
    /// The floor's relay.
    #[arg(long)]
    relay: SocketAddr,
    /// Its certificate.
    #[arg(long)]
    certificate: PathBuf,
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

/// Listens, says its address on stdout, copies until it is killed.
pub fn server(args: &ServerArgs) -> Fallible<()> {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    std::fs::write(&args.certificate, signed.cert.pem())?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)?;
    tls.alpn_protocols = vec![b"floor".to_vec()];
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config.transport_config(Arc::new(transport()));
    let target = args.target;
    runtime()?.block_on(async move {
        let endpoint = quinn::Endpoint::server(config, SocketAddr::from(([127, 0, 0, 1], 0)))?;
        println!("{}", endpoint.local_addr()?);
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move {
                let Ok(connection) = incoming.await else { return };
                while let Ok((send, receive)) = connection.accept_bi().await {
                    tokio::spawn(async move {
                        let Ok(tcp) = TcpStream::connect(target).await else {
                            return;
                        };
                        let _ = tcp.set_nodelay(true);
                        let (from_target, to_target) = tcp.into_split();
                        let up = tokio::spawn(copy(receive, to_target));
                        copy(from_target, send).await;
                        let _ = up.await;
                    });
                }
            });
        }
        Ok(())
    })
}

/// Listens on TCP, says its address on stdout, copies until it is killed.
pub fn client(args: &ClientArgs) -> Fallible<()> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&args.certificate)?)?;
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"floor".to_vec()];
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    config.transport_config(Arc::new(transport()));
    let relay = args.relay;
    runtime()?.block_on(async move {
        let endpoint = quinn::Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let connection = endpoint.connect_with(config, relay, "localhost")?.await?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (tcp, _) = listener.accept().await?;
            let connection = connection.clone();
            tokio::spawn(async move {
                let _ = tcp.set_nodelay(true);
                let Ok((send, receive)) = connection.open_bi().await else {
                    return;
                };
                let (from_client, to_client) = tcp.into_split();
                let up = tokio::spawn(copy(from_client, send));
                copy(receive, to_client).await;
                let _ = up.await;
            });
        }
    })
}

fn transport() -> quinn::TransportConfig {
    let mut transport = quinn::TransportConfig::default();
    transport.max_idle_timeout(None);
    transport
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut buffer = vec![0; COPY_BYTES];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..read) else { return };
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
