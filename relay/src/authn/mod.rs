//! Who acts. Only this module makes an [`Identity`]: from a client certificate whose login record is valid.

use std::time::SystemTime;

pub use hoop_shared::api::PrincipalKind;

/// A principal, as its login record has it.
#[derive(Clone, Debug)]
pub struct Identity {
    login: String,
    label: String,
    kind: PrincipalKind,
    issuer: String,
    subject: String,
    groups: Vec<String>,
    expires: SystemTime,
}

impl Identity {
    /// The login record's id: the certificate's serial number in hex.
    pub fn login(&self) -> &str {
        &self.login
    }

    /// What policies call the principal. Bound to (issuer, subject) by the first login.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Person or workload.
    pub fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The issuer's URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The issuer's `sub`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The groups of the login, sorted.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// When the certificate ends.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }
}
