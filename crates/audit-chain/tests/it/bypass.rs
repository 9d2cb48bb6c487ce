//! Attacks on the append-only tables, as each role that could try. What is refused must be refused
//! with 42501, and must leave every row as it was.

use sqlx::{Connection as _, PgConnection, PgPool};
use stockade_audit_chain::Finding;

use crate::support::{APP, SEALER, append, connect, disarm, findings, install, report, scope, seal, sqlstate, tenant};

/// Changes of rows, which no role may make.
const CHANGES: &[&str] = &[
    "UPDATE stockade.audit_entry SET action = 'x'",
    "UPDATE stockade.audit_payload SET salts = '{}'",
    "UPDATE stockade.audit_link SET seq = seq + 1",
    "UPDATE stockade.audit_unsealed SET entry_id = gen_random_uuid()",
    "UPDATE stockade.audit_head SET seq = 0",
    "UPDATE stockade.audit_head SET chain_id = gen_random_uuid(), seq = seq + 1",
    "UPDATE stockade.audit_head SET tenant_id = gen_random_uuid(), seq = seq + 1",
    "DELETE FROM stockade.audit_entry",
    "DELETE FROM stockade.audit_payload",
    "DELETE FROM stockade.audit_link",
    "DELETE FROM stockade.audit_head",
    "TRUNCATE stockade.audit_entry",
    "TRUNCATE stockade.audit_payload",
    "TRUNCATE stockade.audit_link",
    "TRUNCATE stockade.audit_unsealed",
    "TRUNCATE stockade.audit_head",
    "TRUNCATE stockade.audit_entry, stockade.audit_link CASCADE",
    "MERGE INTO stockade.audit_entry e USING stockade.audit_link l ON e.entry_id = l.entry_id
        WHEN MATCHED THEN DELETE",
    "MERGE INTO stockade.audit_entry e USING stockade.audit_link l ON e.entry_id = l.entry_id
        WHEN MATCHED THEN UPDATE SET action = 'x'",
    "INSERT INTO stockade.audit_entry SELECT * FROM stockade.audit_entry
        ON CONFLICT (entry_id) DO UPDATE SET action = 'x'",
    "INSERT INTO stockade.audit_link SELECT * FROM stockade.audit_link
        ON CONFLICT (tenant_id, seq) DO UPDATE SET leaf = sha256('x')",
    "WITH gone AS (DELETE FROM stockade.audit_entry RETURNING 1) SELECT count(*) FROM gone",
];

/// Changes of the tables themselves and of the rules around them, which only their owner may make.
const STRUCTURE: &[&str] = &[
    "ALTER TABLE stockade.audit_entry DISABLE TRIGGER ALL",
    "ALTER TABLE stockade.audit_entry DISABLE TRIGGER audit_append_only",
    "DROP TRIGGER audit_append_only ON stockade.audit_entry",
    "DROP TABLE stockade.audit_entry",
    "ALTER TABLE stockade.audit_entry NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE stockade.audit_link DROP CONSTRAINT audit_link_one_successor",
    "CREATE RULE quiet AS ON INSERT TO stockade.audit_entry DO INSTEAD NOTHING",
    "DROP POLICY audit_app_reads ON stockade.audit_entry",
    "CREATE OR REPLACE FUNCTION stockade.audit_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    "CREATE OR REPLACE VIEW stockade.current_tenant AS
        SELECT '00000000-0000-0000-0000-000000000002'::uuid AS tenant_id",
];

/// What only a superuser may do.
const POWERS: &[&str] = &[
    "SET session_replication_role = replica",
    "SET LOCAL session_replication_role = replica",
    "SELECT set_config('session_replication_role', 'replica', false)",
    "SET ROLE stockade_owner",
];

/// What the sealer may do and the application may not.
const SEALING: &[&str] = &[
    "DELETE FROM stockade.audit_unsealed",
    "INSERT INTO stockade.audit_link SELECT tenant_id, 99, gen_random_uuid(), sha256('x'), leaf, hash
        FROM stockade.audit_link LIMIT 1",
    "INSERT INTO stockade.audit_head VALUES (gen_random_uuid(), gen_random_uuid(), 0, sha256('x'))",
    "UPDATE stockade.audit_head SET seq = 99",
    "SELECT FROM stockade.audit_unsealed FOR UPDATE",
    "SET ROLE stockade_sealer",
];

/// A log of which a part is sealed.
async fn log(pool: &PgPool) {
    install(pool).await;
    append(pool, tenant(1), 3).await;
    seal(pool).await;
    append(pool, tenant(1), 1).await;
}

