//! A history in the audit log, and what is refused of it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, PgPool};
use stockade_audit_chain::{
    Actor, Entry, TenantId,
    postgres::{Sealer, VerifyOptions, migrator, record, verify},
};
use stockade_posture::{
    Assessment, ControlId, ErrorKind, StatusKind,
    history::{self, ACTION, Recorded},
};
use uuid::Uuid;

use super::assessed;

const ID: ControlId = ControlId::RLS_FORCED;

/// Roles belong to the cluster, so another test can be creating them.
const LOGINS: &str = "
DO $$ BEGIN
    CREATE ROLE posture_test_recorder LOGIN IN ROLE stockade_app;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
    CREATE ROLE posture_test_sealer LOGIN IN ROLE stockade_sealer;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;";

fn tenant() -> TenantId {
    TenantId::from(Uuid::from_u128(7))
}

async fn connect(pool: &PgPool, role: &str) -> PgConnection {
    PgConnection::connect_with(&pool.connect_options().as_ref().clone().username(role)).await.unwrap()
}

async fn install(pool: &PgPool) {
    migrator().run(pool).await.unwrap();
    sqlx::raw_sql(LOGINS).execute(pool).await.unwrap();
}

async fn append(pool: &PgPool, entry: Entry) {
    let mut app = connect(pool, "posture_test_recorder").await;
    let mut tx = app.begin().await.unwrap();
    let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)");
    context.bind(tenant().to_string()).execute(&mut *tx).await.unwrap();
    record(&mut *tx, &entry).await.unwrap();
    tx.commit().await.unwrap();
}

async fn seal(pool: &PgPool) {
    Sealer::new().seal_pending(&mut connect(pool, "posture_test_sealer").await).await.unwrap();
}

/// Reads as the application does, in the tenant's context.
async fn read(pool: &PgPool, tenant: TenantId) -> Recorded {
    let mut app = connect(pool, "posture_test_recorder").await;
    let mut tx = app.begin().await.unwrap();
    let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)");
    context.bind(tenant.to_string()).execute(&mut *tx).await.unwrap();
    let (since, until) = (Utc::now() - TimeDelta::days(1), Utc::now() + TimeDelta::days(1));
    history::read(&mut *tx, tenant, since, until).await.unwrap()
}

fn assessment(at: DateTime<Utc>) -> Assessment {
    assessed(at, ID, StatusKind::InPlace)
}

fn entry(assessment: &Assessment) -> Entry {
    history::entry(assessment, tenant(), Actor::system("posture"))
}

/// An entry with the snapshot of an assessment, changed, about the digest that it states.
fn forged(change: impl FnOnce(&mut Value)) -> Entry {
    let mut state: Value = serde_json::from_str(&assessment(Utc::now()).snapshot().to_string()).unwrap();
    change(&mut state);
    let digest = state.get("digest").and_then(Value::as_str).unwrap_or_default().to_owned();
    Entry::new(tenant(), Actor::user("u-1"), ACTION).entity("posture.assessment", digest).after(state)
}

#[sqlx::test]
async fn what_is_recorded_is_read_back(pool: PgPool) {
    install(&pool).await;
    let now = Utc::now();
    let assessments = [2, 1, 0].map(|minutes| assessment(now - TimeDelta::minutes(minutes)));
    for assessment in &assessments {
        append(&pool, entry(assessment)).await;
    }
    append(&pool, Entry::new(tenant(), Actor::user("u-1"), "load.update")).await;
    let before = read(&pool, tenant()).await;
    assert_eq!((before.snapshots.len(), before.unsealed), (0, 3), "without a place in the chain it does not count");

    seal(&pool).await;
    let read_back = read(&pool, tenant()).await;
    assert_eq!(read_back.snapshots, assessments.each_ref().map(Assessment::snapshot));
    assert_eq!((read_back.refused.len(), read_back.unsealed), (0, 0));
    assert_eq!(read(&pool, TenantId::from(Uuid::from_u128(8))).await.snapshots.len(), 0);

    let report =
        verify(&mut connect(&pool, "posture_test_sealer").await, tenant(), &VerifyOptions::default()).await.unwrap();
    assert!(report.is_intact() && report.checked() == 4);
    let today = now.date_naive();
    let period = history::period(read_back.snapshots, today - TimeDelta::days(1), today, Duration::ZERO).unwrap();
    assert!(period.control(ID).unwrap().in_place >= 1);
}

