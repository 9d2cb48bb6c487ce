use stockade_tenant_guard::{Batch, ImpersonationGrant, ReadTx, TenantDb, TenantScoped, TenantTx};

async fn writes(_: &mut TenantTx) {}

async fn impersonated(db: TenantDb, grant: impl ImpersonationGrant) {
    let mut tx = db.impersonate(&grant).await.unwrap();
    writes(&mut tx).await;
}

async fn in_a_savepoint(mut tx: ReadTx) {
    let mut savepoint = tx.savepoint().await.unwrap();
    writes(&mut savepoint).await;
}

async fn in_bulk<T: TenantScoped>(tx: &mut ReadTx, batch: Batch<T>) {
    let _ = tx.bulk_insert(batch, |_| sqlx::query("DELETE FROM loads")).await;
}

fn main() {}
