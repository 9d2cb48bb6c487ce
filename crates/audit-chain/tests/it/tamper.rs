//! A superuser who has disabled the triggers changes rows of a sealed log. Every change must be
//! named by tenant and number.

use sqlx::{Connection as _, PgConnection, PgPool};
use stockade_audit_chain::{
    Actor, Entry, Finding,
    postgres::{self, VerifyOptions, verify},
};

use crate::support::{append, disarm, findings, install, report, seal, tenant};

macro_rules! of_the_third {
    ($table:literal: $($change:literal,)*) => {
        [$(concat!("UPDATE stockade.", $table, " SET ", $change,
            " WHERE entry_id = (SELECT entry_id FROM stockade.audit_link WHERE seq = 3)")),*]
    };
}

/// Five sealed entries.
async fn log(pool: &PgPool) -> PgConnection {
    install(pool).await;
    append(pool, tenant(1), 5).await;
    assert_eq!(seal(pool).await.entries, 5);
    let mut superuser = pool.acquire().await.unwrap().detach();
    disarm(&mut superuser).await;
    let loosen = "
        ALTER TABLE stockade.audit_link DROP CONSTRAINT audit_link_pkey, DROP CONSTRAINT audit_link_one_place,
            DROP CONSTRAINT audit_link_one_successor, DROP CONSTRAINT audit_link_seq_check,
            DROP CONSTRAINT audit_link_leaf_check;
        ALTER TABLE stockade.audit_entry DROP CONSTRAINT audit_entry_id_check, DROP CONSTRAINT audit_entry_leaf_check,
            DROP CONSTRAINT audit_entry_severity_check;
        ALTER TABLE stockade.audit_head DROP CONSTRAINT audit_head_hash_check,
            DROP CONSTRAINT audit_head_seq_check";
    sqlx::raw_sql(loosen).execute(&mut superuser).await.unwrap();
    superuser
}

/// What verification finds when these statements have been run, which are then taken back.
async fn after(superuser: &mut PgConnection, forgery: &'static str) -> Vec<(Option<u64>, Finding)> {
    let mut tx = superuser.begin().await.unwrap();
    sqlx::raw_sql(forgery).execute(&mut *tx).await.unwrap();
    let report = verify(&mut *tx, tenant(1), &VerifyOptions::default()).await.unwrap();
    assert!(!report.is_intact(), "not found: {forgery}");
    findings(&report)
}

#[sqlx::test(migrations = false)]
async fn any_changed_column_of_an_entry(pool: PgPool) {
    let mut superuser = log(&pool).await;
    let forgeries = of_the_third!("audit_entry":
        "tenant_id = gen_random_uuid()",
        "recorded_at = recorded_at + interval '1 ms'",
        "occurred_at = recorded_at",
        "action = action || ' '",
        "severity = 0",
        "severity = -1",
        "outcome = 'denied'",
        "actor_kind = 'system'",
        "actor_id = 'user-9'",
        "actor_role = NULL",
        "on_behalf_of = ''",
        "impersonation = 'x'",
        "entity_type = entity_id, entity_id = entity_type",
        "entity_id = 'L-4'",
        "method = 'GET'",
        "endpoint = lower(endpoint) || '/'",
        "status = 302",
        "status = -303",
        "request_id = NULL",
        "before = after, after = before",
        "before = (before::text || ' ')::json",
        "after = before",
        "after = after::jsonb::json",
        "changes = '[]'",
        "changes = NULL",
        "personal_paths[1] = 'after'",
        "personal_paths = NULL, commitments = NULL",
        "personal_paths = personal_paths[1:4]",
        "personal_paths = '{}', commitments = '{}'",
        "commitments[1] = commitments[2]",
        "commitments[1] = ''",
        "commitments[1] = NULL",
        "leaf = sha256('x')",
        "leaf = ''",
    );
    for forgery in forgeries {
        assert_eq!(after(&mut superuser, forgery).await, [(Some(3), Finding::ContentAltered)], "{forgery}");
    }
}

