//! Somebody with the file has taken triggers, keys and checks away and changes rows. Every change
//! must be named by tenant and number.

use sqlx::{Connection as _, SqliteConnection};
use stockade_audit_chain::{
    Conclusion, Finding,
    sqlite::{VerifyOptions, verify},
};

use crate::support::{Log, append, disarm, findings, report, tenant};

macro_rules! of_the_third {
    ($table:literal: $($change:literal,)*) => {
        [$(concat!("UPDATE stockade_audit_", $table, " SET ", $change,
            " WHERE entry_id = (SELECT entry_id FROM stockade_audit_link WHERE seq = 3)")),*]
    };
}

async fn disarmed() -> (Log, SqliteConnection) {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    disarm(&mut connection).await;
    (log, connection)
}

/// What verification finds when these statements have been run, which are then taken back.
async fn after(connection: &mut SqliteConnection, forgery: &'static str) -> Vec<(Option<u64>, Finding)> {
    let mut tx = connection.begin().await.unwrap();
    sqlx::raw_sql(forgery).execute(&mut *tx).await.unwrap();
    let report = verify(&mut tx, tenant(1), &VerifyOptions::default()).await.unwrap();
    assert!(!report.is_intact(), "not found: {forgery}");
    findings(&report)
}

#[tokio::test]
async fn any_changed_column_of_an_entry() {
    let (_log, mut connection) = disarmed().await;
    let forgeries = of_the_third!("entry":
        "tenant_id = randomblob(16)",
        "tenant_id = 'x'",
        "recorded_at = recorded_at + 1",
        "recorded_at = recorded_at + 0.5",
        "recorded_at = 'now'",
        "occurred_at = recorded_at",
        "action = action || ' '",
        "action = NULL",
        "action = x'ff'",
        "action = CAST(x'ff' AS TEXT)",
        "severity = 0",
        "severity = -1",
        "severity = 257",
        "outcome = 'denied'",
        "actor_kind = 'system'",
        "actor_id = 'user-9'",
        "actor_role = NULL",
        "on_behalf_of = ''",
        "impersonation = 'x'",
        "entity_type = entity_id, entity_id = entity_type",
        "entity_id = 'L-4'",
        "method = 'GET'",
        "endpoint = endpoint || '/'",
        "status = 302",
        "status = -303",
        "status = status + 65536",
        "request_id = NULL",
        "before = after, after = before",
        "before = before || ' '",
        "after = before",
        "changes = '[]'",
        "changes = NULL",
        "commitments = NULL",
        "commitments = x''",
        "commitments = substr(commitments, 1, length(commitments) - 1)",
        "commitments = commitments || x'00'",
        "commitments = zeroblob(length(commitments))",
        "format = -1",
        "format = 'x'",
        "leaf = zeroblob(32)",
        "leaf = x''",
        "leaf = NULL",
    );
    for forgery in forgeries {
        assert_eq!(after(&mut connection, forgery).await, [(Some(3), Finding::ContentAltered)], "{forgery}");
    }
    let mut tx = connection.begin().await.unwrap();
    sqlx::raw_sql("UPDATE stockade_audit_entry SET format = 2").execute(&mut *tx).await.unwrap();
    let unknown = report(&mut tx, tenant(1)).await;
    assert_eq!(unknown.conclusion(), Conclusion::Unverifiable);
    assert_eq!(findings(&unknown).len(), 5);
}