async fn everything(pool: &PgPool) -> String {
    let digest = "
        SELECT md5(string_agg(row, '|' ORDER BY row)) FROM (
            SELECT e::text FROM stockade.audit_entry e UNION ALL SELECT p::text
                FROM stockade.audit_payload p UNION ALL
            SELECT u::text FROM stockade.audit_unsealed u UNION ALL SELECT l::text
                FROM stockade.audit_link l UNION ALL
            SELECT h::text FROM stockade.audit_head h) AS rows (row)";
    sqlx::query_scalar(digest).fetch_one(pool).await.unwrap()
}

/// Tries each attack in a transaction of its own, with the tenant's context, and demands that it is
/// refused.
async fn refused(connection: &mut PgConnection, attacks: &[&'static str]) {
    for attack in attacks {
        let mut tx = scope(connection, tenant(1)).await;
        let result = sqlx::raw_sql(*attack).execute(&mut *tx).await;
        assert!(result.is_err(), "not refused: {attack}");
        assert_eq!(sqlstate(result), "42501", "{attack}");
    }
}

#[sqlx::test(migrations = false)]
async fn application(pool: PgPool) {
    log(&pool).await;
    let before = everything(&pool).await;
    let mut app = connect(&pool, APP).await;
    // Only a warning, so what counts is that it changes nothing of what follows.
    sqlx::raw_sql("GRANT ALL ON stockade.audit_entry TO PUBLIC").execute(&mut app).await.unwrap();
    for attacks in [CHANGES, STRUCTURE, POWERS, SEALING] {
        refused(&mut app, attacks).await;
    }
    refused(
        &mut app,
        &[
            "LOCK TABLE stockade.audit_entry IN ACCESS EXCLUSIVE MODE",
            "SELECT nextval('stockade.audit_unsealed_position_seq')",
        ],
    )
    .await;
    assert_eq!(everything(&pool).await, before);
}

#[sqlx::test(migrations = false)]
async fn sealer(pool: PgPool) {
    log(&pool).await;
    let before = everything(&pool).await;
    let mut sealer = connect(&pool, SEALER).await;
    for attacks in [CHANGES, STRUCTURE, POWERS] {
        refused(&mut sealer, attacks).await;
    }
    refused(
        &mut sealer,
        &["INSERT INTO stockade.audit_entry SELECT * FROM stockade.audit_entry", "SET ROLE stockade_app"],
    )
    .await;
    assert_eq!(everything(&pool).await, before);
}

#[sqlx::test(migrations = false)]
async fn owner(pool: PgPool) {
    log(&pool).await;
    let before = everything(&pool).await;
    let mut owner = pool.acquire().await.unwrap();
    sqlx::raw_sql("SET ROLE stockade_owner").execute(&mut *owner).await.unwrap();
    refused(&mut owner, CHANGES).await;
    // Not even appending is the owner's.
    let insertions = [
        "INSERT INTO stockade.audit_head VALUES (gen_random_uuid(), gen_random_uuid(), 0, sha256('x'))",
        "INSERT INTO stockade.audit_unsealed (tenant_id, entry_id) VALUES (gen_random_uuid(), gen_random_uuid())",
    ];
    refused(&mut owner, &insertions).await;
    assert_eq!(everything(&pool).await, before);
    // The owner can take the tables apart: that is why nobody is a member of it. Said in the
    // README, so held here.
    for possible in STRUCTURE {
        let mut tx = owner.begin().await.unwrap();
        sqlx::raw_sql(*possible).execute(&mut *tx).await.unwrap();
    }
    sqlx::raw_sql("RESET ROLE").execute(&mut *owner).await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn superuser(pool: PgPool) {
    log(&pool).await;
    let before = everything(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    refused(&mut superuser, CHANGES).await;
    sqlx::raw_sql("SET session_replication_role = replica").execute(&mut *superuser).await.unwrap();
    refused(&mut superuser, CHANGES).await;
    sqlx::raw_sql("RESET session_replication_role").execute(&mut *superuser).await.unwrap();
    assert_eq!(everything(&pool).await, before);

    // Nothing stops a superuser who disables the triggers. Verification says where.
    disarm(&mut superuser).await;
    sqlx::raw_sql("UPDATE stockade.audit_entry SET action = 'x' WHERE entity_id = 'L-2'")
        .execute(&mut *superuser)
        .await
        .unwrap();
    assert_eq!(findings(&report(&pool, tenant(1)).await), [(Some(2), Finding::ContentAltered)]);
}

#[sqlx::test(migrations = false)]
async fn a_rule_that_swallows_entries_is_an_error(pool: PgPool) {
    log(&pool).await;
    let rule = "CREATE RULE quiet AS ON INSERT TO stockade.audit_unsealed DO INSTEAD NOTHING";
    sqlx::raw_sql(rule).execute(&pool).await.unwrap();
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    stockade_audit_chain::postgres::record(&mut *tx, &crate::support::entry(tenant(1), 1)).await.unwrap_err();
}
