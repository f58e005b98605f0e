//! The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) for one random password. Pure: texts go in, texts come out.
//!
//! [`Verifier`] → [`Verifier::challenge`] → [`Challenge::verify`] → the server's signature. Each is used once for each client.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hoop_shared::refusal::Code;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::error::{Error, Result};

/// Rounds of PBKDF2: the least that clients accept (RFC 7677, section 4). The password is random, so more would add nothing.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
/// Bytes of the salt.
const SALT: usize = 16;
/// Bytes of the server's part of the nonce.
const NONCE: usize = 18;
/// Bytes of the client's part that are accepted; libpq sends 24.
const MAX_CLIENT_NONCE: usize = 256;
/// Bytes of SHA-256.
const HASH: usize = digest::SHA256_OUTPUT_LEN;
/// Bytes of a one-time password: 128 bits.
const PASSWORD: usize = 16;

/// Makes a one-time password: 128 random bits in hexadecimal digits, which need no encoding anywhere.
///
/// # Errors
/// The system has no randomness.
pub fn one_time_password() -> Result<SecretString> {
    let bytes = random::<PASSWORD>()?;
    Ok(SecretString::from(
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    ))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::new(Code::Failed, error.to_string()))?;
    Ok(bytes)
}

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// Its message is none of SCRAM's.
    #[error("malformed SCRAM message")]
    Malformed,
    /// It wants what is not offered: channel binding, another identity, an extension.
    #[error("unsupported SCRAM option")]
    Unsupported,
    /// It does not know the password.
    #[error("password authentication failed")]
    WrongPassword,
    /// The system has no randomness.
    #[error("no randomness")]
    NoRandomness,
}

/// What is known of a password: enough to check it, not enough to use it.
pub struct Verifier {
    salt: [u8; SALT],
    stored_key: [u8; HASH],
    server_key: hmac::Key,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    /// Makes the verifier of a password with a fresh salt. The password is ASCII, so SASLprep leaves it as it is.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn of(password: &SecretString) -> Result<Self> {
        Ok(Self::with_salt(password.expose_secret().as_bytes(), random()?))
    }

    fn with_salt(password: &[u8], salt: [u8; SALT]) -> Self {
        let mut salted = zeroize::Zeroizing::new([0_u8; HASH]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password, &mut *salted);
        let salted = hmac::Key::new(hmac::HMAC_SHA256, &*salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        Self {
            salt,
            stored_key: sha256(client_key.as_ref()),
            server_key: hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&salted, b"Server Key").as_ref()),
        }
    }

    /// Answers a client's first message.
    ///
    /// # Errors
    /// It is malformed or asks for what is not offered.
    pub fn challenge(&self, client_first: &str) -> Result<Challenge<'_>, ScramError> {
        let nonce = random::<NONCE>().map_err(|_| ScramError::NoRandomness)?;
        self.challenge_with(client_first, &STANDARD.encode(nonce))
    }

    fn challenge_with(&self, client_first: &str, server_nonce: &str) -> Result<Challenge<'_>, ScramError> {
        let (binding, rest) = client_first.split_once(',').ok_or(ScramError::Malformed)?;
        // `y`: could bind, and believes that we cannot, which is so. `p=`: insists.
        if binding != "n" && binding != "y" {
            return Err(if binding.starts_with("p=") {
                ScramError::Unsupported
            } else {
                ScramError::Malformed
            });
        }
        let (identity, bare) = rest.split_once(',').ok_or(ScramError::Malformed)?;
        if !identity.is_empty() {
            return Err(ScramError::Unsupported);
        }
        let mut attributes = bare.split(',');
        // PostgreSQL takes the user from the startup packet; the name here is empty or anything.
        let name = attributes.next().unwrap_or_default();
        if name.starts_with("m=") {
            return Err(ScramError::Unsupported);
        }
        if !name.starts_with("n=") {
            return Err(ScramError::Malformed);
        }
        let client_nonce = attributes
            .next()
            .and_then(|nonce| nonce.strip_prefix("r="))
            .ok_or(ScramError::Malformed)?;
        let fits = (1..=MAX_CLIENT_NONCE).contains(&client_nonce.len())
            && client_nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return Err(ScramError::Malformed);
        }
        let nonce = format!("{client_nonce}{server_nonce}");
        let message = format!("r={nonce},s={},i={ITERATIONS}", STANDARD.encode(self.salt));
        Ok(Challenge {
            verifier: self,
            binding: STANDARD.encode(format!("{binding},,")),
            signed: format!("{bare},{message}"),
            nonce,
            message,
        })
    }
}

/// What a client must answer.
#[derive(Debug)]
pub struct Challenge<'a> {
    verifier: &'a Verifier,
    /// The client's first choice, which it must repeat.
    binding: String,
    nonce: String,
    /// What the proof is over, as far as it is known.
    signed: String,
    message: String,
}

