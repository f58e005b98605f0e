//! The login at a server, as a core without IO: a step of authentication goes in, what to answer comes out.

use bytes::{Bytes, BytesMut};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use secrecy::{ExposeSecret, SecretString};

use super::DialError;
use crate::engine::postgres::codec::backend::Authentication;
use crate::engine::postgres::codec::write;

/// The longest first message of a server's SCRAM, in bytes: nonce, salt and count. PostgreSQL's has some 90.
const SCRAM_FIRST: usize = 1024;

/// How the way to the server was proved.
pub(super) struct Way {
    /// The other end is known to be the right one (a verified certificate, a Unix socket).
    pub proven: bool,
    /// The data of `tls-server-end-point`.
    pub end_point: Option<Vec<u8>>,
}

impl Way {
    /// A way without TLS.
    pub(super) const fn bare(proven: bool) -> Self {
        Self {
            proven,
            end_point: None,
        }
    }
}

/// Where the login stands.
pub(super) enum Login {
    /// The server has not asked for anything.
    Fresh,
    /// A password was sent; the server's word ends it.
    Answered,
    /// SCRAM's first message was sent.
    ScramFirst(Box<ScramSha256>),
    /// SCRAM's proof was sent; the server owes its own.
    ScramProof(Box<ScramSha256>),
    /// The server proved that it knows the password.
    ScramProven,
}

/// What comes of a step.
pub(super) enum Step {
    /// The server waits for these bytes.
    Answer(Login, Bytes),
    /// It waits for nothing.
    Wait(Login),
    /// The login is done.
    Done,
}

impl Login {
    /// Takes one step of the server.
    pub(super) fn step(
        self,
        asked: Authentication<'_>,
        user: &str,
        password: Option<&SecretString>,
        way: &Way,
    ) -> Result<Step, DialError> {
        let known = || password.ok_or(DialError::NoPassword);
        match (self, asked) {
            (Self::Fresh | Self::Answered | Self::ScramProven, Authentication::Ok) => Ok(Step::Done),
            (Self::Fresh, Authentication::Cleartext) => {
                if !way.proven {
                    return Err(DialError::ClearPassword);
                }
                Ok(answer(Self::Answered, known()?.expose_secret().as_bytes(), true))
            }
            (Self::Fresh, Authentication::Md5(salt)) => {
                let hash = md5_hash(user.as_bytes(), known()?.expose_secret().as_bytes(), salt);
                Ok(answer(Self::Answered, hash.as_bytes(), true))
            }
            (Self::Fresh, Authentication::Sasl(mechanisms)) => {
                let offered = |name: &str| mechanisms.contains(&name.as_bytes());
                let (mechanism, binding) = match &way.end_point {
                    Some(end_point) if offered(SCRAM_SHA_256_PLUS) => (
                        SCRAM_SHA_256_PLUS,
                        ChannelBinding::tls_server_end_point(end_point.clone()),
                    ),
                    _ if !offered(SCRAM_SHA_256) => {
                        let names: Vec<_> = mechanisms.iter().map(|name| String::from_utf8_lossy(name)).collect();
                        return Err(DialError::Method(names.join(", ")));
                    }
                    // Saying that binding was possible lets the server notice who removed its offer on the way.
                    Some(_) => (SCRAM_SHA_256, ChannelBinding::unrequested()),
                    None => (SCRAM_SHA_256, ChannelBinding::unsupported()),
                };
                let scram = ScramSha256::new(known()?.expose_secret().as_bytes(), binding);
                let mut body = BytesMut::new();
                write::string(&mut body, mechanism);
                let length = u32::try_from(scram.message().len()).unwrap_or(0);
                body.extend_from_slice(&length.to_be_bytes());
                body.extend_from_slice(scram.message());
                Ok(answer(Self::ScramFirst(Box::new(scram)), &body, false))
            }
            (Self::ScramFirst(mut scram), Authentication::SaslContinue(message)) => {
                if message.len() > SCRAM_FIRST {
                    return Err(DialError::Scram(std::io::Error::other("its first message is too long")));
                }
                scram.update(message).map_err(DialError::Scram)?;
                let body = scram.message().to_vec();
                Ok(answer(Self::ScramProof(scram), &body, false))
            }
            (Self::ScramProof(mut scram), Authentication::SaslFinal(message)) => {
                scram.finish(message).map_err(DialError::Scram)?;
                Ok(Step::Wait(Self::ScramProven))
            }
            (Self::ScramFirst(_) | Self::ScramProof(_), Authentication::Ok) => Err(DialError::Scram(
                std::io::Error::other("it says that all is well before it proved that it knows the password"),
            )),
            (_, Authentication::Other(method)) => Err(DialError::Method(name(method))),
            _ => Err(DialError::Method("out of order".to_owned())),
        }
    }
}

