//! The tunnel's frames: no panic; what decodes encodes to something that decodes to the same; no frame is longer than its bytes.

use hoop_shared::wire::{Decoded, decode, encode};

/// Runs one input.
pub fn run(bytes: &[u8]) {
    if let Ok(Decoded::Frame(frame, used)) = decode(bytes) {
        assert!(used <= bytes.len());
        let mut again = Vec::new();
        if encode(&frame, &mut again).is_ok() {
            assert!(matches!(decode(&again), Ok(Decoded::Frame(same, used)) if same == frame && used == again.len()));
        }
    }
}
