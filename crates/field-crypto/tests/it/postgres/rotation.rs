//! Rotation of keys over an application's tables.

mod backfill;
mod guard;
mod lifecycle;
mod race;
mod rewriting;
mod roles;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};
use stockade_field_crypto::postgres::{ColumnUses, PgKeyStore, Progress, Rewriter, SealedColumns, Site, TenantScope};
use stockade_field_crypto::{
    IndexTag, KeyChange, KeyId, LocalKeyring, Purpose, RotationPolicy, Sealed, TenantId, Vault, sealed_check,
};
use uuid::Uuid;

use super::{migrated, pool_as};
use crate::support::{BankAccount, DriverSsn, DriverSsnIndex, LedgerMemo, keyring, new_tenant, secret};

pub(super) type PgVault = Vault<Arc<LocalKeyring>, PgKeyStore>;
pub(super) const AT_ONCE: RotationPolicy = RotationPolicy::without_waiting();

/// An application with row-level security, and a vault that works as the role that rotates.
pub(super) struct Desk {
    /// The superuser, to look and to attack.
    pub(super) admin: PgPool,
    /// The role that rotates: it sees one tenant's rows at a time.
    pub(super) pool: PgPool,
    pub(super) kms: Arc<LocalKeyring>,
    pub(super) vault: PgVault,
    pub(super) columns: SealedColumns,
    pub(super) tenant: TenantId,
}

const SSN: &str = "INSERT INTO drivers (id, tenant_id, ssn, ssn_index) SELECT r.id, $1, r.ssn, r.tag \
    FROM unnest($2::uuid[], $3::bytea[], $4::bytea[]) AS r (id, ssn, tag)";

impl Desk {
    pub(super) async fn open(pool: PgPoolOptions, options: &PgConnectOptions) -> Self {
        let admin = migrated(pool, options).await;
        let [ssn, bank] = [sealed_check::<DriverSsn>(), sealed_check::<BankAccount>()];
        let memo = sealed_check::<LedgerMemo>();
        let tables = format!(
            "CREATE TABLE drivers (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, name text, ssn bytea CHECK ({ssn}), \
                 ssn_index bytea, bank_account bytea CHECK ({bank}), bank_plain text, UNIQUE (tenant_id, ssn_index)); \
             CREATE TABLE ledger (id bigint PRIMARY KEY, tenant_id uuid NOT NULL, memo bytea CHECK ({memo})); \
             DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['drivers', 'ledger'] LOOP \
                 EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t); \
                 EXECUTE format('CREATE POLICY of_tenant ON %I USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))', t); \
                 EXECUTE format('GRANT SELECT, UPDATE ON %I TO stockade_rotator', t); END LOOP; END $$"
        );
        sqlx::raw_sql(AssertSqlSafe(tables)).execute(&admin).await.unwrap();
        let columns = SealedColumns::new()
            .column::<DriverSsn>(Site::table("public.drivers").index::<DriverSsnIndex>())
            .column::<BankAccount>(Site::table("public.drivers").plain("bank_plain"))
            .column::<LedgerMemo>(Site::table("public.ledger"));
        let pool = pool_as(options.clone(), "stockade_rotator").await;
        columns.verify(&pool).await.unwrap();
        let kms = Arc::new(keyring());
        let vault = Vault::new(Arc::clone(&kms), PgKeyStore::new(pool.clone()));
        let tenant = new_tenant();
        vault.provision(tenant).await.unwrap();
        Self { admin, pool, kms, vault, columns, tenant }
    }

    /// Another process with the same keys.
    pub(super) fn another_vault(&self) -> PgVault {
        Vault::new(Arc::clone(&self.kms), PgKeyStore::new(self.pool.clone()))
    }

    pub(super) fn rewriter(&self) -> Rewriter<'_, Arc<LocalKeyring>, PgKeyStore, PgPool> {
        Rewriter::new(&self.vault, self.columns.clone(), self.pool.clone()).unwrap()
    }

    pub(super) fn uses(&self) -> ColumnUses<PgPool> {
        ColumnUses::new(self.columns.clone(), self.pool.clone())
    }

    /// Fills `rows` drivers of a tenant, and says what their numbers are.
    pub(super) async fn drivers(&self, tenant: TenantId, rows: u32) -> BTreeMap<Uuid, String> {
        let keys = self.vault.tenant(tenant).await.unwrap();
        let drivers: BTreeMap<Uuid, String> = (0..rows).map(|n| (Uuid::now_v7(), format!("{n:09}"))).collect();
        let ids: Vec<Uuid> = drivers.keys().copied().collect();
        let sealed: Vec<Sealed<DriverSsn>> =
            drivers.iter().map(|(id, ssn)| keys.seal(id, &secret(ssn)).unwrap()).collect();
        let tags: Vec<IndexTag<DriverSsnIndex>> =
            drivers.values().map(|ssn| keys.index(&secret(ssn)).unwrap()).collect();
        sqlx::query(SSN).bind(tenant.as_uuid()).bind(ids).bind(sealed).bind(tags).execute(&self.admin).await.unwrap();
        drivers
    }

    /// Adds and promotes a key for each purpose.
    pub(super) async fn promote(&self) -> [KeyId; 2] {
        let mut promoted = Vec::new();
        for purpose in [Purpose::Aead, Purpose::Index] {
            let key = self.vault.add_key(self.tenant, purpose).await.unwrap().key;
            assert_eq!(self.vault.promote(self.tenant, key, AT_ONCE).await.unwrap(), KeyChange::Made);
            promoted.push(key);
        }
        promoted.try_into().unwrap()
    }

    /// Every driver opens to its number, under this key, and is found by it under this index key.
    pub(super) async fn assert_intact(&self, drivers: &BTreeMap<Uuid, String>, keys: [KeyId; 2]) {
        let [sealing, indexing] = keys;
        let handle = self.another_vault().tenant(self.tenant).await.unwrap();
        let rows: Vec<(Uuid, Sealed<DriverSsn>, IndexTag<DriverSsnIndex>)> =
            sqlx::query_as("SELECT id, ssn, ssn_index FROM drivers WHERE tenant_id = $1")
                .bind(self.tenant.as_uuid())
                .fetch_all(&self.admin)
                .await
                .unwrap();
        assert_eq!(rows.len(), drivers.len());
        for (id, sealed, tag) in rows {
            assert_eq!(*handle.open(&id, &sealed).unwrap().expose(), drivers[&id]);
            assert_eq!(sealed.key_id(), sealing);
            assert_eq!(tag.as_bytes()[1..5], indexing.as_u32().to_be_bytes());
            assert!(handle.probe::<DriverSsnIndex>(&secret(&drivers[&id])).unwrap().contains(&tag));
        }
    }
}

pub(super) fn to_the_end(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

pub(super) async fn in_tenant(pool: &PgPool, tenant: TenantId) -> sqlx::Transaction<'static, sqlx::Postgres> {
    TenantScope::begin(pool, tenant).await.unwrap()
}
