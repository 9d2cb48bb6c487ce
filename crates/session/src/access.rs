//! What a session may do under the policy of its tenant.

use crate::{
    id::{SessionId, TenantId, UserId},
    session::Session,
};

/// The answer of [`Auth::access`](crate::Auth::access). A caller handles every case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// The session is live and satisfies the policy.
    Granted(Session),
    /// The session is live, but the policy demands a second factor that the account does not have: let the user do nothing but enrol.
    MustEnrol(MustEnrol),
    /// There is no live session.
    Denied,
}

/// A session that may only be used to set up a second factor. It is no [`Session`] and does not become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MustEnrol(Session);

impl MustEnrol {
    pub(crate) const fn new(session: Session) -> Self {
        Self(session)
    }

    /// Whom to enrol, by [`Auth::enrol_totp`](crate::Auth::enrol_totp) and [`Auth::confirm_totp`](crate::Auth::confirm_totp).
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.0.user
    }

    /// The tenant whose policy it is.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.0.tenant
    }

    /// The session, for signing out.
    #[must_use]
    pub const fn sid(&self) -> SessionId {
        self.0.sid
    }
}
