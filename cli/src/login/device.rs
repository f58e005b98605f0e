//! The person's part of a device login (RFC 8628): show where to go and what to type there, then wait as the relay asks.

use std::time::Duration;

use anstyle::AnsiColor;
use fast_qr::{ECL, QRBuilder};
use hoop_shared::api::{DevicePoll, DevicePolled, DeviceStarted, Enrolled};
use hoop_shared::refusal::Code;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::login::show::{Waiting, fit_to_open};
use crate::printer::{Printer, escape};
use crate::relay_api::RelayApi;

/// The shortest time between two polls, whatever the relay says.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// The longest: a relay that asks for more is not believed.
const MAX_INTERVAL: Duration = Duration::from_secs(60);
/// What a poll that did not reach the relay adds to the interval (RFC 8628, section 3.5, asks to slow down).
const BACK_OFF: Duration = Duration::from_secs(5);
/// The longest that a code is waited for.
const MAX_WAIT: Duration = Duration::from_secs(1800);
/// Characters of a URL in a QR code that terminals still show whole.
const MAX_QR_TEXT: usize = 300;

/// Shows what to do and waits until it is done.
///
/// # Errors
/// The login was denied, the code expired, or the relay gave something unfit to show.
pub async fn wait(api: &RelayApi, started: &DeviceStarted, printer: &Printer) -> Result<Enrolled> {
    show(started, printer)?;
    let lifetime = Duration::from_secs(started.expires_in).min(MAX_WAIT);
    let until = Instant::now() + lifetime;
    let mut interval = clamp(started.interval);
    let mut said = None;
    let waiting = Waiting::start(printer);
    loop {
        let next = Instant::now() + interval;
        if next >= until {
            return Err(expired());
        }
        tokio::time::sleep_until(next).await;
        let poll = DevicePoll {
            login: started.login.clone(),
        };
        let trouble = match api.post::<_, DevicePolled>("/v1/login/device/poll", &poll).await {
            Ok(DevicePolled::Done(enrolled)) => return Ok(enrolled),
            Ok(DevicePolled::Pending {
                interval: asked,
                trouble,
            }) => {
                interval = clamp(asked);
                trouble
            }
            // The network may come back before the code ends.
            Err(error) if error.code() == Code::RelayUnreachable => {
                interval = (interval + BACK_OFF).min(MAX_INTERVAL);
                Some(error.to_string())
            }
            Err(error) => return Err(error),
        };
        if trouble.is_some() && trouble != said {
            waiting.say(
                &format!("still trying: {}", escape::line(trouble.as_deref().unwrap_or_default())),
                printer,
            );
        }
        said = trouble;
    }
}

fn clamp(seconds: u64) -> Duration {
    Duration::from_secs(seconds).clamp(MIN_INTERVAL, MAX_INTERVAL)
}

fn expired() -> Error {
    Error::login_needed("the code expired before anybody confirmed it").hint("start again with `hoopctl login`")
}

/// Shows URL, code and QR code. They must be seen: `--quiet` does not leave them out.
fn show(started: &DeviceStarted, printer: &Printer) -> Result<()> {
    if !fit_to_open(&started.verification_uri) {
        return Err(Error::new(
            Code::RelayFault,
            "the relay gave a verification URL that is not safe to open",
        ));
    }
    let code = escape::line(&started.user_code);
    let complete = started
        .verification_uri_complete
        .as_deref()
        .filter(|uri| fit_to_open(uri));
    if let Some(drawn) = complete.filter(|_| printer.stderr_is_terminal()).and_then(qr) {
        printer.tell(drawn);
    }
    printer.tell(format_args!(
        "To log in with {}, open\n  {}\nand enter the code\n  {}",
        escape::line(&started.issuer),
        started.verification_uri,
        printer.paint(AnsiColor::Green, &code)
    ));
    if complete.is_some() {
        printer.say(
            "Whatever opened the page: compare its code with this one, and confirm only a login that you started.",
        );
    }
    Ok(())
}

fn qr(uri: &str) -> Option<String> {
    if uri.len() > MAX_QR_TEXT {
        return None;
    }
    QRBuilder::new(uri).ecl(ECL::L).build().ok().map(|code| code.to_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relay_sets_the_pace_within_reason() {
        assert_eq!(clamp(0), MIN_INTERVAL);
        assert_eq!(clamp(7), Duration::from_secs(7));
        assert_eq!(clamp(u64::MAX), MAX_INTERVAL);
    }

    #[test]
    fn a_url_is_drawn_and_a_huge_one_is_not() {
        assert!(qr("https://login.example/device?user_code=ABCD").is_some_and(|code| code.lines().count() > 10));
        assert!(qr(&"x".repeat(MAX_QR_TEXT + 1)).is_none());
    }
}
