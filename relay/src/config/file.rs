//! Files of the operator's: what they say is done, so nobody else may write them.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::problem::{Problem, Source};
use super::quantity;

/// Reads a text file: regular, of the relay's user or root, not open for everybody to write, not longer than `limit` bytes.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read_file(path: &Path, limit: usize) -> Result<String, Box<Problem>> {
    let failed = |error: io::Error| Box::new(Problem::error(format!("cannot be read: {error}")).of_file(path));
    // Without waiting: a pipe in the file's place may have no writer.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(failed)?;
    if let Some(problem) = exposed(&file.metadata().map_err(failed)?, path) {
        return Err(Box::new(problem.of_file(path)));
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        let problem = Problem::error(format!("is longer than {}", quantity::show_size(limit)));
        return Err(Box::new(problem.of_file(path)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let good = String::from_utf8_lossy(error.as_bytes().get(..at).unwrap_or_default()).into_owned();
        let source = Source::new(path, good);
        Box::new(
            Problem::error("is not UTF-8 from here on")
                .at(&source, at..at)
                .private(),
        )
    })
}

fn exposed(metadata: &Metadata, path: &Path) -> Option<Problem> {
    if !metadata.is_file() {
        return Some(Problem::error("is not a regular file"));
    }
    let own = rustix::process::geteuid().as_raw();
    // In a container root reads what another user has mounted; that user owns the container.
    if metadata.uid() != own && metadata.uid() != 0 && own != 0 {
        let problem = Problem::error("belongs to another user, who could change what the relay does");
        return Some(problem.hint("chown it to root or to the user that runs the relay"));
    }
    (metadata.mode() & 0o002 != 0)
        .then(|| Problem::error("may be written by everybody").hint(format!("chmod o-w {}", path.display())))
}
