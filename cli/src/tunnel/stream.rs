//! One client connection of a session, whatever carries it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// One client connection of a session: the protocol's own bytes in both directions.
#[derive(Debug)]
pub struct TunnelStream(Carrier);

#[derive(Debug)]
enum Carrier {
    Quic {
        send: quinn::SendStream,
        receive: quinn::RecvStream,
    },
    Tls(Box<TlsStream<TcpStream>>),
}

impl TunnelStream {
    pub(super) fn quic(send: quinn::SendStream, receive: quinn::RecvStream) -> Self {
        Self(Carrier::Quic { send, receive })
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self(Carrier::Tls(Box::new(stream)))
    }

    /// Reads up to `limit` bytes; `None` at the end. Over QUIC the bytes are the received packet's own, without a copy.
    /// Cancel safe.
    ///
    /// # Errors
    /// The relay reset the stream, or the connection is lost.
    pub async fn chunk(&mut self, limit: usize) -> io::Result<Option<Bytes>> {
        match &mut self.0 {
            Carrier::Quic { receive, .. } => Ok(receive.read_chunk(limit, true).await?.map(|chunk| chunk.bytes)),
            Carrier::Tls(stream) => {
                let mut buffer = BytesMut::with_capacity(limit);
                let mut part = stream.take(limit as u64);
                let read = part.read_buf(&mut buffer).await?;
                Ok((read > 0).then(|| buffer.freeze()))
            }
        }
    }
}

impl AsyncRead for TunnelStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Carrier::Quic { receive, .. } => AsyncRead::poll_read(Pin::new(receive), cx, buf),
            Carrier::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for TunnelStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Carrier::Quic { send, .. } => AsyncWrite::poll_write(Pin::new(send), cx, buf),
            Carrier::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Carrier::Quic { send, .. } => Pin::new(send).poll_flush(cx),
            Carrier::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Carrier::Quic { send, .. } => Pin::new(send).poll_shutdown(cx),
            Carrier::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
