//! What an engine has while its operation waits, and what it gets at the end.

use hoop_shared::api::Request;
use hoop_shared::id::{RequestId, SessionId};
use hoop_shared::refusal::{Code, Refusal};
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot, watch};

use super::clerk::Command;
use super::{Digest, Outcome};
use crate::store::StoreError;

/// The proof that the people whom policy asks for approved one request, and that it is spent now. Only this module makes one.
#[derive(Debug)]
pub struct Approved {
    request: RequestId,
    session: SessionId,
    digest: Digest,
    by: Vec<String>,
}

impl Approved {
    pub(super) fn new(request: RequestId, session: SessionId, digest: Digest, by: Vec<String>) -> Self {
        Self {
            request,
            session,
            digest,
            by,
        }
    }

    /// Who approved it.
    pub fn by(&self) -> &[String] {
        &self.by
    }

    /// The request.
    pub fn request(&self) -> &RequestId {
        &self.request
    }

    /// The session that it was approved for.
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// The digest of the bytes that were approved.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// Why an operation cannot even wait.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// The session has as many pending requests as it may have.
    #[error("the session has {0} pending requests already")]
    TooMany(usize),
    /// The rules name nobody who could decide.
    #[error("nobody may decide about it")]
    NoApprovers,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no randomness for an id.
    #[error("no randomness for an id: {0}")]
    Id(#[from] getrandom::Error),
    /// The relay is stopping.
    #[error("the relay is stopping")]
    Stopping,
}

impl From<HoldError> for Refusal {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::TooMany(limit) => Self::new(
                Code::LimitExceeded,
                format!("this session has {limit} statements waiting for approval already"),
            )
            .hint("wait for their decision, or withdraw one with `hoopctl requests cancel ID`"),
            HoldError::NoApprovers => Self::new(Code::Blocked, "it needs an approval that nobody may give")
                .hint("tell who writes the policies: the rule's @approvers is empty"),
            HoldError::Store(error) => error.into(),
            HoldError::Id(_) => Self::new(Code::RelayFault, "the relay cannot make a request id"),
            HoldError::Stopping => {
                Self::new(Code::RelayFault, "the relay is stopping").hint("connect again in a minute")
            }
        }
    }
}

/// A pending request, held by the engine whose operation it is. Dropping it withdraws the request.
#[derive(Debug)]
pub struct Held {
    pub(super) request: Request,
    pub(super) session: SessionId,
    pub(super) digest: Digest,
    pub(super) outcome: watch::Receiver<Option<Outcome>>,
    pub(super) commands: mpsc::Sender<Command>,
    /// Dropped with this; the clerk sees that.
    pub(super) _held: oneshot::Sender<std::convert::Infallible>,
}

impl Held {
    /// The request's id.
    pub fn id(&self) -> &RequestId {
        &self.request.id
    }

    /// When it ends by itself.
    pub fn expires(&self) -> OffsetDateTime {
        self.request.expires
    }

    /// The request as approvers see it: for the notice and the record.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Waits until it is decided, expired or withdrawn. Cancel safe. The only answer to go on with is [`Outcome::Approved`].
    pub async fn decided(&mut self) -> Outcome {
        let decided = self.outcome.wait_for(Option::is_some).await;
        // Without a clerk nobody decides any more.
        decided
            .ok()
            .and_then(|outcome| outcome.clone())
            .unwrap_or(Outcome::Expired)
    }

    /// Checks once more that those who approved still may, marks the request as spent, and gives the proof.
    ///
    /// Dropping the returned future may leave the request spent without a proof: the operation has then not been released.
    ///
    /// # Errors
    /// The refusal to send: denied, expired or withdrawn in the meantime, or the approval does not hold any more.
    pub async fn release(self) -> Result<Approved, Refusal> {
        let stopping = || Refusal::new(Code::RelayFault, "the relay is stopping").request(self.request.id.clone());
        let (reply, answer) = oneshot::channel();
        let command = Command::Release {
            id: self.request.id.clone(),
            digest: self.digest,
            reply,
        };
        self.commands.send(command).await.map_err(|_| stopping())?;
        answer
            .await
            .map_err(|_| stopping())?
            .map(|by| Approved::new(self.request.id.clone(), self.session.clone(), self.digest, by))
    }
}
