//! The settings that a session may change: one list for startup parameters, SET, RESET and set_config.
//!
//! *Harmless*: it changes how values look, how a plan is found or which transactions begin; what they write is judged by itself. *Pinned*: the relay's reading of text or results rests on
//! its value; another value is refused whatever policies say. *Other*: `sql:configure`.
//! Meanings: the manual's chapter on server configuration.

use std::borrow::Cow;

/// What setting something to a value amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `sql:set`.
    Harmless,
    /// Refused, unless the value is the pinned one: then it changes nothing.
    Pinned,
    /// `sql:configure`.
    Other,
    /// search_path: `sql:set` by itself, with rules of its own (constants, alone in its message).
    SearchPath,
    /// role, session_authorization: `sql:set_role`.
    Role,
}

/// Settings whose every value is harmless.
const HARMLESS: &[&str] = &[
    "application_name",
    "bytea_output",
    "check_function_bodies",
    "client_min_messages",
    "constraint_exclusion",
    "cursor_tuple_fraction",
    "datestyle",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "enable_async_append",
    "enable_bitmapscan",
    "enable_gathermerge",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_incremental_sort",
    "enable_indexonlyscan",
    "enable_indexscan",
    "enable_material",
    "enable_memoize",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_parallel_append",
    "enable_parallel_hash",
    "enable_partition_pruning",
    "enable_partitionwise_aggregate",
    "enable_partitionwise_join",
    "enable_seqscan",
    "enable_sort",
    "enable_tidscan",
    "extra_float_digits",
    "force_parallel_mode",
    "geqo",
    "intervalstyle",
    "jit",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "max_parallel_workers_per_gather",
    "plan_cache_mode",
    "quote_all_identifiers",
    "restrict_nonsystem_relation_kind",
    "synchronize_seqscans",
    "timezone",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "xmlbinary",
    "xmloption",
];

/// Whether a value of a pinned setting is the pinned one.
type Allows = fn(&str) -> bool;

/// Settings with one value that is harmless; it is the pinned one where the relay rests on it.
const PINNED: &[(&str, Allows)] = &[
    ("client_encoding", is_utf8),
    ("names", is_utf8),
    ("standard_conforming_strings", is_true),
    ("backslash_quote", is_safe_encoding),
    ("transform_null_equals", is_false),
    ("escape_string_warning", is_boolean),
    ("array_nulls", is_true),
];

/// Timeouts. The session's own default is the longest that may be set; without one, any value is.
const TIMEOUTS: &[&str] = &[
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
];

/// The pins, as startup parameters.
pub const PINS: &[(&str, &str)] = &[
    ("client_encoding", "UTF8"),
    ("standard_conforming_strings", "on"),
    ("backslash_quote", "safe_encoding"),
    ("transform_null_equals", "off"),
];

/// A setting's name as the server compares it: folded to lower case (ASCII), and as the list spells it.
pub fn fold(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// Says what setting `name` to `value` amounts to; `None`: to its default, or the value is not a constant.
///
/// `limits` are the timeouts that the session began with, in milliseconds: a longer one, or none, is `Other`.
pub fn classify(name: &str, value: Option<&str>, limits: &[(String, u64)]) -> Class {
    let name = fold(name);
    let name = name.as_ref();
    match name {
        "search_path" => return Class::SearchPath,
        "role" | "session_authorization" => return Class::Role,
        // Read-only is stricter; the way back is not.
        "transaction_read_only" | "default_transaction_read_only" => {
            return if value.is_none_or(is_true) {
                Class::Harmless
            } else {
                Class::Other
            };
        }
        "row_security" => {
            // pg_dump: an error in place of rows that a policy would leave out.
            return if value.is_some_and(is_boolean) {
                Class::Harmless
            } else {
                Class::Other
            };
        }
        _ => {}
    }
    if let Some((_, allowed)) = PINNED.iter().find(|(pinned, _)| *pinned == name) {
        // The default is the session's reset value, which is the pin.
        return if value.is_none_or(allowed) {
            Class::Harmless
        } else {
            Class::Pinned
        };
    }
    if TIMEOUTS.contains(&name) {
        let Some(value) = value else { return Class::Harmless };
        let limit = limits
            .iter()
            .find(|(limited, _)| limited == name)
            .map_or(0, |(_, limit)| *limit);
        return match milliseconds(value) {
            Some(time) if limit == 0 || time > 0 && time <= limit => Class::Harmless,
            _ => Class::Other,
        };
    }
    if HARMLESS.binary_search(&name).is_ok() || is_custom(name) {
        return Class::Harmless;
    }
    Class::Other
}

/// A setting whose value is pinned by the relay.
pub fn is_pinned(name: &str) -> bool {
    let name = fold(name);
    PINNED.iter().any(|(pinned, _)| *pinned == name)
}

/// Not every value of the setting is harmless, so that a computed one is not.
pub fn depends_on_value(name: &str) -> bool {
    let name = fold(name);
    is_pinned(&name)
        || TIMEOUTS.contains(&name.as_ref())
        || matches!(
            name.as_ref(),
            "row_security" | "transaction_read_only" | "default_transaction_read_only"
        )
}

/// A setting that limits time. Its value may only be shortened; see [`milliseconds`].
pub fn is_timeout(name: &str) -> bool {
    TIMEOUTS.contains(&fold(name).as_ref())
}

/// `a.b`: a setting of an application or extension that no part of the server itself knows. Those of extensions that do more than
/// hold a value are not custom in this sense.
fn is_custom(name: &str) -> bool {
    const PREFIXES: &[&str] = &[
        "auto_explain",
        "autoprewarm",
        "basebackup_to_shell",
        "basic_archive",
        "citus",
        "cron",
        "dblink",
        "file_fdw",
        "isn",
        "passwordcheck",
        "pg_cron",
        "pg_hint_plan",
        "pg_prewarm",
        "pg_stat_statements",
        "pg_trgm",
        "pgaudit",
        "pgsodium",
        "plperl",
        "plpgsql",
        "plpython",
        "plpython3u",
        "pltcl",
        "postgis",
        "postgres_fdw",
        "sepgsql",
        "session_preload_libraries",
        "supautils",
        "timescaledb",
        "vault",
        "anon",
    ];
    let mut parts = name.split('.');
    let Some(first) = parts.next() else { return false };
    let rest: Vec<&str> = parts.collect();
    !rest.is_empty()
        && !PREFIXES.contains(&first)
        && std::iter::once(first).chain(rest).all(|part| {
            part.bytes().enumerate().all(|(at, byte)| {
                byte == b'_' || byte.is_ascii_alphabetic() || at > 0 && (byte.is_ascii_digit() || byte == b'$')
            }) && !part.is_empty()
        })
}

/// A time as the server reads one: a number, a unit (`us ms s min h d`), milliseconds without one.
pub fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let factor = match unit.trim_start() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let time = number.checked_mul(factor)?;
    (time <= i32::MAX as u64).then_some(time)
}

