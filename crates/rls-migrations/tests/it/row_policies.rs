//! The application's own policies on rows: they only take away, and what somebody changes of them is found.

use sqlx::{Connection as _, PgConnection, PgPool};
use stockade_rls_migrations::Change::{self, Foreign, Missing, Widened};
use stockade_rls_migrations::{ErrorKind, Probe, Roles, RowPolicy, Rule, Schema, by, date, periods};

use crate::support::{A, apply_all, code, connect, freight, protected, run, text};

/// Rows whose name is the actor's scopes, or all for whoever has `all`.
const REACH: &str =
    "name = (SELECT a.scopes FROM stockade.current_actor a) OR (SELECT a.scopes = 'all' FROM stockade.current_actor a)";

pub(crate) fn policies() -> [RowPolicy; 4] {
    [
        RowPolicy::select("own_seen", REACH),
        RowPolicy::insert("own_added", REACH),
        RowPolicy::update("own_changed", REACH, REACH),
        RowPolicy::delete("own_removed", REACH),
    ]
}

pub(crate) fn declared() -> Schema {
    freight().row_policies("loads", policies())
}

/// Runs one statement in A's context as the application, with these scopes; rolled back.
async fn within(conn: &mut PgConnection, scopes: &str, sql: &str) -> Result<u64, sqlx::Error> {
    let mut tx = conn.begin().await?;
    let context = format!("SET LOCAL stockade.tenant_id = '{A}'; SET LOCAL stockade.actor_scopes = '{scopes}'");
    run(&mut tx, &context).await?;
    let outcome = run(&mut tx, sql).await;
    tx.rollback().await?;
    outcome
}

#[sqlx::test]
async fn they_hold_back_whoever_does_not_reach_a_row(pool: PgPool) {
    let mut root = protected(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let see = "SELECT FROM freight.loads";
    assert_eq!(within(&mut app, "", see).await.unwrap(), 2, "the control: nothing is held back yet");
    apply_all(&declared(), &mut root).await;
    for (scopes, rows) in [("", 0), ("other", 1), ("all", 2)] {
        assert_eq!(within(&mut app, scopes, see).await.unwrap(), rows, "{scopes}");
    }
    let insert = format!("INSERT INTO freight.loads VALUES ('{A}', 9, 'other')");
    assert_eq!(within(&mut app, "other", &insert).await.unwrap(), 1);
    assert_eq!(code(&within(&mut app, "another", &insert).await.unwrap_err()), "42501");
    let away = "UPDATE freight.loads SET name = 'hidden' WHERE id = 2";
    assert_eq!(within(&mut app, "all", away).await.unwrap(), 1);
    assert_eq!(code(&within(&mut app, "other", away).await.unwrap_err()), "42501", "moved out of its writer's reach");
    assert_eq!(within(&mut app, "another", "DELETE FROM freight.loads").await.unwrap(), 0);

    run(&mut root, "CREATE POLICY careless ON freight.loads USING (true) WITH CHECK (true)").await.unwrap();
    assert_eq!(within(&mut app, "", see).await.unwrap(), 0, "a permissive policy gives nothing back");
    assert_eq!(within(&mut app, "all", see).await.unwrap(), 2, "and the other tenant's rows stay its own");
}

#[sqlx::test]
async fn a_second_plan_is_empty_under_any_search_path_and_down_takes_them_away(pool: PgPool) {
    let mut conn = protected(&pool).await;
    let odd = RowPolicy::select("o'd\"d %I", "name <> '%s' AND (name)::text <> '$'").only_for(["rls_test_app"]);
    let schema = declared().row_policies("stops", [RowPolicy::delete("never", "false")]).row_policies("loads", [odd]);
    let before = text(&mut conn, POLICIES).await;
    for path in ["''", "stockade, freight, public", "\"odd, 'path'\""] {
        run(&mut conn, &format!("SET search_path = {path}")).await.unwrap();
        let plan = schema.plan(&mut conn).await.unwrap();
        assert_eq!(plan.up().iter().filter(|statement| statement.sql().contains("RESTRICTIVE")).count(), 6, "{path}");
        plan.apply(&mut conn).await.unwrap();
        plan.apply(&mut conn).await.unwrap();
        let set = text(&mut conn, "SELECT current_setting('search_path')").await;
        assert!(path == "''" || set.contains("stockade") || set.contains("odd"), "the path is as it was: {set}");
        run(&mut conn, "RESET search_path").await.unwrap();
        assert!(schema.plan(&mut conn).await.unwrap().is_empty(), "{path}");
        assert!(schema.drift(&mut conn).await.unwrap().is_none(), "{path}");
        plan.revert(&mut conn).await.unwrap();
        assert_eq!(text(&mut conn, POLICIES).await, before, "{path}");
    }
}

const POLICIES: &str = "SELECT string_agg(concat_ws(' ', schemaname, tablename, policyname, permissive, roles, cmd, qual, with_check), E'\\n'
    ORDER BY tablename, policyname) FROM pg_policies WHERE schemaname = 'freight'";

