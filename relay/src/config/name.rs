//! Names, URLs and addresses, each with the one rule of what is valid.

use std::net::IpAddr;

use super::value::Item;

/// The longest name, in bytes.
const NAME_BYTES: usize = 63;
/// The longest group or tag, in bytes.
const WORD_BYTES: usize = 256;

/// Whether `text` may name a connection: `[a-z0-9][a-z0-9-_.]*`, at most 63 bytes.
pub fn is_connection(text: &str) -> bool {
    let body = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !text.is_empty()
        && text.len() <= NAME_BYTES
        && text.bytes().next().is_some_and(body)
        && text
            .bytes()
            .all(|byte| body(byte) || matches!(byte, b'-' | b'_' | b'.'))
}

pub(super) fn connection(item: &Item<'_>) -> Option<String> {
    named(item, is_connection(item.text()?), "a-z, 0-9, `-`, `_` and `.`")
}

/// The name of an identity provider: a connection's without a dot.
pub(super) fn identity(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    named(
        item,
        is_connection(text) && !text.contains('.'),
        "a-z, 0-9, `-` and `_`",
    )
}

fn named(item: &Item<'_>, valid: bool, characters: &str) -> Option<String> {
    let text = item.text()?;
    if !valid {
        let problem = item.problem(format!("`{text}` is not a name"));
        item.reader()
            .report(problem.hint(format!("use {characters}, begin with a letter or digit, at most 63")));
    }
    valid.then(|| text.to_owned())
}

/// Checks that a text may be a group, as `@approvers` and the identity provider write it.
///
/// # Errors
/// Why it may not.
pub fn valid_group(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.trim() != text {
        return Err("a group is not empty, and does not begin or end with a space");
    }
    if text.len() > WORD_BYTES {
        return Err("a group is at most 256 bytes long");
    }
    if text.chars().any(char::is_control) {
        return Err("a group has no control character");
    }
    if text.contains(',') {
        return Err("a group has no comma: `@approvers` separates groups by it");
    }
    Ok(())
}

/// A tag, `key:value`.
pub(super) fn tag(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/'))
    };
    let valid = text.len() <= WORD_BYTES
        && text
            .split_once(':')
            .is_some_and(|(key, value)| part(key) && part(value));
    if !valid {
        let problem = item.problem(format!("`{text}` is not a tag"));
        item.reader()
            .report(problem.hint("write `key:value`, such as env:prod, of letters, digits, `-`, `_`, `.` and `/`"));
    }
    valid.then(|| text.to_owned())
}

/// An issuer's URL: https, or http on loopback; nothing but scheme, host, port and path.
pub(super) fn issuer(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    match valid_issuer(text) {
        Ok(()) => Some(text.to_owned()),
        Err(why) => {
            // A URL with a user may carry a password.
            let problem = item.problem(format!("`{}` {why}", item.path()));
            item.reader()
                .report(if text.contains('@') { problem.private() } else { problem });
            None
        }
    }
}

fn valid_issuer(text: &str) -> Result<(), &'static str> {
    let url = reqwest::Url::parse(text).map_err(|_| "is not a URL: write https://HOST")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("names a user: an issuer has none");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment: an issuer has none");
    }
    let loopback = match url.host() {
        None => return Err("has no host"),
        Some(host) => {
            let host = host.to_string();
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        "http" => Err("is http: anybody on the way could sign logins. Use https (http only on loopback)"),
        _ => Err("must begin with https://"),
    }
}

/// Where a target stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A host name or IP address, and a TCP port.
    Tcp(String, u16),
    /// A directory of Unix sockets, and the number in the socket's name.
    Socket(String, u16),
}

/// `HOST:PORT`, `[IPV6]:PORT` or `/DIRECTORY:PORT`.
pub(super) fn address(item: &Item<'_>) -> Option<Address> {
    let text = item.text()?;
    match parse_address(text) {
        Ok(address) => Some(address),
        Err(why) => {
            let problem = item.problem(format!("`{}` {why}", item.path()));
            let problem = problem.hint("write HOST:PORT, [IPV6]:PORT or /SOCKET/DIRECTORY:PORT");
            // A whole URL may have been pasted, with its password.
            item.reader()
                .report(if text.contains('@') { problem.private() } else { problem });
            None
        }
    }
}

fn parse_address(text: &str) -> Result<Address, &'static str> {
    if text.contains("://") || text.contains('@') {
        return Err("is not an address: it has no scheme, user or password");
    }
    let (host, port) = text.rsplit_once(':').ok_or("has no port")?;
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port
        .parse::<u16>()
        .ok()
        .filter(|port| digits && *port != 0)
        .ok_or("has no port from 1 to 65535")?;
    if host.starts_with('/') {
        return Ok(Address::Socket(host.to_owned(), port));
    }
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        let valid = inner.parse::<std::net::Ipv6Addr>().is_ok();
        return if valid {
            Ok(Address::Tcp(inner.to_owned(), port))
        } else {
            Err("has no IPv6 address in its brackets")
        };
    }
    if host.contains(':') {
        return Err("has an IPv6 address without brackets");
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= NAME_BYTES
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.len() > 253 || !name.split('.').all(label) {
        return Err("has no host name or IP address");
    }
    Ok(Address::Tcp(host.to_owned(), port))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn connections_are_named_in_lower_case() {
        for good in ["db-prod", "0", "a_b.c", &"x".repeat(63)] {
            assert!(is_connection(good), "{good}");
        }
        for bad in ["", "-a", ".a", "_a", "Db", "a b", "a/b", "ä", "a\0", &"x".repeat(64)] {
            assert!(!is_connection(bad), "{bad}");
        }
    }

    #[test]
    fn addresses_are_host_and_port_or_directory_and_port() {
        let tcp = |host: &str, port| Ok(Address::Tcp(host.to_owned(), port));
        assert_eq!(parse_address("10.0.0.5:5432"), tcp("10.0.0.5", 5432));
        assert_eq!(parse_address("db.example.com.:1"), tcp("db.example.com.", 1));
        assert_eq!(parse_address("[::1]:5432"), tcp("::1", 5432));
        assert_eq!(
            parse_address("/run/postgresql:5432"),
            Ok(Address::Socket("/run/postgresql".to_owned(), 5432))
        );
        assert_eq!(
            parse_address("/odd:dir:5433"),
            Ok(Address::Socket("/odd:dir".to_owned(), 5433))
        );
        for bad in [
            "",
            ":",
            "db",
            "db:",
            ":5432",
            "db:0",
            "db:65536",
            "db:+1",
            "db: 1",
            "::1:5432",
            "[::1]",
            "[x]:1",
            "a..b:1",
            "a b:1",
            "-x:1",
            "postgres://db:5432",
            "u:p@db:5432",
            "db/x:1",
            "./run:1",
            "ä:1",
        ] {
            assert!(parse_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_issuer_is_https_or_on_loopback() {
        for good in [
            "https://example.okta.com",
            "https://login.example.com/tenant/v2.0",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://localhost/x",
        ] {
            assert_eq!(valid_issuer(good), Ok(()), "{good}");
        }
        for bad in [
            "http://example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.evil",
            "ftp://x",
            "example.com",
            "",
            "https://u:p@x",
            "https://u@x",
            "https://x?a=b",
            "https://x#f",
            "https://",
            "javascript:alert(1)",
            "file:///etc/passwd",
        ] {
            assert!(valid_issuer(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = parse_address(&text);
            let _ = valid_issuer(&text);
            let _ = valid_group(&text);
        }
    }
}
