//! Where the local end of a session is, in every form that clients take: libpq's variables, a URL, JSON.

use std::ffi::OsString;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use hoop_shared::id::SessionId;
use hoop_shared::protocol::Protocol;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::settings::workload::{GITLAB_VARIABLE, TOKEN_FILE_VARIABLE, TOKEN_VARIABLE};

/// The port that a socket's name has: PostgreSQL's own. The directory is fresh, so nothing else has it.
pub const SOCKET_PORT: u16 = 5432;

/// Variables that a client program does not get: our own credentials, and what would point libpq elsewhere or ask for more than the
/// local end has (PostgreSQL, "Environment Variables" of libpq). Those about TLS are `Settings::tls_variables`.
pub const REMOVED: [&str; 17] = [
    TOKEN_VARIABLE,
    TOKEN_FILE_VARIABLE,
    GITLAB_VARIABLE,
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGHOSTADDR",
    "PGPASSFILE",
    "PGREQUIREAUTH",
    "PGREQUIREPEER",
    "PGREQUIRESSL",
    "PGCHANNELBINDING",
    "PGGSSENCMODE",
    "PGGSSLIB",
    "PGKRBSRVNAME",
    "PGGSSDELEGATION",
    "PGTARGETSESSIONATTRS",
    "PGLOADBALANCEHOSTS",
];

/// Where clients connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A directory with a socket.
    Socket(PathBuf),
    /// A port on loopback.
    Port(SocketAddr),
}

/// Everything that a client needs for one session.
#[derive(Clone, Debug)]
pub struct Address {
    /// Where.
    pub place: Place,
    /// The session.
    pub session: SessionId,
    /// The connection's name.
    pub connection: String,
    /// What is spoken.
    pub protocol: Protocol,
    /// The user to name.
    pub user: String,
    /// The database to name.
    pub database: String,
    /// The one-time password. A socket does not ask for it; some drivers want one all the same.
    pub password: SecretString,
}

impl Address {
    /// The host as libpq takes it: a directory, or an IP address.
    pub fn host(&self) -> String {
        match &self.place {
            Place::Socket(directory) => directory.to_string_lossy().into_owned(),
            Place::Port(address) => address.ip().to_string(),
        }
    }

    /// The port, or the number in the socket's name.
    pub fn port(&self) -> u16 {
        match &self.place {
            Place::Socket(_) => SOCKET_PORT,
            Place::Port(address) => address.port(),
        }
    }

    /// The URL for libpq and for drivers.
    ///
    /// A socket's directory is a parameter, and so is everything else then: the one form that parsers of general URLs (which refuse a
    /// user without a host) and libpq both take.
    pub fn url(&self) -> String {
        let (user, database) = (encode(&self.user), encode(&self.database));
        let password = encode(self.password.expose_secret());
        match &self.place {
            Place::Socket(directory) => format!(
                "postgresql:///{database}?host={}&port={SOCKET_PORT}&user={user}&password={password}&sslmode=disable",
                encode(&directory.to_string_lossy())
            ),
            Place::Port(address) => format!("postgresql://{user}:{password}@{address}/{database}?sslmode=disable"),
        }
    }

    /// The line of `connect -o json`.
    pub fn to_json(&self) -> Value {
        json!({
            "session": self.session,
            "connection": self.connection,
            "protocol": self.protocol,
            "host": self.host(),
            "port": self.port(),
            "user": self.user,
            "password": self.password.expose_secret(),
            "database": self.database,
            "url": self.url(),
        })
    }

