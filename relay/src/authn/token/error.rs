//! Why a token is refused, with what was expected of it. `Display` is safe for logs and terminals: of the token it holds
//! names of fields and, made printable and short, who it says it is from and for; never a part of the token itself.

use jsonwebtoken::Algorithm;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{SKEW, unprintable};

/// The longest text of a token that an error repeats, in characters.
const LONGEST_SHOWN: usize = 120;

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::authn) enum TokenError {
    #[error("the token is longer than 16 kB")]
    Size,
    #[error("the token is encrypted (JWE); expected one that is signed only")]
    Encrypted,
    #[error("the token is not of three parts in base64url")]
    Form,
    #[error("the token's {part} is not a JSON object without doubled names: {problem}")]
    Json { part: &'static str, problem: String },
    #[error(
        "the token is signed with the algorithm {}; expected {}",
        shown(has),
        any_of(accepted)
    )]
    Algorithm { has: String, accepted: Vec<Algorithm> },
    #[error("the token's header asks for an extension that is not supported (crit)")]
    Critical,
    #[error("the token is of another type (typ); expected a JWT: an ID token, no access or logout token")]
    Type,
    #[error("the token's `{0}` is not of the right type")]
    Mistyped(&'static str),
    #[error("the token has no `{0}`, which is needed")]
    Missing(&'static str),
    #[error("no key of the issuer fits the token ({}); expected one that it publishes now", of_kid(kid.as_deref()))]
    UnknownKey { kid: Option<String> },
    #[error("several keys of the issuer fit the token; expected a `kid` that names one")]
    AmbiguousKey,
    #[error("the token's signature is wrong; expected that of the issuer's key ({})", of_kid(kid.as_deref()))]
    Signature { kid: Option<String> },
    #[error("the token is of another issuer, {}; expected {expected}", shown(has))]
    Issuer { has: String, expected: String },
    #[error(
        "the token is for another audience, {}; expected {expected} and no other",
        all_of(has)
    )]
    Audience { has: Vec<String>, expected: String },
    #[error("the token was issued to another client (azp); expected {expected}")]
    AuthorizedParty { expected: String },
    #[error("the token expired at {} and it is {}; expected a fresh one, or clocks that agree (to {} s)", utc(*at), utc(*now), SKEW.whole_seconds())]
    Expired { at: OffsetDateTime, now: OffsetDateTime },
    #[error("the token is not valid yet (nbf): from {}, and it is {}; expected clocks that agree (to {} s)", utc(*from), utc(*now), SKEW.whole_seconds())]
    NotYet { from: OffsetDateTime, now: OffsetDateTime },
    #[error("the token was issued in the future (iat): at {}, and it is {}; expected clocks that agree (to {} s)", utc(*at), utc(*now), SKEW.whole_seconds())]
    IssuedInFuture { at: OffsetDateTime, now: OffsetDateTime },
    #[error("the token is older than this login (iat): of {}, and the login began at {}; expected a new one, or clocks that agree", utc(*at), utc(*begun))]
    Stale { at: OffsetDateTime, begun: OffsetDateTime },
    #[error("the token answers another login (nonce)")]
    Nonce,
    #[error("the token's `sub` is empty, too long or not printable")]
    Subject,
}

/// Text of a token as it may be shown.
pub(in crate::authn) fn shown(text: &str) -> String {
    let mut characters = text.chars().filter(|c| !unprintable(*c));
    let mut short: String = characters.by_ref().take(LONGEST_SHOWN).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    format!("`{short}`")
}

/// Texts of a token as they may be shown.
pub(in crate::authn) fn all_of(texts: &[String]) -> String {
    match texts {
        [] => "none".to_owned(),
        [one] => shown(one),
        several => several
            .iter()
            .take(4)
            .map(|text| shown(text))
            .collect::<Vec<_>>()
            .join(" and "),
    }
}

fn any_of(algorithms: &[Algorithm]) -> String {
    let names: Vec<_> = algorithms.iter().map(|algorithm| format!("{algorithm:?}")).collect();
    names.join(" or ")
}

fn of_kid(kid: Option<&str>) -> String {
    kid.map_or_else(|| "without a kid".to_owned(), |kid| format!("kid {}", shown(kid)))
}

fn utc(time: OffsetDateTime) -> String {
    time.replace_nanosecond(0)
        .unwrap_or(time)
        .format(&Rfc3339)
        .unwrap_or_else(|_| time.unix_timestamp().to_string())
}
