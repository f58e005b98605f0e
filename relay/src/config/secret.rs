//! Secrets are named, never written: `{ env = "NAME" }`, `{ file = "PATH" }` or `{ command = ["PROGRAM", …] }`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags};
use secrecy::SecretString;
use toml::de::DeValue;
use zeroize::Zeroizing;

use super::value::Item;

/// The longest secret, in bytes.
const SECRET_BYTES: usize = 64 << 10;
/// How long a command may take to print its secret.
const COMMAND_TIME: Duration = Duration::from_secs(20);

/// Why a secret cannot be had. No variant carries any of its text.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not there.
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    /// It is there, and empty.
    #[error("{0} is empty")]
    Empty(String),
    /// It is not text.
    #[error("{0} is not UTF-8, or holds a NUL")]
    NotText(String),
    /// It is longer than any secret.
    #[error("{0} is longer than 64KiB")]
    TooLong(String),
    /// A file that others could read, or could have put there.
    #[error("{path}: {what}")]
    Exposed {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: &'static str,
        /// What to do about it.
        fix: String,
    },
    /// The file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// The system's word.
        error: io::Error,
    },
    /// The command did not print a secret.
    #[error("the command `{program}` {what}")]
    Command {
        /// The program, without its arguments.
        program: String,
        /// What happened.
        what: String,
    },
}

/// Reads the secret that an item names, or reports why not.
pub(super) fn read(item: &Item<'_>) -> Option<SecretString> {
    if !matches!(item.value(), DeValue::Table(_)) {
        let inline = item
            .problem(format!("`{}` holds a secret in the file itself", item.path()))
            .private()
            .hint("name where it is: { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", \"ARGUMENT\"] }");
        item.reader().report(inline);
        return None;
    }
    let mut section = item.section()?;
    let (env, file, command) = (section.get("env"), section.get("file"), section.get("command"));
    let count = [&env, &file, &command].into_iter().flatten().count();
    let result = match (env, file, command) {
        (Some(env), None, None) => from_env(env.text()?),
        (None, Some(file), None) => from_file(&file.file()?),
        (None, None, Some(command)) => {
            if command.value().as_array().is_none() {
                let problem = command.problem(format!("`{}` must be a list of words", command.path()));
                item.reader().report(problem.private());
                return None;
            }
            let words: Option<Vec<_>> = command
                .list()?
                .iter()
                .map(|word| word.text().map(str::to_owned))
                .collect();
            from_command(&words?, item.reader().directory(), COMMAND_TIME)
        }
        _ => {
            // What stands there instead may be the secret.
            let message = format!(
                "`{}` names {count} sources; it needs exactly one of env, file, command",
                item.path()
            );
            item.reader().report(item.problem(message).private());
            section.finish();
            return None;
        }
    };
    section.finish();
    match result {
        Ok(secret) => Some(secret),
        Err(error) => {
            let problem = item.problem(format!("`{}`: {error}", item.path()));
            item.reader().report(match error {
                SecretError::Exposed { fix, .. } => problem.hint(fix),
                _ => problem,
            });
            None
        }
    }
}

fn from_env(name: &str) -> Result<SecretString, SecretError> {
    // `var_os` has no value for a name with these.
    if name.contains(['=', '\0']) {
        return Err(SecretError::NoVariable(name.to_owned()));
    }
    let value = std::env::var_os(name).ok_or_else(|| SecretError::NoVariable(name.to_owned()))?;
    let bytes = Zeroizing::new(value.into_encoded_bytes());
    text(&bytes, &format!("the environment variable {name}"))
}

/// Reads a secret file: a regular file, not a link, of the relay's own user or root, closed to all others.
///
/// # Errors
/// The file is missing, exposed, or no text.
pub fn from_file(path: &Path) -> Result<SecretString, SecretError> {
    let bytes = private_file(path, Links::Refuse)?;
    text(&bytes, &path.display().to_string())
}

