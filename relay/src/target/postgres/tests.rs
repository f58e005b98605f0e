//! Against a PostgreSQL server of its own, with TLS and every way to log in.
#![allow(clippy::unwrap_used, clippy::panic)]

use secrecy::SecretString;

use super::*;
use crate::config::{PostgresTarget, TlsMode};
use crate::engine::postgres::throwaway::Server;
use crate::target::Queries;

fn target(server: &Server, user: &str, password: Option<&str>, tls: TlsMode) -> PostgresTarget {
    PostgresTarget {
        host: "127.0.0.1".into(),
        port: server.port(),
        database: "postgres".into(),
        user: user.into(),
        password: password.map(SecretString::from),
        tls,
        ca: matches!(tls, TlsMode::VerifyCa | TlsMode::VerifyFull).then(|| server.ca()),
    }
}

async fn who(target: &PostgresTarget) -> Result<String, DialError> {
    let mut own = OwnConnection::open(target, &[("application_name".into(), "hoop".into())]).await?;
    let rows = own
        .rows("select session_user || ' ' || coalesce((select ssl::text from pg_stat_ssl where pid = pg_backend_pid()), '?')")
        .await
        .unwrap();
    Ok(rows[0][0].clone().unwrap())
}

#[tokio::test]
async fn every_login_works_and_every_wrong_one_is_told_apart() {
    let Some(server) = Server::start() else { return };
    for (user, tls) in [
        ("scram", TlsMode::Disable),
        ("scram", TlsMode::Require),
        ("scram", TlsMode::VerifyCa),
        ("md5", TlsMode::Require),
        ("clear", TlsMode::VerifyCa),
    ] {
        let told = who(&target(&server, user, Some("secret"), tls)).await.unwrap();
        assert_eq!(told, format!("{user} {}", tls != TlsMode::Disable));
    }
    let full = PostgresTarget {
        host: "localhost".into(),
        ..target(&server, "scram", Some("secret"), TlsMode::VerifyFull)
    };
    assert_eq!(who(&full).await.unwrap(), "scram true");

    let wrong_name = who(&target(&server, "scram", Some("secret"), TlsMode::VerifyFull))
        .await
        .unwrap_err();
    assert!(
        matches!(&wrong_name, DialError::Tls(error) if tls::is_certificate(error)),
        "{wrong_name}"
    );
    let clear = who(&target(&server, "clear", Some("secret"), TlsMode::Require))
        .await
        .unwrap_err();
    assert!(matches!(clear, DialError::ClearPassword), "{clear}");
    let wrong = who(&target(&server, "scram", Some("guess"), TlsMode::Require))
        .await
        .unwrap_err();
    assert!(
        matches!(&wrong, DialError::Refused { code, .. } if code == "28P01"),
        "{wrong}"
    );
    assert!(!format!("{wrong:?} {wrong}").contains("guess"));
    let none = who(&target(&server, "scram", None, TlsMode::Disable))
        .await
        .unwrap_err();
    assert!(matches!(none, DialError::NoPassword), "{none}");
    let missing = PostgresTarget {
        database: "absent".into(),
        ..target(&server, "scram", Some("secret"), TlsMode::Disable)
    };
    assert!(matches!(who(&missing).await.unwrap_err(), DialError::Refused { code, .. } if code == "3D000"));
    let down = PostgresTarget {
        port: 1,
        ..target(&server, "scram", Some("secret"), TlsMode::Disable)
    };
    assert!(matches!(who(&down).await.unwrap_err(), DialError::Connect { .. }));
    let unix = PostgresTarget {
        host: server.directory().to_str().unwrap().into(),
        ..target(&server, "clear", Some("secret"), TlsMode::VerifyFull)
    };
    assert_eq!(who(&unix).await.unwrap(), "clear false");
}

#[tokio::test]
async fn an_error_of_a_query_leaves_the_connection_usable() {
    let Some(server) = Server::start() else { return };
    let mut own = OwnConnection::open(&target(&server, "scram", Some("secret"), TlsMode::Disable), &[])
        .await
        .unwrap();
    let refused = own.rows("select 1/0").await.unwrap_err();
    assert!(
        matches!(refused, crate::target::QueryError::Refused { ref code, .. } if code == "22012"),
        "{refused}"
    );
    let rows = own.rows("values (1, null), (2, 'x')").await.unwrap();
    assert_eq!(
        rows,
        [vec![Some("1".into()), None], vec![Some("2".into()), Some("x".into())]]
    );
}

#[tokio::test]
async fn a_pinned_setting_is_the_reset_value() {
    let Some(server) = Server::start() else { return };
    let pins = [("search_path".to_owned(), "public, pg_temp".to_owned())];
    let mut own = OwnConnection::open(&target(&server, "scram", Some("secret"), TlsMode::Disable), &pins)
        .await
        .unwrap();
    own.rows("set search_path = evil; discard all").await.unwrap_err();
    own.rows("set search_path = evil").await.unwrap();
    own.rows("reset all").await.unwrap();
    assert_eq!(
        own.rows("show search_path").await.unwrap()[0][0].as_deref(),
        Some("public, pg_temp")
    );
}
