//! Captured changes: each row once, whichever statement changed it, by whom the transaction says.

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, PgPool};
use stockade_audit_chain::{
    Actor, ActorKind, AuditRow, RequestContext,
    postgres::{Capture, Filter, StrictTransaction, attach, capture_as, detach, record, search},
};

use crate::support::{APP, ATTACHER, SEALER, connect, entry, install, report, scope, seal, sqlstate, tenant};

/// A table of loads that belongs to the attacher and is captured.
pub(crate) const LOADS: &str = "
    CREATE TABLE loads (
        tenant_id uuid NOT NULL, id int PRIMARY KEY, driver text, rate numeric(12, 2), detail jsonb, seen_at timestamptz);
    GRANT SELECT, INSERT, UPDATE, DELETE ON loads TO stockade_audit_test_app;";

pub(crate) fn loads() -> Capture {
    Capture::table("loads").named("load").personal(["driver"]).leave_out(["seen_at"])
}

/// The log, and a table that is captured.
pub(crate) async fn captured(pool: &PgPool) -> PgConnection {
    install(pool).await;
    let mut attacher = connect(pool, ATTACHER).await;
    sqlx::raw_sql(LOADS).execute(&mut attacher).await.unwrap();
    assert!(attach(&mut attacher, &loads()).await.unwrap());
    attacher
}

/// What the log of the first tenant says, oldest first.
pub(crate) async fn log(pool: &PgPool) -> Vec<AuditRow> {
    let mut rows = search(&mut connect(pool, SEALER).await, &Filter::new(tenant(1))).await.unwrap().rows;
    rows.reverse();
    rows
}

/// Actions and ids, in the order of the chain.
pub(crate) async fn sealed(pool: &PgPool) -> Vec<String> {
    seal(pool).await;
    assert!(report(pool, tenant(1)).await.is_intact());
    let mut rows = log(pool).await;
    rows.sort_by_key(|row| row.seq);
    rows.into_iter().map(|row| format!("{} {}", row.action, row.entity_id.unwrap_or_default())).collect()
}

