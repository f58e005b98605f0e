//! The two connections of a session: each wake-up writes what waits and reads each side once.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until, timeout};

use super::buffers;
use super::drive::Attend;
use super::session::{Conversation, Output};

/// Past this many unwritten bytes for one side the other is not read.
const HIGH: usize = 512 << 10;
/// How long last words may take to be written.
pub(super) const FAREWELL: Duration = Duration::from_secs(5);
/// How many pieces one write takes at most.
const PIECES: usize = 32;

/// What moved.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moved {
    pub(super) client_gone: bool,
    pub(super) target_gone: bool,
    pub(super) from_client: bool,
}

/// Both ends with what arrived from them.
pub(super) struct Wires<C, T> {
    pub(super) client: C,
    pub(super) target: T,
    pub(super) client_in: BytesMut,
    pub(super) target_in: BytesMut,
    /// The most bytes of the client that wait.
    pub(super) client_bound: usize,
}

impl<C, T> Wires<C, T>
where
    C: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    /// Writes what waits and reads each side once; ready when anything moved.
    pub(super) fn poll<J: Attend>(&mut self, cx: &mut Context<'_>, core: &mut Conversation<J>) -> Poll<Moved> {
        let mut moved = Moved::default();
        match poll_write(&mut self.client, core.to_client(), cx) {
            Ok(wrote) => wrote,
            Err(_) => {
                moved.client_gone = true;
                return Poll::Ready(moved);
            }
        };
        if poll_write(&mut self.target, core.to_target(), cx).is_err() {
            // Its last words, if it has any, are still to be read.
            core.to_target().clear();
        }
        let mut any = false;
        if core.to_client().len() < HIGH {
            match buffers::poll_read(&mut self.target, cx, &mut self.target_in) {
                Poll::Ready(Ok(0) | Err(_)) => {
                    moved.target_gone = true;
                    return Poll::Ready(moved);
                }
                Poll::Ready(Ok(_)) => any = true,
                Poll::Pending => {}
            }
        }
        // A whole message must fit; behind one that waits only the bound does.
        let room = if core.takes_more() {
            usize::MAX
        } else {
            self.client_bound
        };
        if core.to_target().len() < HIGH && self.client_in.len() < room {
            match buffers::poll_read(&mut self.client, cx, &mut self.client_in) {
                Poll::Ready(Ok(0) | Err(_)) => {
                    moved.client_gone = true;
                    return Poll::Ready(moved);
                }
                Poll::Ready(Ok(_)) => {
                    any = true;
                    moved.from_client = true;
                }
                Poll::Pending => {}
            }
        }
        if any { Poll::Ready(moved) } else { Poll::Pending }
    }
}

/// Writes as much as goes.
fn poll_write(io: &mut (impl AsyncWrite + Unpin), output: &mut Output, cx: &mut Context<'_>) -> io::Result<()> {
    if output.is_empty() {
        return Ok(());
    }
    while !output.is_empty() {
        let mut slices = [IoSlice::new(&[]); PIECES];
        let count = output.slices(&mut slices);
        let slices = slices.get(..count).unwrap_or_default();
        let written = match slices {
            [only] => Pin::new(&mut *io).poll_write(cx, only),
            many => Pin::new(&mut *io).poll_write_vectored(cx, many),
        };
        match written {
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(written)) => output.advance(written),
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => return Ok(()),
        }
    }
    match Pin::new(io).poll_flush(cx) {
        Poll::Ready(Err(error)) => Err(error),
        Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
    }
}

/// Ready when everything is written and flushed, or cannot be.
pub(super) fn poll_empty(io: &mut (impl AsyncWrite + Unpin), output: &mut Output, cx: &mut Context<'_>) -> Poll<()> {
    if poll_write(io, output, cx).is_err() {
        return Poll::Ready(());
    }
    if !output.is_empty() {
        return Poll::Pending;
    }
    Pin::new(io).poll_flush(cx).map(|_| ())
}

/// Writes the last words, and closes both sides.
pub(super) async fn farewell<J, C, T>(wires: &mut Wires<C, T>, core: &mut Conversation<J>)
where
    J: Attend,
    C: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let write = async {
        poll_fn(|cx| poll_empty(&mut wires.client, core.to_client(), cx)).await;
        poll_fn(|cx| Pin::new(&mut wires.client).poll_shutdown(cx)).await
    };
    let _ = timeout(FAREWELL, write).await;
}

/// Lets the server finish what it was asked before the client's farewell, and close.
pub(super) async fn drain<J, C, T>(wires: &mut Wires<C, T>, core: &mut Conversation<J>)
where
    J: Attend,
    C: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let until = Instant::now() + FAREWELL;
    let mut late = pin!(sleep_until(until));
    loop {
        let step = poll_fn(|cx| {
            if poll_write(&mut wires.target, core.to_target(), cx).is_err() {
                return Poll::Ready(0);
            }
            buffers::poll_read(&mut wires.target, cx, &mut wires.target_in).map(|read| read.unwrap_or(0))
        });
        tokio::select! {
            () = &mut late => break,
            read = step => {
                if read == 0 {
                    break;
                }
                core.target_bytes(&mut wires.target_in);
            }
        }
    }
    let _ = core.judge().settle();
    farewell(wires, core).await;
}

/// Waits until the target has done what it was asked and has closed, however long that takes: it closes when it comes to the end of
/// what it reads.
pub(super) async fn until_closed(target: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let mut gone = [0; 4096];
    let _ = target.shutdown().await;
    while let Ok(1..) = target.read(&mut gone).await {}
}
