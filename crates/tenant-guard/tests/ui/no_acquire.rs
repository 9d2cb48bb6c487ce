use sqlx::{Acquire, Postgres};
use stockade_tenant_guard::{TenantDb, TenantTx};

fn takes_a_connection<'c>(_: impl Acquire<'c, Database = Postgres>) {}

fn from_the_database(db: &TenantDb) {
    takes_a_connection(db);
}

fn from_a_scope(tx: &mut TenantTx) {
    takes_a_connection(tx);
}

fn main() {}