#[sqlx::test]
async fn what_does_not_parse_is_refused_and_named(pool: PgPool) {
    install(&pool).await;
    append(&pool, forged(|_| ())).await;
    append(&pool, forged(|state| state["digest"] = json!("ab"))).await;
    append(&pool, forged(|state| drop(state.as_object_mut().unwrap().remove("controls")))).await;
    append(&pool, forged(|state| state["controls"]["rls.forced"] = json!("certainly"))).await;
    append(&pool, forged(|state| state["score"] = json!({"points": 101, "capped_by": null}))).await;
    append(&pool, Entry::new(tenant(), Actor::user("u-1"), ACTION)).await;
    // The digest of one assessment on the statement of another.
    let snapshot: Value = serde_json::from_str(&assessment(Utc::now()).snapshot().to_string()).unwrap();
    let other = Entry::new(tenant(), Actor::user("u-1"), ACTION).entity("posture.assessment", "0".repeat(64));
    append(&pool, other.after(snapshot)).await;
    seal(&pool).await;
    let read = read(&pool, tenant()).await;
    assert_eq!((read.snapshots.len(), read.refused.len()), (1, 6), "the first is a control: it is well-formed");
}

/// Somebody who may append fills in a day of last month. The statement is perfect; the time of the entry is not.
#[sqlx::test]
async fn a_day_cannot_be_filled_in_afterwards(pool: PgPool) {
    install(&pool).await;
    let last_month = Utc::now() - TimeDelta::days(30);
    append(&pool, entry(&assessment(last_month))).await;
    append(&pool, entry(&assessment(Utc::now() - TimeDelta::minutes(14)))).await;
    append(&pool, entry(&assessment(Utc::now() - TimeDelta::minutes(16)))).await;
    append(&pool, entry(&assessment(Utc::now() + TimeDelta::hours(3)))).await;
    seal(&pool).await;
    let read = read(&pool, tenant()).await;
    assert_eq!((read.snapshots.len(), read.refused.len()), (1, 3));
    assert!(read.refused.iter().all(|refused| refused.why == "it was not recorded when the assessment was made"));
    let day = last_month.date_naive();
    let period = history::period(read.snapshots, day, day, Duration::ZERO).unwrap();
    assert_eq!(period.control(ID).unwrap().in_place, 0);
    // Without that rule the day would be in place: the statement alone says so.
    let believed = history::period([assessment(last_month).snapshot()], day, day, Duration::ZERO).unwrap();
    assert_eq!(believed.control(ID).unwrap().in_place, 1);
}

/// Rewriting an entry in the tables changes what is read; it is the verification of the chain that finds it.
#[sqlx::test]
async fn a_rewritten_entry_is_found_by_the_chain(pool: PgPool) {
    install(&pool).await;
    append(&pool, entry(&assessed(Utc::now(), ID, StatusKind::NotYet))).await;
    seal(&pool).await;
    assert_eq!(read(&pool, tenant()).await.snapshots[0].status(ID), Some(StatusKind::NotYet));
    let rewrite = "
        ALTER TABLE stockade.audit_entry DISABLE TRIGGER USER;
        UPDATE stockade.audit_entry SET after = replace(after::text, '\"rls.forced\":\"not_yet\"', '\"rls.forced\":\"in_place\"')::json;";
    sqlx::raw_sql(rewrite).execute(&pool).await.unwrap();
    assert_eq!(
        read(&pool, tenant()).await.snapshots[0].status(ID),
        Some(StatusKind::InPlace),
        "the reader believes it"
    );
    let report =
        verify(&mut connect(&pool, "posture_test_sealer").await, tenant(), &VerifyOptions::default()).await.unwrap();
    assert!(!report.is_intact(), "the chain does not");
}

#[sqlx::test]
async fn more_than_a_page_is_read_whole(pool: PgPool) {
    install(&pool).await;
    let mut app = connect(&pool, "posture_test_recorder").await;
    let mut tx = app.begin().await.unwrap();
    let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)");
    context.bind(tenant().to_string()).execute(&mut *tx).await.unwrap();
    let one = entry(&assessment(Utc::now()));
    for _ in 0..1_003 {
        record(&mut *tx, &one).await.unwrap();
    }
    tx.commit().await.unwrap();
    seal(&pool).await;
    let mut sealed = read(&pool, tenant()).await;
    for _ in 0..8 {
        if sealed.unsealed > 0 {
            seal(&pool).await;
            sealed = read(&pool, tenant()).await;
        }
    }
    assert_eq!((sealed.snapshots.len(), sealed.unsealed), (1_003, 0));
}

#[sqlx::test]
async fn a_log_that_cannot_be_read_is_an_error(pool: PgPool) {
    let (since, until) = (Utc::now() - TimeDelta::days(1), Utc::now());
    let error = history::read(&mut *pool.acquire().await.unwrap(), tenant(), since, until).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Unavailable, "the audit log could not be read"));
}
