//! Dialling: socket, TLS, startup, login, up to the first `ReadyForQuery`.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::BytesMut;
use hoop_shared::socket::SocketStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::authenticate::{Login, Step, Way};
use super::{DialError, TargetIo, tls};
use crate::config::{PostgresTarget, TlsMode};
use crate::engine::postgres::codec::backend::{self, Authentication, CancelKey, Report, Status};
use crate::engine::postgres::codec::frame::{Frame, Side, header, server};
use crate::engine::postgres::codec::{DecodeError, write};

/// How long a connection may take to be made, in seconds: longer than a lost SYN is repeated twice.
const CONNECT: Duration = Duration::from_secs(10);
/// How long TLS and the login may take together: SCRAM and the server's fork take milliseconds.
const LOG_IN: Duration = Duration::from_secs(20);
/// How long a cancel request may take.
const CANCEL: Duration = Duration::from_secs(5);
/// The longest message while logging in, in bytes. The longest that PostgreSQL sends there is an error.
const MESSAGE: usize = 64 << 10;
/// The most parameters that a server may report while logging in. PostgreSQL reports some 15.
const PARAMETERS: usize = 128;

/// A connection that is logged in.
#[derive(Debug)]
pub struct Dialled {
    /// The bytes' way.
    pub io: TargetIo,
    /// What the server reported, in order.
    pub parameters: Vec<(String, String)>,
    /// What cancels this connection's statements.
    pub backend_key: Option<CancelKey>,
    /// Where its transaction stands.
    pub status: Status,
    /// What arrived behind `ReadyForQuery`.
    pub input: BytesMut,
}

impl Dialled {
    /// What the server reported under a name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }
}

/// Connects and logs in. `settings` are startup parameters besides user and database; they are the session's reset values.
///
/// # Errors
/// Which step failed, and how.
///
/// Not cancel safe: a dropped call drops the connection.
pub async fn dial(target: &PostgresTarget, settings: &[(String, String)]) -> Result<Dialled, DialError> {
    let (mut io, way) = open(target).await?;
    let log_in = log_in(&mut io, target, settings, &way);
    let greeted = timeout(LOG_IN, log_in)
        .await
        .map_err(|_| timed_out(target, "logging in"))??;
    Ok(Dialled {
        io,
        parameters: greeted.parameters,
        backend_key: greeted.backend_key,
        status: greeted.status,
        input: greeted.input,
    })
}

/// Asks the server to cancel what runs under `key`, and returns when it closed that connection: then the signal was sent.
///
/// # Errors
/// The server cannot be reached the way the session was.
pub async fn cancel(target: &PostgresTarget, key: CancelKey) -> Result<(), DialError> {
    let (mut io, _) = open(target).await?;
    let mut out = BytesMut::new();
    write::cancel_request(&mut out, key);
    let ask = async {
        io.write_all(&out).await?;
        io.flush().await?;
        let mut rest = [0; 16];
        while io.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    match timeout(CANCEL, ask).await {
        Ok(Ok(())) => Ok(()),
        // The server closes without TLS's farewell.
        Ok(Err(error))
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
            ) =>
        {
            Ok(())
        }
        Ok(Err(error)) => Err(DialError::Closed(error)),
        Err(_) => Err(timed_out(target, "cancelling")),
    }
}

fn socket(target: &PostgresTarget) -> Option<PathBuf> {
    target
        .host
        .starts_with('/')
        .then(|| PathBuf::from(format!("{}/.s.PGSQL.{}", target.host, target.port)))
}

fn address(target: &PostgresTarget) -> String {
    match socket(target) {
        Some(path) => path.display().to_string(),
        None => format!("{}:{}", target.host, target.port),
    }
}

fn timed_out(target: &PostgresTarget, phase: &'static str) -> DialError {
    DialError::TimedOut {
        address: address(target),
        phase,
    }
}

/// Opens the way to the server: the socket, and TLS where the configuration has it.
async fn open(target: &PostgresTarget) -> Result<(TargetIo, Way), DialError> {
    let failed = |source| DialError::Connect {
        address: address(target),
        source,
    };
    let connect = async {
        match socket(target) {
            Some(path) => UnixStream::connect(path).await.map(Connected::Unix),
            None => {
                let tcp = TcpStream::connect((target.host.as_str(), target.port)).await?;
                tcp.set_nodelay(true)?;
                // A held statement may keep the connection quiet for long.
                let keep_alive = socket2::TcpKeepalive::new()
                    .with_time(Duration::from_secs(60))
                    .with_interval(Duration::from_secs(20));
                socket2::SockRef::from(&tcp).set_tcp_keepalive(&keep_alive)?;
                Ok(Connected::Tcp(tcp))
            }
        }
    };
    let connected = timeout(CONNECT, connect)
        .await
        .map_err(|_| timed_out(target, "connecting"))?
        .map_err(failed)?;
    match connected {
        // As libpq has it: TLS is for TCP. Whoever owns the directory owns the socket.
        Connected::Unix(unix) => {
            let unix = unix.into_std().and_then(SocketStream::new).map_err(failed)?;
            Ok((TargetIo::Unix(unix), Way::bare(true)))
        }
        Connected::Tcp(tcp) if target.tls != TlsMode::Disable => timeout(LOG_IN, encrypt(target, tcp))
            .await
            .map_err(|_| timed_out(target, "TLS"))?,
        Connected::Tcp(tcp) => {
            let tcp = tcp.into_std().and_then(SocketStream::new).map_err(failed)?;
            Ok((TargetIo::Tcp(tcp), Way::bare(false)))
        }
    }
}

