//! A fresh directory of mode 0700 for one session's socket, removed at the end; those that a killed process left are removed at the start.
//!
//! Each directory has a lock file that its owner holds locked. A directory whose lock is free belongs to nobody any more.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixListener;

use crate::client::address::SOCKET_PORT;
use crate::credentials::private;
use crate::error::{Error, Result};

/// Bytes of a socket's path: `sun_path` has 108 on Linux and 104 on other systems, with a NUL at the end.
const MAX_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// The file that says whether a directory is in use.
const LOCK: &str = "lock";
/// Characters of a directory's random name.
const NAME: usize = 8;
/// How often a name is tried.
const ATTEMPTS: usize = 8;
/// A directory without a lock that is older than this was never finished.
const UNFINISHED: Duration = Duration::from_secs(60);

/// A directory with one session's socket. Dropped, it is removed.
#[derive(Debug)]
pub struct SocketDirectory {
    path: PathBuf,
    /// Held locked as long as the directory is in use.
    _lock: File,
}

impl SocketDirectory {
    /// Makes a directory under the user's runtime directory, else under the one for temporary files, and its socket.
    ///
    /// # Errors
    /// There is no place that is this user's alone and whose path is short enough.
    pub fn make(runtime_dir: Option<&Path>, temp_dir: &Path) -> Result<(Self, UnixListener)> {
        let mut last = None;
        for base in bases(runtime_dir, temp_dir) {
            match Self::make_in(&base) {
                Ok(made) => return Ok(made),
                Err(error) => last = Some(error),
            }
        }
        Err(last
            .unwrap_or_else(|| Error::failed("there is no directory for a socket"))
            .doing("cannot make a local socket")
            .hint("name another directory with XDG_RUNTIME_DIR, or use a port: `--listen 127.0.0.1:0`"))
    }

    fn make_in(base: &Path) -> Result<(Self, UnixListener)> {
        let length = base.as_os_str().as_bytes().len() + 1 + NAME + 1 + socket_name().len();
        if length > MAX_SOCKET_PATH {
            let problem = format!("a socket's path would have {length} bytes in {}", base.display());
            return Err(Error::failed(format!("{problem}, and {MAX_SOCKET_PATH} is the limit")));
        }
        private::make_directory(base)?;
        sweep(base);
        for _ in 0..ATTEMPTS {
            let path = base.join(random_name()?);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                // The last session there has just ended.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    private::make_directory(base)?;
                    continue;
                }
                Err(error) => return Err(Error::io(format!("cannot make {}", path.display()), &error)),
            }
            let failed = |error: &io::Error| Error::io(format!("cannot use {}", path.display()), error);
            let lock = File::create_new(path.join(LOCK)).map_err(|error| failed(&error))?;
            if lock.try_lock().is_err() {
                // Another process took the new directory for a left one and removes it.
                continue;
            }
            let directory = Self {
                path: path.clone(),
                _lock: lock,
            };
            let listener = UnixListener::bind(directory.socket()).map_err(|error| failed(&error))?;
            fs::set_permissions(directory.socket(), Permissions::from_mode(0o600)).map_err(|error| failed(&error))?;
            return Ok((directory, listener));
        }
        Err(Error::failed(format!(
            "no new directory could be made in {}",
            base.display()
        )))
    }

    /// The directory: what `PGHOST` names.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The socket in it.
    pub fn socket(&self) -> PathBuf {
        self.path.join(socket_name())
    }
}

impl Drop for SocketDirectory {
    fn drop(&mut self) {
        remove(&self.path);
        if let Some(base) = self.path.parent() {
            // It stays where another session has its directory there.
            let _ = fs::remove_dir(base);
        }
    }
}

fn socket_name() -> String {
    format!(".s.PGSQL.{SOCKET_PORT}")
}

