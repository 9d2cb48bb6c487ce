//! A [`Store`](crate::store::Store) in PostgreSQL 15 or later.
//!
//! 1. As the role that owns the schema, run [`migrator`] (or the statements of [`MIGRATIONS`] by your own tool).
//! 2. `GRANT stockade_limiter TO <login>` for the login of the pool. It may call four functions and read no table.
//! 3. `PgStore::new(pool)`, and [`Lockouts`] beside it.
//! 4. [`PgStore::sweep`] and [`Lockouts::sweep`] from a timer: rows that no longer count are not deleted otherwise.

mod batch;
mod lockouts;
mod migration;
mod store;

pub use lockouts::{Attempt, Lockouts};
pub use migration::{MIGRATIONS, migrator};
pub use store::PgStore;
