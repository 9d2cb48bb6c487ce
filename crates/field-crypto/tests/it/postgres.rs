//! Against a real server: `scripts/test` starts one.

mod columns;
mod key_table;
mod listening;
mod migrating;
mod registry;
mod rotation;
mod shred_history;
mod shredding;
mod subject_table;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::postgres::migrator;

/// A pool whose connections act as a role from their start.
async fn pool_as(options: PgConnectOptions, role: &str) -> PgPool {
    PgPoolOptions::new().max_connections(4).connect_with(options.options([("role", role)])).await.unwrap()
}

/// The pool of the test's own database with the schema in it.
async fn migrated(pool: PgPoolOptions, options: &PgConnectOptions) -> PgPool {
    let pool = pool.connect_with(options.clone()).await.unwrap();
    migrator().run(&pool).await.unwrap();
    pool
}
