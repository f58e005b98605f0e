//! The first packet of a client: what it is, by its first eight bytes. Nothing is allocated before these are understood.

/// Bytes by which a first packet is known: its length and its kind.
pub const HEAD: usize = 8;
/// The longest first packet, as in the server (`MAX_STARTUP_PACKET_LENGTH`).
const MAX_LENGTH: u32 = 10_000;
/// The longest cancel request: its key has up to 256 bytes from protocol 3.2 on.
const MAX_CANCEL: u32 = 12 + 256;

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS_ENCRYPTION: u32 = 80_877_104;
/// The major version of the protocol.
const MAJOR: u32 = 3;

/// What a first packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Asks for TLS.
    Ssl,
    /// Asks for GSSAPI encryption.
    GssEncryption,
    /// Asks to cancel a running query; so many bytes follow.
    Cancel(usize),
    /// Begins a connection; so many bytes follow.
    Startup(usize),
}

/// Why a first packet is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPostgres {
    /// A browser, or something else that speaks HTTP.
    #[error("an HTTP request")]
    Http,
    /// A TLS handshake without asking first.
    #[error("a TLS handshake")]
    Tls,
    /// Another version of the protocol.
    #[error("protocol version {0}.{1}")]
    Version(u32, u32),
    /// Anything else.
    #[error("not a PostgreSQL client")]
    Garbage,
}

/// Reads the head of a first packet.
///
/// # Errors
/// It is no head of PostgreSQL's.
pub fn read(head: [u8; HEAD]) -> Result<Head, NotPostgres> {
    let [a, b, c, d, e, f, g, h] = head;
    let (length, kind) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    if is_http(&head) {
        return Err(NotPostgres::Http);
    }
    if a == 0x16 && b == 0x03 {
        return Err(NotPostgres::Tls);
    }
    let rest = (length as usize).checked_sub(HEAD).ok_or(NotPostgres::Garbage)?;
    match kind {
        SSL if rest == 0 => Ok(Head::Ssl),
        GSS_ENCRYPTION if rest == 0 => Ok(Head::GssEncryption),
        CANCEL if length > 12 && length <= MAX_CANCEL => Ok(Head::Cancel(rest)),
        SSL | GSS_ENCRYPTION | CANCEL => Err(NotPostgres::Garbage),
        _ if length > MAX_LENGTH => Err(NotPostgres::Garbage),
        version if version >> 16 == MAJOR => Ok(Head::Startup(rest)),
        version if (1..MAJOR).contains(&(version >> 16)) => Err(NotPostgres::Version(version >> 16, version & 0xffff)),
        _ => Err(NotPostgres::Garbage),
    }
}

/// Whether these are the first bytes of an HTTP request: a method in capitals and a space, or the beginning of a long one.
fn is_http(head: &[u8; HEAD]) -> bool {
    let method = head.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    method >= 3 && head.get(method).is_none_or(|byte| *byte == b' ')
}

/// The user that a startup packet names, for a message. `rest` is what follows the head.
pub fn user(rest: &[u8]) -> Option<String> {
    let mut words = rest.split(|byte| *byte == 0);
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        if name.is_empty() {
            return None;
        }
        if name == b"user" {
            return Some(String::from_utf8_lossy(value).into_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(length: u32, kind: u32) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&length.to_be_bytes());
        head[4..].copy_from_slice(&kind.to_be_bytes());
        head
    }

    #[test]
    fn every_first_packet_is_known() {
        assert_eq!(read(head(8, SSL)), Ok(Head::Ssl));
        assert_eq!(read(head(8, GSS_ENCRYPTION)), Ok(Head::GssEncryption));
        assert_eq!(read(head(16, CANCEL)), Ok(Head::Cancel(8)));
        assert_eq!(read(head(268, CANCEL)), Ok(Head::Cancel(260)));
        assert_eq!(read(head(9, 3 << 16)), Ok(Head::Startup(1)));
        assert_eq!(read(head(10_000, 3 << 16 | 2)), Ok(Head::Startup(9992)));
    }

    #[test]
    fn lengths_are_limited_before_anything_is_read() {
        for (length, kind) in [
            (0, 3 << 16),
            (7, 3 << 16),
            (10_001, 3 << 16),
            (u32::MAX, 3 << 16),
            (9, SSL),
            (8, CANCEL),
            (12, CANCEL),
            (269, CANCEL),
            (9, 0),
            (9, 4 << 16),
        ] {
            assert_eq!(read(head(length, kind)), Err(NotPostgres::Garbage), "{length} {kind}");
        }
        assert_eq!(read(head(100, 2 << 16)), Err(NotPostgres::Version(2, 0)));
    }

    #[test]
    fn http_and_tls_are_known_by_their_first_bytes() {
        for request in [
            b"GET / HT",
            b"POST /x ",
            b"OPTIONS ",
            b"CONNECT ",
            b"PRI * HT",
            b"PUT /a H",
            b"PROPPATC",
        ] {
            assert_eq!(read(*request), Err(NotPostgres::Http));
        }
        assert_eq!(read([0x16, 3, 1, 2, 0, 1, 0, 1]), Err(NotPostgres::Tls));
    }

    #[test]
    fn a_user_is_found_or_not() {
        assert_eq!(user(b"database\0d\0user\0ana\0\0").as_deref(), Some("ana"));
        assert_eq!(user(b"database\0user\0\0"), None, "a value is no name");
        for rest in [&b""[..], b"\0", b"user", b"\0user\0ana\0", b"user\0"] {
            assert!(user(rest).is_none_or(|name| name.is_empty()), "{rest:?}");
        }
    }
}
