//! An issuer's keys (RFC 7517). Only asymmetric ones are kept, each with the algorithms that it fits; a token's `kid` is
//! no more than a name to look them up by.

use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

/// Keys that are kept of one set. Issuers publish some few.
const MOST_KEYS: usize = 100;

/// A key set. What is in it was published by the issuer at its own address.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    shape: Shape,
    /// The only algorithm that the issuer uses it with, if it says so.
    algorithm: Option<Algorithm>,
    key: DecodingKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Shape {
    const fn fits(self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512 => matches!(self, Self::Rsa),
            Algorithm::ES256 => matches!(self, Self::P256),
            Algorithm::ES384 => matches!(self, Self::P384),
            Algorithm::EdDSA => matches!(self, Self::Ed25519),
            _ => false,
        }
    }
}

/// Why no key of a set is used for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// None has this `kid`, or fits at all.
    Unknown,
    /// Several fit.
    Ambiguous,
}

impl Keys {
    /// Reads a key set. Keys that are symmetric, for encryption, of an unknown kind or damaged are left out.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let set: Value = serde_json::from_slice(bytes).ok()?;
        let keys = set.get("keys")?.as_array()?;
        Some(Self(
            keys.iter()
                .filter_map(|key| read_key(key.as_object()?))
                .take(MOST_KEYS)
                .collect(),
        ))
    }

    /// Finds the one key for a token's algorithm and `kid`.
    pub(super) fn find(&self, algorithm: Algorithm, kid: Option<&str>) -> Result<&DecodingKey, NoKey> {
        let mut fitting = self.0.iter().filter(|key| {
            key.shape.fits(algorithm)
                && key.algorithm.is_none_or(|only| only == algorithm)
                && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid))
        });
        match (fitting.next(), fitting.next()) {
            (None, _) => Err(NoKey::Unknown),
            (Some(key), None) => Ok(&key.key),
            (Some(_), Some(_)) => Err(NoKey::Ambiguous),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Reads the name of a signature algorithm that may be configured: an asymmetric one.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        "RS256" => Some(Algorithm::RS256),
        "RS384" => Some(Algorithm::RS384),
        "RS512" => Some(Algorithm::RS512),
        "PS256" => Some(Algorithm::PS256),
        "PS384" => Some(Algorithm::PS384),
        "PS512" => Some(Algorithm::PS512),
        "ES256" => Some(Algorithm::ES256),
        "ES384" => Some(Algorithm::ES384),
        "EdDSA" => Some(Algorithm::EdDSA),
        _ => None,
    }
}

fn read_key(jwk: &Map<String, Value>) -> Option<Key> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|usage| usage != "sig") {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops").and_then(Value::as_array)
        && !operations.iter().any(|operation| operation == "verify")
    {
        return None;
    }
    // A key for an algorithm that is never accepted is left out, symmetric ones among them.
    let only = match text("alg") {
        Some(name) => Some(algorithm(name)?),
        None => None,
    };
    let (shape, key) = match (text("kty")?, text("crv")) {
        ("RSA", _) => (Shape::Rsa, DecodingKey::from_rsa_components(text("n")?, text("e")?)),
        ("EC", Some("P-256")) => (Shape::P256, DecodingKey::from_ec_components(text("x")?, text("y")?)),
        ("EC", Some("P-384")) => (Shape::P384, DecodingKey::from_ec_components(text("x")?, text("y")?)),
        ("OKP", Some("Ed25519")) => (Shape::Ed25519, DecodingKey::from_ed_components(text("x")?)),
        _ => return None,
    };
    Some(Key {
        kid: text("kid").map(str::to_owned),
        shape,
        algorithm: only,
        key: key.ok()?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    fn ec(kid: &str) -> Value {
        json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": "AAAA", "y": "AAAA"})
    }

    fn keys(keys: &[Value]) -> Keys {
        Keys::read(&serde_json::to_vec(&json!({ "keys": keys })).unwrap()).unwrap()
    }

    #[test]
    fn symmetric_and_foreign_keys_are_left_out() {
        let mut for_encryption = ec("enc");
        for_encryption["use"] = "enc".into();
        let mut to_sign = ec("sign");
        to_sign["key_ops"] = json!(["sign"]);
        let mut hmac_alg = ec("hmac");
        hmac_alg["alg"] = "HS256".into();
        let set = keys(&[
            json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0", "alg": "HS256"}),
            json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0"}),
            json!({"kty": "RSA", "kid": "a", "e": "AQAB"}),
            json!({"kty": "EC", "kid": "a", "crv": "secp256k1", "x": "AAAA", "y": "AAAA"}),
            json!({"kty": "NEW", "kid": "a"}),
            json!("text"),
            for_encryption,
            to_sign,
            hmac_alg,
        ]);
        assert_eq!(set.len(), 0);
        assert!(Keys::read(b"{}").is_none());
        assert!(Keys::read(b"<html>").is_none());
    }

    #[test]
    fn a_key_is_found_by_algorithm_and_kid() {
        let mut pinned = ec("pinned");
        pinned["alg"] = "ES256".into();
        let set = keys(&[
            ec("one"),
            pinned,
            json!({"kty": "RSA", "kid": "one", "n": "AAAA", "e": "AQAB"}),
        ]);
        assert!(set.find(Algorithm::ES256, Some("one")).is_ok());
        assert!(set.find(Algorithm::RS256, Some("one")).is_ok());
        assert!(set.find(Algorithm::RS256, None).is_ok());
        assert_eq!(set.find(Algorithm::ES384, Some("one")).unwrap_err(), NoKey::Unknown);
        assert_eq!(set.find(Algorithm::ES256, Some("two")).unwrap_err(), NoKey::Unknown);
        assert_eq!(set.find(Algorithm::ES256, None).unwrap_err(), NoKey::Ambiguous);
        assert_eq!(set.find(Algorithm::RS256, Some("pinned")).unwrap_err(), NoKey::Unknown);
    }

    #[test]
    fn two_keys_of_one_kid_are_ambiguous() {
        let set = keys(&[ec("one"), ec("one")]);
        assert_eq!(set.find(Algorithm::ES256, Some("one")).unwrap_err(), NoKey::Ambiguous);
    }

    #[test]
    fn only_asymmetric_algorithms_can_be_named() {
        for name in ["none", "HS256", "HS384", "HS512", "rs256", "RS256 ", "A128KW", ""] {
            assert!(algorithm(name).is_none(), "{name}");
        }
    }
}
