//! Which events somebody should look at.

use super::{ApiTokenRefusal, ConnectionEnd, FailureReason, SecurityEvent};

/// How much an event should worry somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// For the record.
    Info,
    /// Somebody should look at it.
    Warning,
}

impl SecurityEvent {
    /// How much the event should worry somebody.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::TotpRemoved { user, by, .. } if user != by => Severity::Warning,
            Self::LockedOut { .. }
            | Self::RecoveryUsed { .. }
            | Self::NewNetwork { .. }
            | Self::BreachListFailed
            | Self::IdentifierChanged { .. }
            | Self::StoredHashRefused { .. }
            | Self::ConnectionEnded { by: ConnectionEnd::Refused, .. }
            | Self::RefreshReused { .. }
            | Self::ImpersonationStarted { .. }
            | Self::ImpersonationTokenIssued { .. }
            | Self::ImpersonationRefused { .. }
            | Self::ApiTokenNewNetwork { .. }
            | Self::ApiTokenRefused {
                reason: ApiTokenRefusal::WrongSecret | ApiTokenRefusal::Revoked | ApiTokenRefusal::Network,
                ..
            }
            | Self::SignInFailed { reason: FailureReason::ReplayedCode, .. } => Severity::Warning,
            _ => Severity::Info,
        }
    }
}
