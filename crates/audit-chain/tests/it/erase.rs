//! Erasing personal values, and attacks on the way to do it.

use chrono::{TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};
use stockade_audit_chain::{
    Actor, Conclusion, Entry, ErasureRequest, ErrorKind, Finding,
    postgres::{
        Erasure, Filter, LegalHold, Subject, VerifyOptions, erase, place_hold, record, release_hold, search, verify,
    },
};
use uuid::Uuid;

use crate::support::{
    APP, ERASER, HOLDER, PURGER, SEALER, append, connect, disarm, findings, install, report, scope, seal, sqlstate,
    tenant,
};

fn request() -> ErasureRequest {
    ErasureRequest::new(Actor::user("officer").named("Not Kept"), "R-1", "GDPR Art. 17(1)(b)").subject("p-7")
}

async fn erase_as(pool: &PgPool, role: &str, subject: &Subject) -> Result<Erasure, stockade_audit_chain::Error> {
    erase(&mut connect(pool, role).await, tenant(1), subject, &request()).await
}

async fn erased(pool: &PgPool, subject: &Subject) -> Erasure {
    erase_as(pool, ERASER, subject).await.unwrap()
}

/// The numbers of values that are still there, of those that were recorded.
async fn values(pool: &PgPool) -> (i64, i64) {
    let count = "SELECT (count(*) FILTER (WHERE v IS NOT NULL AND s IS NOT NULL)), count(*)
        FROM stockade.audit_payload p, unnest(p.field_values, p.salts) AS f (v, s)";
    sqlx::query_as(count).fetch_one(pool).await.unwrap()
}

