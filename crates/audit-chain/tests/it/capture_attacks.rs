//! Attacks on the capture of changes: by the application, by a table's owner, and by whoever attaches what is not theirs.

use sqlx::{Connection as _, PgConnection, PgPool};
use stockade_audit_chain::{
    Actor, ErrorKind, RequestContext,
    postgres::{Capture, attach, capture_as, detach},
};

use crate::{
    capture::{captured, loads, log, sealed, work},
    support::{APP, ATTACHER, connect, install, scope, sqlstate, tenant},
};

const ROW: &str = "INSERT INTO loads VALUES ('00000000-0000-0000-0000-000000000001', 1)";
const FOREIGN: &str = "INSERT INTO loads VALUES ('00000000-0000-0000-0000-000000000002', 2)";

async fn refused(connection: &mut PgConnection, attack: &'static str, code: &str) {
    let mut tx = scope(connection, tenant(1)).await;
    let result = sqlx::raw_sql(attack).execute(&mut *tx).await;
    assert!(result.is_err(), "not refused: {attack}");
    assert_eq!(sqlstate(result), code, "{attack}");
}

#[sqlx::test(migrations = false)]
async fn the_application_can_neither_end_the_capture_nor_go_around_it(pool: PgPool) {
    captured(&pool).await;
    work(&pool, ROW).await;
    let mut app = connect(&pool, APP).await;
    for attack in [
        "ALTER TABLE loads DISABLE TRIGGER audit_capture",
        "ALTER TABLE loads ENABLE TRIGGER audit_capture",
        "ALTER TABLE loads RENAME COLUMN driver TO chauffeur",
        "DROP TRIGGER audit_capture ON loads",
        "CREATE OR REPLACE TRIGGER audit_capture AFTER TRUNCATE ON loads EXECUTE FUNCTION stockade.audit_refuse()",
        "CREATE RULE quiet AS ON UPDATE TO loads DO INSTEAD NOTHING",
        "SET session_replication_role = replica",
        "TRUNCATE loads",
        "COPY loads FROM PROGRAM 'true'",
        // The functions behind it, and its list.
        "SELECT stockade.audit_detach('loads')",
        "SELECT stockade.audit_attach('loads')",
        "SELECT stockade.audit_note('loads', NULL, '{}', '', '', '{}', '{}')",
        "SELECT stockade.audit_release('loads')",
        "SELECT stockade.audit_write(gen_random_uuid(), 'load.update', 'load', '1', NULL, '{}', '{}')",
        "INSERT INTO stockade.audit_attached (relation, called, id_columns, entity_type, action, personal, left_out)
            VALUES ('loads', '', '{}', '', '', '{}', '{}')",
        "DELETE FROM stockade.audit_attached",
        "SET ROLE stockade_capturer",
        // A table of its own, to write what it likes by.
        "CREATE TEMP TABLE mine (tenant_id uuid, id int);
            CREATE TRIGGER t AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION stockade.audit_capture()",
        // Another tenant's row, in this tenant's context.
        FOREIGN,
        "UPDATE loads SET tenant_id = '00000000-0000-0000-0000-000000000002'",
    ] {
        refused(&mut app, attack, "42501").await;
    }
    refused(&mut app, "SELECT stockade.audit_capture()", "42501").await;
    assert_eq!(sealed(&pool).await, ["load.insert 1"]);
}

