//! A login for a command that needs no person: the profile's, or a new one with the workload token that is at hand.
//!
//! A token may be bound to the first key that presents it, so the commands of one job share one login: the first of them makes it under a
//! lock, the others find it in the profile. Where nothing can be kept, it lives in the command alone.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use hoop_shared::refusal::Code;
use time::OffsetDateTime;

use super::trust::AskedTrust;
use super::workload::DEFAULT_AUDIENCE;
use super::{Request, enrol, trust, workload};
use crate::context::Context;
use crate::credentials::{Login, private};
use crate::error::{Error, Result};

/// A login that ends sooner than this is as good as none.
const ABOUT_TO_END: Duration = Duration::from_secs(60);
/// How long another command may take to log in.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// Gives the context with a login that holds, made now where need be.
///
/// # Errors
/// There is neither a login nor a token, or the token is refused.
pub async fn context(context: &Context) -> Result<Context> {
    let kept = context.login().await;
    let refused = match kept {
        Ok(login) if holds(&login) || !context.settings.workload.any() => return Ok(context.logged_in(login)),
        Ok(_) => None,
        Err(error) if error.code() != Code::LoginNeeded => return Err(error),
        Err(error) if !context.settings.workload.any() => {
            let person = error.refusal().hint.clone().unwrap_or_default();
            return Err(error.hint(format!("{person}; a job needs a token: {}", workload::PLATFORMS)));
        }
        Err(error) => Some(error),
    };
    let settings = &context.settings;
    let credentials = context.credentials();
    // Only where something can be kept is there something to wait for.
    let directory = credentials.directory();
    let lock = match private::make_directory(directory) {
        Ok(()) => locked(&directory.join(format!("{}.lock", settings.profile))).await?,
        Err(_) => None,
    };
    let unkept = || {
        format!(
            "nothing can be kept in {}: set HOOPCTL_CONFIG_DIR to a directory that can be written, and the commands of a job share one login",
            directory.display()
        )
    };
    if lock.is_some()
        && let Ok(login) = context.login().await
        && holds(&login)
    {
        return Ok(context.logged_in(login));
    }
    let known = credentials.known_relay(&settings.profile)?;
    let relay = settings
        .relay
        .clone()
        .or_else(|| known.as_ref().map(|known| known.relay.clone()))
        .ok_or_else(|| {
            let missing = Error::new(Code::Usage, "no relay is named");
            refused
                .unwrap_or(missing)
                .hint("set HOOPCTL_RELAY, and HOOPCTL_CA_FILE where the relay has a private CA")
        })?;
    let asked = AskedTrust::of(None, None, settings)?;
    let known = known.filter(|known| known.relay == relay).map(|known| known.trust);
    let (api, trust) = trust::establish(&relay, asked, known, &context.printer).await?;
    let request = Request::Workload {
        token: workload::token(None, DEFAULT_AUDIENCE, settings).await?,
        key: credentials.key_for(&settings.profile, &relay).await,
    };
    if lock.is_none() {
        // The next command of the job will have another key, which the same token is not for.
        context.printer.say(unkept());
    }
    let login = enrol(&api, trust, request, settings, &context.printer).await?;
    context.printer.say(super::sentence(&login)?);
    if lock.is_some()
        && let Err(error) = credentials.save(&settings.profile, &login, &context.printer).await
    {
        tracing::debug!(%error, "the login is not kept");
        context.printer.say(unkept());
    }
    Ok(context.logged_in(login))
}

fn holds(login: &Login) -> bool {
    login
        .expires()
        .is_ok_and(|expires| expires > OffsetDateTime::now_utc() + ABOUT_TO_END)
}

/// Takes a lock that other commands of this user take too; nothing where no file can be made. Dropped, it is free.
async fn locked(path: &Path) -> Result<Option<File>> {
    let failed = |error: &std::io::Error| Error::io(format!("cannot lock {}", path.display()), error);
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(failed(&error)),
    };
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) if tokio::time::Instant::now() < until => {
                tokio::time::sleep(LOOK).await;
            }
            Err(error) => return Err(failed(&error.into())),
        }
    }
}
