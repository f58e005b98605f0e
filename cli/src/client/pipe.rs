//! The data path of `hoopctl`: bytes from a local client to a stream of the tunnel and back, as they are.
//!
//! One task moves both directions. What is read is written at once; while something waits to be written its direction reads
//! nothing, so a slow reader slows its writer and nothing piles up. All clients share one read buffer: an idle one holds none.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// Bytes of one read: a large result takes few system calls.
const BUFFER: usize = 64 * 1024;
/// How long a client may take to notice that the relay has ended its stream.
const LAST_WORDS: Duration = Duration::from_secs(5);

thread_local! {
    static SHARED: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// Which end ended first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The local client.
    Client,
    /// The relay.
    Relay,
}

/// Copies in both directions until both have ended. When the relay ends first, the client has a moment left to read what is there.
pub async fn pipe<L, R>(mut local: L, mut remote: R) -> EndedBy
where
    L: AsyncRead + AsyncWrite + Unpin,
    R: AsyncRead + AsyncWrite + Unpin,
{
    let (mut up, mut down) = (Way::default(), Way::default());
    let first = poll_fn(|cx| {
        if let Poll::Ready(sent) = up.poll(&mut local, &mut remote, cx) {
            return Poll::Ready((EndedBy::Client, sent));
        }
        down.poll(&mut remote, &mut local, cx)
            .map(|received| (EndedBy::Relay, received))
    });
    match first.await {
        // A client that has gone away needs no answer; one that only ended its side does.
        (EndedBy::Client, Ok(())) => {
            let _ = poll_fn(|cx| down.poll(&mut remote, &mut local, cx)).await;
            EndedBy::Client
        }
        (EndedBy::Client, Err(_)) => EndedBy::Client,
        (EndedBy::Relay, _) => {
            let rest = poll_fn(|cx| up.poll(&mut local, &mut remote, cx));
            let _ = tokio::time::timeout(LAST_WORDS, rest).await;
            EndedBy::Relay
        }
    }
}

/// One direction.
#[derive(Default)]
struct Way {
    /// Read and not yet written.
    waiting: BytesMut,
    /// How reading ended.
    ended: Option<io::Result<()>>,
}

impl Way {
    /// Moves what there is; ready at the end, which is passed on.
    fn poll(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.ended.is_none() {
            let moved = ready!(self.step(from, to, cx));
            if !matches!(moved, Ok(true)) {
                self.waiting.clear();
                self.ended = Some(moved.map(drop));
            }
        }
        // An end that cannot be passed on has been noticed there already.
        let _ = ready!(Pin::new(to).poll_shutdown(cx));
        Poll::Ready(self.ended.take().unwrap_or(Ok(())))
    }

    /// Writes what waits and reads once; false at the end.
    fn step(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        while !self.waiting.is_empty() {
            let written = ready!(Pin::new(&mut *to).poll_write(cx, &self.waiting))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(written);
        }
        // The shared buffer is whole again when nobody has a part of it.
        self.waiting = BytesMut::new();
        ready!(Pin::new(to).poll_flush(cx))?;
        SHARED.with_borrow_mut(|shared| {
            shared.reserve(BUFFER);
            let read = ready!(pin!(from.read_buf(shared)).poll(cx))?;
            self.waiting = shared.split_to(read);
            Poll::Ready(Ok(read > 0))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_is_sent_arrives_whole_through_a_narrow_pipe() {
        let (client, local) = duplex(1000);
        let (remote, relay) = duplex(777);
        let piped = tokio::spawn(pipe(local, remote));
        let sent: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let (mut client_reads, mut client_writes) = tokio::io::split(client);
        let (mut relay_reads, mut relay_writes) = tokio::io::split(relay);
        let copy = sent.clone();
        let writer = tokio::spawn(async move {
            client_writes.write_all(&copy).await.unwrap();
            client_writes.shutdown().await.unwrap();
        });
        let mut arrived = Vec::new();
        relay_reads.read_to_end(&mut arrived).await.unwrap();
        assert!(arrived == sent);
        writer.await.unwrap();
        // The client has ended its side only: the answer still arrives.
        relay_writes.write_all(b"bye").await.unwrap();
        relay_writes.shutdown().await.unwrap();
        let mut answer = Vec::new();
        client_reads.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"bye");
        assert_eq!(piped.await.unwrap(), EndedBy::Client);
    }

    #[tokio::test]
    async fn the_relays_last_words_reach_the_client() {
        let (mut client, local) = duplex(1000);
        let (remote, mut relay) = duplex(1000);
        let piped = tokio::spawn(pipe(local, remote));
        relay.write_all(b"revoked").await.unwrap();
        drop(relay);
        let mut words = Vec::new();
        client.read_to_end(&mut words).await.unwrap();
        assert_eq!(words, b"revoked");
        drop(client);
        assert_eq!(piped.await.unwrap(), EndedBy::Relay);
    }
}
