//! What connections are for: the seam between bytes on a port and sessions behind it.

use std::net::IpAddr;
use std::sync::Arc;

use hoop_shared::id::SessionId;
use hoop_shared::refusal::Refusal;
use hoop_shared::wire::{Open, Opened, WireLimits};
use rustls_pki_types::CertificateDer;
use tokio::sync::mpsc;

use super::ClientStream;

/// What a data reactor does for its clients. Its futures run on the reactor's thread and never block it.
pub trait Service: Send + Sync + 'static {
    /// Who acts.
    type Who: Clone + 'static;
    /// A session, as the control connection holds it. Dropping it says that the control connection is gone.
    type Lease: 'static;
    /// A place for one stream of a session.
    type Place: 'static;

    /// Says who holds a certificate, at this moment: its login may be gone while its date is not.
    ///
    /// # Errors
    /// Nobody any more.
    fn authenticate(&self, certificate: &CertificateDer<'_>) -> Result<Self::Who, Refusal>;

    /// What the person should see at once, for the welcome. Plain text.
    fn notices(&self, who: &Self::Who) -> impl Future<Output = Vec<String>>;

    /// What a client may have, for its welcome.
    fn limits(&self) -> WireLimits;

    /// Opens a session. The answer's number is the question's. What the person should see meanwhile goes to `notices`;
    /// where that is full it is lost.
    fn open(
        &self,
        who: Self::Who,
        ask: Open,
        source: IpAddr,
        notices: mpsc::Sender<String>,
    ) -> impl Future<Output = Result<(Opened, Self::Lease), NotOpened>>;

    /// Lets a session go on without its client. The control connection drops the lease then.
    ///
    /// # Errors
    /// It is none that can be left.
    fn detach(&self, lease: &Self::Lease) -> Result<(), Refusal>;

    /// Waits for the end of a session, and why it ends.
    fn ended(&self, lease: &Self::Lease) -> impl Future<Output = Refusal> + 'static;

    /// Ends a session because its client says so.
    fn close(&self, lease: Self::Lease);

    /// Takes a place in a session for one more stream.
    ///
    /// # Errors
    /// There is no such session of this principal's login, it has ended, or is full.
    fn attach(&self, who: &Self::Who, session: &SessionId) -> Result<Self::Place, Refusal>;

    /// Serves one stream until it ends.
    fn serve(&self, place: Self::Place, stream: ClientStream) -> impl Future<Output = ()>;
}

/// Why no session was opened.
#[derive(Clone, Debug)]
pub enum NotOpened {
    /// It is refused.
    Refused(Refusal),
    /// The same run happened before, in this session.
    Repeated(SessionId),
}

impl From<Refusal> for NotOpened {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A client whose certificate TLS has verified.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub certificate: Arc<CertificateDer<'static>>,
    pub source: IpAddr,
}
