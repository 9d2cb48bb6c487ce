//! Recording, as the application.

use chrono::{TimeDelta, Utc};
use serde_json::json;
use sqlx::{PgPool, Row as _};
use stockade_audit_chain::{
    Actor, Entry, ErrorKind, RequestContext,
    postgres::{Sealer, record, record_at},
};
use uuid::Uuid;

use crate::support::{APP, SEALER, append, connect, entry, install, scope, sqlstate, tenant};

async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

#[sqlx::test(migrations = false)]
async fn commits_and_rolls_back_with_the_caller(pool: PgPool) {
    install(&pool).await;
    sqlx::raw_sql("CREATE TABLE loads (rate int); GRANT INSERT ON loads TO stockade_app").execute(&pool).await.unwrap();
    let mut app = connect(&pool, APP).await;
    for commit in [false, true] {
        let mut tx = scope(&mut app, tenant(1)).await;
        sqlx::query("INSERT INTO loads VALUES (1)").execute(&mut *tx).await.unwrap();
        record(&mut *tx, &entry(tenant(1), 1)).await.unwrap();
        let end = if commit { tx.commit().await } else { tx.rollback().await };
        end.unwrap();
        for table in [
            "SELECT count(*) FROM loads",
            "SELECT count(*) FROM stockade.audit_entry",
            "SELECT count(*) FROM stockade.audit_payload",
            "SELECT count(*) FROM stockade.audit_unsealed",
        ] {
            assert_eq!(count(&pool, table).await, i64::from(commit), "{table}");
        }
    }
    // An entry that the database refuses takes the change with it.
    let mut tx = scope(&mut app, tenant(1)).await;
    sqlx::query("INSERT INTO loads VALUES (2)").execute(&mut *tx).await.unwrap();
    record(&mut *tx, &entry(tenant(2), 1)).await.unwrap_err();
    let _ = tx.commit().await;
    assert_eq!(count(&pool, "SELECT count(*) FROM loads").await, 1);
}

#[sqlx::test(migrations = false)]
async fn the_receipt_names_what_is_stored(pool: PgPool) {
    install(&pool).await;
    let before = Utc::now();
    let receipt = append(&pool, tenant(1), 1).await[0];
    let row =
        sqlx::query("SELECT entry_id, leaf, recorded_at FROM stockade.audit_entry").fetch_one(&pool).await.unwrap();
    assert_eq!(row.get::<Uuid, _>(0), receipt.entry_id);
    assert_eq!(row.get::<Vec<u8>, _>(1), receipt.leaf.as_bytes());
    assert_eq!(row.get::<chrono::DateTime<Utc>, _>(2), receipt.recorded_at);
    assert!(receipt.recorded_at >= before - TimeDelta::milliseconds(1));
    assert_eq!(receipt.entry_id.get_version_num(), 7);
    let (seconds, nanos) = receipt.entry_id.get_timestamp().unwrap().to_unix();
    assert_eq!(
        i64::try_from(seconds * 1000 + u64::from(nanos) / 1_000_000).unwrap(),
        receipt.recorded_at.timestamp_millis()
    );
}

#[sqlx::test(migrations = false)]
async fn open_transactions_do_not_wait_for_each_other(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 1).await;
    let (mut first, mut second) = (connect(&pool, APP).await, connect(&pool, APP).await);
    let mut open = scope(&mut first, tenant(1)).await;
    record(&mut *open, &entry(tenant(1), 2)).await.unwrap();

    // Neither another recording nor the sealer may wait for the open transaction: a wait would be
    // an error here.
    let mut tx = scope(&mut second, tenant(1)).await;
    sqlx::query("SET LOCAL lock_timeout = '100ms'").execute(&mut *tx).await.unwrap();
    record(&mut *tx, &entry(tenant(1), 3)).await.unwrap();
    tx.commit().await.unwrap();
    let mut sealer = connect(&pool, SEALER).await;
    sqlx::query("SET lock_timeout = '100ms'").execute(&mut sealer).await.unwrap();
    assert_eq!(Sealer::new().seal_pending(&mut sealer).await.unwrap().entries, 2);
    open.commit().await.unwrap();
    assert_eq!(Sealer::new().seal_pending(&mut sealer).await.unwrap().entries, 1);
}

