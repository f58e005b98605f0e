//! `INSERT INTO t (a, password) VALUES (…, 'x')`: which place of a row is a secret's, by the list of columns.

use super::super::detect::is_secret_name;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Elsewhere,
    /// Behind INSERT.
    Table,
    /// In the list of columns.
    Names,
    /// Behind the list.
    Listed,
    /// Behind VALUES, in so many parentheses.
    Values(usize),
}

/// Follows one statement's tokens.
#[derive(Debug, Default)]
pub(super) struct InsertColumns {
    at: At,
    secret: Vec<bool>,
    place: usize,
}

impl InsertColumns {
    /// Takes a word, without quotes.
    pub(super) fn word(&mut self, word: &[u8]) {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        self.at = match self.at {
            _ if is("insert") => {
                self.secret.clear();
                At::Table
            }
            At::Names => {
                if let Some(last) = self.secret.last_mut() {
                    *last |= is_secret_name(word);
                }
                At::Names
            }
            At::Listed if is("values") => At::Values(0),
            At::Listed if is("select") => At::Elsewhere,
            At::Values(0) => At::Elsewhere,
            at => at,
        };
    }

    /// Takes a symbol.
    pub(super) fn symbol(&mut self, symbol: u8) {
        self.at = match (self.at, symbol) {
            (_, b';') => At::Elsewhere,
            (At::Table, b'(') => {
                self.secret.push(false);
                At::Names
            }
            (At::Names, b',') => {
                self.secret.push(false);
                At::Names
            }
            (At::Names, b')') => At::Listed,
            (At::Values(depth), b'(') => {
                if depth == 0 {
                    self.place = 0;
                }
                At::Values(depth + 1)
            }
            (At::Values(depth), b')') => At::Values(depth.saturating_sub(1)),
            (At::Values(1), b',') => {
                self.place += 1;
                At::Values(1)
            }
            (at, _) => at,
        };
    }

    /// Whether a value that stands here is a secret's.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.at, At::Values(1..)) && self.secret.get(self.place).copied().unwrap_or(false)
    }
}
