//! What of signing in somebody should look at.

use std::sync::Arc;

use sample_app::{
    app::App,
    seed::{ACME, PASSWORD, VIEWER},
};
use secrecy::SecretString;
use sqlx::PgPool;
use stockade::session::ClientInfo;

use crate::browser::{Browser, app};

const INFO: i16 = 0;
const WARNING: i16 = 2;

async fn severities(app: &Arc<App>, pool: &PgPool, action: &str) -> Vec<i16> {
    app.seal_now().await.unwrap();
    sqlx::query_scalar("SELECT severity FROM stockade.audit_entry WHERE action = $1 AND tenant_id = $2")
        .bind(action)
        .bind(ACME.id)
        .fetch_all(pool)
        .await
        .unwrap()
}

#[sqlx::test(migrations = false)]
async fn a_sign_in_from_another_network_is_a_warning_and_the_first_is_not(pool: PgPool) {
    let app = app(&pool).await;
    Browser::signed_in(&app, &ACME, &VIEWER).await;
    Browser::signed_in(&app, &ACME, &VIEWER).await;
    assert_eq!(severities(&app, &pool, "session.sign_in").await, [INFO, INFO]);
    assert!(severities(&app, &pool, "session.new_network").await.is_empty());
    let mut abroad = Browser::at(&app, [198, 51, 100, 9]);
    abroad.post("/sign-in", &[("email", "vic@acme.test"), ("password", PASSWORD)]).await;
    assert_eq!(severities(&app, &pool, "session.new_network").await, [WARNING]);
    let page = abroad.get("/account/sessions").await.text;
    assert!(page.contains("198.51.100.9/32") && page.contains("203.0.113.7/32"), "{page}");
}

#[sqlx::test(migrations = false)]
async fn a_lockout_is_a_warning(pool: PgPool) {
    let app = app(&pool).await;
    let client = ClientInfo { ip: [198, 51, 100, 9].into(), user_agent: None };
    // Below the application's own limit, which is asked before.
    for _ in 0..20 {
        let flow = app.auth.begin("vic@acme.test", &client).await.unwrap();
        drop(flow.verify_password(SecretString::from("a wrong password")).await.unwrap());
    }
    let locked = severities(&app, &pool, "session.lockout").await;
    assert!(!locked.is_empty() && locked.iter().all(|severity| *severity == WARNING), "{locked:?}");
}