#[sqlx::test(migrations = false)]
async fn refuses_other_tenants(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 2).await;
    let mut app = connect(&pool, APP).await;

    // Without a context: nothing is seen, nothing can be written.
    assert_eq!(record(&mut app, &entry(tenant(1), 1)).await.unwrap_err().kind(), ErrorKind::Refused);
    for (own, seen) in [(1, 2), (2, 0)] {
        let mut tx = scope(&mut app, tenant(own)).await;
        for table in [
            "SELECT count(*) FROM stockade.audit_entry",
            "SELECT count(*) FROM stockade.audit_payload",
            "SELECT count(*) FROM stockade.audit_unsealed",
        ] {
            assert_eq!(sqlx::query_scalar::<_, i64>(table).fetch_one(&mut *tx).await.unwrap(), seen, "{table}");
        }
        let error = record(&mut *tx, &entry(tenant(3 - own), 1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(!error.is_retryable());
    }
    // Each of the three tables holds the tenant by itself, not only the first one that a recording
    // reaches.
    for attack in [
        "INSERT INTO stockade.audit_payload (entry_id, tenant_id, field_values, salts)
            VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', '{}', '{}')",
        "INSERT INTO stockade.audit_unsealed (tenant_id, entry_id)
            VALUES ('00000000-0000-0000-0000-000000000001', gen_random_uuid())",
    ] {
        let mut tx = scope(&mut app, tenant(2)).await;
        assert_eq!(sqlstate(sqlx::query(attack).execute(&mut *tx).await), "42501", "{attack}");
    }
    // A context that is no tenant is an error, not an empty log.
    sqlx::query("SET stockade.tenant_id = 'everyone'").execute(&mut app).await.unwrap();
    assert_eq!(sqlstate(sqlx::query("SELECT FROM stockade.audit_entry").execute(&mut app).await), "22P02");
}

#[sqlx::test(migrations = false)]
async fn refuses_a_backdated_entry(pool: PgPool) {
    install(&pool).await;
    let mut app = connect(&pool, APP).await;
    for (minutes, accepted) in [(-6, false), (-4, true), (4, true), (6, false)] {
        let mut tx = scope(&mut app, tenant(1)).await;
        let result = record_at(&mut *tx, &entry(tenant(1), 1), Utc::now() + TimeDelta::minutes(minutes)).await;
        assert_eq!(result.map_err(|error| error.kind()).err(), (!accepted).then_some(ErrorKind::Refused), "{minutes}");
    }
}

#[sqlx::test(migrations = false)]
async fn personal_values_are_only_in_the_payload(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 1).await;
    let text: String = sqlx::query_scalar(
        "SELECT e::text
        FROM stockade.audit_entry e",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    let hex = hex::encode([203, 0, 113, 9]);
    for personal in ["Ana Ruiz", "203.0.113.9", "curl", "078-05-1120", "219-09-9999", &hex, &hex::encode("Ana Ruiz")] {
        assert!(!text.contains(personal), "{personal} in {text}");
    }
    assert!(text.contains("rate_cents") && text.contains("/driver/ssn"));
    // The seed from which every salt could be derived again is nowhere: the row has one salt for
    // each value.
    let salts: i32 =
        sqlx::query_scalar("SELECT cardinality(salts) FROM stockade.audit_payload").fetch_one(&pool).await.unwrap();
    assert_eq!(salts, 5);
}

#[sqlx::test(migrations = false)]
async fn refuses_what_it_could_not_store_before_it_sends_anything(pool: PgPool) {
    install(&pool).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    let plain = || Entry::new(tenant(1), Actor::user("u"), "a");
    let deep = (0..200).fold(json!(1), |deep, _| json!([deep]));
    for (wrong, part) in [
        (Entry::new(tenant(1), Actor::user("u"), ""), "action"),
        (Entry::new(tenant(1), Actor::user(""), "a"), "actor id"),
        (Entry::new(tenant(1), Actor::user("u").named("a\0"), "a"), "actor name"),
        (plain().entity("load", "x".repeat(257)), "entity id"),
        (plain().after(json!({"a": ["\0"]})), "state after"),
        (plain().before(deep.clone()).after(deep), "state before"),
        (plain().after("x".repeat(1 << 20)), "content"),
        (plain().personal(&["ssn"]).after(json!({"ssn": 1})), "personal path"),
        (plain().personal(&["/a~"]).after(json!({"ssn": 1})), "personal path"),
        (plain().request(RequestContext::new().status(99)), "status"),
        (plain().request(RequestContext::new().user_agent("x".repeat(5000))), "user agent"),
        (plain().occurred_at(chrono::DateTime::<Utc>::MAX_UTC), "time of occurrence"),
    ] {
        let error = record(&mut *tx, &wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidEntry);
        assert!(error.to_string().contains(part), "{error} for {part}");
    }
    record(&mut *tx, &plain()).await.unwrap();
    tx.commit().await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn an_error_of_the_database_shows_no_value(pool: PgPool) {
    install(&pool).await;
    let mut app = connect(&pool, APP).await;
    let error = record(&mut app, &entry(tenant(1), 1)).await.unwrap_err();
    for shown in [error.to_string(), format!("{error:?}")] {
        assert!(!shown.contains("INSERT") && !shown.contains("policy") && !shown.contains("Ana"), "{shown}");
        assert!(shown.contains("42501"));
    }
    assert!(std::error::Error::source(&error).is_some());
}
