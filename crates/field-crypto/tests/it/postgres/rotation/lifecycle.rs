//! The model of a key's life, over tables in PostgreSQL.

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::postgres::{ColumnUses, PgKeyStore};
use stockade_field_crypto::{Error, KeyId, KeyUses, Purpose, TenantId};

use super::race::count;
use super::{Desk, to_the_end};
use crate::lifecycle::{Life, Row, Table, steps};

struct Drivers<'a> {
    desk: &'a Desk,
    uses: ColumnUses<sqlx::PgPool>,
}

impl KeyUses for Drivers<'_> {
    async fn count(&self, tenant: TenantId, purpose: Purpose, key: KeyId) -> Result<u64, Error> {
        self.uses.count(tenant, purpose, key).await
    }
}

impl Table for Drivers<'_> {
    async fn write(&self, (id, sealed, tag): Row) {
        sqlx::query(
            "INSERT INTO drivers (id, tenant_id, ssn, ssn_index) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET ssn = $3, ssn_index = $4",
        )
        .bind(id)
        .bind(self.desk.tenant.as_uuid())
        .bind(sealed)
        .bind(tag)
        .execute(&self.desk.admin)
        .await
        .unwrap();
    }

    async fn rows(&self) -> Vec<Row> {
        sqlx::query_as("SELECT id, ssn, ssn_index FROM drivers WHERE tenant_id = $1")
            .bind(self.desk.tenant.as_uuid())
            .fetch_all(&self.desk.admin)
            .await
            .unwrap()
    }

    async fn seal_anew(&self, tenant: TenantId) {
        let report = self.desk.rewriter().rewrite(tenant, to_the_end).await.unwrap();
        assert_eq!((report.failed, report.skipped, report.busy), (0, 0, 0));
    }
}

/// `STOCKADE_LIFECYCLES` lives of up to sixty steps each.
#[sqlx::test(migrations = false)]
async fn no_value_in_the_database_is_ever_without_its_key(pool: PgPoolOptions, options: PgConnectOptions) {
    let mut desk = Desk::open(pool, &options).await;
    let mut runner = TestRunner::deterministic();
    let mut destroyed = 0;
    for _ in 0..count("STOCKADE_LIFECYCLES", 8) {
        desk.tenant = crate::support::new_tenant();
        desk.vault.provision(desk.tenant).await.unwrap();
        sqlx::query("TRUNCATE drivers").execute(&desk.admin).await.unwrap();
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let table = Drivers { desk: &desk, uses: desk.uses() };
        let store = PgKeyStore::new(desk.pool.clone());
        destroyed += Life { vault: &desk.vault, store, table, tenant: desk.tenant }.live(&steps).await;
    }
    assert!(destroyed > 0, "no life came to its end");
}
