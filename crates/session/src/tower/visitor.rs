//! Who a request is from.

use super::refusal::Refusal;
use crate::{
    access::MustEnrol,
    id::SessionId,
    impersonation::{Caller, Impersonation},
    session::Session,
};

/// Who a request is from, as its cookies say. The cases need different answers, so there is no shortcut through them but
/// [`session`](Self::session), which refuses all but the plain one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Visitor {
    /// Nobody, as far as can be proved.
    Nobody,
    /// The signed-in user.
    Own(Session),
    /// A signed-in user who has to set up a second factor before anything else.
    MustEnrol(MustEnrol),
    /// A signed-in user as somebody else: reading only.
    Impersonating(Impersonation),
    /// A signed-in user who still holds the token of an impersonation that is over. What the request asks was meant as somebody else.
    Over(Session),
}

impl Visitor {
    /// The session of a user who is signed in as nobody else and owes no second factor. Nothing if nobody is signed in.
    ///
    /// # Errors
    ///
    /// `MustEnrol`, `Impersonating` and `ImpersonationOver`.
    pub fn session(&self) -> Result<Option<&Session>, Refusal> {
        match self {
            Self::Nobody => Ok(None),
            Self::Own(session) => Ok(Some(session)),
            Self::MustEnrol(_) => Err(Refusal::MustEnrol),
            Self::Impersonating(_) => Err(Refusal::Impersonating),
            Self::Over(_) => Err(Refusal::ImpersonationOver),
        }
    }

    /// The session that the browser has, whatever it may be used for: what a sign-out ends.
    #[must_use]
    pub fn sid(&self) -> Option<SessionId> {
        match self {
            Self::Nobody => None,
            Self::Own(session) | Self::Over(session) => Some(session.sid),
            Self::MustEnrol(session) => Some(session.sid()),
            Self::Impersonating(impersonation) => Some(impersonation.session),
        }
    }
}

impl From<Caller> for Visitor {
    fn from(caller: Caller) -> Self {
        match caller {
            Caller::Own(session) => Self::Own(session),
            Caller::Impersonating(impersonation) => Self::Impersonating(impersonation),
            Caller::Over(session) => Self::Over(session),
        }
    }
}
