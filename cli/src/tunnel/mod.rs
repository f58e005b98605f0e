//! The tunnel to a relay: QUIC, or TLS over TCP where no UDP passes; the same frames in both (`hoop_shared::wire`).
//!
//! ```text
//! Tunnel::connect ─▶ dial: QUIC ────────────────┬─ first welcome wins ─▶ control task
//!                          └ 250 ms ─▶ TCP ─────┘                        open · close · what the relay says
//! Tunnel::stream(session) ─▶ a QUIC stream, or a TLS connection of its own ─▶ raw protocol bytes
//! ```

mod control;
mod dial;
mod error;
mod memory;
mod quic;
mod stream;
mod tcp;

use std::path::PathBuf;
use std::time::Duration;

use hoop_shared::id::SessionId;
use hoop_shared::refusal::Refusal;
use hoop_shared::tls::{Credential, Trust};
use hoop_shared::wire::run::{FEATURE_RUNS, Run};
use hoop_shared::wire::{Open, Opened, Welcome};

pub use control::Answer;
pub use dial::udp_passes;
pub use error::TunnelError;
pub(crate) use error::{OTHER_TIME, refused_in_tls};
pub use stream::TunnelStream;

use control::Control;

use crate::relay_address::RelayAddress;

/// What carries a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// QUIC over UDP.
    Quic,
    /// TLS over TCP.
    Tcp,
}

impl Transport {
    /// The word of `hoopctl status -o json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
        }
    }
}

/// How long QUIC may take for its handshake before TCP is tried beside it.
pub const HEAD_START: Duration = Duration::from_millis(250);

/// What a tunnel needs to be dialled.
#[derive(Clone, Debug)]
pub struct Dial {
    /// Where the relay is.
    pub relay: RelayAddress,
    /// The login's certificate and key.
    pub credential: Credential,
    /// How the relay is known.
    pub trust: Trust,
    /// This machine's name, for the relay's log.
    pub machine: String,
    /// A file that remembers for some minutes that no UDP passes, so that the next command does not wait to find out.
    pub memory: Option<PathBuf>,
    /// How long QUIC may take before TCP is tried beside it: [`HEAD_START`], or longer to find out whether UDP passes at all.
    pub head_start: Duration,
}

/// A tunnel to a relay that has said welcome. Dropped, it closes without a goodbye; see [`Tunnel::close`].
#[derive(Debug)]
pub struct Tunnel {
    carrier: Carrier,
    control: Control,
    welcome: Welcome,
    /// From hello to welcome.
    first_rtt: Duration,
}

#[derive(Debug)]
enum Carrier {
    Quic(quic::Carrier),
    Tcp(tcp::Carrier),
}

impl Tunnel {
    /// Connects: QUIC first, TCP when there is no handshake after 250 ms. Returns when the relay has said who one is, so
    /// a refused certificate is an error here and not later.
    ///
    /// # Errors
    /// See [`TunnelError`].
    pub async fn connect(dial: &Dial) -> Result<Self, TunnelError> {
        let candidate = dial::connect(dial).await?;
        Ok(Self {
            carrier: candidate.carrier,
            control: Control::start(candidate.reader, candidate.writer),
            welcome: candidate.welcome,
            first_rtt: candidate.rtt,
        })
    }

    /// What carries it.
    pub fn transport(&self) -> Transport {
        match self.carrier {
            Carrier::Quic(_) => Transport::Quic,
            Carrier::Tcp(_) => Transport::Tcp,
        }
    }

    /// The time to the relay and back: over QUIC as measured all the time, over TCP as the hello took.
    pub fn rtt(&self) -> Duration {
        match &self.carrier {
            Carrier::Quic(carrier) => carrier.rtt(),
            Carrier::Tcp(_) => self.first_rtt,
        }
    }

    /// What the relay said at the beginning.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Opens a session on a connection. `client` is the program that will use it, for the recording. Takes as long as an
    /// approval takes where policy asks for one.
    ///
    /// # Errors
    /// The relay refuses, or the tunnel is gone.
    pub async fn open(
        &self,
        connection: &str,
        reason: Option<&str>,
        client: Option<&str>,
    ) -> Result<Opened, TunnelError> {
        match self.control.open(ask(connection, reason, client)).await? {
            Answer::Opened(opened) => Ok(opened),
            Answer::Repeated(_) => Err(TunnelError::Protocol(
                "an answer to a run that nobody asked for".to_owned(),
            )),
        }
    }

    /// Whether the relay knows runs: sessions that their client may leave.
    pub fn knows_runs(&self) -> bool {
        self.welcome.features.iter().any(|feature| feature == FEATURE_RUNS)
    }

    /// Opens a session for one run, or learns that it happened before. Only where the relay [knows runs](Tunnel::knows_runs).
    ///
    /// # Errors
    /// The relay refuses, or the tunnel is gone.
    pub async fn open_run(
        &self,
        connection: &str,
        reason: Option<&str>,
        client: &str,
        run: Run,
    ) -> Result<Answer, TunnelError> {
        let open = Open {
            run: Some(run),
            ..ask(connection, reason, Some(client))
        };
        self.control.open(open).await
    }

    /// Leaves a run: what was sent, to the clean end of its stream, goes on without this client.
    ///
    /// # Errors
    /// The relay refuses, or the tunnel is gone.
    pub async fn detach(&self, session: &SessionId) -> Result<(), TunnelError> {
        self.control.detach(session).await
    }

    /// Makes one more client connection of a session. What is read and written is the protocol's own.
    ///
    /// # Errors
    /// The relay refuses, or the tunnel is gone.
    pub async fn stream(&self, session: &SessionId) -> Result<TunnelStream, TunnelError> {
        let attached = match &self.carrier {
            Carrier::Quic(carrier) => carrier.attach(session).await,
            Carrier::Tcp(carrier) => carrier.attach(session).await,
        };
        // Why a whole tunnel ended is said on its control stream; the error of one stream only says that it did.
        match (attached, self.control.gone()) {
            (Err(TunnelError::Lost(_)), Some(why)) => Err(TunnelError::Refused(why)),
            (attached, _) => attached,
        }
    }

    /// Waits until the relay ends a session, or the tunnel is gone; says why. Cancel safe.
    pub async fn ended(&self, session: &SessionId) -> Refusal {
        self.control.ended(session).await
    }

    /// Waits until the tunnel is gone; says why. Cancel safe.
    pub async fn closed(&self) -> Refusal {
        self.control.closed().await
    }

    /// Waits for the next thing that the relay wants the person to see; `None` when the tunnel is gone. The text is not
    /// escaped. Cancel safe.
    pub async fn notice(&self) -> Option<String> {
        self.control.notice().await
    }

    /// Ends a session that this tunnel opened.
    pub async fn end(&self, session: &SessionId) {
        self.control.end(session).await;
    }

    /// Says goodbye: all sessions end, and the relay knows that nothing was lost.
    pub async fn close(self) {
        self.control.bye().await;
        if let Carrier::Quic(carrier) = self.carrier {
            carrier.close().await;
        }
    }
}

fn ask(connection: &str, reason: Option<&str>, client: Option<&str>) -> Open {
    Open {
        number: 0,
        connection: connection.to_owned(),
        reason: reason.map(str::to_owned),
        client: client.map(str::to_owned),
        run: None,
    }
}

#[cfg(test)]
mod tests;