/// Whether the last part of a path may be a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// It may not: whoever may write the directory could point it elsewhere.
    Refuse,
    /// It may: certificates are renewed by moving a link. What it leads to is checked.
    Follow,
}

/// Reads a file that nobody else may read or write.
///
/// # Errors
/// It is missing, no regular file, someone else's, or open to others.
pub fn private_file(path: &Path, links: Links) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let shown = || path.display().to_string();
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    if links == Links::Refuse {
        flags |= OFlags::NOFOLLOW;
    }
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(rustix::io::Errno::LOOP) => {
            return Err(SecretError::Exposed {
                path: shown(),
                what: "it is a symbolic link",
                fix: "name the file that it leads to".to_owned(),
            });
        }
        Err(error) => {
            return Err(SecretError::File {
                path: shown(),
                error: error.into(),
            });
        }
    };
    let stat = rustix::fs::fstat(&file).map_err(|error| SecretError::File {
        path: shown(),
        error: error.into(),
    })?;
    let exposed = |what, fix: String| SecretError::Exposed {
        path: shown(),
        what,
        fix,
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(exposed("it is not a regular file", "name a regular file".to_owned()));
    }
    let own = rustix::process::geteuid().as_raw();
    if stat.st_uid != own && stat.st_uid != 0 {
        let fix = format!("chown it to the user that runs the relay (uid {own})");
        return Err(exposed("it belongs to another user", fix));
    }
    if stat.st_mode & 0o077 != 0 {
        return Err(exposed(
            "others may read or write it",
            format!("chmod 600 {}", path.display()),
        ));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES));
    let limit = u64::try_from(SECRET_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::from(file)
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| SecretError::File { path: shown(), error })?;
    if bytes.len() > SECRET_BYTES {
        return Err(SecretError::TooLong(shown()));
    }
    Ok(bytes)
}

/// Runs a program and takes what it prints. Its own words never reach a log: they may be the secret.
fn from_command(words: &[String], directory: &Path, time: Duration) -> Result<SecretString, SecretError> {
    let failed = |what: String| SecretError::Command {
        program: words.first().cloned().unwrap_or_default(),
        what,
    };
    let [program, arguments @ ..] = words else {
        return Err(failed("is not named".to_owned()));
    };
    // A path with a directory begins at the file's; a bare name is looked up in PATH.
    let program: PathBuf = if program.contains('/') {
        directory.join(program)
    } else {
        program.into()
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("does not start: {error}")))?;
    let Some(output) = child.stdout.take() else {
        return Err(failed("has no output".to_owned()));
    };
    let (sender, receiver) = mpsc::channel();
    // The reader ends when the pipe closes: with the child, which is killed below if it is late.
    let reader = std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES));
        let limit = u64::try_from(SECRET_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let result = output.take(limit).read_to_end(&mut bytes).map(|_| bytes);
        let _ = sender.send(result);
    });
    let answer = receiver.recv_timeout(time);
    let Ok(result) = answer else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(failed(format!(
            "printed nothing within {}",
            super::quantity::show_duration(time)
        )));
    };
    let _ = reader.join();
    let bytes = result.map_err(|error| failed(format!("cannot be read: {error}")))?;
    if bytes.len() > SECRET_BYTES {
        let _ = child.kill();
        let _ = child.wait();
        return Err(SecretError::TooLong(format!("the output of `{}`", words[0])));
    }
    let deadline = std::time::Instant::now() + time;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if std::time::Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed("closed its output and does not end".to_owned()));
            }
            Err(error) => return Err(failed(format!("cannot be waited for: {error}"))),
        }
    };
    if !status.success() {
        return Err(failed(format!("failed ({status})")));
    }
    text(&bytes, &format!("the output of `{}`", words[0]))
}

