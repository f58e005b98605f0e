//! Reading operations: what a statement would do, in the words of policy.

pub mod catalog;
pub mod masked;
pub mod sql;
