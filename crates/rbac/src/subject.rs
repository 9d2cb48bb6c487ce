//! Who asks.

use crate::ident::{OfficeId, TeamId, TenantId, UserId};

/// A person as the decisions see them: identity, tenant, and membership of teams and offices.
///
/// Load these facts from the same place as the session: a stale membership is stale authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    user: UserId,
    tenant: TenantId,
    teams: Vec<TeamId>,
    offices: Vec<OfficeId>,
}

impl Subject {
    /// A person of a tenant, member of no team and no office.
    #[must_use]
    pub fn new(user: impl Into<UserId>, tenant: impl Into<TenantId>) -> Self {
        Self { user: user.into(), tenant: tenant.into(), teams: Vec::new(), offices: Vec::new() }
    }

    /// Adds membership of a team. May be repeated.
    #[must_use]
    pub fn team(mut self, team: impl Into<TeamId>) -> Self {
        self.teams.push(team.into());
        self
    }

    /// Adds membership of an office. May be repeated.
    #[must_use]
    pub fn office(mut self, office: impl Into<OfficeId>) -> Self {
        self.offices.push(office.into());
        self
    }

    /// The person.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// The tenant in whose scope the person acts.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The teams, as added.
    #[must_use]
    pub fn teams(&self) -> &[TeamId] {
        &self.teams
    }

    /// The offices, as added.
    #[must_use]
    pub fn offices(&self) -> &[OfficeId] {
        &self.offices
    }
}