/// Any spelling of UTF8 that the server takes: letters and digits count, case and punctuation do not.
pub fn is_utf8(value: &str) -> bool {
    let letters: String = value
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    letters == "utf8" || letters == "unicode"
}

/// A boolean as the server reads one: a prefix of `true`, `yes`, `on`, or `1`.
pub fn is_true(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    value == "1" || value == "on" || !value.is_empty() && ("true".starts_with(&value) || "yes".starts_with(&value))
}

fn is_false(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    value == "0"
        || matches!(value.as_str(), "of" | "off")
        || !value.is_empty() && ("false".starts_with(&value) || "no".starts_with(&value))
}

fn is_boolean(value: &str) -> bool {
    is_true(value) || is_false(value)
}

fn is_safe_encoding(value: &str) -> bool {
    value.eq_ignore_ascii_case("safe_encoding")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // Tests state what must be there.
mod tests {
    use super::*;

    fn classify(name: &str, value: Option<&str>) -> Class {
        super::classify(name, value, &[])
    }

    #[test]
    fn the_list_is_sorted_and_folded() {
        assert!(HARMLESS.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(HARMLESS.iter().all(|name| fold(name) == *name));
    }

    #[test]
    fn pins_hold_in_every_spelling() {
        for utf8 in ["UTF8", "utf-8", "Utf_8", "'utf8'", "unicode"] {
            assert_eq!(classify("Client_Encoding", Some(utf8)), Class::Harmless, "{utf8}");
        }
        for other in ["SJIS", "BIG5", "GBK", "LATIN1", "SQL_ASCII", "utf16", ""] {
            assert_eq!(classify("client_encoding", Some(other)), Class::Pinned, "{other}");
        }
        assert_eq!(classify("STANDARD_CONFORMING_STRINGS", Some("off")), Class::Pinned);
        assert_eq!(classify("standard_conforming_strings", Some("t")), Class::Harmless);
        assert_eq!(classify("standard_conforming_strings", Some("o")), Class::Pinned);
        assert_eq!(classify("backslash_quote", Some("on")), Class::Pinned);
        assert_eq!(classify("transform_null_equals", Some("1")), Class::Pinned);
    }

    #[test]
    fn timeouts_are_only_shortened() {
        let limits = [("statement_timeout".to_owned(), 10_000)];
        for (value, class) in [
            ("0", Class::Other),
            ("5s", Class::Harmless),
            ("10000", Class::Harmless),
            ("11s", Class::Other),
            ("-1", Class::Other),
            ("5 parsecs", Class::Other),
        ] {
            assert_eq!(
                super::classify("statement_timeout", Some(value), &limits),
                class,
                "{value}"
            );
        }
        assert_eq!(super::classify("statement_timeout", Some("0"), &[]), Class::Harmless);
        assert_eq!(super::classify("lock_timeout", Some("0"), &limits), Class::Harmless);
        assert_eq!(milliseconds("2 min"), Some(120_000));
        assert_eq!(milliseconds("99999999999d"), None);
        assert_eq!(milliseconds(""), None);
    }

    #[test]
    fn what_is_not_listed_is_configured() {
        for name in [
            "session_replication_role",
            "session_preload_libraries",
            "log_statement",
            "dynamic_library_path",
            "lo_compat_privileges",
        ] {
            assert_eq!(classify(name, Some("x")), Class::Other, "{name}");
        }
        assert_eq!(classify("app.tenant", Some("7")), Class::Harmless);
        assert_eq!(classify("plpgsql.extra_errors", Some("all")), Class::Other);
        assert_eq!(classify("a.", Some("7")), Class::Other);
        assert_eq!(classify("role", Some("postgres")), Class::Role);
    }
}
