//! What triggers are told of a transaction.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_tenant_guard::{AuditContext, TenantDb, TenantTx};

use crate::world::{A, World, tenant};

async fn told(tx: &mut TenantTx) -> String {
    sqlx::query_scalar("SELECT current_setting('stockade.audit_context')").fetch_one(tx).await.unwrap()
}

#[sqlx::test]
async fn the_audit_context_is_that_of_its_transaction(_: PgPoolOptions, options: PgConnectOptions) {
    // Something is left on every session, and both readings of a backslash are tried.
    let world = World::new(options, 1).await;
    for strings in ["on", "off"] {
        let left = [("stockade.audit_context", "left"), ("standard_conforming_strings", strings)];
        let login = world.pool.connect_options().as_ref().clone().options(left);
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(login);
        let db = TenantDb::new(pool.clone());
        let text = r#"{"id":"a'; ROLLBACK; --","name":"\u00e9\"\\"}\"#;
        let telling = db.telling(AuditContext::try_from(text).unwrap());
        for _ in 0..2 {
            let mut tx = telling.begin(tenant(A)).await.unwrap();
            assert_eq!(told(&mut tx).await, text);
            tx.commit().await.unwrap();
            let mut tx = db.begin(tenant(A)).await.unwrap();
            assert_eq!(told(&mut tx).await, "", "of no later transaction, and nothing that was left");
            tx.commit().await.unwrap();
        }
        pool.close().await;
    }
    world.end().await;
}
