//! PostgreSQL, protocol 3.0.
//!
//! ```text
//! client ─▶ startup ─▶ session core ─▶ judge ─▶ (permit) ─▶ target
//!        ◀─ rows, errors masked and recorded ◀────────────┘
//! ```

pub mod codec;
pub mod copy_out;
pub mod replay;
pub mod rows;
pub mod session;

#[cfg(test)]
pub(crate) mod throwaway;
