//! How a key gets its certificate: a person's login by a code or in a browser, or a workload's token. The relay speaks to the identity provider; what
//! comes back is a certificate for a key that was made here, and nothing that another machine could use.

use hoop_shared::api::{DeviceStart, DeviceStarted, Enrolled, WorkloadLogin};
use hoop_shared::refusal::Code;
use hoop_shared::tls::Trust;
use secrecy::{ExposeSecret, SecretString};

use crate::context::rfc3339;
use crate::credentials::key::Key;
use crate::credentials::{Login, expires_of};
use crate::error::Result;
use crate::printer::{Printer, escape};
use crate::relay_api::RelayApi;
use crate::settings::Settings;

pub mod at_hand;
pub mod browser;
pub mod device;
mod show;
pub mod trust;
pub mod workload;

/// Who logs in.
#[derive(Debug)]
pub enum Request {
    /// A person, with a browser somewhere.
    Person {
        /// The identity provider's name; the relay's first where absent.
        issuer: Option<String>,
        /// In a browser on this machine, not by a code.
        in_browser: bool,
    },
    /// A workload, with a token of its platform.
    Workload {
        /// The token.
        token: SecretString,
        /// The key that it came with before.
        key: Option<Key>,
    },
}

/// Gets a certificate.
///
/// # Errors
/// The login was denied, expired, or could not be made.
pub async fn enrol(
    api: &RelayApi,
    trust: Trust,
    request: Request,
    settings: &Settings,
    printer: &Printer,
) -> Result<Login> {
    let (key, enrolled) = match request {
        Request::Person { issuer, in_browser } => {
            let key = Key::generate()?;
            let enrolled = if in_browser {
                browser::log_in(api, &key, issuer, settings, printer).await?
            } else {
                person(api, &key, issuer, settings, printer).await?
            };
            (key, enrolled)
        }
        Request::Workload { token, key } => {
            let key = match key {
                Some(key) => key,
                None => Key::generate()?,
            };
            let login = WorkloadLogin {
                csr: key.signing_request()?,
                token: token.expose_secret().to_owned(),
                machine: settings.machine.clone(),
            };
            let enrolled: Enrolled = api.post("/v1/login/workload", &login).await?;
            (key, enrolled)
        }
    };
    // A certificate that cannot be read is not kept.
    expires_of(&enrolled.certificate)?;
    Ok(Login {
        relay: api.relay().clone(),
        trust,
        certificate: enrolled.certificate,
        whoami: enrolled.whoami,
        key,
    })
}

/// What is said of a login that was made.
///
/// # Errors
/// Its certificate cannot be read.
pub fn sentence(login: &Login) -> Result<String> {
    let who = &login.whoami;
    let groups = if who.groups.is_empty() {
        String::new()
    } else {
        format!(" ({})", who.groups.join(", "))
    };
    Ok(format!(
        "logged in at {} as {}{} until {}",
        login.relay,
        escape::line(&who.principal),
        escape::line(&groups),
        rfc3339(login.expires()?)
    ))
}

/// Logs a person in by a code; in a browser on this machine where the provider knows no codes and somebody is there.
async fn person(
    api: &RelayApi,
    key: &Key,
    issuer: Option<String>,
    settings: &Settings,
    printer: &Printer,
) -> Result<Enrolled> {
    let start = DeviceStart {
        csr: key.signing_request()?,
        issuer: issuer.clone(),
        machine: settings.machine.clone(),
    };
    match api.post::<_, DeviceStarted>("/v1/login/device", &start).await {
        Ok(started) => device::wait(api, &started, printer).await,
        Err(error) if error.code() == Code::Unsupported && (settings.browser_near || printer.can_ask()) => {
            printer.say(format_args!(
                "{}: logging in in a browser on this machine",
                escape::line(&error.to_string())
            ));
            browser::log_in(api, key, issuer, settings, printer).await
        }
        Err(error) => Err(error),
    }
}
