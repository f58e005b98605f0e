//! A client's stream, whatever carries it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use metrics::counter;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A client's stream after its `Attach`: the protocol's own bytes in both directions.
#[derive(Debug)]
pub struct ClientStream {
    carrier: Carrier,
    read: u64,
    written: u64,
}

#[derive(Debug)]
enum Carrier {
    Quic {
        send: quinn::SendStream,
        receive: quinn::RecvStream,
    },
    Tls(Box<TlsStream<TcpStream>>),
}

impl ClientStream {
    pub(super) fn quic(send: quinn::SendStream, receive: quinn::RecvStream) -> Self {
        Self::new(Carrier::Quic { send, receive })
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::new(Carrier::Tls(Box::new(stream)))
    }

    fn new(carrier: Carrier) -> Self {
        Self {
            carrier,
            read: 0,
            written: 0,
        }
    }

    /// Reads up to `limit` bytes; `None` at the end. Over QUIC the bytes are the received packet's own, without a copy;
    /// such a chunk keeps its whole packet alive, so it should not wait long. Cancel safe.
    ///
    /// # Errors
    /// The client reset the stream, or the connection is lost.
    pub async fn chunk(&mut self, limit: usize) -> io::Result<Option<Bytes>> {
        let chunk = match &mut self.carrier {
            Carrier::Quic { receive, .. } => receive.read_chunk(limit, true).await?.map(|chunk| chunk.bytes),
            Carrier::Tls(stream) => {
                let mut buffer = BytesMut::with_capacity(limit);
                let mut part = stream.take(limit as u64);
                let read = part.read_buf(&mut buffer).await?;
                (read > 0).then(|| buffer.freeze())
            }
        };
        self.read += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Ok(chunk)
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = match &mut self.carrier {
            Carrier::Quic { receive, .. } => AsyncRead::poll_read(Pin::new(receive), cx, buf),
            Carrier::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        self.read += (buf.filled().len() - before) as u64;
        result
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = match &mut self.carrier {
            Carrier::Quic { send, .. } => AsyncWrite::poll_write(Pin::new(send), cx, buf),
            Carrier::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        if let Poll::Ready(Ok(written)) = &result {
            self.written += *written as u64;
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Quic { send, .. } => Pin::new(send).poll_flush(cx),
            Carrier::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Quic { send, .. } => Pin::new(send).poll_shutdown(cx),
            Carrier::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        counter!("hoop_client_bytes_total", "direction" => "from_client").increment(self.read);
        counter!("hoop_client_bytes_total", "direction" => "to_client").increment(self.written);
    }
}
