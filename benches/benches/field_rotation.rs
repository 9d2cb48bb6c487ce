//! Sealing the rows of a tenant under a new key: field-crypto's rewriter beside a loop of single statements.
//!
//! `scripts/bench field_rotation`, as a role that may create databases and roles, on a server that waits for its disk as in production:
//! what a loop pays for is a commit a row. Rounds alternate. Makes a database of its own and drops it.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]
#![expect(clippy::cast_precision_loss, reason = "what is printed needs no 53 bits")]

use std::ops::ControlFlow;
use std::time::Instant;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use stockade_benches::{Database, Report, run};
use stockade_field_crypto::postgres::{PgKeyStore, Rewriter, SealedColumns, Site, migrator};
use stockade_field_crypto::{
    DigitsOnly, IndexTag, KeyChange, LocalKeyring, Purpose, RotationPolicy, Sealed, Secret, TenantId, Vault, columns,
    sealed_check,
};
use uuid::Uuid;

columns! {
    DriverSsn = "drivers"."ssn": String, row = Uuid,
        index DriverSsnIndex = "ssn_index": DigitsOnly;
}

const ROUNDS: usize = 5;
const UPDATE: &str = "UPDATE drivers SET ssn = $2, ssn_index = $3 WHERE id = $1";

struct Desk {
    pool: PgPool,
    vault: Vault<LocalKeyring, PgKeyStore>,
    columns: SealedColumns,
    tenant: TenantId,
}

impl Desk {
    async fn fill(&self, rows: u128) {
        let keys = self.vault.tenant(self.tenant).await.expect("keys");
        let ids: Vec<Uuid> = (0..rows).map(Uuid::from_u128).collect();
        let ssn = |id: &Uuid| Secret::new(format!("{:011}", id.as_u128()));
        let sealed: Vec<Sealed<DriverSsn>> =
            ids.iter().map(|id| keys.seal(id, &ssn(id)).expect("a sealed value")).collect();
        let tags: Vec<IndexTag<DriverSsnIndex>> = ids.iter().map(|id| keys.index(&ssn(id)).expect("a tag")).collect();
        sqlx::query(
            "INSERT INTO drivers (id, tenant_id, ssn, ssn_index) \
             SELECT r.id, $1, r.ssn, r.tag FROM unnest($2::uuid[], $3::bytea[], $4::bytea[]) AS r (id, ssn, tag)",
        )
        .bind(self.tenant.as_uuid())
        .bind(ids)
        .bind(sealed)
        .bind(tags)
        .execute(&self.pool)
        .await
        .expect("rows");
        sqlx::query("VACUUM ANALYZE drivers").execute(&self.pool).await.expect("statistics");
    }

    async fn promote(&self) {
        for purpose in [Purpose::Aead, Purpose::Index] {
            let key = self.vault.add_key(self.tenant, purpose).await.expect("a key").key;
            let change =
                self.vault.promote(self.tenant, key, RotationPolicy::without_waiting()).await.expect("an answer");
            assert_eq!(change, KeyChange::Made);
        }
    }

    /// Rows a second.
    async fn rewriter(&self) -> f64 {
        self.promote().await;
        let mut rewriter = Rewriter::new(&self.vault, self.columns.clone(), self.pool.clone()).expect("a worker");
        let start = Instant::now();
        let report = rewriter.rewrite(self.tenant, |_| ControlFlow::Continue(())).await.expect("a report");
        report.sealed as f64 / start.elapsed().as_secs_f64()
    }

    /// What is written by hand: a page of rows, each in a statement of its own. Rows a second.
    async fn row_by_row(&self, rows: i64) -> f64 {
        let keys = self.vault.tenant(self.tenant).await.expect("keys");
        let start = Instant::now();
        let page: Vec<(Uuid, Sealed<DriverSsn>)> =
            sqlx::query_as("SELECT id, ssn FROM drivers WHERE tenant_id = $1 ORDER BY id LIMIT $2")
                .bind(self.tenant.as_uuid())
                .bind(rows)
                .fetch_all(&self.pool)
                .await
                .expect("a page");
        for (id, sealed) in page {
            let value = keys.open(&id, &sealed).expect("a value");
            sqlx::query(UPDATE)
                .bind(id)
                .bind(keys.seal::<DriverSsn>(&id, &value).expect("a sealed value"))
                .bind(keys.index::<DriverSsnIndex>(&value).expect("a tag"))
                .execute(&self.pool)
                .await
                .expect("a row");
        }
        rows as f64 / start.elapsed().as_secs_f64()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let (rows, single) = if quick { (1_000, 50) } else { (50_000, 1_000) };
    let Some(database) = Database::create("field_rotation").await else { return };
    let pool = PgPoolOptions::new().connect_with(database.options().clone()).await.expect("the new database");
    migrator().run(&pool).await.expect("a schema");
    let table = format!(
        "CREATE TABLE drivers (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, ssn bytea CHECK ({}), ssn_index bytea, \
         UNIQUE (tenant_id, ssn_index))",
        sealed_check::<DriverSsn>()
    );
    run(&mut database.open().await, &table).await;
    let vault = Vault::new(LocalKeyring::generate("k1").expect("a key"), PgKeyStore::new(pool.clone()));
    let tenant = TenantId::from(Uuid::from_u128(7));
    vault.provision(tenant).await.expect("keys");
    let columns = SealedColumns::new().column::<DriverSsn>(Site::table("public.drivers").index::<DriverSsnIndex>());
    let desk = Desk { pool, vault, columns, tenant };
    desk.fill(rows).await;

    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        peer.push(desk.row_by_row(single).await);
        ours.push(desk.rewriter().await);
    }
    let told = [("Rewriter", ours), ("one statement a row", peer)];
    Report::of("field_rotation").tell_rounds("50,000 rows sealed anew", &told);
    desk.pool.close().await;
    database.drop().await;
}
