//! What a relay tells beside its answers: logins of the same principal that this one was not told of yet. It is kept until the command
//! has said what it was asked for, so that it mixes with nothing, and goes to stderr.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hoop_shared::api::LoginSeen;

use crate::printer::{Printer, escape};

/// What was heard and not told yet. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct News(Arc<Mutex<Vec<String>>>);

impl News {
    /// Keeps what a relay said, word for word.
    pub fn hear(&self, notices: &[String]) {
        self.kept().extend_from_slice(notices);
    }

    /// Keeps what a header of an answer says (`hoop_shared::api::NEW_LOGINS`). What cannot be read is nothing.
    pub fn hear_of_logins(&self, principal: &str, header: &[u8]) {
        let json = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
        let seen: Vec<LoginSeen> = serde_json::from_slice(&json).unwrap_or_default();
        self.kept().extend(seen.iter().map(|login| login.sentence(principal)));
    }

    /// Tells it, once; with `--quiet` it is not said.
    pub fn tell(&self, printer: &Printer) {
        for notice in std::mem::take(&mut *self.kept()) {
            if !printer.is_quiet() {
                printer.warn(escape::line(&notice));
            }
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
