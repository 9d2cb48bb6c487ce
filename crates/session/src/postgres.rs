//! The store on PostgreSQL 15 and later.
//!
//! 1. As the role that owns the schema, run [`migrator`] (or the statements of [`MIGRATIONS`] by your own tool).
//! 2. `GRANT stockade_auth TO <login>` for the login of a pool that only this crate uses.
//! 3. `PgStore::new(pool)`.
//!
//! Everything is in the schema `stockade`, in tables with row-level security that no role but `stockade_auth` may use.

mod account;
mod api_token;
mod attempt;
mod credential;
mod flow;
mod impersonation;
mod migration;
mod network;
mod policy;
mod recovery;
mod session;
mod store;
mod sweep;

pub use migration::{MIGRATIONS, migrator};
pub use store::PgStore;
