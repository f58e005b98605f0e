//! How many connections and handshakes there may be, in all and from one source. Counts only, all bounded: a place is
//! given back by dropping it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What may be open at a time. Each bound is far above what honest clients reach.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections of all clients: some 56 kB each, so 1.1 GB.
    pub connections: usize,
    /// Connections from one source (an IPv4 address, an IPv6 /64): an office or a CI fleet behind one address.
    pub connections_per_source: usize,
    /// Handshakes of all clients that are not done.
    pub handshakes: usize,
    /// The same from one source.
    pub handshakes_per_source: usize,
    /// Open handshakes past which QUIC clients must first prove their address (Retry), at the price of a round trip.
    pub retry_past: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_source: 2_000,
            handshakes: 2_000,
            handshakes_per_source: 200,
            retry_past: 200,
        }
    }
}

/// Counts connections and handshakes.
#[derive(Debug)]
pub struct Gate {
    bounds: Bounds,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    handshakes: usize,
    /// One entry for each source that has a place: never more than `connections`.
    sources: HashMap<IpAddr, Source>,
}

#[derive(Debug, Default)]
struct Source {
    connections: usize,
    handshakes: usize,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The relay has as many connections or handshakes as it may.
    Relay,
    /// This source has.
    Source,
}

impl Gate {
    /// Makes a gate with nobody in it.
    pub fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            counts: Mutex::new(Counts::default()),
        })
    }

    /// QUIC clients must prove their address before a handshake begins.
    pub fn busy(&self) -> bool {
        self.lock().handshakes >= self.bounds.retry_past
    }

    /// Takes a place for a connection whose handshake begins.
    ///
    /// # Errors
    /// There is none.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let bounds = &self.bounds;
        let key = source(address);
        let mut counts = self.lock();
        if counts.connections >= bounds.connections || counts.handshakes >= bounds.handshakes {
            return Err(Full::Relay);
        }
        if let Some(source) = counts.sources.get(&key)
            && (source.connections >= bounds.connections_per_source
                || source.handshakes >= bounds.handshakes_per_source)
        {
            return Err(Full::Source);
        }
        let source = counts.sources.entry(key).or_default();
        source.connections += 1;
        source.handshakes += 1;
        counts.connections += 1;
        counts.handshakes += 1;
        drop(counts);
        Ok(Place {
            gate: Arc::clone(self),
            key,
            handshake: true,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection.
#[derive(Debug)]
pub struct Place {
    gate: Arc<Gate>,
    key: IpAddr,
    handshake: bool,
}

impl Place {
    /// The handshake is done; the connection goes on.
    pub fn settle(&mut self) {
        if std::mem::take(&mut self.handshake) {
            let mut counts = self.gate.lock();
            counts.handshakes = counts.handshakes.saturating_sub(1);
            if let Some(source) = counts.sources.get_mut(&self.key) {
                source.handshakes = source.handshakes.saturating_sub(1);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.settle();
        let mut counts = self.gate.lock();
        counts.connections = counts.connections.saturating_sub(1);
        if let Entry::Occupied(mut source) = counts.sources.entry(self.key) {
            source.get_mut().connections = source.get().connections.saturating_sub(1);
            if source.get().connections == 0 {
                source.remove();
            }
        }
    }
}

/// What counts as one source: one who has an IPv6 address has its whole /64.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn gate() -> Arc<Gate> {
        Gate::new(Bounds {
            connections: 5,
            connections_per_source: 3,
            handshakes: 4,
            handshakes_per_source: 2,
            retry_past: 1,
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_source_does_not_take_the_place_of_another() {
        let gate = gate();
        let near = address("10.0.0.1");
        let mut first = gate.enter(near).unwrap();
        let _second = gate.enter(near).unwrap();
        assert_eq!(gate.enter(near).unwrap_err(), Full::Source);
        let _other = gate.enter(address("10.0.0.2")).unwrap();
        first.settle();
        let _third = gate.enter(near).unwrap();
        first.settle();
        assert_eq!(gate.enter(near).unwrap_err(), Full::Source);
    }

    #[test]
    fn a_dropped_place_is_free_again_and_leaves_nothing() {
        let gate = gate();
        assert!(!gate.busy());
        let places: Vec<_> = (1..=4)
            .map(|n| gate.enter(address(&format!("10.0.0.{n}"))).unwrap())
            .collect();
        assert!(gate.busy());
        assert_eq!(gate.enter(address("10.0.0.9")).unwrap_err(), Full::Relay);
        drop(places);
        assert!(!gate.busy());
        let counts = gate.lock();
        assert_eq!((counts.connections, counts.handshakes, counts.sources.len()), (0, 0, 0));
    }

    #[test]
    fn an_ipv6_network_and_a_mapped_address_are_one_source() {
        assert_eq!(source(address("2001:db8::1")), source(address("2001:db8::ffff:2")));
        assert_ne!(source(address("2001:db8::1")), source(address("2001:db8:0:1::1")));
        assert_eq!(source(address("::ffff:10.0.0.1")), address("10.0.0.1"));
    }
}
