//! How a relay is known before the first login: a pin or CA that was given, what was trusted before, the system's CAs, or a person's
//! answer to a question that is asked once.

use std::path::{Path, PathBuf};

use hoop_shared::api::Info;
use hoop_shared::refusal::Code;
use hoop_shared::tls::{Pin, Trust};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::error::{Error, Result};
use crate::printer::{Printer, escape};
use crate::relay_address::RelayAddress;
use crate::relay_api::{RelayApi, untrusted_relay};
use crate::settings::{Settings, read_small};

/// Bytes of a file of CA certificates; a system's whole bundle has some 250 kB.
const MAX_CA_FILE: u64 = 2 * 1024 * 1024;

/// The trust that flags or settings ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedTrust {
    /// Nothing: whatever is known, else the system's CAs.
    Nothing,
    /// This.
    This(Trust),
}

impl AskedTrust {
    /// Takes the flags, else the settings.
    ///
    /// # Errors
    /// The pin is none, or the file has no certificates.
    pub fn of(pin: Option<String>, ca: Option<PathBuf>, settings: &Settings) -> Result<Self> {
        let (pin, ca) = if pin.is_some() || ca.is_some() {
            (pin, ca)
        } else {
            (settings.pin.clone(), settings.ca_file.clone())
        };
        match (pin, ca) {
            (Some(pin), _) => pin
                .parse::<Pin>()
                .map(|pin| Self::This(Trust::Pin(pin)))
                .map_err(|error| {
                    Error::new(Code::Usage, error.to_string()).hint("the relay prints its pin at its start")
                }),
            (None, Some(file)) => read_ca(&file).map(|certificates| Self::This(Trust::Ca(certificates))),
            (None, None) => Ok(Self::Nothing),
        }
    }
}

fn read_ca(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let wrong = |problem: String| {
        Error::new(Code::Configuration, problem)
            .doing(format!("cannot use the CA file {}", file.display()))
            .hint("it must have one or more certificates in PEM")
    };
    let text = read_small(file, MAX_CA_FILE).map_err(|error| wrong(error.to_string()))?;
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    Ok(certificates)
}

/// Finds a trust under which the relay answers, and gives its API.
///
/// # Errors
/// The relay does not answer, or is not trusted and nobody can be asked, or says no.
pub async fn establish(
    relay: &RelayAddress,
    asked: AskedTrust,
    known: Option<Trust>,
    printer: &Printer,
) -> Result<(RelayApi, Trust)> {
    let (trust, may_ask) = match (asked, known) {
        (AskedTrust::This(trust), _) => (trust, false),
        // A relay that was pinned before and now has another key is not a question for a tired person.
        (AskedTrust::Nothing, Some(trust)) if trust != Trust::System => (trust, false),
        (AskedTrust::Nothing, _) => (Trust::System, true),
    };
    let api = match RelayApi::anonymous(relay, &trust) {
        Ok(api) => api,
        // A system without CAs knows no relay, but its person may.
        Err(error) if may_ask => return Err(error.hint("this system has no CAs: pass --ca or --pin")),
        Err(error) => return Err(error),
    };
    let error = match api.get::<Info>("/v1/info").await {
        Ok(_) => return Ok((api, trust)),
        Err(error) => error,
    };
    let Some(untrusted) = api.untrusted() else {
        return Err(error);
    };
    let asks = may_ask && printer.can_ask() && !untrusted.about_time;
    let Some(pin) = untrusted.pin.filter(|_| asks) else {
        return Err(untrusted_relay(relay, &untrusted));
    };
    printer.tell(format_args!(
        "This system does not trust the relay {relay}: {}\nIts pin is\n  {pin}\nCompare it with the pin that its operator gave you.",
        escape::line(&untrusted.problem)
    ));
    if !printer.confirm("Trust this relay from now on?")? {
        return Err(untrusted_relay(relay, &untrusted));
    }
    let trust = Trust::Pin(pin);
    let api = RelayApi::anonymous(relay, &trust)?;
    api.get::<Info>("/v1/info").await?;
    Ok((api, trust))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        for text in [
            "",
            "nothing",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(read_ca(&file).unwrap_err().code(), Code::Configuration, "{text}");
        }
        assert!(read_ca(&directory.path().join("none")).is_err());
    }
}
