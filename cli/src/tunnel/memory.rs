//! Remembers for some minutes that no UDP passes from this network to a relay. Only a saving of time: a file that cannot be
//! read or written is as good as none.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::relay_address::RelayAddress;

/// How long it is remembered: short enough that QUIC is soon found again.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);
/// The longest file that is read, and the most relays that it names.
const MAX_BYTES: u64 = 64 << 10;
const MAX_ENTRIES: usize = 32;

/// Where no UDP passes.
#[derive(Debug)]
pub(super) struct Memory {
    file: Option<PathBuf>,
    relay: String,
    /// This machine's address towards the relay: another network, another answer.
    network: String,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Entry {
    relay: String,
    network: String,
    /// Seconds since 1970.
    until: u64,
}

impl Memory {
    pub fn new(file: Option<&Path>, relay: &RelayAddress, address: SocketAddr) -> Self {
        Self {
            file: file.map(Path::to_owned),
            relay: relay.to_string(),
            network: network(address).unwrap_or_default(),
        }
    }

    /// UDP was found not to pass a short time ago.
    pub fn no_udp(&self) -> bool {
        self.read().iter().any(|entry| self.is(entry))
    }

    /// Notes whether UDP passes.
    pub fn note(&self, udp_passes: bool) {
        let Some(file) = &self.file else { return };
        let mut entries = self.read();
        let before = entries.len();
        entries.retain(|entry| !self.is(entry));
        if udp_passes && entries.len() == before {
            return;
        }
        if !udp_passes {
            entries.truncate(MAX_ENTRIES - 1);
            entries.insert(
                0,
                Entry {
                    relay: self.relay.clone(),
                    network: self.network.clone(),
                    until: now() + REMEMBERED.as_secs(),
                },
            );
        }
        if let Err(error) = write(file, &entries) {
            tracing::debug!(%error, "what passes is not remembered");
        }
    }

    fn is(&self, entry: &Entry) -> bool {
        entry.relay == self.relay && entry.network == self.network
    }

    /// What still holds. A time too far ahead comes from a clock that was wrong.
    fn read(&self) -> Vec<Entry> {
        let Some(file) = &self.file else { return Vec::new() };
        let small = fs::metadata(file).is_ok_and(|metadata| metadata.len() <= MAX_BYTES);
        let text = if small {
            fs::read(file).unwrap_or_default()
        } else {
            Vec::new()
        };
        let mut entries: Vec<Entry> = serde_json::from_slice(&text).unwrap_or_default();
        let now = now();
        entries.retain(|entry| entry.until > now && entry.until <= now + REMEMBERED.as_secs());
        entries
    }
}

fn write(file: &Path, entries: &[Entry]) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut temporary, entries)?;
    temporary.persist(file)?;
    Ok(())
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

/// This machine's address on the way to `address`. Nothing is sent.
fn network(address: SocketAddr) -> Option<String> {
    let any: SocketAddr = if address.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0_u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(address).ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn memory(file: &Path, relay: &str) -> Memory {
        Memory::new(Some(file), &relay.parse().unwrap(), ([127, 0, 0, 1], 1).into())
    }

    #[test]
    fn what_is_noted_holds_for_that_relay_until_it_is_found_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("transport.json");
        let (one, other) = (memory(&file, "one"), memory(&file, "other"));
        assert!(!one.no_udp());
        one.note(false);
        assert!(one.no_udp() && !other.no_udp());
        one.note(true);
        assert!(!one.no_udp());
    }

    #[test]
    fn a_file_of_anything_else_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("transport.json");
        let one = memory(&file, "one");
        fs::write(&file, "not JSON").unwrap();
        assert!(!one.no_udp());
        let entry = |until| {
            format!(
                r#"[{{"relay":"{}","network":"{}","until":{until}}}]"#,
                one.relay, one.network
            )
        };
        for (until, holds) in [(now() - 1, false), (now() + 100, true), (u64::MAX, false)] {
            fs::write(&file, entry(until)).unwrap();
            assert_eq!(one.no_udp(), holds, "{until}");
        }
        assert!(!memory(&folder.path().join("absent/transport.json"), "one").no_udp());
        memory(&folder.path().join("absent/transport.json"), "one").note(false);
    }
}
