//! What is asked about.

use crate::ident::{OfficeId, TeamId, TenantId, UserId};
use crate::scope::Scope;
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
}

impl Resource {
    /// A row of a tenant, with no owner, team or office.
    #[must_use]
    pub fn in_tenant(tenant: impl Into<TenantId>) -> Self {
        Self { tenant: tenant.into(), owner: None, team: None, office: None }
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

    /// The tenant of the row.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The narrowest scope that covers this row for `subject`. Never [`Scope::None`].
    ///
    /// The tenant comes first: a row of another tenant is out of reach of everything but [`Scope::Platform`], whoever owns it.
    #[must_use]
    pub fn nearest(&self, subject: &Subject) -> Scope {
        if !subject.tenant().matches(self.tenant) {
            Scope::Platform
        } else if self.owner.is_some_and(|owner| subject.user().matches(owner)) {
            Scope::Own
        } else if self.team.is_some_and(|team| subject.teams().iter().any(|mine| mine.matches(team))) {
            Scope::Team
        } else if self.office.is_some_and(|office| subject.offices().iter().any(|mine| mine.matches(office))) {
            Scope::Office
        } else {
            Scope::Tenant
        }
    }
}
