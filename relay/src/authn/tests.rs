#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use hoop_shared::api::{DevicePolled, Enrolled};
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::testing::{Signer, TestIssuer, csr};
use super::*;
use crate::config::{IdentityProvider, Limits, PolicyFiles, Recording, SessionTimes, WorkloadIdentity};

mod devices;
mod workloads;

/// A configuration with one provider for people, `idp`, and one for workloads, `ci`, both at `issuer`.
pub(crate) fn config(data_dir: &Path, issuer: &str) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        data_dir: data_dir.to_owned(),
        recording: Recording { full: true, sync: None },
        limits: Limits::default(),
        metrics: None,
        session: SessionTimes::default(),
        identity_providers: vec![IdentityProvider {
            name: "idp".into(),
            issuer: issuer.into(),
            client_id: "hoopctl".into(),
            client_secret: None,
            scopes: vec!["email".into(), "offline_access".into()],
            username_claim: "email".into(),
            groups_claim: "groups".into(),
            algorithms: vec!["RS256".into(), "ES256".into()],
            trust_unverified_email: false,
            ca: None,
        }],
        workload_identities: vec![WorkloadIdentity {
            name: "ci".into(),
            issuer: issuer.into(),
            audience: "hoop".into(),
            groups: vec![("deploy".into(), vec![("repository".into(), json!("acme/shop"))])],
            algorithms: vec!["RS256".into(), "ES256".into()],
            ca: None,
            jwks: None,
        }],
        policy: PolicyFiles {
            files: Vec::new(),
            default_approval_ttl: Duration::from_secs(900),
        },
        connections: Vec::new(),
        masks: Vec::new(),
    }
}

struct World {
    authn: Arc<Authn>,
    store: Store,
    issuer: TestIssuer,
    signer: Signer,
    dir: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let signer = Signer::es256("one");
        let issuer = TestIssuer::start(&[&signer]).await;
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), &issuer.url);
        let store = Store::open(dir.path()).await.unwrap();
        let authn = Authn::open(&config, store.clone()).await.unwrap();
        Self {
            authn,
            store,
            issuer,
            signer,
            dir,
        }
    }

    fn person(&self, name: &str, groups: &[&str]) -> Value {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        json!({"iss": self.issuer.url, "aud": "hoopctl", "sub": format!("sub-{name}"), "iat": now, "exp": now + 300,
            "email": format!("{name}@example.com"), "email_verified": true, "groups": groups})
    }

    fn job(&self, jti: &str) -> Value {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        json!({"iss": self.issuer.url, "aud": "hoop", "sub": "repo:acme/shop", "iat": now, "exp": now + 300,
            "jti": jti, "repository": "acme/shop"})
    }

    async fn start_login(&self) -> Result<hoop_shared::api::DeviceStarted, Refusal> {
        self.authn.start_device(&csr(), None, applicant("laptop")).await
    }

    async fn poll(&self, login: &str) -> Result<DevicePolled, Refusal> {
        self.authn.poll_device(login, source()).await
    }

    /// A whole device login whose provider gives this ID token.
    async fn log_in_with(&self, token: &str) -> Result<Enrolled, Refusal> {
        self.issuer.answer_token(token);
        let started = self.start_login().await?;
        match self.poll(&started.login).await? {
            DevicePolled::Done(enrolled) => Ok(enrolled),
            DevicePolled::Pending { .. } => panic!("still pending"),
        }
    }

    async fn log_in(&self, name: &str, groups: &[&str]) -> Enrolled {
        self.log_in_with(&self.signer.token(&self.person(name, groups)))
            .await
            .unwrap()
    }

    async fn outcomes(&self) -> Vec<String> {
        let query = "SELECT outcome FROM login_attempts ORDER BY id";
        sqlx::query_scalar(query).fetch_all(self.store.pool()).await.unwrap()
    }
}

fn source() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

fn applicant(machine: &str) -> Applicant {
    Applicant::new(source(), machine)
}

