//! A relay's port with an echo behind it, a CA, and clients of that CA.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hoop_relay::connection::{self, Bounds, ClientStream, NotOpened, Parts, Phase, Service, Serving, Tls};
use hoop_shared::id::SessionId;
use hoop_shared::protocol::Protocol;
use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::tls::{Credential, PRIVATE_NAME, Pin, Trust};
use hoop_shared::wire::{Open, Opened, WireLimits};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::tunnel::{Dial, Transport};

/// Runs a test with a deadline: a stalled stream is a failure, not a slow test.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(40), test)
            .await
            .expect("the test takes too long")
    });
}

/// Runs a test over QUIC, then where no UDP passes.
pub fn in_both(test: impl AsyncFn(World, Dial, Transport)) {
    for transport in [Transport::Quic, Transport::Tcp] {
        run(async {
            let ca = Ca::new();
            let world = match transport {
                Transport::Quic => World::start(&ca).await,
                Transport::Tcp => World::without_udp(&ca).await,
            };
            let dial = world.dial(&ca);
            test(world, dial, transport).await;
        });
    }
}

#[derive(Clone)]
pub struct Ca {
    certificate: CertificateDer<'static>,
    issuer: Arc<Issuer<'static, KeyPair>>,
}

impl Ca {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        // Two CAs of one name would differ by nothing but their key.
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, key.public_key_pem());
        Self {
            certificate: params.self_signed(&key).unwrap().der().clone(),
            issuer: Arc::new(Issuer::new(params, key)),
        }
    }

    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub fn trust(&self) -> Trust {
        Trust::Pin(Pin::of(&self.certificate).unwrap())
    }

    pub fn issue(&self, usage: ExtendedKeyUsagePurpose, until: SystemTime) -> Credential {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([PRIVATE_NAME.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        params.not_before = (SystemTime::now() - Duration::from_secs(3600)).into();
        params.not_after = until.into();
        Credential {
            chain: vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }
}

/// A client's certificate that is valid for some time from now; zero: it ended a minute ago.
pub fn client(ca: &Ca, lifetime: Duration) -> Credential {
    let now = SystemTime::now();
    let until = if lifetime.is_zero() {
        now - Duration::from_secs(60)
    } else {
        now + lifetime
    };
    ca.issue(ExtendedKeyUsagePurpose::ClientAuth, until)
}

/// What the echo saw.
#[derive(Clone, Default)]
pub struct Seen {
    pub authenticated: usize,
    pub closed: HashSet<SessionId>,
    pub lost: HashSet<SessionId>,
}

/// A service that opens any session and sends back what it reads.
#[derive(Default)]
pub struct Echo {
    running: Mutex<HashMap<SessionId, CancellationToken>>,
    seen: watch::Sender<Seen>,
    revoked: Mutex<bool>,
}

pub struct EchoLease {
    session: SessionId,
    ending: CancellationToken,
    closed: bool,
    echo: Arc<Echo>,
}

impl Drop for EchoLease {
    fn drop(&mut self) {
        self.echo.seen.send_modify(|seen| {
            let ends = if self.closed { &mut seen.closed } else { &mut seen.lost };
            ends.insert(self.session.clone());
        });
    }
}

/// The same for each thread, so that a lease can reach it.
pub struct Shared(Arc<Echo>);

impl Service for Shared {
    type Who = ();
    type Lease = EchoLease;
    type Place = CancellationToken;

    fn authenticate(&self, _certificate: &CertificateDer<'_>) -> Result<(), Refusal> {
        self.0.seen.send_modify(|seen| seen.authenticated += 1);
        if *self.0.revoked.lock().unwrap() {
            return Err(Refusal::new(Code::LoginNeeded, "the login was revoked"));
        }
        Ok(())
    }

    async fn notices(&self, _: &Self::Who) -> Vec<String> {
        Vec::new()
    }

    fn limits(&self) -> WireLimits {
        WireLimits {
            streams_per_session: 100,
            sessions: 10,
        }
    }

    async fn open(
        &self,
        (): (),
        ask: Open,
        source: IpAddr,
        notices: mpsc::Sender<String>,
    ) -> Result<(Opened, EchoLease), NotOpened> {
        assert!(source.is_loopback());
        if ask.connection == "slow" {
            notices.try_send("waits for approval".into()).unwrap();
            std::future::pending::<()>().await;
        }
        if ask.connection != "echo" {
            return Err(Refusal::new(Code::Blocked, "not for you").rule("nobody").into());
        }
        let session = SessionId::random().unwrap();
        let ending = CancellationToken::new();
        self.0.running.lock().unwrap().insert(session.clone(), ending.clone());
        let opened = Opened {
            number: ask.number,
            session: session.clone(),
            connection: ask.connection,
            protocol: Protocol::Postgres,
            database: Some("shop".into()),
            user: None,
            expires: SystemTime::now().into(),
            mark: None,
        };
        let lease = EchoLease {
            session,
            ending,
            closed: false,
            echo: Arc::clone(&self.0),
        };
        Ok((opened, lease))
    }

    fn ended(&self, lease: &EchoLease) -> impl Future<Output = Refusal> + 'static {
        let ending = lease.ending.clone();
        async move {
            ending.cancelled().await;
            Refusal::new(Code::SessionRevoked, "ended by a test")
        }
    }

    fn detach(&self, _lease: &EchoLease) -> Result<(), Refusal> {
        Err(Refusal::new(Code::Unsupported, "an echo cannot be left"))
    }

    fn close(&self, mut lease: EchoLease) {
        lease.closed = true;
        if let Some(ending) = self.0.running.lock().unwrap().remove(&lease.session) {
            ending.cancel();
        }
    }

    fn attach(&self, (): &(), session: &SessionId) -> Result<CancellationToken, Refusal> {
        let found = self.0.running.lock().unwrap().get(session).cloned();
        found.ok_or_else(|| Refusal::new(Code::NotFound, "no such session"))
    }

    async fn serve(&self, ending: CancellationToken, stream: ClientStream) {
        let (mut read, mut write) = tokio::io::split(stream);
        tokio::select! {
            _ = tokio::io::copy(&mut read, &mut write) => {}
            () = ending.cancelled() => {}
        }
        let _gone = write.shutdown().await;
    }
}

pub struct World {
    /// Where clients find it.
    pub address: SocketAddr,
    ca: Ca,
    echo: Arc<Echo>,
    phase: watch::Sender<Phase>,
    _serving: Serving,
    _detour: Option<(UdpSocket, AbortOnDropHandle<()>)>,
}

impl World {
    pub async fn start(ca: &Ca) -> Self {
        Self::bounded(ca, Bounds::default()).await
    }

    pub async fn bounded(ca: &Ca, bounds: Bounds) -> Self {
        let server = ca.issue(
            ExtendedKeyUsagePurpose::ServerAuth,
            SystemTime::now() + Duration::from_secs(3600),
        );
        let mut roots = RootCertStore::empty();
        roots.add(ca.certificate.clone()).unwrap();
        let chain = [server.chain[0].clone(), ca.certificate.clone()];
        let tls = Tls::new(&chain, &server.key, roots).unwrap();
        let (phase, phases) = watch::channel(Phase::Serving);
        let sockets = connection::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, echo) = (sockets.address, Arc::new(Echo::default()));
        let parts = Parts {
            service: Arc::new(Shared(Arc::clone(&echo))),
            tls: connection::shared(tls),
            reset_key: [1; 32].into(),
            bounds,
            api: hoop_relay::connection::Router::new(),
        };
        let serving = connection::serve(sockets, parts, phases).unwrap();
        Self {
            address,
            ca: ca.clone(),
            echo,
            phase,
            _serving: serving,
            _detour: None,
        }
    }

    /// The same behind a port whose UDP side takes everything and answers nothing.
    pub async fn without_udp(ca: &Ca) -> Self {
        let mut world = Self::start(ca).await;
        let relay = world.address;
        let (front, hole) = loop {
            let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if let Ok(hole) = UdpSocket::bind(front.local_addr().unwrap()) {
                break (front, hole);
            }
        };
        world.address = front.local_addr().unwrap();
        let detour = tokio::spawn(async move {
            loop {
                let (mut near, _) = front.accept().await.unwrap();
                near.set_nodelay(true).unwrap();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(relay).await.unwrap();
                    far.set_nodelay(true).unwrap();
                    let _ended = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        world._detour = Some((hole, AbortOnDropHandle::new(detour)));
        world
    }

    pub fn dial(&self, ca: &Ca) -> Dial {
        Dial {
            relay: self.address.to_string().parse().unwrap(),
            credential: client(ca, Duration::from_secs(600)),
            trust: ca.trust(),
            machine: "test".into(),
            memory: None,
            head_start: crate::tunnel::HEAD_START,
        }
    }

    pub fn ca(&self) -> &Ca {
        &self.ca
    }

    pub fn seen(&self) -> Seen {
        self.echo.seen.borrow().clone()
    }

    pub async fn until(&self, what: impl Fn(&Seen) -> bool) {
        self.echo.seen.subscribe().wait_for(what).await.unwrap();
    }

    pub fn kill(&self, session: &SessionId) {
        self.echo.running.lock().unwrap().get(session).unwrap().cancel();
    }

    pub fn revoke(&self) {
        *self.echo.revoked.lock().unwrap() = true;
    }

    pub fn drain(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    pub fn close(&self) {
        self.phase.send_replace(Phase::Closed);
    }
}

/// Writes to a raw connection and reads until the other side closes it.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is a close too.
    let _reset = stream.read_to_end(&mut answer).await;
    answer
}
