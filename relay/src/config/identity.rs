//! `[[identity_provider]]` (people) and `[[workload_identity]]` (CI and agents).

use std::path::PathBuf;

use secrecy::SecretString;

use super::file::read_file;
use super::listen::read_chain;
use super::name;
use super::problem::Problem;
use super::reader::Section;
use super::secret;
use super::value::Item;

/// `[[identity_provider]]`: people.
#[derive(Clone, Debug)]
pub struct IdentityProvider {
    /// Its name here.
    pub name: String,
    /// The issuer's URL, exact.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
    /// Our client secret there, where it is a confidential client.
    pub client_secret: Option<SecretString>,
    /// Scopes besides `openid`.
    pub scopes: Vec<String>,
    /// The claim that labels the principal.
    pub username_claim: String,
    /// The claim that holds the groups: a name, or a JSON pointer.
    pub groups_claim: String,
    /// Signature algorithms that are accepted.
    pub algorithms: Vec<String>,
    /// `email` counts without `email_verified`.
    pub trust_unverified_email: bool,
    /// PEM file of the CAs that its TLS certificate may come from; the system's where absent.
    pub ca: Option<PathBuf>,
}

/// Claims by name or JSON pointer, with the value that each must have.
pub type Claims = Vec<(String, serde_json::Value)>;

/// `[[workload_identity]]`: CI and agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadIdentity {
    /// Its name here: the first part of a workload's label.
    pub name: String,
    /// The issuer's URL, exact.
    pub issuer: String,
    /// Our audience.
    pub audience: String,
    /// Group → claims that must all be equal (a claim's name or JSON pointer, and its value).
    pub groups: Vec<(String, Claims)>,
    /// Signature algorithms that are accepted.
    pub algorithms: Vec<String>,
    /// PEM file of the CAs that its TLS certificate may come from; the system's where absent.
    pub ca: Option<PathBuf>,
    /// File with its key set, where the relay cannot ask the issuer for it.
    pub jwks: Option<PathBuf>,
}

/// The longest file with a key set, in bytes: as much as is read of an issuer's answer.
pub const JWKS_BYTES: usize = 1 << 20;
/// Asymmetric signatures only: with a shared secret, whoever verifies could also sign.
const ALGORITHMS: &[(&str, &str)] = &[
    ("RS256", "RS256"),
    ("RS384", "RS384"),
    ("RS512", "RS512"),
    ("PS256", "PS256"),
    ("PS384", "PS384"),
    ("PS512", "PS512"),
    ("ES256", "ES256"),
    ("ES384", "ES384"),
    ("EdDSA", "EdDSA"),
];
/// The claims any one of which names a tenant of an issuer that signs for everybody.
const TENANT_CLAIMS: &[&str] = &["sub", "repository", "repository_id", "project_id", "project_path"];
/// Of Kubernetes' nested claims, both are needed: a namespace holds many service accounts.
const KUBERNETES_CLAIMS: [&str; 2] = ["/kubernetes.io/namespace", "/kubernetes.io/serviceaccount/name"];

pub(super) fn provider(mut section: Section<'_>) -> Option<IdentityProvider> {
    let name = section.need("name").and_then(|item| name::identity(&item));
    let issuer = section.need("issuer").and_then(|item| name::issuer(&item));
    let client_id = section
        .need("client_id")
        .and_then(|item| item.text().map(str::to_owned));
    let client_secret = section.get("client_secret").map(|item| secret::read(&item));
    let scopes = section.get("scopes").map(|item| scopes(&item));
    let username_claim = section.get("username_claim").map(|item| item.text().map(str::to_owned));
    let groups_claim = section.get("groups_claim").map(|item| claim(&item).map(str::to_owned));
    let algorithms = section.get("algorithms").map(|item| algorithms(&item));
    let trust = section.get("trust_unverified_email");
    let trust_unverified_email = trust.as_ref().and_then(Item::boolean).unwrap_or(false);
    let ca = section.get("ca").map(|item| ca(&item));
    if let (true, Some(item)) = (trust_unverified_email, &trust) {
        item.warn("an address counts although the issuer did not verify it: whoever may set it there can take a name");
    }
    section.finish();
    Some(IdentityProvider {
        name: name?,
        issuer: issuer?,
        client_id: client_id?,
        client_secret: optional(client_secret)?,
        scopes: optional(scopes)?.unwrap_or_else(|| vec!["email".to_owned(), "profile".to_owned()]),
        username_claim: optional(username_claim)?.unwrap_or_else(|| "email".to_owned()),
        groups_claim: optional(groups_claim)?.unwrap_or_else(|| "groups".to_owned()),
        algorithms: optional(algorithms)?.unwrap_or_else(|| vec!["RS256".to_owned()]),
        trust_unverified_email,
        ca: optional(ca)?,
    })
}

pub(super) fn workload(mut section: Section<'_>) -> Option<WorkloadIdentity> {
    let name = section.need("name").and_then(|item| name::identity(&item));
    let issuer = section.need("issuer").and_then(|item| name::issuer(&item));
    let audience = section.need("audience").and_then(|item| item.text().map(str::to_owned));
    let groups = section.need("groups").and_then(|item| groups(&item));
    let algorithms = section.get("algorithms").map(|item| algorithms(&item));
    let ca = section.get("ca").map(|item| ca(&item));
    let jwks = section.get("jwks").map(|item| jwks(&item));
    section.finish();
    Some(WorkloadIdentity {
        name: name?,
        issuer: issuer?,
        audience: audience?,
        groups: groups?,
        algorithms: optional(algorithms)?.unwrap_or_else(|| vec!["RS256".to_owned()]),
        ca: optional(ca)?,
        jwks: optional(jwks)?,
    })
}

