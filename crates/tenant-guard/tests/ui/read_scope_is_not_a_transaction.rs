use stockade_tenant_guard::{ReadTx, TenantTx};

async fn writes(_: &mut TenantTx) {}

async fn given_a_read(tx: &mut ReadTx) {
    writes(tx).await;
}

async fn committed(tx: ReadTx) {
    let _ = tx.commit().await;
}

fn main() {}
