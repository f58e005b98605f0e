//! Which columns a rule means: `table.column` in every schema, `schema.table.column`, `*` in any part.
//!
//! Names fold as the server folds them: to lower case, unless they stand in double quotes.

/// A pattern of a `[[mask]]`'s `columns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnPattern {
    schema: Option<Part>,
    table: Part,
    column: Part,
}

/// A column pattern that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}`: {problem}")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// A part of a name: literal pieces between `*`s. One piece: the name itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part(Vec<String>);

impl ColumnPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It has not two or three parts, a part is empty, or a quote does not close.
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        let wrong = |problem| PatternError {
            pattern: pattern.to_owned(),
            problem,
        };
        let mut parts = parts(pattern).map_err(wrong)?.into_iter();
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(table), Some(column), None, None) => Ok(Self {
                schema: None,
                table,
                column,
            }),
            (Some(schema), Some(table), Some(column), None) => Ok(Self {
                schema: Some(schema),
                table,
                column,
            }),
            _ => Err(wrong("expected `table.column` or `schema.table.column`")),
        }
    }

    /// Whether it means this column. Names are as the catalog has them.
    pub fn matches(&self, schema: &str, table: &str, column: &str) -> bool {
        self.column.matches(column)
            && self.table.matches(table)
            && self.schema.as_ref().is_none_or(|part| part.matches(schema))
    }
}

impl std::fmt::Display for ColumnPattern {
    /// Writes every name in quotes, so that equal patterns are written equally.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        write!(f, "{}.{}", self.table, self.column)
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut pieces = self.0.iter();
        if let Some(first) = pieces.next() {
            write!(f, "\"{}\"", first.replace('"', "\"\""))?;
        }
        pieces.try_for_each(|piece| write!(f, "*\"{}\"", piece.replace('"', "\"\"")))
    }
}

/// Splits at dots that are not in quotes.
fn parts(pattern: &str) -> Result<Vec<Part>, &'static str> {
    let mut parts = Vec::new();
    let mut pieces = vec![String::new()];
    let mut quoted = false;
    let mut named = false;
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        let piece = pieces.last_mut().ok_or("empty")?;
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => piece.push('"'),
            '"' => {
                quoted = !quoted;
                named = true;
            }
            _ if quoted => piece.push(character),
            '.' if !named => return Err("a part is empty"),
            '.' => {
                parts.push(Part(std::mem::replace(&mut pieces, vec![String::new()])));
                named = false;
            }
            '*' => {
                pieces.push(String::new());
                named = true;
            }
            _ if character.is_whitespace() => return Err("a name with a space in it needs double quotes"),
            _ => {
                piece.push(character.to_ascii_lowercase());
                named = true;
            }
        }
    }
    if quoted {
        return Err("a double quote does not close");
    }
    if !named {
        return Err("a part is empty");
    }
    parts.push(Part(pieces));
    Ok(parts)
}

impl Part {
    fn matches(&self, name: &str) -> bool {
        glob(&self.0, name)
    }
}

/// Matches literal pieces with anything between them: each piece at its first place is enough.
fn glob(pieces: &[String], name: &str) -> bool {
    let Some((first, rest)) = pieces.split_first() else {
        return false;
    };
    let Some((last, middle)) = rest.split_last() else {
        return first == name;
    };
    let Some(mut name) = name.strip_prefix(first.as_str()) else {
        return false;
    };
    for piece in middle {
        match name.find(piece.as_str()) {
            Some(at) => name = &name[at + piece.len()..],
            None => return false,
        }
    }
    name.ends_with(last.as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: (&str, &str, &str)) -> bool {
        ColumnPattern::parse(pattern).unwrap().matches(name.0, name.1, name.2)
    }

    #[test]
    fn a_name_without_schema_means_every_schema() {
        assert!(matches("customers.ssn", ("public", "customers", "ssn")));
        assert!(matches("customers.ssn", ("old", "customers", "ssn")));
        assert!(!matches("customers.ssn", ("public", "customers", "ssn2")));
        assert!(matches("billing.cards.*", ("billing", "cards", "number")));
        assert!(!matches("billing.cards.*", ("public", "cards", "number")));
        assert!(matches("*.password_hash", ("any", "thing", "password_hash")));
    }

    #[test]
    fn a_star_stands_anywhere() {
        assert!(matches("cust*.s*n", ("public", "customers", "ssn")));
        assert!(matches("*cust*.*", ("public", "customers", "ssn")));
        assert!(!matches("a*a.x", ("public", "a", "x")));
        assert!(matches("a*a.x", ("public", "aa", "x")));
    }

    #[test]
    fn names_fold_as_the_server_folds_them() {
        assert!(matches("Customers.SSN", ("public", "customers", "ssn")));
        assert!(!matches("\"Customers\".ssn", ("public", "customers", "ssn")));
        assert!(matches("\"Customers\".ssn", ("public", "Customers", "ssn")));
        assert!(matches("\"a.b\".\"c\"\"*\"", ("public", "a.b", "c\"*")));
    }

    #[test]
    fn a_pattern_is_written_so_that_it_is_read_as_the_same() {
        for pattern in ["customers.ssn", "Cust*.\"S\"\"S\".*n*", "\"a.b\".\"c*\"", "*.*"] {
            let read = ColumnPattern::parse(pattern).unwrap();
            assert_eq!(ColumnPattern::parse(&read.to_string()).unwrap(), read, "{pattern}");
        }
        let written = |pattern: &str| ColumnPattern::parse(pattern).unwrap().to_string();
        assert_eq!(written("Customers.SSN"), written("\"customers\".ssn"));
    }

    #[test]
    fn what_is_no_column_is_an_error() {
        for pattern in ["", "ssn", "a..b", ".a", "a.", "a.b.c.d", "\"a.b", "a b.c"] {
            assert!(ColumnPattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
