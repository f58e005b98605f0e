//! Held operations and who decides about them.

/// The proof that the people whom policy asks for approved one request. Only this module makes one.
#[derive(Debug)]
pub struct Approved(());
