//! Finding the way to a relay: names to addresses, QUIC against TCP, and the hello that decides.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use hoop_shared::id::SessionId;
use hoop_shared::tls::{ALPN_TUNNEL, Credential, RelayVerifier, Trust, client_config};
use hoop_shared::wire::{Attach, Frame, FrameReader, Hello, NEWEST, OLDEST, Welcome, write_frame};
use rustls_pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::control::{Reader, Writer};
use super::memory::Memory;
use super::{Carrier, Dial, TunnelError, quic, tcp};
use crate::relay_address::RelayAddress;

/// The same between two addresses of one name.
const NEXT_ADDRESS: Duration = Duration::from_millis(100);
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;
/// How long a way to the relay may take, to the welcome or to an attached stream.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// A way to the relay on which it has said welcome.
pub(super) struct Candidate {
    pub carrier: Carrier,
    pub reader: Reader,
    pub writer: Writer,
    pub welcome: Welcome,
    pub rtt: Duration,
}

/// What all attempts share.
struct Attempt<'a> {
    dial: &'a Dial,
    name: ServerName<'static>,
    tls: Arc<rustls::ClientConfig>,
    verifier: Arc<RelayVerifier>,
    /// A QUIC handshake is done: UDP passes.
    udp_passes: Cell<bool>,
}

/// Connects by the first way on which the relay says welcome.
pub(super) async fn connect(dial: &Dial) -> Result<Candidate, TunnelError> {
    let tls_error = |error: rustls::Error| TunnelError::Tls(error.to_string());
    let verifier = RelayVerifier::new(&dial.trust).map_err(tls_error)?;
    let tls = client_config(Arc::clone(&verifier), Some(dial.credential.clone()), &[ALPN_TUNNEL]).map_err(tls_error)?;
    let attempt = Attempt {
        dial,
        name: ServerName::try_from(dial.relay.host().to_owned())
            .map_err(|error| TunnelError::Tls(error.to_string()))?,
        tls: Arc::new(tls),
        verifier,
        udp_passes: Cell::new(false),
    };
    let addresses = resolve(dial).await?;
    let first = addresses
        .first()
        .copied()
        .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
    let memory = Memory::new(dial.memory.as_deref(), &dial.relay, first);
    if memory.no_udp() {
        match stagger(&addresses, |address| attempt.tcp(address)).await {
            Err(error) if !error.is_final() => {}
            decided => return decided,
        }
    }
    let candidate = attempt.race(&addresses).await?;
    memory.note(attempt.udp_passes.get() || matches!(candidate.carrier, Carrier::Quic(_)));
    Ok(candidate)
}

/// Makes a QUIC handshake with a relay by which nobody is logged in; gives the time there and back. In TLS 1.3 the relay looks at the
/// client's certificate only after the client's handshake is done, so one that it refuses is as good.
///
/// # Errors
/// Says why there is no handshake.
pub async fn udp_passes(relay: &RelayAddress, trust: Trust) -> Result<Duration, String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let throwaway = rcgen::generate_simple_self_signed(Vec::new()).map_err(|error| said(&error))?;
    let credential = Credential {
        chain: vec![throwaway.cert.der().clone()],
        key: PrivateKeyDer::Pkcs8(throwaway.signing_key.serialize_der().into()),
    };
    let verifier = RelayVerifier::new(&trust).map_err(|error| said(&error))?;
    let tls = client_config(Arc::clone(&verifier), Some(credential.clone()), &[ALPN_TUNNEL]);
    let tls = Arc::new(tls.map_err(|error| said(&error))?);
    let dial = Dial {
        relay: relay.clone(),
        credential,
        trust,
        machine: String::new(),
        memory: None,
        head_start: DEADLINE,
    };
    let addresses = resolve(&dial).await.map_err(|error| reason(&error))?;
    let carrier = stagger(&addresses, |address| {
        in_time(quic::dial(address, relay.host(), &tls, &verifier))
    });
    carrier
        .await
        .map(|carrier| carrier.rtt())
        .map_err(|error| reason(&error))
}

async fn resolve(dial: &Dial) -> Result<Vec<SocketAddr>, TunnelError> {
    let unknown = |error: String| TunnelError::Unreachable {
        relay: dial.relay.clone(),
        quic: error.clone(),
        tcp: error,
    };
    let found = timeout(
        DEADLINE,
        tokio::net::lookup_host((dial.relay.host(), dial.relay.port())),
    )
    .await;
    let found = found.map_err(|_| unknown("the name server does not answer".into()))?;
    let addresses: Vec<_> = found
        .map_err(|error| unknown(error.to_string()))?
        .take(MAX_ADDRESSES)
        .collect();
    if addresses.is_empty() {
        Err(unknown("the name has no address".into()))
    } else {
        Ok(addresses)
    }
}

