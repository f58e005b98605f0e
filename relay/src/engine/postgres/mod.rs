//! PostgreSQL, protocol 3.0.
//!
//! ```text
//! client ─▶ startup ─▶ session core ─▶ judge ─▶ (permit) ─▶ target
//!        ◀─ rows, errors masked and recorded ◀────────────┘
//! ```

mod admit;
mod buffers;
pub mod codec;
pub mod copy_out;
pub mod drive;
pub mod replay;
pub mod rows;
mod run;
mod serve;
pub mod session;
pub mod startup;
mod warden;
mod wires;

pub use drive::Served;
pub use serve::serve;

#[cfg(test)]
pub(crate) mod lenient;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod throwaway;