    /// The variables for a client program.
    pub fn variables(&self, application_name: &str) -> Vec<(&'static str, OsString)> {
        let host = match &self.place {
            Place::Socket(directory) => directory.clone().into_os_string(),
            Place::Port(address) => address.ip().to_string().into(),
        };
        let port = OsString::from(self.port().to_string());
        vec![
            ("PGHOST", host.clone()),
            ("PGPORT", port.clone()),
            ("PGUSER", self.user.clone().into()),
            ("PGDATABASE", self.database.clone().into()),
            ("PGPASSWORD", self.password.expose_secret().into()),
            ("PGSSLMODE", "disable".into()),
            ("PGAPPNAME", application_name.into()),
            ("DATABASE_URL", self.url().into()),
            ("HOOPCTL_HOST", host),
            ("HOOPCTL_PORT", port),
            ("HOOPCTL_SESSION", self.session.as_str().into()),
        ]
    }

    /// What a person types in another terminal. A password stands in the environment, never in an argument, where others would see it.
    pub fn for_people(&self) -> String {
        let mut text = format!(
            "PGHOST={} PGPORT={} PGUSER={} PGDATABASE={} PGSSLMODE=disable",
            quoted(&self.host()),
            self.port(),
            quoted(&self.user),
            quoted(&self.database)
        );
        if matches!(self.place, Place::Port(_)) {
            // Writing to a String cannot fail.
            let _ = write!(text, " PGPASSWORD={}", quoted(self.password.expose_secret()));
        }
        format!("{text} psql\nDATABASE_URL={}\n", quoted(&self.url()))
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Quotes a word for a POSIX shell, where it needs it. Nothing is left that a terminal would obey.
fn quoted(word: &str) -> String {
    let word = crate::printer::escape::line(word);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn address(place: Place) -> Address {
        Address {
            place,
            session: "s-0123456789ab".parse().unwrap(),
            connection: "db-prod".to_owned(),
            protocol: Protocol::Postgres,
            user: "ho op".to_owned(),
            database: "shop/ä".to_owned(),
            password: SecretString::from("s3cret"),
        }
    }

    #[test]
    fn a_sockets_url_has_no_authority_and_is_encoded() {
        let url = address(Place::Socket("/run/user/1 0/h&x".into())).url();
        assert_eq!(
            url,
            "postgresql:///shop%2F%C3%A4?host=%2Frun%2Fuser%2F1%200%2Fh%26x&port=5432&user=ho%20op&password=s3cret&sslmode=disable"
        );
        assert!(reqwest::Url::parse(&url).is_ok());
    }

    #[test]
    fn a_ports_url_is_as_usual() {
        let four = address(Place::Port("127.0.0.1:6000".parse().unwrap()));
        assert_eq!(
            four.url(),
            "postgresql://ho%20op:s3cret@127.0.0.1:6000/shop%2F%C3%A4?sslmode=disable"
        );
        let six = address(Place::Port("[::1]:6000".parse().unwrap()));
        assert!(six.url().contains("@[::1]:6000/"));
        assert_eq!((six.host().as_str(), six.port()), ("::1", 6000));
    }

    #[test]
    fn json_has_the_keys_of_the_interface() {
        let value = address(Place::Port("127.0.0.1:6000".parse().unwrap())).to_json();
        let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = [
            "session",
            "connection",
            "protocol",
            "host",
            "port",
            "user",
            "password",
            "database",
            "url",
        ]
        .to_vec();
        expected.sort_unstable();
        let mut found = keys;
        found.sort_unstable();
        assert_eq!(found, expected);
        assert_eq!(value["protocol"], "postgres");
        assert_eq!(value["port"], 6000);
    }

    #[test]
    fn a_line_for_people_survives_a_shell_and_keeps_passwords_out_of_arguments() {
        let text = address(Place::Port("127.0.0.1:6000".parse().unwrap())).for_people();
        assert!(text.contains("PGUSER='ho op' "), "{text}");
        assert!(
            text.lines().next().unwrap().ends_with("PGPASSWORD=s3cret psql"),
            "{text}"
        );
        assert!(
            !address(Place::Socket("/x".into()))
                .for_people()
                .lines()
                .next()
                .unwrap()
                .contains("s3cret")
        );
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
