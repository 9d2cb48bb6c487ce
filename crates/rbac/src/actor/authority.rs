//! The layers of an actor's authority.

mod formula;

use std::fmt;

use chrono::{DateTime, Utc};

use super::delegation::Delegated;
use crate::error::Error;
use crate::ident::UserId;
use crate::overrides::Override;
use crate::permission::{Kind, Permission};
use crate::policy::{Policy, Role};
use crate::scopes::Scopes;
use crate::subject::Subject;
use crate::version::SubjectVersion;

/// An upper limit on what roles and overrides give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ceiling {
    /// What the tenant's plan includes.
    Tenant,
    /// What this session may do, for example because it comes from an unknown network.
    Session,
    /// What an API token carries.
    Token,
}

/// What was shown at sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assurance {
    SingleFactor,
    MultiFactor,
}

/// Everything a decision depends on but the permission and the resource. `effective` is what the other fields come to.
#[derive(Clone)]
pub(crate) struct Authority<P: Permission> {
    policy: Policy<P>,
    subject: Subject,
    version: Option<SubjectVersion>,
    roles: Vec<usize>,
    /// Those of the roles that were asked to be active; all of them if nobody asked.
    chosen: Option<Vec<usize>>,
    active: Vec<usize>,
    delegated: Vec<Delegated<P>>,
    /// Permissions that are kept from the maker of a row, and who counts as the maker: the person, and whoever lent it.
    kept_from_makers: Vec<(P, Vec<UserId>)>,
    overrides: Vec<Override<P>>,
    ceilings: Vec<(Ceiling, Scopes<P>)>,
    assurance: Assurance,
    reads_only: bool,
    valid_until: Option<DateTime<Utc>>,
    effective: Scopes<P>,
}

impl<P: Permission> Authority<P> {
    pub(super) fn new(policy: Policy<P>, subject: Subject) -> Self {
        Self {
            policy,
            subject,
            version: None,
            roles: Vec::new(),
            chosen: None,
            active: Vec::new(),
            delegated: Vec::new(),
            kept_from_makers: Vec::new(),
            overrides: Vec::new(),
            ceilings: Vec::new(),
            assurance: Assurance::SingleFactor,
            reads_only: false,
            valid_until: None,
            effective: Scopes::none(),
        }
    }

    pub(super) fn add_role(&mut self, name: &str) -> Result<(), Error> {
        let role = self.policy.assignable(name)?;
        if !self.roles.contains(&role) {
            self.roles.push(role);
        }
        Ok(())
    }

    /// Adds a role that ends, unless it has.
    pub(super) fn add_role_until(&mut self, name: &str, until: DateTime<Utc>) -> Result<(), Error> {
        self.policy.assignable(name)?;
        if self.now() < until {
            self.add_role(name)?;
            self.end_by(until);
        }
        Ok(())
    }

    fn end_by(&mut self, until: DateTime<Utc>) {
        self.valid_until = Some(self.valid_until.map_or(until, |earlier| earlier.min(until)));
    }

    pub(super) fn date(&mut self, version: SubjectVersion) {
        self.version = Some(version);
    }

    pub(super) fn lower(&mut self, ceiling: Ceiling, scopes: &Scopes<P>) {
        match self.ceilings.iter_mut().find(|(other, _)| *other == ceiling) {
            Some((_, limit)) => *limit = limit.clone().meet(scopes),
            None => self.ceilings.push((ceiling, scopes.clone())),
        }
    }

    pub(super) fn assure(&mut self, assurance: Assurance) {
        self.assurance = assurance;
    }

    /// Counts in the overrides that hold now.
    pub(super) fn with_overrides(mut self, mut overrides: Vec<Override<P>>) -> Self {
        if overrides.iter().any(|exception| exception.until.is_some()) {
            let now = self.policy.clock().now();
            overrides.retain(|exception| exception.until.is_none_or(|until| now < until));
        }
        for until in overrides.iter().filter_map(|exception| exception.until) {
            self.end_by(until);
        }
        self.overrides = overrides;
        self
    }

    pub(super) fn with_delegated(mut self, delegated: Vec<Delegated<P>>) -> Self {
        let ends = delegated.iter().map(|delegated| delegated.until);
        self.valid_until = self.valid_until.into_iter().chain(ends).min();
        self.delegated = delegated;
        self
    }

    pub(super) fn with_chosen(mut self, chosen: Vec<usize>) -> Self {
        self.chosen = Some(chosen);
        self.resolved()
    }

