//! Runs: one-shot sessions. Their client may leave an operation that waits for approval, and may name what must never run twice.
//!
//! ```text
//! Welcome { features: ["runs"] }                            the relay knows runs
//! Open { run: Run { idempotency? } }  ─▶
//!            ◀── Opened { mark } | Repeated | Refused       Repeated: the key was used for the same run, which is session N
//! … the operation waits …
//! Detach(session) ─▶                                        its client leaves
//!            ◀── Detached(session)                          what is still in its stream, to its clean end, runs without it
//! ```
//!
//! Inside the stream the relay says what PostgreSQL's messages have no place for in a field of its own of `ErrorResponse` and
//! `NoticeResponse` ([`WORD_FIELD`]); PostgreSQL asks clients to ignore fields that they do not know. A target cannot forge one: each
//! carries the [`mark`](Word::mark) of its session, which no target ever sees.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::id::RequestId;
use crate::refusal::Refusal;

/// What a relay's welcome names when it knows runs.
pub const FEATURE_RUNS: &str = "runs";
/// The field type of a [`Word`]; PostgreSQL's own are letters.
pub const WORD_FIELD: u8 = b'*';
/// The longest idempotency key, in bytes.
pub const LONGEST_KEY: usize = 200;

/// Asks for a session of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What must never run twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<Idempotency>,
}

/// Names a run, so that the same one never happens twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// The name, 1 to [`LONGEST_KEY`] bytes.
    pub key: String,
    /// BLAKE3 of statements and parameters, in hex: another one under the same key is refused.
    pub digest: String,
}

/// Something that the relay says beside PostgreSQL's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The mark of the session: the relay said it, not the target.
    pub mark: String,
    /// What it says.
    pub says: Says,
}

/// What a [`Word`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// The error beside it is a refusal of the gateway.
    Refused(Refusal),
    /// The operation waits for people.
    Held(Held),
    /// So many values of the statement that is done were masked.
    Masked(u64),
    /// So many rows of the statement that is done were not kept.
    Cut(u64),
    /// What the types are that the columns of the next result have, as far as they are not PostgreSQL's own; and those in them.
    Types(Vec<NamedType>),
}

/// A type that the target's people or an extension made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedType {
    /// Its number in `pg_type`.
    pub oid: u32,
    /// `schema.name`, with `[]` behind an array's.
    pub name: String,
    /// What its values are.
    pub values: TypeValues,
}

/// What the values of a type are. Domains are not told: their values are those of the type below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeValues {
    /// Text in a form of their own: an enum, a range, an extension's.
    Text,
    /// Arrays of this type's values.
    Array(u32),
    /// Rows with these columns: names and types.
    Row(Vec<(String, u32)>),
}

/// An operation that waits for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its request.
    pub request: RequestId,
    /// Groups that may decide.
    pub approvers: Vec<String>,
    /// When it ends by itself.
    #[serde(with = "time::serde::rfc3339")]
    pub expires: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::refusal::Code;

    #[test]
    fn a_word_survives_its_json() {
        let held = Held {
            request: "r-0123456789ab".parse().unwrap(),
            approvers: vec!["dba".to_owned()],
            expires: time::macros::datetime!(2026-11-24 03:40:17 UTC),
        };
        for says in [
            Says::Refused(Refusal::new(Code::Blocked, "no").rule("r")),
            Says::Held(held),
            Says::Masked(7),
            Says::Cut(1),
            Says::Types(vec![
                NamedType {
                    oid: 16_400,
                    name: "public.mood".to_owned(),
                    values: TypeValues::Text,
                },
                NamedType {
                    oid: 16_401,
                    name: "public.mood[]".to_owned(),
                    values: TypeValues::Array(16_400),
                },
                NamedType {
                    oid: 16_402,
                    name: "public.pair".to_owned(),
                    values: TypeValues::Row(vec![("a".to_owned(), 23)]),
                },
            ]),
        ] {
            let word = Word {
                mark: "m".to_owned(),
                says,
            };
            let json = serde_json::to_string(&word).unwrap();
            assert_eq!(serde_json::from_str::<Word>(&json).unwrap(), word, "{json}");
        }
    }
}
