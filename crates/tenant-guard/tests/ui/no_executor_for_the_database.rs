use stockade_tenant_guard::TenantDb;

async fn query_without_a_scope(db: TenantDb) {
    let _ = sqlx::query("SELECT 1").execute(&db).await;
}

fn main() {}
