//! What a permission is: a variant of an enum, with facts that every decision uses.

use std::fmt;
use std::hash::Hash;

use crate::permit::Grant;
use crate::scope::Scope;

/// Whether a permission changes anything.
///
/// Impersonating actors and staff hold read permissions only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Shows something and changes nothing.
    Read,
    /// Creates, changes or removes something.
    Write,
}

/// [`Kind::Read`] as a type, for [`Permits`](crate::Permits).
#[derive(Debug)]
pub enum Read {}

/// [`Kind::Write`] as a type, for [`Permits`](crate::Permits).
#[derive(Debug)]
pub enum Write {}

/// The vocabulary of an application, made by [`permissions!`](crate::permissions).
pub trait Permission: Copy + Eq + Ord + Hash + fmt::Debug + Send + Sync + 'static {
    /// Every permission; the position in this list is [`index`](Self::index).
    const ALL: &'static [Self];

    /// The position in [`ALL`](Self::ALL).
    fn index(self) -> usize;

    /// The facts given in [`permissions!`](crate::permissions).
    fn info(self) -> &'static PermissionInfo;

    /// The permission with that key.
    fn from_key(key: &str) -> Option<Self>;

    /// The name in policy files, tokens and records.
    fn key(self) -> &'static str {
        self.info().key
    }

    /// Whether it reads or writes.
    fn kind(self) -> Kind {
        self.info().kind
    }
}

/// The facts of one permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermissionInfo {
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    pub(crate) up_to: Scope,
    pub(crate) audited: bool,
    pub(crate) second_factor: bool,
    pub(crate) delegable: bool,
}

impl PermissionInfo {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(key: &'static str, kind: Kind, up_to: Scope) -> Self {
        Self { key, kind, up_to, audited: false, second_factor: false, delegable: false }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn audit(mut self) -> Self {
        self.audited = true;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn mfa(mut self) -> Self {
        self.second_factor = true;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn delegable(mut self) -> Self {
        self.delegable = true;
        self
    }

    /// The name in policy files, tokens and records.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// Whether it reads or writes.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The widest scope at which a role or an override may grant it.
    #[must_use]
    pub const fn up_to(&self) -> Scope {
        self.up_to
    }

    /// Whether each use has to be recorded (flag `audit`).
    #[must_use]
    pub const fn is_audited(&self) -> bool {
        self.audited
    }

    /// Whether the actor must have shown a second factor (flag `mfa`).
    #[must_use]
    pub const fn needs_second_factor(&self) -> bool {
        self.second_factor
    }

    /// Whether somebody who has it may lend it to somebody else for a while (flag `delegable`).
    #[must_use]
    pub const fn is_delegable(&self) -> bool {
        self.delegable
    }
}

/// One permission as a type: `perm::LoadEdit` for `Perm::LoadEdit`. Made by [`permissions!`](crate::permissions).
///
/// It carries into the type system what the compiler needs to know: what [`require`](crate::Actor::require) returns, and
/// whether an impersonating actor may ask for it.
pub trait Tag: Sized + 'static {
    /// The vocabulary.
    type Perm: Permission;
    /// [`Read`] or [`Write`].
    type Kind;
    /// [`Permit<Self>`](crate::Permit), or [`Unrecorded<Permit<Self>>`](crate::Unrecorded) for an `audit` permission.
    type Grant: Grant<Self>;
    /// The permission as a value.
    const PERM: Self::Perm;
}
