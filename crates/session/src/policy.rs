//! What tenants and accounts demand beyond the right password.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::session::SessionLimits;

/// Whether an account can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum AccountStatus {
    /// It can.
    #[default]
    Active,
    /// It cannot for the time being. Its sessions ended when it was suspended and do not come back.
    Suspended,
    /// It never can again.
    Deleted,
}

/// Whether a second factor is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MfaRule {
    /// No rule of its own.
    #[default]
    Optional,
    /// It is needed.
    Required,
    /// It is needed from this time on, so that people have until then to enrol.
    RequiredFrom(DateTime<Utc>),
}

/// What a tenant demands of every session of its accounts, from the next request on. It can only tighten what the application sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantPolicy {
    /// Whether its accounts need a second factor.
    pub mfa: MfaRule,
    /// Limits that hold beside each session's own. The absolute one counts from the sign-in.
    pub limits: Option<SessionLimits>,
}

impl MfaRule {
    /// When the rule begins, in whole microseconds: what a store keeps.
    #[must_use]
    pub fn begins(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Optional => None,
            Self::Required => Some(DateTime::UNIX_EPOCH),
            Self::RequiredFrom(time) => {
                let latest = DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(DateTime::UNIX_EPOCH);
                Some(time.clamp(DateTime::UNIX_EPOCH, latest).trunc_subsecs(6))
            }
        }
    }

    /// The rule that a store kept.
    #[must_use]
    pub fn from_begin(begins: Option<DateTime<Utc>>) -> Self {
        match begins {
            None => Self::Optional,
            Some(time) if time <= DateTime::UNIX_EPOCH => Self::Required,
            Some(time) => Self::RequiredFrom(time),
        }
    }
}

/// The tighter of two limits.
pub(crate) fn tighter(own: TimeDelta, tenant: Option<TimeDelta>) -> TimeDelta {
    tenant.map_or(own, |tenant| own.min(tenant))
}

/// The earlier of two beginnings, where nothing is never.
pub(crate) fn earlier(a: Option<DateTime<Utc>>, b: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    a.into_iter().chain(b).min()
}
