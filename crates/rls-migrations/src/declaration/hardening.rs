//! Privileges of `PUBLIC` that help an attacker.

/// A privilege of `PUBLIC` that a plan takes away, because it helps an attacker who can run SQL as the application.
///
/// Each one holds for the whole database, so other applications in it are affected too; choose with
/// [`Schema::harden`](crate::Schema::harden). A plan leaves out what the connected role may not change and says so in
/// [`Plan::skipped`](crate::Plan::skipped).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Hardening {
    /// Revoke all on schema `public`: nothing can be planted where a search path looks.
    PublicSchema,
    /// Revoke `TEMPORARY` on the database: a temporary table outlives its tenant on a pooled connection and can take the place
    /// of a real one.
    TempTables,
    /// Revoke `EXECUTE` on `set_config`: an injected `SELECT` cannot change the tenant. The schema's owner and the backup role
    /// keep it.
    SetConfig,
    /// Revoke `EXECUTE` on the functions behind `pg_stat_activity`, which show what other sessions of the same role, of whatever
    /// tenant, are running. `pg_read_all_stats` keeps them.
    Activity,
    /// Revoke `EXECUTE` on the functions of large objects, which belong to a role and so to every tenant.
    LargeObjects,
    /// Revoke `EXECUTE` on `pg_notify`: an injected `SELECT` cannot send rows, or commands, to another tenant's listener. `NOTIFY` and
    /// `LISTEN` need a statement of their own and cannot be revoked.
    Notify,
    /// Revoke `EXECUTE` on `pg_cancel_backend` and `pg_terminate_backend`, which end other sessions of the same role.
    /// `pg_signal_backend` keeps them.
    Signals,
}

impl Hardening {
    /// All of them, which is what a schema asks for by itself.
    pub const ALL: [Self; 7] = [
        Self::PublicSchema,
        Self::TempTables,
        Self::SetConfig,
        Self::Activity,
        Self::LargeObjects,
        Self::Notify,
        Self::Signals,
    ];

    /// The functions that `PUBLIC` loses, the same in PostgreSQL 15 to 18.
    pub(crate) const fn functions(self) -> &'static [&'static str] {
        match self {
            Self::PublicSchema | Self::TempTables => &[],
            Self::SetConfig => &["pg_catalog.set_config(text, text, boolean)"],
            Self::Activity => {
                &["pg_catalog.pg_stat_get_activity(integer)", "pg_catalog.pg_stat_get_backend_activity(integer)"]
            }
            Self::LargeObjects => &[
                "pg_catalog.lo_close(integer)",
                "pg_catalog.lo_creat(integer)",
                "pg_catalog.lo_create(oid)",
                "pg_catalog.lo_from_bytea(oid, bytea)",
                "pg_catalog.lo_get(oid)",
                "pg_catalog.lo_get(oid, bigint, integer)",
                "pg_catalog.lo_lseek(integer, integer, integer)",
                "pg_catalog.lo_lseek64(integer, bigint, integer)",
                "pg_catalog.lo_open(oid, integer)",
                "pg_catalog.lo_put(oid, bigint, bytea)",
                "pg_catalog.lo_tell(integer)",
                "pg_catalog.lo_tell64(integer)",
                "pg_catalog.lo_truncate(integer, integer)",
                "pg_catalog.lo_truncate64(integer, bigint)",
                "pg_catalog.lo_unlink(oid)",
                "pg_catalog.loread(integer, integer)",
                "pg_catalog.lowrite(integer, bytea)",
            ],
            Self::Notify => &["pg_catalog.pg_notify(text, text)"],
            Self::Signals => {
                &["pg_catalog.pg_cancel_backend(integer)", "pg_catalog.pg_terminate_backend(integer, bigint)"]
            }
        }
    }

    /// PostgreSQL's own role for those who need the functions, if there is one.
    pub(crate) const fn keeper(self) -> Option<&'static str> {
        match self {
            Self::Activity => Some("pg_read_all_stats"),
            Self::Signals => Some("pg_signal_backend"),
            _ => None,
        }
    }
}
