//! The recording of a session: a chained, sealed log of what was asked, decided and shown. Sees masked values only.
