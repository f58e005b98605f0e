//! Where results go: the standard output or a file, written by a thread of its own, so that a reader that takes its time stops the rows
//! and not the tunnel.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use crate::error::{Error, Result};

/// Buffers that wait for the thread.
const QUEUE: usize = 2;
/// Bytes that are gathered before they are handed over.
const GATHERED: usize = 32 * 1024;

/// The way to a thread that writes.
#[derive(Debug)]
pub struct Pipe {
    buffers: mpsc::Sender<Vec<u8>>,
    writer: JoinHandle<io::Result<Destination>>,
    file: Option<PathBuf>,
}

/// A file that takes its name when all of it is there.
#[derive(Debug)]
pub struct ResultFile(NamedTempFile);

#[derive(Debug)]
enum Destination {
    Stdout,
    File(ResultFile),
}

impl ResultFile {
    /// Makes the file, for its owner alone, beside the place that it will have.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn make(path: &Path) -> Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let made = NamedTempFile::with_prefix_in(".hoopctl-", folder.unwrap_or(Path::new(".")));
        made.map(Self).map_err(|error| not_written(path, &error))
    }
}

fn not_written(path: &Path, error: &io::Error) -> Error {
    Error::io(format!("cannot write {}", path.display()), error)
}

impl Pipe {
    /// Starts the thread. With a file, results go there.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(file: Option<(ResultFile, PathBuf)>) -> Result<Self> {
        let (buffers, mut arriving) = mpsc::channel::<Vec<u8>>(QUEUE);
        let (mut destination, path) = match file {
            Some((file, path)) => (Destination::File(file), Some(path)),
            None => (Destination::Stdout, None),
        };
        let write = move || {
            while let Some(buffer) = arriving.blocking_recv() {
                match &mut destination {
                    Destination::Stdout => {
                        let mut stdout = io::stdout().lock();
                        stdout.write_all(&buffer)?;
                        stdout.flush()?;
                    }
                    Destination::File(ResultFile(file)) => file.write_all(&buffer)?,
                }
            }
            Ok(destination)
        };
        let writer = std::thread::Builder::new()
            .name("results".to_owned())
            .spawn(write)
            .map_err(|error| Error::io("cannot start a thread", &error))?;
        Ok(Self {
            buffers,
            writer,
            file: path,
        })
    }

    /// Hands over what was gathered, once it is worth it. Waits while the reader does.
    ///
    /// # Errors
    /// Nobody takes it any more; [`Pipe::end`] says why.
    pub async fn pass(&self, gathered: &mut Vec<u8>) -> io::Result<()> {
        if gathered.len() < GATHERED {
            return Ok(());
        }
        self.pass_all(gathered).await
    }

    /// Hands over whatever was gathered.
    ///
    /// # Errors
    /// As for [`Pipe::pass`].
    pub async fn pass_all(&self, gathered: &mut Vec<u8>) -> io::Result<()> {
        if gathered.is_empty() {
            return Ok(());
        }
        let sent = self.buffers.send(std::mem::take(gathered)).await;
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Waits until everything is written. `keep`: the file takes its name; else it is gone.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn end(self, keep: bool) -> Result<()> {
        drop(self.buffers);
        let writer = self.writer;
        let written = tokio::task::spawn_blocking(move || writer.join()).await;
        let failed = |error: &io::Error| match &self.file {
            Some(path) => not_written(path, error),
            None => Error::output(error),
        };
        let destination = match written {
            Ok(Ok(written)) => written.map_err(|error| failed(&error))?,
            _ => return Err(failed(&io::Error::other("the writer stopped"))),
        };
        if let (Destination::File(ResultFile(file)), Some(path), true) = (destination, &self.file, keep) {
            file.as_file().sync_all().map_err(|error| failed(&error))?;
            file.persist(path).map_err(|error| failed(&error.error))?;
        }
        Ok(())
    }
}
