//! A login in a browser on this machine: authorization code with PKCE and a loopback redirect (RFC 8252, section 7.3; RFC 7636).
//!
//! ```text
//! hoopctl ── start (CSR, http://127.0.0.1:PORT/callback) ──▶ relay
//!         ◀─ where to log in, state ─┘
//! browser ── logs in at the provider, is sent back ──▶ hoopctl ── code, state ──▶ relay ── code, PKCE's secret ──▶ provider
//!         ◀─ how it went ─┘                                    ◀─ certificate ─┘
//! ```
//!
//! The code is worth nothing here: only the relay, which holds PKCE's secret, can redeem it, and only for the key of the request.

use std::time::Duration;

use anstyle::AnsiColor;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hoop_shared::api::{BrowserFinish, BrowserStart, BrowserStarted, Enrolled};
use hoop_shared::refusal::Code;
use subtle::ConstantTimeEq;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::credentials::key::Key;
use crate::error::{Error, Result};
use crate::login::show::{Waiting, fit_to_open};
use crate::printer::{Printer, escape};
use crate::relay_api::RelayApi;
use crate::settings::Settings;

/// The path that the provider sends the browser to.
const CALLBACK: &str = "/callback";
/// Bytes of a request's head. A code and a state have some hundred; browsers add some two thousand.
const MAX_HEAD: usize = 16 * 1024;
/// Lines of a request's head.
const MAX_HEADERS: usize = 64;
/// How long a connection may take to send its head: browsers open some that they never use.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// Connections that are read at a time.
const MAX_CONNECTIONS: usize = 16;
/// The longest that a login is waited for.
const MAX_WAIT: Duration = Duration::from_secs(1800);

/// Logs in by a browser on this machine.
///
/// # Errors
/// The login was denied or not finished in time, or the relay refuses it.
pub async fn log_in(
    api: &RelayApi,
    key: &Key,
    issuer: Option<String>,
    settings: &Settings,
    printer: &Printer,
) -> Result<Enrolled> {
    let failed = |error: std::io::Error| Error::io("cannot listen for the browser on 127.0.0.1", &error);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let start = BrowserStart {
        csr: key.signing_request()?,
        issuer,
        machine: settings.machine.clone(),
        redirect_uri: format!("http://{address}{CALLBACK}"),
    };
    let started: BrowserStarted = api.post("/v1/login/browser", &start).await?;
    show(&started, settings, printer)?;
    let waiting = Waiting::start(printer);
    let until = Instant::now() + Duration::from_secs(started.expires_in).min(MAX_WAIT);
    let (callback, stream) = tokio::time::timeout_at(until, called_back(&listener, &started.state))
        .await
        .map_err(|_| {
            Error::login_needed("nobody logged in before the time was over")
                .hint("start again with `hoopctl login --browser`")
        })??;
    // From here on nobody else is answered.
    drop(listener);
    let finish = BrowserFinish {
        login: started.login.clone(),
        state: callback.state,
        code: callback.code,
        error: callback.error,
        iss: callback.iss,
    };
    let result = api.post::<_, Enrolled>("/v1/login/browser/finish", &finish).await;
    drop(waiting);
    answer(
        stream,
        &match &result {
            Ok(enrolled) => Page::done(&enrolled.whoami.principal),
            Err(error) => Page::failed(&error.to_string()),
        },
    )
    .await;
    result
}

/// Shows where to log in, and opens it where there is a browser. It must be seen: `--quiet` does not leave it out.
fn show(started: &BrowserStarted, settings: &Settings, printer: &Printer) -> Result<()> {
    let uri = &started.authorization_uri;
    if !fit_to_open(uri) {
        return Err(Error::new(
            Code::RelayFault,
            "the relay gave a login URL that is not safe to open",
        ));
    }
    let opened = settings.browser_near && {
        let mut quietly = webbrowser::BrowserOptions::new();
        quietly.with_suppress_output(true);
        webbrowser::open_browser_with_options(webbrowser::Browser::Default, uri, &quietly).is_ok()
    };
    let what = if opened {
        "Your browser opens"
    } else {
        "Open in a browser on this machine"
    };
    printer.tell(format_args!(
        "To log in with {}: {what}\n  {}",
        escape::line(&started.issuer),
        printer.paint(AnsiColor::Green, uri)
    ));
    Ok(())
}

/// What the provider sent the browser back with.
#[derive(Debug, Default, PartialEq, Eq)]
struct Callback {
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// Waits for the browser to be sent back with our state. Whatever else asks is told that there is nothing here.
async fn called_back(listener: &TcpListener, state: &str) -> Result<(Callback, TcpStream)> {
    let mut reading = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if reading.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => reading.push(read(stream, state)),
                // One connection that broke at once is no reason to give up.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(read) = reading.next(), if !reading.is_empty() => if let Some(found) = read {
                return Ok(found);
            },
        }
    }
}

/// Reads one request; answers it where it is not the callback of this login.
async fn read(mut stream: TcpStream, state: &str) -> Option<(Callback, TcpStream)> {
    let head = tokio::time::timeout(HEAD_TIMEOUT, head(&mut stream)).await.ok()??;
    match callback(&head, state) {
        Some(callback) => Some((callback, stream)),
        None => {
            answer(stream, &Page::not_here()).await;
            None
        }
    }
}

