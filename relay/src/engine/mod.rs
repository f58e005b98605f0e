//! Engines: one for each protocol. An engine turns bytes into operations that own their bytes, releases only what a permit gives, and
//! says refusals in the protocol's own words.

pub mod postgres;
