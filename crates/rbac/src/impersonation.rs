//! Staff looking over a person's shoulder.

use chrono::TimeDelta;

use crate::actor::Actor;
use crate::decision::Refusal;
use crate::denied::Denied;
use crate::error::{Error, Fault};
use crate::mode::{Direct, Impersonating};
use crate::permission::{Permission, Tag};
use crate::permit::Permit;
use crate::reason::Reason;
use crate::record::Unrecorded;
use crate::resource::Resource;

/// How long an impersonation lasts: 1 to 30 minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timebox(u8);

impl Timebox {
    /// The longest impersonation.
    pub const MAX: Self = Self(30);

    /// So many minutes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidTimebox`](crate::ErrorKind::InvalidTimebox) unless they are 1 to 30.
    pub fn minutes(minutes: u8) -> Result<Self, Error> {
        if (1..=Self::MAX.0).contains(&minutes) {
            Ok(Self(minutes))
        } else {
            Err(Fault::Timebox { max: Self::MAX.0 }.into())
        }
    }

    fn length(self) -> TimeDelta {
        TimeDelta::minutes(self.0.into())
    }
}

impl<P: Permission> Actor<P, Direct> {
    /// Lets a member of staff see what `target` sees, and change nothing.
    ///
    /// `T` is the permission to impersonate. It has to be flagged `audit`, so that the result can only be had by recording it,
    /// and has to reach the target, which as a resource is owned by itself and belongs to its tenant. The result has the read
    /// permissions of the target, as of now, within the staff member's own session and token ceilings. Impersonating actors
    /// cannot impersonate: there is no such method on them.
    ///
    /// # Errors
    ///
    /// [`Denied`] if this actor has no staff role, if the target has one, or if the permission is refused.
    pub fn impersonate<T>(
        &self,
        target: &Self,
        reason: Reason,
        timebox: Timebox,
    ) -> Result<Unrecorded<Actor<P, Impersonating>>, Denied>
    where
        T: Tag<Perm = P, Grant = Unrecorded<Permit<T>>>,
    {
        let (staff, target) = (self.authority(), target.authority());
        if !staff.is_staff() {
            return Err(Denied::impersonation(T::PERM, Refusal::NotStaff));
        }
        if target.is_staff() {
            return Err(Denied::impersonation(T::PERM, Refusal::TargetIsStaff));
        }
        let person = target.subject();
        let resource = Resource::in_tenant(person.tenant()).owner(person.user());
        let decision = self.decide(T::PERM, &resource);
        if !decision.is_allowed() {
            return Err(Denied::by(&decision));
        }

        let now = staff.now();
        let until = now.checked_add_signed(timebox.length()).unwrap_or(now);
        let mode = Impersonating::new(self.subject().user(), reason, until);
        let mut record = decision.record(&resource, Some(&mode));
        record.on_behalf_of = Some(person.user());
        Ok(Unrecorded::new(Actor::new(target.seen_by(staff, until), mode), record))
    }
}
