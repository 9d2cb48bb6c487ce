//! Whether an actor is the person or somebody who looks over the person's shoulder.

use chrono::{DateTime, Utc};

use crate::ident::UserId;
use crate::permission::{Read, Write};
use crate::reason::Reason;

/// The mode of an [`Actor`](crate::Actor): [`Direct`] or [`Impersonating`].
pub trait Mode: sealed::Sealed {
    #[doc(hidden)]
    fn impersonation(&self) -> Option<&Impersonating>;
}

/// The actor is the person.
#[derive(Clone, Debug)]
pub struct Direct(());

/// A member of staff sees what the person sees. The mode permits nothing but reading.
#[derive(Clone, Debug)]
pub struct Impersonating {
    staff: UserId,
    reason: Reason,
    until: DateTime<Utc>,
}

/// The kinds of permission that a mode can [`require`](crate::Actor::require).
#[diagnostic::on_unimplemented(
    message = "an actor in mode `{Self}` cannot require a permission of kind `{Kind}`",
    label = "impersonation only reads",
    note = "let the person, as `Actor<_, Direct>`, do this"
)]
pub trait Permits<Kind>: Mode {}

impl Permits<Read> for Direct {}
impl Permits<Write> for Direct {}
impl Permits<Read> for Impersonating {}

impl Direct {
    pub(crate) const fn new() -> Self {
        Self(())
    }
}

impl Impersonating {
    pub(crate) const fn new(staff: UserId, reason: Reason, until: DateTime<Utc>) -> Self {
        Self { staff, reason, until }
    }

    /// The member of staff who is looking.
    #[must_use]
    pub const fn staff(&self) -> UserId {
        self.staff
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The first moment at which it is over.
    #[must_use]
    pub const fn until(&self) -> DateTime<Utc> {
        self.until
    }
}

impl Mode for Direct {
    fn impersonation(&self) -> Option<&Impersonating> {
        None
    }
}

impl Mode for Impersonating {
    fn impersonation(&self) -> Option<&Impersonating> {
        Some(self)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Direct {}
    impl Sealed for super::Impersonating {}
}
