//! What every command works with: the settings, the printer, and on request the login and the relay's API.

use std::sync::{Arc, OnceLock};

use hoop_shared::api::PrincipalKind;
use hoop_shared::refusal::Code;
use time::{Duration, OffsetDateTime};

use crate::credentials::{Credentials, Login};
use crate::error::{Error, Result};
use crate::news::News;
use crate::printer::Printer;
use crate::relay_api::RelayApi;
use crate::settings::Settings;
use crate::tunnel::{Dial, Tunnel};

/// The longest time before the end of a login at which it is said.
const LEAD: Duration = Duration::minutes(15);

/// What every command works with.
#[derive(Clone, Debug)]
pub struct Context {
    /// How `hoopctl` was called.
    pub settings: Settings,
    /// What writes.
    pub printer: Printer,
    /// What a relay said beside its answers.
    pub news: News,
    warned: Arc<OnceLock<()>>,
    /// A login that is kept nowhere but here.
    own: Option<Login>,
}

impl Context {
    /// Puts the parts together.
    pub fn new(settings: Settings, printer: Printer) -> Self {
        Self {
            settings,
            printer,
            news: News::default(),
            warned: Arc::default(),
            own: None,
        }
    }

    /// The same with a login that is kept nowhere else.
    #[must_use]
    pub fn logged_in(&self, login: Login) -> Self {
        Self {
            own: Some(login),
            ..self.clone()
        }
    }

    /// Where logins are kept.
    pub fn credentials(&self) -> Credentials {
        Credentials::new(&self.settings)
    }

    /// The login of this profile.
    ///
    /// # Errors
    /// There is none, it has ended, it is for another relay than the settings name, or it is kept unsafely.
    pub async fn login(&self) -> Result<Login> {
        if let Some(login) = &self.own {
            return Ok(login.clone());
        }
        let profile = &self.settings.profile;
        let Some(login) = self.credentials().load(profile).await? else {
            return Err(Error::login_needed(format!("profile `{profile}` is not logged in")));
        };
        if let Some(wanted) = self.settings.relay.as_ref().filter(|wanted| **wanted != login.relay) {
            let message = format!("profile `{profile}` is logged in at {}, not at {wanted}", login.relay);
            return Err(Error::login_needed(message).hint(format!(
                "log in with `hoopctl login {wanted}`, or name another profile with --profile"
            )));
        }
        let expires = login.expires()?;
        if expires <= OffsetDateTime::now_utc() {
            return Err(Error::login_needed(format!(
                "the login at {} ended at {}",
                login.relay,
                rfc3339(expires)
            )));
        }
        self.warn_before_the_end(&login, expires)?;
        Ok(login)
    }

    /// Says once that the login ends soon, while there is time to log in again.
    fn warn_before_the_end(&self, login: &Login, expires: OffsetDateTime) -> Result<()> {
        let left = expires - OffsetDateTime::now_utc();
        if left < lead(login.life()?) && self.warned.set(()).is_ok() {
            let again = match login.whoami.kind {
                PrincipalKind::User => "hoopctl login",
                PrincipalKind::Workload => "hoopctl login --workload",
            };
            self.printer.warn(format_args!(
                "the login at {} ends in {}, and its sessions with it: log in again with `{again}`",
                login.relay,
                spoken(left)
            ));
        }
        Ok(())
    }

    /// The API of the relay, with this profile's login.
    ///
    /// # Errors
    /// Those of [`Context::login`], or the login cannot be used for TLS.
    pub async fn relay(&self) -> Result<RelayApi> {
        RelayApi::of(&self.login().await?, &self.news)
    }

    /// What a tunnel with this login is dialled by.
    ///
    /// # Errors
    /// The login cannot be used for TLS.
    pub fn dial(&self, login: &Login) -> Result<Dial> {
        Ok(Dial {
            relay: login.relay.clone(),
            credential: login.credential()?,
            trust: login.trust.clone(),
            machine: self.settings.machine.clone(),
            memory: Some(self.settings.config_dir.join("networks")),
            head_start: crate::tunnel::HEAD_START,
        })
    }

    /// A tunnel to the relay, with this profile's login.
    ///
    /// # Errors
    /// Those of [`Context::login`], or the relay cannot be reached, is not trusted, or refuses.
    pub async fn tunnel(&self) -> Result<Tunnel> {
        let dial = self.dial(&self.login().await?)?;
        let tunnel = Tunnel::connect(&dial).await.map_err(|error| error.refusal())?;
        self.news.hear(&tunnel.welcome().notices);
        Ok(tunnel)
    }
}

/// How long before its end something that lasts this long is said to end soon: a quarter of an hour, and no more than a quarter of it.
pub fn lead(life: Duration) -> Duration {
    LEAD.min(life / 4)
}

/// A time that is left, as people say it.
pub fn spoken(left: Duration) -> String {
    match left.whole_minutes() {
        ..1 => format!("{} seconds", left.whole_seconds().max(0)),
        1 => "a minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

/// A time as text: RFC 3339, to the second.
pub fn rfc3339(time: OffsetDateTime) -> String {
    let whole = time.replace_nanosecond(0).unwrap_or(time);
    whole
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_else(|_| whole.to_string())
}

/// The error of a thing that this machine cannot do, though it should.
pub(crate) fn local_failure(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::new(Code::Failed, error.to_string()).doing(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_said_in_time_and_not_all_the_time() {
        assert_eq!(lead(Duration::hours(12)), Duration::minutes(15));
        assert_eq!(lead(Duration::hours(1)), Duration::minutes(15));
        assert_eq!(lead(Duration::minutes(4)), Duration::minutes(1));
        assert_eq!(spoken(Duration::seconds(119)), "a minute");
        assert_eq!(spoken(Duration::minutes(14)), "14 minutes");
        assert_eq!(spoken(Duration::seconds(-3)), "0 seconds");
    }
}
