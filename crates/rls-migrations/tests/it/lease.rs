//! The tenant's context as a capability lease: what forges a setting forges nothing here.

use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use stockade_rls_migrations::{Context, ErrorKind, Hardening, Refusal, Roles, Rule, Schema, by};

use crate::snapshot::{assert_same, catalogue};
use crate::support::{A, B, TABLES, apply, apply_all, code, connect, freight, lint, migrator, protected, run, text};

const SECRET_A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const SECRET_B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const COUNT: &str = "SELECT count(*)::text FROM freight.loads";

/// The protected schema at the level of leases, a login that mints, and a lease of each tenant.
async fn sealed(pool: &PgPool) -> (PgConnection, PgConnection) {
    let mut root = protected(pool).await;
    apply_all(&freight().context(Context::Lease), &mut root).await;
    let login = "DO $$ BEGIN CREATE ROLE rls_test_minter LOGIN IN ROLE stockade_minter;
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
    run(&mut root, login).await.unwrap();
    let mut minter = connect(pool, "rls_test_minter").await;
    for (secret, tenant) in [(SECRET_A, A), (SECRET_B, B)] {
        run(&mut minter, &mint(secret, tenant, "1 hour")).await.unwrap();
    }
    (root, minter)
}

/// By privilege, or because the role only reads.
fn is_refused(error: &sqlx::Error) -> bool {
    ["42501", "25006"].contains(&code(error).as_str())
}

fn digest(secret: &str) -> String {
    format!("sha256('{secret}')")
}

fn mint(secret: &str, tenant: Uuid, lifetime: &str) -> String {
    format!("SELECT stockade.mint_lease({}, '{tenant}', '{lifetime}', NULL, '', false)", digest(secret))
}

/// Opens a transaction that shows `secret` and reads one text in it; rolled back.
async fn shown(conn: &mut PgConnection, secret: &str, sql: &str) -> String {
    run(conn, &format!("BEGIN; SET LOCAL stockade.lease = '{secret}'")).await.unwrap();
    let seen = text(conn, sql).await;
    run(conn, "ROLLBACK").await.unwrap();
    seen
}

/// Runs one statement in a transaction that shows `secret`; rolled back.
async fn attempt(conn: &mut PgConnection, secret: &str, sql: &str) -> Result<u64, sqlx::Error> {
    run(conn, &format!("BEGIN; SET LOCAL stockade.lease = '{secret}'")).await?;
    let outcome = run(conn, sql).await;
    run(conn, "ROLLBACK").await?;
    outcome
}

