//! What each hardening takes from an attacker who runs SQL as the application, and gives back.

use sqlx::{PgConnection, PgPool};
use stockade_rls_migrations::{Hardening, Schema, Skipped};

use crate::snapshot::{assert_same, catalogue};
use crate::support::{A, B, TABLES, apply_all, code, connect, freight, run, text, within};

fn schema(hardening: impl IntoIterator<Item = Hardening>) -> Schema {
    freight().harden(hardening)
}

/// The attack, in A's context on a connection of the application, against `victim`, another one: whether it worked.
async fn attack(
    hardening: Hardening,
    attacker: &mut PgConnection,
    victim: &mut PgConnection,
) -> Result<bool, sqlx::Error> {
    let a = A.to_string();
    match hardening {
        Hardening::PublicSchema => {
            within(attacker, &a, "CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1'").await?;
            Ok(true)
        }
        Hardening::TempTables => {
            within(attacker, &a, "CREATE TEMP TABLE kept AS SELECT * FROM freight.loads").await?;
            Ok(true)
        }
        Hardening::SetConfig => {
            let injected = format!(
                "SELECT string_agg(name, '') FROM (SELECT set_config('stockade.tenant_id', '{B}', true) AS name
                   UNION ALL SELECT name FROM freight.loads) x"
            );
            run(attacker, "BEGIN").await?;
            run(attacker, &format!("SET LOCAL stockade.tenant_id = '{A}'")).await?;
            let seen: Result<String, _> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(injected)).fetch_one(&mut *attacker).await;
            run(attacker, "ROLLBACK").await?;
            Ok(seen?.contains(&format!("secret of {B}")))
        }
        Hardening::Activity => {
            run(victim, &format!("SELECT 'the secret of {B}'")).await?;
            let views =
                "SELECT coalesce(string_agg(query, ' '), '') FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
            let functions = "SELECT coalesce(string_agg(pg_stat_get_backend_activity(id), ' '), '') FROM pg_stat_get_backend_idset() id";
            let mut outcomes = Vec::new();
            for query in [views, functions] {
                outcomes.push(sqlx::query_scalar::<_, String>(query).fetch_one(&mut *attacker).await);
            }
            let seen = |outcome: Result<String, sqlx::Error>| Ok(outcome?.contains(&format!("the secret of {B}")));
            let outcomes = outcomes.into_iter().map(seen).collect::<Result<Vec<bool>, sqlx::Error>>()?;
            Ok(outcomes == [true, true])
        }
        Hardening::LargeObjects => {
            let secret: i64 =
                sqlx::query_scalar("SELECT lo_from_bytea(0, 'secret')::int8").fetch_one(&mut *victim).await?;
            let read = format!("SELECT encode(lo_get({secret}::oid), 'escape')");
            Ok(text(attacker, &read).await == "secret")
        }
        Hardening::Notify => {
            run(victim, "LISTEN tenant_b").await?;
            within(attacker, &a, "SELECT pg_notify('tenant_b', 'forged')").await?;
            run(victim, "UNLISTEN tenant_b").await?;
            Ok(true)
        }
        Hardening::Signals => {
            let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *victim).await?;
            within(attacker, &a, &format!("SELECT pg_cancel_backend({pid})")).await?;
            within(attacker, &a, &format!("SELECT pg_terminate_backend({pid}, 0) WHERE false")).await?;
            Ok(true)
        }
        other => panic!("{other:?} has no attack"),
    }
}