/// There is no word for a permissive policy, for another table or for a second statement, and no text becomes one.
#[sqlx::test]
async fn what_is_no_restriction_of_the_declared_table_is_refused(pool: PgPool) {
    let mut conn = protected(&pool).await;
    let see = |condition: &str| [RowPolicy::select("p", condition)];
    let stop = "a condition closes what it opens";
    for (schema, why) in [
        (freight().row_policies("unknown", see("true")), "`unknown`: named, but not declared"),
        (freight().row_policies("countries", see("true")), "`countries`: row policies need a tenant table"),
        (
            freight().row_policies("_sqlx_migrations", see("true")),
            "`_sqlx_migrations`: row policies need a tenant table",
        ),
        (
            freight().row_policies("fiscal_period", see("true")),
            "`fiscal_period`: a row policy could hide a closed period from the period guard",
        ),
        (
            freight().row_policies("loads", see("true")).row_policies("loads", see("false")),
            "`loads`: has two row policies of one name",
        ),
        (
            freight().row_policies("loads", [RowPolicy::delete("stockade_tenant", "true")]),
            "`stockade_tenant`: such names are those of this crate's policies",
        ),
        (freight().row_policies("loads", [RowPolicy::select("", "true")]), "``: a name must not be empty"),
        (
            freight().row_policies("loads", see("true").map(|p| p.only_for(["public"]))),
            "`public`: PostgreSQL reserves this role name",
        ),
        (freight().row_policies("loads", see("true) WITH CHECK (true")), &format!("`p`: {stop}")),
        (
            freight().row_policies("loads", see("true); DROP POLICY stockade_tenant ON freight.loads; SELECT (1")),
            &format!("`p`: {stop}"),
        ),
        (
            freight().row_policies("loads", see("true; CREATE POLICY wide ON freight.loads USING (true)")),
            "`p`: a condition is one expression, without a semicolon",
        ),
        (freight().row_policies("loads", see("true -- )")), "`p`: a condition has no comment"),
        (freight().row_policies("loads", see("name = $$)$$")), "`p`: a condition has no dollar quote and no parameter"),
    ] {
        let error = schema.plan(&mut conn).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Declaration, why));
    }
    // A period table whose guard is declared after the policy, too.
    let late = Schema::new("freight", Roles::for_app("rls_test"))
        .tenant_table("fiscal_period", by("tenant_id"))
        .row_policies("fiscal_period", see("true"))
        .period_guard("gl_posting", date("posted_on"), periods("fiscal_period"));
    assert_eq!(late.plan(&mut conn).await.unwrap_err().kind(), ErrorKind::Declaration);
    // What PostgreSQL does not take for a condition changes nothing.
    let plan = freight().row_policies("loads", see("name, name")).plan(&mut conn).await.unwrap();
    assert!(plan.apply(&mut conn).await.is_err());
    assert!(freight().plan(&mut conn).await.unwrap().is_empty());
}

/// What is done to the policies, and the difference that it is.
const MUTATIONS: &[(&str, Change)] = &[
    ("DROP POLICY own_seen ON freight.loads", Missing),
    ("ALTER POLICY own_seen ON freight.loads USING (true)", Widened),
    ("ALTER POLICY own_changed ON freight.loads WITH CHECK (true)", Widened),
    ("ALTER POLICY own_added ON freight.loads TO rls_test_reader", Widened),
    ("COMMENT ON POLICY own_seen ON freight.loads IS NULL", Widened),
    ("COMMENT ON POLICY own_seen ON freight.loads IS 'reviewed'", Widened),
    // The same words, joined to the others by OR.
    (
        "DROP POLICY own_seen ON freight.loads; CREATE POLICY own_seen ON freight.loads FOR SELECT
           USING (name = (SELECT a.scopes FROM stockade.current_actor a) OR (SELECT a.scopes = 'all' FROM stockade.current_actor a))",
        Widened,
    ),
    // Other words under the comment of the ones before.
    (
        "DO $$ DECLARE said text := (SELECT d.description FROM pg_description d JOIN pg_policy p ON p.oid = d.objoid WHERE p.polname = 'own_seen');
         BEGIN DROP POLICY own_seen ON freight.loads; CREATE POLICY own_seen ON freight.loads AS RESTRICTIVE FOR SELECT USING (name IS NOT NULL);
           EXECUTE format('COMMENT ON POLICY own_seen ON freight.loads IS %L', said); END $$",
        Widened,
    ),
    ("ALTER POLICY own_removed ON freight.loads RENAME TO own_gone", Missing),
];

