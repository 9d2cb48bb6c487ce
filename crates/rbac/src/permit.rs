//! Proof that a decision was made and allowed.

use std::fmt;
use std::marker::PhantomData;

use crate::ident::UserId;
use crate::permission::Tag;
use crate::record::{AccessRecord, Unrecorded};
use crate::resource::Resource;

/// Proof that `T` was required and allowed, for one person and one resource.
///
/// A repository function that takes a `Permit<perm::LoadEdit>` cannot be called without a check. It comes only from
/// [`Actor::require`](crate::Actor::require), and cannot be copied.
#[must_use = "a permit is to be handed to the function that demands it"]
pub struct Permit<T: Tag> {
    user: UserId,
    resource: Resource,
    tag: PhantomData<fn() -> T>,
}

impl<T: Tag> Permit<T> {
    pub(crate) const fn new(user: UserId, resource: Resource) -> Self {
        Self { user, resource, tag: PhantomData }
    }

    /// The person whose authority it is; while impersonating, the person who is impersonated.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// The facts that were decided on. A function that acts on another row compares.
    #[must_use]
    pub const fn resource(&self) -> &Resource {
        &self.resource
    }
}

impl<T: Tag> fmt::Debug for Permit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("permission", &T::PERM)
            .field("user", &self.user)
            .field("resource", &self.resource)
            .finish()
    }
}

/// What [`require`](crate::Actor::require) gives: a [`Permit`], or a permit on condition that it is recorded. Sealed.
pub trait Grant<T: Tag>: sealed::Sealed {
    #[doc(hidden)]
    fn issue(permit: Permit<T>, record: impl FnOnce() -> AccessRecord) -> Self;
}

impl<T: Tag> Grant<T> for Permit<T> {
    fn issue(permit: Permit<T>, _: impl FnOnce() -> AccessRecord) -> Self {
        permit
    }
}

impl<T: Tag> Grant<T> for Unrecorded<Permit<T>> {
    fn issue(permit: Permit<T>, record: impl FnOnce() -> AccessRecord) -> Self {
        Self::new(permit, record())
    }
}

mod sealed {
    use crate::permission::Tag;

    pub trait Sealed {}
    impl<T: Tag> Sealed for super::Permit<T> {}
    impl<T: Tag> Sealed for super::Unrecorded<super::Permit<T>> {}
}
