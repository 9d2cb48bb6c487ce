//! The roles that an application may have beside owner, application and reader.

use sqlx::{PgConnection, PgPool};
use stockade_rls_migrations::{Plan, Privilege, Roles, Schema, Skipped, by};

use crate::snapshot::{assert_same, catalogue};
use crate::support::{A, B, code, commit, connect, run, text, within};

const ROLES: [&str; 7] = ["owner", "app", "reader", "migrator", "backup", "purge", "eraser"];

/// A schema of one table whose roles are this test's own, since roles are the cluster's.
struct World {
    name: String,
    root: PgConnection,
}

impl World {
    async fn new(pool: &PgPool, name: &str) -> Self {
        let mut root = connect(pool, "postgres").await;
        let tables = "CREATE SCHEMA s; CREATE TABLE s.t (tenant_id uuid NOT NULL, id int NOT NULL, person text);
                      CREATE TABLE s.log (tenant_id uuid NOT NULL, line text); CREATE TABLE s.plain (id int)";
        run(&mut root, tables).await.unwrap();
        Self { name: format!("{name}_{}", std::process::id()), root }
    }

    fn schema(&self) -> Schema {
        Schema::new("s", Roles::all_for_app(&self.name))
            .tenant_table("t", by("tenant_id"))
            .app_may("t", [Privilege::Select, Privilege::Insert, Privilege::Update])
            .append_only("log")
            .exempt("plain", "a test")
    }

    async fn apply(&mut self) -> Plan {
        let plan = self.schema().plan(&mut self.root).await.unwrap();
        plan.apply(&mut self.root).await.unwrap_or_else(|error| panic!("{error:?}"));
        plan
    }

    fn role(&self, duty: &str) -> String {
        format!("{}_{duty}", self.name)
    }

    async fn login(&self, pool: &PgPool, duty: &str) -> PgConnection {
        connect(pool, &self.role(duty)).await
    }

