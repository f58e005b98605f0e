//! How a key gets its certificate: a person's device login, or a workload's token. The relay speaks to the identity provider; what
//! comes back is a certificate for a key that was made here, and nothing that another machine could use.

use hoop_shared::api::{DeviceStart, DeviceStarted, Enrolled, WorkloadLogin};
use hoop_shared::tls::Trust;
use secrecy::{ExposeSecret, SecretString};

use crate::credentials::key::Key;
use crate::credentials::{Login, expires_of};
use crate::error::Result;
use crate::printer::Printer;
use crate::relay_api::RelayApi;
use crate::settings::Settings;

pub mod device;
pub mod trust;
pub mod workload;

/// Who logs in.
#[derive(Debug)]
pub enum Request {
    /// A person, with a browser somewhere.
    Person {
        /// The identity provider's name; the relay's first where absent.
        issuer: Option<String>,
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
        Request::Person { issuer } => {
            let key = Key::generate()?;
            let start = DeviceStart {
                csr: key.signing_request()?,
                issuer,
                machine: settings.machine.clone(),
            };
            let started: DeviceStarted = api.post("/v1/login/device", &start).await?;
            (key, device::wait(api, &started, printer).await?)
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
