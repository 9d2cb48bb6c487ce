//! Finds the reason for a decision, and says it.

use std::fmt;

use super::{Decision, Outcome, Refusal, Verdict, Via};
use crate::actor::Ceiling;
use crate::overrides::Effect;
use crate::permission::Permission;
use crate::scope::Scope;

impl<'a, P: Permission> Decision<'a, P> {
    /// The decision with its reason. Walks the layers again, which the decision itself did not need.
    #[must_use]
    pub fn verdict(&self) -> Verdict<'a> {
        match self.outcome {
            Outcome::Expired(at) => Verdict::Denied(Refusal::Expired { at }),
            Outcome::OwnRecord => Verdict::Denied(Refusal::SameRecord),
            Outcome::MakerUnknown => Verdict::Denied(Refusal::MakerUnknown),
            Outcome::Refused => Verdict::Denied(self.refusal()),
            Outcome::Allowed => match self.via() {
                Some(via) => Verdict::Allowed { via, scope: self.authority.effective().scope(self.permission) },
                None => Verdict::Denied(Refusal::NotGranted),
            },
        }
    }

    fn via(&self) -> Option<Via<'a>> {
        let role = self.authority.active().find(|role| role.scope(self.permission) >= self.needed);
        role.map(|role| Via::Role(role.name())).or_else(|| {
            let grants = |effect: Effect| matches!(effect, Effect::Allow(scope) if scope >= self.needed);
            let mut overrides = self.authority.overrides().iter();
            overrides
                .find(|exception| exception.permission == self.permission && grants(exception.effect))
                .map(|exception| Via::Override(&exception.reason))
                .or_else(|| self.lent())
        })
    }

    fn lent(&self) -> Option<Via<'a>> {
        let mut delegated = self.authority.delegated().iter();
        let found = delegated.find(|delegated| delegated.scopes.scope(self.permission) >= self.needed);
        found.map(|delegated| Via::Delegation { by: delegated.by, reason: &delegated.reason })
    }

    fn refusal(&self) -> Refusal {
        let Self { authority, permission, needed, .. } = *self;
        let lent = authority.delegated().iter().map(|delegated| delegated.scopes.scope(permission));
        let roles = authority.active().map(|role| role.scope(permission));
        let mut granted = roles.chain(lent).max().unwrap_or_default();
        for exception in authority.overrides().iter().filter(|exception| exception.permission == permission) {
            match exception.effect {
                Effect::Deny => return Refusal::OverrideDenies,
                Effect::Allow(scope) => granted = granted.max(scope),
            }
        }
        let cut = authority.ceilings().iter().find(|(_, scopes)| scopes.scope(permission) < needed);
        let elsewhere = authority.inactive().any(|role| role.scope(permission) >= needed);
        match (granted, needed, cut) {
            _ if granted < needed && elsewhere => Refusal::RoleNotActive,
            (Scope::None, ..) => Refusal::NotGranted,
            _ if authority.refuses_writes(permission) => Refusal::ReadsOnly,
            (_, Scope::Platform, _) if granted < needed => Refusal::OtherTenant,
            _ if granted < needed => Refusal::ScopeTooNarrow { granted, needed },
            (_, _, Some((ceiling, scopes))) => Refusal::Ceiling { ceiling: *ceiling, limit: scopes.scope(permission) },
            // Nothing else narrows what is granted.
            _ => Refusal::SecondFactor,
        }
    }
}

impl<P: Permission> fmt::Display for Decision<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, needed) = (self.permission.key(), self.needed);
        match self.verdict() {
            Verdict::Allowed { via: Via::Role(role), scope } => {
                write!(f, "allowed: role `{role}` grants `{key}`; reach: {scope}")
            }
            Verdict::Allowed { via: Via::Override(_), scope } => {
                write!(f, "allowed: an override grants `{key}`; reach: {scope}")
            }
            Verdict::Allowed { via: Via::Delegation { by, .. }, scope } => {
                write!(f, "allowed: `{key}` is delegated by {by}; reach: {scope}")
            }
            Verdict::Denied(refusal) => {
                f.write_str("denied: ")?;
                match refusal {
                    Refusal::Expired { at } => write!(f, "the authority for `{key}` ended at {at:?}"),
                    Refusal::OverrideDenies => write!(f, "an override denies `{key}`"),
                    Refusal::NotGranted => write!(f, "no role grants `{key}`"),
                    Refusal::ReadsOnly => write!(f, "`{key}` writes, and staff and impersonating actors only read"),
                    Refusal::OtherTenant => write!(f, "`{key}` does not reach other tenants"),
                    Refusal::ScopeTooNarrow { granted, .. } => {
                        write!(f, "`{key}` reaches {granted}, this needs {needed}")
                    }
                    Refusal::Ceiling { ceiling, limit } => {
                        write!(f, "the {ceiling} limits `{key}` to {limit}, this needs {needed}")
                    }
                    Refusal::RoleNotActive => write!(f, "a role that grants `{key}` is not active"),
                    Refusal::SameRecord => write!(f, "`{key}` is kept from who made the record"),
                    Refusal::MakerUnknown => {
                        write!(f, "`{key}` is kept from who made the record, and who that is is not stated")
                    }
                    Refusal::SecondFactor => write!(f, "`{key}` needs a second factor"),
                    Refusal::NotStaff => write!(f, "only staff impersonate"),
                    Refusal::TargetIsStaff => write!(f, "staff are not impersonated"),
                }
            }
        }?;
        let mut separator = "; roles: ";
        for role in self.authority.active() {
            write!(f, "{separator}{}", role.name())?;
            separator = ", ";
        }
        if self.authority.active().next().is_none() {
            f.write_str("; roles: none")?;
        }
        let mut separator = "; not active: ";
        for role in self.authority.inactive() {
            write!(f, "{separator}{}", role.name())?;
            separator = ", ";
        }
        Ok(())
    }
}

impl fmt::Display for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "tenant",
            Self::Session => "session",
            Self::Token => "token",
        })
    }
}
