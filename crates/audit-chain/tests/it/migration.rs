//! The schema: who may install it, what it leaves behind.

use sqlx::{Connection as _, PgPool};
use stockade_audit_chain::postgres::{MIGRATIONS, migrator};

use crate::support::{append, connect, install, report, seal, sqlstate, tenant};

#[test]
fn a_released_migration_never_changes() {
    let checksums: Vec<_> = migrator().iter().map(|migration| hex::encode(&migration.checksum)).collect();
    let released = "4dc9f51f16b3d253c1790b5c8b65952d445606d929eb487c246e9162dbe5ae07067447421c22e138dd177aa995331490";
    assert_eq!(checksums, [released], "add a migration instead");
    assert_eq!(MIGRATIONS.len(), 1);
}

#[sqlx::test(migrations = false)]
async fn runs_twice_and_beside_the_applications_own(pool: PgPool) {
    sqlx::raw_sql("CREATE TABLE _sqlx_migrations (version bigint)").execute(&pool).await.unwrap();
    install(&pool).await;
    install(&pool).await;
    let ledger: i64 =
        sqlx::query_scalar("SELECT count(*) FROM stockade._audit_chain_migrations").fetch_one(&pool).await.unwrap();
    assert_eq!(ledger, 1);
}

#[sqlx::test(migrations = false)]
async fn needs_no_superuser(pool: PgPool) {
    let role = "
        DO $$ BEGIN
            CREATE ROLE stockade_audit_test_migrator LOGIN CREATEROLE;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
        DO $$ BEGIN
            -- The role is the cluster's: an earlier run that was killed may have left it a member.
            IF to_regrole('stockade_owner') IS NOT NULL THEN
                REVOKE stockade_owner FROM stockade_audit_test_migrator;
                -- From PostgreSQL 16 on, CREATEROLE reaches only the roles that it created itself.
                IF current_setting('server_version_num')::int >= 160000 THEN
                    EXECUTE 'GRANT stockade_owner TO stockade_audit_test_migrator WITH ADMIN TRUE, INHERIT FALSE, SET FALSE';
                END IF;
            END IF;
            EXECUTE format('GRANT CREATE ON DATABASE %I TO stockade_audit_test_migrator', current_database());
        END $$;";
    sqlx::raw_sql(role).execute(&pool).await.unwrap();
    let mut migrator_role = connect(&pool, "stockade_audit_test_migrator").await;
    migrator().run(&mut migrator_role).await.unwrap();

    // Having given the tables away, it can no more than anyone else.
    for attempt in [
        "UPDATE stockade.audit_entry SET action = 'x'",
        "ALTER TABLE stockade.audit_entry DISABLE TRIGGER ALL",
        "SET ROLE stockade_owner",
        "DROP TABLE stockade.audit_entry",
        "DROP SCHEMA stockade CASCADE",
        "SELECT FROM stockade.audit_entry",
    ] {
        assert_eq!(sqlstate(sqlx::raw_sql(attempt).execute(&mut migrator_role).await), "42501", "{attempt}");
    }
    // Except what the migrations of another library need, and its own ledger.
    let next = "CREATE TABLE stockade._another_ledger (version bigint)";
    sqlx::raw_sql(next).execute(&mut migrator_role).await.unwrap();
    migrator().run(&mut migrator_role).await.unwrap();
    migrator_role.close().await.unwrap();
    install(&pool).await;
    append(&pool, tenant(1), 3).await;
    assert_eq!(seal(&pool).await.entries, 3);
    assert!(report(&pool, tenant(1)).await.is_intact());
}

#[sqlx::test(migrations = false)]
async fn leaves_nothing_open(pool: PgPool) {
    install(&pool).await;
    let odd: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c
        WHERE c.relnamespace = 'stockade'::regnamespace AND c.relname LIKE 'audit%'
            AND (c.relowner <> 'stockade_owner'::regrole OR c.relkind = 'r' AND NOT (c.relrowsecurity
                AND c.relforcerowsecurity))
        UNION ALL
        SELECT t.tgname::text FROM pg_trigger t WHERE t.tgname LIKE 'audit%' AND t.tgenabled <> 'A'
        UNION ALL
        SELECT p.proname::text FROM pg_proc p
        WHERE p.pronamespace = 'stockade'::regnamespace AND p.proname LIKE 'audit%'
            AND p.proowner <> 'stockade_owner'::regrole
        UNION ALL
        SELECT n.nspname::text FROM pg_namespace n
        WHERE n.nspname = 'stockade' AND n.nspowner <> 'stockade_owner'::regrole
        UNION ALL
        SELECT conname::text FROM pg_constraint WHERE contype = 'f' AND connamespace = 'stockade'::regnamespace
        UNION ALL
        SELECT r.rolname::text FROM pg_roles r
        WHERE r.rolname IN ('stockade_owner', 'stockade_app', 'stockade_sealer')
            AND (r.rolcanlogin OR r.rolsuper OR r.rolbypassrls)",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert!(odd.is_empty(), "{odd:?}");
    let triggers: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'audit%'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(triggers, 11);
}
