#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::HashMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use hoop_shared::api::PrincipalKind;

use super::*;
use crate::args::Global;
use crate::printer::Manner;
use crate::settings::environment::Environment;

#[derive(Debug, Default)]
struct Drawer(Mutex<HashMap<String, String>>);

impl Vault for Drawer {
    fn set(&self, account: &str, secret: &str) -> Result<(), VaultError> {
        self.0.lock().unwrap().insert(account.to_owned(), secret.to_owned());
        Ok(())
    }

    fn get(&self, account: &str) -> Result<Option<String>, VaultError> {
        Ok(self.0.lock().unwrap().get(account).cloned())
    }

    fn remove(&self, account: &str) -> Result<(), VaultError> {
        self.0.lock().unwrap().remove(account);
        Ok(())
    }
}

/// A keyring that nobody unlocks.
#[derive(Debug)]
struct Locked;

impl Vault for Locked {
    fn set(&self, _: &str, _: &str) -> Result<(), VaultError> {
        std::thread::sleep(Duration::from_secs(60));
        Ok(())
    }

    fn get(&self, _: &str) -> Result<Option<String>, VaultError> {
        self.set("", "").map(|()| None)
    }

    fn remove(&self, _: &str) -> Result<(), VaultError> {
        self.set("", "")
    }
}

fn credentials(directory: &Path, store: &str, vault: Arc<dyn Vault>) -> Credentials {
    let environment = Environment::from_iter([
        ("HOOPCTL_CONFIG_DIR", directory.to_str().unwrap()),
        ("HOOPCTL_CREDENTIAL_STORE", store),
    ]);
    Credentials::with_vault(&Settings::resolve(&Global::default(), &environment).unwrap(), vault)
}

fn login() -> Login {
    let key = Key::generate().unwrap();
    let pair = rcgen::KeyPair::from_pem(key.pem()).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.not_after = OffsetDateTime::from_unix_timestamp(4_000_000_000).unwrap();
    let certificate = params.self_signed(&pair).unwrap();
    Login {
        relay: "relay.example".parse().unwrap(),
        trust: Trust::Ca(vec![certificate.der().clone()]),
        certificate: certificate.pem(),
        whoami: Whoami {
            principal: "ana".to_owned(),
            kind: PrincipalKind::User,
            issuer: "https://id.example".to_owned(),
            groups: vec!["dba".to_owned()],
            expires: OffsetDateTime::UNIX_EPOCH,
            relay: String::new(),
            profile: String::new(),
            new_logins: Vec::new(),
        },
        key,
    }
}

fn printer() -> Printer {
    Printer::new(Manner {
        quiet: true,
        ..Manner::default()
    })
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().mode() & 0o777
}

#[tokio::test]
async fn a_kept_login_comes_back_from_a_file_that_only_its_owner_reads() {
    let directory = tempfile::tempdir().unwrap();
    let credentials = credentials(directory.path(), "file", Arc::new(Drawer::default()));
    let login = login();
    assert!(credentials.load("work").await.unwrap().is_none());
    credentials.save("work", &login, &printer()).await.unwrap();
    assert_eq!(mode(&credentials.file("work")), 0o600);
    assert_eq!(mode(credentials.directory()), 0o700);
    let back = credentials.load("work").await.unwrap().unwrap();
    assert_eq!(
        (back.relay, back.trust.clone(), back.key),
        (login.relay, login.trust, login.key)
    );
    assert_eq!(expires_of(&back.certificate).unwrap().unix_timestamp(), 4_000_000_000);
    assert!(credentials.load("other").await.unwrap().is_none(), "profiles are apart");
    assert!(credentials.remove("work").await.unwrap());
    assert!(!credentials.remove("work").await.unwrap());
    let known = credentials.known_relay("work").unwrap().unwrap();
    assert_eq!(known.trust, back.trust, "the relay stays known after a logout");
}

