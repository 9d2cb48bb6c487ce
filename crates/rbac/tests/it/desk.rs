//! A small vocabulary, policy and cast that several tests share.

use stockade_rbac::{Actor, Direct, Policy, Resource, Subject};
use uuid::Uuid;

stockade_rbac::permissions! {
    /// What a person at the desk may do.
    pub enum Perm {
        View        = "load.view":         Read,  up to Platform;
        Edit        = "load.edit":         Write, up to Tenant;
        Reveal      = "driver.ssn.reveal": Read,  up to Tenant, audit;
        Post        = "ledger.post":       Write, up to Tenant, audit;
        Close       = "ledger.close":      Write, up to Tenant, audit, mfa;
        Export      = "load.export":       Read,  up to Office;
        Impersonate = "user.impersonate":  Read,  up to Platform, audit, mfa;
    }
}

pub(crate) const POLICY: &str = r#"
    [[role]]
    name = "viewer"
    grants.own = ["load.view"]

    [[role]]
    name = "dispatcher"
    inherits = ["viewer"]
    grants.team = ["load.edit"]
    grants.office = ["load.view", "load.export"]

    [[role]]
    name = "controller"
    grants.tenant = ["load.view", "load.edit", "driver.ssn.reveal", "ledger.post", "ledger.close"]

    [[role]]
    name = "support"
    staff = true
    grants.platform = ["load.view", "user.impersonate"]
"#;

/// The identifiers of one person's world.
pub(crate) struct World {
    pub(crate) policy: Policy<Perm>,
    pub(crate) tenant: Uuid,
    pub(crate) user: Uuid,
    pub(crate) team: Uuid,
    pub(crate) office: Uuid,
}

impl World {
    pub(crate) fn new() -> Self {
        let policy = Policy::compile(POLICY).unwrap();
        let [tenant, user, team, office] = std::array::from_fn(|_| Uuid::now_v7());
        Self { policy, tenant, user, team, office }
    }

    pub(crate) fn subject(&self) -> Subject {
        Subject::new(self.user, self.tenant).team(self.team).office(self.office)
    }

    pub(crate) fn actor(&self, role: &str) -> Actor<Perm, Direct> {
        self.policy.actor(self.subject()).role(role).unwrap().build()
    }

    /// A member of staff with a second factor.
    pub(crate) fn staff(&self) -> Actor<Perm, Direct> {
        let subject = Subject::new(Uuid::now_v7(), Uuid::now_v7());
        self.policy.actor(subject).role("support").unwrap().multi_factor().build()
    }

    /// A row of the tenant that has nothing to do with the person.
    pub(crate) fn row(&self) -> Resource {
        Resource::in_tenant(self.tenant).owner(Uuid::now_v7()).team(Uuid::now_v7()).office(Uuid::now_v7())
    }
}
