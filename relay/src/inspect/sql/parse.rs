//! The one place that calls the grammar. Limits come first: memory and time of a parse are bounded by bytes and tokens.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pg_raw_parse::{Node, ParseResult};

use super::Problem;

/// The longest text that is given to the grammar.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// The most tokens where nothing else is said, as for the queries of views: a token is up to some 200 bytes of tree, so that a
/// parse stays below 200 MB.
pub(super) const MAX_TOKENS: usize = 1_000_000;

/// A parsed text. Its nodes live as long as it does.
pub(super) struct Parsed(ParseResult);

impl Parsed {
    /// Its statements, with their byte ranges in a text of `length` bytes.
    pub(super) fn statements(&self, length: usize) -> impl Iterator<Item = (Node<'_>, Range<usize>)> {
        self.0.iter().map(move |raw| {
            let start = usize::try_from(raw.stmt_location).unwrap_or(0).min(length);
            let end = match usize::try_from(raw.stmt_len) {
                // 0: to the end of the text.
                Ok(0) | Err(_) => length,
                Ok(len) => start.saturating_add(len).min(length),
            };
            (raw.stmt(), start..end)
        })
    }
}

/// Parses a text.
///
/// # Errors
/// What the grammar refuses, and what is too long or has more tokens than `most`.
pub(super) fn parse(text: &str, most: usize) -> Result<Parsed, Problem> {
    if text.len() > MAX_BYTES {
        return Err(Problem::TooLong);
    }
    if tokens(text.as_bytes()) > most {
        return Err(Problem::TooComplex);
    }
    // The grammar's own errors are values; the guard is for assertions of the binding.
    match catch_unwind(AssertUnwindSafe(|| pg_raw_parse::parse(text))) {
        Ok(Ok(result)) => Ok(Parsed(result)),
        Ok(Err(error)) => Err(Problem::Syntax(error.to_string())),
        Err(_) => Err(Problem::TooComplex),
    }
}

/// Counts tokens as the server's scanner splits them, under `standard_conforming_strings = on`. It is a limit, not a reading: where a
/// text is malformed the count may be too high.
fn tokens(text: &[u8]) -> usize {
    let mut count = 0;
    scan(text, |_| count += 1);
    count
}

/// Finds each token's bytes.
fn scan(text: &[u8], mut each: impl FnMut(Range<usize>)) {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let start = at;
        at += match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c | 0x0b => {
                at += 1;
                continue;
            }
            b'-' if rest.starts_with(b"--") => {
                at += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                continue;
            }
            b'/' if rest.starts_with(b"/*") => {
                at += comment(rest);
                continue;
            }
            b'\'' => quoted(rest, b'\'', false),
            b'"' => quoted(rest, b'"', false),
            b'e' | b'E' if rest.get(1) == Some(&b'\'') => 1 + quoted(rest.get(1..).unwrap_or_default(), b'\'', true),
            b'$' => dollar(rest),
            byte if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80 => rest
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_' || **byte == b'$' || **byte >= 0x80)
                .count(),
            _ => 1,
        };
        each(start..at.min(text.len()));
    }
}

/// A text without its comments: the same statement, in the client's own words.
pub(super) fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    scan(text.as_bytes(), |token| {
        let between = text.get(end..token.start).unwrap_or(" ");
        let plain = between.bytes().all(|byte| byte.is_ascii_whitespace());
        out.push_str(if plain { between } else { " " });
        out.push_str(text.get(token.clone()).unwrap_or_default());
        end = token.end;
    });
    out
}

