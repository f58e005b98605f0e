//! `[[mask]]`: what is replaced in results.

use super::connection::Connection;
use super::reader::Section;
use super::value::Item;
use crate::mask::ColumnPattern;

/// `[[mask]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskRule {
    /// What it masks.
    pub what: MaskWhat,
    /// How.
    pub with: MaskWith,
    /// Connection name patterns (`*`); empty: all.
    pub connections: Vec<String>,
}

/// What a mask rule finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaskWhat {
    /// `table.column`, `schema.table.column`, with `*` in any part.
    Columns(Vec<String>),
    /// Detectors by name.
    Detect(Vec<Detector>),
}

/// How a value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MaskWith {
    /// A constant.
    Redact,
    /// All but the last characters.
    Partial {
        /// How many stay (default 4).
        keep_last: usize,
    },
    /// A keyed hash.
    Hash,
    /// NULL.
    Null,
}

/// A content detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// An e-mail address.
    Email,
    /// A payment card number, by Luhn.
    CreditCard,
    /// A US social security number.
    UsSsn,
    /// An IBAN, by mod 97.
    Iban,
    /// A telephone number.
    Phone,
    /// A JSON Web Token.
    Jwt,
    /// A PEM private key.
    PrivateKey,
    /// An AWS access key.
    AwsKey,
    /// A GitHub token.
    GithubToken,
    /// The value of a field called password, secret, token, …
    PasswordField,
}

/// The detectors' names.
pub const DETECTORS: &[&str] = &[
    "email",
    "credit_card",
    "us_ssn",
    "iban",
    "phone",
    "jwt",
    "private_key",
    "aws_key",
    "github_token",
    "password_field",
];
/// What `partial` shows where the rule says nothing.
const DEFAULT_KEEP_LAST: usize = 4;
/// More than this is no mask.
const MOST_KEEP_LAST: usize = 16;

pub(super) fn rule(mut section: Section<'_>, connections: &[std::sync::Arc<Connection>]) -> Option<MaskRule> {
    let (columns, detect) = (section.get("columns"), section.get("detect"));
    let has_fields = section.has("fields");
    section.unsupported("fields", "leave the rule out; it belongs to Kubernetes connections");
    let what = match (columns, detect) {
        (Some(item), None) => column_patterns(&item).map(MaskWhat::Columns),
        (None, Some(item)) => detectors(&item).map(MaskWhat::Detect),
        (Some(_), Some(_)) => {
            section.error("a mask has `columns` or `detect`, not both: write two masks");
            None
        }
        (None, None) if has_fields => None,
        (None, None) => {
            section.error("a mask needs `columns` or `detect`");
            None
        }
    };
    let with = with(&mut section);
    let patterns = section.get("connections").map_or_else(
        || Some(Vec::new()),
        |item| {
            for pattern in item.list()? {
                let Some(text) = pattern.text() else { continue };
                if !connections
                    .iter()
                    .any(|connection| pattern_matches(text, &connection.name))
                {
                    pattern.warn(format!("`{text}` is the name of no connection here"));
                }
            }
            item.texts()
        },
    );
    section.finish();
    Some(MaskRule {
        what: what?,
        with: with?,
        connections: patterns?,
    })
}

fn with(section: &mut Section<'_>) -> Option<MaskWith> {
    let word = section.need("with").and_then(|item| {
        item.word(&[
            ("redact", MaskWith::Redact),
            (
                "partial",
                MaskWith::Partial {
                    keep_last: DEFAULT_KEEP_LAST,
                },
            ),
            ("hash", MaskWith::Hash),
            ("null", MaskWith::Null),
        ])
    });
    let Some(keep) = section.get("keep_last") else {
        return word;
    };
    let keep_last = keep.number(1..=MOST_KEEP_LAST)?;
    match word? {
        MaskWith::Partial { .. } => Some(MaskWith::Partial { keep_last }),
        _ => {
            keep.error("`keep_last` is only used with = \"partial\"");
            None
        }
    }
}

fn column_patterns(item: &Item<'_>) -> Option<Vec<String>> {
    for pattern in item.list()? {
        let Some(text) = pattern.text() else { continue };
        if let Err(error) = ColumnPattern::parse(text) {
            let problem = pattern.problem(format!("`{text}` does not name a column: {}", error.problem));
            pattern.reader().report(
                problem.hint("write table.column or schema.table.column; `*` stands for any characters of a part"),
            );
        }
    }
    item.texts()
}

fn detectors(item: &Item<'_>) -> Option<Vec<Detector>> {
    let mut found: Vec<Detector> = Vec::new();
    for item in item.list()? {
        let Some(detector) = item.named(DETECTORS) else {
            continue;
        };
        if found.contains(&detector) {
            item.error("this detector stands twice");
        } else {
            found.push(detector);
        }
    }
    Some(found)
}

/// Whether a pattern, in which `*` stands for any characters, matches the whole of a name.
pub fn pattern_matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(first) = parts.next() else { return false };
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    // Without a star the whole name was the first part.
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name) in [
            ("db-*", "db-prod"),
            ("*", ""),
            ("*", "x"),
            ("a*b*c", "a1b2b3c"),
            ("**", "x"),
            ("db", "db"),
            ("*a", "aa"),
        ] {
            assert!(pattern_matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("db-*", "db"),
            ("db", "db2"),
            ("", "x"),
            ("a*a", "a"),
            ("*b", "bc"),
            ("a*b*c", "acb"),
        ] {
            assert!(!pattern_matches(pattern, name), "{pattern} {name}");
        }
    }
}
