//! A session: one opened use of a connection by a principal. Only this module makes a [`Grant`].
//!
//! A session is opened over a control stream, used by any number of streams, and ends once, for one reason ([`End`]): by
//! its client, by a limit of time, by revocation, kill or a changed policy, or because its client is gone. Whoever serves
//! it waits for [`Session::ended`]; the end itself is one atomic change, so that nothing on the data path takes a lock.

mod cancel;
mod end;
mod grant;
mod open;
mod registry;
mod rules;
mod run;
mod running;

pub use cancel::{CancelKey, CancelKeys};
pub use end::End;
pub use grant::Grant;
pub use open::{Door, Wish};
pub use registry::{Registry, Running};
pub use rules::{Rules, SharedRules, same_connection};
pub use run::{Holding, NewRun, Run};
pub use running::{Lease, Session, StreamSlot, Waits, supervise};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
