//! Sockets that cost few system calls, for the reactors at both ends of the tunnel.
//!
//! tokio registers every socket for reading and for writing. A datagram, or bytes of a Unix socket, that the other side
//! has taken raises "writable", and wakes a process that has nothing to write. These sockets register for reading only,
//! try to send, and register a duplicate for writing only while a send would block. A read that did not fill its buffer
//! has emptied the queue, so nothing is read only to be told that there is nothing.

mod stream;
mod udp;
mod writable;

pub use stream::{Duplex, SocketStream};
pub use udp::ReactorRuntime;

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a socket with the current reactor. The types that come here own their descriptor and give it to nobody, which
/// is what the newer, unsafe function asks its caller to promise.
#[expect(deprecated, reason = "its replacement is unsafe, and this crate has no unsafe code")]
fn register<S: AsRawFd>(socket: S, interest: Interest) -> io::Result<AsyncFd<S>> {
    AsyncFd::with_interest(socket, interest)
}