impl Challenge<'_> {
    /// The server's first message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Checks a client's final message; gives the server's.
    ///
    /// # Errors
    /// It is malformed, belongs to another exchange, or proves another password.
    pub fn verify(self, client_final: &str) -> Result<String, ScramError> {
        let (without_proof, proof) = client_final.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes
            .next()
            .and_then(|binding| binding.strip_prefix("c="))
            .ok_or(ScramError::Malformed)?;
        let nonce = attributes
            .next()
            .and_then(|nonce| nonce.strip_prefix("r="))
            .ok_or(ScramError::Malformed)?;
        if binding != self.binding || nonce != self.nonce {
            return Err(ScramError::Malformed);
        }
        let proof = STANDARD.decode(proof).map_err(|_| ScramError::Malformed)?;
        let signed = format!("{},{without_proof}", self.signed);
        let stored = hmac::Key::new(hmac::HMAC_SHA256, &self.verifier.stored_key);
        let signature = hmac::sign(&stored, signed.as_bytes());
        if proof.len() != HASH {
            return Err(ScramError::Malformed);
        }
        let client_key: Vec<u8> = proof
            .iter()
            .zip(signature.as_ref())
            .map(|(proof, signature)| proof ^ signature)
            .collect();
        if !bool::from(sha256(&client_key).ct_eq(&self.verifier.stored_key)) {
            return Err(ScramError::WrongPassword);
        }
        Ok(format!(
            "v={}",
            STANDARD.encode(hmac::sign(&self.verifier.server_key, signed.as_bytes()))
        ))
    }
}

fn sha256(bytes: &[u8]) -> [u8; HASH] {
    let mut hash = [0_u8; HASH];
    for (to, from) in hash.iter_mut().zip(digest::digest(&digest::SHA256, bytes).as_ref()) {
        *to = *from;
    }
    hash
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

    use super::*;

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_example_of_the_standard_is_verified() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let verifier = Verifier::with_salt(b"pencil", salt);
        let challenge = verifier
            .challenge_with("n,,n=user,r=rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
            .unwrap();
        assert_eq!(
            challenge.message(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = challenge
            .verify("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
            .unwrap();
        assert_eq!(last, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    fn exchange(password: &SecretString, tried: &[u8]) -> Result<(), ScramError> {
        let verifier = Verifier::of(password).unwrap();
        let mut client = ScramSha256::new(tried, ChannelBinding::unsupported());
        let challenge = verifier.challenge(std::str::from_utf8(client.message()).unwrap())?;
        client.update(challenge.message().as_bytes()).unwrap();
        let last = challenge.verify(std::str::from_utf8(client.message()).unwrap())?;
        client.finish(last.as_bytes()).unwrap();
        Ok(())
    }

    #[test]
    fn another_implementation_gets_in_with_the_password_alone() {
        let password = one_time_password().unwrap();
        assert_eq!(password.expose_secret().len(), 32);
        assert_eq!(exchange(&password, password.expose_secret().as_bytes()), Ok(()));
        assert_eq!(exchange(&password, b""), Err(ScramError::WrongPassword));
        assert_eq!(exchange(&password, b"x"), Err(ScramError::WrongPassword));
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        let verifier = Verifier::with_salt(b"x", [0; SALT]);
        for (first, error) in [
            ("p=tls-server-end-point,,n=,r=a", ScramError::Unsupported),
            ("n,a=other,n=,r=a", ScramError::Unsupported),
            ("n,,m=ext,n=,r=a", ScramError::Unsupported),
            ("", ScramError::Malformed),
            ("n", ScramError::Malformed),
            ("n,", ScramError::Malformed),
            ("n,,", ScramError::Malformed),
            ("n,,n=", ScramError::Malformed),
            ("n,,n=,r=", ScramError::Malformed),
            ("n,,n=,r=a\u{7f}", ScramError::Malformed),
            ("x,,n=,r=a", ScramError::Malformed),
        ] {
            assert_eq!(verifier.challenge(first).err(), Some(error), "{first:?}");
        }
        assert!(verifier.challenge(&format!("n,,n=,r={}", "a".repeat(257))).is_err());
    }

    #[test]
    fn a_final_message_must_belong_to_this_exchange() {
        let verifier = Verifier::with_salt(b"x", [0; SALT]);
        let proof = STANDARD.encode([0; HASH]);
        for last in [
            String::new(),
            format!("c=biws,r=aN,p={}", STANDARD.encode([0; 31])),
            format!("c=biws,r=aN,p=!{proof}"),
            format!("c=eSws,r=aN,p={proof}"),
            format!("c=biws,r=a,p={proof}"),
            format!("r=aN,p={proof}"),
        ] {
            let challenge = verifier.challenge_with("n,,n=,r=a", "N").unwrap();
            assert_eq!(challenge.verify(&last), Err(ScramError::Malformed), "{last}");
        }
        let challenge = verifier.challenge_with("n,,n=,r=a", "N").unwrap();
        assert_eq!(
            challenge.verify(&format!("c=biws,r=aN,p={proof}")),
            Err(ScramError::WrongPassword)
        );
    }
}
