use stockade_tenant_guard::TenantTx;

async fn around_it(mut tx: TenantTx) {
    let savepoint = tx.savepoint().await.unwrap();
    let _ = sqlx::query("SELECT 1").execute(&mut tx).await;
    let _ = savepoint.release().await;
}

async fn committed_from_within(mut tx: TenantTx) {
    let savepoint = tx.savepoint().await.unwrap();
    let _ = savepoint.commit().await;
}

async fn ended_twice(mut tx: TenantTx) {
    let savepoint = tx.savepoint().await.unwrap();
    let _ = savepoint.roll_back().await;
    let _ = savepoint.release().await;
}

fn main() {}