fn certificate(enrolled: &Enrolled) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(enrolled.certificate.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_certificate_is_the_identity_of_its_login() {
    let world = World::start().await;
    let enrolled = world.log_in("ana", &["ops", "dba"]).await;
    let identity = world.authn.identity(&certificate(&enrolled)).unwrap();
    assert_eq!(identity.label(), "ana@example.com");
    assert_eq!(identity.subject(), "sub-ana");
    assert_eq!(identity.issuer(), world.issuer.url);
    assert_eq!(identity.kind(), PrincipalKind::User);
    assert_eq!(identity.groups(), ["dba", "ops"]);
    assert_eq!(OffsetDateTime::from(identity.expires()), enrolled.whoami.expires);
    world.authn.standing(&identity).unwrap();
    let whoami = world.authn.whoami(&identity).await.unwrap();
    assert_eq!(
        (whoami.principal.as_str(), whoami.new_logins.len()),
        ("ana@example.com", 0)
    );
}

#[tokio::test]
async fn unknown_revoked_and_expired_logins_are_refused_each_in_its_words() {
    let world = World::start().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&told);
    world
        .authn
        .on_revoked(Box::new(move |serial| hears.lock().unwrap().push(serial.to_owned())));
    let enrolled = world.log_in("ana", &[]).await;
    let identity = world.authn.identity(&certificate(&enrolled)).unwrap();
    let (serial, fingerprint) = authority::presented(&certificate(&enrolled)).unwrap();

    let later = SystemTime::now() + Duration::from_secs(13 * 3600);
    let expired = world.authn.view.identity(&serial, &fingerprint, later).unwrap_err();
    assert_eq!(
        (expired.code, expired.message.as_str()),
        (Code::LoginNeeded, "this login has expired")
    );
    let foreign = world
        .authn
        .view
        .identity(&serial, "another key", SystemTime::now())
        .unwrap_err();
    assert_eq!(foreign.message, "this relay does not know this login");
    assert!(
        world
            .authn
            .view
            .identity("00", &fingerprint, SystemTime::now())
            .is_err()
    );
    assert!(world.authn.identity(&CertificateDer::from(b"junk".as_slice())).is_err());

    world.authn.logout(&identity).await.unwrap();
    let revoked = world.authn.identity(&certificate(&enrolled)).unwrap_err();
    assert_eq!(
        (revoked.code, revoked.message.as_str()),
        (Code::LoginNeeded, "this login was revoked")
    );
    assert!(world.authn.standing(&identity).is_err());
    assert!(world.authn.newest(identity.issuer(), identity.subject()).is_none());
    assert_eq!(*told.lock().unwrap(), [identity.login()]);
    world.authn.logout(&identity).await.unwrap();
    assert_eq!(told.lock().unwrap().len(), 1, "a login is revoked once");
}

#[tokio::test]
async fn what_another_process_revokes_is_refused_within_a_second() {
    let world = World::start().await;
    let enrolled = world.log_in("ana", &[]).await;
    let cancel = CancellationToken::new();
    let (authn, stop) = (Arc::clone(&world.authn), cancel.clone());
    let running = tokio::spawn(async move { authn.run(stop).await });
    world.authn.identity(&certificate(&enrolled)).unwrap();

    let other = Store::open(world.dir.path()).await.unwrap();
    other
        .revoke_label("ana@example.com", "operator", OffsetDateTime::now_utc())
        .await
        .unwrap();
    let begun = std::time::Instant::now();
    while world.authn.identity(&certificate(&enrolled)).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(1), "still accepted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cancel.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_view_that_was_never_or_long_ago_read_admits_nobody() {
    let refusal = View::default().identity("00", "x", SystemTime::now()).unwrap_err();
    assert_eq!(refusal.code, Code::RelayFault);
}

#[tokio::test]
async fn logins_survive_a_restart() {
    let world = World::start().await;
    let enrolled = world.log_in("ana", &["dba"]).await;
    let config = config(world.dir.path(), &world.issuer.url);
    let store = Store::open(world.dir.path()).await.unwrap();
    let restarted = Authn::open(&config, store).await.unwrap();
    assert_eq!(restarted.identity(&certificate(&enrolled)).unwrap().groups(), ["dba"]);
    assert_eq!(restarted.trusted(), world.authn.trusted());
}

