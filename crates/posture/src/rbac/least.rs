//! The control `rbac.least`: how much is granted, and to how many.

use std::{collections::BTreeSet, ops::RangeInclusive};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use stockade_rbac::{AccessStatistics, GrantRow, Granted, Permission, Policy, Role, Scope};
use uuid::Uuid;

use super::grants;
use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    observation::{Observation, Subject},
};

const NAME: &str = "rbac.least";

const CONTROLS: [ControlId; 1] = [ControlId::RBAC_LEAST];

/// How much of each is little enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    owners: RangeInclusive<usize>,
    writers_percent: usize,
    break_glass: BTreeSet<String>,
}

impl Default for Bounds {
    /// One to four owners a tenant, at most half of the people writing in the whole tenant, and no role that may do everything.
    fn default() -> Self {
        Self { owners: 1..=4, writers_percent: 50, break_glass: BTreeSet::new() }
    }
}

impl Bounds {
    /// How many people of a tenant hold an owner's role for good.
    #[must_use]
    pub fn owners(self, owners: RangeInclusive<usize>) -> Self {
        Self { owners, ..self }
    }

    /// How many of a hundred people of a tenant may write in the whole tenant. Of a tenant with fewer than four people this says
    /// nothing, and it is not asked.
    #[must_use]
    pub fn writers_percent(self, percent: u8) -> Self {
        Self { writers_percent: percent.into(), ..self }
    }

    /// This role may have every permission: it is for emergencies, or for the one who answers for all.
    #[must_use]
    pub fn break_glass(mut self, role: impl Into<String>) -> Self {
        self.break_glass.insert(role.into());
        self
    }
}

/// Measures `rbac.least`: that no assignable role outside `bounds` has every permission as far as it goes, and that each tenant has
/// as many owners and tenant-wide writers as `bounds` say.
///
/// Roles are read from the policy in the program, holders from the database.
pub fn least<'a, P: Permission>(
    connection: &'a mut PgConnection,
    policy: &'a Policy<P>,
    bounds: Bounds,
) -> impl Collector + 'a {
    from_fn(NAME, &CONTROLS, async move |at| {
        let grants = grants::read(connection).await?;
        let all = || grants.values().flatten();
        let roles = policy.roles().iter().filter(|role| role.is_assignable() && has_everything(role));
        let wildcards = roles.map(|role| wildcard(role, all(), &bounds, at));
        let tenants = grants.iter().map(|(tenant, rows)| distribution(*tenant, rows, policy, &bounds, at));
        Ok(wildcards.chain(tenants).map(|seen| seen.by(NAME)).collect())
    })
}

/// Whether a role has each permission as far as it may be granted within a tenant.
fn has_everything<P: Permission>(role: &Role<P>) -> bool {
    let whole = |perm: &P| role.scopes().scope(*perm) >= perm.info().up_to().min(Scope::Tenant);
    !P::ALL.is_empty() && P::ALL.iter().all(whole)
}

fn wildcard<'a, P: Permission>(
    role: &Role<P>,
    rows: impl Iterator<Item = &'a GrantRow>,
    bounds: &Bounds,
    at: DateTime<Utc>,
) -> Observation {
    let (control, subject) = (ControlId::RBAC_LEAST, Subject::new(format!("role {}", role.name())));
    let holders = rows.filter(|row| row.granted == Granted::Role(role.name().to_owned()) && row.holds_at(at)).count();
    let seen = if bounds.break_glass.contains(role.name()) {
        Observation::pass(control, subject, at)
    } else {
        Observation::fail(control, subject, at, "it has every permission, and is not for emergencies")
    };
    seen.fact("every_permission", true).fact("holders", holders)
}

fn distribution<P: Permission>(
    tenant: Uuid,
    rows: &[GrantRow],
    policy: &Policy<P>,
    bounds: &Bounds,
    at: DateTime<Utc>,
) -> Observation {
    let (control, subject) = (ControlId::RBAC_LEAST, grants::of_tenant(tenant));
    let found = AccessStatistics::of(policy, at, TimeDelta::zero(), rows);
    let crowded = found.people >= 4
        && found.tenant_wide_writers.saturating_mul(100) > found.people.saturating_mul(bounds.writers_percent);
    let fail = |reason| Observation::fail(control, subject.clone(), at, reason);
    let seen = if found.owners < *bounds.owners.start() {
        fail("it has fewer owners than its bounds say")
    } else if found.owners > *bounds.owners.end() {
        fail("it has more owners than its bounds say")
    } else if crowded {
        fail("more people write in the whole tenant than its bounds say")
    } else {
        Observation::pass(control, subject, at)
    };
    seen.fact("people", found.people)
        .fact("owners", found.owners)
        .fact("tenant_wide_writers", found.tenant_wide_writers)
        .fact("unused_roles", found.unused_roles.len())
}
