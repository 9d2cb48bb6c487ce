use sqlx::PgConnection;
use stockade_tenant_guard::{ReadTx, TenantTx};

fn from_a_transaction(tx: &mut TenantTx) -> &mut PgConnection {
    &mut *tx
}

fn from_a_read(tx: &mut ReadTx) -> &mut PgConnection {
    tx.as_mut()
}

fn main() {}
