//! What a startup message asks for: harmless settings go on to the target, everything else is refused by name.

use std::borrow::Cow;

use hoop_shared::refusal::{Code, Refusal};

use crate::inspect::sql::settings::{Class, classify, fold, is_true};

/// Who the target takes every client of the connection for.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The role.
    pub user: &'a str,
    /// The database.
    pub database: &'a str,
}

/// The settings that go on to the target, names folded, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    settings: Vec<(String, String)>,
    search_path: Option<String>,
}

impl Asked {
    /// The settings, search_path not among them.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// The search_path that the client wants, as the server reads it.
    pub fn search_path(&self) -> Option<&str> {
        self.search_path.as_deref()
    }

    /// Reads the parameters of a startup message, in their order: of one setting the last value counts, as at the server.
    pub(super) fn read(parameters: &[(&str, &str)], identity: Identity<'_>) -> Result<Self, Refusal> {
        let mut asked = Self::default();
        let mut user = None;
        let mut database = None;
        for &(name, value) in parameters {
            match name {
                "user" => user = Some(value),
                "database" => database = Some(value),
                "replication" => replication(value)?,
                "options" => {
                    for (name, value) in options(value)? {
                        asked.set(&name, &value)?;
                    }
                }
                _ if name.starts_with("_pq_.") => {}
                _ => asked.set(name, value)?,
            }
        }
        match user {
            Some(user) if user == identity.user => {}
            Some(user) => {
                return Err(Refusal::new(
                    Code::Unsupported,
                    format!("this connection's role is \"{}\", not \"{user}\"", identity.user),
                )
                .hint("leave the user out, or take the one that hoopctl sets in PGUSER"));
            }
            None => {
                return Err(Refusal::new(
                    Code::ProtocolViolation,
                    "no PostgreSQL user name specified in startup packet",
                ));
            }
        }
        match database.filter(|database| !database.is_empty()) {
            None => {}
            Some(database) if database == identity.database => {}
            Some(database) => {
                return Err(Refusal::new(
                    Code::Unsupported,
                    format!(
                        "this connection's database is \"{}\", not \"{database}\"",
                        identity.database
                    ),
                )
                .hint("leave the database out, or open a connection of the relay that leads to it"));
            }
        }
        Ok(asked)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let name = fold(name).into_owned();
        match classify(&name, Some(value), &[]) {
            Class::Harmless => {
                self.settings.retain(|(known, _)| *known != name);
                self.settings.push((name, value.to_owned()));
                Ok(())
            }
            Class::SearchPath => {
                // Named first, temporary objects would stand before the tables that policies speak of.
                if value.to_ascii_lowercase().contains("pg_temp") {
                    return Err(refused(&name, "pg_temp may not be named in it"));
                }
                self.search_path = Some(value.to_owned());
                Ok(())
            }
            Class::Pinned => Err(refused(&name, "the relay needs its own value for it")),
            Class::Role | Class::Other => Err(refused(
                &name,
                "set it with SET in the session, where policies decide about it",
            )),
        }
    }
}

fn refused(name: &str, why: &str) -> Refusal {
    Refusal::new(
        Code::Blocked,
        format!("the setting \"{name}\" cannot be chosen when connecting"),
    )
    .hint(why)
}

/// A walsender has another grammar, and streams every row in clear.
fn replication(value: &str) -> Result<(), Refusal> {
    let no = ["0", "f", "fa", "fal", "fals", "false", "n", "no", "of", "off"];
    if no.contains(&value.to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    let what = if is_true(value) || value.eq_ignore_ascii_case("database") {
        "replication is not possible over the relay"
    } else {
        "invalid value for parameter \"replication\""
    };
    Err(Refusal::new(Code::Unsupported, what))
}

/// Reads `options` as the server's command line: words by white space, a backslash takes the next character as it is, then
/// `-c name=value` or `--name=value`. In names `-` stands for `_`.
fn options(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    let unknown = |word: &str| {
        Refusal::new(Code::Unsupported, format!("the option \"{word}\" cannot be passed on"))
            .hint("only -c NAME=VALUE and --NAME=VALUE of harmless settings can")
    };
    let words = words(text);
    let mut words = words.iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let assignment: Cow<'_, str> = if word == "-c" || word == "--" {
            words.next().ok_or_else(|| unknown(word))?.into()
        } else if let Some(rest) = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            rest.into()
        } else {
            return Err(unknown(word));
        };
        let (name, value) = assignment.split_once('=').ok_or_else(|| unknown(word))?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(characters.next()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}