impl Attempt<'_> {
    /// QUIC, and TCP when it is silent for too long or fails. A final error of either ends both.
    async fn race(&self, addresses: &[SocketAddr]) -> Result<Candidate, TunnelError> {
        let quic_failed = Notify::new();
        let quic = async {
            let result = stagger(addresses, |address| self.quic(address)).await;
            if result.is_err() {
                quic_failed.notify_one();
            }
            result
        };
        let tcp = async {
            tokio::select! {
                () = quic_failed.notified() => {}
                () = sleep(self.dial.head_start) => {
                    if self.udp_passes.get() {
                        quic_failed.notified().await;
                    }
                }
            }
            stagger(addresses, |address| self.tcp(address)).await
        };
        let (mut quic, mut tcp) = (pin!(quic), pin!(tcp));
        let (mut quic_error, mut tcp_error) = (None, None);
        loop {
            let (result, error) = tokio::select! {
                result = &mut quic, if quic_error.is_none() => (result, &mut quic_error),
                result = &mut tcp, if tcp_error.is_none() => (result, &mut tcp_error),
            };
            match result {
                Ok(candidate) => return Ok(candidate),
                Err(decided) if decided.is_final() => return Err(decided),
                Err(other) => *error = Some(reason(&other)),
            }
            if let (Some(quic), Some(tcp)) = (&quic_error, &tcp_error) {
                return Err(TunnelError::Unreachable {
                    relay: self.dial.relay.clone(),
                    quic: quic.clone(),
                    tcp: tcp.clone(),
                });
            }
        }
    }

    async fn quic(&self, address: SocketAddr) -> Result<Candidate, TunnelError> {
        let way = async {
            let carrier = quic::dial(address, self.dial.relay.host(), &self.tls, &self.verifier).await?;
            self.udp_passes.set(true);
            let greeted = async {
                let (mut reader, mut writer) = carrier.control().await?;
                let (welcome, rtt) = self.hello(&mut reader, &mut writer).await?;
                Ok((reader, writer, welcome, rtt))
            };
            match greeted.await {
                Ok((reader, writer, welcome, rtt)) => Ok(Candidate {
                    carrier: Carrier::Quic(carrier),
                    reader,
                    writer,
                    welcome,
                    rtt,
                }),
                Err(error) => Err(carrier.explain(error, &self.verifier)),
            }
        };
        in_time(way).await
    }

    async fn tcp(&self, address: SocketAddr) -> Result<Candidate, TunnelError> {
        let way = async {
            let carrier = tcp::Carrier::new(
                address,
                self.name.clone(),
                Arc::clone(&self.tls),
                Arc::clone(&self.verifier),
            );
            let (mut reader, mut writer) = carrier.control().await?;
            let (welcome, rtt) = self.hello(&mut reader, &mut writer).await?;
            Ok(Candidate {
                carrier: Carrier::Tcp(carrier),
                reader,
                writer,
                welcome,
                rtt,
            })
        };
        in_time(way).await
    }

    async fn hello(&self, reader: &mut Reader, writer: &mut Writer) -> Result<(Welcome, Duration), TunnelError> {
        let hello = Hello {
            wire: (OLDEST, NEWEST),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            features: Vec::new(),
            machine: self.dial.machine.clone(),
        };
        let asked = Instant::now();
        // A relay that refuses the certificate may have closed before it reads this; its answer says why.
        let written = write_frame(writer, hello).await;
        match reader.read().await? {
            Some(Frame::Welcome(welcome)) if (OLDEST..=NEWEST).contains(&welcome.version) => {
                written?;
                Ok((welcome, asked.elapsed()))
            }
            Some(Frame::Welcome(welcome)) => Err(TunnelError::Protocol(format!(
                "it chose wire version {}, which was not offered",
                welcome.version
            ))),
            Some(Frame::Refused(refused)) => Err(TunnelError::Refused(refused.refusal)),
            Some(other) => Err(TunnelError::Protocol(format!(
                "a {} frame instead of a welcome",
                other.name()
            ))),
            None => Err(TunnelError::Lost("it closed before its welcome".into())),
        }
    }
}

/// What went wrong on one way, to be named beside the other.
fn reason(error: &TunnelError) -> String {
    match error {
        TunnelError::Lost(why) => why.clone(),
        other => other.to_string(),
    }
}

async fn in_time<T>(way: impl Future<Output = Result<T, TunnelError>>) -> Result<T, TunnelError> {
    timeout(DEADLINE, way)
        .await
        .unwrap_or_else(|_| Err(TunnelError::Lost("no answer".into())))
}

/// Tries one address after another, the next when one fails or is slow; the first success or final error decides.
async fn stagger<F, T>(addresses: &[SocketAddr], connect: impl Fn(SocketAddr) -> F) -> Result<T, TunnelError>
where
    F: Future<Output = Result<T, TunnelError>>,
{
    let mut rest = addresses.iter();
    let mut running = FuturesUnordered::new();
    let mut last = TunnelError::Lost("there is no address".into());
    loop {
        let has_more = rest.next().map(|address| running.push(connect(*address))).is_some();
        if !has_more && running.is_empty() {
            return Err(last);
        }
        let mut pause = pin!(sleep(NEXT_ADDRESS));
        let result = poll_fn(|cx| match running.poll_next_unpin(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending if rest.len() > 0 => pause.as_mut().poll(cx).map(|()| None),
            Poll::Pending => Poll::Pending,
        });
        match result.await {
            Some(Ok(success)) => return Ok(success),
            Some(Err(error)) if error.is_final() => return Err(error),
            Some(Err(error)) => last = error,
            None => {}
        }
    }
}

/// Makes a stream one of a session's client connections, and gives it back for the protocol's own bytes.
pub(super) async fn attach<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    session: &SessionId,
) -> Result<S, TunnelError> {
    let written = write_frame(
        &mut stream,
        Attach {
            session: session.clone(),
        },
    )
    .await;
    let mut reader = FrameReader::new(stream);
    match reader.read().await? {
        Some(Frame::Attached(_)) => {
            written?;
            Ok(reader.into_inner())
        }
        Some(Frame::Refused(refused)) => Err(TunnelError::Refused(refused.refusal)),
        Some(other) => Err(TunnelError::Protocol(format!(
            "a {} frame instead of an answer",
            other.name()
        ))),
        None => Err(TunnelError::Lost("the stream was closed".into())),
    }
}
