//! Frames on a byte stream. Reading takes not one byte more than the frame has: what follows an `Attached` is not ours.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::codec::{DecodeError, Decoded, EncodeError, HEADER, decode, encode};
use super::frame::Frame;

/// A frame could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not a frame.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame")]
    Truncated,
    /// The transport failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A frame could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It has no form on the wire.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The transport failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads frames one after another.
#[derive(Debug)]
pub struct FrameReader<R> {
    io: R,
    /// The bytes of one unfinished frame; holds no memory between frames.
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads from `io`.
    pub fn new(io: R) -> Self {
        Self { io, buffer: Vec::new() }
    }

    /// Waits for the next frame; `None` at the end of the stream. Unknown optional frames are skipped.
    ///
    /// Cancel safe: what was read of an unfinished frame is kept for the next call.
    ///
    /// # Errors
    /// The bytes are not a frame, or the stream failed or ended inside one. The stream is of no use any more.
    pub async fn read(&mut self) -> Result<Option<Frame>, ReadError> {
        loop {
            let more = match decode(&self.buffer)? {
                Decoded::Frame(frame, _) => {
                    self.buffer = Vec::new();
                    return Ok(Some(frame));
                }
                Decoded::Skip(_) => {
                    self.buffer = Vec::new();
                    HEADER
                }
                Decoded::More(more) => more,
            };
            self.buffer.reserve_exact(more);
            let mut part = (&mut self.io).take(more as u64);
            if part.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(ReadError::Truncated)
                };
            }
        }
    }

    /// Gives the stream back, for the protocol's own bytes. An unfinished frame is lost.
    pub fn into_inner(self) -> R {
        self.io
    }

    /// The stream, for its other direction.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.io
    }
}

/// Writes one frame and flushes it. Not cancel safe: a part of the frame may have been written.
///
/// # Errors
/// The frame is too long, or the transport failed.
pub async fn write_frame(io: &mut (impl AsyncWrite + Unpin), frame: impl Into<Frame>) -> Result<(), WriteError> {
    let mut bytes = Vec::new();
    encode(&frame.into(), &mut bytes)?;
    io.write_all(&bytes).await?;
    io.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::wire::{Attached, Bye, Notice};

    fn run(future: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future);
    }

    #[test]
    fn frames_come_one_after_another_and_the_rest_is_left() {
        run(async {
            let mut bytes = Vec::new();
            write_frame(&mut bytes, Bye {}).await.unwrap();
            bytes.extend([0xfe, 0, 3, 1, 2, 3]);
            write_frame(&mut bytes, Attached {}).await.unwrap();
            bytes.extend(b"raw bytes");
            let mut reader = FrameReader::new(bytes.as_slice());
            assert_eq!(reader.read().await.unwrap(), Some(Frame::Bye(Bye {})));
            assert_eq!(reader.read().await.unwrap(), Some(Frame::Attached(Attached {})));
            let mut rest = String::new();
            reader.into_inner().read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "raw bytes");
        });
    }

    #[test]
    fn a_cancelled_read_loses_nothing() {
        run(async {
            let (mut near, far) = tokio::io::duplex(64);
            let mut reader = FrameReader::new(far);
            let notice = Notice {
                session: None,
                text: "held".into(),
            };
            let mut bytes = Vec::new();
            encode(&notice.clone().into(), &mut bytes).unwrap();
            for byte in bytes {
                // Each read is dropped while it waits for the next byte.
                let waiting = tokio::time::timeout(std::time::Duration::from_millis(1), reader.read()).await;
                assert!(waiting.is_err());
                near.write_all(&[byte]).await.unwrap();
            }
            assert_eq!(reader.read().await.unwrap(), Some(Frame::Notice(notice)));
        });
    }

    #[test]
    fn an_end_inside_a_frame_is_an_error_and_one_between_frames_is_not() {
        run(async {
            assert!(matches!(
                FrameReader::new(&[9_u8, 0][..]).read().await,
                Err(ReadError::Truncated)
            ));
            assert_eq!(FrameReader::new(&[][..]).read().await.unwrap(), None);
        });
    }
}
