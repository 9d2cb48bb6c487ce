//! The schema, and who can make it.

use sqlx::PgPool;
use stockade_rbac::postgres::{self, MIGRATION_0001, MIGRATION_0002, migrator};
use uuid::Uuid;

use super::support::{add, connect_as, enter, policy};

#[sqlx::test(migrations = false)]
async fn each_migration_can_be_repeated_and_loses_nothing(pool: PgPool) {
    migrator().run(&pool).await.unwrap();
    postgres::sync(&mut *pool.acquire().await.unwrap(), &policy()).await.unwrap();
    let (tenant, owner) = (Uuid::now_v7(), Uuid::now_v7());
    add(&mut *pool.acquire().await.unwrap(), tenant, owner, &["owner"]).await;
    for sql in [MIGRATION_0001, MIGRATION_0002, MIGRATION_0002] {
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    }
    migrator().run(&pool).await.unwrap();
    let kept = "SELECT count(*) FROM stockade.rbac_role_assignment JOIN stockade.rbac_owner_role USING (role)";
    assert_eq!(sqlx::query_scalar::<_, i64>(kept).fetch_one(&pool).await.unwrap(), 1);
    assert!(
        sqlx::raw_sql("DELETE FROM stockade.rbac_member").execute(&pool).await.is_err(),
        "a superuser's mistake is one too"
    );
}

/// A role of its own for this test, which is no superuser and starts outside `stockade_owner`.
const MIGRATOR: &str = "
    DO $$ BEGIN
        CREATE ROLE stockade_rbac_test_migrator LOGIN CREATEROLE;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT rolname FROM pg_roles WHERE rolname IN ('stockade_owner', 'stockade_app') LOOP
            -- The role is the cluster's: an earlier run that was killed may have left it a member.
            EXECUTE format('REVOKE %I FROM stockade_rbac_test_migrator', name);
            -- From PostgreSQL 16 on, CREATEROLE reaches only the roles that it created itself.
            IF current_setting('server_version_num')::int >= 160000 THEN
                EXECUTE format('GRANT %I TO stockade_rbac_test_migrator WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', name);
            END IF;
        END LOOP;
        EXECUTE format('GRANT CREATE ON DATABASE %I TO stockade_rbac_test_migrator', current_database());
    END $$;";

#[sqlx::test(migrations = false)]
async fn the_schema_and_its_owner_roles_need_no_superuser(pool: PgPool) {
    sqlx::raw_sql(MIGRATOR).execute(&pool).await.unwrap();
    let mut migrating = connect_as(&pool, "stockade_rbac_test_migrator").await;
    migrator().run(&mut migrating).await.unwrap();
    migrator().run(&mut migrating).await.unwrap();
    let policy = policy();
    assert_eq!(postgres::sync(&mut migrating, &policy).await.unwrap(), []);
    // A tenant without an owner is seen, whatever row-level security shows to others.
    let tenant = Uuid::now_v7();
    add(&mut *pool.acquire().await.unwrap(), tenant, Uuid::now_v7(), &["viewer"]).await;
    assert_eq!(postgres::sync(&mut migrating, &policy).await.unwrap(), [tenant.into()]);
    // What people have it neither sees nor changes beyond what its functions need.
    enter(&mut migrating, tenant).await;
    for sql in [
        "UPDATE stockade.rbac_role_assignment SET role = 'owner'",
        "DELETE FROM stockade.rbac_member",
        "DELETE FROM stockade.rbac_override",
    ] {
        assert_eq!(sqlx::raw_sql(sql).execute(&mut migrating).await.unwrap().rows_affected(), 0, "{sql}");
    }
    sqlx::Connection::close(migrating).await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn every_object_is_the_owners_and_nobodys_by_default(pool: PgPool) {
    migrator().run(&pool).await.unwrap();
    let odd: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c
         WHERE c.relnamespace = 'stockade'::regnamespace AND c.relname LIKE 'rbac%' AND c.relkind IN ('r', 'S')
            AND (c.relowner <> 'stockade_owner'::regrole
                OR c.relkind = 'r' AND c.relname <> 'rbac_owner_role' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
                OR EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = 0))
         UNION ALL
         SELECT p.proname::text FROM pg_proc p
         WHERE p.pronamespace = 'stockade'::regnamespace AND p.proname LIKE 'rbac%'
            AND (p.proowner <> 'stockade_owner'::regrole OR NOT 'search_path=pg_catalog, pg_temp' = ANY (p.proconfig)
                OR p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0))",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(odd, Vec::<String>::new());
}
