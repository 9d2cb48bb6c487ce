//! An application with patients, and the three roles that shredding takes.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};
use stockade_field_crypto::postgres::{
    Execution, PgKeyStore, PgShreds, SealedColumns, ShredReport, ShredRequest, ShredTarget, Site,
};
use stockade_field_crypto::{LocalKeyring, OpenError, Sealed, SubjectId, TenantId, Vault, sealed_check};
use uuid::Uuid;

use crate::postgres::{migrated, pool_as};
use crate::support::{PatientName, PatientNameIndex, new_subject, new_tenant, secret};

pub(crate) type PgVault = Vault<Arc<LocalKeyring>, PgKeyStore>;

/// Known, because a second process must have it too.
pub(crate) const KEK: &str = "k1:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

pub(crate) struct Desk {
    pub(crate) superuser: PgPool,
    pub(crate) keyring: PgPool,
    /// As `stockade_keyring`.
    pub(crate) planner: PgShreds,
    /// As `stockade_shredder`.
    pub(crate) shredder: PgShreds,
    pub(crate) shredder_pool: PgPool,
    /// As `stockade_owner`.
    pub(crate) owner: PgShreds,
    pub(crate) kms: Arc<LocalKeyring>,
    pub(crate) vault: PgVault,
}

/// A shred without a grace.
pub(crate) fn request(target: ShredTarget) -> ShredRequest {
    ShredRequest::new(target, "test", "tester").unwrap().grace(Duration::ZERO)
}

pub(crate) fn report(execution: Execution) -> ShredReport {
    match execution {
        Execution::Executed(report) => report,
        other => panic!("{other:?}"),
    }
}

impl Desk {
    pub(crate) async fn new(pool: PgPoolOptions, options: PgConnectOptions) -> Self {
        let superuser = migrated(pool, &options).await;
        let table = format!(
            "CREATE TABLE patients (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, name bytea CHECK ({}), name_index bytea);
             ALTER TABLE patients ENABLE ROW LEVEL SECURITY;
             CREATE POLICY of_the_tenant ON patients USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
             GRANT SELECT, UPDATE (name_index) ON patients TO stockade_shredder;",
            sealed_check::<PatientName>()
        );
        sqlx::raw_sql(AssertSqlSafe(table)).execute(&superuser).await.unwrap();
        let keyring_pool = pool_as(options.clone(), "stockade_keyring").await;
        let shredder_pool = pool_as(options.clone(), "stockade_shredder").await;
        let owner = PgShreds::new(pool_as(options, "stockade_owner").await);
        let kms = Arc::new(LocalKeyring::parse(KEK).unwrap());
        let vault = Vault::new(Arc::clone(&kms), PgKeyStore::new(keyring_pool.clone()));
        let desk = Self {
            superuser,
            planner: PgShreds::new(keyring_pool.clone()),
            keyring: keyring_pool,
            shredder: PgShreds::new(shredder_pool.clone()),
            shredder_pool,
            owner,
            kms,
            vault,
        };
        desk.columns().verify(&desk.superuser).await.unwrap();
        desk
    }

    /// Another process of the same application.
    pub(crate) fn another_vault(&self) -> PgVault {
        Vault::new(Arc::clone(&self.kms), PgKeyStore::new(self.keyring.clone()))
    }

    pub(crate) fn vault_store(&self) -> PgKeyStore {
        PgKeyStore::new(self.keyring.clone())
    }

    pub(crate) fn columns(&self) -> SealedColumns {
        SealedColumns::new().column::<PatientName>(Site::table("public.patients").index::<PatientNameIndex>())
    }

    pub(crate) async fn tenant(&self) -> TenantId {
        let tenant = new_tenant();
        assert_eq!(self.vault.provision(tenant).await.unwrap().len(), 2);
        tenant
    }

    pub(crate) async fn patient(&self, tenant: TenantId, name: &str) -> (SubjectId, Uuid) {
        let subject = new_subject();
        (subject, self.patient_as(tenant, subject, name).await)
    }

    pub(crate) async fn patient_as(&self, tenant: TenantId, subject: SubjectId, name: &str) -> Uuid {
        self.vault.provision_subject(tenant, subject).await.unwrap().unwrap();
        let keys = self.vault.subject(tenant, subject).await.unwrap();
        let (row, name) = (Uuid::now_v7(), secret(name));
        let tag = self.vault.tenant(tenant).await.unwrap().index::<PatientNameIndex>(&name).unwrap();
        sqlx::query("INSERT INTO patients (id, tenant_id, name, name_index) VALUES ($1, $2, $3, $4)")
            .bind(row)
            .bind(tenant.as_uuid())
            .bind(keys.seal::<PatientName>(&row, &name).unwrap())
            .bind(tag)
            .execute(&self.superuser)
            .await
            .unwrap();
        row
    }

    pub(crate) async fn stored(&self, row: Uuid) -> Sealed<PatientName> {
        let query = sqlx::query_scalar("SELECT name FROM patients WHERE id = $1");
        query.bind(row).fetch_one(&self.superuser).await.unwrap()
    }

    /// What a process that has just started opens.
    pub(crate) async fn open(&self, tenant: TenantId, subject: SubjectId, row: Uuid) -> Result<String, OpenError> {
        let keys = self.another_vault().subject(tenant, subject).await.unwrap();
        keys.open(&row, &self.stored(row).await).map(|name| name.expose().clone())
    }

    pub(crate) async fn opens(&self, tenant: TenantId, subject: SubjectId, row: Uuid, name: &str) {
        assert_eq!(self.open(tenant, subject, row).await.unwrap(), name);
    }

    pub(crate) async fn index_entries(&self) -> i64 {
        sqlx::query_scalar("SELECT count(name_index) FROM patients").fetch_one(&self.superuser).await.unwrap()
    }
}