/// Runs statements as the application in the first tenant's context.
pub(crate) async fn work(pool: &PgPool, sql: &'static str) {
    let mut app = connect(pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    sqlx::raw_sql(sql).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn an_entry_says_what_was_before_and_after_and_who_did_it(pool: PgPool) {
    captured(&pool).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    let actor = Actor::api_token("t-1").named("Ana").with_role("billing").on_behalf_of("c-3").in_impersonation("g-4");
    let ip: std::net::IpAddr = "::ffff:203.0.113.9".parse().unwrap();
    let request =
        RequestContext::new().ip(ip).user_agent("curl").endpoint("PUT", "/loads/{id}").status(204).request_id(7);
    capture_as(&mut *tx, &actor, &request).await.unwrap();
    let insert = "INSERT INTO loads VALUES ($1, 1, 'Cruz', 12.50, '{\"b\": 1, \"aa\": null}', now())";
    sqlx::query(insert).bind(uuid::Uuid::from(tenant(1))).execute(&mut *tx).await.unwrap();
    sqlx::raw_sql("UPDATE loads SET rate = 13, detail = detail || '{\"b\": 2}'").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    // The context ended with its transaction.
    work(&pool, "DELETE FROM loads").await;

    assert_eq!(sealed(&pool).await, ["load.insert 1", "load.update 1", "load.delete 1"]);
    let [insert, update, delete] = log(&pool).await.try_into().unwrap();
    let first = json!({"tenant_id": tenant(1).to_string(), "id": 1, "driver": "Cruz", "rate": 12.50,
        "detail": {"aa": null, "b": 1}});
    let second = json!({"tenant_id": tenant(1).to_string(), "id": 1, "driver": "Cruz", "rate": 13.00,
        "detail": {"aa": null, "b": 2}});
    assert_eq!((insert.before, insert.after), (None, Some(first.clone())));
    assert_eq!((update.before, update.after), (Some(first), Some(second.clone())));
    assert_eq!((delete.before, delete.after), (Some(second), None));
    assert_eq!(update.changes, ["/detail/b", "/rate"]);
    assert!(insert.changes.is_empty() && delete.changes.is_empty());
    assert_eq!((update.actor_kind, update.actor_id.as_str()), (ActorKind::ApiToken, "t-1"));
    assert_eq!((update.actor_name.as_deref(), update.actor_role.as_deref()), (Some("Ana"), Some("billing")));
    assert_eq!((update.on_behalf_of.as_deref(), update.impersonation.as_deref()), (Some("c-3"), Some("g-4")));
    assert_eq!((update.ip, update.user_agent.as_deref()), (Some(ip.to_canonical()), Some("curl")));
    assert_eq!((update.method.as_deref(), update.endpoint.as_deref()), (Some("PUT"), Some("/loads/{id}")));
    assert_eq!((update.status, update.request_id.as_deref()), (Some(204), Some("7")));
    assert_eq!((delete.actor_kind, delete.actor_id.as_str()), (ActorKind::System, APP));
    assert_eq!((delete.ip, delete.request_id), (None, None));
}

#[sqlx::test(migrations = false)]
async fn commits_and_rolls_back_with_the_change(pool: PgPool) {
    captured(&pool).await;
    let row = "INSERT INTO loads VALUES ('00000000-0000-0000-0000-000000000001', 1)";
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    sqlx::raw_sql(row).execute(&mut *tx).await.unwrap();
    tx.rollback().await.unwrap();
    work(&pool, "SAVEPOINT a; INSERT INTO loads VALUES ('00000000-0000-0000-0000-000000000001', 2); ROLLBACK TO a")
        .await;
    assert!(sealed(&pool).await.is_empty());
    work(&pool, row).await;
    assert_eq!(sealed(&pool).await, ["load.insert 1"]);
}

#[sqlx::test(migrations = false)]
async fn an_update_of_nothing_or_of_what_is_left_out_records_nothing(pool: PgPool) {
    captured(&pool).await;
    work(&pool, "INSERT INTO loads VALUES ('00000000-0000-0000-0000-000000000001', 1, NULL, 1, '{\"a\": 1}')").await;
    work(&pool, "UPDATE loads SET rate = rate; UPDATE loads SET seen_at = now(), detail = '{ \"a\":1 }'").await;
    assert_eq!(sealed(&pool).await, ["load.insert 1"]);
    assert!(log(&pool).await[0].after.as_ref().unwrap().get("seen_at").is_none());
    // Other digits are another value, also where they are an equal number.
    work(&pool, "UPDATE loads SET detail = '{\"a\": 1.0}'").await;
    assert_eq!(sealed(&pool).await, ["load.insert 1", "load.update 1"]);
}

#[sqlx::test(migrations = false)]
async fn every_kind_of_statement_is_captured_once(pool: PgPool) {
    let mut attacher = captured(&pool).await;
    let more = "
        CREATE TABLE stops (tenant_id uuid NOT NULL, load int REFERENCES loads ON DELETE CASCADE ON UPDATE CASCADE, place text,
            PRIMARY KEY (load, place));
        CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO stops VALUES (NEW.tenant_id, NEW.id, 'depot'); RETURN NULL; END $$;
        CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.place = 'nowhere' THEN RETURN NULL; END IF; NEW.place := btrim(NEW.place); RETURN NEW; END $$;
        CREATE TRIGGER follow AFTER INSERT ON loads FOR EACH ROW EXECUTE FUNCTION follow();
        CREATE TRIGGER tidy BEFORE INSERT ON stops FOR EACH ROW EXECUTE FUNCTION tidy();
        GRANT SELECT, INSERT, UPDATE, DELETE ON stops TO stockade_audit_test_app;";
    sqlx::raw_sql(more).execute(&mut attacher).await.unwrap();
    assert!(attach(&mut attacher, &Capture::table("stops").named("stop")).await.unwrap());
    let mut seen = 0;
    for (statement, expected) in [
        (
            "INSERT INTO loads SELECT '00000000-0000-0000-0000-000000000001', n FROM generate_series(1, 2) n",
            &["load.insert 1", "load.insert 2", r#"stop.insert [1,"depot"]"#, r#"stop.insert [2,"depot"]"#][..],
        ),
        // What a trigger before it changes or swallows is changed or swallowed here too.
        (
            "INSERT INTO stops VALUES ('00000000-0000-0000-0000-000000000001', 1, ' dock '),
                ('00000000-0000-0000-0000-000000000001', 1, 'nowhere')",
            &[r#"stop.insert [1,"dock"]"#],
        ),
        (
            "INSERT INTO loads VALUES ('00000000-0000-0000-0000-000000000001', 1, 'x')
                ON CONFLICT (id) DO UPDATE SET driver = excluded.driver",
            &["load.update 1"],
        ),
        ("INSERT INTO loads VALUES ('00000000-0000-0000-0000-000000000001', 1) ON CONFLICT DO NOTHING", &[]),
        (
            "MERGE INTO loads l USING (VALUES (1), (2)) AS s (id) ON l.id = s.id
                WHEN MATCHED AND s.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET rate = 5",
            &["load.delete 1", "load.update 2", r#"stop.delete [1,"depot"]"#, r#"stop.delete [1,"dock"]"#],
        ),
        ("UPDATE loads SET id = 3 WHERE id = 2", &["load.update 2", r#"stop.update [2,"depot"]"#]),
        (
            "WITH gone AS (DELETE FROM stops RETURNING load) UPDATE loads SET rate = 6 FROM gone WHERE load = id",
            &[r#"stop.delete [3,"depot"]"#, "load.update 3"],
        ),
        ("DO $$ BEGIN DELETE FROM loads WHERE id = 3; END $$", &["load.delete 3"]),
        ("DELETE FROM loads WHERE id = 99", &[]),
    ] {
        work(&pool, statement).await;
        let all = sealed(&pool).await;
        let mut new = all[seen..].to_vec();
        new.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(new, expected, "{statement}");
        seen = all.len();
    }
    // COPY, by a role without a context of a tenant.
    let mut copy = attacher.copy_in_raw("COPY loads (tenant_id, id) FROM STDIN").await.unwrap();
    copy.send(&b"00000000-0000-0000-0000-000000000001\t7\n00000000-0000-0000-0000-000000000001\t8\n"[..])
        .await
        .unwrap();
    copy.finish().await.unwrap();
    let mut new = sealed(&pool).await.split_off(seen);
    new.sort();
    assert_eq!(new, ["load.insert 7", "load.insert 8", r#"stop.insert [7,"depot"]"#, r#"stop.insert [8,"depot"]"#]);
}

#[sqlx::test(migrations = false)]
async fn rows_of_every_partition_and_child_are_captured_once(pool: PgPool) {
    install(&pool).await;
    let mut attacher = connect(&pool, ATTACHER).await;
    let tables = "
        CREATE TABLE postings (tenant_id uuid NOT NULL, id int, x int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
        CREATE TABLE postings_1 PARTITION OF postings FOR VALUES FROM (0) TO (10);
        CREATE TABLE postings_2 PARTITION OF postings FOR VALUES FROM (10) TO (20) PARTITION BY LIST (id);
        CREATE TABLE postings_2_a PARTITION OF postings_2 DEFAULT;
        CREATE TABLE drivers (tenant_id uuid NOT NULL, id int PRIMARY KEY, x int);
        CREATE TABLE owner_drivers (truck text) INHERITS (drivers);";
    sqlx::raw_sql(tables).execute(&mut attacher).await.unwrap();
    assert!(attach(&mut attacher, &Capture::table("postings").named("posting")).await.unwrap());
    assert!(attach(&mut attacher, &Capture::table("drivers").named("driver")).await.unwrap());
    // Partitions that come later: made, and made of a table that was there.
    let later = "
        CREATE TABLE postings_3 PARTITION OF postings FOR VALUES FROM (20) TO (30);
        CREATE TABLE spare (x int, id int NOT NULL, gone int, tenant_id uuid NOT NULL);
        ALTER TABLE spare DROP COLUMN gone;
        ALTER TABLE postings ATTACH PARTITION spare FOR VALUES FROM (30) TO (40);";
    sqlx::raw_sql(later).execute(&mut attacher).await.unwrap();
    let mut expected: Vec<&str> = Vec::new();
    for (statement, captured) in [
        (
            "INSERT INTO postings SELECT '00000000-0000-0000-0000-000000000001', n FROM unnest('{1, 11, 21, 31}'::int[]) n",
            &["posting.insert 1", "posting.insert 11", "posting.insert 21", "posting.insert 31"][..],
        ),
        (
            "UPDATE postings SET x = 1",
            &["posting.update 1", "posting.update 11", "posting.update 21", "posting.update 31"],
        ),
        ("UPDATE postings_2_a SET x = 2; UPDATE spare SET x = 2", &["posting.update 11", "posting.update 31"]),
        // A row that moves is a deleted and an inserted one, as it is to every trigger.
        ("UPDATE postings SET id = 12 WHERE id = 1", &["posting.delete 1", "posting.insert 12"]),
        ("DELETE FROM postings_3", &["posting.delete 21"]),
        (
            "INSERT INTO drivers VALUES ('00000000-0000-0000-0000-000000000001', 1);
            INSERT INTO owner_drivers VALUES ('00000000-0000-0000-0000-000000000001', 2)",
            &["driver.insert 1", "driver.insert 2"],
        ),
        ("UPDATE drivers SET x = 1", &["driver.update 1", "driver.update 2"]),
        ("UPDATE owner_drivers SET truck = 'T'", &["driver.update 2"]),
    ] {
        sqlx::raw_sql(statement).execute(&mut attacher).await.unwrap();
        expected.extend(captured);
        assert_eq!(sealed(&pool).await, expected, "{statement}");
    }
    let parts = [
        "TRUNCATE postings",
        "TRUNCATE postings_1",
        "TRUNCATE postings_2",
        "TRUNCATE postings_2_a",
        "TRUNCATE drivers",
        "TRUNCATE ONLY drivers",
        "TRUNCATE owner_drivers",
    ];
    for truncation in parts {
        assert_eq!(sqlstate(sqlx::raw_sql(truncation).execute(&mut attacher).await), "42501", "{truncation}");
    }
    // A new partition takes part in that once its table is attached again.
    let mut tx = attacher.begin().await.unwrap();
    assert!(attach(&mut *tx, &Capture::table("postings").named("posting")).await.unwrap());
    assert_eq!(sqlstate(sqlx::raw_sql("TRUNCATE postings_3").execute(&mut *tx).await), "42501");
    tx.rollback().await.unwrap();
    // A partition that is one no longer is not captured any more, and is not the table's.
    let taken = "ALTER TABLE postings DETACH PARTITION spare; UPDATE spare SET x = 9";
    sqlx::raw_sql(taken).execute(&mut attacher).await.unwrap();
    assert!(detach(&mut attacher, &Capture::table("postings")).await.unwrap());
    assert!(detach(&mut attacher, &Capture::table("drivers")).await.unwrap());
    sqlx::raw_sql("UPDATE postings SET x = 9; UPDATE drivers SET x = 9; TRUNCATE postings, drivers")
        .execute(&mut attacher)
        .await
        .unwrap();
    assert_eq!(sealed(&pool).await, expected);
}

#[sqlx::test(migrations = false)]
async fn who_attached_and_detached_what_is_in_the_log_of_no_tenant(pool: PgPool) {
    let mut attacher = captured(&pool).await;
    assert!(!attach(&mut attacher, &loads()).await.unwrap(), "nothing was changed");
    let mut tx = attacher.begin().await.unwrap();
    capture_as(&mut *tx, &Actor::user("ops-1"), &RequestContext::new()).await.unwrap();
    assert!(attach(&mut *tx, &loads().leave_out(["detail"])).await.unwrap());
    assert!(detach(&mut *tx, &Capture::table("loads")).await.unwrap());
    assert!(!detach(&mut *tx, &Capture::table("loads")).await.unwrap());
    tx.commit().await.unwrap();
    sqlx::raw_sql("INSERT INTO loads VALUES ('00000000-0000-0000-0000-000000000001', 1)")
        .execute(&mut attacher)
        .await
        .unwrap();
    // A table that was dropped is detached by its name, or when another of its name is attached.
    assert!(attach(&mut attacher, &loads()).await.unwrap());
    sqlx::raw_sql("DROP TABLE loads").execute(&mut attacher).await.unwrap();
    assert!(detach(&mut attacher, &Capture::table("loads").schema("public")).await.unwrap());
    for _ in 0..2 {
        sqlx::raw_sql(LOADS).execute(&mut attacher).await.unwrap();
        assert!(attach(&mut attacher, &loads()).await.unwrap());
        sqlx::raw_sql("DROP TABLE loads").execute(&mut attacher).await.unwrap();
    }
    seal(&pool).await;
    assert!(report(&pool, tenant(0)).await.is_intact());
    let mut sealer = connect(&pool, SEALER).await;
    let mut rows = search(&mut sealer, &Filter::new(tenant(0))).await.unwrap().rows;
    rows.sort_by_key(|row| row.seq);
    let said: Vec<_> = rows.iter().map(|row| (row.actor_id.as_str(), row.action.as_str())).collect();
    let ops = [("ops-1", "audit.attached"), ("ops-1", "audit.detached")];
    let (on, off) = ((ATTACHER, "audit.attached"), (ATTACHER, "audit.detached"));
    assert_eq!(said, [on, ops[0], ops[1], on, off, on, off, on]);
    assert!(rows.iter().all(|row| row.entity_id.as_deref() == Some("public.loads")));
    assert_eq!(rows[1].changes, ["/left_out"]);
    assert_eq!(rows[1].after.as_ref().unwrap()["left_out"], json!(["detail", "seen_at"]));
    assert_eq!((rows[2].before.as_ref(), &rows[2].after), (rows[1].after.as_ref(), &None::<Value>));
}

#[sqlx::test(migrations = false)]
async fn captured_entries_are_sealed_beside_strict_and_recorded_ones(pool: PgPool) {
    captured(&pool).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = StrictTransaction::begin(&mut app).await.unwrap();
    let context = "SELECT set_config('stockade.tenant_id', '00000000-0000-0000-0000-000000000001', true)";
    sqlx::raw_sql(context).execute(&mut *tx).await.unwrap();
    let insert = "INSERT INTO loads VALUES ('00000000-0000-0000-0000-000000000001', 1)";
    sqlx::raw_sql(insert).execute(&mut *tx).await.unwrap();
    record(&mut *tx, &entry(tenant(1), 5)).await.unwrap();
    let linked = tx.commit(&[entry(tenant(1), 6)]).await.unwrap();
    assert_eq!(linked[0].link.unwrap().seq, 1);
    assert_eq!(sealed(&pool).await, ["load.update L-6", "load.insert 1", "load.update L-5"]);
}

#[sqlx::test(migrations = false)]
async fn writers_side_by_side_lose_and_double_nothing(pool: PgPool) {
    const WRITERS: u64 = 6;
    let turns = crate::support::number("STOCKADE_AUDIT_CAPTURE_TURNS", 40);
    captured(&pool).await;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut app = connect(&pool, APP).await;
                for turn in 0..turns {
                    let mut tx = scope(&mut app, tenant(1)).await;
                    let id = i32::try_from(writer * turns + turn).unwrap();
                    let insert = "INSERT INTO loads VALUES ('00000000-0000-0000-0000-000000000001', $1)";
                    sqlx::query(insert).bind(id).execute(&mut *tx).await.unwrap();
                    sqlx::query("UPDATE loads SET rate = id WHERE id = $1").bind(id).execute(&mut *tx).await.unwrap();
                    if turn % 3 == 0 {
                        tx.rollback().await.unwrap();
                    } else {
                        tx.commit().await.unwrap();
                    }
                }
            })
        })
        .collect();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        seal(&pool).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    seal(&pool).await;
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    assert_eq!(report.checked(), WRITERS * (turns - turns.div_ceil(3)) * 2);
}
