//! The demonstration of tampering, and that it leaves nothing behind.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use sample_app::{
    domain::tampering::{self, Alteration, Outcome},
    seed::{ACCOUNTANT, ACME, BRIGHT, OWNER},
};
use sqlx::{PgPool, raw_sql};
use stockade::audit_chain::{Finding, postgres::VerifyOptions, postgres::verify};

use crate::browser::{Browser, app};

const PAGE: &str = "/administration/tampering";

/// Everything that a demonstration takes away: triggers that fire, and tables that force their policies.
async fn guards(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT t.tgrelid::regclass || ' ' || t.tgname || ' ' || t.tgenabled::text || ' ' || c.relforcerowsecurity || ' ' || c.relacl::text
         FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
         WHERE c.relname LIKE 'audit_entry%' OR c.relname LIKE 'audit_payload%' ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[sqlx::test(migrations = false)]
async fn each_alteration_is_refused_then_found_then_undone(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    // An entry of a person, who has an address.
    owner.get("/audit.csv").await;
    app.seal_now().await.unwrap();
    let seq: i64 = sqlx::query_scalar(
        "SELECT l.seq FROM stockade.audit_link l JOIN stockade.audit_entry e USING (entry_id)
         WHERE l.tenant_id = $1 AND e.action = 'session.sign_in'",
    )
    .bind(ACME.id)
    .fetch_one(&pool)
    .await
    .unwrap();
    let guarded = guards(&pool).await;
    for alteration in Alteration::ALL {
        let outcome = tampering::demonstrate(&app, ACME.id, seq.unsigned_abs(), alteration).await.unwrap();
        let Outcome::Shown(shown) = outcome else { panic!("{alteration:?}: {outcome:?}") };
        let finding = match alteration {
            Alteration::Address => Finding::PersonalAltered { path: "request/ip".to_owned() },
            Alteration::Removed => Finding::EntryMissing,
            Alteration::Actor | Alteration::Action => Finding::ContentAltered,
        };
        assert!(shown.refused.contains("append-only"), "{}", shown.refused);
        let found: Vec<_> = shown.altered.verdicts().iter().map(|verdict| (verdict.seq, &verdict.finding)).collect();
        assert_eq!(found, [(Some(seq.unsigned_abs()), &finding)], "{alteration:?}");
        assert!(shown.undone.is_intact(), "{:?}", shown.undone.verdicts());

        let page = owner.post(PAGE, &[("entry", &seq.to_string()), ("what", alteration.key())]).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(
            page.text.contains(&format!("entry {seq}: {finding}")) && page.text.contains("intact"),
            "{}",
            page.text
        );
    }
    assert_eq!(guards(&pool).await, guarded);
    app.seal_now().await.unwrap();
    let mut sealer = app.sealer().await.unwrap();
    let report = verify(&mut *sealer, ACME.id.into(), &VerifyOptions::default()).await.unwrap();
    assert!(report.is_intact(), "{:?}", report.verdicts());
    let shown: i64 = sqlx::query_scalar("SELECT count(*) FROM stockade.audit_entry WHERE action = 'audit.demonstrate'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(shown, Alteration::ALL.len() as i64, "who ran it is on record");
}

#[sqlx::test(migrations = false)]
async fn a_process_that_dies_in_the_middle_leaves_nothing_behind(pool: PgPool) {
    let app = app(&pool).await;
    let guarded = guards(&pool).await;
    // Somebody else has one of the tables, so that the demonstration stops between taking the first guard and the second.
    let mut other = pool.begin().await.unwrap();
    raw_sql("LOCK TABLE stockade.audit_payload IN SHARE ROW EXCLUSIVE MODE").execute(&mut *other).await.unwrap();
    let task = tokio::spawn({
        let app = Arc::clone(&app);
        async move { tampering::demonstrate(&app, ACME.id, 1, Alteration::Actor).await }
    });
    loop {
        let waits: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'stockade.audit_payload'::regclass",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        if waits > 0 {
            break;
        }
        assert!(!task.is_finished(), "it did not wait");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    other.rollback().await.unwrap();
    // Its connection is closed without a COMMIT. Whoever writes next waits for the server to notice.
    app.seal_now().await.unwrap();
    assert_eq!(guards(&pool).await, guarded);
}

#[sqlx::test(migrations = false)]
async fn a_busy_log_is_left_alone(pool: PgPool) {
    let app = app(&pool).await;
    let mut other = pool.begin().await.unwrap();
    raw_sql("LOCK TABLE stockade.audit_payload IN SHARE ROW EXCLUSIVE MODE").execute(&mut *other).await.unwrap();
    let outcome = tampering::demonstrate(&app, ACME.id, 1, Alteration::Actor).await.unwrap();
    assert!(matches!(outcome, Outcome::Busy), "{outcome:?}");
    other.rollback().await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn only_whoever_may_and_only_in_the_own_log(pool: PgPool) {
    let app = app(&pool).await;
    let mut accountant = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    assert_eq!(accountant.get(PAGE).await.status, StatusCode::FORBIDDEN);
    assert_eq!(accountant.post(PAGE, &[("entry", "1"), ("what", "actor")]).await.status, StatusCode::FORBIDDEN);

    // Acme's log is longer than Bright's, whose owner asks for a number that only Acme has.
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    for _ in 0..5 {
        owner.get("/audit.csv").await;
    }
    let mut stranger = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    app.seal_now().await.unwrap();
    let last: i64 = sqlx::query_scalar("SELECT seq FROM stockade.audit_head WHERE tenant_id = $1")
        .bind(ACME.id)
        .fetch_one(&pool)
        .await
        .unwrap();
    for (entry, what) in [(last.to_string().as_str(), "actor"), ("0", "actor"), ("1", "everything"), ("", "actor")] {
        let page = stranger.post(PAGE, &[("entry", entry), ("what", what)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{entry} {what}");
    }
}