/// A socket that is connected.
enum Connected {
    Tcp(TcpStream),
    Unix(UnixStream),
}

async fn encrypt(target: &PostgresTarget, mut tcp: TcpStream) -> Result<(TargetIo, Way), DialError> {
    let mut request = BytesMut::new();
    write::ssl_request(&mut request);
    tcp.write_all(&request).await.map_err(DialError::Closed)?;
    // One byte, unbuffered: whatever a stranger put behind it in clear meets TLS and fails there.
    match tcp.read_u8().await.map_err(DialError::Closed)? {
        b'S' => {}
        b'N' => return Err(DialError::TlsRefused),
        // An error here is not authenticated: its text is not read.
        other => return Err(DialError::NotPostgres(other)),
    }
    let stream = tls::handshake(target, tcp).await?;
    let way = Way {
        proven: matches!(target.tls, TlsMode::VerifyCa | TlsMode::VerifyFull),
        end_point: tls::end_point(&stream),
    };
    Ok((TargetIo::Tls(Box::new(stream)), way))
}

struct Greeted {
    parameters: Vec<(String, String)>,
    backend_key: Option<CancelKey>,
    status: Status,
    input: BytesMut,
}

async fn log_in(
    io: &mut TargetIo,
    target: &PostgresTarget,
    settings: &[(String, String)],
    way: &Way,
) -> Result<Greeted, DialError> {
    let mut out = BytesMut::new();
    let named = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let identity = [("user", target.user.as_str()), ("database", target.database.as_str())];
    write::startup(&mut out, identity.into_iter().chain(named));
    send(io, &out).await?;

    let mut input = BytesMut::with_capacity(4096);
    let mut login = Some(Login::Fresh);
    let mut parameters = Vec::new();
    let mut backend_key = None;
    loop {
        let frame = receive(io, &mut input).await?;
        match (frame.tag(), login.take()) {
            (server::AUTHENTICATION, Some(state)) => {
                let asked = Authentication::decode(frame.body())?;
                match state.step(asked, &target.user, target.password.as_ref(), way)? {
                    Step::Answer(next, bytes) => {
                        send(io, &bytes).await?;
                        login = Some(next);
                    }
                    Step::Wait(next) => login = Some(next),
                    Step::Done => {}
                }
            }
            (server::ERROR, _) => {
                let report = Report::decode(frame.body())?;
                let text = |letter| report.text(letter).unwrap_or_default().into_owned();
                return Err(DialError::Refused {
                    code: text(b'C'),
                    message: text(b'M'),
                });
            }
            (server::NOTICE, state) => login = state,
            // 3.0 is the oldest there is: a server cannot offer less, and options were not asked for.
            (server::PARAMETER_STATUS, None) => {
                let (name, value) = backend::parameter_status(frame.body())?;
                if parameters.len() >= PARAMETERS {
                    return Err(DecodeError::Value("parameters").into());
                }
                parameters.push((name.to_owned(), value.to_owned()));
            }
            (server::BACKEND_KEY, None) => backend_key = Some(backend::backend_key(frame.body())?),
            (server::READY, None) => {
                let status = backend::ready(frame.body())?;
                return Ok(Greeted {
                    parameters,
                    backend_key,
                    status,
                    input,
                });
            }
            (tag, _) => return Err(DecodeError::UnknownTag(tag).into()),
        }
    }
}

async fn send(io: &mut TargetIo, bytes: &[u8]) -> Result<(), DialError> {
    io.write_all(bytes).await.map_err(DialError::Closed)?;
    io.flush().await.map_err(DialError::Closed)
}

async fn receive(io: &mut TargetIo, input: &mut BytesMut) -> Result<Frame, DialError> {
    loop {
        if let Some(header) = header(Side::Server, input)? {
            if header.total > MESSAGE {
                return Err(DecodeError::Length {
                    tag: header.tag,
                    length: u32::try_from(header.total).unwrap_or(u32::MAX),
                }
                .into());
            }
            if let Some(frame) = Frame::split(header, input) {
                return Ok(frame);
            }
        }
        if io.read_buf(input).await.map_err(DialError::Closed)? == 0 {
            return Err(DialError::Closed(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}
