//! Logins, one for each profile: relay, trust, certificate, and the private key that never leaves this machine.
//!
//! A login is one file, `credentials/PROFILE.json` in the configuration directory, that only its owner may read. The key is in the
//! keyring of the operating system where there is one, else in the same file. A new login replaces the file in one step. The relay and
//! its trust stand in `PROFILE.relay.json` too, which a logout leaves: the next login needs neither again.

use std::path::PathBuf;
use std::sync::Arc;

use hoop_shared::api::Whoami;
use hoop_shared::refusal::Code;
use hoop_shared::tls;
use hoop_shared::tls::Trust;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::{Duration, OffsetDateTime};

use crate::context::local_failure;
use crate::credentials::key::Key;
use crate::credentials::record::{KeptKey, KnownRelay, Record};
use crate::credentials::vault::{Vault, VaultError};
use crate::error::{Error, Result};
use crate::printer::Printer;
use crate::relay_address::RelayAddress;
use crate::settings::{CredentialStore, Settings};

pub mod key;
pub mod private;
pub mod record;
pub mod vault;

/// The file that remembers that there is no keyring here.
const REMEMBERED: &str = "store";

/// A login: who one is at which relay, and the proof.
#[derive(Clone, Debug)]
pub struct Login {
    /// The relay.
    pub relay: RelayAddress,
    /// How this relay is known.
    pub trust: Trust,
    /// The client certificate and those behind it, PEM.
    pub certificate: String,
    /// Who the certificate stands for, as the relay said at login.
    pub whoami: Whoami,
    /// Its key.
    pub key: Key,
}

impl Login {
    /// The certificate chain and key for TLS.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn credential(&self) -> Result<tls::Credential> {
        Ok(tls::Credential {
            chain: self.chain()?,
            key: PrivateKeyDer::from_pem_slice(self.key.pem().as_bytes())
                .map_err(|error| local_failure("cannot read the login's key", &error))?,
        })
    }

    /// How long the certificate lives from its beginning to its end.
    ///
    /// # Errors
    /// The certificate cannot be read.
    pub fn life(&self) -> Result<Duration> {
        dates_of(&self.certificate).map(|(from, to)| to - from)
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>> {
        chain_of(&self.certificate)
    }

    /// When the certificate ends.
    ///
    /// # Errors
    /// The certificate cannot be read.
    pub fn expires(&self) -> Result<OffsetDateTime> {
        expires_of(&self.certificate)
    }
}

fn chain_of(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = |error: &dyn std::fmt::Display| local_failure("cannot read the login's certificate", error);
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(&error))?;
    if chain.is_empty() {
        return Err(unreadable(&"there is none"));
    }
    Ok(chain)
}

/// When the first certificate of a PEM text ends.
///
/// # Errors
/// It cannot be read.
pub fn expires_of(pem: &str) -> Result<OffsetDateTime> {
    dates_of(pem).map(|(_, to)| to)
}

/// From when to when the first certificate of a PEM text counts.
fn dates_of(pem: &str) -> Result<(OffsetDateTime, OffsetDateTime)> {
    let chain = chain_of(pem)?;
    let leaf = chain.first().map(AsRef::as_ref).unwrap_or_default();
    x509_parser::parse_x509_certificate(leaf)
        .map(|(_, certificate)| {
            let validity = certificate.validity();
            (validity.not_before.to_datetime(), validity.not_after.to_datetime())
        })
        .map_err(|error| local_failure("cannot read the login's certificate", &error))
}

/// Where logins are kept.
#[derive(Clone, Debug)]
pub struct Credentials {
    directory: PathBuf,
    wanted: Option<CredentialStore>,
    vault: Arc<dyn Vault>,
}

impl Credentials {
    /// The logins of this user, in the keyring of the system.
    pub fn new(settings: &Settings) -> Self {
        Self::with_vault(settings, Arc::new(vault::SystemKeyring))
    }

    /// The logins of this user, with another keyring.
    pub fn with_vault(settings: &Settings, vault: Arc<dyn Vault>) -> Self {
        Self {
            directory: settings.config_dir.join("credentials"),
            wanted: settings.credential_store,
            vault,
        }
    }

    /// The directory that has a file for each profile.
    pub fn directory(&self) -> &std::path::Path {
        &self.directory
    }

    /// The file of a profile's login.
    pub fn file(&self, profile: &str) -> PathBuf {
        self.directory.join(format!("{profile}.json"))
    }

    /// What is kept of a profile's login beside its key.
    ///
    /// # Errors
    /// The file is kept unsafely or cannot be read.
    pub fn record(&self, profile: &str) -> Result<Option<Record>> {
        let path = self.file(profile);
        let Some(text) = private::read(&self.directory, &path)? else {
            return Ok(None);
        };
        Record::read(&text).map(Some).map_err(|problem| {
            Error::new(Code::Configuration, problem)
                .doing(format!("cannot use {}", path.display()))
                .hint("log in again with `hoopctl login`")
        })
    }

    /// The relay that a profile logged in at last, and how it is known.
    ///
    /// # Errors
    /// The file is kept unsafely or cannot be read.
    pub fn known_relay(&self, profile: &str) -> Result<Option<KnownRelay>> {
        let path = self.relay_file(profile);
        let Some(text) = private::read(&self.directory, &path)? else {
            return Ok(None);
        };
        KnownRelay::read(&text).map(Some).map_err(|problem| {
            Error::new(Code::Configuration, problem)
                .doing(format!("cannot use {}", path.display()))
                .hint(format!("rm '{}'", path.display()))
        })
    }