#[tokio::test]
async fn any_changed_personal_value() {
    let (_log, mut connection) = disarmed().await;
    let altered = |path: &str| (Some(3), Finding::PersonalAltered { path: path.to_owned() });
    let missing = |path: &str| (Some(3), Finding::PersonalMissing { path: path.to_owned() });
    macro_rules! payload {
        ($change:literal, $path:literal) => {
            concat!(
                "UPDATE stockade_audit_payload SET ",
                $change,
                " WHERE path = '",
                $path,
                "' AND entry_id = (SELECT entry_id FROM stockade_audit_link WHERE seq = 3)"
            )
        };
    }
    for (forgery, expected) in [
        (payload!("value = CAST('Bob' AS BLOB)", "actor/name"), vec![altered("actor/name")]),
        (payload!("salt = zeroblob(32)", "request/ip"), vec![altered("request/ip")]),
        (payload!("value = NULL, salt = NULL", "request/user_agent"), vec![missing("request/user_agent")]),
        (payload!("salt = NULL", "request/user_agent"), vec![missing("request/user_agent")]),
        // A salt of another length, a path that the entry does not have, a value of another path.
        (payload!("salt = x'00'", "actor/name"), vec![(Some(3), Finding::ContentAltered)]),
        (payload!("path = 'after/other'", "actor/name"), vec![(Some(3), Finding::ContentAltered)]),
        (payload!("path = x'ff'", "actor/name"), vec![(Some(3), Finding::ContentAltered)]),
        (
            "UPDATE stockade_audit_payload SET path = CASE path WHEN 'after/driver/ssn' THEN 'before/driver/ssn'
                WHEN 'before/driver/ssn' THEN 'after/driver/ssn' ELSE path END
                WHERE entry_id = (SELECT entry_id FROM stockade_audit_link WHERE seq = 3)",
            vec![altered("after/driver/ssn"), altered("before/driver/ssn")],
        ),
        (
            "INSERT INTO stockade_audit_payload SELECT entry_id, 'after/new', value, salt FROM stockade_audit_payload
                WHERE path = 'request/ip' AND entry_id = (SELECT entry_id FROM stockade_audit_link WHERE seq = 3)",
            vec![(Some(3), Finding::ContentAltered)],
        ),
        (
            "DELETE FROM stockade_audit_payload WHERE path LIKE 'request%'
                AND entry_id = (SELECT entry_id FROM stockade_audit_link WHERE seq = 3)",
            vec![missing("request/ip"), missing("request/user_agent")],
        ),
    ] {
        assert_eq!(after(&mut connection, forgery).await, expected, "{forgery}");
    }
}

#[tokio::test]
async fn any_changed_link() {
    let (_log, mut connection) = disarmed().await;
    let broken = |seq| (Some(seq), Finding::LinkBroken);
    let missing = |seq, through| (Some(seq), Finding::LinkMissing { through });
    let third = |finding| vec![(Some(3), finding)];
    let mismatch = || vec![(Some(5), Finding::HeadMismatch)];
    for (forgery, expected) in [
        ("UPDATE stockade_audit_link SET prev = zeroblob(32) WHERE seq = 3", third(Finding::LinkBroken)),
        ("UPDATE stockade_audit_link SET hash = zeroblob(32) WHERE seq = 3", third(Finding::LinkBroken)),
        ("UPDATE stockade_audit_link SET hash = 'x' WHERE seq = 5", vec![broken(5)]),
        (
            "UPDATE stockade_audit_link SET leaf = zeroblob(32) WHERE seq = 3",
            vec![broken(3), (Some(3), Finding::ContentAltered)],
        ),
        (
            "UPDATE stockade_audit_link SET leaf = NULL WHERE seq = 3",
            vec![broken(3), (Some(3), Finding::ContentAltered)],
        ),
        ("UPDATE stockade_audit_link SET prev = zeroblob(32) WHERE seq = 1", vec![broken(1)]),
        // Another entry behind the link, or none.
        ("DELETE FROM stockade_audit_entry WHERE entity_id = 'L-3'", third(Finding::EntryMissing)),
        (
            "UPDATE stockade_audit_link SET entry_id = (SELECT l.entry_id FROM stockade_audit_link l WHERE l.seq = 4)
                WHERE seq = 3; DELETE FROM stockade_audit_entry WHERE entity_id = 'L-3'",
            third(Finding::ContentAltered),
        ),
        // Numbers.
        (
            "DELETE FROM stockade_audit_link WHERE seq = 3; DELETE FROM stockade_audit_entry WHERE entity_id = 'L-3'",
            vec![missing(3, 3)],
        ),
        ("DELETE FROM stockade_audit_entry; DELETE FROM stockade_audit_link", vec![missing(1, 5)]),
        (
            "UPDATE stockade_audit_link SET seq = 9 - seq WHERE seq IN (4, 5)",
            vec![broken(4), broken(5), (Some(5), Finding::HeadMismatch)],
        ),
        (
            "INSERT INTO stockade_audit_link SELECT tenant_id, seq, x'ffffffffffffffffffffffffffffffff', prev, leaf,
                hash FROM stockade_audit_link WHERE seq = 3",
            vec![(Some(3), Finding::Fork), (Some(3), Finding::EntryMissing)],
        ),
        // Heads.
        ("UPDATE stockade_audit_head SET seq = 4", mismatch()),
        ("UPDATE stockade_audit_head SET seq = 7", vec![missing(6, 7)]),
        ("UPDATE stockade_audit_head SET seq = -1", mismatch()),
        ("UPDATE stockade_audit_head SET hash = zeroblob(32)", mismatch()),
        ("UPDATE stockade_audit_head SET hash = NULL", mismatch()),
        ("DELETE FROM stockade_audit_head", mismatch()),
        ("UPDATE stockade_audit_head SET chain_id = randomblob(16)", vec![broken(1)]),
    ] {
        assert_eq!(after(&mut connection, forgery).await, expected, "{forgery}");
    }
    // A link that was removed leaves its entry without one.
    let found = after(&mut connection, "DELETE FROM stockade_audit_link WHERE seq = 3").await;
    assert!(matches!(found[..], [(Some(3), Finding::LinkMissing { .. }), (None, Finding::UnsealedOverdue { .. })]));
}