fn answer(next: Login, body: &[u8], terminated: bool) -> Step {
    let mut out = BytesMut::new();
    write::message(&mut out, b'p', |out| {
        if terminated {
            write::string(out, body);
        } else {
            out.extend_from_slice(body);
        }
    });
    Step::Answer(next, out.freeze())
}

/// The methods that PostgreSQL's protocol numbers, and the relay does not speak.
fn name(method: u32) -> String {
    match method {
        2 => "Kerberos V5".to_owned(),
        7 | 8 => "GSSAPI".to_owned(),
        9 => "SSPI".to_owned(),
        other => format!("number {other}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    const UNPROVEN: Way = Way {
        proven: false,
        end_point: None,
    };

    fn refused(login: Login, asked: Authentication<'_>, way: &Way) -> DialError {
        match login.step(asked, "hoop", Some(&SecretString::from("secret")), way) {
            Err(error) => error,
            Ok(_) => panic!("the step was taken"),
        }
    }

    #[test]
    fn a_clear_password_goes_only_to_a_proven_server() {
        assert!(matches!(
            refused(Login::Fresh, Authentication::Cleartext, &UNPROVEN),
            DialError::ClearPassword
        ));
        let proven = Way {
            proven: true,
            ..UNPROVEN
        };
        let step = Login::Fresh.step(
            Authentication::Cleartext,
            "hoop",
            Some(&SecretString::from("secret")),
            &proven,
        );
        let Ok(Step::Answer(_, bytes)) = step else {
            panic!("no answer")
        };
        assert_eq!(&bytes[..], b"p\0\0\0\x0bsecret\0");
    }

    #[test]
    fn a_server_that_skips_its_proof_is_refused() {
        let scram = ScramSha256::new(b"secret", ChannelBinding::unsupported());
        let error = refused(Login::ScramFirst(Box::new(scram)), Authentication::Ok, &UNPROVEN);
        assert!(matches!(error, DialError::Scram(_)), "{error}");
    }

    #[test]
    fn an_endless_nonce_or_count_is_refused() {
        let scram = || Box::new(ScramSha256::new(b"secret", ChannelBinding::unsupported()));
        let nonce = |scram: &ScramSha256| {
            String::from_utf8(scram.message().to_vec())
                .unwrap()
                .split_once("r=")
                .unwrap()
                .1
                .to_owned()
        };
        let long = vec![b'a'; SCRAM_FIRST + 1];
        assert!(matches!(
            refused(
                Login::ScramFirst(scram()),
                Authentication::SaslContinue(&long),
                &UNPROVEN
            ),
            DialError::Scram(_)
        ));
        let scram = scram();
        let first = format!("r={}x,s=c2FsdA==,i=4000000000", nonce(&scram));
        assert!(matches!(
            refused(
                Login::ScramFirst(scram),
                Authentication::SaslContinue(first.as_bytes()),
                &UNPROVEN
            ),
            DialError::Scram(_)
        ));
    }

    #[test]
    fn binding_is_offered_where_the_server_has_it_and_claimed_where_its_offer_is_missing() {
        let way = Way {
            proven: false,
            end_point: Some(vec![1; 32]),
        };
        let first = |mechanisms: Vec<&[u8]>, way: &Way| match Login::Fresh.step(
            Authentication::Sasl(mechanisms),
            "hoop",
            Some(&SecretString::from("secret")),
            way,
        ) {
            Ok(Step::Answer(_, bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            _ => panic!("no answer"),
        };
        assert!(first(vec![b"SCRAM-SHA-256", b"SCRAM-SHA-256-PLUS"], &way).contains("p=tls-server-end-point,,"));
        assert!(first(vec![b"SCRAM-SHA-256"], &way).contains("y,,"));
        assert!(first(vec![b"SCRAM-SHA-256"], &UNPROVEN).contains("n,,"));
        assert!(matches!(
            refused(Login::Fresh, Authentication::Sasl(vec![b"OAUTHBEARER"]), &way),
            DialError::Method(_)
        ));
    }

    #[test]
    fn no_password_is_told_as_such() {
        let step = Login::Fresh.step(Authentication::Md5([0; 4]), "hoop", None, &UNPROVEN);
        assert!(matches!(step, Err(DialError::NoPassword)));
    }
}