#[tokio::test]
async fn with_a_keyring_the_key_is_in_no_file_and_old_keys_go() {
    let directory = tempfile::tempdir().unwrap();
    let drawer = Arc::new(Drawer::default());
    let credentials = credentials(directory.path(), "", drawer.clone());
    credentials.save("work", &login(), &printer()).await.unwrap();
    let second = login();
    credentials.save("work", &second, &printer()).await.unwrap();
    assert!(
        !std::fs::read_to_string(credentials.file("work"))
            .unwrap()
            .contains("PRIVATE KEY")
    );
    assert_eq!(drawer.0.lock().unwrap().len(), 1);
    assert_eq!(credentials.load("work").await.unwrap().unwrap().key, second.key);
    credentials.remove("work").await.unwrap();
    assert!(drawer.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_key_that_left_the_keyring_asks_for_a_login() {
    let directory = tempfile::tempdir().unwrap();
    let drawer = Arc::new(Drawer::default());
    let credentials = credentials(directory.path(), "", drawer.clone());
    credentials.save("work", &login(), &printer()).await.unwrap();
    drawer.0.lock().unwrap().clear();
    assert_eq!(credentials.load("work").await.unwrap_err().code(), Code::LoginNeeded);
}

#[tokio::test]
async fn a_locked_keyring_gives_way_to_the_file_and_is_not_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    let locked = credentials(directory.path(), "", Arc::new(Locked));
    locked.save("work", &login(), &printer()).await.unwrap();
    assert_eq!(mode(&locked.file("work")), 0o600);
    let drawer = Arc::new(Drawer::default());
    let later = credentials(directory.path(), "", drawer.clone());
    later.save("work", &login(), &printer()).await.unwrap();
    assert!(drawer.0.lock().unwrap().is_empty(), "the file is remembered");
    let insisting = credentials(directory.path(), "keyring", Arc::new(Locked));
    assert!(
        insisting.save("work", &login(), &printer()).await.is_err(),
        "a wish is not replaced"
    );
}

#[tokio::test]
async fn what_others_may_read_is_refused_with_the_fix() {
    let directory = tempfile::tempdir().unwrap();
    let credentials = credentials(directory.path(), "file", Arc::new(Drawer::default()));
    credentials.save("work", &login(), &printer()).await.unwrap();
    let file = credentials.file("work");
    for (path, wrong, right, fix) in [
        (file.as_path(), 0o640, 0o600, "chmod 600"),
        (file.as_path(), 0o602, 0o600, "chmod 600"),
        (credentials.directory(), 0o750, 0o700, "chmod 700"),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(wrong)).unwrap();
        let error = credentials.load("work").await.unwrap_err();
        assert_eq!(error.code(), Code::Configuration);
        assert!(error.refusal().hint.as_deref().unwrap().contains(fix), "{error:?}");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(right)).unwrap();
    }
    assert!(credentials.load("work").await.unwrap().is_some());
}

#[tokio::test]
async fn a_symbolic_link_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let credentials = credentials(directory.path(), "file", Arc::new(Drawer::default()));
    credentials.save("work", &login(), &printer()).await.unwrap();
    symlink(credentials.file("work"), credentials.file("link")).unwrap();
    assert_eq!(credentials.load("link").await.unwrap_err().code(), Code::Configuration);
    let elsewhere = directory.path().join("elsewhere");
    std::fs::rename(credentials.directory(), &elsewhere).unwrap();
    symlink(&elsewhere, credentials.directory()).unwrap();
    assert_eq!(credentials.load("work").await.unwrap_err().code(), Code::Configuration);
    assert!(credentials.save("work", &login(), &printer()).await.is_err());
}

#[tokio::test]
async fn a_damaged_file_is_said_without_its_content() {
    let directory = tempfile::tempdir().unwrap();
    let credentials = credentials(directory.path(), "file", Arc::new(Drawer::default()));
    credentials.save("work", &login(), &printer()).await.unwrap();
    private::write(
        credentials.directory(),
        &credentials.file("work"),
        b"{\"key\": \"s3cret\"}",
    )
    .unwrap();
    let error = credentials.load("work").await.unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[test]
fn what_is_kept_in_memory_is_not_shown() {
    let login = login();
    assert!(!format!("{login:?}").contains("PRIVATE"));
}