/// The query that reads the rows which a DELETE or an UPDATE writes: its tables and its condition, without what it does to them.
/// `None` for any other text. It is for the planner; nothing is decided by it.
pub(super) fn rows_written(text: &str) -> Option<String> {
    let words = words(text);
    let is = |index: usize, word: &str| {
        let token = words.get(index).and_then(|token| text.get(token.clone()));
        token.is_some_and(|token| token.eq_ignore_ascii_case(word))
    };
    // From here on these words are reserved: at this depth they are nothing but the statement's own.
    let find = |word: &str, from: usize| (from..words.len()).find(|index| is(*index, word));
    let distinct = |index: usize| index.checked_sub(1).is_some_and(|before| is(before, "distinct"));
    let end = find("returning", 0).unwrap_or(words.len());
    let condition = find("where", 0).unwrap_or(end);
    let part = |from: usize, to: usize| {
        let (first, last) = (words.get(from)?, words.get(to.checked_sub(1)?)?);
        text.get(first.start..last.end)
    };
    let (target, others) = if is(0, "delete") && is(1, "from") {
        let using = find("using", 0).filter(|index| *index < condition);
        (part(2, using.unwrap_or(condition))?, using)
    } else if is(0, "update") {
        let set = find("set", 2)?;
        let from = (set..condition).find(|index| is(*index, "from") && !distinct(*index));
        (part(1, set)?, from)
    } else {
        return None;
    };
    let mut query = format!("SELECT FROM {target}");
    if let Some(others) = others {
        query.push_str(", ");
        query.push_str(part(others + 1, condition)?);
    }
    if condition < end {
        query.push(' ');
        query.push_str(part(condition, end)?);
    }
    Some(query)
}

/// The tokens of a text that stand in no parentheses, of which only what closes them is one.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut depth = 0_usize;
    scan(text.as_bytes(), |token| match text.as_bytes().get(token.start) {
        Some(b'(') => depth += 1,
        Some(b')') => {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                words.push(token);
            }
        }
        Some(b';') => {}
        _ if depth == 0 => words.push(token),
        _ => {}
    });
    words
}

