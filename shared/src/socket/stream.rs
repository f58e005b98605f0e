//! A TCP or Unix stream of a reactor.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use super::register;
use super::writable::Writable;

/// A stream socket of the standard library.
pub trait Duplex: Read + Write + AsFd + AsRawFd + Unpin {
    /// Ends one or both directions.
    ///
    /// # Errors
    /// The socket is not connected any more.
    fn end(&self, how: Shutdown) -> io::Result<()>;
    /// Makes its calls return instead of waiting.
    ///
    /// # Errors
    /// The system refuses.
    fn nonblocking(&self) -> io::Result<()>;
}

impl Duplex for TcpStream {
    fn end(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }

    fn nonblocking(&self) -> io::Result<()> {
        // A query waits for its answer: nothing is gained by waiting to fill a segment.
        self.set_nodelay(true)?;
        self.set_nonblocking(true)
    }
}

impl Duplex for UnixStream {
    fn end(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }

    fn nonblocking(&self) -> io::Result<()> {
        self.set_nonblocking(true)
    }
}

/// A stream that is registered for reading only.
#[derive(Debug)]
pub struct SocketStream<S: Duplex> {
    socket: AsyncFd<S>,
    writable: Writable,
    /// How much the next read asks for.
    ask: usize,
}

/// What a read asks for at first, and again behind a short one: a query or its answer. Room for a read must be zeroed before,
/// so asking for much where little comes is paid for.
const SMALL_READ: usize = 4 << 10;
/// What it asks for at most, where more keeps coming.
const LARGE_READ: usize = 64 << 10;

impl<S: Duplex> SocketStream<S> {
    /// Registers a connected socket with the current reactor.
    ///
    /// # Errors
    /// The system refuses, or there is no reactor.
    pub fn new(socket: S) -> io::Result<Self> {
        socket.nonblocking()?;
        Ok(Self {
            socket: register(socket, Interest::READABLE)?,
            writable: Writable::default(),
            ask: SMALL_READ,
        })
    }

    /// The socket.
    pub fn get_ref(&self) -> &S {
        self.socket.get_ref()
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        mut send: impl FnMut(&mut S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match send(self.socket.get_mut()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.writable.poll(self.socket.get_ref(), cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl<S: Duplex> AsyncRead for SocketStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let mut guard = ready!(this.socket.poll_read_ready_mut(cx))?;
            let size = this.ask.min(buffer.remaining());
            let room = buffer.initialize_unfilled_to(size);
            match guard.get_inner_mut().read(room) {
                Ok(read) => {
                    if read == size {
                        this.ask = (this.ask * 4).min(LARGE_READ);
                    } else if read > 0 {
                        // Whatever comes after a short read raises a new edge; the end of the stream (0) stays readable.
                        guard.clear_ready();
                        if read < SMALL_READ {
                            this.ask = SMALL_READ;
                        }
                    }
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl<S: Duplex> AsyncWrite for SocketStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, |socket| socket.write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, |socket| socket.write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.socket.get_ref().end(Shutdown::Write) {
            // The other side was faster: there is nothing left to end.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn bytes_pass_both_ways_and_the_end_arrives() {
        let (left, right) = UnixStream::pair().unwrap();
        let (mut left, mut right) = (SocketStream::new(left).unwrap(), SocketStream::new(right).unwrap());
        left.write_all(b"ping").await.unwrap();
        let mut four = [0; 4];
        right.read_exact(&mut four).await.unwrap();
        right.write_all(&four).await.unwrap();
        right.shutdown().await.unwrap();
        let mut all = Vec::new();
        left.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"ping");
    }

    #[tokio::test]
    async fn a_full_socket_takes_the_rest_when_the_reader_comes_back() {
        let (left, right) = UnixStream::pair().unwrap();
        let (mut left, mut right) = (SocketStream::new(left).unwrap(), SocketStream::new(right).unwrap());
        let sent: Vec<u8> = (0..8_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move {
            left.write_all(&sent).await.unwrap();
            left.shutdown().await.unwrap();
        });
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let mut all = Vec::new();
        right.read_to_end(&mut all).await.unwrap();
        writer.await.unwrap();
        assert!(all == expected);
    }
}
