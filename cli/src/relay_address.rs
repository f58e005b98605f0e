//! Where a relay is: `host[:port]`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The relay's port where none is given.
pub const DEFAULT_PORT: u16 = 7443;
/// Bytes of a host name (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;

/// A relay's host and port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelayAddress {
    host: String,
    port: u16,
}

/// A text that is not `host[:port]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a relay's address: expected HOST or HOST:PORT, such as relay.example.com:7443")]
pub struct InvalidAddress;

impl RelayAddress {
    /// The name or IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the HTTPS API, without a path.
    pub fn url(&self) -> String {
        format!("https://{self}")
    }
}

impl FromStr for RelayAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or(InvalidAddress)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| InvalidAddress)?;
            (
                host,
                if rest.is_empty() {
                    None
                } else {
                    Some(rest.strip_prefix(':').ok_or(InvalidAddress)?)
                },
            )
        } else if text.parse::<std::net::Ipv6Addr>().is_ok() {
            (text, None)
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let fits = host.parse::<std::net::IpAddr>().is_ok()
            || ((1..=MAX_HOST).contains(&host.len()) && !host.starts_with('-') && host.bytes().all(is_name));
        if !fits {
            return Err(InvalidAddress);
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().ok().filter(|port| *port != 0).ok_or(InvalidAddress)?
            }
            Some(_) => return Err(InvalidAddress),
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl TryFrom<String> for RelayAddress {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl From<RelayAddress> for String {
    fn from(address: RelayAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_optional() {
        for (text, shown) in [
            ("relay.example.com", "relay.example.com:7443"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("::1", "[::1]:7443"),
            ("[fe80::1]", "[fe80::1]:7443"),
            ("[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(
                text.parse::<RelayAddress>().map(|address| address.to_string()),
                Ok(shown.to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":1",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "https://a",
            "a/b",
            "a b",
            "-a",
            "u@a",
            "[::1",
            "[::1]9",
            "[a]:1",
            "a:1:2",
            "a\u{1b}",
        ] {
            assert_eq!(text.parse::<RelayAddress>(), Err(InvalidAddress), "{text:?}");
        }
    }
}
