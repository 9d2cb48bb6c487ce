//! What the dashboard says of the running system, and what the audit log keeps of it.

use std::collections::BTreeSet;

use http::StatusCode;
use sample_app::{
    limits::DOWNLOAD_USER,
    seed::{ACCOUNTANT, ACME, BRIGHT, CEDAR, DISPATCHER, OWNER, TENANTS},
};
use serde_json::{Value, json};
use sqlx::{PgPool, raw_sql};
use stockade::{
    audit_chain::{Actor, Entry},
    ratelimit::Key,
};
use uuid::Uuid;

use crate::browser::{Browser, app};

/// What the dashboard says of a control, its observations with it.
pub(crate) async fn seen(owner: &mut Browser, control: &str) -> String {
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

#[sqlx::test(migrations = false)]
async fn what_can_be_measured_is_measured_and_what_cannot_is_not_made_up(pool: PgPool) {
    const NOT_HERE: [&str; 6] =
        ["crypto.disposal", "supply.deny", "supply.sbom", "backup.restore", "attest.incident", "attest.pentest"];
    let app = app(&pool).await;
    app.checkpoint_now().await.unwrap();
    app.verify_everything().await.unwrap();
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let document: Value = serde_json::from_str(&owner.get("/posture.json").await.text).unwrap();
    let controls = document["controls"].as_array().unwrap();
    assert_eq!(controls.len(), 29);
    for control in controls {
        let id = control["id"].as_str().unwrap();
        let here = !NOT_HERE.contains(&id);
        assert_eq!(control["measured"].as_bool().unwrap(), here, "{control}");
        // Without evidence nothing is in place, and a statement is shown as one.
        assert!(here || control["attainment"] == 0, "{control}");
        assert_eq!(control["attestation"].is_null(), !(here && control["method"] == "attest"), "{control}");
    }
}

/// A control that is broken in the running application is on the page with the table's name, and in the history as a gap.
#[sqlx::test(migrations = false)]
async fn a_policy_that_was_dropped_turns_the_dashboard_and_is_a_gap_of_the_day(pool: PgPool) {
    const FORCED: &str = "<div>Row-level security forced</div><span class=\"muted\">";
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    assert_eq!(owner.get("/posture").await.text.matches("No assessment is recorded yet.").count(), 1);
    assert_eq!(owner.post("/posture", &[]).await.location.as_deref(), Some("/posture"));
    let before = owner.get("/posture").await.text;
    assert!(
        before.contains("after 1 assessment in") && before.contains(&format!("{FORCED}in place 1 of 1 days")),
        "{before}"
    );
    assert!(!seen(&mut owner, "rls.policies").await.contains("\"fail\""));

    raw_sql(
        "DO $$ DECLARE name text; BEGIN
            FOR name IN SELECT polname FROM pg_policy WHERE polrelid = 'freight.settlements'::regclass LOOP
                EXECUTE format('DROP POLICY %I ON freight.settlements', name);
            END LOOP;
        END $$;
        ALTER TABLE freight.settlements NO FORCE ROW LEVEL SECURITY",
    )
    .execute(&pool)
    .await
    .unwrap();
    for control in ["rls.policies", "rls.forced"] {
        let found: Value = serde_json::from_str(&seen(&mut owner, control).await).unwrap();
        let failed: Vec<&str> = found["observations"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|seen| seen["outcome"] == "fail")
            .map(|seen| seen["subject"].as_str().unwrap())
            .collect();
        assert_eq!(failed, ["freight.settlements"], "{control}");
    }
    owner.post("/posture", &[]).await;
    let page = owner.get("/posture").await.text;
    assert!(page.contains("after 2 assessments") && page.contains("freight.settlements"), "{page}");
    let today = chrono::Utc::now().date_naive();
    assert!(page.contains(&format!("{FORCED}in place 0 of 1 days, one gap: {today}")), "{page}");
}

#[sqlx::test(migrations = false)]
async fn the_watch_records_each_tenant_once_a_day(pool: PgPool) {
    let app = app(&pool).await;
    for _ in 0..3 {
        app.assess_due().await.unwrap();
        app.seal_now().await.unwrap();
    }
    let recorded = "SELECT tenant_id, actor_id, entity_id FROM stockade.audit_entry WHERE action = 'posture.assess'";
    let rows: Vec<(Uuid, String, String)> = sqlx::query_as(recorded).fetch_all(&pool).await.unwrap();
    let tenants: BTreeSet<Uuid> = rows.iter().map(|row| row.0).collect();
    assert_eq!((rows.len(), tenants.len()), (3, 3), "{rows:?}");
    assert!(rows.iter().all(|row| row.1 == "watch"), "{rows:?}");
}

/// A customer that moves in while the application runs is assessed like those that were there; logs that are no customer's are not.
#[sqlx::test(migrations = false)]
async fn a_tenant_that_is_made_later_is_assessed_too(pool: PgPool) {
    let app = app(&pool).await;
    let late = Uuid::from_u128(0xde1 << 116 | 4);
    let assessed = async || -> BTreeSet<Uuid> {
        app.assess_due().await.unwrap();
        app.seal_now().await.unwrap();
        let recorded = "SELECT tenant_id FROM stockade.audit_entry WHERE action = 'posture.assess'";
        sqlx::query_scalar(recorded).fetch_all(&pool).await.unwrap().into_iter().collect()
    };
    let provision = |tenant: Uuid| Entry::new(tenant.into(), Actor::system("sales"), "tenant.provision");
    // A log alone makes no customer.
    let stray = Uuid::from_u128(0xdead << 112 | 5);
    app.trail.send(stray.into(), provision(stray));
    app.seal_now().await.unwrap();
    assert_eq!(assessed().await, TENANTS.iter().map(|tenant| tenant.id).collect());

    sqlx::query("INSERT INTO freight.tenants VALUES ($1, 'Delta Haulage', 'delta')")
        .bind(late)
        .execute(&pool)
        .await
        .unwrap();
    app.trail.send(late.into(), provision(late));
    app.seal_now().await.unwrap();
    assert_eq!(assessed().await, TENANTS.iter().map(|tenant| tenant.id).chain([late]).collect());
}

#[sqlx::test(migrations = false)]
async fn a_tenant_that_cannot_be_assessed_keeps_no_other_from_it(pool: PgPool) {
    let app = app(&pool).await;
    raw_sql(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not this one''; END';
        CREATE TRIGGER refuse BEFORE INSERT ON stockade.audit_entry FOR EACH ROW
            WHEN (NEW.action = 'posture.assess' AND NEW.tenant_id::text LIKE 'ac3e%') EXECUTE FUNCTION public.refuse()",
    )
    .execute(&pool)
    .await
    .unwrap();
    assert!(app.assess_due().await.is_err());
    let recorded = "SELECT tenant_id FROM stockade.audit_entry WHERE action = 'posture.assess' ORDER BY 1";
    let tenants: Vec<Uuid> = sqlx::query_scalar(recorded).fetch_all(&pool).await.unwrap();
    assert_eq!(tenants, [BRIGHT.id, CEDAR.id]);
}

/// An entry that was put in by other means is named and does not count.
#[sqlx::test(migrations = false)]
async fn an_assessment_that_nobody_made_is_named_and_does_not_count(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let forged = Entry::new(ACME.id.into(), Actor::system("forger"), "posture.assess").after(json!({ "score": 100 }));
    app.trail.send(ACME.id.into(), forged);
    app.seal_now().await.unwrap();
    let page = owner.get("/posture").await.text;
    assert!(page.contains("not counted") && page.contains("No assessment is recorded yet."), "{page}");
}

#[sqlx::test(migrations = false)]
async fn exports_and_recording_need_their_permission_and_are_limited(pool: PgPool) {
    const EXPORTS: [(&str, &str); 4] = [
        ("/posture.json", "\"controls\""),
        ("/posture.md", "rls.policies"),
        ("/posture.csv", "freight.loads"),
        ("/posture/oscal.json", "assessment-results"),
    ];
    let app = app(&pool).await;
    let mut dispatcher = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    let mut accountant = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    for (path, part) in EXPORTS {
        assert_eq!(dispatcher.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
        let page = accountant.get(path).await;
        assert!(page.status == StatusCode::OK && page.text.contains(part), "{path}: {}", page.text);
    }
    // Whoever may look may not record for that.
    assert!(!accountant.get("/posture").await.text.contains("Record this assessment"));
    assert_eq!(accountant.post("/posture", &[]).await.status, StatusCode::FORBIDDEN);
    let recorded = "SELECT count(*) FROM stockade.audit_entry WHERE action = 'posture.assess'";
    assert_eq!(sqlx::query_scalar::<_, i64>(recorded).fetch_one(&pool).await.unwrap(), 0);

    let person = || [(DOWNLOAD_USER, Key::user(ACME.person(&ACCOUNTANT).as_bytes()))];
    while app.limits.check(&person()).await.unwrap().allowed {}
    for (path, _) in EXPORTS {
        let page = accountant.get(path).await;
        assert!(page.status == StatusCode::TOO_MANY_REQUESTS && page.retry_after.is_some(), "{path}");
    }
}

#[sqlx::test(migrations = false)]
async fn recording_ends_at_its_limit(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let recorded = async || -> i64 {
        let entries = "SELECT count(*) FROM stockade.audit_entry WHERE action = 'posture.assess'";
        sqlx::query_scalar(entries).fetch_one(&pool).await.unwrap()
    };
    assert_eq!(owner.post("/posture", &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(recorded().await, 1, "the control");
    let person = || [(DOWNLOAD_USER, Key::user(ACME.person(&OWNER).as_bytes()))];
    while app.limits.check(&person()).await.unwrap().allowed {}
    let refused = owner.post("/posture", &[]).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.retry_after.is_some());
    assert_eq!(recorded().await, 1);
    assert_eq!(owner.get("/posture").await.status, StatusCode::OK, "to look is no download");
}

/// A tenant's page, exports and entry say nothing of another: no name, no identifier, none of its assessments.
#[sqlx::test(migrations = false)]
async fn another_tenant_is_nowhere_in_an_assessment(pool: PgPool) {
    let app = app(&pool).await;
    app.checkpoint_now().await.unwrap();
    app.verify_everything().await.unwrap();
    let mut acme = Browser::signed_in(&app, &ACME, &OWNER).await;
    acme.post("/posture", &[]).await;
    // A key of another tenant is retired, which only that tenant's page may say.
    let retire = "INSERT INTO stockade.field_keys SELECT (jsonb_populate_record(k, jsonb_build_object('key_id', 77, 'state', 'retired'))).*
        FROM stockade.field_keys k WHERE k.tenant_id = $1 AND k.purpose = 'aead' AND k.state = 'active'";
    sqlx::query(retire).bind(ACME.id).execute(&pool).await.unwrap();
    assert!(seen(&mut acme, "crypto.rotation").await.contains("retired key 77"));

    let mut bright = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    for path in ["/posture", "/posture.json", "/posture.md", "/posture.csv", "/posture/oscal.json"] {
        let page = bright.get(path).await.text;
        for foreign in [ACME.name.to_owned(), ACME.id.to_string(), ACME.email(&OWNER), "retired key 77".to_owned()] {
            assert!(!page.contains(&foreign), "{foreign} in {path}");
        }
    }
    assert!(bright.get("/posture").await.text.contains("No assessment is recorded yet."));
}