/// CREATE FOREIGN TABLE, for which the binding has no node: the same without FOREIGN and SERVER, which is a CREATE TABLE. `None` where
/// the text is none.
pub(super) fn foreign_table(text: &str) -> Option<Parsed> {
    let words = words(text);
    let is = |token: &Range<usize>, word: &str| {
        text.get(token.clone())
            .is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    let [create, foreign, table, rest @ ..] = words.as_slice() else {
        return None;
    };
    if !(is(create, "create") && is(foreign, "foreign") && is(table, "table")) {
        return None;
    }
    // A table may be called so too: then what stands before it is no statement.
    rest.iter().filter(|token| is(token, "server")).find_map(|server| {
        let (before, after) = (text.get(..foreign.start)?, text.get(foreign.end..server.start)?);
        let parsed = parse(&format!("{before}{after}"), MAX_TOKENS).ok()?;
        let is_table = matches!(parsed.statements(0).next(), Some((Node::CreateStmt(_), _)));
        (is_table && parsed.statements(0).count() == 1).then_some(parsed)
    })
}

/// The length of a literal or quoted name that starts at its quote.
fn quoted(rest: &[u8], quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while let Some(&byte) = rest.get(at) {
        at += 1;
        if byte == b'\\' && escapes {
            at += 1;
        } else if byte == quote {
            break;
        }
    }
    at.min(rest.len().max(1))
}

/// The length of a dollar-quoted literal, a parameter, or 1.
fn dollar(rest: &[u8]) -> usize {
    let tag = rest
        .iter()
        .skip(1)
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_' || **byte >= 0x80)
        .count();
    if rest.get(1).is_some_and(u8::is_ascii_digit) {
        return 1 + tag;
    }
    match (rest.get(..tag + 2), rest.get(tag + 2..)) {
        (Some(open), Some(body)) if open.ends_with(b"$") => match memchr::memmem::find(body, open) {
            Some(end) => open.len() + end + open.len(),
            None => rest.len(),
        },
        _ => 1,
    }
}

/// The length of a comment, which may hold others.
fn comment(rest: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        let here = rest.get(at..).unwrap_or_default();
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // Tests state what must be there.
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_write_are_what_it_names_and_its_condition() {
        for (text, rows) in [
            ("DELETE FROM orders", Some("SELECT FROM orders")),
            (
                "delete from only shop.orders o where (o.id) = $1 returning *;",
                Some("SELECT FROM only shop.orders o where (o.id) = $1"),
            ),
            (
                "DELETE FROM a USING b JOIN c USING (id) WHERE a.id = b.id",
                Some("SELECT FROM a, b JOIN c USING (id) WHERE a.id = b.id"),
            ),
            (
                "UPDATE orders AS o SET (a, b) = (SELECT 1, 2 FROM d WHERE x), c = c IS DISTINCT FROM 4 WHERE id IN (1, 2)",
                Some("SELECT FROM orders AS o WHERE id IN (1, 2)"),
            ),
            (
                "UPDATE \"where\" SET a = 'from' FROM b WHERE true RETURNING (a)",
                Some("SELECT FROM \"where\", b WHERE true"),
            ),
            ("UPDATE set SET a = 1", Some("SELECT FROM set")),
            ("DELETE FROM", None),
            ("UPDATE", None),
            ("SELECT 1 FROM a WHERE b", None),
            ("WITH x AS (SELECT 1) DELETE FROM a", None),
            ("", None),
        ] {
            assert_eq!(rows_written(text).as_deref(), rows, "{text}");
        }
    }

    #[test]
    fn tokens_are_counted_as_the_scanner_splits() {
        for (text, count) in [
            ("", 0),
            ("select 1", 2),
            ("select 'a,b,c;d'", 2),
            // Two where the scanner has one.
            ("select 'a,b,c;''d'", 3),
            (r"select E'\', 1, 2'", 2),
            ("select $a$ 1, 2, 3 $a$, $1", 4),
            ("select /* 1 /* 2 */ 3 */ x -- y z", 2),
            ("\"a b\".c", 3),
            ("'unfinished", 1),
            ("$", 1),
        ] {
            assert_eq!(tokens(text.as_bytes()), count, "{text}");
        }
    }

    #[test]
    fn comments_go_and_nothing_else() {
        for (text, without) in [
            ("select 1 -- one\n + 2", "select 1 + 2"),
            (
                "/* a /* b */ */ select '--x', \"/*\", $$ /* y */ $$ -- end",
                " select '--x', \"/*\", $$ /* y */ $$",
            ),
            ("select 'ä' /* ü */ , 1", "select 'ä' , 1"),
            ("select E'\\'--' , 1", "select E'\\'--' , 1"),
        ] {
            assert_eq!(without_comments(text), without);
        }
    }

    #[test]
    fn limits_come_before_the_grammar() {
        assert!(matches!(parse(&"1,".repeat(50), 99), Err(Problem::TooComplex)));
        assert!(matches!(
            parse(&" ".repeat(MAX_BYTES + 1), MAX_TOKENS),
            Err(Problem::TooLong)
        ));
    }

    #[test]
    fn hostile_texts_are_refused_not_fatal() {
        for text in [
            "select E'\\xff'",
            "select U&'\\d800'",
            "select \"",
            "select 'a\0b'",
            "select E'\\377\\376'",
        ] {
            let _ = parse(text, MAX_TOKENS);
        }
        let deep = format!("select {}1{}", "(".repeat(10_000), ")".repeat(10_000));
        let _ = parse(&deep, MAX_TOKENS);
        let chain = format!("select 1{}", " + 1".repeat(100_000));
        assert!(parse(&chain, MAX_TOKENS).is_ok());
    }

    #[test]
    fn spans_point_at_each_statement() {
        let text = "select 1; /* x */ select 2";
        let parsed = parse(text, MAX_TOKENS).unwrap();
        let spans: Vec<&str> = parsed
            .statements(text.len())
            .map(|(_, span)| text.get(span).unwrap().trim())
            .collect();
        assert_eq!(spans.len(), 2);
        assert!(spans[1].ends_with("select 2"));
    }
}
