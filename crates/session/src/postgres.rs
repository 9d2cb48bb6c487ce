//! The store on PostgreSQL 15 and later.
//!
//! 1. As the role that owns the schema, run [`migrator`] (or the statements of [`MIGRATIONS`] by your own tool).
//! 2. `GRANT stockade_auth TO <login>` for the login of a pool that only this crate uses.
//! 3. `PgStore::new(pool)`.
//!
//! Everything is in the schema `stockade`, in tables with row-level security that no role but `stockade_auth` may use. The
//! application's own role, `stockade_app`, has functions instead:
//!
//! | As a login with | works |
//! |---|---|
//! | `stockade_auth` | the whole [`PgStore`] |
//! | `stockade_app` | of a [`PgStore`]: [`Auth::resolve`](crate::Auth::resolve), so looking a session up and recording its use |
//! | `stockade_app`, in a transaction of a tenant | [`tenant_sessions`], [`revoke_in_tenant`], [`revoke_user_in_tenant`], [`revoke_tenant`] |
//!
//! The tenant is that of the view `stockade.current_tenant`: the setting `stockade.tenant_id`, or a lease. A statement that is injected
//! there can list and end the sessions of a tenant and keep one from idling out; it reads no password hash, no seed and no digest, and
//! opens no session.

mod account;
mod api_token;
mod attempt;
mod connection;
mod credential;
mod flow;
mod impersonation;
mod migration;
mod network;
mod policy;
mod recovery;
mod refresh;
mod session;
mod store;
mod sweep;
mod tenant;

pub use migration::{MIGRATIONS, migrator};
pub use store::PgStore;
pub use tenant::{TenantSession, revoke_in_tenant, revoke_tenant, revoke_user_in_tenant, tenant_sessions};
