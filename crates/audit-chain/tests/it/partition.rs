//! Partitions: made ahead, guarded one by one, and never a reason for a transaction of the application to fail.

use chrono::{DateTime, Months, Utc};
use sqlx::{PgConnection, PgPool};
use stockade_audit_chain::postgres::{self, Sealer, VerifyOptions, verify};

use crate::support::{
    APP, ERASER, HOLDER, PURGER, SEALER, append, connect, disarm, entry, install, report, scope, seal, sqlstate, tenant,
};

async fn partitions(pool: &PgPool) -> Vec<String> {
    let names = "SELECT i.inhrelid::regclass::text FROM pg_inherits i
        WHERE i.inhparent IN ('stockade.audit_entry'::regclass, 'stockade.audit_payload'::regclass)
        ORDER BY 1";
    sqlx::query_scalar(names).fetch_all(pool).await.unwrap()
}

fn named(month: DateTime<Utc>) -> String {
    month.format("_%Y_%m").to_string()
}

/// Runs a statement that names a table that only the database knows.
async fn run(connection: &mut PgConnection, statement: &str, partition: &str) -> Result<(), sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(statement.replace("{}", partition));
    sqlx::raw_sql(sql).execute(connection).await.map(drop)
}

#[sqlx::test(migrations = false)]
async fn this_month_and_the_next_three_are_there(pool: PgPool) {
    install(&pool).await;
    let now = Utc::now();
    let mut expected = vec!["_default".to_owned()];
    expected.extend((0..4).map(|ahead| named(now.checked_add_months(Months::new(ahead)).unwrap())));
    let of = |table: &str| expected.iter().map(move |suffix| format!("stockade.{table}{suffix}")).collect::<Vec<_>>();
    let mut expected: Vec<_> = [of("audit_entry"), of("audit_payload")].concat();
    expected.sort();
    let mut found = partitions(&pool).await;
    found.sort();
    assert_eq!(found, expected);
    // Nothing goes to the default partition.
    append(&pool, tenant(1), 2).await;
    let strays: i64 =
        sqlx::query_scalar("SELECT count(*) FROM stockade.audit_entry_default").fetch_one(&pool).await.unwrap();
    assert_eq!(strays, 0);
}

#[sqlx::test(migrations = false)]
async fn every_role_is_refused_at_every_partition(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 2).await;
    seal(&pool).await;
    let outsiders = [APP, SEALER, ERASER, PURGER, HOLDER];
    let attacks = [
        "SELECT FROM {}",
        "INSERT INTO {} SELECT * FROM {}",
        "UPDATE {} SET entry_id = gen_random_uuid()",
        "UPDATE {} SET tenant_id = gen_random_uuid()",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "ALTER TABLE {} NO FORCE ROW LEVEL SECURITY",
        "COPY {} TO STDOUT",
        "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
    ];
    for role in outsiders {
        let mut connection = connect(&pool, role).await;
        for partition in partitions(&pool).await {
            for attack in attacks {
                let mut tx = scope(&mut connection, tenant(1)).await;
                let refused = run(&mut tx, attack, &partition).await;
                assert_eq!(sqlstate(refused), "42501", "{role}: {attack} on {partition}");
            }
        }
    }
    // The owner and a superuser still meet the triggers, also under `session_replication_role = replica`.
    for first in ["SET ROLE stockade_owner", "SET session_replication_role = replica"] {
        let mut connection = connect(&pool, "postgres").await;
        sqlx::raw_sql(first).execute(&mut connection).await.unwrap();
        for partition in partitions(&pool).await {
            assert_eq!(
                sqlstate(run(&mut connection, "TRUNCATE {}", &partition).await),
                "42501",
                "{first}: {partition}"
            );
        }
        let filled = format!("stockade.audit_entry{}", named(Utc::now()));
        for attack in ["UPDATE {} SET leaf = leaf", "DELETE FROM {}"] {
            assert_eq!(sqlstate(run(&mut connection, attack, &filled).await), "42501", "{first}: {attack}");
        }
    }
    assert!(report(&pool, tenant(1)).await.is_intact());
}

#[sqlx::test(migrations = false)]
async fn a_partition_that_is_detached_or_dropped_is_missed(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 2).await;
    seal(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    let filled = format!("stockade.audit_entry{}", named(Utc::now()));
    for attack in ["ALTER TABLE stockade.audit_entry DETACH PARTITION {}", "DROP TABLE {}"] {
        run(&mut superuser, attack, &filled).await.unwrap();
        assert_eq!(report(&pool, tenant(1)).await.verdicts().len(), 2, "{attack}");
    }
}

