//! Staff who look at the product as a customer sees it.

use std::{fmt, net::IpAddr};

use chrono::{DateTime, Utc};

use crate::{
    id::{ImpersonationId, SessionId, TenantId, UserId},
    session::Session,
    store::ImpersonationRecord,
    token::ImpersonationToken,
};

/// A member of staff who sees what a target sees, and may change nothing.
///
/// It is no [`Session`], holds none and cannot become one: what takes a session to write cannot be called with it, nor can another
/// impersonation begin with it. The application decides by the *target's* authority what is shown, cut down to reading
/// (`stockade-rbac`: read-only impersonation), in a read-only transaction (`stockade-tenant-guard`), and says on every page who is
/// looking.
///
/// ```compile_fail,E0308
/// # use stockade_session::{Impersonation, Session};
/// fn transfer(session: &Session) {}
/// fn handler(impersonation: Impersonation) {
///     transfer(&impersonation); // expected `&Session`
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Impersonation {
    /// The public name, for pages and audit entries.
    pub id: ImpersonationId,
    /// Who is looking.
    pub actor: UserId,
    /// The session of the actor, with which it ends.
    pub session: SessionId,
    /// As whom.
    pub target: UserId,
    /// The target's tenant.
    pub tenant: TenantId,
    /// Why.
    pub reason: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ends by itself, at most an hour later.
    pub expires_at: DateTime<Utc>,
    /// When it ended, as far as that was noticed.
    pub ended_at: Option<DateTime<Utc>>,
    /// From where it began.
    pub ip: IpAddr,
}

/// Who a request is from. The three cases need three answers, so there is no shortcut through them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Caller {
    /// The signed-in user.
    Own(Session),
    /// The signed-in user as somebody else: reading only.
    Impersonating(Impersonation),
    /// The signed-in user, who still holds the token of an impersonation that is over. Clear its cookie and say so instead of doing
    /// what the request asks: it was meant as somebody else.
    Over(Session),
}

/// The answer to a wish to impersonate.
#[derive(Debug)]
#[must_use]
pub enum ImpersonationStart {
    /// It has begun.
    Started(IssuedImpersonation),
    /// It has not.
    Refused(ImpersonationRefusal),
}

/// Why an impersonation did not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImpersonationRefusal {
    /// The actor signed in without a second factor.
    SecondFactor,
    /// The target is the actor.
    Oneself,
    /// The target has no account.
    NoAccount,
    /// The target's tenant does not allow it.
    TenantRefuses,
    /// The actor's session or the target's account has just ended.
    Ended,
}

/// Whether staff may impersonate the users of a tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ImpersonationPolicy {
    /// They may, and the tenant sees it.
    #[default]
    Allowed,
    /// They may not.
    Refused,
}

/// An impersonation just begun, with the only copy of its token.
#[derive(Debug)]
pub struct IssuedImpersonation {
    pub(crate) token: ImpersonationToken,
    pub(crate) impersonation: Impersonation,
}

impl IssuedImpersonation {
    /// The token, for a cookie beside the session's ([`Cookies::impersonation`](crate::Cookies::impersonation)).
    #[must_use]
    pub fn token(&self) -> &ImpersonationToken {
        &self.token
    }

    /// The impersonation.
    #[must_use]
    pub fn impersonation(&self) -> &Impersonation {
        &self.impersonation
    }
}

impl From<ImpersonationRecord> for Impersonation {
    fn from(record: ImpersonationRecord) -> Self {
        Self {
            id: record.id,
            actor: record.actor,
            session: record.session,
            target: record.target,
            tenant: record.tenant,
            reason: record.reason,
            started_at: record.started_at,
            expires_at: record.expires_at,
            ended_at: record.ended_at,
            ip: record.ip,
        }
    }
}

impl fmt::Display for ImpersonationRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecondFactor => "impersonation needs a sign-in with a second factor",
            Self::Oneself => "nobody impersonates themselves",
            Self::NoAccount => "there is no such account",
            Self::TenantRefuses => "the tenant does not allow impersonation",
            Self::Ended => "the session or the account has ended",
        })
    }
}
