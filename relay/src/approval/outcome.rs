//! How waiting ends, and what the client is told.

use hoop_shared::id::RequestId;
use hoop_shared::refusal::{Code, Refusal};

/// How a request's waiting ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Enough people approved. It may still be denied until it is released.
    Approved,
    /// Somebody denied it.
    Denied {
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// Nobody decided in time, or what was approved no longer holds.
    Expired,
    /// It was withdrawn by who made it.
    Cancelled,
}

impl Outcome {
    /// What the client is told about it; `None` for an approved request.
    pub fn refusal(&self, request: &RequestId) -> Option<Refusal> {
        let refusal = match self {
            Self::Approved => return None,
            Self::Denied { by, reason } => {
                let message = match reason {
                    Some(reason) => format!("denied by {by}: {reason}"),
                    None => format!("denied by {by}"),
                };
                Refusal::new(Code::ApprovalDenied, message)
                    .hint("talk to who denied it before asking again: the same statement makes a new request")
            }
            Self::Expired => Refusal::new(Code::ApprovalExpired, format!("the approval of {request} expired"))
                .hint("try again: that makes a new request"),
            Self::Cancelled => Refusal::new(Code::ApprovalCancelled, format!("{request} was withdrawn")),
        };
        Some(refusal.request(request.clone()))
    }
}
