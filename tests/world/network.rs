//! A network between people and a relay that a test can spoil: UDP that is dropped, small datagrams only, slow and lossy paths, and
//! addresses that change. One port for UDP and TCP, as the relay has it. Needs no rights that a test may not have.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// The path to one relay. Its threads end with the test binary.
pub struct Network {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    relay: SocketAddr,
    drops_udp: AtomicBool,
    largest: AtomicUsize,
    loses_every: AtomicUsize,
    delay_ms: AtomicUsize,
    datagrams: AtomicUsize,
    connections: AtomicUsize,
    /// Towards the relay, one socket for each client address.
    upstreams: Mutex<HashMap<SocketAddr, Arc<UdpSocket>>>,
    first_datagram: Mutex<Option<Instant>>,
    first_connection: Mutex<Option<Instant>>,
}

type Queue = mpsc::Sender<(Instant, Vec<u8>, Arc<UdpSocket>, SocketAddr)>;

impl Network {
    /// Opens a path to a relay's address.
    pub fn towards(relay: &str) -> Self {
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
            // The same number must be free for UDP.
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().expect("an address")) {
                break (tcp, Arc::new(udp));
            }
        };
        let state = Arc::new(State {
            relay: relay.parse().expect("an address"),
            drops_udp: AtomicBool::new(false),
            largest: AtomicUsize::new(usize::MAX),
            loses_every: AtomicUsize::new(0),
            delay_ms: AtomicUsize::new(0),
            datagrams: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            upstreams: Mutex::default(),
            first_datagram: Mutex::default(),
            first_connection: Mutex::default(),
        });
        let address = tcp.local_addr().expect("an address");
        std::thread::spawn({
            let state = Arc::clone(&state);
            move || carry_tcp(&state, &tcp)
        });
        std::thread::spawn({
            let state = Arc::clone(&state);
            move || carry_udp(&state, &udp)
        });
        Self { address, state }
    }

    /// What people log in at.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// From here on no UDP passes, or it passes again.
    pub fn drop_udp(&self, drops: bool) {
        self.state.drops_udp.store(drops, Ordering::Relaxed);
    }

    /// Datagrams with more bytes are swallowed.
    pub fn largest_datagram(&self, bytes: usize) {
        self.state.largest.store(bytes, Ordering::Relaxed);
    }

    /// Each way takes so long, and loses one datagram in so many.
    pub fn spoil(&self, delay: Duration, loses_every: usize) {
        let delay = usize::try_from(delay.as_millis()).expect("a short delay");
        self.state.delay_ms.store(delay, Ordering::Relaxed);
        self.state.loses_every.store(loses_every, Ordering::Relaxed);
    }

    /// Every client reaches the relay from another UDP port from here on, as behind a NAT that forgot it.
    pub fn change_addresses(&self) {
        lock(&self.state.upstreams).clear();
    }

    /// How many datagrams came from clients.
    pub fn datagrams(&self) -> usize {
        self.state.datagrams.load(Ordering::Relaxed)
    }

    /// How many TCP connections clients made.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// From the first datagram to the first TCP connection since this was asked last.
    pub fn head_start(&self) -> Option<Duration> {
        let datagram = lock(&self.state.first_datagram).take();
        let connection = lock(&self.state.first_connection).take();
        Some(connection?.saturating_duration_since(datagram?))
    }
}

impl State {
    /// Whether a datagram arrives.
    fn passes(&self, length: usize) -> bool {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let loses_every = self.loses_every.load(Ordering::Relaxed);
        let lost = loses_every != 0 && COUNT.fetch_add(1, Ordering::Relaxed).is_multiple_of(loses_every);
        !lost && !self.drops_udp.load(Ordering::Relaxed) && length <= self.largest.load(Ordering::Relaxed)
    }

    fn due(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.delay_ms.load(Ordering::Relaxed) as u64)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends datagrams when they are due, in their order.
fn queue() -> Queue {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>, Arc<UdpSocket>, SocketAddr)>();
    std::thread::spawn(move || {
        for (due, datagram, socket, to) in receive {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            // What a socket does not take is lost, as on any network.
            let _ = socket.send_to(&datagram, to);
        }
    });
    send
}

fn carry_udp(state: &Arc<State>, socket: &Arc<UdpSocket>) {
    let (there, back) = (queue(), queue());
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        state.datagrams.fetch_add(1, Ordering::Relaxed);
        lock(&state.first_datagram).get_or_insert_with(Instant::now);
        if !state.passes(length) {
            continue;
        }
        let upstream = Arc::clone(lock(&state.upstreams).entry(client).or_insert_with(|| {
            let upstream = Arc::new(UdpSocket::bind("127.0.0.1:0").expect("a port"));
            std::thread::spawn({
                let (state, upstream, socket, back) = (
                    Arc::clone(state),
                    Arc::clone(&upstream),
                    Arc::clone(socket),
                    back.clone(),
                );
                move || answer(&state, &upstream, &socket, client, &back)
            });
            upstream
        }));
        let _ = there.send((state.due(), buffer[..length].to_vec(), upstream, state.relay));
    }
}

/// Carries a relay's datagrams back to one client, as long as its address is the client's.
fn answer(state: &State, upstream: &Arc<UdpSocket>, socket: &Arc<UdpSocket>, client: SocketAddr, back: &Queue) {
    let mut buffer = vec![0; 65_536];
    while let Ok((length, _)) = upstream.recv_from(&mut buffer) {
        let current = lock(&state.upstreams)
            .get(&client)
            .is_some_and(|now| Arc::ptr_eq(now, upstream));
        if current && state.passes(length) {
            let _ = back.send((state.due(), buffer[..length].to_vec(), Arc::clone(socket), client));
        }
    }
}

fn carry_tcp(state: &State, listener: &TcpListener) {
    for client in listener.incoming().flatten() {
        state.connections.fetch_add(1, Ordering::Relaxed);
        lock(&state.first_connection).get_or_insert_with(Instant::now);
        let Ok(relay) = TcpStream::connect(state.relay) else {
            continue;
        };
        let (Ok(client_again), Ok(relay_again)) = (client.try_clone(), relay.try_clone()) else {
            continue;
        };
        std::thread::spawn(move || copy(client, relay));
        std::thread::spawn(move || copy(relay_again, client_again));
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = to.set_nodelay(true);
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
