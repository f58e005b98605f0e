//! One read buffer for all sessions of a reactor: idle ones hold none.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much one read may give, in bytes.
const READ: usize = 64 << 10;
/// Room that is enough for the next read: an allocation serves many small ones before it is taken back.
const ROOM: usize = READ / 2;
/// A remainder below this moves to an allocation of its own, so that the shared one is free again.
const REMAINDER: usize = 16 << 10;

thread_local! {
    static SHARED: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// Reads once and appends to `input`; gives how many bytes, 0 at the end. What is behind the last read is not touched.
pub(super) fn poll_read(
    io: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    input: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    SHARED.with_borrow_mut(|shared| {
        if shared.capacity() - shared.len() < ROOM {
            // The allocation is taken back where nobody shares it any more, else a new one is made.
            shared.reserve(READ);
        }
        let read = ready!(pin!(io.read_buf(shared)).poll(cx))?;
        let chunk = shared.split_to(read);
        if input.is_empty() {
            *input = chunk;
        } else {
            input.extend_from_slice(&chunk);
        }
        Poll::Ready(Ok(read))
    })
}

/// Gives the shared buffer back, as far as possible, when what could be dealt with was.
pub(super) fn release(input: &mut BytesMut) {
    if input.len() < REMAINDER {
        *input = if input.is_empty() {
            BytesMut::new()
        } else {
            BytesMut::from(&input[..])
        };
    }
}
