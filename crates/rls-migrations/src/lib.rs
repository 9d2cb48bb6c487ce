#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod expression;
mod ident;
mod sql;

mod context;
mod declaration;
mod roles;
mod schema;

mod model;

mod discovery;
#[cfg(feature = "toml")]
mod document;

mod catalogue;
mod guard;

mod data_migration;
mod plan;

mod drift;
mod drill;
mod finding;
mod health;
mod lint;
mod report;

mod probe;

mod refusal;

pub use context::Context;
pub use declaration::{
    DateColumn, Hardening, Parent, ParentTable, Periods, Privilege, RowPolicy, TenantColumn, by, date, parent, periods,
};
pub use discovery::Discovery;
pub use drift::{Change, Difference, Drift};
pub use drill::{Check, Discrepancy, Drill, DrillReport, Part, Snapshot};
pub use error::{Error, ErrorKind};
pub use finding::{Finding, Rule, Severity};
pub use health::{Health, PolicyHealth, RoleHealth, ServerVersion, TableHealth, TableKind};
pub use plan::{Lock, MigrationFiles, Plan, Skipped, Statement, Work};
pub use probe::{Attempt, Probe, ProbeReport, ProbeRow, Scope, Verdict};
pub use refusal::Refusal;
pub use report::LintReport;
pub use roles::Roles;
pub use schema::Schema;
