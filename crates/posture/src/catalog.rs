//! The catalogue: every control, with its weight, its criteria and what to do about it.

use std::time::Duration;

use crate::{
    capability::Capability,
    control::{Control, ControlId},
};

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod encryption;
pub(crate) mod identity;
pub(crate) mod isolation;
pub(crate) mod limits;
pub(crate) mod operations;
pub(crate) mod organisation;

/// The version of the catalogue. It rises with every change that can change a status or a score.
pub const CATALOG_VERSION: u32 = 1;

/// Every control, by capability and in a fixed order.
///
/// ```
/// use stockade_posture::{ControlId, catalog};
///
/// let forced = catalog().find(|control| control.id == ControlId::RLS_FORCED);
/// assert_eq!(forced.map(|control| control.weight.value()), Some(5));
/// ```
pub fn catalog() -> impl Iterator<Item = &'static Control> {
    Capability::ALL.into_iter().flat_map(Capability::controls)
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const QUARTER: Duration = Duration::from_secs(90 * 24 * 60 * 60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The names of the controls.
impl ControlId {
    /// Row-level security is enabled on every tenant table.
    pub const RLS_ENABLED: Self = Self::new("rls.enabled");
    /// Row-level security binds the owner of every tenant table too.
    pub const RLS_FORCED: Self = Self::new("rls.forced");
    /// The policies of every tenant table compare its tenant, for reading and for writing.
    pub const RLS_POLICIES: Self = Self::new("rls.policies");
    /// The application's role cannot step around row-level security.
    pub const RLS_ROLE: Self = Self::new("rls.role");
    /// An attack from one tenant on another was tried and failed.
    pub const RLS_PROBE: Self = Self::new("rls.probe");
    /// The hash chain of the audit log was recomputed and holds.
    pub const AUDIT_VERIFIES: Self = Self::new("audit.verifies");
    /// The audit log cannot be changed or emptied.
    pub const AUDIT_APPEND_ONLY: Self = Self::new("audit.append_only");
    /// A checkpoint of the audit log is held outside the database.
    pub const AUDIT_ANCHORED: Self = Self::new("audit.anchored");
    /// Every route that writes was seen in the audit log.
    pub const AUDIT_COVERAGE: Self = Self::new("audit.coverage");
    /// Nothing is posted into a closed period.
    pub const PERIOD_CLOSED: Self = Self::new("period.closed");
    /// Registered columns are sealed under the active key.
    pub const CRYPTO_FIELDS: Self = Self::new("crypto.fields");
    /// Keys are young enough, and retired keys are out of use.
    pub const CRYPTO_ROTATION: Self = Self::new("crypto.rotation");
    /// Data whose key was destroyed cannot be read.
    pub const CRYPTO_DISPOSAL: Self = Self::new("crypto.disposal");
    /// Nobody holds more permissions than their work needs.
    pub const RBAC_LEAST: Self = Self::new("rbac.least");
    /// Grants are reviewed and free of leftovers and conflicts.
    pub const RBAC_REVIEW: Self = Self::new("rbac.review");
    /// Sessions are limited in time and their identifiers are protected.
    pub const SESSION_POLICY: Self = Self::new("session.policy");
    /// Everybody with privileges signs in with a second factor.
    pub const MFA_PRIVILEGED: Self = Self::new("mfa.privileged");
    /// The second factor is in general use.
    pub const MFA_ALL: Self = Self::new("mfa.all");
    /// Passwords are stored at the current strength.
    pub const PASSWORD_HASH: Self = Self::new("password.hash");
    /// Guessing at the door is slowed down.
    pub const RATELIMIT_AUTH: Self = Self::new("ratelimit.auth");
    /// Connections are encrypted.
    pub const TRANSPORT_TLS: Self = Self::new("transport.tls");
    /// The schema is the one that was reviewed.
    pub const MIGRATIONS_LEDGER: Self = Self::new("migrations.ledger");
    /// Dependencies are checked against known weaknesses.
    pub const SUPPLY_DENY: Self = Self::new("supply.deny");
    /// What is shipped is on a list.
    pub const SUPPLY_SBOM: Self = Self::new("supply.sbom");
    /// A backup was restored and compared.
    pub const BACKUP_RESTORE: Self = Self::new("backup.restore");
    /// Incidents are handled by a written process, with notice to customers within 72 hours.
    pub const ATTEST_INCIDENT: Self = Self::new("attest.incident");
    /// An outside party tried to break in.
    pub const ATTEST_PENTEST: Self = Self::new("attest.pentest");
    /// Data is kept where it was promised.
    pub const ATTEST_RESIDENCY: Self = Self::new("attest.residency");
    /// Sub-processors are listed and reviewed.
    pub const ATTEST_SUBPROCESSORS: Self = Self::new("attest.subprocessors");
}