fn paths(erasure: &Erasure) -> Vec<&str> {
    let mut paths: Vec<_> = erasure.erased.iter().map(|value| value.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

#[sqlx::test(migrations = false)]
async fn values_of_a_subject_are_gone_and_the_log_verifies(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 6).await;
    append(&pool, tenant(2), 6).await;
    seal(&pool).await;
    assert_eq!(values(&pool).await, (60, 60));

    // What the actor's entries say of the actor; not the social security numbers of the drivers in them.
    let first = erased(&pool, &Subject::Actor("user-1".to_owned())).await;
    assert_eq!((first.erased.len(), paths(&first)), (6, vec!["actor/name", "request/ip", "request/user_agent"]));
    let entity = Subject::Entity { kind: "load".to_owned(), id: "L-1".to_owned() };
    let second = erased(&pool, &entity).await;
    assert_eq!(paths(&second), ["after/driver/ssn", "before/driver/ssn"]);
    let listed = Subject::Values(vec![(first.erased[0].entry_id, "before/driver/ssn".to_owned())]);
    assert_eq!(erased(&pool, &listed).await.receipt.is_some(), first.erased[0].entry_id != second.erased[0].entry_id);
    let report_now = report(&pool, tenant(1)).await;
    assert!(report_now.is_intact(), "{:?}", report_now.verdicts());
    seal(&pool).await;
    let report_then = report(&pool, tenant(1)).await;
    assert!(report_then.is_intact(), "{:?}", report_then.verdicts());
    assert_eq!((report_now.erased(), report_then.erased()), (8, 8));
    assert_eq!(values(&pool).await, (52, 60));
    assert_eq!(report(&pool, tenant(2)).await.erased(), 0);

    // A second time there is nothing left, and nothing is recorded.
    let again = erased(&pool, &entity).await;
    assert_eq!((again.receipt, again.erased.len()), (None, 0));
    // The log shows who asked, without a personal value, and still finds and shows the entries.
    let page = search(&mut connect(&pool, SEALER).await, &Filter::new(tenant(1)).action("audit.erased")).await.unwrap();
    assert!(page.rows.iter().all(|row| row.actor_id == "officer" && row.actor_name.is_none()));
    assert_eq!(page.rows.last().unwrap().after.as_ref().unwrap()["root"], first.root.to_string());
    let page = search(&mut connect(&pool, SEALER).await, &Filter::new(tenant(1)).actor("user-1")).await.unwrap();
    assert!(page.rows.iter().all(|row| row.actor_name.is_none() && row.ip.is_none() && row.user_agent.is_none()));
}

#[sqlx::test(migrations = false)]
async fn no_salt_of_an_erased_value_is_left_to_guess_it(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    let before: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT s FROM stockade.audit_payload p, unnest(p.salts) s").fetch_all(&pool).await.unwrap();
    erased(&pool, &Subject::Entity { kind: "load".to_owned(), id: "L-1".to_owned() }).await;
    let after: Vec<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT s FROM stockade.audit_payload p, unnest(p.salts) s").fetch_all(&pool).await.unwrap();
    // The survivors' are as they were: each is its own.
    assert_eq!(after.iter().flatten().count(), 3);
    assert!(after.iter().flatten().all(|salt| before.contains(salt)));
}

#[sqlx::test(migrations = false)]
async fn a_hold_suspends_erasure_until_it_is_released(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    let mut holder = connect(&pool, HOLDER).await;
    let subject = Subject::Actor("user-1".to_owned());
    // Holds of another tenant and of another time do not count.
    place_hold(&mut holder, tenant(2), &LegalHold::new(Actor::user("counsel"), "C-2")).await.unwrap();
    let past = LegalHold::new(Actor::user("counsel"), "C-3").until(chrono::DateTime::UNIX_EPOCH);
    place_hold(&mut holder, tenant(1), &past).await.unwrap();
    let hold = LegalHold::new(Actor::user("counsel"), "C-1").since(chrono::DateTime::UNIX_EPOCH);
    let hold = place_hold(&mut holder, tenant(1), &hold).await.unwrap().entry_id;
    let suspended = erased(&pool, &subject).await;
    assert_eq!((suspended.receipt, suspended.erased.len(), suspended.held.len()), (None, 0, 3));
    assert_eq!(values(&pool).await, (5, 5));

    let counsel = || Actor::user("counsel");
    assert_eq!(release_hold(&mut holder, tenant(2), hold, counsel(), "x").await.unwrap(), None);
    assert_eq!(release_hold(&mut holder, tenant(1), Uuid::nil(), counsel(), "x").await.unwrap(), None);
    assert!(release_hold(&mut holder, tenant(1), hold, counsel(), "settled").await.unwrap().is_some());
    assert_eq!(release_hold(&mut holder, tenant(1), hold, counsel(), "again").await.unwrap(), None);
    assert_eq!(erased(&pool, &subject).await.erased.len(), 3);
    seal(&pool).await;
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    // The entry, two holds, one release, one erasure; what changed nothing left no entry.
    assert_eq!(report.checked(), 5);
}

#[sqlx::test(migrations = false)]
async fn what_was_altered_is_not_laundered_by_erasing_it(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    let forgery = "UPDATE stockade.audit_payload SET field_values[1] = 'Bob'";
    sqlx::raw_sql(forgery).execute(&mut *superuser).await.unwrap();
    sqlx::raw_sql("ALTER TABLE stockade.audit_payload ENABLE ALWAYS TRIGGER audit_forgets")
        .execute(&mut *superuser)
        .await
        .unwrap();
    let erasure = erased(&pool, &Subject::Actor("user-1".to_owned())).await;
    assert_eq!((erasure.erased.len(), erasure.altered.len(), erasure.altered[0].path.as_str()), (2, 1, "actor/name"));
    seal(&pool).await;
    let altered = Finding::PersonalAltered { path: "actor/name".to_owned() };
    assert_eq!(findings(&report(&pool, tenant(1)).await), [(Some(1), altered)]);
}

/// Tries a statement as a role, in the tenant's context.
async fn attempt(connection: &mut PgConnection, sql: &'static str) -> String {
    let mut tx = scope(connection, tenant(1)).await;
    sqlstate(sqlx::raw_sql(sql).execute(&mut *tx).await)
}

#[sqlx::test(migrations = false)]
async fn no_role_can_forget_but_through_the_function(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 2).await;
    seal(&pool).await;
    let subject = Subject::Actor("user-1".to_owned());
    for role in [APP, SEALER, PURGER, HOLDER] {
        assert_eq!(erase_as(&pool, role, &subject).await.unwrap_err().kind(), ErrorKind::Refused, "{role}");
    }
    let blank = "UPDATE stockade.audit_payload SET field_values[1] = NULL, salts[1] = NULL";
    for role in [APP, SEALER, PURGER, HOLDER, ERASER] {
        let mut connection = connect(&pool, role).await;
        for attack in [
            blank,
            "DELETE FROM stockade.audit_payload",
            "SET ROLE stockade_custodian",
            "SELECT stockade.audit_drop_partition('_default')",
            "SELECT stockade.audit_add_month('2017-01-01')",
            "INSERT INTO stockade.audit_evidence VALUES (gen_random_uuid(), gen_random_uuid(), 'audit.erased', gen_random_uuid(), '')",
            "INSERT INTO stockade.audit_erased
                VALUES (gen_random_uuid(), gen_random_uuid(), '', gen_random_uuid(), sha256('x'))",
            "INSERT INTO stockade.audit_hold VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), NULL, NULL, true)",
            "INSERT INTO stockade.audit_retention VALUES (900)",
            "DELETE FROM stockade.audit_hold",
            "UPDATE stockade.audit_retention SET months = 84",
            "TRUNCATE stockade.audit_evidence",
        ] {
            assert_eq!(attempt(&mut connection, attack).await, "42501", "{role}: {attack}");
        }
    }
    // The owner and a superuser meet the trigger; the evidence is as append-only as the log.
    for first in ["SET ROLE stockade_owner", "SET session_replication_role = replica"] {
        let mut connection = connect(&pool, "postgres").await;
        sqlx::raw_sql(first).execute(&mut connection).await.unwrap();
        let attacks = [
            blank,
            "DELETE FROM stockade.audit_retention",
            "TRUNCATE stockade.audit_erased",
            "TRUNCATE stockade.audit_hold, stockade.audit_purged",
            "UPDATE stockade.audit_retention SET months = 84",
        ];
        for attack in attacks {
            assert_eq!(attempt(&mut connection, attack).await, "42501", "{first}: {attack}");
        }
    }
    assert_eq!(values(&pool).await, (10, 10));
}

