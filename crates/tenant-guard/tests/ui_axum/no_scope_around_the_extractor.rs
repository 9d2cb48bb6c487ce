use stockade_tenant_guard::axum::TenantScope;
use stockade_tenant_guard::{Principal, TenantDb};

fn around_the_extractor(db: TenantDb, principal: Principal) -> TenantScope {
    TenantScope { db, principal }
}

fn main() {}
