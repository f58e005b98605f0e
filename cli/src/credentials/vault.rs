//! The keyring of the operating system, which may be missing, locked, or wait for ever: it is asked on a thread of its own, for a while.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

/// The name under which entries appear in the keyring.
const SERVICE: &str = "hoopctl";
/// How long the keyring may take: a locked Secret Service without a person never answers.
const PATIENCE: Duration = Duration::from_secs(3);

/// A store of secrets by account. Every call may block.
pub trait Vault: fmt::Debug + Send + Sync {
    /// Keeps a secret.
    ///
    /// # Errors
    /// The store does not work.
    fn set(&self, account: &str, secret: &str) -> Result<(), VaultError>;

    /// Gives a secret back, where there is one.
    ///
    /// # Errors
    /// The store does not work.
    fn get(&self, account: &str) -> Result<Option<String>, VaultError>;

    /// Forgets a secret; one that is not there is forgotten already.
    ///
    /// # Errors
    /// The store does not work.
    fn remove(&self, account: &str) -> Result<(), VaultError>;
}

/// Why the keyring did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// It did not answer.
    #[error("it did not answer within {} seconds; it may be locked", PATIENCE.as_secs())]
    Silent,
    /// There is none, or it refuses.
    #[error("{0}")]
    Refused(String),
}

/// The keyring of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemKeyring;

impl SystemKeyring {
    fn entry(account: &str) -> Result<keyring::Entry, VaultError> {
        keyring::Entry::new(SERVICE, account).map_err(|error| match error {
            keyring::Error::NoDefaultStore => VaultError::Refused("the system offers none".to_owned()),
            other => refused(&other),
        })
    }
}

impl Vault for SystemKeyring {
    fn set(&self, account: &str, secret: &str) -> Result<(), VaultError> {
        Self::entry(account)?
            .set_password(secret)
            .map_err(|error| refused(&error))
    }

    fn get(&self, account: &str) -> Result<Option<String>, VaultError> {
        match Self::entry(account)?.get_password() {
            Ok(secret) => Ok(Some(secret)),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(refused(&error)),
        }
    }

    fn remove(&self, account: &str) -> Result<(), VaultError> {
        match Self::entry(account)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(refused(&error)),
        }
    }
}

/// The error without what it may carry of the secret itself.
fn refused(error: &keyring::Error) -> VaultError {
    VaultError::Refused(match error {
        keyring::Error::BadEncoding(_) | keyring::Error::BadDataFormat(..) => "the entry is not text".to_owned(),
        other => other.to_string(),
    })
}

/// Keeps a secret, within [`PATIENCE`].
///
/// # Errors
/// The keyring does not answer or does not work.
pub async fn set(vault: &Arc<dyn Vault>, account: &str, secret: &str) -> Result<(), VaultError> {
    let (account, secret) = (account.to_owned(), zeroize::Zeroizing::new(secret.to_owned()));
    patiently(vault, move |vault| vault.set(&account, &secret)).await
}

/// Gives a secret back, within [`PATIENCE`].
///
/// # Errors
/// The keyring does not answer or does not work.
pub async fn get(vault: &Arc<dyn Vault>, account: &str) -> Result<Option<String>, VaultError> {
    let account = account.to_owned();
    patiently(vault, move |vault| vault.get(&account)).await
}

/// Forgets a secret, within [`PATIENCE`].
///
/// # Errors
/// The keyring does not answer or does not work.
pub async fn remove(vault: &Arc<dyn Vault>, account: &str) -> Result<(), VaultError> {
    let account = account.to_owned();
    patiently(vault, move |vault| vault.remove(&account)).await
}

/// Runs a call on a thread of its own. One that never returns is left behind; the process does not wait for it.
async fn patiently<T: Send + 'static>(
    vault: &Arc<dyn Vault>,
    call: impl FnOnce(&dyn Vault) -> Result<T, VaultError> + Send + 'static,
) -> Result<T, VaultError> {
    let (answer, answered) = oneshot::channel();
    let vault = Arc::clone(vault);
    std::thread::Builder::new()
        .name("keyring".to_owned())
        .spawn(move || drop(answer.send(call(&*vault))))
        .map_err(|error| VaultError::Refused(error.to_string()))?;
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(VaultError::Refused("its library failed".to_owned())),
        Err(_) => Err(VaultError::Silent),
    }
}