/// Times are hashed to the millisecond, and the column holds no more unless somebody makes it.
#[sqlx::test(migrations = false)]
async fn a_time_that_is_finer_than_what_is_hashed(pool: PgPool) {
    let mut superuser = log(&pool).await;
    let below = "
        DROP POLICY audit_app_appends ON stockade.audit_entry;
        DROP POLICY audit_eraser_states ON stockade.audit_entry;
        DROP POLICY audit_purger_states ON stockade.audit_entry;
        DROP POLICY audit_holder_states ON stockade.audit_entry;
        DROP POLICY audit_appender_appends ON stockade.audit_entry;
        DROP POLICY audit_checkpointer_declares ON stockade.audit_entry;
        DROP POLICY audit_capturer_appends ON stockade.audit_entry;
        ALTER TABLE stockade.audit_entry ALTER COLUMN recorded_at TYPE timestamptz;
        UPDATE stockade.audit_entry SET recorded_at = recorded_at + interval '1 microsecond' WHERE entity_id = 'L-3'";
    assert_eq!(after(&mut superuser, below).await, [(Some(3), Finding::ContentAltered)]);
}

#[sqlx::test(migrations = false)]
async fn an_empty_list_is_not_the_same_as_none(pool: PgPool) {
    install(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    let plain = Entry::new(tenant(1), Actor::system("job"), "a");
    postgres::record(&mut *superuser, &plain).await.unwrap();
    seal(&pool).await;
    disarm(&mut superuser).await;
    let forgery = "UPDATE stockade.audit_entry SET personal_paths = '{}', commitments = '{}'";
    assert_eq!(after(&mut superuser, forgery).await, [(Some(1), Finding::ContentAltered)]);
}

#[sqlx::test(migrations = false)]
async fn any_changed_personal_value(pool: PgPool) {
    let mut superuser = log(&pool).await;
    let altered = |path: &str| (Some(3), Finding::PersonalAltered { path: path.to_owned() });
    let missing = |path: &str| (Some(3), Finding::PersonalMissing { path: path.to_owned() });
    // The paths of an entry, in order.
    let paths = ["actor/name", "after/driver/ssn", "before/driver/ssn", "request/ip", "request/user_agent"];
    let forgeries = of_the_third!("audit_payload":
        "field_values[1] = 'Bob'",
        "salts[4] = salts[5]",
        "field_values[2] = field_values[3], field_values[3] = field_values[2]",
        "field_values[5] = NULL, salts[5] = NULL",
        "salts[5] = NULL",
        "field_values = field_values[1:3], salts = salts[1:3]",
    );
    let expected = [
        vec![altered(paths[0])],
        vec![altered(paths[3])],
        vec![altered(paths[1]), altered(paths[2])],
        vec![missing(paths[4])],
        vec![missing(paths[4])],
        vec![missing(paths[3]), missing(paths[4])],
    ];
    for (forgery, expected) in forgeries.into_iter().zip(expected) {
        assert_eq!(after(&mut superuser, forgery).await, expected, "{forgery}");
    }
    let malformed = of_the_third!("audit_payload":
        "salts[2] = 'x'",
        "salts = salts[1:4]",
        "field_values = field_values || ''::bytea, salts = salts || salts[1]",
        "field_values = array[field_values, field_values], salts = array[salts, salts]",
    );
    for forgery in malformed {
        assert_eq!(after(&mut superuser, forgery).await, [(Some(3), Finding::ContentAltered)], "{forgery}");
    }
    let all: Vec<_> = paths.iter().map(|path| missing(path)).collect();
    let gone = "DELETE FROM stockade.audit_payload WHERE entry_id = (SELECT entry_id FROM stockade.audit_link
            WHERE seq = 3)";
    assert_eq!(after(&mut superuser, gone).await, all);
}

