//! The few messages that the local end says itself, and the one kind that it reads (PostgreSQL, "Message Formats").

use hoop_shared::refusal::Refusal;

use crate::printer::escape;

/// Answers a request for encryption: not here, and go on.
pub const NO_ENCRYPTION: &[u8] = b"N";
/// The mechanism that is offered: without channel binding, for there is no TLS.
pub const MECHANISM: &str = "SCRAM-SHA-256";
/// The longest message of an authentication.
const MAX_MESSAGE: usize = 4096;

const SASL: u32 = 10;
const SASL_CONTINUE: u32 = 11;
const SASL_FINAL: u32 = 12;

/// `AuthenticationSASL` with the one mechanism.
pub fn offer() -> Vec<u8> {
    let mut list = MECHANISM.as_bytes().to_vec();
    list.extend_from_slice(b"\0\0");
    authentication(SASL, &list)
}

/// `AuthenticationSASLContinue`.
pub fn proceed(data: &str) -> Vec<u8> {
    authentication(SASL_CONTINUE, data.as_bytes())
}

/// `AuthenticationSASLFinal`. `AuthenticationOk` is the relay's to say.
pub fn done(data: &str) -> Vec<u8> {
    authentication(SASL_FINAL, data.as_bytes())
}

fn authentication(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut body = kind.to_be_bytes().to_vec();
    body.extend_from_slice(data);
    message(b'R', &body)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    let mut message = vec![kind];
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    message
}

/// `ErrorResponse` that ends the connection.
pub fn fatal(sqlstate: &str, text: &str, hint: Option<&str>) -> Vec<u8> {
    let mut body = Vec::new();
    let mut field = |kind: u8, text: &str| {
        body.push(kind);
        body.extend(escape::block(text).bytes().filter(|byte| *byte != 0));
        body.push(0);
    };
    field(b'S', "FATAL");
    field(b'V', "FATAL");
    field(b'C', sqlstate);
    field(b'M', text);
    if let Some(hint) = hint {
        field(b'H', hint);
    }
    body.push(0);
    message(b'E', &body)
}

/// The error of a refusal.
pub fn refused(refusal: &Refusal) -> Vec<u8> {
    fatal(refusal.code.sqlstate(), &refusal.message, refusal.hint.as_deref())
}

/// How many bytes follow the header of a client's password message (`p` and a length).
pub fn password_message(header: [u8; 5]) -> Option<usize> {
    let [kind, a, b, c, d] = header;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    let rest = length.checked_sub(4)?;
    (kind == b'p' && rest <= MAX_MESSAGE).then_some(rest)
}

/// Splits `SASLInitialResponse` into the mechanism and what it begins with.
pub fn initial_response(body: &[u8]) -> Option<(&str, &str)> {
    let end = body.iter().position(|byte| *byte == 0)?;
    let (mechanism, rest) = body.split_at_checked(end)?;
    let (length, data) = rest.get(1..)?.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
    if length != data.len() {
        return None;
    }
    Some((std::str::from_utf8(mechanism).ok()?, std::str::from_utf8(data).ok()?))
}

#[cfg(test)]
mod tests {
    use hoop_shared::refusal::Code;

    use super::*;

    #[test]
    fn an_error_has_its_fields_and_its_length() {
        let error = refused(&Refusal::new(Code::SessionRevoked, "ended\0by\u{1b} bo").hint("ask bo"));
        assert_eq!(error[0], b'E');
        assert_eq!(error[1..5], u32::try_from(error.len() - 1).unwrap_or(0).to_be_bytes());
        let text = String::from_utf8_lossy(&error[5..]).into_owned();
        assert_eq!(text, "SFATAL\0VFATAL\0C57P01\0Mended\\x00by\\x1b bo\0Hask bo\0\0");
    }

    #[test]
    fn only_a_password_message_of_a_fair_length_is_read() {
        assert_eq!(password_message([b'p', 0, 0, 0, 4]), Some(0));
        assert_eq!(password_message([b'p', 0, 0, 0x10, 4]), Some(4096));
        assert_eq!(password_message([b'p', 0, 0, 0x10, 5]), None);
        assert_eq!(password_message([b'p', 0, 0, 0, 3]), None);
        assert_eq!(password_message([b'p', 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(password_message([b'Q', 0, 0, 0, 4]), None);
    }

    #[test]
    fn an_initial_response_is_read_whole_or_not() {
        let body = b"SCRAM-SHA-256\0\0\0\0\x03n,,";
        assert_eq!(initial_response(body), Some((MECHANISM, "n,,")));
        for cut in 0..body.len() {
            assert_eq!(initial_response(&body[..cut]), None, "{cut}");
        }
        assert_eq!(initial_response(b"X\0\xff\xff\xff\xff"), None);
        assert_eq!(initial_response(b"X\0\0\0\0\x01\xff"), None);
    }
}