/// A secret as text, without the line break that editors and programs put at its end.
fn text(bytes: &[u8], what: &str) -> Result<SecretString, SecretError> {
    if bytes.len() > SECRET_BYTES {
        return Err(SecretError::TooLong(what.to_owned()));
    }
    let not_text = || SecretError::NotText(what.to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| not_text())?;
    let text = text
        .strip_suffix('\n')
        .map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.contains('\0') {
        return Err(not_text());
    }
    if text.is_empty() {
        return Err(SecretError::Empty(what.to_owned()));
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use secrecy::ExposeSecret as _;

    use super::*;

    fn write(directory: &Path, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_private_file_gives_its_text_without_the_last_line_break() {
        let directory = tempfile::tempdir().unwrap();
        let path = write(directory.path(), "s", b"s3 cret\n\r\n", 0o600);
        assert_eq!(from_file(&path).unwrap().expose_secret(), "s3 cret\n");
        let path = write(directory.path(), "r", b"x", 0o400);
        assert_eq!(from_file(&path).unwrap().expose_secret(), "x");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_fix() {
        let directory = tempfile::tempdir().unwrap();
        for mode in [0o640, 0o604, 0o644, 0o602, 0o610] {
            let path = write(directory.path(), "s", b"x", mode);
            let Err(SecretError::Exposed { fix, .. }) = from_file(&path) else {
                unreachable!("mode {mode:o} was accepted")
            };
            assert!(fix.contains("chmod 600"), "{fix}");
        }
    }

    #[test]
    fn links_directories_and_pipes_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = write(directory.path(), "s", b"x", 0o600);
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(from_file(&link), Err(SecretError::Exposed { .. })));
        assert_eq!(&**private_file(&link, Links::Follow).unwrap(), b"x");
        assert!(matches!(from_file(directory.path()), Err(SecretError::Exposed { .. })));
        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        // A pipe without a writer would block an open that waits.
        assert!(matches!(from_file(&pipe), Err(SecretError::Exposed { .. })));
    }

    #[test]
    fn what_is_empty_long_or_no_text_is_refused_without_being_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let case = |bytes: &[u8]| from_file(&write(directory.path(), "s", bytes, 0o600)).unwrap_err();
        assert!(matches!(case(b""), SecretError::Empty(_)));
        assert!(matches!(case(b"\n"), SecretError::Empty(_)));
        assert!(matches!(case(b"a\0b"), SecretError::NotText(_)));
        assert!(matches!(case(b"tops\xffecret"), SecretError::NotText(_)));
        assert!(!case(b"tops\xffecret").to_string().contains("tops"));
        assert!(matches!(case(&vec![b'x'; SECRET_BYTES + 1]), SecretError::TooLong(_)));
    }

    fn run(script: &str, time: Duration) -> Result<SecretString, SecretError> {
        let words: Vec<_> = ["sh", "-c", script].into_iter().map(str::to_owned).collect();
        from_command(&words, Path::new("."), time)
    }

    #[test]
    fn a_command_gives_what_it_prints() {
        assert_eq!(run("echo hunter2", COMMAND_TIME).unwrap().expose_secret(), "hunter2");
        for (script, word) in [
            ("echo hunter2; exit 3", "exit status: 3"),
            ("true", "empty"),
            ("yes", "longer"),
        ] {
            let error = run(script, COMMAND_TIME).unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let begin = std::time::Instant::now();
        let error = run("exec sleep 60", Duration::from_millis(100)).unwrap_err();
        assert!(error.to_string().contains("printed nothing within 100ms"), "{error}");
        let error = run("echo x; exec sleep 60 >/dev/null", Duration::from_millis(100)).unwrap_err();
        assert!(error.to_string().contains("does not end"), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_command_that_does_not_exist_is_named_without_its_arguments() {
        let words = ["/nonexistent/tool".to_owned(), "--token=abc".to_owned()];
        let error = from_command(&words, Path::new("."), COMMAND_TIME)
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nonexistent/tool") && !error.contains("abc"), "{error}");
    }
}
