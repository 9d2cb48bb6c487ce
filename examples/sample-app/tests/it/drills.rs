//! Whether a backup can be restored, as the dashboard has it from the last drill.

use chrono::{SecondsFormat, TimeDelta, Utc};
use sample_app::{
    app::App,
    domain::drill,
    evidence::LastDrill,
    schema,
    seed::{ACME, OWNER},
};
use serde_json::Value;
use sqlx::{PgPool, raw_sql};
use stockade::rls_migrations::{Drill, Snapshot};

use crate::{
    browser::{Browser, app},
    posture::seen,
};

/// The status of the control, and what was observed of it.
async fn told(owner: &mut Browser) -> (String, String, Value) {
    let control: Value = serde_json::from_str(&seen(owner, "backup.restore").await).unwrap();
    let text = |pointer: &str| control.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let reason = text("/observations/0/reason").map_or_else(String::new, |reason| format!(": {reason}"));
    assert_eq!(control.pointer("/observations/1"), None, "{control}");
    let facts = control.pointer("/observations/0/facts").unwrap().clone();
    (text("/status/is").unwrap(), format!("{}{reason}", text("/observations/0/outcome").unwrap()), facts)
}

async fn snapshot(app: &App) -> Snapshot {
    let mut administrator = app.administrator().await.unwrap();
    schema::schema(app.prefix()).snapshot(&mut administrator).await.unwrap()
}

/// What was read so many days ago.
fn aged(snapshot: &Snapshot, days: i64) -> Snapshot {
    let mut read = serde_json::to_value(snapshot).unwrap();
    let at = (Utc::now() - TimeDelta::days(days)).to_rfc3339_opts(SecondsFormat::Secs, true);
    *read.get_mut("taken_at").unwrap() = at.into();
    serde_json::from_value(read).unwrap()
}

/// The database beside itself, as it was restored: the drill with a dump is a test of its own.
#[sqlx::test(migrations = false)]
async fn the_last_drill_is_the_evidence_of_its_control(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let (status, outcome, _) = told(&mut owner).await;
    assert_eq!((status.as_str(), outcome.as_str()), ("not_yet", "unknown: no restore was drilled yet"));

    let before = snapshot(&app).await;
    let keep = |source: &Snapshot, restored: &Snapshot| {
        let report = Drill::new().compare(source, restored).signed_off_by("Ana Ruiz");
        app.watch.rehearsal().keep(Some(&report)).unwrap();
    };
    keep(&before, &before);
    let (status, outcome, facts) = told(&mut owner).await;
    assert_eq!((status.as_str(), outcome.as_str()), ("in_place", "pass"));
    assert_eq!(facts["drilled_on"], Utc::now().date_naive().to_string());
    let compared = facts["compared"].as_str().unwrap();
    assert!(["policies", "rows", "migrations"].iter().all(|part| compared.contains(part)), "{facts}");
    assert!(facts["objects"].as_u64().unwrap() > 100, "{facts}");

    // A policy is gone from what was restored.
    raw_sql("DROP POLICY stockade_tenant ON freight.settlements").execute(&pool).await.unwrap();
    keep(&before, &snapshot(&app).await);
    let (status, outcome, _) = told(&mut owner).await;
    let named = "fail: what was restored differs from its source: policies freight.settlements.stockade_tenant";
    assert_eq!((status.as_str(), outcome.as_str()), ("not_yet", named));

    // A drill that was green, and is too old to say anything of today's backups.
    let old = aged(&before, 91);
    keep(&old, &old);
    let (status, outcome, facts) = told(&mut owner).await;
    let over = "fail: the last restore was rehearsed more than 90 days ago";
    assert_eq!((status.as_str(), outcome.as_str(), facts["days_ago"].as_u64()), ("not_yet", over, Some(91)));
    let recent = aged(&before, 89);
    keep(&recent, &recent);
    assert_eq!(told(&mut owner).await.0, "in_place", "the control of the control");
}

/// A row of another tenant that differs is no matter of this one.
#[sqlx::test(migrations = false)]
async fn a_drill_names_no_tenant_to_another(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let before = snapshot(&app).await;
    let change = "UPDATE freight.loads SET rate_cents = rate_cents + 1 WHERE tenant_id::text LIKE 'b419%'";
    raw_sql(change).execute(&pool).await.unwrap();
    let report = Drill::new().compare(&before, &snapshot(&app).await).signed_off_by("Ana Ruiz");
    assert!(report.to_markdown().contains("tenant b419"), "the control");
    app.watch.rehearsal().keep(Some(&report)).unwrap();
    let (_, outcome, _) = told(&mut owner).await;
    assert_eq!(outcome, "fail: what was restored differs from its source: rows freight.loads");
}

/// A drill that does not come to its end is worse than none.
#[sqlx::test(migrations = false)]
async fn a_drill_that_stops_turns_the_control(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let now = snapshot(&app).await;
    let green = Drill::new().compare(&now, &now).signed_off_by("Ana Ruiz");
    app.watch.rehearsal().keep(Some(&green)).unwrap();
    assert_eq!(told(&mut owner).await.0, "in_place");

    raw_sql("ALTER TABLE stockade.audit_unsealed RENAME TO audit_away").execute(&pool).await.unwrap();
    let drilled = drill::run(&app, "nobody").await;
    raw_sql("ALTER TABLE stockade.audit_away RENAME TO audit_unsealed").execute(&pool).await.unwrap();
    // Where there is no `pg_dump` of the server's version nothing began.
    if matches!(drilled, Ok(None)) {
        app.watch.rehearsal().keep(None).unwrap();
    } else {
        assert!(drilled.is_err());
    }
    assert_eq!(app.watch.rehearsal().last().unwrap(), LastDrill::Stopped);
    let (status, outcome, _) = told(&mut owner).await;
    assert_eq!(
        (status.as_str(), outcome.as_str()),
        ("not_yet", "fail: the last drill stopped before anything could be compared")
    );
}
