//! The report of a restore drill.

use chrono::{TimeDelta, Utc};
use sqlx::PgPool;
use stockade_posture::{
    Assessment, ControlId, Fact, Observation, Standing,
    rls_migrations::{restore_drill, restored},
};
use stockade_rls_migrations::{Drill, DrillReport};

use super::{freight, sound};
use crate::support::{change, told};

/// A drill of a database beside itself, with what changed in between.
async fn drill(pool: &PgPool, breaking: &'static str) -> DrillReport {
    let mut connection = sound(pool).await;
    let before = freight().snapshot(&mut connection).await.unwrap();
    change(pool, breaking).await;
    let after = freight().snapshot(&mut connection).await.unwrap();
    Drill::new().compare(&before, &after)
}

fn file(report: &DrillReport) -> Vec<u8> {
    serde_json::to_vec(&report.to_json()).unwrap()
}

/// Without the name of the database, which is that of the test.
fn line(seen: &Observation) -> String {
    let line = told(std::slice::from_ref(seen)).concat();
    let words = line.split(' ').map(|word| if word.starts_with("_sqlx_test") { "db" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[sqlx::test]
async fn a_green_drill_passes_and_runs_out(pool: PgPool) {
    let report = drill(&pool, "SELECT").await.signed_off_by("R. Jansen");
    let now = Utc::now();
    let seen = restore_drill(&file(&report), now);
    assert_eq!(line(&seen), "backup.restore restore of db pass");
    assert_eq!(seen, restored(&report, now));
    assert!(now - seen.collected_at() < TimeDelta::minutes(5), "as old as the drill");

    // The observation of today is stale by itself after the 90 days that the control gives it.
    let later = Assessment::builder(now + TimeDelta::days(91)).observe([seen]).build();
    assert_eq!(later.result(ControlId::BACKUP_RESTORE).unwrap().standing(), Standing::InProgress);
}

#[sqlx::test]
async fn the_evidence_says_when_and_what_was_compared(pool: PgPool) {
    let report = drill(&pool, "SELECT").await.check("audit chains", async { Ok("3 chains".to_owned()) }).await;
    let seen = restored(&report.signed_off_by("R. Jansen"), Utc::now());
    let fact = |name: &str| seen.facts().get(name).cloned().unwrap();
    assert_eq!(fact("drilled_on"), Fact::from(seen.collected_at().date_naive().to_string()));
    assert_eq!(fact("checks"), Fact::from("audit chains"));
    let (Fact::Name(compared), Fact::Count(objects)) = (fact("compared"), fact("objects")) else { panic!("{seen:?}") };
    for part in ["policies", "rows", "triggers"] {
        assert!(compared.split(", ").any(|named| named == part), "{compared}");
    }
    assert!(objects > 20, "{objects}");
}

/// What every tenant may read of a drill names no tenant.
#[sqlx::test]
async fn a_row_that_differs_is_told_by_its_table(pool: PgPool) {
    const TENANT: &str = "018f0000-0000-7000-8000-00000000000a";
    sound(&pool).await;
    change(&pool, "INSERT INTO freight.loads VALUES ('018f0000-0000-7000-8000-00000000000a', 1, 'x')").await;
    let mut connection = pool.acquire().await.unwrap();
    let before = freight().snapshot(&mut connection).await.unwrap();
    change(&pool, "UPDATE freight.loads SET name = 'y'").await;
    let report = Drill::new().compare(&before, &freight().snapshot(&mut connection).await.unwrap());
    assert!(report.to_markdown().contains(TENANT), "the control: the report names it");
    let seen = restored(&report.signed_off_by("R. Jansen"), Utc::now());
    assert_eq!(
        line(&seen),
        "backup.restore restore of db fail: what was restored differs from its source: rows freight.loads"
    );
    assert!(!format!("{seen:?}").contains(TENANT));
}

#[sqlx::test]
async fn a_stale_drill_fails(pool: PgPool) {
    let report = drill(&pool, "SELECT").await.signed_off_by("R. Jansen");
    let seen = restore_drill(&file(&report), Utc::now() + TimeDelta::days(91));
    assert_eq!(line(&seen), "backup.restore restore of db fail: the last restore was rehearsed more than 90 days ago");
}

#[sqlx::test]
async fn a_drill_with_a_difference_fails_by_its_object(pool: PgPool) {
    let report =
        drill(&pool, "ALTER TABLE freight.loads DISABLE TRIGGER USER; DROP POLICY stockade_tenant ON freight.loads");
    let seen = restored(&report.await.signed_off_by("R. Jansen"), Utc::now());
    assert_eq!(seen.outcome().word(), "fail");
    let reason = seen.outcome().reason().unwrap();
    assert!(reason.starts_with("what was restored differs from its source: "), "{reason}");
    assert!(reason.contains("freight.loads"), "{reason}");
}

#[sqlx::test]
async fn a_drill_that_nobody_signed_fails(pool: PgPool) {
    let seen = restored(&drill(&pool, "SELECT").await, Utc::now());
    assert_eq!(line(&seen), "backup.restore restore of db fail: nobody has signed the report off");
}

#[test]
fn a_file_that_is_no_report_is_unknown() {
    let now = Utc::now();
    let deep = "[".repeat(100_000);
    let future =
        r#"{"green": true, "report": {"restored": {"taken_at": "2999-01-01T00:00:00Z"}, "signed_off_by": "x"}}"#;
    for file in [
        "",
        "green",
        "{}",
        "[]",
        r#"{"green": "yes"}"#,
        r#"{"green": true, "report": {"restored": {}}}"#,
        &deep,
        future,
    ] {
        let seen = restore_drill(file.as_bytes(), now);
        assert_eq!((seen.outcome().word(), seen.subject().as_str()), ("unknown", "restore drill"), "{file:.40}");
    }
    assert_eq!(restore_drill(&vec![b' '; 17 << 20], now).outcome().reason(), Some("the file is too long to be read"));
}
