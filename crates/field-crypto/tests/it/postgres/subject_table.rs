//! Who sees and changes which rows of subjects' keys.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::postgres::PgKeyStore;

use super::{migrated, pool_as};
use crate::subject_contract;

#[sqlx::test(migrations = false)]
async fn pg_key_store_keeps_the_contract_of_subjects(pool: PgPoolOptions, options: PgConnectOptions) {
    migrated(pool, &options).await;
    subject_contract::holds(&PgKeyStore::new(pool_as(options, "stockade_keyring").await)).await;
}