#[sqlx::test(migrations = false)]
async fn names_that_shadow_those_of_the_catalogue_change_nothing(pool: PgPool) {
    captured(&pool).await;
    let traps = "
        CREATE SCHEMA evil;
        GRANT USAGE ON SCHEMA evil TO PUBLIC;
        CREATE FUNCTION evil.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{}'::jsonb $$;
        CREATE FUNCTION evil.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$;
        CREATE FUNCTION evil.current_setting(text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT '{\"kind\":\"user\",\"id\":\"x\"}' $$;
        CREATE FUNCTION evil.differ(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT false';
        CREATE OPERATOR evil.<> (FUNCTION = evil.differ, LEFTARG = uuid, RIGHTARG = uuid);";
    sqlx::raw_sql(traps).execute(&pool).await.unwrap();
    let mut app = connect(&pool, APP).await;
    let temporary = "
        SET search_path = evil, public, pg_catalog;
        CREATE TEMP TABLE audit_attached (relation regclass, tenant_column text);
        CREATE TEMP TABLE pg_trigger (tgrelid oid);
        CREATE TEMP TABLE loads (tenant_id uuid, id int);";
    sqlx::raw_sql(temporary).execute(&mut app).await.unwrap();
    let mut tx = scope(&mut app, tenant(1)).await;
    let row = "INSERT INTO public.loads VALUES ('00000000-0000-0000-0000-000000000001', 1, 'Cruz')";
    sqlx::raw_sql(row).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    refused(&mut app, "INSERT INTO public.loads VALUES ('00000000-0000-0000-0000-000000000002', 2)", "42501").await;
    assert_eq!(sealed(&pool).await, ["load.insert 1"]);
    let entry = &log(&pool).await[0];
    assert_eq!((entry.actor_id.as_str(), entry.after.as_ref().unwrap()["driver"].as_str()), (APP, Some("Cruz")));
}

#[sqlx::test(migrations = false)]
async fn a_superuser_without_ordinary_triggers_is_captured(pool: PgPool) {
    captured(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    sqlx::raw_sql("SET session_replication_role = replica").execute(&mut *superuser).await.unwrap();
    sqlx::raw_sql(ROW).execute(&mut *superuser).await.unwrap();
    assert_eq!(sqlstate(sqlx::raw_sql("TRUNCATE loads").execute(&mut *superuser).await), "42501");
    assert_eq!(sealed(&pool).await, ["load.insert 1"]);
    // An ordinary trigger would not have fired.
    sqlx::raw_sql("ALTER TABLE loads ENABLE TRIGGER audit_capture").execute(&mut *superuser).await.unwrap();
    sqlx::raw_sql("DELETE FROM loads").execute(&mut *superuser).await.unwrap();
    assert_eq!(sealed(&pool).await, ["load.insert 1"]);
}

#[sqlx::test(migrations = false)]
async fn a_row_is_recorded_for_its_own_tenant_or_refused(pool: PgPool) {
    let mut attacher = captured(&pool).await;
    // Without a tenant's context, as a job of the operator has it, each row goes to its own tenant's log.
    sqlx::raw_sql(ROW).execute(&mut attacher).await.unwrap();
    sqlx::raw_sql(FOREIGN).execute(&mut attacher).await.unwrap();
    assert_eq!(sealed(&pool).await, ["load.insert 1"]);
    assert_eq!(log(&pool).await[0].actor_id, ATTACHER);
    for attack in [
        "UPDATE loads SET tenant_id = '00000000-0000-0000-0000-000000000003' WHERE id = 1",
        "ALTER TABLE loads ALTER tenant_id DROP NOT NULL; UPDATE loads SET tenant_id = NULL",
        "ALTER TABLE loads ALTER tenant_id DROP NOT NULL; INSERT INTO loads VALUES (NULL, 3)",
    ] {
        let mut tx = attacher.begin().await.unwrap();
        assert_eq!(sqlstate(sqlx::raw_sql(attack).execute(&mut *tx).await), "42501", "{attack}");
    }
    refused(&mut attacher, "DELETE FROM loads WHERE id = 2", "42501").await;
}

#[sqlx::test(migrations = false)]
async fn a_context_that_no_entry_could_have_stops_the_change(pool: PgPool) {
    captured(&pool).await;
    let mut app = connect(&pool, APP).await;
    for (context, code) in [
        ("x", "22P02"),
        ("[]", "22023"),
        ("{}", "22023"),
        (r#"{"kind": "root", "id": "u"}"#, "22023"),
        (r#"{"kind": "user", "id": ""}"#, "22023"),
        (r#"{"kind": "user", "id": "u", "status": 99}"#, "22023"),
        (r#"{"kind": "user", "id": "u", "status": "x"}"#, "22P02"),
        (r#"{"kind": "user", "id": "u", "ip": "here"}"#, "22P02"),
        (r#"{"kind": "user", "id": "a\u0000b"}"#, "22P05"),
    ] {
        let mut tx = scope(&mut app, tenant(1)).await;
        let set = sqlx::query("SELECT set_config('stockade.audit_context', $1, true)");
        set.bind(context).execute(&mut *tx).await.unwrap();
        let result = sqlx::raw_sql(ROW).execute(&mut *tx).await;
        assert!(result.is_err(), "{context}");
        assert_eq!(sqlstate(result), code, "{context}");
    }
    let mut tx = scope(&mut app, tenant(1)).await;
    for part in
        ["on_behalf_of", "impersonation", "method", "request_id", "name", "role", "user_agent", "endpoint", "id"]
    {
        let mut said = serde_json::json!({"kind": "user", "id": "u"});
        said[part] = "x".repeat(4097).into();
        let mut tx = tx.begin().await.unwrap();
        let set = sqlx::query("SELECT set_config('stockade.audit_context', $1, true)");
        set.bind(said.to_string()).execute(&mut *tx).await.unwrap();
        assert_eq!(sqlstate(sqlx::raw_sql(ROW).execute(&mut *tx).await), "22023", "{part}");
    }
    // The crate does not send what would be refused.
    for actor in [Actor::user(""), Actor::user("a\0b"), Actor::user("u").named("x".repeat(4097))] {
        let error = capture_as(&mut *tx, &actor, &RequestContext::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidEntry);
    }
    let request = RequestContext::new().status(99);
    assert!(capture_as(&mut *tx, &Actor::user("u"), &request).await.is_err());
    tx.rollback().await.unwrap();
    assert!(sealed(&pool).await.is_empty());
}

#[sqlx::test(migrations = false)]
async fn a_column_that_was_renamed_is_not_recorded_in_the_clear(pool: PgPool) {
    let mut attacher = captured(&pool).await;
    for rename in ["driver TO chauffeur", "seen_at TO seen", "id TO number", "tenant_id TO account_id"] {
        let mut tx = attacher.begin().await.unwrap();
        let rename = sqlx::AssertSqlSafe(format!("ALTER TABLE loads RENAME COLUMN {rename}"));
        sqlx::raw_sql(rename).execute(&mut *tx).await.unwrap();
        assert_eq!(sqlstate(sqlx::raw_sql(ROW).execute(&mut *tx).await), "55000");
    }
    // A column that is new, or that nothing names, is another matter; and so is another name of the table.
    let change = "ALTER TABLE loads RENAME COLUMN rate TO price; ALTER TABLE loads ADD note text;
        ALTER TABLE loads RENAME TO freights; INSERT INTO freights VALUES ('00000000-0000-0000-0000-000000000001', 1)";
    sqlx::raw_sql(change).execute(&mut attacher).await.unwrap();
    let rename = "ALTER TABLE freights RENAME COLUMN driver TO chauffeur";
    sqlx::raw_sql(rename).execute(&mut attacher).await.unwrap();
    let again = Capture::table("freights").named("load").personal(["chauffeur"]).leave_out(["seen_at"]);
    assert!(attach(&mut attacher, &again).await.unwrap());
    sqlx::raw_sql("UPDATE freights SET chauffeur = 'Cruz'").execute(&mut attacher).await.unwrap();
    assert_eq!(sealed(&pool).await, ["load.insert 1", "load.update 1"]);
}

#[sqlx::test(migrations = false)]
async fn attaching_is_refused_with_the_reason(pool: PgPool) {
    let mut attacher = captured(&pool).await;
    let things = "
        CREATE VIEW seen AS SELECT * FROM loads;
        CREATE MATERIALIZED VIEW kept AS SELECT * FROM loads;
        CREATE TEMP TABLE passing (tenant_id uuid NOT NULL, id int PRIMARY KEY);
        CREATE TABLE untenanted (id int PRIMARY KEY);
        CREATE TABLE texted (tenant_id text NOT NULL, id int PRIMARY KEY);
        CREATE TABLE nullable (tenant_id uuid, id int PRIMARY KEY);
        CREATE TABLE keyless (tenant_id uuid NOT NULL, id int);
        CREATE TABLE parts (tenant_id uuid NOT NULL, id int PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE part PARTITION OF parts DEFAULT;";
    sqlx::raw_sql(things).execute(&mut attacher).await.unwrap();
    sqlx::raw_sql("CREATE TABLE foreign_owned (tenant_id uuid NOT NULL, id int PRIMARY KEY)")
        .execute(&pool)
        .await
        .unwrap();
    let table = Capture::table;
    let cases = [
        (table("absent"), "no such table"),
        (table("loads").schema("absent"), "no such table"),
        (table("LOADS"), "no such table"),
        (table("seen"), "ordinary or a partitioned table"),
        (table("kept"), "ordinary or a partitioned table"),
        (table("passing"), "ordinary or a partitioned table"),
        (table("pg_class").schema("pg_catalog"), "ordinary or a partitioned table"),
        (table("audit_entry").schema("stockade"), "ordinary or a partitioned table"),
        (table("part"), "a partition"),
        (table("untenanted"), "no such tenant column"),
        (table("texted"), "no such tenant column"),
        (table("nullable"), "no such tenant column"),
        (table("loads").tenant("tenant"), "no such tenant column"),
        (table("loads").tenant("ctid"), "no such tenant column"),
        (table("keyless"), "no primary key"),
        (table("loads").id([""; 0]), "no primary key"),
        (table("loads").id(["ids"]), "no such column"),
        (table("loads").personal(["Driver"]), "no such column"),
        (table("loads").leave_out(["xmin"]), "no such column"),
        (table("loads").personal(["id"]), "at once"),
        (table("loads").leave_out(["tenant_id"]), "at once"),
        (table("loads").personal(["driver"]).leave_out(["driver"]), "at once"),
        (table("loads").named(""), "empty, too long"),
        (table("loads").named("x".repeat(257)), "empty, too long"),
        (table("loads").action("audit"), "of the log itself"),
        (table("loads").action("audit.erased"), "of the log itself"),
    ];
    for (capture, problem) in cases {
        let error = attach(&mut attacher, &capture).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotCapturable, "{capture:?} {error}");
        assert!(error.to_string().contains(problem), "{capture:?} {error}");
    }
    let named = attach(&mut attacher, &table("loads").named("auditor")).await.unwrap();
    assert!(named && attach(&mut attacher, &table("keyless").id(["id"])).await.unwrap());

    // Whose table it is counts, and the group.
    let error = attach(&mut attacher, &table("foreign_owned")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Refused, "only the owner of a table decides about its capture")
    );
    assert_eq!(detach(&mut attacher, &table("foreign_owned")).await.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(attach(&mut connect(&pool, APP).await, &table("loads")).await.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(detach(&mut attacher, &table("absent")).await.unwrap_err().kind(), ErrorKind::NotCapturable);
}

#[sqlx::test(migrations = false)]
async fn an_attacher_writes_nothing_but_the_changes_of_its_own_tables(pool: PgPool) {
    install(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    sqlx::raw_sql(crate::capture::LOADS).execute(&mut *superuser).await.unwrap();
    assert!(attach(&mut *superuser, &loads()).await.unwrap());
    let mut attacher = connect(&pool, ATTACHER).await;
    for (attack, code) in [
        // Another's table, by the functions behind the call.
        ("SELECT stockade.audit_note('loads', 'tenant_id', '{id}', 'load', 'load', '{}', '{driver}')", "AC016"),
        ("SELECT stockade.audit_note('loads', NULL, '{}', '', '', '{}', '{}')", "AC016"),
        ("SELECT stockade.audit_release('loads')", "42501"),
        // The trigger by hand, on a table that is not attached.
        (
            "CREATE TABLE mine (tenant_id uuid, id int);
            CREATE TRIGGER audit_capture AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION stockade.audit_capture();
            INSERT INTO mine VALUES (gen_random_uuid(), 1)",
            "55000",
        ),
        // A note about a table that has no trigger, or one that somebody can pass by.
        (
            "CREATE TABLE mine (tenant_id uuid NOT NULL, id int PRIMARY KEY);
            SELECT stockade.audit_note('mine', 'tenant_id', '{id}', 'x', 'audit', '{}', '{}')",
            "AC016",
        ),
        ("SELECT stockade.audit_write(gen_random_uuid(), 'x', 'x', 'x', NULL, NULL, '{}')", "42501"),
        (
            "INSERT INTO stockade.audit_unsealed (tenant_id, entry_id) VALUES (gen_random_uuid(), gen_random_uuid())",
            "42501",
        ),
        ("SELECT FROM stockade.audit_entry", "42501"),
    ] {
        refused(&mut attacher, attack, code).await;
    }
    // An owner who says that the log's own actions are a table's, past the check, is refused by the policy.
    let forged = "
        CREATE TABLE mine (tenant_id uuid NOT NULL, id int PRIMARY KEY);
        SELECT stockade.audit_attach('mine');
        SELECT stockade.audit_note('mine', 'tenant_id', '{id}', 'x', 'audit.x', '{}', '{}');
        INSERT INTO mine VALUES ('00000000-0000-0000-0000-000000000001', 1)";
    refused(&mut attacher, forged, "42501").await;
}

#[sqlx::test(migrations = false)]
async fn a_change_whose_entry_would_be_swallowed_does_not_happen(pool: PgPool) {
    captured(&pool).await;
    let rule = "CREATE RULE quiet AS ON INSERT TO stockade.audit_unsealed DO INSTEAD NOTHING";
    sqlx::raw_sql(rule).execute(&pool).await.unwrap();
    refused(&mut connect(&pool, APP).await, ROW, "42501").await;
}

#[sqlx::test(migrations = false)]
async fn attaching_waits_for_who_is_writing(pool: PgPool) {
    let mut attacher = captured(&pool).await;
    assert!(detach(&mut attacher, &loads()).await.unwrap());
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    sqlx::raw_sql(ROW).execute(&mut *tx).await.unwrap();
    let attaching = tokio::spawn(async move { attach(&mut attacher, &loads()).await.unwrap() });
    let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
        WHERE c.relname = 'loads' AND l.mode = 'ShareRowExclusiveLock' AND NOT l.granted
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    sqlx::raw_sql("UPDATE loads SET rate = 1").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert!(attaching.await.unwrap());
    work(&pool, "UPDATE loads SET rate = 2").await;
    assert_eq!(sealed(&pool).await, ["load.update 1"]);
}
