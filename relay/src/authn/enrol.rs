//! The end of every login: a record, a bound label, a certificate for the client's key. In this order: a certificate
//! without a record opens nothing, a record without a certificate neither.

use std::time::Duration;

use hoop_shared::api::{Enrolled, Whoami};
use hoop_shared::refusal::{Code, Refusal};
use time::OffsetDateTime;

use super::authority::{ClientKey, Serial};
use super::{Applicant, Authn, Identity, LOG_IN, Principal, logged};
use crate::store::logins::{Attempt, EnrolError, Login, SeenToken};

/// The longest name of a machine that is kept.
const LONGEST_MACHINE: usize = 128;

impl Applicant {
    /// Makes an applicant; of the machine's name, control characters and what is longer than 128 characters are dropped.
    pub fn new(source: std::net::IpAddr, machine: &str) -> Self {
        let machine = machine
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_MACHINE)
            .collect();
        Self {
            source: source.to_canonical(),
            machine,
        }
    }

    /// Begins the audit event of this applicant's attempt.
    pub(super) fn attempt(&self, outcome: &'static str) -> Attempt {
        Attempt {
            source: self.source.to_string(),
            machine: self.machine.clone(),
            outcome,
            ..Attempt::default()
        }
    }
}

impl Authn {
    /// Makes the login of a principal whose issuer has spoken, and records the attempt either way.
    pub(super) async fn enrol(
        &self,
        principal: Principal,
        key: &ClientKey,
        applicant: &Applicant,
        life: Duration,
        token: Option<&SeenToken>,
    ) -> Result<Enrolled, Refusal> {
        let mut attempt = applicant.attempt("enrolled");
        attempt.issuer = Some(principal.issuer.clone());
        attempt.label = Some(principal.label.clone());
        attempt.subject = Some(principal.subject.clone());
        attempt.fingerprint = Some(key.fingerprint().to_owned());
        let enrolled = self.issue(principal, key, applicant, life, token).await;
        if let Err(refusal) = &enrolled {
            attempt.outcome = "refused";
            attempt.detail = Some(refusal.message.clone());
        }
        self.record(attempt).await;
        enrolled
    }

    async fn issue(
        &self,
        principal: Principal,
        key: &ClientKey,
        applicant: &Applicant,
        life: Duration,
        token: Option<&SeenToken>,
    ) -> Result<Enrolled, Refusal> {
        let now = OffsetDateTime::now_utc();
        // A certificate's dates have whole seconds; the record agrees with it.
        let expires = (now + life).replace_nanosecond(0).unwrap_or(now);
        let serial = Serial::random().map_err(|error| fault(&error))?;
        let certificate = self
            .authority
            .issue_client(key, &principal, &serial, now, expires)
            .map_err(|error| fault(&error))?;
        let login = Login {
            serial: serial.text(),
            label: principal.label,
            kind: principal.kind,
            issuer: principal.issuer,
            subject: principal.subject,
            groups: principal.groups,
            fingerprint: key.fingerprint().to_owned(),
            source: applicant.source.to_string(),
            machine: applicant.machine.clone(),
            created: now,
            expires,
            revoked: None,
            revoked_by: None,
        };
        self.store
            .enrol(&login, token)
            .await
            .map_err(|error| refuse(error, &login.label))?;
        self.refresh().await.map_err(logged)?;
        Ok(Enrolled {
            certificate: certificate.pem(),
            whoami: Whoami {
                principal: login.label,
                kind: login.kind,
                issuer: login.issuer,
                groups: login.groups,
                expires: login.expires,
                relay: String::new(),
                profile: String::new(),
                new_logins: Vec::new(),
            },
        })
    }
}

fn refuse(error: EnrolError, label: &str) -> Refusal {
    match error {
        EnrolError::LabelTaken => Refusal::new(
            Code::LoginNeeded,
            format!("the name `{label}` belongs to another account: another issuer or another subject logged in with it first"),
        )
        .hint("if the account was replaced, ask the relay's operator to free the name"),
        EnrolError::Replayed => {
            Refusal::new(Code::LoginNeeded, "this token was used with another key before").hint("fetch a new token and log in again")
        }
        EnrolError::Store(error) => logged(error),
    }
}

fn fault(error: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(%error, "no certificate issued");
    Refusal::new(Code::RelayFault, "the relay cannot issue a certificate").hint("tell the relay's operator")
}

/// Who an identity is, as the API says it; the client fills in the rest.
pub(super) fn whoami(identity: &Identity) -> Whoami {
    Whoami {
        principal: identity.label().to_owned(),
        kind: identity.kind(),
        issuer: identity.issuer().to_owned(),
        groups: identity.groups().to_vec(),
        expires: identity.expires().into(),
        relay: String::new(),
        profile: String::new(),
        new_logins: Vec::new(),
    }
}

/// The refusal of a login for a reason that only a new one answers.
pub(super) fn again(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::LoginNeeded, message).hint(LOG_IN)
}
