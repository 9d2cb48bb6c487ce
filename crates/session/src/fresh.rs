//! Proof that the user is there now.

use std::fmt;

use secrecy::SecretString;

use crate::{
    flow::Rejected,
    session::{Issued, Session},
};

/// A session whose user proved lately who they are: what a dangerous operation takes. Only [`Auth::fresh`](crate::Auth::fresh) makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh(Session);

/// What a user proves it with.
pub enum Proof<'a> {
    /// The password of the account.
    Password(SecretString),
    /// A code of the authenticator app.
    Totp(&'a str),
}

/// The outcome of [`Auth::step_up`](crate::Auth::step_up).
#[derive(Debug)]
#[must_use]
pub enum StepUp {
    /// Wrong, used before, or locked: the same to the client. The session goes on as it was.
    Rejected(Rejected),
    /// The session has ended, or another rotation of its token came first.
    Ended,
    /// The session has a new token and `authenticated_at` is now.
    Confirmed(Issued),
}

impl Fresh {
    pub(crate) const fn new(session: Session) -> Self {
        Self(session)
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.0
    }
}

impl fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(..)",
            Self::Totp(_) => "Totp(..)",
        })
    }
}
