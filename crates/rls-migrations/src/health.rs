//! The short form: facts for an operator's page, and whether they are sound.

use std::fmt;

use crate::catalogue::{Catalogue, Policy, Relation, Role, STOCKADE_OWNER};
use crate::finding::{Finding, Severity};
use crate::ident::Ident;
use crate::model::{Kind, Model, Table};

/// The state of isolation on a live database. Made by [`Schema::health`](crate::Schema::health).
#[derive(Debug, Clone)]
pub struct Health {
    server: ServerVersion,
    tables: Vec<TableHealth>,
    roles: Vec<RoleHealth>,
    findings: Vec<Finding>,
}

/// The version of a PostgreSQL server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion {
    number: i32,
}

/// The facts about one table of the schema.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TableHealth {
    /// The table's name, without the schema.
    pub name: String,
    /// What it is declared as.
    pub kind: TableKind,
    /// `ENABLE ROW LEVEL SECURITY`.
    pub enabled: bool,
    /// `FORCE ROW LEVEL SECURITY`.
    pub forced: bool,
    /// The role that owns it.
    pub owner: String,
    /// Declared append-only.
    pub append_only: bool,
    /// Declared with a period guard.
    pub period_guard: bool,
    /// Declared with row policies of the application.
    pub row_policies: bool,
    /// Its policies, by name.
    pub policies: Vec<PolicyHealth>,
}

/// What a table is declared as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableKind {
    /// Rows belong to the tenant in this column.
    Tenant {
        /// The column.
        column: String,
    },
    /// The same for all tenants.
    Shared,
    /// Left alone.
    Exempt {
        /// Why.
        reason: String,
    },
    /// Not mentioned in the declaration.
    Undeclared,
}

/// One policy of a table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PolicyHealth {
    /// Its name.
    pub name: String,
    /// Joined to the others by OR, rather than by AND.
    pub permissive: bool,
    /// Has a `WITH CHECK` expression of its own.
    pub with_check: bool,
}

/// The facts about one declared role.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RoleHealth {
    /// Its name.
    pub name: String,
    /// Whether it exists. The other facts are `false` and empty when it does not.
    pub exists: bool,
    /// `LOGIN`.
    pub login: bool,
    /// `SUPERUSER`.
    pub superuser: bool,
    /// `BYPASSRLS`.
    pub bypasses: bool,
    /// Other roles it can act as that row-level security does not bind, or that own the tables.
    pub can_become: Vec<String>,
}

impl Health {
    pub(crate) fn of(model: &Model, catalogue: &Catalogue) -> Self {
        let names = model.roles().map(Ident::as_str).chain([STOCKADE_OWNER]);
        let table = |(name, relation): (&String, &Relation)| table_health(name, model.table(name), relation);
        Self {
            server: ServerVersion { number: catalogue.server.version },
            tables: catalogue.relations.iter().map(table).collect(),
            roles: names.map(|name| role_health(name, catalogue.roles.get(name))).collect(),
            findings: crate::lint::isolation(model, catalogue),
        }
    }

    /// Whether no finding is an error.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity() < Severity::Error)
    }

    /// What is wrong, the worst first.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The tables of the schema, in order of name.
    #[must_use]
    pub fn tables(&self) -> &[TableHealth] {
        &self.tables
    }

    /// The declared roles, the owner first, and at the end `stockade_owner`.
    #[must_use]
    pub fn roles(&self) -> &[RoleHealth] {
        &self.roles
    }

    /// The server's version.
    #[must_use]
    pub fn server(&self) -> ServerVersion {
        self.server
    }
}

impl ServerVersion {
    /// Whether the release has the fixes that isolation needs: 15.14, 16.10, 17.6 or later of the same major version, or
    /// 18 and later. CVE-2024-10976 let a policy be applied for another role, CVE-2025-8713 showed sampled rows in statistics.
    #[must_use]
    pub fn is_safe(self) -> bool {
        match self.number {
            ..150_014 => false,
            150_014..160_000 => true,
            160_000..170_000 => self.number >= 160_010,
            170_000..180_000 => self.number >= 170_006,
            180_000.. => true,
        }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.number / 10_000, self.number % 10_000)
    }
}

pub(crate) fn is_safe(version: i32) -> bool {
    ServerVersion { number: version }.is_safe()
}

fn table_health(name: &str, table: Option<&Table>, relation: &Relation) -> TableHealth {
    let kind = match table.map(|table| &table.kind) {
        Some(Kind::Tenant { column, .. }) => TableKind::Tenant { column: column.as_str().to_owned() },
        Some(Kind::Shared) => TableKind::Shared,
        Some(Kind::Exempt { reason }) => TableKind::Exempt { reason: reason.clone() },
        None => TableKind::Undeclared,
    };
    let policy = |(name, policy): (&String, &Policy)| PolicyHealth {
        name: name.clone(),
        permissive: policy.permissive,
        with_check: policy.check.is_some(),
    };
    TableHealth {
        name: name.to_owned(),
        kind,
        enabled: relation.enabled,
        forced: relation.forced,
        owner: relation.owner.clone(),
        append_only: table.is_some_and(|table| table.append_only),
        period_guard: table.is_some_and(|table| table.period.is_some()),
        row_policies: table.is_some_and(|table| !table.rows.is_empty()),
        policies: relation.policies.iter().map(policy).collect(),
    }
}

fn role_health(name: &str, role: Option<&Role>) -> RoleHealth {
    RoleHealth {
        name: name.to_owned(),
        exists: role.is_some(),
        login: role.is_some_and(|role| role.login),
        superuser: role.is_some_and(|role| role.superuser),
        bypasses: role.is_some_and(|role| role.bypass),
        can_become: role.map(|role| role.can_become.clone()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_that_of_each_major_version() {
        for number in [140_022, 150_013, 160_000, 160_009, 170_005] {
            assert!(!is_safe(number), "{number}");
        }
        for number in [150_014, 150_018, 160_010, 170_006, 180_000, 190_001] {
            assert!(is_safe(number), "{number}");
        }
        assert_eq!(ServerVersion { number: 150_018 }.to_string(), "15.18");
    }
}