    async fn clean(mut self) {
        run(&mut self.root, "DROP SCHEMA IF EXISTS s CASCADE").await.unwrap();
        for duty in ROLES {
            let role = self.role(duty);
            if text(&mut self.root, &format!("SELECT to_regrole('{role}')::text")).await == role {
                run(&mut self.root, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
            }
        }
    }
}

#[sqlx::test]
async fn each_duty_can_do_its_own_and_no_more(pool: PgPool) {
    let mut world = World::new(&pool, "rls_duty").await;
    let plan = world.apply().await;
    assert_eq!(plan.skipped(), []);
    let again = world.schema().plan(&mut world.root).await.unwrap();
    assert!(again.is_empty(), "{}", again.up_sql());
    for tenant in [A, B] {
        let rows = format!("INSERT INTO s.t VALUES ('{tenant}', 1, 'Ann'); INSERT INTO s.log VALUES ('{tenant}', 'x')");
        commit(&mut world.root, tenant, &rows).await.unwrap();
    }
    run(&mut world.root, "INSERT INTO s.plain VALUES (1)").await.unwrap();

    let mut backup = world.login(&pool, "backup").await;
    for table in ["s.t", "s.log"] {
        assert_eq!(text(&mut backup, &format!("SELECT count(*)::text FROM {table}")).await, "2", "every tenant's");
        for write in [
            "INSERT INTO {} (tenant_id) VALUES (NULL)",
            "UPDATE {} SET tenant_id = NULL",
            "DELETE FROM {}",
            "TRUNCATE {}",
        ] {
            let error = run(&mut backup, &write.replace("{}", table)).await.unwrap_err();
            assert_eq!(code(&error), "42501", "{table}: {write}");
        }
    }
    assert_eq!(
        text(&mut backup, "SELECT count(*)::text FROM s.plain").await,
        "1",
        "a dump needs the exempt tables too"
    );
    assert_eq!(text(&mut backup, "SELECT set_config('search_path', '', false)").await, "", "pg_dump begins with it");

    let mut migrator = world.login(&pool, "migrator").await;
    for statement in ["SELECT FROM s.t", "ALTER TABLE s.t ADD COLUMN x int", "SELECT FROM s.plain"] {
        assert_eq!(code(&run(&mut migrator, statement).await.unwrap_err()), "42501", "{statement}");
    }
    run(&mut migrator, &format!("SET ROLE {}", world.role("owner"))).await.unwrap();
    run(&mut migrator, "ALTER TABLE s.t ADD COLUMN x int").await.unwrap();
    assert_eq!(text(&mut migrator, "SELECT count(*)::text FROM s.t").await, "0", "not even as the owner");

    for (duty, may, may_not) in [
        ("purge", "DELETE FROM s.t", "UPDATE s.t SET person = NULL"),
        ("eraser", "UPDATE s.t SET person = NULL", "DELETE FROM s.t"),
    ] {
        let role = world.role(duty);
        let login =
            text(&mut world.root, &format!("SELECT rolcanlogin::text FROM pg_roles WHERE rolname = '{role}'")).await;
        assert_eq!(login, "false");
        let mut job = connect(&pool, "postgres").await;
        run(&mut job, &format!("SET SESSION AUTHORIZATION {role}")).await.unwrap();
        assert_eq!(within(&mut job, "", may).await.unwrap(), 0, "{duty} without a context");
        assert_eq!(within(&mut job, &A.to_string(), may).await.unwrap(), 1, "{duty} reaches A alone");
        for refused in [
            may_not,
            "INSERT INTO s.t VALUES (NULL, 1)",
            "DELETE FROM s.log",
            "UPDATE s.log SET line = ''",
            "SELECT FROM s.plain",
        ] {
            assert_eq!(
                code(&within(&mut job, &A.to_string(), refused).await.unwrap_err()),
                "42501",
                "{duty}: {refused}"
            );
        }
    }
    world.clean().await;
}

#[sqlx::test]
async fn a_role_that_has_drifted_is_put_right(pool: PgPool) {
    let mut world = World::new(&pool, "rls_drifted").await;
    let _ = world.apply().await;
    let (owner, backup) = (world.role("owner"), world.role("backup"));
    for (duty, drift) in [
        ("migrator", format!("ALTER ROLE {{}} INHERIT; REVOKE {owner} FROM {{}}")),
        ("migrator", "ALTER ROLE {} BYPASSRLS".to_owned()),
        ("backup", "ALTER ROLE {} NOBYPASSRLS".to_owned()),
        ("backup", "REVOKE pg_read_all_data FROM {}".to_owned()),
        ("backup", format!("GRANT {owner} TO {{}}")),
        ("reader", "ALTER ROLE {} RESET default_transaction_read_only".to_owned()),
        ("purge", "ALTER ROLE {} LOGIN BYPASSRLS".to_owned()),
        ("eraser", format!("GRANT {owner} TO {{}}; GRANT TRUNCATE ON s.t TO {{}}")),
        ("backup", "REVOKE EXECUTE ON FUNCTION set_config FROM {}".to_owned()),
    ] {
        let role = world.role(duty);
        run(&mut world.root, &drift.replace("{}", &role)).await.unwrap();
        let plan = world.schema().plan(&mut world.root).await.unwrap();
        assert!(!plan.is_empty(), "{duty}: {drift}");
        plan.apply(&mut world.root).await.unwrap();
        let again = world.schema().plan(&mut world.root).await.unwrap();
        assert!(again.is_empty(), "{duty}: {drift}: {}", again.up_sql());
    }
    let bypass = "SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolbypassrls AND starts_with(rolname, '{}_')";
    assert_eq!(text(&mut world.root, &bypass.replace("{}", &world.name)).await, backup, "the only one");
    world.clean().await;
}

/// On a managed service nobody has BYPASSRLS to give.
#[sqlx::test]
async fn a_backup_that_cannot_be_created_is_skipped(pool: PgPool) {
    let mut world = World::new(&pool, "rls_managed").await;
    let (migrating, backup) = (world.role("dba"), world.role("backup"));
    let database = text(&mut world.root, "SELECT quote_ident(current_database())").await;
    let dba = format!(
        "CREATE ROLE {migrating} LOGIN CREATEROLE; GRANT CREATE ON DATABASE {database} TO {migrating};
         ALTER SCHEMA s OWNER TO {migrating}; ALTER TABLE s.t OWNER TO {migrating};
         ALTER TABLE s.log OWNER TO {migrating}; ALTER TABLE s.plain OWNER TO {migrating};
         DO $$ BEGIN CREATE ROLE stockade_owner; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
         GRANT stockade_owner TO {migrating} WITH ADMIN OPTION"
    );
    run(&mut world.root, &dba).await.unwrap();
    let mut conn = connect(&pool, &migrating).await;
    let plan = world.schema().plan(&mut conn).await.unwrap();
    let skipped: Vec<_> = plan.skipped().iter().filter(|skipped| !matches!(skipped, Skipped::Hardening(_))).collect();
    assert_eq!(skipped, [&Skipped::Backup(backup.clone())]);
    assert!(
        skipped[0]
            .to_string()
            .starts_with(&format!("the backup role `{backup}` was left out: it needs a superuser, or"))
    );
    plan.apply(&mut conn).await.unwrap();
    assert_eq!(text(&mut world.root, &format!("SELECT to_regrole('{backup}')::text")).await, "");
    assert!(world.schema().plan(&mut conn).await.unwrap().is_empty(), "what was skipped does not count");
    // Later, by somebody who may.
    let plan = world.apply().await;
    assert!(!plan.is_empty() && plan.skipped().is_empty());
    assert!(world.schema().plan(&mut conn).await.unwrap().is_empty());
    run(&mut world.root, &format!("REASSIGN OWNED BY {migrating} TO CURRENT_USER")).await.unwrap();
    run(&mut world.root, &format!("DROP OWNED BY {migrating}")).await.unwrap();
    run(&mut world.root, &format!("DROP ROLE {migrating}")).await.unwrap();
    world.clean().await;
}

/// The control: a default privilege that somebody set long ago hands a table that is born tomorrow, without any policy, to the
/// application.
#[sqlx::test]
async fn a_table_to_come_is_nobodys(pool: PgPool) {
    let mut world = World::new(&pool, "rls_birth").await;
    let plan = world.apply().await;
    let (owner, app) = (world.role("owner"), world.role("app"));
    let before = catalogue(&mut world.root).await;
    let defaults = format!(
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA s GRANT SELECT, TRUNCATE ON TABLES TO {app} WITH GRANT OPTION;
         ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT ON TABLES TO PUBLIC;
         ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT ALL ON SEQUENCES TO {app};
         ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO {app}"
    );
    run(&mut world.root, &defaults).await.unwrap();
    let drifted = catalogue(&mut world.root).await;
    let mut application = world.login(&pool, "app").await;
    let born = |name: &str| {
        format!(
            "CREATE TABLE s.{name} (tenant_id uuid); SET ROLE {owner}; CREATE TABLE s.{name}2 (id serial); RESET ROLE"
        )
    };
    run(&mut world.root, &born("early")).await.unwrap();
    for table in ["early", "early2"] {
        run(&mut application, &format!("SELECT FROM s.{table}")).await.unwrap();
    }
    run(&mut world.root, "DROP TABLE s.early, s.early2").await.unwrap();

    let repair = world.apply().await;
    assert_eq!(repair.up().iter().filter(|statement| statement.sql().contains("DEFAULT PRIVILEGES")).count(), 4);
    assert!(world.schema().plan(&mut world.root).await.unwrap().is_empty());
    run(&mut world.root, &born("late")).await.unwrap();
    for table in ["late", "late2"] {
        assert_eq!(
            code(&run(&mut application, &format!("SELECT FROM s.{table}")).await.unwrap_err()),
            "42501",
            "{table}"
        );
    }
    run(&mut world.root, "DROP TABLE s.late, s.late2").await.unwrap();
    repair.revert(&mut world.root).await.unwrap();
    assert_same(&drifted, &catalogue(&mut world.root).await);
    let undo =
        defaults.replace("GRANT SELECT, TRUNCATE ON TABLES", "REVOKE ALL ON TABLES").replace(" WITH GRANT OPTION", "");
    let undo = undo.replace("GRANT SELECT", "REVOKE ALL").replace("GRANT ALL", "REVOKE ALL").replace(" TO ", " FROM ");
    run(&mut world.root, &undo).await.unwrap();
    assert_same(&before, &catalogue(&mut world.root).await);
    plan.revert(&mut world.root).await.unwrap();
    world.clean().await;
}