#[sqlx::test]
async fn every_change_of_one_is_drift_and_an_error_of_health_and_the_plan_repairs_it(pool: PgPool) {
    let mut conn = protected(&pool).await;
    apply_all(&declared(), &mut conn).await;
    let health = declared().health(&mut conn).await.unwrap();
    assert!(health.findings().iter().all(|finding| finding.rule() != Rule::RowPolicy), "{:?}", health.findings());
    assert!(health.tables().iter().all(|table| table.row_policies == matches!(table.name.as_str(), "loads" | "stops")));
    for (mutation, change) in MUTATIONS {
        let mut conn = conn.begin().await.unwrap();
        run(&mut conn, mutation).await.unwrap_or_else(|error| panic!("{mutation}: {error}"));
        let drift = declared().drift(&mut conn).await.unwrap();
        assert!(
            drift.differences().iter().any(|one| one.change() == *change && one.object() == "freight.loads"),
            "{mutation}\n{drift}"
        );
        let health = declared().health(&mut conn).await.unwrap();
        assert!(!health.is_sound() && health.findings().iter().any(|one| one.rule() == Rule::RowPolicy), "{mutation}");
        let plan = declared().plan(&mut conn).await.unwrap();
        plan.apply(&mut conn).await.unwrap();
        let left = declared().drift(&mut conn).await.unwrap();
        assert!(left.differences().iter().all(|one| one.change() == Foreign), "{mutation}\n{left}");
        plan.revert(&mut conn).await.unwrap();
        let again = declared().drift(&mut conn).await.unwrap();
        assert!(!again.is_none(), "{mutation}: the way back leads to what was there");
        conn.rollback().await.unwrap();
    }
    // Another declaration is a difference too, and one that is declared no longer is somebody else's.
    let other = freight().row_policies("loads", policies().into_iter().skip(1));
    assert_eq!(
        other.drift(&mut conn).await.unwrap().differences().iter().map(|one| one.change()).collect::<Vec<_>>(),
        [Foreign]
    );
    let stricter = freight().row_policies("loads", [RowPolicy::select("own_seen", "false")]);
    assert!(stricter.drift(&mut conn).await.unwrap().differences().iter().any(|one| one.change() == Widened));
}

/// The way back from a change of the declaration leaves the former one in force, and known as such.
#[sqlx::test]
async fn a_changed_condition_can_be_taken_back(pool: PgPool) {
    let mut conn = protected(&pool).await;
    let with = |condition: &str| freight().row_policies("loads", [RowPolicy::select("own", condition)]);
    apply_all(&with("id = 1"), &mut conn).await;
    let plan = with("id = 2").plan(&mut conn).await.unwrap();
    plan.apply(&mut conn).await.unwrap();
    assert!(with("id = 2").drift(&mut conn).await.unwrap().is_none());
    assert!(!with("id = 1").drift(&mut conn).await.unwrap().is_none());
    plan.revert(&mut conn).await.unwrap();
    assert!(with("id = 1").drift(&mut conn).await.unwrap().is_none());
}

/// Where A does not reach its own rows an attempt on B's proves nothing, and the probe says so; with scopes it proves as much as before.
#[sqlx::test]
async fn the_probe_attacks_with_the_scopes_that_it_is_given(pool: PgPool) {
    let mut conn = protected(&pool).await;
    let before = freight().probe(&mut conn, &Probe::new()).await.unwrap();
    apply_all(&declared(), &mut conn).await;
    let on_loads = |report: &stockade_rls_migrations::ProbeReport| {
        report.untested().filter(|row| row.object() == "freight.loads").count()
    };
    let blind = declared().probe(&mut conn, &Probe::new()).await.unwrap();
    let seeing = declared().probe(&mut conn, &Probe::new().scopes("all")).await.unwrap();
    assert!(blind.is_isolated() && seeing.is_isolated(), "{seeing}");
    assert!(on_loads(&blind) > on_loads(&seeing) + 10, "{} and {}", on_loads(&blind), on_loads(&seeing));
    assert_eq!(on_loads(&seeing), on_loads(&before), "{seeing}");

    run(&mut conn, "DROP POLICY stockade_tenant ON freight.loads").await.unwrap();
    let broken = declared().probe(&mut conn, &Probe::new().scopes("all")).await.unwrap();
    assert!(!broken.is_isolated());
}
