//! What the dashboard has from a visitor's own session, and from attacks between two tenants that nobody has.

use std::collections::BTreeMap;

use sample_app::{
    controls, schema,
    seed::{ACME, BRIGHT, OWNER},
};
use serde_json::Value;
use sqlx::{PgPool, raw_sql};
use stockade::posture::{Assessment, ControlId};

use crate::{
    browser::{Browser, app},
    posture::seen,
};

/// For each subject of a control its outcome, with the reason.
async fn subjects(browser: &mut Browser, control: &str) -> BTreeMap<String, String> {
    let control: Value = serde_json::from_str(&seen(browser, control).await).unwrap();
    let text = |seen: &Value, name: &str| seen.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let line = |seen: &Value| (text(seen, "subject"), format!("{} {}", text(seen, "outcome"), text(seen, "reason")));
    control.get("observations").and_then(Value::as_array).unwrap().iter().map(line).collect()
}

/// As the watch finds it, which has no session.
fn of_sessions(assessment: &Assessment) -> Vec<&str> {
    let result = assessment.result(ControlId::SESSION_POLICY).unwrap();
    let own = result.observations().iter().filter(|seen| seen.subject().as_str() == "session identifiers");
    own.map(|seen| seen.outcome().word()).collect()
}

#[sqlx::test(migrations = false)]
async fn a_token_that_is_stored_is_named(pool: PgPool) {
    const SUBJECT: &str = "session identifiers";
    let app = app(&pool).await;
    let unasked = controls::assess(&app, ACME.id, None).await.unwrap();
    assert_eq!(of_sessions(&unasked), [] as [&str; 0], "nobody has brought a token");
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    assert_eq!(subjects(&mut owner, "session.policy").await[SUBJECT], "pass ");

    raw_sql("ALTER TABLE stockade.auth_session ADD COLUMN kept text").execute(&pool).await.unwrap();
    sqlx::query("UPDATE stockade.auth_session SET kept = $1")
        .bind(owner.cookie("__Host-session"))
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(
        subjects(&mut owner, "session.policy").await[SUBJECT],
        "fail the token itself is stored, and not a hash of it"
    );
    // The watch tells of it, until somebody's request finds that it was mended.
    assert_eq!(of_sessions(&controls::assess(&app, BRIGHT.id, None).await.unwrap()), ["fail"]);
    raw_sql("ALTER TABLE stockade.auth_session DROP COLUMN kept").execute(&pool).await.unwrap();
    assert_eq!(subjects(&mut owner, "session.policy").await[SUBJECT], "pass ");
    assert_eq!(of_sessions(&controls::assess(&app, BRIGHT.id, None).await.unwrap()), ["pass"]);
}

#[sqlx::test(migrations = false)]
async fn a_table_that_leaks_to_an_attack_is_named(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let leak = "DROP POLICY stockade_tenant ON freight.offices";
    raw_sql(leak).execute(&pool).await.unwrap();
    let found = subjects(&mut owner, "rls.probe").await;
    assert!(found["freight.offices"].starts_with("fail tenant A "), "{found:#?}");
    assert_eq!(found["freight.loads"], "pass ", "{found:#?}");

    // Mended, it is measured anew; what held is then told for an hour.
    schema::install(&mut app.administrator().await.unwrap(), app.prefix()).await.unwrap();
    let found = subjects(&mut owner, "rls.probe").await;
    let others: Vec<_> = found.iter().filter(|(_, outcome)| *outcome != "pass ").collect();
    assert_eq!(others, [] as [(&String, &String); 0]);
    for subject in ["application role", "freight.offices", "freight.gl_posting", "freight.drivers", "login"] {
        assert!(found.contains_key(subject), "{subject} is not among {found:#?}");
    }
    raw_sql(leak).execute(&pool).await.unwrap();
    assert_eq!(subjects(&mut owner, "rls.probe").await["freight.offices"], "pass ");
    assert!(seen(&mut owner, "rls.policies").await.contains("\"fail\""), "which is measured each time");
}
