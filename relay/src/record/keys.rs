//! The relay's recording key: what chains and seals recordings. Made once, kept in `data_dir`.

use std::path::Path;

use ed25519_dalek::{SigningKey, VerifyingKey};
use hoop_shared::id::SessionId;
use zeroize::Zeroizing;

use crate::mask::KeyError;
use crate::store::files;

/// The key's file in `data_dir`: 32 bytes, from which the two keys are derived.
const FILE: &str = "recording.key";
/// Derives the secret behind the chains.
const CHAIN: &str = "hoop 2026 recording: chain";
/// Derives the signing key.
const SEAL: &str = "hoop 2026 recording: seal";

/// The keys of recordings.
#[derive(Clone)]
pub struct Keys {
    chain: Zeroizing<[u8; 32]>,
    signing: SigningKey,
}

impl Keys {
    /// Reads the key, or makes it at the first start.
    ///
    /// # Errors
    /// The file cannot be read or written, or is no key.
    pub fn open(data_dir: &Path) -> Result<Self, KeyError> {
        files::private_directory(data_dir).map_err(|source| KeyError::File {
            path: data_dir.to_owned(),
            source,
        })?;
        Ok(Self::from_secret(&*crate::mask::open_key_file(&data_dir.join(FILE))?))
    }

    pub(super) fn from_secret(secret: &[u8; 32]) -> Self {
        let seed = Zeroizing::new(blake3::derive_key(SEAL, secret));
        Self {
            chain: Zeroizing::new(blake3::derive_key(CHAIN, secret)),
            signing: SigningKey::from_bytes(&seed),
        }
    }

    /// The public key that the relay's recordings are verified with.
    pub fn public(&self) -> VerifyingKey {
        self.signing.verifying_key()
    }

    pub(super) const fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The chain key of one session: disclosed by its seal, and only by it.
    pub(super) fn chain_key(&self, session: &SessionId) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*blake3::keyed_hash(&self.chain, session.as_str().as_bytes()).as_bytes())
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", hex(self.public().as_bytes()))
    }
}

/// Writes bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(*byte));
    }
    text
}

/// Reads so many bytes of lower-case hex.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
