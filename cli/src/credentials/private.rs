//! Files that only their owner may read: mode 0600 in a directory of mode 0700, replaced in one step, checked before use.

use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use hoop_shared::refusal::Code;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Bytes of a private file: a login with a chain of CAs has some 10 kB.
const MAX_BYTES: u64 = 1024 * 1024;
/// Permission bits of group and others.
const OTHERS: u32 = 0o077;
/// Those of them that let write.
const WRITERS: u32 = 0o022;

/// Makes a directory of mode 0700 with all that is missing above it, or checks the one that is there.
///
/// # Errors
/// It cannot be made, or what is there is not ours alone.
pub fn make_directory(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Error::io(format!("cannot make {}", path.display()), &error))?;
    check_directory(path)
}

/// Checks that a directory is ours alone.
///
/// # Errors
/// It is a symbolic link, another's, open to others, or cannot be read.
pub fn check_directory(path: &Path) -> Result<()> {
    let found =
        fs::symlink_metadata(path).map_err(|error| Error::io(format!("cannot use {}", path.display()), &error))?;
    if !found.is_dir() {
        return Err(unsafe_path(
            path,
            "it is no directory, or a symbolic link to one",
            "move it away and log in again",
        ));
    }
    check_owner_and_mode(path, &found)
}

/// Checks that a file is ours alone.
///
/// # Errors
/// It is a symbolic link or no file, another's, open to others, or cannot be read.
pub fn check_file(path: &Path) -> Result<()> {
    let found =
        fs::symlink_metadata(path).map_err(|error| Error::io(format!("cannot use {}", path.display()), &error))?;
    if !found.is_file() {
        return Err(unsafe_path(path, "it is no regular file", "remove it"));
    }
    check_owner_and_mode(path, &found)
}

/// Checks that nobody but us and root can write a file that others may read.
///
/// # Errors
/// Others can, or it cannot be looked at.
pub fn check_writers(path: &Path) -> Result<()> {
    let found = fs::metadata(path).map_err(|error| Error::io(format!("cannot use {}", path.display()), &error))?;
    let us = rustix::process::geteuid().as_raw();
    if found.uid() != us && found.uid() != 0 {
        let problem = format!("it belongs to user {}, not to you ({us})", found.uid());
        return Err(unsafe_path(path, &problem, "write it anew as a file of your own"));
    }
    if found.mode() & WRITERS != 0 {
        let problem = format!("others may write it (mode {:03o})", found.mode() & 0o777);
        return Err(unsafe_path(path, &problem, &format!("chmod go-w '{}'", path.display())));
    }
    Ok(())
}

/// Reads a private file; nothing where it does not exist.
///
/// # Errors
/// The file or its directory is not ours alone, or cannot be read.
pub fn read(directory: &Path, path: &Path) -> Result<Option<Zeroizing<String>>> {
    match fs::symlink_metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        _ => check_directory(directory)?,
    }
    let failed = |error: &io::Error| Error::io(format!("cannot read {}", path.display()), error);
    // What is checked is what was opened: the name may mean another file a moment later.
    let opened = OpenOptions::new().read(true).custom_flags(flags()).open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if rustix::io::Errno::from_io_error(&error) == Some(rustix::io::Errno::LOOP) => {
            return Err(unsafe_path(path, "it is a symbolic link", "remove it and log in again"));
        }
        Err(error) => return Err(failed(&error)),
    };
    let found = file.metadata().map_err(|error| failed(&error))?;
    if !found.is_file() {
        return Err(unsafe_path(path, "it is no regular file", "remove it and log in again"));
    }
    check_owner_and_mode(path, &found)?;
    if found.len() > MAX_BYTES {
        return Err(unsafe_path(path, "it is too large", "remove it and log in again"));
    }
    let mut text = Zeroizing::new(String::new());
    (&mut file)
        .take(MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| failed(&error))?;
    Ok(Some(text))
}

/// Writes a private file: a temporary file of mode 0600 in the same directory takes the name's place in one step.
///
/// # Errors
/// It cannot be written.
pub fn write(directory: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: &io::Error| Error::io(format!("cannot write {}", path.display()), error);
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(directory)
        .map_err(|error| failed(&error))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| failed(&error))?;
    file.persist(path).map_err(|error| failed(&error.error))?;
    // The new name is durable only with its directory. Some file systems cannot do that, and a lost login is only a login more.
    let _ = fs::File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

/// Removes a file; says whether it was there.
///
/// # Errors
/// It cannot be removed.
pub fn remove(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(format!("cannot remove {}", path.display()), &error)),
    }
}

/// Neither follows a symbolic link nor waits for a pipe's other end.
fn flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC)
        .bits()
        .cast_signed()
}

fn check_owner_and_mode(path: &Path, found: &Metadata) -> Result<()> {
    let us = rustix::process::geteuid().as_raw();
    if found.uid() != us {
        let problem = format!("it belongs to user {}, not to you ({us})", found.uid());
        return Err(unsafe_path(path, &problem, "remove it and log in again"));
    }
    if found.mode() & OTHERS != 0 {
        let fixed = if found.is_dir() { "700" } else { "600" };
        let problem = format!("others may use it (mode {:03o})", found.mode() & 0o777);
        return Err(unsafe_path(
            path,
            &problem,
            &format!("chmod {fixed} '{}'", path.display()),
        ));
    }
    Ok(())
}

fn unsafe_path(path: &Path, problem: &str, fix: &str) -> Error {
    Error::new(Code::Configuration, problem)
        .doing(format!("{} is not safe to use", path.display()))
        .hint(fix)
}
