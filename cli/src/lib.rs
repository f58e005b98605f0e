//! The library of `hoopctl`, in modules that the binary and the generators of completions share.

pub mod printer;
