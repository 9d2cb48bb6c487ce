//! The rows that a store keeps.

use std::{fmt, net::IpAddr};

use chrono::{DateTime, TimeDelta, Utc};
use subtle::ConstantTimeEq;

use crate::{
    id::{SessionId, TenantId, UserId},
    policy::AccountStatus,
    session::Assurance,
};

/// The keyed hash of a token or of a lockout bucket: what is stored in its place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// An account to be added.
#[derive(Clone)]
pub struct NewAccountRecord {
    /// The user, unique.
    pub user: UserId,
    /// The tenant of the account.
    pub tenant: TenantId,
    /// The normalised identifier, unique over all tenants.
    pub identifier: String,
    /// A PHC string.
    pub password_hash: String,
}

/// An account with everything that a sign-in needs.
#[derive(Clone)]
pub struct AccountRecord {
    /// The user.
    pub user: UserId,
    /// The tenant of the account.
    pub tenant: TenantId,
    /// The normalised identifier.
    pub identifier: String,
    /// A PHC string.
    pub password_hash: String,
    /// The state of the second factor, if there is one.
    pub totp: Option<TotpState>,
    /// The versions now.
    pub versions: Versions,
    /// Whether the account can be used.
    pub status: AccountStatus,
    /// From when on the account or its tenant demands a second factor.
    pub mfa_required_from: Option<DateTime<Utc>>,
}

/// How to find an account.
#[derive(Clone, Copy)]
pub enum Lookup<'a> {
    /// By its normalised identifier.
    Identifier(&'a str),
    /// By its user.
    User(UserId),
}

/// The counters that revoke everything under them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Versions {
    /// The user's.
    pub user: i64,
    /// The tenant's.
    pub tenant: i64,
    /// Everybody's.
    pub global: i64,
}

/// Whether a second factor counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotpState {
    /// It waits for its first code and is not asked for.
    Pending,
    /// It is asked for at sign-in.
    Active,
}

/// A user's seed.
#[derive(Clone)]
pub struct TotpRecord {
    /// What [`SeedCipher::seal`](crate::SeedCipher::seal) made.
    pub sealed_seed: Vec<u8>,
    /// Whether it counts.
    pub state: TotpState,
    /// The newest step whose code was accepted; -1 before the first.
    pub last_step: i64,
}

/// The answer to an attempt, before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// It may be made, and is counted as a failure until a success clears the bucket. If it brought a lock, that ends then.
    Granted {
        /// The end of the lock that this attempt brought.
        locked_until: Option<DateTime<Utc>>,
    },
    /// The bucket is locked.
    Locked,
}

/// A sign-in that waits for its second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowRecord {
    /// Whose password was right.
    pub user: UserId,
    /// The tenant of the account.
    pub tenant: TenantId,
    /// The versions when the sign-in began.
    pub versions: Versions,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// The public name, unique.
    pub sid: SessionId,
    /// Who is signed in.
    pub user: UserId,
    /// The tenant of the account.
    pub tenant: TenantId,
    /// The versions when the sign-in began.
    pub versions: Versions,
    /// What was checked.
    pub assurance: Assurance,
    /// When it was checked, or checked again by a step-up.
    pub authenticated_at: DateTime<Utc>,
    /// The last recorded use.
    pub last_seen_at: DateTime<Utc>,
    /// The idle limit, in whole seconds.
    pub idle: TimeDelta,
    /// The absolute limit.
    pub expires_at: DateTime<Utc>,
    /// The address at sign-in.
    pub ip: IpAddr,
    /// The `User-Agent` at sign-in.
    pub user_agent: Option<String>,
    /// From when on the account or its tenant demands a second factor, as the store reads it now. Not part of what is inserted.
    pub mfa_required_from: Option<DateTime<Utc>>,
}

/// A reset that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResetRecord {
    /// Whose password it may replace; nobody's if no active account has the identifier, so that asking does the same work.
    pub user: Option<UserId>,
    /// The user's version then.
    pub user_version: i64,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// A change of identifier that waits for its confirmations.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentifierChangeRecord {
    /// Whose.
    pub user: UserId,
    /// The user's version then.
    pub user_version: i64,
    /// The normalised new identifier.
    pub identifier: String,
    /// What the old address confirms with; nothing if it need not.
    pub old: Option<Digest>,
    /// What the new address confirms with.
    pub new: Digest,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

impl Digest {
    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Equality in constant time.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl SessionRecord {
    pub(crate) fn must_enrol(&self, now: DateTime<Utc>) -> bool {
        self.assurance < Assurance::PasswordAndTotp && self.mfa_required_from.is_some_and(|from| from <= now)
    }
}

impl AccountRecord {
    pub(crate) fn has_totp(&self) -> bool {
        self.totp == Some(TotpState::Active)
    }

    pub(crate) fn is_active(&self) -> bool {
        self.status == AccountStatus::Active
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

impl fmt::Debug for NewAccountRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccountRecord").field("user", &self.user).finish_non_exhaustive()
    }
}

impl fmt::Debug for AccountRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountRecord").field("user", &self.user).finish_non_exhaustive()
    }
}

impl fmt::Debug for IdentifierChangeRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentifierChangeRecord").field("user", &self.user).finish_non_exhaustive()
    }
}

impl fmt::Debug for Lookup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identifier(_) => f.write_str("Identifier(..)"),
            Self::User(user) => f.debug_tuple("User").field(user).finish(),
        }
    }
}

impl fmt::Debug for TotpRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TotpRecord")
            .field("state", &self.state)
            .field("last_step", &self.last_step)
            .finish_non_exhaustive()
    }
}
