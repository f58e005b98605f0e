//! Ids of sessions, requests and logins: short enough to type, random enough not to be guessed in practice. They name, they never authorise.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Crockford's base 32 in lower case: no letter is taken for a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters behind the prefix: 60 random bits.
const LENGTH: usize = 12;

/// An id that is not of the form `PREFIX-xxxxxxxxxxxx`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an id: expected `{0}-` and 12 characters of 0-9 a-z")]
pub struct InvalidId(&'static str);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Makes a new random id.
            ///
            /// # Errors
            /// The system has no randomness.
            pub fn random() -> Result<Self, getrandom::Error> {
                random($prefix).map(Self)
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                valid($prefix, text).then(|| Self(text.to_owned())).ok_or(InvalidId($prefix))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                if valid($prefix, &text) { Ok(Self(text)) } else { Err(InvalidId($prefix)) }
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}

ids! {
    /// A session: `s-…`.
    SessionId = "s";
    /// A request: `r-…`.
    RequestId = "r";
}

fn random(prefix: &str) -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; LENGTH];
    getrandom::fill(&mut bytes)?;
    let mut text = format!("{prefix}-");
    text.extend(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])));
    Ok(text)
}

fn valid(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|rest| rest.len() == LENGTH && rest.bytes().all(|byte| ALPHABET.contains(&byte)))
}
