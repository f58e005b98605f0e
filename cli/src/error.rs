//! The one error of every command: a refusal (what happened, what next), what was being done, and the exit code.

use std::fmt;
use std::io;

use hoop_shared::refusal::{Code, Refusal};

/// Added to a refusal's exit code where a client's own code is what is normally returned, so that the two never mix.
const BESIDE_A_CLIENT: u8 = 240;

/// The result of a command.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command failed.
#[derive(Clone, Debug)]
pub struct Error {
    refusal: Box<Refusal>,
    doing: Option<String>,
    exit: Exit,
}

/// Which exit code an error has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// The code's own.
    OfCode,
    /// 240 and the code's own: `connect NAME -- CLIENT` returns the client's codes otherwise.
    BesideAClient,
    /// A code that stands by convention: 126 and 127 for a client that does not start.
    Fixed(u8),
    /// Whoever read the output has gone: nobody is left to tell.
    Silent,
}

impl Error {
    /// Makes an error with a code and a sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Refusal::new(code, message).into()
    }

    /// Makes an error of the code `failed`.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    /// Makes an error about a file or another local thing; `what` says which, with a verb: "cannot read /x".
    pub fn io(what: impl Into<String>, error: &io::Error) -> Self {
        Self::failed(error.to_string()).doing(what)
    }

    /// Says that the credential is missing, or not valid any more.
    pub fn login_needed(message: impl Into<String>) -> Self {
        Self::new(Code::LoginNeeded, message).hint("log in with `hoopctl login`")
    }

    /// The error of writing to stdout. A closed pipe ends the command without a word.
    pub fn output(error: &io::Error) -> Self {
        let mut made = Self::io("cannot write to the standard output", error);
        if error.kind() == io::ErrorKind::BrokenPipe {
            made.exit = Exit::Silent;
        }
        made
    }

    /// Adds what to do next, in place of what was said before.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.refusal.hint = Some(hint.into());
        self
    }

    /// Adds what was being done: it becomes the headline, and what was said so far its reason.
    #[must_use]
    pub fn doing(mut self, doing: impl Into<String>) -> Self {
        if let Some(inner) = self.doing.replace(doing.into()) {
            self.refusal.message = format!("{inner}: {}", self.refusal.message);
        }
        self
    }

    /// Marks an error that takes the place of a client's exit code.
    #[must_use]
    pub fn beside_a_client(mut self) -> Self {
        if self.exit == Exit::OfCode {
            self.exit = Exit::BesideAClient;
        }
        self
    }

    /// Gives the error an exit code of its own.
    #[must_use]
    pub fn exits_with(mut self, code: u8) -> Self {
        self.exit = Exit::Fixed(code);
        self
    }

    /// The refusal inside.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// What happened, as scripts read it.
    pub fn code(&self) -> Code {
        self.refusal.code
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self.exit {
            Exit::OfCode => self.code().exit_code(),
            Exit::BesideAClient => BESIDE_A_CLIENT.saturating_add(self.code().exit_code()),
            Exit::Fixed(code) => code,
            Exit::Silent => 1,
        }
    }

    /// Whether there is nobody left to read the error.
    pub fn is_silent(&self) -> bool {
        self.exit == Exit::Silent
    }

    /// The first line: what failed.
    pub fn headline(&self) -> &str {
        self.doing.as_deref().unwrap_or(&self.refusal.message)
    }

    /// Why, where that is not the headline already.
    pub fn reason(&self) -> Option<String> {
        let message = &self.refusal.message;
        let rule = self.refusal.rule.as_deref().filter(|rule| !message.contains(*rule));
        match (&self.doing, rule) {
            (Some(_), Some(rule)) => Some(format!("policy `{rule}`: {message}")),
            (Some(_), None) => Some(message.clone()),
            (None, Some(rule)) => Some(format!("policy `{rule}`")),
            (None, None) => None,
        }
    }

    /// The refusal as JSON has it: one message that says what was being done and why it failed.
    pub fn as_refusal(&self) -> Refusal {
        let mut refusal = (*self.refusal).clone();
        if let Some(doing) = &self.doing {
            refusal.message = format!("{doing}: {}", refusal.message);
        }
        refusal
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal: Box::new(refusal),
            doing: None,
            exit: Exit::OfCode,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.doing {
            Some(doing) => write!(f, "{doing}: {}", self.refusal.message),
            None => f.write_str(&self.refusal.message),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_the_exit_code_of_the_interface() {
        let table = [
            (Code::Failed, 1),
            (Code::Usage, 2),
            (Code::Configuration, 3),
            (Code::LoginNeeded, 4),
            (Code::Blocked, 5),
            (Code::WaitsForApproval, 6),
            (Code::ApprovalDenied, 7),
            (Code::ApprovalExpired, 8),
            (Code::RelayUnreachable, 9),
            (Code::TargetUnreachable, 9),
            (Code::SessionRevoked, 10),
            (Code::SessionLimit, 10),
        ];
        for (code, exit) in table {
            let error = Error::new(code, "x");
            assert_eq!(error.exit_code(), exit, "{code}");
            assert_eq!(error.beside_a_client().exit_code(), 240 + exit, "{code}");
        }
    }

    #[test]
    fn a_fixed_exit_code_stays_beside_a_client() {
        assert_eq!(Error::failed("x").exits_with(127).beside_a_client().exit_code(), 127);
    }

    #[test]
    fn what_was_being_done_is_the_headline_and_the_message_its_reason() {
        let error =
            Error::from(Refusal::new(Code::Blocked, "no agents here").rule("no-agents")).doing("cannot open db");
        assert_eq!(error.headline(), "cannot open db");
        assert_eq!(error.reason().as_deref(), Some("policy `no-agents`: no agents here"));
        assert_eq!(error.as_refusal().message, "cannot open db: no agents here");
    }

    #[test]
    fn nothing_is_lost_when_a_larger_task_fails() {
        let error = Error::failed("mode 644")
            .doing("the file is not safe to use")
            .doing("cannot open db");
        assert_eq!(error.headline(), "cannot open db");
        assert_eq!(error.reason().as_deref(), Some("the file is not safe to use: mode 644"));
        assert_eq!(
            error.to_string(),
            "cannot open db: the file is not safe to use: mode 644"
        );
    }

    #[test]
    fn a_rule_that_the_message_names_is_not_said_twice() {
        let error = Error::from(Refusal::new(Code::Blocked, "blocked by policy no-drop").rule("no-drop"));
        assert_eq!(error.reason(), None);
    }

    #[test]
    fn a_closed_pipe_is_silent() {
        assert!(Error::output(&io::ErrorKind::BrokenPipe.into()).is_silent());
        assert!(!Error::output(&io::ErrorKind::StorageFull.into()).is_silent());
    }
}