/// Where directories are made, in the order in which they are tried. The name with the user's id keeps users apart in a shared one.
fn bases(runtime_dir: Option<&Path>, temp_dir: &Path) -> Vec<PathBuf> {
    let of_user = format!("hoopctl-{}", rustix::process::geteuid().as_raw());
    let mut bases: Vec<PathBuf> = runtime_dir.map(|runtime| runtime.join("hoopctl")).into_iter().collect();
    bases.push(temp_dir.join(&of_user));
    let short = Path::new("/tmp").join(of_user);
    if !bases.contains(&short) {
        bases.push(short);
    }
    bases
}

fn random_name() -> Result<String> {
    let mut bytes = [0_u8; NAME / 2];
    getrandom::fill(&mut bytes).map_err(|error| Error::failed(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Removes the directories of processes that are gone. What cannot be looked at is left alone.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let path = entry.path();
        if is_left(&path) {
            remove(&path);
        }
    }
}

fn is_left(path: &Path) -> bool {
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
        return false;
    }
    match File::open(path.join(LOCK)) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        },
        Err(_) => fs::symlink_metadata(path)
            .and_then(|found| found.modified())
            .is_ok_and(|made| made.elapsed().is_ok_and(|age| age > UNFINISHED)),
    }
}

/// Removes a directory with what we put there, and nothing else: one that has more in it stays.
fn remove(path: &Path) {
    // What is gone already need not be removed, and nobody can be told about the rest.
    let _ = fs::remove_file(path.join(socket_name()));
    let _ = fs::remove_file(path.join(LOCK));
    let _ = fs::remove_dir(path);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[tokio::test]
    async fn a_directory_is_its_owners_alone_and_goes_at_the_end() {
        let runtime = tempfile::tempdir().unwrap();
        let (directory, _listener) = SocketDirectory::make(Some(runtime.path()), Path::new("/tmp")).unwrap();
        assert!(directory.path().starts_with(runtime.path()));
        assert_eq!(fs::metadata(directory.path()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(directory.socket()).unwrap().mode() & 0o777, 0o600);
        let (other, _listener2) = SocketDirectory::make(Some(runtime.path()), Path::new("/tmp")).unwrap();
        let path = directory.path().to_owned();
        drop(directory);
        assert!(!path.exists() && other.socket().exists());
        drop(other);
        assert_eq!(fs::read_dir(runtime.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_a_killed_process_left_goes_and_what_is_used_stays() {
        let runtime = tempfile::tempdir().unwrap();
        let (used, _listener) = SocketDirectory::make(Some(runtime.path()), Path::new("/tmp")).unwrap();
        let left = runtime.path().join("hoopctl/left");
        fs::create_dir(&left).unwrap();
        File::create(left.join(LOCK)).unwrap();
        File::create(left.join(socket_name())).unwrap();
        let (_other, _listener2) = SocketDirectory::make(Some(runtime.path()), Path::new("/tmp")).unwrap();
        assert!(!left.exists());
        assert!(used.socket().exists());
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_gives_way_to_a_shorter_one() {
        let long = tempfile::Builder::new().prefix(&"x".repeat(90)).tempdir().unwrap();
        let (directory, _listener) = SocketDirectory::make(Some(long.path()), long.path()).unwrap();
        assert!(directory.path().starts_with("/tmp"));
        assert!(directory.socket().as_os_str().len() <= MAX_SOCKET_PATH);
        assert!(SocketDirectory::make_in(long.path()).is_err());
    }

    #[tokio::test]
    async fn a_place_that_others_may_write_is_not_used() {
        let runtime = tempfile::tempdir().unwrap();
        let base = runtime.path().join("hoopctl");
        fs::create_dir(&base).unwrap();
        fs::set_permissions(&base, Permissions::from_mode(0o777)).unwrap();
        assert!(SocketDirectory::make_in(&base).is_err());
        let temp = tempfile::tempdir().unwrap();
        let (directory, _listener) = SocketDirectory::make(Some(runtime.path()), temp.path()).unwrap();
        assert!(directory.path().starts_with(temp.path()));
    }
}
