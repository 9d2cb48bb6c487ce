//! One text for one meaning, to be hashed and compared.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::permission::{Kind, Permission};
use crate::policy::{Policy, Role, SeparationRule};

/// A SHA-256 digest, displayed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// JSON without white space; the fields of every object in alphabetical order, as RFC 8785 has them.
///
/// What is written has texts, numbers and truth values only, and no key that is not a text: writing it cannot fail.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// One role, for a matrix and for the digest of a policy.
#[derive(Serialize)]
pub(super) struct RoleJson<'a> {
    assignable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    assigns: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    owner: bool,
    scopes: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    separated: Vec<&'a str>,
    staff: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
}

#[derive(Serialize)]
struct PermissionJson {
    audit: bool,
    delegable: bool,
    kind: &'static str,
    mfa: bool,
    up_to: &'static str,
}

#[derive(Serialize)]
struct SeparationJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<&'static str>,
    kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    then: Option<&'static str>,
}

#[derive(Serialize)]
struct PolicyJson<'a> {
    permissions: BTreeMap<&'static str, PermissionJson>,
    roles: BTreeMap<&'a str, RoleJson<'a>>,
    separations: BTreeMap<&'a str, SeparationJson<'a>>,
}

impl<'a> RoleJson<'a> {
    pub(super) fn new<P: Permission>(role: &'a Role<P>) -> Self {
        let scopes = role.scopes().iter().map(|(permission, scope)| (permission.key(), scope.name()));
        Self {
            assignable: role.is_assignable(),
            assigns: None,
            name: None,
            owner: role.is_owner(),
            scopes: scopes.collect(),
            separated: Vec::new(),
            staff: role.is_staff(),
            title: None,
        }
    }

    pub(super) fn named<P: Permission>(role: &'a Role<P>) -> Self {
        Self { name: Some(role.name()), title: Some(role.title()), ..Self::new(role) }
    }
}

impl<P: Permission> Policy<P> {
    /// A digest of all that this policy means: what each role has in the end, who may give which, what is kept apart, and the
    /// facts of the permissions. Order, titles, and how roles inherit what they have, make no difference to it, except where that
    /// decides what is kept apart.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let permission = |permission: &P| {
            let info = permission.info();
            let kind = if info.kind() == Kind::Read { "read" } else { "write" };
            let json = PermissionJson {
                audit: info.is_audited(),
                delegable: info.is_delegable(),
                kind,
                mfa: info.needs_second_factor(),
                up_to: info.up_to().name(),
            };
            (info.key(), json)
        };
        let roles = self.roles().iter().map(|role| {
            let sorted = |names: &mut Vec<&'_ str>| names.sort_unstable();
            let mut assigns = self.assigns(role.name()).map(|assigns| assigns.map(Role::name).collect::<Vec<_>>());
            assigns.iter_mut().for_each(sorted);
            let mut separated = self.separated_within(role);
            sorted(&mut separated);
            (role.name(), RoleJson { assigns, separated, ..RoleJson::new(role) })
        });
        let separations = self.separations().iter().map(|one| (one.name(), SeparationJson::new(one.rule())));
        let policy = PolicyJson {
            permissions: P::ALL.iter().map(permission).collect(),
            roles: roles.collect(),
            separations: separations.collect(),
        };
        Digest::of(json(&policy).as_bytes())
    }
}

impl<'a> SeparationJson<'a> {
    fn new<P: Permission>(rule: &'a SeparationRule<P>) -> Self {
        let roles = |kind, roles: &'a [String], at_most| {
            let mut roles: Vec<_> = roles.iter().map(String::as_str).collect();
            roles.sort_unstable();
            Self { at_most: Some(at_most), first: None, kind, roles, then: None }
        };
        match rule {
            SeparationRule::Static { roles: names, at_most } => roles("static", names, *at_most),
            SeparationRule::Dynamic { roles: names, at_most } => roles("dynamic", names, *at_most),
            SeparationRule::SameRecord { first, then } => {
                let (first, then) = (Some(first.key()), Some(then.key()));
                Self { at_most: None, first, kind: "same-record", roles: Vec::new(), then }
            }
        }
    }
}
