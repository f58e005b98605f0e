//! `[[connection]]`: the targets.

use std::path::PathBuf;

use hoop_shared::protocol::Protocol;
use secrecy::SecretString;

use super::listen::read_chain;
use super::name::{self, Address};
use super::problem::Problem;
use super::reader::Section;
use super::secret;
use super::value::Item;

/// `[[connection]]`: a named target.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its tags, `key:value`.
    pub tags: Vec<String>,
    /// What the protocol needs.
    pub target: Target,
}

/// A target, by protocol.
#[derive(Clone, Debug)]
pub enum Target {
    /// PostgreSQL.
    Postgres(PostgresTarget),
}

/// A PostgreSQL target.
#[derive(Clone, Debug)]
pub struct PostgresTarget {
    /// A host name, an IP address without brackets, or the directory of a Unix socket (it begins with `/`).
    pub host: String,
    /// TCP port, or the number in the socket's name.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// Its password.
    pub password: Option<SecretString>,
    /// How TLS is used.
    pub tls: TlsMode,
    /// The CA file for `verify-*`; `None`: the system's.
    pub ca: Option<PathBuf>,
}

/// libpq's words for TLS towards a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Disable,
    /// Encrypted, not verified.
    Require,
    /// The chain is verified.
    VerifyCa,
    /// Chain and host name are verified.
    VerifyFull,
}

const TLS_MODES: &[(&str, TlsMode)] = &[
    ("disable", TlsMode::Disable),
    ("require", TlsMode::Require),
    ("verify-ca", TlsMode::VerifyCa),
    ("verify-full", TlsMode::VerifyFull),
];
/// The longest name of a role or database at the server, in bytes.
const IDENTIFIER_BYTES: usize = 63;

pub(super) fn connection(mut section: Section<'_>) -> Option<Connection> {
    let name = section.need("name").and_then(|item| name::connection(&item));
    let tags = section.get("tags").map_or_else(|| Some(Vec::new()), |item| tags(&item));
    let protocol = section.need("protocol")?;
    match protocol.text()? {
        "postgres" => {}
        known @ ("ssh" | "kubernetes") => {
            // Its other keys are not read: they are those of a version that can use them.
            let message = format!("connections of protocol `{known}` are not supported by this version");
            protocol
                .reader()
                .report(protocol.problem(message).hint("leave the connection out"));
            return None;
        }
        _ => {
            protocol.word(&[("postgres", ())]);
            return None;
        }
    }
    let target = postgres(&mut section);
    section.finish();
    Some(Connection {
        name: name?,
        protocol: Protocol::Postgres,
        tags: tags?,
        target: Target::Postgres(target?),
    })
}

fn tags(item: &Item<'_>) -> Option<Vec<String>> {
    // No tags at all is nothing to complain about.
    if item.value().as_array().is_some_and(|array| array.is_empty()) {
        return Some(Vec::new());
    }
    let mut tags: Vec<String> = Vec::new();
    for item in item.list()? {
        let Some(tag) = name::tag(&item) else { continue };
        if tags.contains(&tag) {
            item.error(format!("the tag `{tag}` stands twice"));
        } else {
            tags.push(tag);
        }
    }
    Some(tags)
}

fn postgres(section: &mut Section<'_>) -> Option<PostgresTarget> {
    let address = section.need("address").and_then(|item| name::address(&item));
    let database = section.need("database").and_then(|item| identifier(&item));
    let user = section.need("user").and_then(|item| identifier(&item));
    let password = match section.get("password") {
        None => Some(None),
        Some(item) => secret::read(&item).map(Some),
    };
    let tls_item = section.get("tls");
    let ca_item = section.get("ca");
    let tls = tls_item.as_ref().map(|item| item.word(TLS_MODES));
    let ca = ca_item.as_ref().and_then(|item| Some((item, item.file()?)));
    let socket = matches!(address, Some(Address::Socket(..)));
    let tls = match tls {
        None if socket => TlsMode::Disable,
        None => TlsMode::VerifyFull,
        Some(tls) => tls?,
    };
    if let (true, Some(item)) = (socket && tls != TlsMode::Disable, &tls_item) {
        item.error("a Unix socket has no TLS: leave `tls` out");
    }
    if let (TlsMode::Disable | TlsMode::Require, Some(item)) = (tls, &ca_item) {
        item.error("`ca` is only used with tls = \"verify-ca\" or \"verify-full\"");
    } else if let Some((item, path)) = &ca
        && let Err(error) = read_chain(path)
    {
        item.error(format!("`{}`: {error}", item.path()));
    }
    if let (Some(Address::Tcp(host, _)), Some(item), Some(Some(_))) = (&address, &tls_item, &password)
        && matches!(tls, TlsMode::Disable | TlsMode::Require)
        && !is_loopback(host)
    {
        let warning = Problem::warning(format!(
            "tls = \"{}\": whoever stands between the relay and {host} can read and change everything",
            if tls == TlsMode::Disable { "disable" } else { "require" }
        ));
        let warning = warning
            .at(item.reader().source(), item.span())
            .hint("use verify-full, with `ca` for a private one");
        item.reader().report(warning);
    }
    let (host, port) = match address? {
        Address::Tcp(host, port) | Address::Socket(host, port) => (host, port),
    };
    Some(PostgresTarget {
        host,
        port,
        database: database?,
        user: user?,
        password: password?,
        tls,
        ca: ca.map(|(_, path)| path),
    })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn identifier(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    if text.len() > IDENTIFIER_BYTES {
        item.error(format!(
            "`{}` is longer than 63 bytes, where PostgreSQL cuts names",
            item.path()
        ));
        return None;
    }
    Some(text.to_owned())
}