/// A PEM file of CA certificates.
fn ca(item: &Item<'_>) -> Option<PathBuf> {
    let path = item.file()?;
    if let Err(error) = read_chain(&path) {
        item.error(format!("`{}`: {error}", item.path()));
    }
    Some(path)
}

/// A file with a key set (RFC 7517).
fn jwks(item: &Item<'_>) -> Option<PathBuf> {
    let path = item.file()?;
    match read_file(&path, JWKS_BYTES) {
        Ok(text) => {
            let set: Option<serde_json::Value> = serde_json::from_str(&text).ok();
            if set.is_none_or(|set| set["keys"].as_array().is_none_or(Vec::is_empty)) {
                item.error(format!(
                    "`{}`: {} is not a key set (RFC 7517)",
                    item.path(),
                    path.display()
                ));
            }
        }
        Err(problem) => item.reader().report(*problem),
    }
    Some(path)
}

/// An absent key is `Some(None)`; one that is there and wrong is `None`.
#[allow(clippy::option_option, reason = "absent and wrong are two things")]
fn optional<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => value.map(Some),
    }
}

fn scopes(item: &Item<'_>) -> Option<Vec<String>> {
    let scopes = item.texts()?;
    for scope in &scopes {
        if scope == "offline_access" {
            item.error("the scope `offline_access` asks for a refresh token, which the relay never keeps");
        } else if !scope
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        {
            item.error(format!("`{scope}` is not a scope (RFC 6749, section 3.3)"));
        }
    }
    Some(scopes.into_iter().filter(|scope| scope != "openid").collect())
}

fn algorithms(item: &Item<'_>) -> Option<Vec<String>> {
    let words: Option<Vec<_>> = item
        .list()?
        .iter()
        .map(|item| item.word(ALGORITHMS).map(str::to_owned))
        .collect();
    words
}

/// A claim: its name, or a JSON pointer to a nested one.
fn claim<'a>(item: &Item<'a>) -> Option<&'a str> {
    let text = item.text()?;
    if let Err(why) = valid_claim(text) {
        item.error(format!("`{}`: {why}", item.path()));
        return None;
    }
    Some(text)
}

fn valid_claim(text: &str) -> Result<(), String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("a claim has a name without control characters".to_owned());
    }
    let Some(pointer) = text.strip_prefix('/') else {
        return Ok(());
    };
    let mut characters = pointer.chars();
    while let Some(character) = characters.next() {
        if character == '~' && !matches!(characters.next(), Some('0' | '1')) {
            return Err(format!(
                "`{text}` is not a JSON pointer: `~` stands only in `~0` and `~1`"
            ));
        }
    }
    Ok(())
}

fn groups(item: &Item<'_>) -> Option<Vec<(String, Claims)>> {
    let section = item.section()?;
    let mut groups = Vec::new();
    for (group, item) in section.entries() {
        if let Err(why) = name::valid_group(group) {
            item.error(format!("`{group}`: {why}"));
            continue;
        }
        let Some(claims) = item.section() else { continue };
        let mut wanted = Vec::new();
        for (claim, item) in claims.entries() {
            if let Err(why) = valid_claim(claim) {
                item.error(why);
                continue;
            }
            let Some(value) = item.scalar() else { continue };
            if value.as_str().is_some_and(|text| text.contains('*')) {
                item.warn("claims are compared exactly: `*` stands for itself");
            }
            wanted.push((claim.to_owned(), value));
        }
        if !pins_tenant(&wanted) {
            let message = format!(
                "the group `{group}` does not pin a tenant: the issuer signs for everybody, so anybody's job could get it"
            );
            item.reader().report(item.problem(message).hint(format!(
                "demand one of {}, or both {} and {}",
                TENANT_CLAIMS.join(", "),
                KUBERNETES_CLAIMS[0],
                KUBERNETES_CLAIMS[1]
            )));
        }
        groups.push((group.to_owned(), wanted));
    }
    if groups.is_empty() {
        let problem: Problem = item.problem(format!("`{}` maps no group", item.path()));
        item.reader()
            .report(problem.hint("groups = { \"ci-deploy\" = { repository = \"acme/shop\" } }"));
        return None;
    }
    groups.sort_by(|a, b| a.0.cmp(&b.0));
    Some(groups)
}

fn pins_tenant(claims: &[(String, serde_json::Value)]) -> bool {
    let has = |name: &str| {
        claims.iter().any(|(claim, value)| {
            let plain = claim.strip_prefix('/').unwrap_or(claim);
            let same = claim == name || (plain == name && !plain.contains('/'));
            same && value.as_str().is_none_or(|text| !text.is_empty()) && !value.is_boolean()
        })
    };
    TENANT_CLAIMS.iter().any(|claim| has(claim)) || KUBERNETES_CLAIMS.iter().all(|claim| has(claim))
}
