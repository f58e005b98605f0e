//! The recording of a session: a chained, sealed log of what was asked, decided and shown.
//!
//! ```text
//! Recordings::start ▸ Recorder ▸ append (before each release) … output ▸ extend ▸ finish ▸ flush … ▸ seal
//!                                 │ one write                                              │ signed, packed, moved
//! recordings/open/ID.events.jsonl ┘                       recordings/XX/ID.events.jsonl ◂──┘
//! ```
//!
//! **Only masked bytes come here.** A recording is read by people who may not see the values that it is about. So texts
//! come as [`crate::mask::Scrubbed`], which only a scrubber makes, and a result's content is the bytes that left
//! [`crate::mask::Plan`] on their way to the client, never those that came from the target.
//!
//! Fails closed: what [`Recorder::append`] has not taken must not be released, and after one error nothing is taken any
//! more. The format is described in `relay/docs/recording.md`.

mod chain;
mod error;
mod event;
mod finish;
mod kept;
mod keys;
mod moment;
mod place;
mod recorder;
mod recordings;
mod recover;
mod show;
mod sync;
mod verify;
mod walk;

pub use self::error::{RecordError, RecordingsError};
pub use self::event::{Answer, Counts, Event, Header, Kind};
pub use self::kept::{KeptResult, KeptResults};
pub use self::keys::Keys;
pub use self::place::Place;
pub use self::recorder::{Output, Recorder, Settings};
pub use self::recordings::Recordings;
pub use self::recover::Recovered;
pub use self::show::{Decode, Rows, ShowLimits, Shown};
pub use self::verify::{Check, State, verify};

#[cfg(test)]
mod tests;
