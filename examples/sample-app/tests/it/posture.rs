//! What the dashboard says of the audit log.

use sample_app::seed::{ACME, OWNER};
use serde_json::Value;
use sqlx::{PgPool, raw_sql};

use crate::browser::{Browser, app};

/// What the dashboard says of a control, its observations with it.
async fn seen(owner: &mut Browser, control: &str) -> String {
    let document: Value = serde_json::from_str(&owner.get("/posture.json").await.text).unwrap();
    let controls = document.get("controls").and_then(Value::as_array).unwrap();
    let found = controls.iter().find(|found| found.get("id").and_then(Value::as_str) == Some(control));
    found.unwrap().to_string()
}

#[sqlx::test(migrations = false)]
async fn the_last_verification_counts_and_none_is_not_a_pass(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    assert!(seen(&mut owner, "audit.verifies").await.contains("not verified since the start"));
    assert!(seen(&mut owner, "audit.anchored").await.contains("no checkpoint since the start"));
    app.checkpoint_now().await.unwrap();
    app.verify_everything().await.unwrap();
    for control in ["audit.verifies", "audit.anchored"] {
        let seen = seen(&mut owner, control).await;
        assert!(seen.contains("\"pass\"") && !seen.contains("\"fail\""), "{seen}");
    }

    raw_sql(
        "ALTER TABLE stockade.audit_entry DISABLE TRIGGER ALL;
        UPDATE stockade.audit_entry SET actor_id = 'somebody-else' WHERE action = 'tenant.provision';
        ALTER TABLE stockade.audit_entry ENABLE TRIGGER ALL",
    )
    .execute(&pool)
    .await
    .unwrap();
    assert!(seen(&mut owner, "audit.verifies").await.contains("\"pass\""), "nobody has looked since");
    owner.post("/audit/verify", &[]).await;
    let found = seen(&mut owner, "audit.verifies").await;
    assert!(found.contains("\"fail\"") && found.contains("the entry was altered"), "{found}");
}

#[sqlx::test(migrations = false)]
async fn a_guard_that_was_switched_off_is_named(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    raw_sql("ALTER TABLE stockade.audit_checkpoint DISABLE TRIGGER audit_append_only").execute(&pool).await.unwrap();
    let found = seen(&mut owner, "audit.append_only").await;
    assert!(found.contains("\"fail\"") && found.contains("audit_append_only"), "{found}");
}
