//! ID tokens and workload tokens: what is checked before a claim counts (OpenID Connect Core 3.1.3.7, RFC 7519, RFC 8725).
//! One verifier for people and workloads.
//!
//! ```text
//! bytes ─▶ size, three parts ─▶ header: algorithm on the issuer's list ─▶ key by kid ─▶ signature ─▶ claims
//! ```
//!
//! Of the header only `alg`, `kid`, `typ` and `crit` are read: a key that a token brings along (`jwk`, `jku`, `x5u`,
//! `x5c`) is never looked at. The signature is verified by jsonwebtoken over aws-lc-rs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;
use time::{Duration, OffsetDateTime};

use super::json;
use super::keys;
pub(super) use error::TokenError;

pub(super) mod error;

/// The longest token: 16 kB. Entra's with 200 groups has some 10.
const LONGEST: usize = 16_000;
/// The longest `sub`. OpenID Connect allows 255 characters; platforms put whole paths there.
const LONGEST_SUBJECT: usize = 1024;
/// What clocks may differ by.
pub(super) const SKEW: Duration = Duration::seconds(60);
/// NumericDates up to the year 9999.
const LATEST: i64 = 253_402_300_799;

/// A token whose size and form are right and whose algorithm is accepted. Nothing in it is believed yet.
pub(super) struct Unverified<'a> {
    message: &'a str,
    signature: &'a str,
    payload: Vec<u8>,
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
}

/// What a token must say.
pub(super) struct Expected<'a> {
    /// `iss`, exact.
    pub(super) issuer: &'a str,
    /// `aud`: this and no other.
    pub(super) audience: &'a str,
    /// For a person's login.
    pub(super) login: Option<LoginExpected<'a>>,
}

/// What the ID token of a person's login must say besides: `azp`, if there, is the audience.
#[derive(Clone, Copy)]
pub(super) struct LoginExpected<'a> {
    /// When the login began: an older token answers something else.
    pub(super) begun: OffsetDateTime,
    /// The `nonce` that was sent. The device flow sends none, and then there must be none.
    pub(super) nonce: Option<&'a str>,
}

/// A token's claims, all checked but what makes a principal.
#[derive(Clone, Debug)]
pub(super) struct Claims {
    pub(super) subject: String,
    pub(super) expires: OffsetDateTime,
    /// `jti:…`, or `sha256:…` of what was signed.
    pub(super) token: String,
    pub(super) all: Map<String, Value>,
}

/// Reads `iss` and `aud` of a token that nobody has verified, to find whose keys verify it.
pub(super) fn claimed_issuer(token: &str) -> Result<(String, Vec<String>), TokenError> {
    let (_, payload, _) = parts(token)?;
    let claims = decode_object("payload", payload)?;
    Ok((string(&claims, "iss")?.to_owned(), audiences(&claims)?))
}

/// Reads a token's form and header. `accepted` is the issuer's list of algorithms.
pub(super) fn open<'a>(token: &'a str, accepted: &[Algorithm]) -> Result<Unverified<'a>, TokenError> {
    let (header, payload, signature) = parts(token)?;
    let fields = decode_object("header", header)?;
    let named = string(&fields, "alg")?;
    let algorithm = keys::algorithm(named)
        .filter(|algorithm| accepted.contains(algorithm))
        .ok_or_else(|| TokenError::Algorithm {
            has: named.to_owned(),
            accepted: accepted.to_vec(),
        })?;
    if fields.contains_key("crit") {
        return Err(TokenError::Critical);
    }
    // An access token or a logout token of the same issuer is not an ID token (RFC 8725, 3.11).
    match fields.get("typ") {
        None => {}
        Some(Value::String(kind)) if ["jwt", "jose"].contains(&kind.to_ascii_lowercase().as_str()) => {}
        Some(_) => return Err(TokenError::Type),
    }
    let kid = match fields.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.clone()),
        Some(_) => return Err(TokenError::Mistyped("kid")),
    };
    Ok(Unverified {
        message: &token[..header.len() + 1 + payload.len()],
        signature,
        payload: URL_SAFE_NO_PAD.decode(payload).map_err(|_| TokenError::Form)?,
        algorithm,
        kid,
    })
}

