//! What is asked about.

use crate::ident::{OfficeId, TeamId, TenantId, UserId};
use crate::permission::Kind;
use crate::scope::Scope;
use crate::share::ShareLevel;
use crate::subject::Subject;

/// The facts of one row that a decision depends on.
///
/// A fact that is not stated matches nobody: a load without a team is not in anyone's team scope. For something that is
/// about to be created, state the facts that the new row will have. For an action on the tenant as a whole (settings,
/// user management) state the tenant alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    tenant: TenantId,
    owner: Option<UserId>,
    team: Option<TeamId>,
    office: Option<OfficeId>,
    shared: Option<(UserId, ShareLevel)>,
    maker: Option<UserId>,
}

impl Resource {
    /// A row of a tenant, with no owner, team or office.
    #[must_use]
    pub fn in_tenant(tenant: impl Into<TenantId>) -> Self {
        Self { tenant: tenant.into(), owner: None, team: None, office: None, shared: None, maker: None }
    }

    /// States the person the row belongs to.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<UserId>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// States the team the row belongs to.
    #[must_use]
    pub fn team(mut self, team: impl Into<TeamId>) -> Self {
        self.team = Some(team.into());
        self
    }

    /// States the office the row belongs to.
    #[must_use]
    pub fn office(mut self, office: impl Into<OfficeId>) -> Self {
        self.office = Some(office.into());
        self
    }

    /// States that the row is shared with this person: directly, or with one of the person's teams or offices. It counts for
    /// nobody else.
    #[must_use]
    pub fn shared_with(mut self, person: impl Into<UserId>, level: ShareLevel) -> Self {
        self.shared = Some((person.into(), level));
        self
    }

    /// States who made the row. What the policy keeps from the maker of a row (a separation of kind `same-record`) is refused
    /// where this is not stated.
    #[must_use]
    pub fn made_by(mut self, person: impl Into<UserId>) -> Self {
        self.maker = Some(person.into());
        self
    }

    /// The tenant of the row.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The narrowest scope that covers this row for `subject`, shares aside. Never [`Scope::None`].
    ///
    /// The tenant comes first: a row of another tenant is out of reach of everything but [`Scope::Platform`], whoever owns it.
    #[must_use]
    pub fn nearest(&self, subject: &Subject) -> Scope {
        if !subject.tenant().matches(self.tenant) {
            Scope::Platform
        } else if self.is_owned_by(subject) {
            Scope::Own
        } else if self.is_of_team(subject) {
            Scope::Team
        } else if self.is_of_office(subject) {
            Scope::Office
        } else {
            Scope::Tenant
        }
    }

    /// The row without what is shared.
    pub(crate) const fn unshared(mut self) -> Self {
        self.shared = None;
        self
    }

    /// The narrowest scope at which a permission of this kind covers the row: for a shared one, any.
    pub(crate) fn needed(&self, subject: &Subject, kind: Kind) -> Scope {
        match self.nearest(subject) {
            Scope::Team | Scope::Office | Scope::Tenant if self.is_shared_with(subject, kind) => Scope::Own,
            nearest => nearest,
        }
    }

    /// Who made the row, if that is known.
    pub(crate) fn maker(&self) -> Option<UserId> {
        self.maker.filter(|maker| maker.is_known())
    }

    /// Whether the maker of the row is known, and is none of these, who are known too.
    pub(crate) fn is_made_by_none_of(&self, people: &[UserId]) -> bool {
        self.maker().is_some_and(|maker| people.iter().all(|person| person.is_known() && *person != maker))
    }

    pub(crate) fn is_owned_by(&self, subject: &Subject) -> bool {
        self.owner.is_some_and(|owner| subject.user().matches(owner))
    }

    pub(crate) fn is_of_team(&self, subject: &Subject) -> bool {
        self.team.is_some_and(|team| subject.teams().iter().any(|mine| mine.matches(team)))
    }

    pub(crate) fn is_of_office(&self, subject: &Subject) -> bool {
        self.office.is_some_and(|office| subject.offices().iter().any(|mine| mine.matches(office)))
    }

    pub(crate) fn is_shared_with(&self, subject: &Subject, kind: Kind) -> bool {
        self.shared.is_some_and(|(with, level)| subject.user().matches(with) && level >= ShareLevel::needed_by(kind))
    }
}
