//! How strong the tenant's context is: the two bodies of the views that every policy reads.

use crate::sql::Sql;

/// What a statement has to show to act for a tenant. One level holds for the whole database, whatever the number of schemas.
///
/// Policies compare with the views `stockade.current_tenant` and `stockade.current_actor`, so the level is changed by
/// replacing these two, and no policy changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Context {
    /// The transaction-local setting `stockade.tenant_id` is the tenant: whoever can run `SET` or `set_config` on the
    /// application's connection chooses it.
    #[default]
    Setting,
    /// The transaction-local setting `stockade.lease` is a secret of 64 hexadecimal characters, and the tenant is the one
    /// that its SHA-256 was minted for. Only members of `stockade_minter` mint, over a login of their own, and only the digest
    /// reaches the database.
    Lease,
}

/// May mint and revoke leases, and nothing else. A group: the login that mints is the operator's to make.
pub(crate) const MINTER: &str = "stockade_minter";

/// The views that read the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Tenant,
    Actor,
}

impl View {
    pub(crate) const ALL: [Self; 2] = [Self::Tenant, Self::Actor];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tenant => "current_tenant",
            Self::Actor => "current_actor",
        }
    }

    /// How PostgreSQL writes the view, on one line and without the table's alias, which not every version writes.
    const fn rendered(self, context: Context) -> &'static str {
        match (self, context) {
            (Self::Tenant, Context::Setting) => {
                "SELECT (NULLIF(current_setting('stockade.tenant_id'::text, true), ''::text))::uuid AS tenant_id;"
            }
            (Self::Actor, Context::Setting) => {
                "SELECT (NULLIF(current_setting('stockade.actor_id'::text, true), ''::text))::uuid AS actor_id, COALESCE(current_setting('stockade.actor_scopes'::text, true), ''::text) AS scopes, COALESCE((NULLIF(current_setting('stockade.read_only'::text, true), ''::text))::boolean, false) AS read_only;"
            }
            (Self::Tenant, Context::Lease) => {
                "SELECT tenant_id FROM stockade.tenant_lease l WHERE ((digest = ( SELECT sha256(convert_to(current_setting('stockade.lease'::text, true), 'UTF8'::name)) AS sha256)) AND (expires_at > now()));"
            }
            (Self::Actor, Context::Lease) => {
                "SELECT actor_id, scopes, read_only FROM stockade.tenant_lease l WHERE ((digest = ( SELECT sha256(convert_to(current_setting('stockade.lease'::text, true), 'UTF8'::name)) AS sha256)) AND (expires_at > now()));"
            }
        }
    }
}

impl Context {
    #[cfg(feature = "toml")]
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a view that PostgreSQL describes like this is `view` at this level.
    pub(crate) fn is(self, view: View, definition: &str, barrier: bool) -> bool {
        definition == view.rendered(self) && (barrier || self == Self::Setting)
    }
}

const LEASE: &str = include_str!("context/lease.sql");

/// The table of leases and the functions that mint and revoke.
pub(crate) fn lease() -> Sql {
    Sql::fixed(LEASE.trim_end())
}

/// The views at the level of leases.
pub(crate) fn raise() -> Sql {
    Sql::fixed(include_str!("context/raise.sql").trim_end())
}

/// Back to the views at the level of settings; the leases go.
pub(crate) fn lower() -> Sql {
    Sql::fixed(include_str!("context/lower.sql").trim_end())
}

/// The body of a function of [`lease`], which stands between dollar quotes with this tag.
pub(crate) fn body(tag: &str) -> &'static str {
    LEASE.split(tag).nth(1).unwrap_or_default()
}
