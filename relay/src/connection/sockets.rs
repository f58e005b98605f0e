//! The port: one number, UDP and TCP.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use tracing::debug;

/// Kernel buffers of the UDP socket, so that a burst of many clients waits instead of being lost. The kernel may give less.
const BUFFER: usize = 4 << 20;
/// TCP connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// Attempts to find a port that is free for both, where any will do.
const ATTEMPTS: usize = 32;

/// The bound port.
#[derive(Debug)]
pub struct Sockets {
    /// Where it is bound, with the real port.
    pub address: SocketAddr,
    pub(super) tcp: TcpListener,
    pub(super) udp: UdpSocket,
}

/// Binds TCP and UDP to one address and port. Port 0: any that is free for both.
///
/// # Errors
/// The address or port cannot be had.
pub fn bind(address: SocketAddr) -> io::Result<Sockets> {
    let mut attempts = if address.port() == 0 { ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        let tcp = tcp(address)?;
        let bound = tcp.local_addr()?;
        match udp(bound) {
            Ok(udp) => {
                return Ok(Sockets {
                    address: bound,
                    tcp,
                    udp,
                });
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {}
            Err(error) => return Err(error),
        }
    }
}

fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart finds connections of its predecessor that are not yet forgotten.
    socket.set_reuse_address(cfg!(unix))?;
    both_families(&socket, address)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    both_families(&socket, address)?;
    for result in [socket.set_recv_buffer_size(BUFFER), socket.set_send_buffer_size(BUFFER)] {
        if let Err(error) = result {
            debug!(%error, "the UDP socket keeps its buffer");
        }
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// `[::]` means IPv4 too.
fn both_families(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn any_port_is_one_port_for_both() {
        let sockets = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(sockets.address.port(), 0);
        assert_eq!(sockets.udp.local_addr().unwrap(), sockets.tcp.local_addr().unwrap());
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let taken = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(bind(taken.address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