#[sqlx::test(migrations = false)]
async fn an_entry_cannot_be_filed_under_another_month(pool: PgPool) {
    install(&pool).await;
    let mut app = connect(&pool, APP).await;
    for role in [APP, "postgres"] {
        let mut connection = connect(&pool, role).await;
        let mut tx = scope(&mut connection, tenant(1)).await;
        let insert = "INSERT INTO stockade.audit_entry (entry_id, tenant_id, format, recorded_at, action, severity, outcome,
                actor_kind, actor_id, leaf)
            VALUES ('0168a000-0000-7000-8000-000000000000', $1, 1, clock_timestamp(), 'a', 0, 'success', 'user', 'u', sha256('x'))";
        let refused = sqlx::query(insert).bind(uuid::Uuid::from(tenant(1))).execute(&mut *tx).await;
        assert_eq!(sqlstate(refused), "23514", "{role}");
    }
    let mut tx = scope(&mut app, tenant(1)).await;
    let payload = "INSERT INTO stockade.audit_payload VALUES ('0168a000-0000-7000-8000-000000000000', $1, '{}', '{}')";
    assert_eq!(sqlstate(sqlx::query(payload).bind(uuid::Uuid::from(tenant(1))).execute(&mut *tx).await), "42501");
}

#[sqlx::test(migrations = false)]
async fn a_month_that_nobody_made_becomes_the_default_and_the_default_the_month(pool: PgPool) {
    install(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    for suffix in ["stockade.audit_entry", "stockade.audit_payload"] {
        let filled = format!("{suffix}{}", named(Utc::now()));
        run(&mut superuser, "DROP TABLE {}", &filled).await.unwrap();
    }
    // The application goes on, into the default partition.
    append(&pool, tenant(1), 3).await;
    let strays = "SELECT (SELECT count(*) FROM stockade.audit_entry_default) + (SELECT count(*) FROM stockade.audit_payload_default)";
    let count = || sqlx::query_scalar::<_, i64>(strays).fetch_one(&pool);
    assert_eq!(count().await.unwrap(), 6);
    // A sealer mends it, with the rows where they are; another entry goes to the month.
    assert_eq!(seal(&pool).await.entries, 3);
    assert_eq!(count().await.unwrap(), 0);
    append(&pool, tenant(1), 1).await;
    assert_eq!(count().await.unwrap(), 0);
    seal(&pool).await;
    assert!(report(&pool, tenant(1)).await.is_intact());
    assert_eq!(partitions(&pool).await.len(), 10);
    every_partition_is_guarded(&pool).await;
    // Again, and nothing changes.
    seal(&pool).await;
    assert_eq!(partitions(&pool).await.len(), 10);
}

async fn every_partition_is_guarded(pool: &PgPool) {
    let open = "SELECT c.oid::regclass::text FROM pg_class c
        WHERE c.relnamespace = 'stockade'::regnamespace AND c.relispartition AND c.relkind = 'r'
            AND (NOT c.relrowsecurity OR NOT c.relforcerowsecurity OR c.relowner <> 'stockade_owner'::regrole
                OR (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled = 'A')
                    <> CASE WHEN c.relname LIKE 'audit_entry%' THEN 2 ELSE 3 END
                OR (c.relname LIKE '%default') <> EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))";
    let open: Vec<String> = sqlx::query_scalar(open).fetch_all(pool).await.unwrap();
    assert!(open.is_empty(), "{open:?}");
}

#[sqlx::test(migrations = false)]
async fn a_long_transaction_keeps_no_sealer_from_sealing(pool: PgPool) {
    install(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    let filled = format!("stockade.audit_entry{}", named(Utc::now().checked_add_months(Months::new(3)).unwrap()));
    run(&mut superuser, "DROP TABLE {}", &filled).await.unwrap();
    run(&mut superuser, "DROP TABLE {}", &filled.replace("audit_entry", "audit_payload")).await.unwrap();
    append(&pool, tenant(1), 1).await;
    // A reader of everything is in the way of a new partition, and not of a seal.
    let mut reader = connect(&pool, SEALER).await;
    let mut tx = scope(&mut reader, tenant(1)).await;
    verify(&mut *tx, tenant(1), &VerifyOptions::default()).await.unwrap();
    assert_eq!(seal(&pool).await.entries, 1);
    assert_eq!(partitions(&pool).await.len(), 8);
    tx.rollback().await.unwrap();
    seal(&pool).await;
    assert_eq!(partitions(&pool).await.len(), 10);
}

#[sqlx::test(migrations = false)]
async fn sealers_that_start_at_once_make_each_partition_once(pool: PgPool) {
    install(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    for partition in partitions(&pool).await.iter().filter(|name| !name.ends_with("default")) {
        run(&mut superuser, "DROP TABLE {}", partition).await.unwrap();
    }
    let sealers: Vec<_> = (0..4)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { Sealer::new().seal_pending(&mut connect(&pool, SEALER).await).await.unwrap() })
        })
        .collect();
    for sealer in sealers {
        sealer.await.unwrap();
    }
    assert_eq!(partitions(&pool).await.len(), 10);
    every_partition_is_guarded(&pool).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    postgres::record(&mut *tx, &entry(tenant(1), 1)).await.unwrap();
    tx.commit().await.unwrap();
}
