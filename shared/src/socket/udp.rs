//! quinn's runtime with a UDP socket of ours.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::register;
use super::writable::Writable;

/// tokio, with UDP sockets that are registered for reading only.
#[derive(Debug)]
pub struct ReactorRuntime;

impl Runtime for ReactorRuntime {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        TokioRuntime.spawn(future);
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        // Also makes it non-blocking, and switches segmentation offload and congestion marks on.
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Arc::new(Datagrams {
            socket: register(socket, Interest::READABLE)?,
            state,
            full: AtomicBool::new(false),
        }))
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

#[derive(Debug)]
struct Datagrams {
    socket: AsyncFd<UdpSocket>,
    state: UdpSocketState,
    /// The last send would have blocked.
    full: AtomicBool,
}

impl AsyncUdpSocket for Datagrams {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Poller {
            datagrams: self,
            writable: Writable::default(),
        })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let sent = self.state.send(self.socket.get_ref().into(), transmit);
        if sent
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        {
            self.full.store(true, Ordering::Relaxed);
        }
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.socket.poll_read_ready(cx))?;
            match self.state.recv(self.socket.get_ref().into(), buffers, meta) {
                Ok(received) => {
                    // A short batch has emptied the queue; the next datagram raises a new edge.
                    if received < buffers.len() {
                        guard.clear_ready();
                    }
                    return Poll::Ready(Ok(received));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get_ref().local_addr()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }

    fn max_transmit_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.state.gro_segments()
    }
}

/// One per connection, so that each wakes its own task.
#[derive(Debug)]
struct Poller {
    datagrams: Arc<Datagrams>,
    writable: Writable,
}

impl UdpPoller for Poller {
    fn poll_writable(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // quinn asks before every send: only a send that would have blocked is worth waiting for.
        if !this.datagrams.full.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let ready = ready!(this.writable.poll(this.datagrams.socket.get_ref(), cx));
        this.datagrams.full.store(false, Ordering::Relaxed);
        Poll::Ready(ready)
    }
}
