//! From verified claims to a principal: its label, its groups. What cannot be read for sure refuses the login: a group
//! that is missing by mistake would switch off a `forbid`.

use serde_json::{Map, Value};

use super::json::{claim, top_level};
use super::token::error::shown;
use super::token::{Claims, unprintable};
use super::{Principal, PrincipalKind};
use crate::config::{IdentityProvider, WorkloadIdentity};

/// The longest label and group name, in bytes.
const LONGEST_NAME: usize = 256;
/// The longest label of a workload: its `sub` may have 1024 bytes.
const LONGEST_WORKLOAD: usize = 1200;
/// The most groups of one principal.
const MOST_GROUPS: usize = 1000;

/// Why verified claims make no principal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ClaimsError {
    #[error("the token has no claim `{0}`, which names the principal")]
    NoLabel(String),
    #[error(
        "the claim `{0}` cannot name a principal: it is not a text, empty, too long, or has characters that are not printed"
    )]
    Label(String),
    #[error("the name `{0}` looks like a workload's")]
    LabelOfWorkload(String),
    #[error("the issuer does not say that the e-mail address is verified")]
    UnverifiedEmail,
    #[error("the claim `{0}` is not a list of group names")]
    Groups(String),
    #[error(
        "the issuer left out groups because there are too many (overage); have it send only the groups that count here"
    )]
    Overage,
    #[error("no group of `{identity}` fits this token's claims (sub {})", shown(subject))]
    NoGroup { identity: String, subject: String },
}

/// Makes the principal of a person.
pub(super) fn person(
    claims: &Claims,
    provider: &IdentityProvider,
    workloads: &[String],
) -> Result<Principal, ClaimsError> {
    let name = &provider.username_claim;
    let value = claim(&claims.all, name).ok_or_else(|| ClaimsError::NoLabel(name.clone()))?;
    let label = value
        .as_str()
        .filter(|label| valid_name(label, LONGEST_NAME))
        .ok_or_else(|| ClaimsError::Label(name.clone()))?;
    if name == "email"
        && !provider.trust_unverified_email
        && claims.all.get("email_verified") != Some(&Value::Bool(true))
    {
        return Err(ClaimsError::UnverifiedEmail);
    }
    if let Some((prefix, _)) = label.split_once(':')
        && workloads.iter().any(|workload| workload == prefix)
    {
        return Err(ClaimsError::LabelOfWorkload(label.to_owned()));
    }
    Ok(Principal {
        label: label.to_owned(),
        kind: PrincipalKind::User,
        issuer: provider.issuer.clone(),
        subject: claims.subject.clone(),
        groups: groups(&claims.all, &provider.groups_claim)?,
    })
}

/// Makes the principal of a workload: `NAME:SUB`, in every group whose claims all fit, at least one.
pub(super) fn workload(claims: &Claims, identity: &WorkloadIdentity) -> Result<Principal, ClaimsError> {
    let label = format!("{}:{}", identity.name, claims.subject);
    if !valid_name(&label, LONGEST_WORKLOAD) {
        return Err(ClaimsError::Label("sub".to_owned()));
    }
    let mut groups: Vec<String> = identity
        .groups
        .iter()
        .filter(|(_, wanted)| !wanted.is_empty() && wanted.iter().all(|(name, value)| fits(&claims.all, name, value)))
        .map(|(group, _)| group.clone())
        .collect();
    if groups.is_empty() {
        return Err(ClaimsError::NoGroup {
            identity: identity.name.clone(),
            subject: claims.subject.clone(),
        });
    }
    groups.sort();
    groups.dedup();
    Ok(Principal {
        label,
        kind: PrincipalKind::Workload,
        issuer: identity.issuer.clone(),
        subject: claims.subject.clone(),
        groups,
    })
}

/// The conditions of each group that a workload's claims do not meet, as `GROUP: CLAIM, …`.
pub(super) fn unmet(claims: &Claims, identity: &WorkloadIdentity) -> Vec<String> {
    identity
        .groups
        .iter()
        .map(|(group, wanted)| {
            let names: Vec<_> = wanted
                .iter()
                .filter(|(name, value)| !fits(&claims.all, name, value))
                .map(|(name, _)| name.as_str())
                .collect();
            format!("{group}: {}", names.join(", "))
        })
        .collect()
}

/// Whether a claim is exactly the wanted value, in type too; where the claim is a list, whether each wanted value is in it.
fn fits(claims: &Map<String, Value>, name: &str, wanted: &Value) -> bool {
    match (claim(claims, name), wanted) {
        (Some(Value::Array(has)), Value::Array(wanted)) => {
            !wanted.is_empty() && wanted.iter().all(|value| has.contains(value))
        }
        (Some(Value::Array(has)), value) => has.contains(value),
        (Some(has), value) => has == value,
        (None, _) => false,
    }
}

fn groups(claims: &Map<String, Value>, name: &str) -> Result<Vec<String>, ClaimsError> {
    let wrong = || ClaimsError::Groups(name.to_owned());
    // Entra's words for "there are more": the names of claims to be fetched elsewhere (OpenID Connect Core 5.6.2), or a flag.
    let elsewhere = match claims.get("_claim_names") {
        None => false,
        Some(Value::Object(names)) => names.contains_key(&top_level(name)),
        Some(_) => true,
    };
    let flagged = claims.get("hasgroups").is_some_and(|flag| *flag != Value::Bool(false));
    if elsewhere || flagged {
        return Err(ClaimsError::Overage);
    }
    let mut groups: Vec<String> = match claim(claims, name) {
        None => Vec::new(),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(several)) => {
            let names: Option<_> = several.iter().map(|group| group.as_str().map(str::to_owned)).collect();
            names.ok_or_else(wrong)?
        }
        Some(_) => return Err(wrong()),
    };
    if groups.len() > MOST_GROUPS || !groups.iter().all(|group| valid_name(group, LONGEST_NAME)) {
        return Err(wrong());
    }
    groups.sort();
    groups.dedup();
    Ok(groups)
}

/// A name that a policy can hold and a terminal can show: not empty, no spaces around it, every character visible.
fn valid_name(name: &str, longest: usize) -> bool {
    !name.is_empty() && name.len() <= longest && name.trim() == name && !name.chars().any(unprintable)
}

#[cfg(test)]
mod tests;
