//! Numbers about a tenant's grants.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::grants::{Finding, GrantRow, Granted};
use super::review::broken_separations;
use crate::ident::UserId;
use crate::permission::{Kind, Permission};
use crate::policy::{Policy, Role};
use crate::scope::Scope;

/// Numbers about the grants of a tenant, for a posture report. A person counts once, however many grants there are, and only
/// grants that hold count where nothing else is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessStatistics {
    /// People with at least one grant.
    pub people: usize,
    /// How many people have each assignable role, in the order of the file.
    pub holders: Vec<(String, usize)>,
    /// Assignable roles that nobody has.
    pub unused_roles: Vec<String>,
    /// People with an owner role that does not expire. Two to four are usual: one can leave, and each more is a way in.
    pub owners: usize,
    /// People who write in the whole tenant, by a role or an override that allows it. Denials are not counted in.
    pub tenant_wide_writers: usize,
    /// Grants whose names the policy does not have.
    pub orphans: usize,
    /// Grants that have expired and are still there.
    pub expired: usize,
    /// Grants that expire within the time that was asked about.
    pub expiring: usize,
    /// Overrides that allow something for good.
    pub without_expiry: usize,
    /// People who are suspended and have grants.
    pub suspended: usize,
    /// People with roles that a separation keeps apart, suspended or not.
    pub separations_broken: usize,
}

impl AccessStatistics {
    /// Counts the grants of one tenant, as they are at `now`; `soon` is the time ahead in which an expiry is near.
    #[must_use]
    pub fn of<'a, P: Permission>(
        policy: &Policy<P>,
        now: DateTime<Utc>,
        soon: TimeDelta,
        rows: impl IntoIterator<Item = &'a GrantRow>,
    ) -> Self {
        let rows: Vec<GrantRow> = rows.into_iter().cloned().collect();
        let count = |finding: &Finding| rows.iter().filter(|row| row.findings(policy, now).contains(finding)).count();
        let holding = || rows.iter().filter(|row| row.holds_at(now));
        let mut people: BTreeMap<&str, BTreeSet<UserId>> = BTreeMap::new();
        for row in holding() {
            if let Granted::Role(name) = &row.granted {
                people.entry(name).or_default().insert(row.user);
            }
        }
        let assignable = policy.roles().iter().filter(|role| role.is_assignable());
        let holders: Vec<_> =
            assignable.map(|role| (role.name().to_owned(), people.get(role.name()).map_or(0, BTreeSet::len))).collect();
        let near = now.checked_add_signed(soon).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self {
            people: distinct(holding()),
            unused_roles: holders.iter().filter(|(_, people)| *people == 0).map(|(name, _)| name.clone()).collect(),
            holders,
            owners: distinct(holding().filter(|row| row.expires.is_none() && row.is_of(policy, Role::is_owner))),
            tenant_wide_writers: distinct(holding().filter(|row| row.writes_tenant_wide(policy))),
            orphans: count(&Finding::Orphan),
            expired: count(&Finding::Expired),
            expiring: holding().filter(|row| row.expires.is_some_and(|until| until < near)).count(),
            without_expiry: count(&Finding::NoExpiry),
            suspended: distinct(rows.iter().filter(|row| row.suspended)),
            separations_broken: broken_separations(policy, now, &rows).len(),
        }
    }
}

impl GrantRow {
    fn is_of<P: Permission>(&self, policy: &Policy<P>, kind: impl Fn(&Role<P>) -> bool) -> bool {
        matches!(&self.granted, Granted::Role(name) if policy.role(name).is_some_and(kind))
    }

    fn writes_tenant_wide<P: Permission>(&self, policy: &Policy<P>) -> bool {
        let writes = |permission: P, scope: Scope| permission.kind() == Kind::Write && scope >= Scope::Tenant;
        match &self.granted {
            Granted::Role(_) => {
                self.is_of(policy, |role| role.scopes().iter().any(|(permission, scope)| writes(permission, scope)))
            }
            Granted::Allow { permission, scope } => {
                let named = P::from_key(permission).zip(Scope::from_name(scope));
                named.is_some_and(|(permission, scope)| writes(permission, scope))
            }
            Granted::Deny { .. } => false,
        }
    }
}

fn distinct<'a>(rows: impl Iterator<Item = &'a GrantRow>) -> usize {
    rows.map(|row| row.user).collect::<BTreeSet<_>>().len()
}
