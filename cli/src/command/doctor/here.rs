//! What is on this machine: configuration, permissions, the login and its key, clients.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::process::Command;
use tokio::time::timeout;

use super::Check;
use crate::context::{Context, rfc3339};
use crate::credentials::record::KeptKey;
use crate::credentials::{Login, private};
use crate::error::Result;
use crate::settings::CredentialStore;

/// A login that ends sooner is worth a word.
const SOON: time::Duration = time::Duration::minutes(30);
/// How long a client may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);
/// Characters of a client's version.
const LONGEST_VERSION: usize = 80;
/// Programs that connections are mostly used with, and what makes each say its version.
const CLIENTS: [(&str, &[&str]); 4] = [
    ("psql", &["--version"]),
    ("pg_dump", &["--version"]),
    ("kubectl", &["version", "--client"]),
    ("ssh", &["-V"]),
];

/// Checks the configuration, what is private, and the login; gives the login.
pub(super) async fn login(context: &Context, checks: &mut Vec<Check>) -> Option<Login> {
    checks.push(configuration(context));
    checks.push(permissions(context));
    let login = credential(context, checks).await;
    checks.push(keyring(context).await);
    login
}

/// The settings were read, else no command runs; whoever may write the file decides which relay is trusted.
fn configuration(context: &Context) -> Check {
    let file = context.settings.config_file();
    if !file.exists() {
        return Check::good("config", format!("no {}: everything is as by default", file.display()));
    }
    match private::check_writers(&file) {
        Ok(()) => Check::good("config", format!("{} can be written by you alone", file.display())),
        Err(error) => Check::of_error("config", &error),
    }
}

fn permissions(context: &Context) -> Check {
    let credentials = context.credentials();
    let path = credentials.directory();
    if !path.exists() {
        return Check::good("permissions", format!("{} does not exist yet", path.display()));
    }
    match private_files(path) {
        Ok(count) => Check::good(
            "permissions",
            format!("{} and {count} files in it are yours alone", path.display()),
        ),
        Err(error) => Check::of_error("permissions", &error),
    }
}

/// Checks a directory and every file in it; gives their number.
fn private_files(directory: &Path) -> Result<usize> {
    private::check_directory(directory)?;
    let failed =
        |error: &std::io::Error| crate::error::Error::io(format!("cannot read {}", directory.display()), error);
    let mut count = 0;
    for entry in std::fs::read_dir(directory).map_err(|error| failed(&error))? {
        private::check_file(&entry.map_err(|error| failed(&error))?.path())?;
        count += 1;
    }
    Ok(count)
}

async fn credential(context: &Context, checks: &mut Vec<Check>) -> Option<Login> {
    let profile = &context.settings.profile;
    let login = match context.credentials().load(profile).await {
        Ok(Some(login)) => login,
        Ok(None) => {
            let detail = format!("profile `{profile}` is not logged in");
            checks.push(Check::bad("credential", detail, "hoopctl login RELAY"));
            return None;
        }
        Err(error) => {
            checks.push(Check::of_error("credential", &error));
            return None;
        }
    };
    checks.push(Check::good(
        "credential",
        format!("profile `{profile}` is {} at {}", login.whoami.principal, login.relay),
    ));
    checks.push(match login.expires() {
        Err(error) => Check::of_error("certificate", &error),
        Ok(expires) => certificate(expires, OffsetDateTime::now_utc()),
    });
    Some(login)
}

fn certificate(expires: OffsetDateTime, now: OffsetDateTime) -> Check {
    let (left, at) = (expires - now, rfc3339(expires));
    if left <= time::Duration::ZERO {
        return Check::bad("certificate", format!("it ended at {at}"), "hoopctl login");
    }
    if left < SOON {
        let detail = format!("it ends at {at}, in {} minutes", left.whole_minutes());
        return Check::bad("certificate", detail, "hoopctl login");
    }
    Check::good("certificate", format!("it ends at {at}"))
}