#[tokio::test]
async fn a_history_that_was_cut_off_contradicts_a_kept_head() {
    let (_log, mut connection) = disarmed().await;
    let kept = *report(&mut connection, tenant(1)).await.head().unwrap();
    // The last two entries with every trace of them, and the head set back: by itself that is a
    // shorter, intact log.
    let forgery = "
        DELETE FROM stockade_audit_entry WHERE entity_id IN ('L-4', 'L-5');
        DELETE FROM stockade_audit_link WHERE seq > 3;
        UPDATE stockade_audit_head SET seq = 3, hash = (SELECT hash FROM stockade_audit_link WHERE seq = 3)";
    sqlx::raw_sql(forgery).execute(&mut connection).await.unwrap();
    assert!(report(&mut connection, tenant(1)).await.is_intact());
    let options = VerifyOptions::new().kept_head(kept);
    let report = verify(&mut connection, tenant(1), &options).await.unwrap();
    assert_eq!(findings(&report), [(Some(3), Finding::Truncated { kept: 5 })]);
}

/// The log of yesterday in the place of today's file: intact by itself, too old for a kept head.
#[tokio::test]
async fn an_older_copy_of_the_file_contradicts_a_kept_head() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let copy = log.file().with_extension("yesterday");
    let backup = sqlx::query("VACUUM INTO ?").bind(copy.to_str().unwrap().to_owned());
    backup.execute(&mut connection).await.unwrap();
    append(&mut connection, tenant(1), 2).await;
    let kept = *report(&mut connection, tenant(1)).await.head().unwrap();

    let mut old = sqlx::ConnectOptions::connect(&crate::support::options(&copy)).await.unwrap();
    assert!(report(&mut old, tenant(1)).await.is_intact());
    let found = verify(&mut old, tenant(1), &VerifyOptions::new().kept_head(kept)).await.unwrap();
    assert_eq!(findings(&found), [(Some(5), Finding::Truncated { kept: 7 })]);
    // Written on, it is another history.
    append(&mut old, tenant(1), 3).await;
    let found = verify(&mut old, tenant(1), &VerifyOptions::new().kept_head(kept)).await.unwrap();
    assert_eq!(findings(&found), [(Some(7), Finding::HistoryReplaced)]);
}