#[sqlx::test]
async fn a_lease_opens_its_own_tenant_only(pool: PgPool) {
    let (mut root, mut minter) = sealed(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    for (secret, tenant) in [(SECRET_A, A), (SECRET_B, B)] {
        assert_eq!(shown(&mut app, secret, COUNT).await, "2");
        let own = format!("{COUNT} WHERE tenant_id = '{tenant}'");
        assert_eq!(shown(&mut app, secret, &own).await, "2");
    }
    // Nothing that is not the secret of a lease: its digest, another case, a part, another tenant's number, nothing.
    let forged = [
        String::new(),
        A.to_string(),
        SECRET_A.to_uppercase(),
        SECRET_A.split_at(63).0.to_owned(),
        format!("{SECRET_A} "),
        "a".repeat(64).replace("aa", "ab"),
        text(&mut root, &format!("SELECT encode({}, 'hex')", digest(SECRET_A))).await,
        "%".to_owned(),
        "\u{e9}".to_owned(),
    ];
    for secret in &forged {
        let setting = format!("{secret}'; SET LOCAL stockade.tenant_id = '{A}");
        assert_eq!(shown(&mut app, &setting, COUNT).await, "0", "{secret:?}");
        let insert = format!("INSERT INTO freight.loads VALUES ('{A}', 9, 'x')");
        assert_eq!(code(&attempt(&mut app, &setting, &insert).await.unwrap_err()), "42501", "{secret:?}");
        for write in ["UPDATE freight.loads SET name = 'x'", "DELETE FROM freight.loads"] {
            assert_eq!(attempt(&mut app, &setting, write).await.unwrap(), 0, "{secret:?}: {write}");
        }
    }
    // A's secret does not write for B.
    let foreign = format!("INSERT INTO freight.loads VALUES ('{B}', 9, 'x')");
    assert_eq!(code(&attempt(&mut app, SECRET_A, &foreign).await.unwrap_err()), "42501");

    let revoke = format!("SELECT stockade.revoke_lease({})::text", digest(SECRET_A));
    assert_eq!(text(&mut minter, &revoke).await, "true");
    assert_eq!(text(&mut minter, &revoke).await, "false");
    assert_eq!(shown(&mut app, SECRET_A, COUNT).await, "0");
    assert_eq!(shown(&mut app, SECRET_B, COUNT).await, "2");
}

/// The attack that a plain setting does not survive, and the same statement at both levels.
#[sqlx::test]
async fn an_injected_select_cannot_change_the_tenant(pool: PgPool) {
    const INJECTED: &str = "SELECT 'x' WHERE false
        UNION ALL SELECT set_config('stockade.tenant_id', '{B}', true)
        UNION ALL SELECT name FROM freight.loads";
    let injected = INJECTED.replace("{B}", &B.to_string());
    let mut root = protected(&pool).await;
    // The hardening would stop the statement at either level; here the context is alone.
    run(&mut root, "GRANT EXECUTE ON FUNCTION set_config TO PUBLIC").await.unwrap();
    let mut app = connect(&pool, "rls_test_app").await;
    let leaked = |names: &[String]| names.iter().any(|name| name == &format!("secret of {B}"));

    run(&mut app, &format!("BEGIN; SET LOCAL stockade.tenant_id = '{A}'")).await.unwrap();
    let names: Vec<String> = sqlx::query_scalar(AssertSqlSafe(injected.as_str())).fetch_all(&mut app).await.unwrap();
    run(&mut app, "ROLLBACK").await.unwrap();
    assert!(leaked(&names), "the control: at the level of settings it leaks, {names:?}");

    let (mut root, _minter) = {
        run(&mut root, "DROP SCHEMA freight CASCADE").await.unwrap();
        sealed(&pool).await
    };
    run(&mut root, "GRANT EXECUTE ON FUNCTION set_config TO PUBLIC").await.unwrap();
    for setting in ["stockade.tenant_id", "stockade.lease"] {
        let injected = injected.replace("stockade.tenant_id", setting);
        run(&mut app, &format!("BEGIN; SET LOCAL stockade.lease = '{SECRET_A}'")).await.unwrap();
        let names: Vec<String> = sqlx::query_scalar(AssertSqlSafe(injected)).fetch_all(&mut app).await.unwrap();
        run(&mut app, "ROLLBACK").await.unwrap();
        assert!(!leaked(&names), "{setting}: {names:?}");
    }
}

#[sqlx::test]
async fn a_tenant_set_when_connecting_opens_nothing(pool: PgPool) {
    let (_root, _minter) = sealed(&pool).await;
    let options = pool.connect_options().as_ref().clone().username("rls_test_app");
    let options = options.options([("stockade.tenant_id", A.to_string())]);
    let mut conn = <PgConnection as sqlx::Connection>::connect_with(&options).await.unwrap();
    assert_eq!(text(&mut conn, "SHOW stockade.tenant_id").await, A.to_string());
    assert_eq!(text(&mut conn, COUNT).await, "0");
}

#[sqlx::test]
async fn nobody_but_the_minter_reaches_the_leases(pool: PgPool) {
    let (mut root, mut minter) = sealed(&pool).await;
    for role in ["rls_test_app", "rls_test_reader"] {
        let mut conn = connect(&pool, role).await;
        for statement in [
            "SELECT FROM stockade.tenant_lease".to_owned(),
            format!("UPDATE stockade.tenant_lease SET tenant_id = '{B}'"),
            "INSERT INTO stockade.lease_schema VALUES ('x')".to_owned(),
            mint("x", B, "1 hour"),
            format!("SELECT stockade.revoke_lease({})", digest(SECRET_A)),
            "CREATE OR REPLACE VIEW stockade.current_tenant AS SELECT gen_random_uuid() AS tenant_id".to_owned(),
            "SET ROLE stockade_minter".to_owned(),
        ] {
            let error = attempt(&mut conn, SECRET_A, &statement).await.unwrap_err();
            assert!(is_refused(&error), "{role}: {statement}: {error}");
        }
        // The view gives a statement its own lease, never the others.
        for view in ["stockade.current_tenant", "stockade.current_actor"] {
            assert_eq!(shown(&mut conn, SECRET_A, &format!("SELECT count(*)::text FROM {view}")).await, "1");
            assert_eq!(shown(&mut conn, "", &format!("SELECT count(*)::text FROM {view}")).await, "0");
        }
    }
    for statement in
        ["SELECT FROM stockade.tenant_lease", "SELECT FROM freight.loads", "SELECT FROM stockade.rls_period_lock"]
    {
        assert_eq!(code(&run(&mut minter, statement).await.unwrap_err()), "42501", "{statement}");
    }
    // Another's grant is found, and the next plan takes it back.
    let schema = freight().context(Context::Lease);
    for grant in [
        "GRANT SELECT (tenant_id) ON stockade.tenant_lease TO rls_test_reader",
        "GRANT ALL ON stockade.tenant_lease TO stockade_minter",
        "GRANT EXECUTE ON FUNCTION stockade.mint_lease TO PUBLIC",
        "GRANT stockade_minter TO rls_test_app",
    ] {
        let mut tx = sqlx::Connection::begin(&mut root).await.unwrap();
        run(&mut tx, grant).await.unwrap();
        assert!(!schema.health(&mut tx).await.unwrap().is_sound(), "{grant}");
        let plan = schema.plan(&mut tx).await.unwrap();
        plan.apply(&mut tx).await.unwrap();
        let health = schema.health(&mut tx).await.unwrap();
        assert!(health.is_sound(), "{grant}: {:?}\n{}", health.findings(), plan.up_sql());
        tx.rollback().await.unwrap();
    }
}

/// A function that tells what it is called with is cheaper than the condition, so PostgreSQL would call it first, on every
/// row, if the view were no barrier.
#[sqlx::test]
async fn a_leaky_function_over_the_view_sees_one_row(pool: PgPool) {
    let (mut root, _minter) = sealed(&pool).await;
    let leak = "CREATE FUNCTION public.leak(uuid) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
                $$ BEGIN RAISE NOTICE 'saw %', $1; PERFORM pg_advisory_xact_lock_shared(hashtext($1::text)); RETURN true; END $$;
                GRANT USAGE ON SCHEMA public TO rls_test_app";
    run(&mut root, leak).await.unwrap();
    let mut app = connect(&pool, "rls_test_app").await;
    let held = "SELECT count(*)::text FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'";
    let peek = "SELECT count(*)::text FROM stockade.current_tenant c WHERE public.leak(c.tenant_id)";
    for (view, seen) in [("", "1"), ("ALTER VIEW stockade.current_tenant RESET (security_barrier)", "2")] {
        run(&mut root, view).await.unwrap();
        run(
            &mut app,
            &format!(
                "BEGIN; SET LOCAL stockade.lease = '{SECRET_A}'; SET LOCAL enable_indexscan = off;
                                SET LOCAL enable_bitmapscan = off"
            ),
        )
        .await
        .unwrap();
        assert_eq!(text(&mut app, peek).await, "1");
        assert_eq!(text(&mut app, held).await, seen, "{view:?}");
        run(&mut app, "ROLLBACK").await.unwrap();
    }
}

/// `expires_at > now()`, and `now()` is the start of the transaction: one that began before the expiry finishes its work.
#[sqlx::test]
async fn a_lease_ends_between_transactions(pool: PgPool) {
    let (mut root, _minter) = sealed(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    run(&mut app, &format!("BEGIN; SET LOCAL stockade.lease = '{SECRET_A}'")).await.unwrap();
    let began = text(&mut app, "SELECT now()::text").await;
    let ends = |at: &str| format!("UPDATE stockade.tenant_lease SET expires_at = '{began}'::timestamptz {at}");
    for (at, seen) in [("+ interval '1 microsecond'", "2"), ("", "0"), ("- interval '1 microsecond'", "0")] {
        run(&mut root, &ends(at)).await.unwrap();
        assert_eq!(text(&mut app, COUNT).await, seen, "{at}");
    }
    run(&mut root, &ends("+ interval '1 microsecond'")).await.unwrap();
    assert_eq!(text(&mut app, COUNT).await, "2", "long past it by the clock, not by this transaction's");
    // A revocation does not wait for the transaction's end, unless the transaction keeps its snapshot.
    run(&mut root, "DELETE FROM stockade.tenant_lease").await.unwrap();
    assert_eq!(text(&mut app, COUNT).await, "0");
    run(&mut app, "ROLLBACK").await.unwrap();
    assert_eq!(shown(&mut app, SECRET_A, COUNT).await, "0");
}

#[sqlx::test]
async fn minting_refuses_what_is_no_lease(pool: PgPool) {
    let (mut root, mut minter) = sealed(&pool).await;
    let good = ["sha256('new')", "gen_random_uuid()", "'1 hour'", "NULL", "'12-_.Z'", "true"];
    let hostile: &[(usize, &[&str])] = &[
        (0, &["NULL", "''", "'\\x00'", "sha512('x')", "substr(sha256('x'), 2)", "sha256('')"]),
        (1, &["NULL"]),
        (
            2,
            &[
                "NULL",
                "'0'",
                "'-1 second'",
                "'24 hours 1 microsecond'",
                "'2 days'",
                "'1 month'",
                "'100 years'",
                "'1 month -28 days'",
                "'-1 month +31 days 1 hour'",
            ],
        ),
        (4, &["NULL", "repeat('a', 4097)", "'a b'", "E'a\\n'", "E'\\n'", "''''", "'é'", "'a;b'"]),
        (5, &["NULL"]),
    ];
    let call = |arguments: &[&str]| format!("SELECT stockade.mint_lease({})", arguments.join(", "));
    let mut refused = 0;
    for (position, values) in hostile {
        for value in *values {
            let mut arguments = good;
            arguments[*position] = value;
            let error = run(&mut minter, &call(&arguments)).await.unwrap_err();
            assert_eq!(code(&error), "22023", "{value}: {error}");
            refused += 1;
        }
    }
    assert_eq!(refused, 25);
    run(&mut minter, &call(&good)).await.unwrap();
    // A digest is minted once: nobody moves a living secret to another tenant.
    assert_eq!(code(&run(&mut minter, &mint(SECRET_A, B, "1 hour")).await.unwrap_err()), "23505");
    for lifetime in ["24 hours", "1 day", "0.001 seconds"] {
        run(&mut minter, &mint(lifetime, A, lifetime)).await.unwrap();
    }
    let longest =
        "SELECT (max(expires_at) <= clock_timestamp() + interval '24 hours')::text FROM stockade.tenant_lease";
    assert_eq!(text(&mut root, longest).await, "true");
    // Expired leases go, a few at a time and not at once: a transaction may still be using them.
    run(&mut root, "INSERT INTO stockade.tenant_lease SELECT sha256(n::text::bytea), gen_random_uuid(), NULL, '', false,
                     now() - CASE WHEN n > 20 THEN interval '1 minute' ELSE interval '2 hours' END FROM generate_series(1, 30) n")
        .await
        .unwrap();
    let expired = "SELECT count(*)::text FROM stockade.tenant_lease WHERE expires_at < now() - interval '10 seconds'";
    for (secret, left) in [("one", "14"), ("two", "10"), ("three", "10")] {
        run(&mut minter, &mint(secret, A, "1 hour")).await.unwrap();
        assert_eq!(text(&mut root, expired).await, left);
    }
}

/// What a lease alone does not stop: sessions of the same role read each other's statements.
#[sqlx::test]
async fn a_session_of_the_same_role_can_read_a_secret(pool: PgPool) {
    let (mut root, _minter) = sealed(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let mut other = connect(&pool, "rls_test_app").await;
    let sniff = "SELECT count(*)::text FROM pg_stat_activity";
    assert_eq!(code(&run(&mut other, sniff).await.unwrap_err()), "42501", "`Hardening::Activity` closes it");
    run(&mut root, "GRANT EXECUTE ON FUNCTION pg_stat_get_activity TO rls_test_app").await.unwrap();
    run(&mut app, &format!("BEGIN; SET LOCAL stockade.lease = '{SECRET_A}'")).await.unwrap();
    let sniff =
        "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                  AND query LIKE 'BEGIN; SET LOCAL stockade.lease%'";
    assert_eq!(text(&mut other, sniff).await, "1");
    // A bound parameter is not in the text.
    run(&mut app, "ROLLBACK; BEGIN").await.unwrap();
    run(&mut root, "GRANT EXECUTE ON FUNCTION set_config TO rls_test_app").await.unwrap();
    sqlx::query("SELECT set_config('stockade.lease', $1, true)").bind(SECRET_A).execute(&mut app).await.unwrap();
    let sniff = format!(
        "SELECT count(*)::text FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%{SECRET_A}%'"
    );
    assert_eq!(text(&mut other, &sniff).await, "0");
    run(&mut app, "ROLLBACK").await.unwrap();
}

#[sqlx::test]
async fn the_level_goes_up_and_down(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    let untouched = catalogue(&mut conn).await;
    let setting = apply(&freight(), &mut conn).await;
    let before = catalogue(&mut conn).await;
    let sealed = freight().context(Context::Lease);
    let rules: Vec<_> = lint(&sealed, &mut conn).await.iter().map(|finding| finding.rule()).collect();
    assert_eq!(rules, [Rule::ContextView; 3], "a weaker level than the declared one is found");
    let lease = apply(&sealed, &mut conn).await;
    let raised = catalogue(&mut conn).await;
    assert!(sealed.plan(&mut conn).await.unwrap().is_empty());
    assert_eq!(lint(&sealed, &mut conn).await, []);
    lease.apply(&mut conn).await.unwrap();
    assert_same(&raised, &catalogue(&mut conn).await);
    for _ in 0..2 {
        lease.revert(&mut conn).await.unwrap();
        assert_same(&before, &catalogue(&mut conn).await);
    }
    setting.revert(&mut conn).await.unwrap();
    assert_same(&untouched, &catalogue(&mut conn).await);
    // In one step, on a database that another crate has given the plain view.
    run(
        &mut conn,
        "CREATE SCHEMA stockade;
         CREATE VIEW stockade.current_tenant AS SELECT nullif(current_setting('stockade.tenant_id', true), '')::uuid AS tenant_id",
    )
    .await
    .unwrap();
    let plan = apply(&sealed, &mut conn).await;
    assert_eq!(lint(&sealed, &mut conn).await, []);
    plan.revert(&mut conn).await.unwrap();
    assert_eq!(
        text(&mut conn, "SELECT definition FROM pg_views WHERE schemaname = 'stockade'")
            .await
            .matches("tenant_id")
            .count(),
        2
    );
}

#[sqlx::test]
async fn the_schemas_of_a_database_agree_on_the_level(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(
        &mut conn,
        "CREATE SCHEMA a; CREATE TABLE a.t (tenant_id uuid); CREATE SCHEMA b; CREATE TABLE b.t (tenant_id uuid)",
    )
    .await
    .unwrap();
    let schema = |name: &str, context| {
        Schema::new(name, Roles::for_app("rls_test")).tenant_table("t", by("tenant_id")).context(context)
    };
    apply_all(&schema("a", Context::Setting), &mut conn).await;
    let raise = apply(&schema("b", Context::Lease), &mut conn).await;
    let error = schema("a", Context::Setting).plan(&mut conn).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Declaration);
    assert_eq!(error.to_string(), "the database's context is a lease, declared for `b`; a setting would weaken it");
    let join = apply(&schema("a", Context::Lease), &mut conn).await;
    let sealed = "SELECT (pg_get_viewdef('stockade.current_tenant'::regclass) LIKE '%tenant_lease%')::text";
    raise.revert(&mut conn).await.unwrap();
    assert_eq!(text(&mut conn, sealed).await, "true", "one schema is left that relies on it");
    assert!(schema("a", Context::Lease).health(&mut conn).await.unwrap().is_sound());
    // A schema that is gone holds nothing up.
    run(&mut conn, "INSERT INTO stockade.lease_schema VALUES ('gone')").await.unwrap();
    join.revert(&mut conn).await.unwrap();
    assert_eq!(text(&mut conn, sealed).await, "false");
    assert!(schema("a", Context::Setting).plan(&mut conn).await.unwrap().is_empty());
}

/// What a managed service gives is enough for leases too.
#[sqlx::test]
async fn a_migrator_without_superuser_raises_the_level(pool: PgPool) {
    let mut migrator = migrator(&pool).await;
    run(&mut migrator, TABLES).await.unwrap();
    let schema = freight().context(Context::Lease).harden([] as [Hardening; 0]);
    let plan = apply(&schema, &mut migrator).await;
    assert!(schema.plan(&mut migrator).await.unwrap().is_empty());
    assert!(schema.health(&mut migrator).await.unwrap().is_sound());
    plan.revert(&mut migrator).await.unwrap();
}

/// The guards read the same view as the policies.
#[sqlx::test]
async fn the_guards_hold_under_a_lease(pool: PgPool) {
    let (mut root, _minter) = sealed(&pool).await;
    let period = format!("INSERT INTO freight.fiscal_period VALUES ('{A}', '2024-01-01', '2024-01-31', now())");
    run(&mut root, &period).await.unwrap();
    let mut app = connect(&pool, "rls_test_app").await;
    let post = |tenant, day| format!("INSERT INTO freight.gl_posting VALUES ('{tenant}', 1, '{day}')");
    attempt(&mut app, SECRET_A, &post(A, "2024-02-01")).await.unwrap();
    let error = attempt(&mut app, SECRET_A, &post(A, "2024-01-31")).await.unwrap_err();
    assert_eq!(Refusal::of(&error), Some(Refusal::ClosedPeriod));
    // The superuser is under no policy, but the guard wants a lease of the tenant from him too.
    for secret in ["", SECRET_B] {
        let error = attempt(&mut root, secret, &post(A, "2024-02-01")).await.unwrap_err();
        assert_eq!(Refusal::of(&error), Some(Refusal::OutsideTenant), "{secret:?}");
    }
    let reopen = "SELECT stockade.rls_reopen_period('freight.fiscal_period', '2024-01-31', 'x');
                  UPDATE freight.fiscal_period SET closed_at = NULL";
    let outcome = attempt(&mut root, SECRET_A, reopen).await;
    assert!(outcome.is_ok(), "{outcome:?}");
}