#[sqlx::test(migrations = false)]
async fn even_the_custodian_can_only_forget(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 2).await;
    seal(&pool).await;
    // A superuser can become the custodian, which is more than any member of a role group can.
    let mut custodian = connect(&pool, "postgres").await;
    sqlx::raw_sql("SET ROLE stockade_custodian").execute(&mut custodian).await.unwrap();
    for change in [
        "UPDATE stockade.audit_payload SET field_values[1] = 'Bob'",
        "UPDATE stockade.audit_payload SET field_values[1] = NULL",
        "UPDATE stockade.audit_payload SET salts[1] = NULL",
        "UPDATE stockade.audit_payload SET salts[1] = salts[2]",
        "UPDATE stockade.audit_payload SET field_values = '{}', salts = '{}'",
        "UPDATE stockade.audit_payload SET field_values = field_values[1:4], salts = salts[1:4]",
        "UPDATE stockade.audit_payload SET field_values[6] = 'x', salts[6] = salts[1]",
        "UPDATE stockade.audit_payload SET field_values[1] = field_values[2], field_values[2] = field_values[1]",
        "UPDATE stockade.audit_payload SET entry_id = gen_random_uuid()",
        "UPDATE stockade.audit_payload SET tenant_id = gen_random_uuid()",
        "DELETE FROM stockade.audit_payload",
        "UPDATE stockade.audit_entry SET action = 'x'",
    ] {
        assert_eq!(attempt(&mut custodian, change).await, "42501", "{change}");
    }
    // Forgetting without a statement is possible for such a superuser, and found.
    let blank = "UPDATE stockade.audit_payload SET field_values[1] = NULL, salts[1] = NULL";
    sqlx::raw_sql(blank).execute(&mut custodian).await.unwrap();
    let missing = Finding::PersonalMissing { path: "actor/name".to_owned() };
    assert_eq!(findings(&report(&pool, tenant(1)).await), [(Some(1), missing.clone()), (Some(2), missing)]);
    // What has been forgotten cannot come back as something else.
    let undo = "UPDATE stockade.audit_payload SET field_values[1] = 'Bob', salts[1] = salts[2]";
    assert_eq!(attempt(&mut custodian, undo).await, "42501");
}