#[sqlx::test(migrations = false)]
async fn any_changed_link(pool: PgPool) {
    let mut superuser = log(&pool).await;
    let broken = |seq| (Some(seq), Finding::LinkBroken);
    let link = |change| [(Some(3), change)].to_vec();
    let missing = |seq, through| (Some(seq), Finding::LinkMissing { through });
    for (forgery, expected) in [
        ("UPDATE stockade.audit_link SET prev = sha256('x') WHERE seq = 3", link(Finding::LinkBroken)),
        ("UPDATE stockade.audit_link SET hash = sha256('x') WHERE seq = 3", link(Finding::LinkBroken)),
        ("UPDATE stockade.audit_link SET hash = sha256('x') WHERE seq = 5", vec![broken(5)]),
        (
            "UPDATE stockade.audit_link SET leaf = sha256('x') WHERE seq = 3",
            vec![broken(3), (Some(3), Finding::ContentAltered)],
        ),
        (
            "UPDATE stockade.audit_link SET leaf = ''
            WHERE seq = 3",
            vec![broken(3), (Some(3), Finding::ContentAltered)],
        ),
        ("UPDATE stockade.audit_link SET prev = sha256('x') WHERE seq = 1", vec![broken(1)]),
        // Another entry behind the link, or none.
        (
            "UPDATE stockade.audit_link SET entry_id = gen_random_uuid() WHERE seq = 3; DELETE
                FROM stockade.audit_entry WHERE entity_id = 'L-3'",
            link(Finding::EntryMissing),
        ),
        ("DELETE FROM stockade.audit_entry WHERE entity_id = 'L-3'", link(Finding::EntryMissing)),
        (
            "UPDATE stockade.audit_link a SET entry_id = b.entry_id FROM stockade.audit_link b
                WHERE a.seq + b.seq = 7 AND abs(a.seq - b.seq) = 1",
            vec![(Some(3), Finding::ContentAltered), (Some(4), Finding::ContentAltered)],
        ),
        // Numbers.
        ("DELETE FROM stockade.audit_link WHERE seq = 3", vec![missing(3, 3)]),
        ("DELETE FROM stockade.audit_link WHERE seq BETWEEN 2 AND 4", vec![missing(2, 4)]),
        ("DELETE FROM stockade.audit_link WHERE seq > 3", vec![missing(4, 5)]),
        ("DELETE FROM stockade.audit_link", vec![missing(1, 5)]),
        ("UPDATE stockade.audit_link SET seq = -3 WHERE seq = 3", vec![missing(3, 3), (None, Finding::LinkBroken)]),
        (
            "UPDATE stockade.audit_link SET seq = 0
            WHERE seq = 1",
            vec![(Some(0), Finding::LinkBroken), missing(1, 1)],
        ),
        (
            "UPDATE stockade.audit_link SET seq = 9 - seq WHERE seq IN (4, 5)",
            vec![broken(4), broken(5), (Some(5), Finding::HeadMismatch)],
        ),
        (
            "INSERT INTO stockade.audit_link
                SELECT tenant_id, seq, 'ffffffff-0000-0000-0000-000000000000', prev, leaf, hash
                FROM stockade.audit_link WHERE seq = 3",
            vec![(Some(3), Finding::Fork), (Some(3), Finding::EntryMissing)],
        ),
        // Heads.
        ("UPDATE stockade.audit_head SET seq = 4", vec![(Some(5), Finding::HeadMismatch)]),
        ("UPDATE stockade.audit_head SET seq = 7", vec![missing(6, 7)]),
        ("UPDATE stockade.audit_head SET hash = sha256('x')", vec![(Some(5), Finding::HeadMismatch)]),
        ("UPDATE stockade.audit_head SET hash = ''", vec![(Some(5), Finding::HeadMismatch)]),
        ("UPDATE stockade.audit_head SET seq = -1", vec![(Some(5), Finding::HeadMismatch)]),
        ("DELETE FROM stockade.audit_head", vec![(Some(5), Finding::HeadMismatch)]),
        ("UPDATE stockade.audit_head SET chain_id = gen_random_uuid()", vec![broken(1)]),
    ] {
        let found = after(&mut superuser, forgery).await;
        assert_eq!(found, expected, "{forgery}");
    }
}

#[sqlx::test(migrations = false)]
async fn a_history_that_was_cut_off_contradicts_a_kept_head(pool: PgPool) {
    let mut superuser = log(&pool).await;
    let kept = *report(&pool, tenant(1)).await.head().unwrap();
    // The last two entries with every trace of them, and the head set back: by itself that is a
    // shorter, intact log.
    let forgery = "
        DELETE FROM stockade.audit_entry WHERE entity_id IN ('L-4', 'L-5');
        DELETE FROM stockade.audit_link WHERE seq > 3;
        UPDATE stockade.audit_head SET seq = 3, hash = (SELECT hash FROM stockade.audit_link WHERE seq = 3)";
    sqlx::raw_sql(forgery).execute(&mut superuser).await.unwrap();
    assert!(report(&pool, tenant(1)).await.is_intact());
    let options = VerifyOptions::new().kept_head(kept);
    let report = verify(&mut superuser, tenant(1), &options).await.unwrap();
    assert_eq!(findings(&report), [(Some(3), Finding::Truncated { kept: 5 })]);
    // Filled up with other entries, it is longer again, and still not the same.
    append(&pool, tenant(1), 4).await;
    seal(&pool).await;
    let report = verify(&mut superuser, tenant(1), &options).await.unwrap();
    assert_eq!(findings(&report), [(Some(5), Finding::HistoryReplaced)]);
}
