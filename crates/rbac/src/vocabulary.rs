//! The `permissions!` macro and what it lets the compiler check.

use crate::permission::{Kind, PermissionInfo};
use crate::scope::Scope;

/// Declares the permissions of an application as an enum, and a module `perm` with one type per permission.
///
/// Each line is `Variant = "key": Kind, up to Scope`, then any of the flags:
///
/// - `Kind` is `Read` or `Write`. Impersonating actors and staff only read.
/// - `up to` names the widest [`Scope`](crate::Scope) that a role may grant. A write reaches `Tenant` at most.
/// - `audit`: each use must be recorded; [`require`](crate::Actor::require) gives an [`Unrecorded`](crate::Unrecorded) permit.
/// - `mfa`: refused unless the actor was built with [`multi_factor`](crate::ActorBuilder::multi_factor).
/// - `delegable`: who has it may lend it to somebody else for a while, see [`Delegation`](crate::Delegation).
///
/// A key has 1 to 64 lower-case letters, digits, `.`, `_` and `-`, and starts with a letter. A malformed key, a key used twice
/// and a write up to `Platform` are compile errors. There may be up to 2048 permissions, and one vocabulary per module.
///
/// The enum implements [`Permission`](crate::Permission) and displays as its key.
///
/// ```
/// use stockade_rbac::{Kind, Permission, Scope, Tag};
///
/// stockade_rbac::permissions! {
///     /// What a person of the workshop may do.
///     pub enum Perm {
///         /// See a job and its photographs.
///         JobView  = "job.view":  Read,  up to Tenant;
///         JobClose = "job.close": Write, up to Office, audit;
///     }
/// }
///
/// assert_eq!(Perm::JobClose.to_string(), "job.close");
/// assert_eq!(Perm::from_key("job.close"), Some(Perm::JobClose));
/// assert_eq!(Perm::JobClose.info().up_to(), Scope::Office);
/// assert_eq!(perm::JobView::PERM.kind(), Kind::Read);
/// ```
#[macro_export]
macro_rules! permissions {
    ($(#[$meta:meta])* pub enum $Perm:ident { $($lines:tt)* }) => {
        $crate::__permissions! { (pub,) (pub,) $(#[$meta])* enum $Perm { $($lines)* } }
    };
    ($(#[$meta:meta])* pub(crate) enum $Perm:ident { $($lines:tt)* }) => {
        $crate::__permissions! { (pub(crate),) (pub(crate),) $(#[$meta])* enum $Perm { $($lines)* } }
    };
    ($(#[$meta:meta])* pub(super) enum $Perm:ident { $($lines:tt)* }) => {
        $crate::__permissions! { (pub(super),) (pub(in super::super),) $(#[$meta])* enum $Perm { $($lines)* } }
    };
    ($(#[$meta:meta])* enum $Perm:ident { $($lines:tt)* }) => {
        $crate::__permissions! { (,) (pub(super),) $(#[$meta])* enum $Perm { $($lines)* } }
    };
}

/// First the visibility of the enum, then the same visibility as seen from inside the module `perm`.
#[doc(hidden)]
#[macro_export]
macro_rules! __permissions {
    (
        ($vis:vis,) ($inner:vis,)
        $(#[$meta:meta])*
        enum $Perm:ident {
            $(
                $(#[$variant_meta:meta])*
                $variant:ident = $key:literal : $kind:ident, up to $scope:ident $(, $flag:ident)*
            );+ $(;)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        $vis enum $Perm {
            $(
                $(#[$variant_meta])*
                #[doc = concat!("`", $key, "`: ", stringify!($kind), ", up to ", stringify!($scope) $(, ", ", stringify!($flag))*, ".")]
                $variant,
            )+
        }

        /// The permissions as types.
        $vis mod perm {
            $(
                #[doc = concat!("`", $key, "` as a type.")]
                #[derive(Debug)]
                $inner enum $variant {}
            )+
        }

        impl $crate::Permission for $Perm {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn index(self) -> usize {
                self as usize
            }

            fn info(self) -> &'static $crate::PermissionInfo {
                match self {
                    $(Self::$variant => const { &$crate::__permission_info!($key, $kind, $scope $(, $flag)*) },)+
                }
            }

            fn from_key(key: &str) -> ::core::option::Option<Self> {
                match key {
                    $($key => ::core::option::Option::Some(Self::$variant),)+
                    _ => ::core::option::Option::None,
                }
            }
        }

        impl ::core::fmt::Display for $Perm {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad($crate::Permission::key(*self))
            }
        }

        $(
            impl $crate::Tag for perm::$variant {
                type Perm = $Perm;
                type Kind = $crate::$kind;
                type Grant = $crate::__permission_grant!($($flag)*);
                const PERM: $Perm = $Perm::$variant;
            }
        )+

        const _: () = {
            const INFO: &[$crate::PermissionInfo] = &[$($crate::__permission_info!($key, $kind, $scope $(, $flag)*)),+];
            $crate::__macro::distinct(INFO, &[$(concat!("the key `", $key, "` is used twice")),+]);
            $crate::__macro::sound(INFO, &[$(concat!(
                "`", $key, "` is not a sound permission: a key is 1 to 64 of a-z, 0-9, `.`, `_`, `-` and starts with a letter; ",
                "a permission reaches `Own` or wider; a write reaches `Tenant` at most",
            )),+]);
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __permission_info {
    ($key:literal, $kind:ident, $scope:ident $(, $flag:ident)*) => {
        $crate::PermissionInfo::new($key, $crate::Kind::$kind, $crate::Scope::$scope)$(.$flag())*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __permission_grant {
    () => { $crate::Permit<Self> };
    (audit $($rest:ident)*) => { $crate::Unrecorded<$crate::Permit<Self>> };
    ($other:ident $($rest:ident)*) => { $crate::__permission_grant!($($rest)*) };
}

#[doc(hidden)]
pub mod __macro {
    pub use super::{distinct, sound};
}

const SLOTS: usize = 4096;

/// Refuses a vocabulary in which two permissions share a key. A hash table, because comparing each pair of a thousand keys
/// exceeds what the compiler is willing to evaluate.
#[expect(clippy::indexing_slicing, reason = "runs in the compiler, where an index out of bounds is a compile error")]
#[track_caller]
pub const fn distinct(permissions: &[PermissionInfo], complaints: &[&str]) {
    assert!(permissions.len() <= SLOTS / 2, "a vocabulary has 2048 permissions at most");
    let mut table = [usize::MAX; SLOTS];
    let mut position = 0;
    while position < permissions.len() {
        let key = permissions[position].key.as_bytes();
        let mut slot = hash(key) % SLOTS;
        while table[slot] != usize::MAX {
            assert!(!same(key, permissions[table[slot]].key.as_bytes()), "{}", complaints[position]);
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = position;
        position += 1;
    }
}

/// Refuses a malformed key, a permission that reaches nothing, and a write that reaches other tenants.
#[expect(clippy::indexing_slicing, reason = "runs in the compiler, where an index out of bounds is a compile error")]
#[track_caller]
pub const fn sound(permissions: &[PermissionInfo], complaints: &[&str]) {
    let mut position = 0;
    while position < permissions.len() {
        let PermissionInfo { key, kind, up_to, .. } = permissions[position];
        let reach = match kind {
            Kind::Read => !matches!(up_to, Scope::None),
            Kind::Write => !matches!(up_to, Scope::None | Scope::Platform),
        };
        assert!(reach && is_key(key.as_bytes()), "{}", complaints[position]);
        position += 1;
    }
}

#[expect(clippy::indexing_slicing, reason = "runs in the compiler, where an index out of bounds is a compile error")]
const fn is_key(key: &[u8]) -> bool {
    if key.is_empty() || key.len() > 64 || !key[0].is_ascii_lowercase() {
        return false;
    }
    let mut position = 0;
    while position < key.len() {
        if !matches!(key[position], b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-') {
            return false;
        }
        position += 1;
    }
    true
}

#[expect(clippy::indexing_slicing, reason = "runs in the compiler, where an index out of bounds is a compile error")]
const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut position = 0;
    while position < a.len() {
        if a[position] != b[position] {
            return false;
        }
        position += 1;
    }
    true
}

/// FNV-1a, cut to 32 bits so that it is the same on every target.
#[expect(clippy::indexing_slicing, reason = "runs in the compiler, where an index out of bounds is a compile error")]
const fn hash(key: &[u8]) -> usize {
    let mut state = 0x811c_9dc5_u32;
    let mut position = 0;
    while position < key.len() {
        state = (state ^ key[position] as u32).wrapping_mul(0x0100_0193);
        position += 1;
    }
    state as usize
}