#[sqlx::test(migrations = false)]
async fn an_erasure_that_its_entry_does_not_state_is_refused(pool: PgPool) {
    install(&pool).await;
    let receipts = append(&pool, tenant(1), 2).await;
    append(&pool, tenant(2), 1).await;
    seal(&pool).await;
    // The eraser's role, with SQL of its own: one list stated, another erased; other bytes, tenants and actions.
    let erasure = erased(&pool, &Subject::Values(vec![(receipts[0].entry_id, "actor/name".to_owned())])).await;
    let id = erasure.receipt.unwrap().entry_id;
    let bytes: Vec<u8> =
        sqlx::query_scalar("SELECT envelope FROM stockade.audit_evidence").fetch_one(&pool).await.unwrap();
    let mut eraser = connect(&pool, ERASER).await;
    let other = (receipts[1].entry_id, "actor/name");
    let gone = (receipts[0].entry_id, "actor/name");
    for (erasure, of, bytes, list) in [
        (id, tenant(1), bytes.clone(), vec![other]),
        (id, tenant(1), bytes.clone(), vec![gone]),
        (id, tenant(1), bytes.clone(), vec![]),
        (id, tenant(1), bytes.clone(), vec![other, other]),
        (id, tenant(2), bytes.clone(), vec![other]),
        (id, tenant(1), b"x".to_vec(), vec![other]),
        (receipts[1].entry_id, tenant(1), bytes.clone(), vec![other]),
        (Uuid::nil(), tenant(1), bytes, vec![other]),
    ] {
        let (entries, paths): (Vec<Uuid>, Vec<&str>) = list.into_iter().unzip();
        let attack = sqlx::query("SELECT stockade.audit_erase($1, $2, $3, $4, $5)");
        let attack = attack.bind(erasure).bind(Uuid::from(of)).bind(bytes).bind(entries).bind(paths);
        let code = sqlstate(attack.execute(&mut eraser).await);
        assert!(["42501", "40001", "23505"].contains(&code.as_str()), "{code}");
    }
    assert_eq!(values(&pool).await, (14, 15));
    // It can state nothing but erasures, in no time but now.
    let entry = Entry::new(tenant(1), Actor::user("u"), "load.update");
    assert_eq!(record(&mut eraser, &entry).await.unwrap_err().kind(), ErrorKind::Refused);
}

#[sqlx::test(migrations = false)]
async fn an_entry_of_the_application_with_a_reserved_action_is_no_evidence(pool: PgPool) {
    install(&pool).await;
    let receipts = append(&pool, tenant(1), 1).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    let value = stockade_audit_chain::ErasedValue {
        entry_id: receipts[0].entry_id,
        path: "actor/name".to_owned(),
        commitment: stockade_audit_chain::Digest::leaf(b"x"),
    };
    record(&mut *tx, &request().entry(tenant(1), &[value])).await.unwrap();
    tx.commit().await.unwrap();
    seal(&pool).await;
    assert!(report(&pool, tenant(1)).await.is_intact());
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    let blank = "UPDATE stockade.audit_payload SET field_values[1] = NULL, salts[1] = NULL";
    sqlx::raw_sql(blank).execute(&mut *superuser).await.unwrap();
    let missing = Finding::PersonalMissing { path: "actor/name".to_owned() };
    assert_eq!(findings(&report(&pool, tenant(1)).await), [(Some(1), missing)]);
}

#[sqlx::test(migrations = false)]
async fn evidence_that_waits_for_its_seal_is_late_and_not_forged(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    erased(&pool, &Subject::Actor("user-1".to_owned())).await;
    let options = VerifyOptions::new().now(Utc::now() + TimeDelta::hours(1));
    let late = verify(&mut connect(&pool, SEALER).await, tenant(1), &options).await.unwrap();
    assert!(matches!(findings(&late)[..], [(None, Finding::UnsealedOverdue { .. })]), "{:?}", late.verdicts());
    assert_eq!((late.conclusion(), late.erased()), (Conclusion::Unverifiable, 3));
    // An entry of the future would never be overdue, and so counts for nothing before its time.
    let options = VerifyOptions::new().now(Utc::now() - TimeDelta::hours(1));
    let early = verify(&mut connect(&pool, SEALER).await, tenant(1), &options).await.unwrap();
    assert!(findings(&early).contains(&(None, Finding::ForgedErasure)), "{:?}", early.verdicts());
    assert_eq!((early.verdicts().len(), early.erased()), (4, 0));
}
