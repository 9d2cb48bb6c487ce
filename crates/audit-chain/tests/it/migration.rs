//! The schema: who may install it, what it leaves behind.

use sqlx::{Connection as _, PgPool};
use stockade_audit_chain::postgres::{MIGRATIONS, migrator};

use crate::support::{append, connect, install, report, seal, sqlstate, tenant};

#[test]
fn a_released_migration_never_changes() {
    let checksums: Vec<_> = migrator().iter().map(|migration| hex::encode(&migration.checksum)).collect();
    let released = [
        "df0fb2f7a5b3dc0669eb72c4f89a496c3d40290c73fffac71bf8ec23e5140a4b9818d39499e87bc30d9fd0539084eed1",
        "1f03971142268b47af38c03a296aa0907c58cda0bc7587313b1fdb07ab5a1d31b484df020d6ccff13c3153eb6300afa7",
        "54f56e2055c34281fdb864bf32615a000ca0153cef20958c39f57475eb7477dddaba5cba4819f4078dd12b0214c4c959",
        "f3d6030f6b300ef28138e0df2308e22037e228738a913a04ecb21f94c3a6de5998f46e10bab5a63d76b4e946c0c7798a",
        "72e809726451384e905bbe44750bfb73793cdc02be2a9d2e4656e4573464244f285de4cd8713b9572bbaf032681d4a46",
    ];
    assert_eq!(checksums, released, "add a migration instead");
    assert_eq!(MIGRATIONS.len(), released.len());
}

#[sqlx::test(migrations = false)]
async fn runs_twice_and_beside_the_applications_own(pool: PgPool) {
    sqlx::raw_sql("CREATE TABLE _sqlx_migrations (version bigint)").execute(&pool).await.unwrap();
    install(&pool).await;
    install(&pool).await;
    let ledger: i64 =
        sqlx::query_scalar("SELECT count(*) FROM stockade._audit_chain_migrations").fetch_one(&pool).await.unwrap();
    assert_eq!(ledger, i64::try_from(MIGRATIONS.len()).unwrap());
}

#[sqlx::test(migrations = false)]
async fn needs_no_superuser(pool: PgPool) {
    let role = "
        DO $$ BEGIN
            CREATE ROLE stockade_audit_test_migrator LOGIN CREATEROLE;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
        DO $$ DECLARE name text; BEGIN
            FOR name IN SELECT rolname FROM pg_roles
                WHERE rolname IN ('stockade_owner', 'stockade_custodian', 'stockade_linker', 'stockade_capturer') LOOP
                -- The role is the cluster's: an earlier run that was killed may have left it a member.
                EXECUTE format('REVOKE %I FROM stockade_audit_test_migrator', name);
                -- From PostgreSQL 16 on, CREATEROLE reaches only the roles that it created itself.
                IF current_setting('server_version_num')::int >= 160000 THEN
                    EXECUTE format('GRANT %I TO stockade_audit_test_migrator WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', name);
                END IF;
            END LOOP;
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
            AND (c.relowner <> CASE c.relkind WHEN 'v' THEN 'stockade_custodian'::regrole ELSE 'stockade_owner'::regrole END
                OR c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
                OR EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = 0))
        UNION ALL
        SELECT t.tgname::text FROM pg_trigger t WHERE t.tgname LIKE 'audit%' AND t.tgenabled <> 'A'
        UNION ALL
        SELECT p.proname::text FROM pg_proc p
        WHERE p.pronamespace = 'stockade'::regnamespace AND p.proname LIKE 'audit%'
            AND (p.proowner NOT IN ('stockade_owner'::regrole, 'stockade_custodian'::regrole, 'stockade_linker'::regrole,
                    'stockade_capturer'::regrole)
                OR has_function_privilege('public', p.oid, 'EXECUTE')
                OR p.proconfig IS NULL OR NOT 'search_path=pg_catalog, pg_temp' = ANY (p.proconfig))
        UNION ALL
        -- Every table, and every partition, keeps its rows under TRUNCATE too.
        SELECT c.relname::text FROM pg_class c
        WHERE c.relnamespace = 'stockade'::regnamespace AND c.relname LIKE 'audit%' AND c.relkind IN ('r', 'p')
            AND 2 > (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = c.oid
                AND t.tgname IN ('audit_append_only', 'audit_no_truncate'))
        UNION ALL
        SELECT n.nspname::text FROM pg_namespace n
        WHERE n.nspname = 'stockade' AND n.nspowner <> 'stockade_owner'::regrole
        UNION ALL
        SELECT conname::text FROM pg_constraint WHERE contype = 'f' AND connamespace = 'stockade'::regnamespace
        UNION ALL
        SELECT r.rolname::text FROM pg_roles r
        WHERE r.rolname IN ('stockade_owner', 'stockade_custodian', 'stockade_app', 'stockade_sealer', 'stockade_eraser',
                'stockade_purger', 'stockade_holder', 'stockade_appender', 'stockade_linker', 'stockade_capturer',
                'stockade_attacher')
            AND (r.rolcanlogin OR r.rolsuper OR r.rolbypassrls)",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert!(odd.is_empty(), "{odd:?}");
}
