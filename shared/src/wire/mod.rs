//! The frames between `hoopctl` and the relay, the same over QUIC and over TLS.
//!
//! ```text
//! control stream (QUIC: the first bidirectional stream; TCP: one TLS connection)
//!   client   Hello ────────────▶            version range, build, features, machine
//!            ◀──────── Welcome | Refused    version, relay, limits, time, notices
//!            Open(n) ──────────▶            a connection's name and a reason, never an address or a user
//!            ◀──── Opened(n) | Refused(n)   answered when decided: an approval may take its time
//!            ◀──── Notice, Close            pushed at any time: a session ended, and why
//!            Detach(session) ──▶            leaves a run (see `run`): what waits for approval is kept
//!            ◀──── Detached
//!            Close(session), Bye ─▶         ends one session; ends all
//!
//! each other stream (QUIC: a bidirectional stream; TCP: one TLS connection each)
//!            Attach(session) ──▶
//!            ◀──── Attached | Refused
//!            ◀══ raw protocol bytes ══▶
//! ```
//!
//! A frame is a type byte, a big-endian `u16` length and that many bytes of JSON. The type's high bit marks a frame that
//! may be skipped by who does not know it; any other unknown type closes the connection. Who one is never stands in a
//! frame: it comes from the client certificate.

mod codec;
mod frame;
mod io;
pub mod run;
mod version;

pub use codec::{DecodeError, Decoded, EncodeError, HEADER, MAX_PAYLOAD, decode, encode};
pub use frame::{
    Attach, Attached, Bye, Close, Detach, Detached, Frame, Hello, Notice, Open, Opened, Refused, Repeated, Welcome,
    WireLimits,
};
pub use io::{FrameReader, ReadError, WriteError, write_frame};
pub use version::{NEWEST, OLDEST, negotiate};