    /// The same without what others lent.
    pub(crate) fn undelegated(&self) -> Self {
        Self { delegated: Vec::new(), ..self.clone() }.resolved()
    }

    pub(super) fn limited(mut self, ceiling: Ceiling, scopes: &Scopes<P>) -> Self {
        self.lower(ceiling, scopes);
        self.resolved()
    }

    /// The same person, seen by `staff` until then: reads only, within what the staff member's own session and token allow,
    /// and with the second factor that the staff member has shown.
    pub(crate) fn seen_by(&self, staff: &Self, until: DateTime<Utc>) -> Self {
        let mut seen = self.clone();
        for (ceiling, scopes) in staff.ceilings.iter().filter(|(ceiling, _)| *ceiling != Ceiling::Tenant) {
            seen.lower(*ceiling, scopes);
        }
        seen.assurance = staff.assurance;
        seen.reads_only = true;
        seen.valid_until = [self.valid_until, staff.valid_until, Some(until)].into_iter().flatten().min();
        seen.resolved()
    }

    /// What the person has now, within what limits this session: its second factor, its ceilings and the roles that are active.
    #[cfg(feature = "postgres")]
    pub(super) fn renewed(&self, mut now: Self) -> Self {
        let held = |chosen: &Vec<usize>| chosen.iter().copied().filter(|role| now.roles.contains(role)).collect();
        now.chosen = self.chosen.as_ref().map(held);
        for (ceiling, scopes) in &self.ceilings {
            now.lower(*ceiling, scopes);
        }
        now.assurance = self.assurance;
        now.resolved()
    }

    pub(crate) const fn policy(&self) -> &Policy<P> {
        &self.policy
    }

    pub(crate) const fn subject(&self) -> &Subject {
        &self.subject
    }

    pub(crate) const fn version(&self) -> Option<SubjectVersion> {
        self.version
    }

    pub(crate) fn roles(&self) -> impl Iterator<Item = &Role<P>> {
        self.roles.iter().filter_map(|index| self.policy.roles().get(*index))
    }

    pub(crate) fn active(&self) -> impl Iterator<Item = &Role<P>> {
        self.active.iter().filter_map(|index| self.policy.roles().get(*index))
    }

    pub(crate) fn inactive(&self) -> impl Iterator<Item = &Role<P>> {
        let inactive = self.roles.iter().filter(|index| !self.active.contains(index));
        inactive.filter_map(|index| self.policy.roles().get(*index))
    }

    pub(crate) fn delegated(&self) -> &[Delegated<P>] {
        &self.delegated
    }

    /// Whom a row must not have been made by; `None` if it does not matter for this permission.
    pub(crate) fn makers_refused(&self, permission: P) -> Option<&[UserId]> {
        let place = self.kept_from_makers.binary_search_by(|(kept, _)| kept.cmp(&permission)).ok()?;
        self.kept_from_makers.get(place).map(|(_, makers)| makers.as_slice())
    }

    /// The place of a role that the person has.
    pub(super) fn held(&self, name: &str) -> Option<usize> {
        let named = |index: &&usize| self.policy.roles().get(**index).is_some_and(|role| role.name() == name);
        self.roles.iter().find(named).copied()
    }

    pub(crate) fn overrides(&self) -> &[Override<P>] {
        &self.overrides
    }

    pub(crate) fn ceilings(&self) -> &[(Ceiling, Scopes<P>)] {
        &self.ceilings
    }

    pub(crate) const fn effective(&self) -> &Scopes<P> {
        &self.effective
    }

    pub(crate) const fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.valid_until
    }

    pub(crate) fn is_staff(&self) -> bool {
        self.roles().any(Role::is_staff)
    }

    pub(crate) fn is_token(&self) -> bool {
        self.ceilings.iter().any(|(ceiling, _)| *ceiling == Ceiling::Token)
    }

    pub(crate) fn refuses_writes(&self, permission: P) -> bool {
        self.reads_only && permission.kind() == Kind::Write
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.policy.clock().now()
    }

    /// The moment at which this authority ended, if it has. Asks the clock only if there is such a moment.
    pub(crate) fn expired(&self) -> Option<DateTime<Utc>> {
        self.valid_until.filter(|until| self.now() >= *until)
    }
}

/// Leaves out the policy, which is long, and the overrides, whose reasons may name people.
impl<P: Permission> fmt::Debug for Authority<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("subject", &self.subject)
            .field("roles", &self.roles().map(Role::name).collect::<Vec<_>>())
            .field("effective", &self.effective)
            .field("valid_until", &self.valid_until)
            .finish_non_exhaustive()
    }
}