impl Unverified<'_> {
    /// Verifies the signature, then every claim that is not about the principal.
    pub(super) fn verify(
        self,
        key: &DecodingKey,
        expected: &Expected<'_>,
        now: OffsetDateTime,
    ) -> Result<Claims, TokenError> {
        match jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), key, self.algorithm) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(TokenError::Signature { kid: self.kid }),
        }
        let claims = read_object("payload", &self.payload)?;
        let issuer = string(&claims, "iss")?;
        if issuer != expected.issuer {
            return Err(TokenError::Issuer {
                has: issuer.to_owned(),
                expected: error::shown(expected.issuer),
            });
        }
        let audiences = audiences(&claims)?;
        if audiences.is_empty() || audiences.iter().any(|audience| audience != expected.audience) {
            return Err(TokenError::Audience {
                has: audiences,
                expected: error::shown(expected.audience),
            });
        }
        let expires = times(&claims, expected, now)?;
        if let Some(login) = expected.login {
            match claims.get("azp") {
                None => {}
                Some(Value::String(party)) if party == expected.audience => {}
                Some(_) => {
                    return Err(TokenError::AuthorizedParty {
                        expected: error::shown(expected.audience),
                    });
                }
            }
            match (login.nonce, claims.get("nonce")) {
                (None, None) => {}
                (Some(_), None) => return Err(TokenError::Missing("nonce")),
                (Some(sent), Some(Value::String(has))) if bool::from(sent.as_bytes().ct_eq(has.as_bytes())) => {}
                (_, Some(_)) => return Err(TokenError::Nonce),
            }
        }
        let subject = string(&claims, "sub")?;
        if subject.is_empty() || subject.len() > LONGEST_SUBJECT || subject.chars().any(unprintable) {
            return Err(TokenError::Subject);
        }
        let token = match claims.get("jti") {
            Some(Value::String(id)) if !id.is_empty() && id.len() <= LONGEST_SUBJECT => format!("jti:{id}"),
            // Of what was signed, not of the token: an ECDSA signature has a second form that verifies too.
            _ => format!("sha256:{}", super::authority::sha256(self.message.as_bytes())),
        };
        Ok(Claims {
            subject: subject.to_owned(),
            expires,
            token,
            all: claims,
        })
    }
}

/// Characters that are not shown or change how their neighbours are shown: controls, and invisible or direction-changing ones.
pub(super) fn unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn times(
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
    now: OffsetDateTime,
) -> Result<OffsetDateTime, TokenError> {
    let expires = time(claims, "exp")?.ok_or(TokenError::Missing("exp"))?;
    if expires + SKEW <= now {
        return Err(TokenError::Expired { at: expires, now });
    }
    if let Some(from) = time(claims, "nbf")?.filter(|from| *from > now + SKEW) {
        return Err(TokenError::NotYet { from, now });
    }
    let issued = time(claims, "iat")?;
    if let Some(at) = issued.filter(|issued| *issued > now + SKEW) {
        return Err(TokenError::IssuedInFuture { at, now });
    }
    if let Some(login) = &expected.login {
        let at = issued.ok_or(TokenError::Missing("iat"))?;
        if at + SKEW < login.begun {
            return Err(TokenError::Stale { at, begun: login.begun });
        }
    }
    Ok(expires)
}

/// A NumericDate: a number of seconds, perhaps with a fraction. Anything else in its place refuses the token.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<OffsetDateTime>, TokenError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let mistyped = TokenError::Mistyped(name);
    let seconds = match value {
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(seconds), _) => seconds,
            #[allow(
                clippy::cast_possible_truncation,
                reason = "the range is checked, the fraction does not count"
            )]
            (None, Some(seconds)) if (0.0..=LATEST as f64).contains(&seconds) => seconds as i64,
            _ => return Err(mistyped),
        },
        _ => return Err(mistyped),
    };
    if !(0..=LATEST).contains(&seconds) {
        return Err(mistyped);
    }
    OffsetDateTime::from_unix_timestamp(seconds)
        .map(Some)
        .map_err(|_| mistyped)
}

fn parts(token: &str) -> Result<(&str, &str, &str), TokenError> {
    if token.len() > LONGEST {
        return Err(TokenError::Size);
    }
    let mut parts = token.split('.');
    let three = (parts.next(), parts.next(), parts.next());
    match (three, parts.count()) {
        ((Some(header), Some(payload), Some(signature)), 0) => Ok((header, payload, signature)),
        (_, 2) => Err(TokenError::Encrypted),
        _ => Err(TokenError::Form),
    }
}

fn decode_object(part: &'static str, text: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Form)?;
    read_object(part, &bytes)
}

fn read_object(part: &'static str, bytes: &[u8]) -> Result<Map<String, Value>, TokenError> {
    json::object(bytes).map_err(|error| TokenError::Json {
        part,
        problem: error.to_string(),
    })
}

fn string<'a>(fields: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, TokenError> {
    match fields.get(name) {
        None => Err(TokenError::Missing(name)),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(TokenError::Mistyped(name)),
    }
}

fn audiences(claims: &Map<String, Value>) -> Result<Vec<String>, TokenError> {
    match claims.get("aud") {
        None => Err(TokenError::Missing("aud")),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(several)) => several
            .iter()
            .map(|audience| audience.as_str().map(str::to_owned).ok_or(TokenError::Mistyped("aud")))
            .collect(),
        Some(_) => Err(TokenError::Mistyped("aud")),
    }
}

#[cfg(test)]
mod tests;
