//! Refusals: one table of stable codes for psql, scripts and people, with the exit code and SQLSTATE of each.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::RequestId;

/// What went wrong, as scripts read it. The word never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The command line is wrong.
    Usage,
    /// A configuration file is wrong.
    Configuration,
    /// There is no valid login.
    LoginNeeded,
    /// Policy forbids it.
    Blocked,
    /// It waits for approval.
    WaitsForApproval,
    /// An approver refused it.
    ApprovalDenied,
    /// Nobody decided in time.
    ApprovalExpired,
    /// The request was withdrawn by who made it.
    ApprovalCancelled,
    /// The relay cannot be reached.
    RelayUnreachable,
    /// The target cannot be reached, or does not accept the relay.
    TargetUnreachable,
    /// The session was ended: revoked, killed.
    SessionRevoked,
    /// The session reached a limit of time or idleness.
    SessionLimit,
    /// A named thing does not exist, or may not be seen.
    NotFound,
    /// A limit of the relay was reached.
    LimitExceeded,
    /// The bytes are not of the protocol.
    ProtocolViolation,
    /// The relay does not support this part of the protocol.
    Unsupported,
    /// The relay could not record or decide, and so does not pass it.
    RelayFault,
    /// Client and relay have no wire version in common.
    VersionMismatch,
    /// The target refused a statement; `sqlstate` says why.
    SqlError,
    /// The idempotency key was used for something else.
    IdempotencyConflict,
    /// What was begun may have happened or not: its end was not seen.
    OutcomeUnknown,
    /// Something failed for which no other code stands; also a code of a newer relay, whose message says the rest.
    #[serde(other)]
    Failed,
}

impl Code {
    /// The word, as JSON has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Configuration => "configuration",
            Self::LoginNeeded => "login_needed",
            Self::Blocked => "blocked",
            Self::WaitsForApproval => "waits_for_approval",
            Self::ApprovalDenied => "approval_denied",
            Self::ApprovalExpired => "approval_expired",
            Self::ApprovalCancelled => "approval_cancelled",
            Self::RelayUnreachable => "relay_unreachable",
            Self::TargetUnreachable => "target_unreachable",
            Self::SessionRevoked => "session_revoked",
            Self::SessionLimit => "session_limit",
            Self::NotFound => "not_found",
            Self::LimitExceeded => "limit_exceeded",
            Self::ProtocolViolation => "protocol_violation",
            Self::Unsupported => "unsupported",
            Self::RelayFault => "relay_fault",
            Self::VersionMismatch => "version_mismatch",
            Self::SqlError => "sql_error",
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::OutcomeUnknown => "outcome_unknown",
        }
    }

    /// The exit code of `hoopctl`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed
            | Self::ApprovalCancelled
            | Self::NotFound
            | Self::LimitExceeded
            | Self::ProtocolViolation
            | Self::Unsupported
            | Self::RelayFault
            | Self::VersionMismatch
            | Self::SqlError
            | Self::IdempotencyConflict
            | Self::OutcomeUnknown => 1,
            Self::Usage => 2,
            Self::Configuration => 3,
            Self::LoginNeeded => 4,
            Self::Blocked => 5,
            Self::WaitsForApproval => 6,
            Self::ApprovalDenied => 7,
            Self::ApprovalExpired => 8,
            Self::RelayUnreachable | Self::TargetUnreachable => 9,
            Self::SessionRevoked | Self::SessionLimit => 10,
        }
    }

    /// The SQLSTATE that a PostgreSQL client sees (PostgreSQL, appendix A).
    pub const fn sqlstate(self) -> &'static str {
        match self {
            Self::Blocked | Self::ApprovalDenied | Self::ApprovalExpired | Self::WaitsForApproval => "42501",
            Self::ApprovalCancelled => "57014",
            Self::LoginNeeded => "28000",
            Self::RelayUnreachable | Self::TargetUnreachable => "08001",
            Self::SessionRevoked | Self::SessionLimit => "57P01",
            Self::LimitExceeded => "54000",
            Self::ProtocolViolation => "08P01",
            Self::Unsupported => "0A000",
            Self::NotFound => "3D000",
            Self::OutcomeUnknown => "08007",
            Self::Failed
            | Self::Usage
            | Self::Configuration
            | Self::RelayFault
            | Self::VersionMismatch
            | Self::SqlError
            | Self::IdempotencyConflict => "58000",
        }
    }

    /// The HTTP status of the API.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Usage | Self::Configuration | Self::ProtocolViolation | Self::VersionMismatch => 400,
            Self::LoginNeeded => 401,
            Self::Blocked | Self::ApprovalDenied | Self::SessionRevoked => 403,
            Self::NotFound => 404,
            Self::WaitsForApproval | Self::IdempotencyConflict | Self::OutcomeUnknown => 409,
            Self::ApprovalExpired | Self::ApprovalCancelled | Self::SessionLimit => 410,
            Self::LimitExceeded => 429,
            Self::Unsupported => 501,
            Self::RelayUnreachable | Self::TargetUnreachable => 502,
            Self::Failed | Self::RelayFault | Self::SqlError => 500,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal, as every client sees it: what, why, what next. Texts are plain; whoever prints them escapes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What happened; stable.
    pub code: Code,
    /// The `@id` of the rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What happened, in a sentence.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The request that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The target's own SQLSTATE, where it is the target that refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// The target's own detail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Refusal {
    /// Makes a refusal without a rule, hint or request.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            rule: None,
            message: message.into(),
            hint: None,
            request: None,
            sqlstate: None,
            detail: None,
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the rule that decided.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = Some(rule.into());
        self
    }

    /// Adds the request that it is about.
    #[must_use]
    pub fn request(mut self, request: RequestId) -> Self {
        self.request = Some(request);
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_code_and_fields_of_a_newer_relay_are_read() {
        let text = r#"{"code":"quota_reached","message":"too much","hint":"less","quota":7}"#;
        let refusal: Refusal = serde_json::from_str(text).unwrap();
        assert_eq!((refusal.code, refusal.message.as_str()), (Code::Failed, "too much"));
        assert_eq!(refusal.hint.as_deref(), Some("less"));
        for code in [Code::Failed, Code::Blocked, Code::VersionMismatch] {
            let word = serde_json::to_value(code).unwrap();
            assert_eq!(word, code.as_str());
            assert_eq!(serde_json::from_value::<Code>(word).unwrap(), code);
        }
    }
}
