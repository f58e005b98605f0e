//! Plain HTTP to a server of the test, as far as a test needs it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Sends one request; gives the whole answer with its head.
#[track_caller]
pub(crate) fn http(origin: &str, method: &str, path: &str, cookie: &str, body: &str) -> String {
    let host = origin.strip_prefix("http://").expect("http on loopback");
    let mut socket = TcpStream::connect(host).expect("the server listens");
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    let kind = "application/x-www-form-urlencoded";
    let length = body.len();
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {cookie}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("the server reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    answer
}
