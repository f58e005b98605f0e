//! The chain: each line carries a keyed digest of itself and of the line before, so that no line can be changed, moved,
//! added or left out without the key.
//!
//! `{…event…,"chain":"HEX"}`: HEX = BLAKE3 keyed with the session's chain key, of the chain value before (32 bytes, zeros
//! at first) and the bytes of the line in front of `,"chain":"`. The seal discloses the chain key and the relay signs the
//! last chain value: from then on anybody can check a recording, and nobody can make another one.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hoop_shared::id::SessionId;

use super::event::Line;
use super::keys::{hex, unhex};

/// Stands between an event and its chain value.
const MARK: &[u8] = b",\"chain\":\"";
/// Ends a line.
const END: &[u8] = b"\"}";
/// Hex characters of a chain value.
const HEX: usize = 64;
/// What a seal's signature is over, with session and chain value behind it.
const SEAL: &str = "hoop recording 1";

/// Where a chain stands.
#[derive(Clone)]
pub(super) struct Chain {
    key: [u8; 32],
    value: [u8; 32],
}

impl Chain {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self { key, value: [0; 32] }
    }

    pub(super) const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    pub(super) const fn value(&self) -> &[u8; 32] {
        &self.value
    }

    fn next(&self, body: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&self.value);
        hasher.update(body);
        *hasher.finalize().as_bytes()
    }

    /// Appends an event's line, line break included.
    pub(super) fn append(&mut self, line: &Line<'_>, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let start = out.len();
        if let Err(error) = serde_json::to_writer(&mut *out, line) {
            out.truncate(start);
            return Err(error);
        }
        // without the closing brace
        out.truncate(out.len().saturating_sub(1));
        self.value = self.next(&out[start..]);
        out.extend_from_slice(MARK);
        out.extend_from_slice(hex(&self.value).as_bytes());
        out.extend_from_slice(END);
        out.push(b'\n');
        Ok(())
    }

    /// Checks a line, without its line break, against the chain, and moves on. `None`: it is not the next line.
    pub(super) fn check(&mut self, line: &[u8]) -> Option<Line<'static>> {
        let (body, value) = split(line)?;
        let next = self.next(body);
        if next != value {
            return None;
        }
        self.value = next;
        parse(body)
    }
}

/// Reads a line without checking it.
pub(super) fn read(line: &[u8]) -> Option<Line<'static>> {
    parse(split(line)?.0)
}

fn parse(body: &[u8]) -> Option<Line<'static>> {
    let mut json = Vec::with_capacity(body.len() + 1);
    json.extend_from_slice(body);
    json.push(b'}');
    serde_json::from_slice(&json).ok()
}

fn split(line: &[u8]) -> Option<(&[u8], [u8; 32])> {
    let rest = line.strip_suffix(END)?;
    let (rest, value) = rest.split_at_checked(rest.len().checked_sub(HEX)?)?;
    let body = rest.strip_suffix(MARK)?;
    Some((body, unhex(std::str::from_utf8(value).ok()?)?))
}

/// The last line of a sealed recording, line break included.
pub(super) fn signature(session: &SessionId, chain: &[u8; 32], key: &SigningKey) -> String {
    let signature = key.sign(sealed(session, chain).as_bytes());
    signature_line(session, &signature)
}

fn signature_line(session: &SessionId, signature: &Signature) -> String {
    format!(
        "{{\"session\":\"{session}\",\"signature\":\"{}\"}}\n",
        hex(&signature.to_bytes())
    )
}

/// Whether a line, line break included, is the signature over a chain value.
pub(super) fn is_signature(line: &[u8], session: &SessionId, chain: &[u8; 32], key: &VerifyingKey) -> bool {
    let signature = || {
        let text = std::str::from_utf8(line).ok()?;
        let (_, signature) = text.split_once("\"signature\":\"")?;
        Some(Signature::from_bytes(&unhex(signature.strip_suffix("\"}\n")?)?))
    };
    signature().is_some_and(|signature| {
        // exactly this line: nothing may be hidden beside the signature
        signature_line(session, &signature).as_bytes() == line
            && key.verify_strict(sealed(session, chain).as_bytes(), &signature).is_ok()
    })
}

fn sealed(session: &SessionId, chain: &[u8; 32]) -> String {
    format!("{SEAL}\n{session}\n{}\n", hex(chain))
}