#[sqlx::test]
async fn each_hardening_stops_its_attack_and_is_given_back(pool: PgPool) {
    let mut root = connect(&pool, "postgres").await;
    run(&mut root, TABLES).await.unwrap();
    run(&mut root, "GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC").await.unwrap();
    let bare = schema([]);
    apply_all(&bare, &mut root).await;
    for tenant in [A, B] {
        let row = format!("INSERT INTO freight.loads VALUES ('{tenant}', 1, 'secret of {tenant}')");
        run(&mut root, &row).await.unwrap();
    }
    let mut attacker = connect(&pool, "rls_test_app").await;
    let mut victim = connect(&pool, "rls_test_app").await;
    for hardening in Hardening::ALL {
        assert!(attack(hardening, &mut attacker, &mut victim).await.unwrap(), "{hardening:?}: the control");
        let before = catalogue(&mut root).await;
        let plan = schema([hardening]).plan(&mut root).await.unwrap();
        plan.apply(&mut root).await.unwrap();
        assert!(schema([hardening]).plan(&mut root).await.unwrap().is_empty(), "{hardening:?}");
        let error = attack(hardening, &mut attacker, &mut victim).await.unwrap_err();
        assert_eq!(code(&error), "42501", "{hardening:?}: {error}");
        plan.revert(&mut root).await.unwrap();
        assert_same(&before, &catalogue(&mut root).await);
        assert!(attack(hardening, &mut attacker, &mut victim).await.unwrap(), "{hardening:?}: given back");
    }
}

/// Not one is forgotten, whatever the server's version has.
#[sqlx::test]
async fn no_function_of_its_kind_is_left(pool: PgPool) {
    let mut root = connect(&pool, "postgres").await;
    run(&mut root, TABLES).await.unwrap();
    let left = "SELECT coalesce(string_agg(p.oid::regprocedure::text, ', '), '') FROM pg_proc p
                 WHERE p.pronamespace = 'pg_catalog'::regnamespace AND has_function_privilege('rls_test_app', p.oid, 'EXECUTE')
                   AND p.proname ~ '^(lo_.*|loread|lowrite|set_config|pg_notify|pg_(cancel|terminate)_backend|pg_stat_get_(backend_)?activity)$'";
    apply_all(&schema([]), &mut root).await;
    assert_eq!(text(&mut root, left).await.matches('(').count(), 23, "the control");
    apply_all(&freight(), &mut root).await;
    assert_eq!(text(&mut root, left).await, "");
}

/// Who keeps what the application loses: whoever PostgreSQL has a role for.
#[sqlx::test]
async fn monitoring_keeps_what_it_needs(pool: PgPool) {
    let mut root = connect(&pool, "postgres").await;
    run(&mut root, TABLES).await.unwrap();
    apply_all(&freight(), &mut root).await;
    let name = format!("rls_monitor_{}", std::process::id());
    run(&mut root, &format!("CREATE ROLE {name} LOGIN IN ROLE pg_monitor, pg_signal_backend")).await.unwrap();
    let mut monitor = connect(&pool, &name).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut app).await.unwrap();
    for (statement, allowed) in [
        ("SELECT query FROM pg_stat_activity".to_owned(), true),
        (format!("SELECT pg_cancel_backend({pid})"), true),
        ("SELECT pg_notify('x', 'y')".to_owned(), false),
        ("SELECT lo_create(0)".to_owned(), false),
    ] {
        let outcome = run(&mut monitor, &statement).await;
        assert_eq!(outcome.is_ok(), allowed, "{statement}: {outcome:?}");
        assert!(run(&mut app, &statement).await.is_err(), "{statement}");
    }
    // Somebody opens one of seventeen functions again.
    run(&mut root, "GRANT EXECUTE ON FUNCTION lo_get(oid) TO PUBLIC").await.unwrap();
    let plan = freight().plan(&mut root).await.unwrap();
    assert!(
        plan.up_sql().contains("REVOKE EXECUTE ON FUNCTION pg_catalog.lo_get(oid) FROM PUBLIC"),
        "{}",
        plan.up_sql()
    );
    let skipped = freight().plan(&mut monitor).await.unwrap();
    assert_eq!(skipped.skipped(), [Skipped::Hardening(Hardening::LargeObjects)]);
    drop(monitor);
    run(&mut root, &format!("DROP ROLE {name}")).await.unwrap();
}
