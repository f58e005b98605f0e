//! Files that only the relay may read: its keys and its database. Checked before use, written whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

/// Every right of group and others: what a private file gives nobody.
const ANY: u32 = 0o077;
/// The right of group and others to write: who may write to a directory may exchange the files in it.
const WRITE: u32 = 0o022;
/// The largest file that [`read`] takes: keys and certificates have some kilobytes.
const LONGEST: u64 = 1 << 20;

/// Why a private file is not used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A symbolic link could point anywhere.
    #[error("it is a symbolic link; put the file itself there")]
    Symlink,
    /// Another user could change it.
    #[error("it belongs to user {0}, not to the user that the relay runs as; fix it with `chown`")]
    Owner(u32),
    /// Others may read or write it.
    #[error("its mode {mode:03o} lets others in; fix it with `chmod {fix}`")]
    Mode {
        /// What it is.
        mode: u32,
        /// What it should be.
        fix: &'static str,
    },
    /// Not a file, or not a directory.
    #[error("it is not a {0}")]
    Kind(&'static str),
    /// Larger than a key can be.
    #[error("it is larger than 1 MiB")]
    Size,
}

/// Makes `path` a directory of mode 0700, or checks that it is one that belongs to this user and that no other may
/// write to. What is in it is private by itself, so others may list it.
///
/// # Errors
/// It exists and is a link, another user's, or others may write to it.
pub fn private_directory(path: &Path) -> Result<(), FileError> {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_symlink() => Err(FileError::Symlink),
        Ok(meta) if !meta.is_dir() => Err(FileError::Kind("directory")),
        Ok(meta) => owned(&meta, WRITE, "go-w"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(DirBuilder::new().recursive(true).mode(0o700).create(path)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes an empty file of mode 0600 at `path`, or checks the one that is there.
///
/// # Errors
/// It exists and is a link, another user's, or open to others.
pub fn private_file(path: &Path) -> Result<(), FileError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open(path).map(drop),
        Err(error) => Err(error.into()),
    }
}

/// Reads a private file; `None` where there is none. Only regular files of this user that are closed to others are read.
///
/// # Errors
/// It is a link, another user's, open to others, or too large.
pub fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    let file = match open(path) {
        Err(FileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let size = file.metadata()?.len();
    if size > LONGEST {
        return Err(FileError::Size);
    }
    // The whole capacity at once: a growing vector would leave copies of a key behind.
    let mut content = Zeroizing::new(Vec::with_capacity(
        usize::try_from(size).map_err(|_| FileError::Size)? + 1,
    ));
    file.take(LONGEST).read_to_end(&mut content)?;
    Ok(Some(content))
}

/// Writes a private file under a temporary name, makes it durable, and renames it into place.
///
/// # Errors
/// The system refuses.
pub fn write(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let directory = path.parent().ok_or(FileError::Kind("file"))?;
    let mut suffix = [0_u8; 8];
    getrandom::fill(&mut suffix).map_err(io::Error::from)?;
    let mut name = path.file_name().ok_or(FileError::Kind("file"))?.to_owned();
    name.push(format!(".{:016x}.tmp", u64::from_be_bytes(suffix)));
    let temporary = directory.join(name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&temporary, path))
        .and_then(|()| File::open(directory)?.sync_all());
    if written.is_err() {
        // It may not exist; the first error is the one to report.
        let _ = std::fs::remove_file(&temporary);
    }
    Ok(written?)
}

/// Opens without following a link, then checks what was opened: nothing can be exchanged in between.
fn open(path: &Path) -> Result<File, FileError> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(|_| FileError::Kind("file"))?;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(FileError::Symlink);
        }
        other => other?,
    };
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(FileError::Kind("file"));
    }
    owned(&meta, ANY, "600")?;
    Ok(file)
}

fn owned(meta: &std::fs::Metadata, forbidden: u32, fix: &'static str) -> Result<(), FileError> {
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(FileError::Owner(meta.uid()));
    }
    if meta.mode() & forbidden != 0 {
        return Err(FileError::Mode {
            mode: meta.mode() & 0o777,
            fix,
        });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_key_is_written_private_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert!(read(&path).unwrap().is_none());
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().unwrap().as_slice(), b"two");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            1,
            "a temporary file stays behind"
        );
    }

    #[test]
    fn links_open_modes_and_other_kinds_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write(&path, b"secret").unwrap();
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(read(&link), Err(FileError::Symlink)));
        assert!(matches!(private_file(&link), Err(FileError::Symlink)));
        assert!(matches!(read(dir.path()), Err(FileError::Kind("file"))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = read(&path).unwrap_err();
        assert_eq!(
            error.to_string(),
            "its mode 640 lets others in; fix it with `chmod 600`"
        );
    }

    #[test]
    fn a_huge_file_is_refused_before_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        private_file(&path).unwrap();
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(1 << 30)
            .unwrap();
        assert!(matches!(read(&path), Err(FileError::Size)));
    }

    #[test]
    fn a_directory_is_made_private_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("a/b");
        private_directory(&made).unwrap();
        assert_eq!(made.metadata().unwrap().mode() & 0o777, 0o700);
        private_directory(&made).unwrap();
        let link = dir.path().join("link");
        symlink(&made, &link).unwrap();
        assert!(matches!(private_directory(&link), Err(FileError::Symlink)));
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o755)).unwrap();
        private_directory(&made).unwrap();
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(
            private_directory(&made),
            Err(FileError::Mode { mode: 0o770, .. })
        ));
    }
}