    fn relay_file(&self, profile: &str) -> PathBuf {
        self.directory.join(format!("{profile}.relay.json"))
    }

    /// A profile's login with its key.
    ///
    /// # Errors
    /// The file is kept unsafely or cannot be read, or the keyring does not give the key.
    pub async fn load(&self, profile: &str) -> Result<Option<Login>> {
        let Some(record) = self.record(profile)? else {
            return Ok(None);
        };
        let key = match &record.key {
            KeptKey::File(key) => key.clone(),
            KeptKey::Keyring(account) => {
                let found = vault::get(&self.vault, account).await;
                match found {
                    Ok(Some(pem)) => Key::from_pem(pem),
                    Ok(None) => return Err(Error::login_needed("the login's key is not in the keyring any more")),
                    Err(error) => return Err(keyring_failed(&error)),
                }
            }
        };
        Ok(Some(Login {
            relay: record.relay,
            trust: record.trust,
            certificate: record.certificate,
            whoami: record.whoami,
            key,
        }))
    }

    /// Makes the directory of logins. Before a login begins: a workload's token counts only for the first key that presents it, so
    /// a certificate that cannot be kept costs a token.
    ///
    /// # Errors
    /// It cannot be made or written to, or is not ours alone.
    pub fn prepare(&self) -> Result<()> {
        let elsewhere = "set HOOPCTL_CONFIG_DIR to a directory of yours that can be written";
        private::make_directory(&self.directory).map_err(|error| match error.code() {
            Code::Configuration => error,
            _ => error.hint(elsewhere),
        })?;
        rustix::fs::access(&self.directory, rustix::fs::Access::WRITE_OK).map_err(|error| {
            Error::io(format!("cannot write to {}", self.directory.display()), &error.into()).hint(elsewhere)
        })
    }

    /// Keeps a login, in place of the profile's last one.
    ///
    /// # Errors
    /// It cannot be written, or the keyring was asked for and refuses.
    pub async fn save(&self, profile: &str, login: &Login, printer: &Printer) -> Result<()> {
        self.prepare()?;
        let before = self.record(profile).ok().flatten();
        let key = self.keep_key(profile, &login.key, printer).await?;
        let record = Record {
            relay: login.relay.clone(),
            trust: login.trust.clone(),
            certificate: login.certificate.clone(),
            whoami: login.whoami.clone(),
            key,
        };
        let known = KnownRelay {
            relay: login.relay.clone(),
            trust: login.trust.clone(),
        };
        private::write(&self.directory, &self.relay_file(profile), known.to_text()?.as_bytes())?;
        private::write(&self.directory, &self.file(profile), record.to_text()?.as_bytes())?;
        if let Some(KeptKey::Keyring(account)) = before.map(|record| record.key)
            && record.key != KeptKey::Keyring(account.clone())
        {
            // The old key opens nothing for long: it is no reason to fail a login.
            let _ = vault::remove(&self.vault, &account).await;
        }
        Ok(())
    }

    async fn keep_key(&self, profile: &str, key: &Key, printer: &Printer) -> Result<KeptKey> {
        let remembered = self.directory.join(REMEMBERED);
        let known_to_have_none = self.wanted.is_none() && remembered.exists();
        if self.wanted == Some(CredentialStore::File) || known_to_have_none {
            return Ok(KeptKey::File(key.clone()));
        }
        let account = format!("{profile} {}", key.fingerprint()?);
        match vault::set(&self.vault, &account, key.pem()).await {
            Ok(()) => Ok(KeptKey::Keyring(account)),
            Err(error) if self.wanted == Some(CredentialStore::Keyring) => Err(keyring_failed(&error)),
            Err(error) => {
                printer.say(format_args!(
                    "no keyring here ({}): the key is kept in {}, readable by you alone",
                    crate::printer::escape::line(&error.to_string()),
                    self.file(profile).display()
                ));
                private::write(&self.directory, &remembered, b"file\n")?;
                Ok(KeptKey::File(key.clone()))
            }
        }
    }

    /// Whether the keyring answers, by asking it for what it does not have.
    ///
    /// # Errors
    /// There is none, it is locked, or it refuses.
    pub async fn keyring(&self) -> Result<(), VaultError> {
        vault::get(&self.vault, "no such login").await.map(drop)
    }

    /// The profiles that have a login, by name.
    pub fn profiles(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let name = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_suffix(".json")?;
            (!name.ends_with(".relay")).then(|| name.to_owned())
        };
        let mut names: Vec<String> = files.filter_map(name).collect();
        names.sort();
        names
    }

    /// Forgets a profile's login; says whether there was one.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub async fn remove(&self, profile: &str) -> Result<bool> {
        let record = self.record(profile);
        let removed = private::remove(&self.file(profile))?;
        if let Ok(Some(Record {
            key: KeptKey::Keyring(account),
            ..
        })) = record
        {
            vault::remove(&self.vault, &account)
                .await
                .map_err(|error| keyring_failed(&error))?;
        }
        Ok(removed)
    }

    /// The key of a profile's last login at the same relay, where there is one: a workload's token is bound to the first key that
    /// presents it, so the same job comes again with the same key.
    pub async fn key_for(&self, profile: &str, relay: &RelayAddress) -> Option<Key> {
        let login = self.load(profile).await.ok().flatten()?;
        (login.relay == *relay).then_some(login.key)
    }
}

fn keyring_failed(error: &VaultError) -> Error {
    local_failure("the keyring does not work", error)
        .hint("unlock it, or keep the key in a file with HOOPCTL_CREDENTIAL_STORE=file and log in again")
}

#[cfg(test)]
mod tests;
