//! Sessions as the application sees them.

use std::{net::IpAddr, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    error::{Error, Result},
    id::{SessionId, TenantId, UserId},
    network::NetworkStatus,
    store::SessionRecord,
    token::SessionToken,
};

/// A live session, as of the moment it was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The public name of the session.
    pub sid: SessionId,
    /// Who is signed in.
    pub user: UserId,
    /// The tenant of the account when it signed in.
    pub tenant: TenantId,
    /// What was checked at sign-in.
    pub assurance: Assurance,
    /// When that was, or when the user proved it again by [`Auth::step_up`](crate::Auth::step_up).
    pub authenticated_at: DateTime<Utc>,
    /// The last use, recorded at most once per min(60 s, idle/30).
    pub last_seen_at: DateTime<Utc>,
    /// The absolute limit: the session ends then, however busy it is.
    pub expires_at: DateTime<Utc>,
    /// The address at sign-in.
    pub ip: IpAddr,
    /// The `User-Agent` at sign-in, at most 256 characters.
    pub user_agent: Option<String>,
    pub(crate) must_enrol: bool,
}

/// What a sign-in has proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Assurance {
    /// The password. The account had no second factor.
    Password,
    /// The password and a code, of the authenticator app or for recovery.
    PasswordAndTotp,
}

/// Whose sessions [`Auth::revoke_all`](crate::Auth::revoke_all) ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// One user's.
    User(UserId),
    /// Those of all users of a tenant.
    Tenant(TenantId),
    /// Everybody's.
    Global,
}

/// A session just made, with the only copy of its token.
#[derive(Debug)]
pub struct Issued {
    pub(crate) token: SessionToken,
    pub(crate) session: Session,
    pub(crate) network: Option<NetworkStatus>,
}

/// How long sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    idle: TimeDelta,
    absolute: TimeDelta,
}

/// Counts of accounts, for compliance controls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// All accounts.
    pub accounts: u64,
    /// Accounts with an active second factor.
    pub with_totp: u64,
    /// Accounts whose password hash has the current parameters.
    pub current_hashes: u64,
}

impl Session {
    /// Whether the user proved who they are, at sign-in or by [`Auth::step_up`](crate::Auth::step_up), not longer than `limit` before
    /// `now`. What a dangerous operation of this crate demands is a [`Fresh`](crate::Fresh).
    #[must_use]
    pub fn authenticated_within(&self, limit: Duration, now: DateTime<Utc>) -> bool {
        let limit = TimeDelta::from_std(limit).unwrap_or(TimeDelta::MAX);
        now.signed_duration_since(self.authenticated_at) <= limit
    }

    pub(crate) fn from_record(record: SessionRecord, now: DateTime<Utc>) -> Self {
        Self {
            must_enrol: record.must_enrol(now),
            sid: record.sid,
            user: record.user,
            tenant: record.tenant,
            assurance: record.assurance,
            authenticated_at: record.authenticated_at,
            last_seen_at: record.last_seen_at,
            expires_at: record.expires_at,
            ip: record.ip,
            user_agent: record.user_agent,
        }
    }
}

impl Scope {
    /// Whether a thing of this user, who belongs to this tenant, is within.
    pub(crate) fn has(self, user: UserId, tenant: TenantId) -> bool {
        match self {
            Self::User(of) => of == user,
            Self::Tenant(of) => of == tenant,
            Self::Global => true,
        }
    }

    /// The user and the tenant that a row must have to be within; either may be any.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn ends(self) -> (Option<uuid::Uuid>, Option<uuid::Uuid>) {
        match self {
            Self::User(user) => (Some(user.as_uuid()), None),
            Self::Tenant(tenant) => (None, Some(tenant.as_uuid())),
            Self::Global => (None, None),
        }
    }
}

impl Issued {
    pub(crate) fn new(
        token: SessionToken,
        record: SessionRecord,
        now: DateTime<Utc>,
        network: Option<NetworkStatus>,
    ) -> Self {
        Self { token, session: Session::from_record(record, now), network }
    }

    /// The token, for the session cookie.
    #[must_use]
    pub fn token(&self) -> &SessionToken {
        &self.token
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the policy demands a second factor that the account does not have:
    /// [`Auth::access`](crate::Auth::access) will answer [`MustEnrol`](crate::Access::MustEnrol) until it has one.
    #[must_use]
    pub fn must_enrol(&self) -> bool {
        self.session.must_enrol
    }

    /// What the network was to the user, if this came of a sign-in: a message to the user is due where it is
    /// [`New`](NetworkStatus::New).
    #[must_use]
    pub fn network(&self) -> Option<NetworkStatus> {
        self.network
    }
}

impl SessionLimits {
    /// Limits of its own, in whole seconds; fractions are dropped. They hold for the sessions issued from then on.
    ///
    /// # Errors
    ///
    /// `InvalidInput` unless `1 s <= idle <= absolute <= 365 days`.
    pub fn new(idle: Duration, absolute: Duration) -> Result<Self> {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).map_or(TimeDelta::MAX, TimeDelta::seconds);
        let limits = Self { idle: seconds(idle), absolute: seconds(absolute) };
        if limits.idle < TimeDelta::seconds(1)
            || limits.idle > limits.absolute
            || limits.absolute > TimeDelta::days(365)
        {
            return Err(Error::invalid("session limits are 1 s <= idle <= absolute <= 365 days"));
        }
        Ok(limits)
    }

    /// How long a session lives without being used.
    #[must_use]
    pub fn idle(&self) -> TimeDelta {
        self.idle
    }

    /// How long a session lives at most.
    #[must_use]
    pub fn absolute(&self) -> TimeDelta {
        self.absolute
    }
}

impl Default for SessionLimits {
    /// 30 minutes idle, 12 hours in all (NIST SP 800-63B, AAL2).
    fn default() -> Self {
        Self { idle: TimeDelta::minutes(30), absolute: TimeDelta::hours(12) }
    }
}

impl From<UserId> for Scope {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

impl From<TenantId> for Scope {
    fn from(tenant: TenantId) -> Self {
        Self::Tenant(tenant)
    }
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl Assurance {
    /// The word in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::PasswordAndTotp => "password+totp",
        }
    }

    /// An unknown word gives the least.
    pub(crate) fn of(word: &str) -> Self {
        if word == "password+totp" { Self::PasswordAndTotp } else { Self::Password }
    }
}

/// How stale `last_seen_at` may become before it is written again.
pub(crate) fn touch_interval(idle: TimeDelta) -> TimeDelta {
    (idle / 30).min(TimeDelta::seconds(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_ordered() {
        let seconds = Duration::from_secs;
        assert!(SessionLimits::new(seconds(60), seconds(60)).is_ok());
        for (idle, absolute) in [(0, 60), (61, 60), (60, 366 * 86_400), (60, u64::MAX)] {
            assert!(SessionLimits::new(seconds(idle), seconds(absolute)).is_err());
        }
    }

    #[test]
    fn touches_are_rare_but_not_too_rare() {
        assert_eq!(touch_interval(TimeDelta::minutes(30)), TimeDelta::seconds(60));
        assert_eq!(touch_interval(TimeDelta::hours(8)), TimeDelta::seconds(60));
        assert_eq!(touch_interval(TimeDelta::minutes(1)), TimeDelta::seconds(2));
    }
}