#[tokio::test]
async fn groups_are_those_of_the_newest_login() {
    let world = World::start().await;
    let first = world.log_in("ana", &["dba"]).await;
    let second = world.log_in("ana", &[]).await;
    let (first, second) = (
        world.authn.identity(&certificate(&first)).unwrap(),
        world.authn.identity(&certificate(&second)).unwrap(),
    );
    assert!(first.same_principal(&second));
    let newest = world.authn.newest(first.issuer(), first.subject()).unwrap();
    assert_eq!(newest.login(), second.login());
    assert!(
        newest.groups().is_empty(),
        "a group that the issuer took away still counts"
    );
    assert!(world.authn.newest(first.issuer(), "nobody").is_none());
}

#[tokio::test]
async fn what_the_issuer_said_last_holds_for_older_logins_too() {
    let world = World::start().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    world.authn.on_regrouped(Box::new({
        let told = Arc::clone(&told);
        move |newest: &Identity| told.lock().unwrap().push(newest.groups().to_vec())
    }));
    let first = world.log_in("ana", &["dba"]).await;
    world.log_in("bo", &["dba"]).await;
    world.log_in("ana", &["dba"]).await;
    assert!(told.lock().unwrap().is_empty(), "nobody's groups changed");
    let last = world.log_in("ana", &["guests"]).await;
    assert_eq!(*told.lock().unwrap(), [["guests"]]);
    let groups = |authn: &Authn, enrolled| authn.identity(&certificate(enrolled)).unwrap().groups().to_vec();
    assert_eq!(
        groups(&world.authn, &first),
        ["guests"],
        "the older login still has the old group"
    );
    // Logging out of the newest does not bring the old groups back, nor does a restart.
    let newest = world.authn.identity(&certificate(&last)).unwrap();
    world.authn.logout(&newest).await.unwrap();
    assert_eq!(groups(&world.authn, &first), ["guests"]);
    let config = config(world.dir.path(), &world.issuer.url);
    let restarted = Authn::open(&config, Store::open(world.dir.path()).await.unwrap())
        .await
        .unwrap();
    assert_eq!(groups(&restarted, &first), ["guests"]);
    assert_eq!(
        restarted.newest(newest.issuer(), newest.subject()).unwrap().groups(),
        ["guests"]
    );
}

#[tokio::test]
async fn a_new_login_is_shown_to_its_principal_once() {
    let world = World::start().await;
    let mine = world
        .authn
        .identity(&certificate(&world.log_in("ana", &[]).await))
        .unwrap();
    world
        .issuer
        .answer_token(&world.signer.token(&world.person("ana", &[])));
    let stranger = Applicant::new("203.0.113.9".parse().unwrap(), "evil\u{1b}[31m\nbox");
    let started = world.authn.start_device(&csr(), Some("idp"), stranger).await.unwrap();
    world.poll(&started.login).await.unwrap();
    let seen = world.authn.whoami(&mine).await.unwrap().new_logins;
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].machine.as_str(), seen[0].source.as_str()),
        ("evil[31mbox", "203.0.113.9")
    );
    assert!(world.authn.whoami(&mine).await.unwrap().new_logins.is_empty());
}

#[tokio::test]
async fn configurations_that_make_a_token_ambiguous_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = config(dir.path(), "https://idp.example");
    let http = Arc::new(Http::new(None).unwrap());
    assert!(Issuers::new(&good, &http).is_ok());
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = good.clone();
        change(&mut config);
        Issuers::new(&config, &http).err().unwrap().to_string()
    };
    assert!(
        refused(&|config| config.workload_identities[0].audience = "hoopctl".into()).contains("audience of its own")
    );
    assert!(
        refused(&|config| config.workload_identities.push(config.workload_identities[0].clone())).contains("another")
    );
    assert!(
        refused(&|config| config.workload_identities[0].jwks = Some("keys.json".into())).contains("`ca` or `jwks`")
    );
    assert!(refused(&|config| config.identity_providers[0].issuer = "http://idp.example".into()).contains("https"));
    assert!(refused(&|config| config.identity_providers[0].algorithms = vec!["HS256".into()]).contains("asymmetric"));
    assert!(refused(&|config| config.identity_providers[0].algorithms.clear()).contains("asymmetric"));
}
