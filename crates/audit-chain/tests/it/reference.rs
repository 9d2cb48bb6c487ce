//! The second implementation, in Python, reads the rows of the database and must agree.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, PgPool};
use stockade_audit_chain::{
    Actor, ErasureRequest, Finding, PurgeRequest,
    postgres::{Purge, Subject, VerifyOptions, erase, purge, verify},
};

use crate::support::{ERASER, PURGER, append, append_old, connect, disarm, install, report, seal, tenant};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/verify.py");

fn second_opinion(log: &Value) -> Value {
    let mut python = Command::new("python3")
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs `python3` (3.10 or later, no packages) on the PATH");
    python.stdin.take().unwrap().write_all(log.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    let found: Value =
        serde_json::from_slice(&output.stdout).expect("`python3` could not run tests/reference/verify.py");
    assert_eq!(output.status.code(), Some(i32::from(found != json!([]))));
    found
}

/// What the second implementation finds in the log of the first tenant.
pub(crate) async fn second_opinion_of(connection: &mut PgConnection) -> Value {
    second_opinion(&dump(connection).await)
}

/// The first tenant's rows as PostgreSQL has them, with nothing of this crate in between.
async fn dump(connection: &mut PgConnection) -> Value {
    let entries = "
        SELECT json_build_object(
            'link', json_build_object('seq', l.seq, 'entry_id', l.entry_id, 'prev', encode(l.prev, 'hex'),
                'leaf', encode(l.leaf, 'hex'), 'hash', encode(l.hash, 'hex')),
            'payload', CASE WHEN p.entry_id IS NOT NULL THEN json_build_object(
                'field_values', ARRAY(SELECT encode(v, 'hex') FROM unnest(p.field_values) v),
                'salts', ARRAY(SELECT encode(s, 'hex') FROM unnest(p.salts) s)) END,
            'entry', CASE WHEN e.entry_id IS NOT NULL THEN (to_jsonb(e)
                || jsonb_build_object('recorded_at', (extract(epoch FROM e.recorded_at) * 1000)::bigint,
                    'occurred_at', (extract(epoch FROM e.occurred_at) * 1000)::bigint,
                    'before', e.before::text, 'after', e.after::text, 'changes', e.changes::text,
                    'leaf', encode(e.leaf, 'hex'),
                    'commitments', ARRAY(SELECT encode(c, 'hex') FROM unnest(e.commitments) c)))::json END)
        FROM stockade.audit_link l LEFT JOIN stockade.audit_entry e USING (entry_id)
            LEFT JOIN stockade.audit_payload p USING (entry_id)
        WHERE l.tenant_id = '00000000-0000-0000-0000-000000000001' ORDER BY l.seq";
    let entries: Vec<Value> = sqlx::query_scalar(entries).fetch_all(&mut *connection).await.unwrap();
    let head = "SELECT json_build_object('chain_id', chain_id, 'seq', seq, 'hash', encode(hash, 'hex'))
        FROM stockade.audit_head WHERE tenant_id = '00000000-0000-0000-0000-000000000001'";
    let head: Value = sqlx::query_scalar(head).fetch_one(&mut *connection).await.unwrap();
    let evidence = "
        SELECT json_build_object('action', v.action, 'envelope', encode(v.envelope, 'hex'), 'list', coalesce(
            (SELECT json_agg(json_build_object('entry_id', x.entry_id, 'path', x.path, 'commitment', encode(x.commitment, 'hex'))
                ORDER BY x.entry_id, x.path) FROM stockade.audit_erased x WHERE x.list_id = v.list_id),
            (SELECT json_agg(json_build_object('first_seq', r.first_seq, 'last_seq', r.last_seq, 'before', encode(r.before, 'hex'),
                'after', encode(r.after, 'hex')) ORDER BY r.first_seq) FROM stockade.audit_purged r WHERE r.list_id = v.list_id)))
        FROM stockade.audit_evidence v WHERE v.tenant_id = '00000000-0000-0000-0000-000000000001'";
    let evidence: Vec<Value> = sqlx::query_scalar(evidence).fetch_all(connection).await.unwrap();
    json!({"tenant": tenant(1).to_string(), "head": head, "entries": entries, "evidence": evidence})
}

#[test]
fn agrees_on_the_known_answers() {
    let mut log: Value = serde_json::from_str(include_str!("../data/format-1.json")).unwrap();
    assert_eq!(second_opinion(&log), json!([]));
    log["entries"][1]["entry"]["status"] = json!(304);
    assert_eq!(second_opinion(&log), json!([[2, "ContentAltered"]]));
}

#[sqlx::test(migrations = false)]
async fn agrees_on_a_log_and_on_forgeries_of_it(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 5).await;
    seal(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    for forgery in [
        "SELECT",
        "UPDATE stockade.audit_entry SET action = 'x' WHERE entity_id = 'L-3'",
        "UPDATE stockade.audit_entry SET after = before WHERE entity_id IN ('L-1', 'L-5')",
        "UPDATE stockade.audit_entry SET leaf = sha256('x') WHERE entity_id = 'L-3'",
        "DELETE FROM stockade.audit_entry WHERE entity_id = 'L-3'",
        "UPDATE stockade.audit_payload SET field_values[2] = '\"x\"'",
        "DELETE FROM stockade.audit_payload",
        "UPDATE stockade.audit_link SET prev = sha256('x') WHERE seq = 3",
        "UPDATE stockade.audit_link SET hash = sha256('x') WHERE seq = 3",
        "UPDATE stockade.audit_link SET hash = sha256('x') WHERE seq = 5",
        "UPDATE stockade.audit_link SET leaf = sha256('x') WHERE seq = 1",
        "DELETE FROM stockade.audit_link WHERE seq IN (2, 3)",
        "DELETE FROM stockade.audit_link WHERE seq = 5",
        "UPDATE stockade.audit_head SET seq = 4",
        "UPDATE stockade.audit_head SET hash = sha256('x')",
        "UPDATE stockade.audit_head SET chain_id = gen_random_uuid()",
    ] {
        let mut tx = superuser.begin().await.unwrap();
        sqlx::raw_sql(forgery).execute(&mut *tx).await.unwrap();
        let report = verify(&mut *tx, tenant(1), &VerifyOptions::default()).await.unwrap();
        let found: Vec<_> =
            report.verdicts().iter().map(|verdict| json!([verdict.seq, name(&verdict.finding)])).collect();
        assert_eq!(second_opinion(&dump(&mut tx).await), Value::from(found), "{forgery}");
        assert_eq!(report.is_intact(), forgery == "SELECT");
    }
}

#[sqlx::test(migrations = false)]
async fn agrees_on_what_was_forgotten_and_on_forgeries_of_it(pool: PgPool) {
    install(&pool).await;
    append_old(&pool, tenant(1), 1, 3).await;
    seal(&pool).await;
    append(&pool, tenant(1), 5).await;
    seal(&pool).await;
    let kept = *report(&pool, tenant(1)).await.head().unwrap();
    let order = PurgeRequest::new(Actor::system("retention"), "P-1");
    let before = "2017-02-01T00:00:00Z".parse().unwrap();
    let purged = purge(&mut connect(&pool, PURGER).await, before, &order, &[kept]).await.unwrap();
    assert!(matches!(purged, Purge::Done { months: 1, .. }));
    // Six values of two entries: the sides of the tree differ in height.
    let request = ErasureRequest::new(Actor::user("officer"), "R-1", "GDPR Art. 17(1)(b)");
    let subject = Subject::Actor("user-1".to_owned());
    assert_eq!(erase(&mut connect(&pool, ERASER).await, tenant(1), &subject, &request).await.unwrap().erased.len(), 6);
    seal(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    let loosen = "ALTER TABLE stockade.audit_evidence DISABLE TRIGGER USER;
        ALTER TABLE stockade.audit_erased DISABLE TRIGGER USER;
        ALTER TABLE stockade.audit_purged DISABLE TRIGGER USER;";
    sqlx::raw_sql(loosen).execute(&mut *superuser).await.unwrap();
    for forgery in [
        "SELECT",
        "UPDATE stockade.audit_payload SET field_values = '{}', salts = '{}' WHERE entry_id = (
            SELECT entry_id FROM stockade.audit_link WHERE seq = 5)",
        "UPDATE stockade.audit_erased SET commitment = sha256('x')",
        "UPDATE stockade.audit_purged SET after = sha256('x')",
        "UPDATE stockade.audit_purged SET last_seq = last_seq - 1, after = (SELECT hash FROM stockade.audit_link WHERE seq = 2)",
        "DELETE FROM stockade.audit_evidence",
        "DELETE FROM stockade.audit_entry WHERE entry_id = (SELECT entry_id FROM stockade.audit_link WHERE seq = 4)",
    ] {
        let mut tx = superuser.begin().await.unwrap();
        sqlx::raw_sql(forgery).execute(&mut *tx).await.unwrap();
        let report = verify(&mut *tx, tenant(1), &VerifyOptions::default()).await.unwrap();
        let found: Vec<_> =
            report.verdicts().iter().map(|verdict| json!([verdict.seq, name(&verdict.finding)])).collect();
        assert_eq!(second_opinion(&dump(&mut tx).await), Value::from(found), "{forgery}");
        assert_eq!(report.is_intact(), forgery == "SELECT");
    }
}

fn name(finding: &Finding) -> String {
    format!("{finding:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}