/// Where the private key is, or would be.
async fn keyring(context: &Context) -> Check {
    let (settings, credentials) = (&context.settings, context.credentials());
    let kept = credentials
        .record(&settings.profile)
        .ok()
        .flatten()
        .map(|record| record.key);
    let asked_for_file = settings.credential_store == Some(CredentialStore::File);
    match kept {
        Some(KeptKey::File(_)) if asked_for_file => {
            return Check::good("keyring", "the key is kept in a file, as the settings ask for");
        }
        None if asked_for_file => return Check::good("keyring", "not used, as the settings ask for"),
        _ => {}
    }
    match (credentials.keyring().await, kept) {
        (Ok(()), Some(KeptKey::Keyring(_))) => Check::good("keyring", "it works, and keeps the key"),
        (Ok(()), Some(KeptKey::File(_))) => Check::good(
            "keyring",
            "it works; the key is still in a file that only you can read, until the next login",
        ),
        (Ok(()), None) => Check::good("keyring", "it works"),
        (Err(error), Some(KeptKey::Keyring(_))) => Check::bad(
            "keyring",
            format!("it keeps the key, and does not work: {error}"),
            "unlock it, or log in again with HOOPCTL_CREDENTIAL_STORE=file",
        ),
        (Err(error), _) if settings.credential_store == Some(CredentialStore::Keyring) => Check::bad(
            "keyring",
            format!("the settings ask for it, and it does not work: {error}"),
            "unlock or install one, or set HOOPCTL_CREDENTIAL_STORE=file",
        ),
        (Err(error), _) => Check::good(
            "keyring",
            format!("none here ({error}): the key is kept in a file that only you can read"),
        ),
    }
}

/// Looks for the programs that connections are used with.
pub(super) async fn clients(path: &[PathBuf], checks: &mut Vec<Check>) {
    for (name, arguments) in CLIENTS {
        checks.push(client(name, arguments, path).await);
    }
}

async fn client(name: &str, arguments: &[&str], path: &[PathBuf]) -> Check {
    let Some(file) = path
        .iter()
        .map(|directory| directory.join(name))
        .find(|file| is_program(file))
    else {
        let fix = format!("install {name} to use it with `hoopctl connect`");
        return Check::bad(name, "not on the PATH", fix).optional();
    };
    match version(&file, arguments).await {
        Some(version) => Check::good(name, format!("{version} ({})", file.display())),
        None => Check::bad(
            name,
            format!("{} does not say its version", file.display()),
            format!("install {name} again"),
        )
        .optional(),
    }
}

/// The first line that a program says about itself.
async fn version(file: &Path, arguments: &[&str]) -> Option<String> {
    let asked = Command::new(file)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let said = timeout(PATIENCE, asked)
        .await
        .ok()?
        .ok()
        .filter(|said| said.status.success())?;
    // ssh says it on stderr.
    let texts = [said.stdout, said.stderr];
    let line = texts.iter().find_map(|text| {
        let line = String::from_utf8_lossy(text)
            .lines()
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        (!line.is_empty()).then_some(line)
    });
    line.map(|line| line.chars().take(LONGEST_VERSION).collect())
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_certificate_that_ends_soon_needs_a_login() {
        let now = OffsetDateTime::UNIX_EPOCH;
        assert!(certificate(now + time::Duration::hours(1), now).ok);
        assert!(!certificate(now + time::Duration::minutes(29), now).ok);
        assert!(!certificate(now, now).ok);
    }

    #[tokio::test]
    async fn a_client_is_found_with_its_version_or_named_as_missing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("psql");
        std::fs::write(&file, "#!/bin/sh\necho \"psql $1 15.4\" >&2\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = [PathBuf::from("/nowhere"), folder.path().to_owned()];
        let found = client("psql", &["-V"], &path).await;
        assert!(found.ok && found.detail.starts_with("psql -V 15.4 ("), "{found:?}");
        std::fs::write(&file, "#!/bin/sh\nexit 1\n").unwrap();
        let broken = client("psql", &["-V"], &path).await;
        assert!(!broken.ok && broken.optional && broken.fix.is_some());
        let missing = client("psql", &["-V"], &[]).await;
        assert!(!missing.ok && missing.optional && missing.fix.is_some());
    }

    #[test]
    fn every_private_file_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        for (name, mode) in [("a.json", 0o600), ("b.json", 0o600)] {
            let file = folder.path().join(name);
            std::fs::write(&file, "x").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        assert_eq!(private_files(folder.path()).unwrap(), 2);
        std::fs::set_permissions(folder.path().join("b.json"), std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = private_files(folder.path()).unwrap_err();
        assert!(
            error.refusal().hint.as_deref().unwrap().starts_with("chmod 600"),
            "{error}"
        );
    }
}
