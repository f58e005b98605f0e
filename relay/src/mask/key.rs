//! The relay's mask key: made once, kept in `data_dir`. It lives as long as hashes must stay comparable.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::store::files::{self, FileError};

/// The key's file in `data_dir`: 32 bytes.
const FILE: &str = "mask.key";

/// Why there is no mask key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Its file cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: FileError,
    },
    /// Its file holds something else.
    #[error("{} is not a key of 32 bytes; move it away, and a new one is made", .0.display())]
    Length(PathBuf),
    /// The system has no randomness.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

/// Reads the key, or makes it at the first start.
///
/// # Errors
/// The file cannot be read or written, or is no key.
pub fn open(data_dir: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    open_file(&data_dir.join(FILE))
}

/// Reads a key of 32 bytes from a private file, or makes it.
///
/// # Errors
/// The file cannot be read or written, or is no key.
pub fn open_file(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let file = |source| KeyError::File {
        path: path.to_owned(),
        source,
    };
    let mut key = Zeroizing::new([0; 32]);
    match files::read(path).map_err(file)? {
        Some(content) => {
            let content = <&[u8; 32]>::try_from(content.as_slice()).map_err(|_| KeyError::Length(path.to_owned()))?;
            key.copy_from_slice(content);
        }
        None => {
            getrandom::fill(key.as_mut_slice()).map_err(KeyError::Random)?;
            files::write(path, key.as_slice()).map_err(file)?;
        }
    }
    Ok(key)
}
