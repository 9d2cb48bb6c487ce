use sqlx::types::Uuid;
use stockade_tenant_guard::TenantDb;

async fn from_a_header(db: TenantDb, header: &str) {
    let _ = db.begin(header).await;
}

async fn from_any_id(db: TenantDb, load: Uuid) {
    let _ = db.read(load).await;
}

fn main() {}
