//! What a plan leaves out.

use std::fmt;

use crate::declaration::Hardening;

/// Something that is declared and that the plan leaves out, because the connected role may not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Skipped {
    /// A privilege of `PUBLIC` that stays.
    Hardening(Hardening),
    /// The login of `pg_dump` with this name, which is missing or cannot read everything.
    Backup(String),
    /// `default_transaction_read_only` for the reader with this name. It may write nothing in any case.
    ReadOnly(String),
    /// A view or a `SECURITY DEFINER` function of the schema that stays as it is.
    Definer(String),
    /// Default privileges of the role with this name, which hand tables to come to the application.
    DefaultPrivileges(String),
}

impl Skipped {
    /// The role that can do it.
    #[must_use]
    pub fn needs(&self) -> &'static str {
        match self {
            Self::Hardening(Hardening::PublicSchema) => "the owner of schema public",
            Self::Hardening(Hardening::TempTables) => "the owner of the database",
            Self::Hardening(_) => "a superuser",
            Self::Backup(_) => "a superuser, or a role with CREATEROLE and BYPASSRLS that administers pg_read_all_data",
            Self::ReadOnly(_) => "a role that administers it",
            Self::Definer(_) => "its owner",
            Self::DefaultPrivileges(_) => "a member of that role",
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hardening(hardening) => write!(f, "{hardening:?}")?,
            Self::Backup(role) => write!(f, "the backup role `{}`", role.escape_debug())?,
            Self::ReadOnly(role) => write!(f, "default_transaction_read_only for `{}`", role.escape_debug())?,
            Self::Definer(name) => write!(f, "the view or function `{}`", name.escape_debug())?,
            Self::DefaultPrivileges(role) => write!(f, "the default privileges of `{}`", role.escape_debug())?,
        }
        write!(f, " was left out: it needs {}", self.needs())
    }
}
