use stockade_tenant_guard::TenantTx;

async fn after_commit(mut tx: TenantTx) {
    let _ = tx.commit().await;
    let _ = sqlx::query("SELECT 1").execute(&mut tx).await;
}

fn main() {}
