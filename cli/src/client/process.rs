//! Runs a client program in the foreground, as if it had been typed alone: its terminal, its signals, its exit code.
//!
//! The program stays in our process group. Ctrl-C therefore reaches it from the terminal itself (psql cancels its query), and `hoopctl`
//! only has to survive it. A signal that was sent to `hoopctl` alone is passed on.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use hoop_shared::refusal::Code;
use rustix::process::{Pid, Signal};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};

use crate::client::address::REMOVED;
use crate::error::{Error, Result};

/// The exit code of a program that is not found, and of one that cannot be run (POSIX, "Exit Status for Commands").
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;
/// Added to the number of the signal that ended a program.
const BY_SIGNAL: i32 = 128;

/// A running client program.
#[derive(Debug)]
pub struct Client {
    child: Child,
    signals: Received,
    terminal: Option<Termios>,
}

/// The signals that concern the client.
#[derive(Debug)]
struct Received {
    interrupt: Signals,
    quit: Signals,
    terminate: Signals,
    hangup: Signals,
}

/// Looks for a program as the system will when it is started, so that no session is opened in vain.
///
/// # Errors
/// It is not there (127).
pub fn find(program: &OsStr, path: &[PathBuf]) -> Result<()> {
    let named = Path::new(program);
    let found = if named.components().count() > 1 || named.is_absolute() {
        named.exists()
    } else {
        path.iter().any(|directory| directory.join(named).is_file())
    };
    if found {
        Ok(())
    } else {
        Err(not_started(program, &io::ErrorKind::NotFound.into()))
    }
}

impl Client {
    /// Starts a program with variables added, and without those that are not for it: [`REMOVED`] and `removed`.
    ///
    /// # Errors
    /// It is not found (127) or cannot be run (126).
    pub fn start(
        program: &OsStr,
        arguments: &[OsString],
        variables: &[(&'static str, OsString)],
        removed: &[OsString],
    ) -> Result<Self> {
        let failed = |error: io::Error| Error::io("cannot handle signals", &error);
        // Handlers come first, so that no signal ends us and leaves the program. A new program begins with the defaults again.
        let signals = Received {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            quit: signal(SignalKind::quit()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            hangup: signal(SignalKind::hangup()).map_err(failed)?,
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::inherit())
            .stdout(Stdio::inherit())
            .stderr(Stdio::inherit());
        for name in REMOVED {
            command.env_remove(name);
        }
        for name in removed {
            command.env_remove(name);
        }
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let terminal = tcgetattr(io::stdin()).ok();
        let child = command.spawn().map_err(|error| not_started(program, &error))?;
        Ok(Self {
            child,
            signals,
            terminal,
        })
    }

    /// Waits until the program ends, passing signals on; gives its exit code as a shell would. Cancel safe.
    ///
    /// # Errors
    /// The system does not say how it ended.
    pub async fn wait(&mut self) -> Result<u8> {
        loop {
            let to_pass_on = tokio::select! {
                ended = self.child.wait() => {
                    let status = ended.map_err(|error| Error::io("cannot wait for the client", &error))?;
                    self.restore_terminal(status);
                    return Ok(code_of(status));
                }
                _ = self.signals.interrupt.recv() => Some(Signal::INT).filter(|_| !terminal_tells_the_client()),
                _ = self.signals.quit.recv() => Some(Signal::QUIT).filter(|_| !terminal_tells_the_client()),
                _ = self.signals.terminate.recv() => Some(Signal::TERM),
                _ = self.signals.hangup.recv() => Some(Signal::HUP),
            };
            if let Some(signal) = to_pass_on {
                self.send(signal);
            }
        }
    }

    /// Sends the program a signal. It has not been waited for, so its id is still its own.
    fn send(&self, signal: Signal) {
        let pid = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // A program that has just ended needs no signal.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// A program that a signal ended could not put the terminal back as it was.
    fn restore_terminal(&self, status: ExitStatus) {
        if let Some(terminal) = self
            .terminal
            .as_ref()
            .filter(|_| status.signal().is_some() && in_foreground())
        {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, terminal);
        }
    }
}

/// Whether Ctrl-C on the terminal reaches the client without us: it is in the terminal's foreground group, as we are. A signal that
/// somebody sends to us alone at that moment cannot be told from it.
fn terminal_tells_the_client() -> bool {
    in_foreground()
}

fn in_foreground() -> bool {
    let ours = rustix::process::getpgrp();
    // Any of the three may be redirected.
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == ours)
        || tcgetpgrp(io::stderr()).is_ok_and(|group| group == ours)
        || tcgetpgrp(io::stdout()).is_ok_and(|group| group == ours)
}

fn not_started(program: &OsStr, error: &io::Error) -> Error {
    let name = program.to_string_lossy();
    if error.kind() == io::ErrorKind::NotFound {
        return Error::new(Code::Failed, "there is no such program")
            .doing(format!("cannot run {name}"))
            .hint(format!("install {name}, or give its path"))
            .exits_with(NOT_FOUND);
    }
    Error::new(Code::Failed, error.to_string())
        .doing(format!("cannot run {name}"))
        .exits_with(NOT_RUNNABLE)
}

/// The exit code as a shell gives it: the program's own, or 128 and the number of the signal that ended it.
fn code_of(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| BY_SIGNAL + signal))
        .unwrap_or(1);
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    async fn code(script: &str) -> u8 {
        Client::start(
            "sh".as_ref(),
            &["-c".into(), script.into()],
            &[("HOOPCTL_PORT", "77".into())],
            &[],
        )
        .unwrap()
        .wait()
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn the_clients_exit_code_is_returned() {
        assert_eq!(code("exit 0").await, 0);
        assert_eq!(code("exit 3").await, 3);
        assert_eq!(code("kill -TERM $$").await, 143);
        assert_eq!(code("kill -KILL $$").await, 137);
        assert_eq!(code("test \"$HOOPCTL_PORT\" = 77").await, 0);
    }

    #[tokio::test]
    async fn a_program_that_cannot_be_run_has_the_shells_codes() {
        let none = Client::start("no-such-program-here".as_ref(), &[], &[], &[]).unwrap_err();
        assert_eq!(none.beside_a_client().exit_code(), 127);
        let directory = Client::start("/".as_ref(), &[], &[], &[]).unwrap_err();
        assert_eq!(directory.exit_code(), 126);
    }

    #[test]
    fn a_program_is_looked_for_before_anything_is_opened() {
        let path = [PathBuf::from("/nowhere"), PathBuf::from("/bin")];
        assert!(find("sh".as_ref(), &path).is_ok());
        assert!(find("/bin/sh".as_ref(), &[]).is_ok());
        for missing in [
            "no-such-program-here",
            "/bin/no-such-program-here",
            "./no-such-program-here",
        ] {
            assert_eq!(find(missing.as_ref(), &path).unwrap_err().exit_code(), 127, "{missing}");
        }
    }

    #[tokio::test]
    async fn a_signal_reaches_the_program() {
        let script = "trap 'exit 9' TERM; while :; do sleep 0.05; done";
        let mut client = Client::start("sh".as_ref(), &["-c".into(), script.into()], &[], &[]).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        client.send(Signal::TERM);
        assert_eq!(client.wait().await.unwrap(), 9);
    }
}