async fn head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 2048];
        let read = stream.read(&mut chunk).await.ok()?;
        bytes.extend_from_slice(chunk.get(..read)?);
        let whole = bytes.windows(4).any(|window| window == b"\r\n\r\n");
        if whole {
            return Some(bytes);
        }
        if read == 0 || bytes.len() > MAX_HEAD {
            return None;
        }
    }
}

/// Takes a request for the callback with our own state.
fn callback(head: &[u8], state: &str) -> Option<Callback> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(head).ok().filter(httparse::Status::is_complete)?;
    let target = request
        .path
        .filter(|path| path.starts_with('/') && !path.starts_with("//") && request.method == Some("GET"))?;
    let url = reqwest::Url::parse("http://127.0.0.1").ok()?.join(target).ok()?;
    if url.path() != CALLBACK {
        return None;
    }
    let once = |name: &str| {
        let mut values = url
            .query_pairs()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned());
        // One that stands twice is nobody's answer.
        values.next().filter(|_| values.next().is_none())
    };
    let callback = Callback {
        state: once("state")?,
        code: once("code"),
        error: once("error"),
        iss: once("iss"),
    };
    let ours = bool::from(callback.state.as_bytes().ct_eq(state.as_bytes()));
    let one_of_two = callback.code.is_some() != callback.error.is_some();
    (ours && one_of_two).then_some(callback)
}

/// What the browser shows.
struct Page {
    status: &'static str,
    title: &'static str,
    text: String,
}

impl Page {
    fn done(principal: &str) -> Self {
        Self {
            status: "200 OK",
            title: "Logged in",
            text: format!("You are logged in as {principal}. Close this page and go on in the terminal."),
        }
    }

    fn failed(why: &str) -> Self {
        Self {
            status: "403 Forbidden",
            title: "Not logged in",
            text: format!("The login failed: {why}"),
        }
    }

    fn not_here() -> Self {
        Self {
            status: "404 Not Found",
            title: "Nothing here",
            text: "This address waits for a login of hoopctl, and this is not it.".to_owned(),
        }
    }

    fn response(&self) -> String {
        let body = format!(
            "<!doctype html><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><p>{text}</p>\n",
            title = self.title,
            text = html(&self.text)
        );
        format!(
            "HTTP/1.1 {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\n\
             Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n\r\n{body}",
            self.status,
            body.len(),
        )
    }
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Answers, as far as the browser is still there.
async fn answer(mut stream: TcpStream, page: &Page) {
    let told = async {
        stream.write_all(page.response().as_bytes()).await?;
        stream.shutdown().await
    };
    // The login does not depend on it.
    let _ = tokio::time::timeout(HEAD_TIMEOUT, told).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn taken(target: &str) -> Option<Callback> {
        callback(
            format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n").as_bytes(),
            "st&te",
        )
    }

    #[test]
    fn only_the_callback_with_our_state_is_taken() {
        let good = taken("/callback?code=a%2Bb&state=st%26te&iss=https%3A%2F%2Fidp").unwrap_or_default();
        assert_eq!(
            good,
            Callback {
                state: "st&te".into(),
                code: Some("a+b".into()),
                error: None,
                iss: Some("https://idp".into())
            }
        );
        assert!(taken("/callback?error=access_denied&state=st%26te").is_some());
        for target in [
            "/callback?code=a&state=other",
            "/callback?code=a",
            "/callback?state=st%26te",
            "/callback?code=a&code=b&state=st%26te",
            "/callback?code=a&state=st%26te&state=other",
            "/callback?code=a&error=b&state=st%26te",
            "/other?code=a&state=st%26te",
            "//evil.example/callback?code=a&state=st%26te",
            "http://evil.example/callback?code=a&state=st%26te",
            "/favicon.ico",
        ] {
            assert_eq!(taken(target), None, "{target}");
        }
        assert!(callback(b"POST /callback?code=a&state=st%26te HTTP/1.1\r\n\r\n", "st&te").is_none());
        assert!(callback(b"\x16\x03\x01\x02\x00", "st&te").is_none());
    }

    #[test]
    fn a_page_shows_text_and_runs_nothing() {
        let page = Page::failed("<script>alert(1)</script> & \"more\"").response();
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"), "{page}");
        assert!(page.contains("default-src 'none'"));
    }

    #[tokio::test]
    async fn connections_that_say_nothing_do_not_keep_the_browser_waiting() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let browser = async {
            let mut idle = Vec::new();
            for _ in 0..3 {
                idle.push(TcpStream::connect(address).await.map(drop));
            }
            let _silent = TcpStream::connect(address).await;
            let mut favicon = TcpStream::connect(address).await?;
            favicon.write_all(b"GET /favicon.ico HTTP/1.1\r\n\r\n").await?;
            let mut told = String::new();
            favicon.read_to_string(&mut told).await?;
            let mut called = TcpStream::connect(address).await?;
            called
                .write_all(b"GET /callback?code=c&state=s HTTP/1.1\r\nHost: x\r\n\r\n")
                .await?;
            Ok::<_, std::io::Error>((told, called, _silent))
        };
        let (callback, browser) = tokio::join!(called_back(&listener, "s"), browser);
        assert!(callback.is_ok_and(|(callback, _)| callback.code.as_deref() == Some("c")));
        assert!(browser.is_ok_and(|(told, ..)| told.starts_with("HTTP/1.1 404")));
    }
}
