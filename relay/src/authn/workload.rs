//! Workloads: a token of the platform's own becomes a short certificate for the key that came with it. No person takes part.

use std::sync::Arc;
use std::time::Duration;

use hoop_shared::api::Enrolled;
use hoop_shared::refusal::{Code, Refusal};

use super::authority::ClientKey;
use super::issuer::{VerifyError, Workload};
use super::limits::Rate;
use super::token::error::shown;
use super::token::{SKEW, TokenError, claimed_issuer};
use super::{Applicant, Authn, claims};
use crate::store::logins::SeenToken;

/// The longest life of a workload's certificate.
const LONGEST: Duration = Duration::from_secs(3600);
/// What is expected where no issuer of workloads is configured.
const NO_WORKLOADS: &str = "none: the relay has no [[workload_identity]]";
/// What to do about a token that is refused.
const HINT: &str =
    "the token must be fresh, from an issuer that the relay's [[workload_identity]] names, and for its audience";

impl Authn {
    /// Logs a workload in.
    ///
    /// # Errors
    /// The token is refused, or too many are tried from this address.
    pub async fn login_workload(
        self: &Arc<Self>,
        csr: &str,
        token: &str,
        applicant: Applicant,
    ) -> Result<Enrolled, Refusal> {
        self.admit(Rate::Start, applicant.source)?;
        let key = self.client_key(csr, &applicant).await?;
        let (authn, token) = (Arc::clone(self), token.to_owned());
        // A client that goes away leaves no half of a login.
        let login = self
            .tasks
            .spawn(async move { authn.accept(&key, &token, &applicant).await });
        login
            .await
            .unwrap_or_else(|_| Err(Refusal::new(Code::RelayFault, "the login failed in the relay")))
    }

    /// Reads the key of a certificate request, or refuses it and records that.
    pub(super) async fn client_key(&self, csr: &str, applicant: &Applicant) -> Result<ClientKey, Refusal> {
        match ClientKey::of_csr(csr) {
            Ok(key) => Ok(key),
            Err(error) => {
                let mut attempt = applicant.attempt("refused");
                attempt.detail = Some(error.to_string());
                self.record(attempt).await;
                Err(Refusal::new(Code::ProtocolViolation, error.to_string()))
            }
        }
    }

    async fn accept(&self, key: &ClientKey, token: &str, applicant: &Applicant) -> Result<Enrolled, Refusal> {
        let mut attempt = applicant.attempt("refused");
        attempt.fingerprint = Some(key.fingerprint().to_owned());
        let issuers = self.issuers();
        let checked = async {
            let identity = find(&issuers.workloads, token).map_err(|error| refuse(&error.into()))?;
            attempt.issuer = Some(identity.config.issuer.clone());
            let verified = identity.verify(token).await.map_err(|error| refuse(&error))?;
            attempt.subject = Some(verified.subject.clone());
            let principal = claims::workload(&verified, &identity.config).map_err(|error| {
                // Which conditions there are is for the operator: whoever has some token of the issuer could read them here.
                tracing::info!(subject = verified.subject, unmet = ?claims::unmet(&verified, &identity.config), "no group fits");
                Refusal::new(Code::LoginNeeded, error.to_string())
                    .hint("a group needs all of its claims, each exactly equal; the relay's operator finds in its log which are not")
            })?;
            Ok::<_, Refusal>((principal, verified))
        };
        match checked.await {
            Ok::<_, Refusal>((principal, verified)) => {
                let seen = SeenToken {
                    token: verified.token,
                    // As long as it could be presented again, and a skew more.
                    expires: verified.expires + SKEW * 2,
                };
                self.enrol(principal, key, applicant, issuers.life.min(LONGEST), Some(&seen))
                    .await
            }
            Err(refusal) => {
                attempt.detail = Some(refusal.message.clone());
                self.record(attempt).await;
                Err(refusal)
            }
        }
    }
}

/// Finds whose token it claims to be. Nothing of the token is believed before that issuer's key verified it.
fn find(workloads: &[Arc<Workload>], token: &str) -> Result<Arc<Workload>, TokenError> {
    let (issuer, audiences) = claimed_issuer(token)?;
    let expected = |all: &mut dyn Iterator<Item = &str>| {
        let mut names: Vec<_> = all.map(shown).collect();
        names.sort();
        names.dedup();
        names.join(" or ")
    };
    let of_issuer = || workloads.iter().filter(|workload| workload.config.issuer == issuer);
    if of_issuer().next().is_none() {
        let known = expected(&mut workloads.iter().map(|workload| workload.config.issuer.as_str()));
        return Err(TokenError::Issuer {
            has: issuer,
            expected: if known.is_empty() {
                NO_WORKLOADS.to_owned()
            } else {
                known
            },
        });
    }
    let found = of_issuer().find(|workload| audiences.contains(&workload.config.audience));
    found.map(Arc::clone).ok_or_else(|| TokenError::Audience {
        has: audiences,
        expected: expected(&mut of_issuer().map(|workload| workload.config.audience.as_str())),
    })
}

/// What the user is told when a token cannot be verified.
pub(super) fn refuse(error: &VerifyError) -> Refusal {
    match error {
        VerifyError::Token(error) => Refusal::new(Code::LoginNeeded, error.to_string()).hint(HINT),
        VerifyError::Issuer(error) => {
            tracing::warn!(%error, "issuer");
            Refusal::new(Code::TargetUnreachable, error.to_string())
                .hint("try again later; if it stays, tell the relay's operator")
        }
    }
}
