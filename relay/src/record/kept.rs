//! Kept results: what the client of a run would have read, for whoever comes back for it. One file a run, in `data_dir/results`, of the
//! messages as they left [`crate::mask::Plan`]: like a recording, it never holds an unmasked value.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hoop_shared::id::SessionId;

use super::error::RecordingsError;
use crate::store::files;

/// The directory in `data_dir`.
const DIRECTORY: &str = "results";

/// The kept results of a data directory.
#[derive(Debug)]
pub struct KeptResults {
    root: PathBuf,
    /// Rows are kept too.
    rows: bool,
}

/// A result that is being kept.
#[derive(Debug)]
pub struct KeptResult {
    file: File,
    bytes: u64,
}

impl KeptResults {
    /// Opens them. `rows`: whether rows are kept, or only what became of each statement.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn open(data_dir: &Path, rows: bool) -> Result<Self, RecordingsError> {
        let root = data_dir.join(DIRECTORY);
        files::private_directory(&root).map_err(|source| RecordingsError::File {
            path: root.clone(),
            source,
        })?;
        Ok(Self { root, rows })
    }

    /// Whether rows are kept.
    pub const fn keeps_rows(&self) -> bool {
        self.rows
    }

    fn path(&self, session: &SessionId) -> PathBuf {
        self.root.join(session.as_str())
    }

    /// Begins one.
    ///
    /// # Errors
    /// There is one, or it cannot be written.
    pub fn create(&self, session: &SessionId) -> io::Result<KeptResult> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path(session))?;
        Ok(KeptResult { file, bytes: 0 })
    }

    /// Opens one for reading.
    ///
    /// # Errors
    /// There is none.
    pub fn read(&self, session: &SessionId) -> io::Result<File> {
        File::open(self.path(session))
    }

    /// Forgets one.
    pub fn remove(&self, session: &SessionId) {
        match fs::remove_file(self.path(session)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%session, %error, "a kept result cannot be removed");
            }
            _ => {}
        }
    }
}

impl KeptResult {
    /// Adds bytes.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// How many bytes there are.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_result_is_kept_privately_once_and_can_be_forgotten() {
        let data = tempfile::tempdir().unwrap();
        fs::set_permissions(data.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let results = KeptResults::open(data.path(), true).unwrap();
        let session = SessionId::random().unwrap();
        let mut kept = results.create(&session).unwrap();
        kept.write(b"abc").unwrap();
        assert_eq!(kept.bytes(), 3);
        assert!(results.create(&session).is_err());
        let mut text = String::new();
        results.read(&session).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
        let mode = fs::metadata(results.path(&session)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        results.remove(&session);
        assert!(results.read(&session).is_err());
        results.remove(&session);
    }
}
