//! The data path of `hoopctl`: bytes from a local client to a stream of the tunnel and back, as they are.
//!
//! Each direction has one buffer and reads again when all of it is written, so a slow reader slows its writer and nothing piles up.

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of each direction's buffer: a large result takes few system calls, and an idle client costs little.
const BUFFER: usize = 64 * 1024;
/// How long a client may take to notice that the relay has ended its stream.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Which end ended first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The local client.
    Client,
    /// The relay.
    Relay,
}

/// Copies in both directions until both have ended. When the relay ends first, the client has a moment left to read what is there.
pub async fn pipe<L, R>(local: L, remote: R) -> EndedBy
where
    L: AsyncRead + AsyncWrite + Unpin,
    R: AsyncRead + AsyncWrite + Unpin,
{
    let (from_client, to_client) = tokio::io::split(local);
    let (from_relay, to_relay) = tokio::io::split(remote);
    let mut up = pin!(copy(from_client, to_relay));
    let mut down = pin!(copy(from_relay, to_client));
    tokio::select! {
        // A client that has gone away needs no answer; one that only ended its side does.
        sent = &mut up => {
            if sent.is_ok() {
                let _ = down.await;
            }
            EndedBy::Client
        }
        _ = &mut down => {
            let _ = tokio::time::timeout(LAST_WORDS, up).await;
            EndedBy::Relay
        }
    }
}

/// Copies until the end, and passes the end on.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0_u8; BUFFER];
    let copied = async {
        loop {
            let read = from.read(&mut buffer).await?;
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
                return Ok(());
            };
            to.write_all(bytes).await?;
            to.flush().await?;
        }
    }
    .await;
    // An end that cannot be passed on has been noticed there already.
    let _ = to.shutdown().await;
    copied
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tokio::io::duplex;

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
