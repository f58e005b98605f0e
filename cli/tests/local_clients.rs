//! A session's loopback port as real PostgreSQL clients meet it: psql in front, a small server of our own behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use hoop_shared::refusal::{Code, Refusal};
use hoopctl::client::postgres::greet::{self, GreetError, Wish};
use hoopctl::client::postgres::scram::{ScramError, Verifier};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PASSWORD: &str = "0123456789abcdef0123456789abcdef";

/// psql itself: Debian's `/usr/bin/psql` is a script that starts it.
fn psql() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin/psql"))
        .filter(|file| file.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from("psql"))
}

async fn run_psql(port: u16, password: &str, url_parameters: &str) -> Output {
    let url = format!("postgresql://ana@127.0.0.1:{port}/shop?{url_parameters}");
    tokio::process::Command::new(psql())
        .args(["-X", "-w", "-At", "-c", "select 42", &url])
        .env("PGPASSWORD", password)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("psql must be installed for this test")
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    message.extend_from_slice(body);
    message
}

/// Plays the relay: lets the client in and answers its one query.
async fn serve_one_query(stream: &mut TcpStream) {
    let mut answer = message(b'R', &0_u32.to_be_bytes());
    answer.extend(message(b'S', b"server_version\x0015.0\0"));
    answer.extend(message(b'S', b"client_encoding\0UTF8\0"));
    answer.extend(message(b'Z', b"I"));
    stream.write_all(&answer).await.unwrap();
    let mut head = [0; 5];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[0], b'Q');
    let mut query = vec![0; u32::from_be_bytes(head[1..].try_into().unwrap()) as usize - 4];
    stream.read_exact(&mut query).await.unwrap();
    assert_eq!(query, b"select 42\0");
    let mut column = vec![0, 1];
    column.extend_from_slice(b"?column?\0");
    column.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 23, 0, 4, 0xff, 0xff, 0xff, 0xff, 0, 0]);
    let mut answer = message(b'T', &column);
    answer.extend(message(b'D', &[0, 1, 0, 0, 0, 2, b'4', b'2']));
    answer.extend(message(b'C', b"SELECT 1\0"));
    answer.extend(message(b'Z', b"I"));
    stream.write_all(&answer).await.unwrap();
}

/// Greets one client; gives what it wanted, or why it was turned away.
async fn greet_one(listener: TcpListener) -> Result<Vec<u8>, GreetError> {
    let verifier = Verifier::of(&SecretString::from(PASSWORD)).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let Wish::Connect(startup) = greet::first_packet(&mut stream).await? else {
        panic!("not a cancel request");
    };
    greet::authenticate(&mut stream, &startup, &verifier).await?;
    serve_one_query(&mut stream).await;
    Ok(startup)
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn psql_gets_in_with_the_one_time_password() {
    // `prefer` asks for TLS first and takes no for an answer.
    for parameters in ["sslmode=disable", "sslmode=prefer", "sslmode=prefer&gssencmode=prefer"] {
        let (listener, port) = listener().await;
        let greeted = tokio::spawn(greet_one(listener));
        let output = run_psql(port, PASSWORD, parameters).await;
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "42\n",
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success());
        let startup = greeted.await.unwrap().unwrap();
        assert!(
            startup.windows(9).any(|window| window == b"user\0ana\0"),
            "the packet is passed on as it was read"
        );
    }
}

#[tokio::test]
async fn psql_with_another_password_is_told_in_its_own_words() {
    let (listener, port) = listener().await;
    let greeted = tokio::spawn(greet_one(listener));
    let output = run_psql(port, "guess", "sslmode=disable").await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text.contains("FATAL:  password authentication failed for user \"ana\""),
        "{text}"
    );
    assert!(!text.contains(PASSWORD));
    assert!(matches!(
        greeted.await.unwrap(),
        Err(GreetError::Scram(ScramError::WrongPassword))
    ));
}

#[tokio::test]
async fn psql_shows_why_the_relay_refuses() {
    let (listener, port) = listener().await;
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        greet::first_packet(&mut stream).await.unwrap();
        let refusal = Refusal::new(Code::SessionRevoked, "the session was ended by bo").hint("ask bo");
        greet::refuse(&mut stream, &refusal).await.unwrap();
    });
    let output = run_psql(port, PASSWORD, "sslmode=disable").await;
    served.await.unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("FATAL:  the session was ended by bo") && text.contains("HINT:  ask bo"),
        "{text}"
    );
}

async fn send(bytes: &[u8]) -> (Result<Wish, GreetError>, Vec<u8>) {
    let (mut ours, mut theirs) = tokio::io::duplex(64 * 1024);
    theirs.write_all(bytes).await.unwrap();
    theirs.shutdown().await.unwrap();
    let result = tokio::time::timeout(Duration::from_secs(5), greet::first_packet(&mut ours))
        .await
        .unwrap();
    drop(ours);
    let mut answer = Vec::new();
    theirs.read_to_end(&mut answer).await.unwrap();
    (result, answer)
}

#[tokio::test]
async fn a_browser_is_turned_away_without_a_word() {
    let (result, answer) = send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;
    assert!(matches!(result, Err(GreetError::NotPostgres(_))));
    assert!(answer.is_empty());
}

#[tokio::test]
async fn a_cancel_request_is_passed_on_whole() {
    let mut request = vec![0, 0, 0, 16];
    request.extend_from_slice(&80_877_102_u32.to_be_bytes());
    request.extend_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let (result, answer) = send(&request).await;
    assert_eq!(result.unwrap(), Wish::Cancel(request));
    assert!(answer.is_empty());
}

#[tokio::test]
async fn encryption_is_asked_for_once_of_each_kind() {
    let ask = |kind: u32| [8_u32.to_be_bytes(), kind.to_be_bytes()].concat();
    let (ssl, gss) = (ask(80_877_103), ask(80_877_104));
    let (result, answer) = send(&[gss.clone(), ssl.clone()].concat()).await;
    assert!(matches!(result, Err(GreetError::Io(_))), "the client left");
    assert_eq!(answer, b"NN");
    let (result, answer) = send(&[ssl.clone(), ssl].concat()).await;
    assert!(matches!(result, Err(GreetError::AsksTwice)));
    assert_eq!(answer, b"N");
    assert!(matches!(
        send(&[gss.clone(), gss].concat()).await.0,
        Err(GreetError::AsksTwice)
    ));
}

#[tokio::test]
async fn a_packet_may_come_in_any_pieces() {
    let mut packet = vec![0, 0, 0, 18];
    packet.extend_from_slice(&(3_u32 << 16).to_be_bytes());
    packet.extend_from_slice(b"user\0ana\0\0");
    for cut in 1..packet.len() {
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        let (first, second) = packet.split_at(cut);
        let (first, second) = (first.to_vec(), second.to_vec());
        let sender = tokio::spawn(async move {
            theirs.write_all(&first).await.unwrap();
            tokio::task::yield_now().await;
            theirs.write_all(&second).await.unwrap();
            theirs
        });
        assert_eq!(
            greet::first_packet(&mut ours).await.unwrap(),
            Wish::Connect(packet.clone())
        );
        sender.await.unwrap();
        let (result, _) = send(packet.get(..cut).unwrap()).await;
        assert!(matches!(result, Err(GreetError::Io(_))), "a part is nothing");
    }
}
