//! A login's files, JSON: the login itself, and the relay that is remembered after it.

use hoop_shared::api::Whoami;
use hoop_shared::tls::{Pin, Trust};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::credentials::key::Key;
use crate::error::{Error, Result};
use crate::relay_address::RelayAddress;

/// What is kept of a login.
#[derive(Clone, Debug)]
pub struct Record {
    /// The relay.
    pub relay: RelayAddress,
    /// How this relay is known.
    pub trust: Trust,
    /// The certificate, PEM.
    pub certificate: String,
    /// Who it stands for.
    pub whoami: Whoami,
    /// Where its key is.
    pub key: KeptKey,
}

/// A relay that a profile has logged in at. It stays known after a logout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRelay {
    /// The relay.
    pub relay: RelayAddress,
    /// How this relay is known.
    pub trust: Trust,
}

/// Where a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptKey {
    /// In the keyring, under this account.
    Keyring(String),
    /// In this file.
    File(Key),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    relay: RelayAddress,
    trust: TrustForm,
    certificate: String,
    whoami: Whoami,
    key: KeyForm,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownRelayForm {
    relay: RelayAddress,
    trust: TrustForm,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TrustForm {
    System,
    Pin(String),
    /// DER certificates in base 64.
    Ca(Vec<String>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KeyForm {
    Keyring(String),
    #[serde(with = "as_pem")]
    File(Key),
}

/// The one place where a key is written and read as text: [`Key`] itself does not serialise.
mod as_pem {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::credentials::key::Key;

    pub(super) fn serialize<S: Serializer>(key: &Key, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(key.pem())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        String::deserialize(deserializer).map(Key::from_pem)
    }
}

impl TrustForm {
    fn of(trust: &Trust) -> Self {
        match trust {
            Trust::System => Self::System,
            Trust::Pin(pin) => Self::Pin(pin.to_string()),
            Trust::Ca(certificates) => Self::Ca(certificates.iter().map(|der| STANDARD.encode(der)).collect()),
        }
    }

    fn read(self) -> Result<Trust, String> {
        match self {
            Self::System => Ok(Trust::System),
            Self::Pin(pin) => pin.parse::<Pin>().map(Trust::Pin).map_err(|error| error.to_string()),
            Self::Ca(certificates) => certificates
                .iter()
                .map(|der| STANDARD.decode(der).map(CertificateDer::from))
                .collect::<Result<_, _>>()
                .map(Trust::Ca)
                .map_err(|error| error.to_string()),
        }
    }
}

/// Reads JSON. serde's messages quote values: only the place is repeated, for a key may be among them.
fn read_form<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("line {}, column {} is not as expected", error.line(), error.column()))
}

fn write_form<T: Serialize>(form: &T) -> Result<Zeroizing<String>> {
    serde_json::to_string_pretty(form)
        .map(Zeroizing::new)
        .map_err(|error| Error::failed(error.to_string()))
}

impl KnownRelay {
    /// Reads a file's text.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    pub fn read(text: &str) -> Result<Self, String> {
        let form: KnownRelayForm = read_form(text)?;
        Ok(Self {
            relay: form.relay,
            trust: form.trust.read()?,
        })
    }

    /// The file's text.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn to_text(&self) -> Result<Zeroizing<String>> {
        write_form(&KnownRelayForm {
            relay: self.relay.clone(),
            trust: TrustForm::of(&self.trust),
        })
    }
}

impl Record {
    /// Reads a file's text.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    pub fn read(text: &str) -> Result<Self, String> {
        let form: Form = read_form(text)?;
        let trust = form.trust.read()?;
        Ok(Self {
            relay: form.relay,
            trust,
            certificate: form.certificate,
            whoami: form.whoami,
            key: match form.key {
                KeyForm::Keyring(account) => KeptKey::Keyring(account),
                KeyForm::File(key) => KeptKey::File(key),
            },
        })
    }

    /// The file's text. It may have the key in it.
    ///
    /// # Errors
    /// A date cannot be written.
    pub fn to_text(&self) -> Result<Zeroizing<String>> {
        let form = Form {
            relay: self.relay.clone(),
            trust: TrustForm::of(&self.trust),
            certificate: self.certificate.clone(),
            whoami: self.whoami.clone(),
            key: match &self.key {
                KeptKey::Keyring(account) => KeyForm::Keyring(account.clone()),
                KeptKey::File(key) => KeyForm::File(key.clone()),
            },
        };
        write_form(&form)
    }
}
