//! Conditions that PostgreSQL reads back from its own writing with other parentheses, and conditions that say something else.

use sqlx::{PgConnection, PgPool};
use stockade_rls_migrations::{Drill, Part, Snapshot};

use crate::support::{freight, run, sound, text};

/// Everything that holds a condition, with the first of three being two itself.
const OBJECTS: &str = "
    CREATE TABLE public.near (id int, city text, is_near bool DEFAULT (1 BETWEEN 0 AND 9 AND length('x') > 0));
    CREATE POLICY near ON public.near USING (id BETWEEN 1 AND 9 AND city <> '') WITH CHECK ((id, city) = (1, '') AND id > 0);
    ALTER TABLE public.near ADD CONSTRAINT near CHECK (id BETWEEN 1 AND 9 AND city <> '');
    CREATE INDEX near_by_city ON public.near (city) WHERE id BETWEEN 1 AND 9 AND city <> '';
    CREATE VIEW public.near_view AS SELECT * FROM public.near WHERE id BETWEEN 1 AND 9 AND city <> '';
    CREATE RULE near AS ON DELETE TO public.near WHERE OLD.id BETWEEN 1 AND 9 AND OLD.city <> '' DO ALSO NOTHING;
    CREATE TRIGGER near BEFORE UPDATE ON public.near FOR EACH ROW WHEN (NEW.id BETWEEN 1 AND 9 AND NEW.city <> '')
        EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger();
";

/// How PostgreSQL writes each of them for `pg_dump`, under the search path of `pg_dump`.
const WRITTEN: &str = "
    SET search_path = pg_catalog;
    CREATE OR REPLACE FUNCTION pg_temp.written() RETURNS text[] LANGUAGE sql AS $$
        SELECT ARRAY[
            (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'public.near'::regclass),
            (SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polname = 'near'),
            (SELECT pg_get_expr(polwithcheck, polrelid) FROM pg_policy WHERE polname = 'near'),
            (SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'near'),
            pg_get_indexdef('public.near_by_city'::regclass),
            pg_get_viewdef('public.near_view'::regclass),
            (SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE rulename = 'near'),
            (SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'near')]
    $$;";

/// Makes each anew of what was written, as `pg_restore` does.
const RESTORE: &str = "
    DO $$
    DECLARE
        w text[] := pg_temp.written();
        statement text;
    BEGIN
        FOREACH statement IN ARRAY ARRAY[
            'ALTER TABLE public.near ALTER is_near SET DEFAULT ' || w[1], 'DROP POLICY near ON public.near',
            format('CREATE POLICY near ON public.near USING (%s) WITH CHECK (%s)', w[2], w[3]),
            'ALTER TABLE public.near DROP CONSTRAINT near', 'ALTER TABLE public.near ADD CONSTRAINT near ' || w[4],
            'DROP INDEX public.near_by_city', w[5], 'CREATE OR REPLACE VIEW public.near_view AS ' || w[6],
            'DROP RULE near ON public.near', w[7], 'DROP TRIGGER near ON public.near', w[8]] LOOP
            EXECUTE statement;
        END LOOP;
    END $$";

async fn snapshot(conn: &mut PgConnection) -> Snapshot {
    freight().snapshot(conn).await.unwrap()
}

async fn written(conn: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar("SELECT pg_temp.written()").fetch_one(conn).await.unwrap()
}

#[sqlx::test]
async fn what_was_written_with_other_parentheses_is_the_same(pool: PgPool) {
    let mut conn = sound(&pool).await;
    run(&mut conn, OBJECTS).await.unwrap();
    run(&mut conn, WRITTEN).await.unwrap();
    let (before, one) = (snapshot(&mut conn).await, written(&mut conn).await);
    run(&mut conn, RESTORE).await.unwrap();
    let (after, other) = (snapshot(&mut conn).await, written(&mut conn).await);
    for (one, other) in one.iter().zip(&other) {
        assert_ne!(one, other, "the control: PostgreSQL writes it otherwise");
    }
    let report = Drill::new().compare(&before, &after);
    assert!(report.is_green(), "{report}");
    // And it stays so when that one is restored.
    run(&mut conn, RESTORE).await.unwrap();
    assert_eq!(written(&mut conn).await, other);
}

/// Conditions that have the same words in the same order, and do not say the same.
const MEANINGS: &[(&str, &str)] = &[
    ("id = 1 OR id = 2 AND city = 'x'", "(id = 1 OR id = 2) AND city = 'x'"),
    ("id = 1 AND city = 'x' OR id = 2", "id = 1 AND (city = 'x' OR id = 2)"),
    ("NOT (id = 1 AND city = 'x')", "NOT id = 1 AND city = 'x'"),
    ("NOT ((id = 1) = (id = 2))", "(NOT id = 1) = (id = 2)"),
    ("id = 1 AND (city = 'x') IS NOT TRUE", "(id = 1 AND city = 'x') IS NOT TRUE"),
    ("id - (load_id - 1) = 1", "id - load_id - 1 = 1"),
    ("id / (load_id * 2) = 1", "id / load_id * 2 = 1"),
    ("- (id ^ 2) < 0", "(- id) ^ 2 < 0"),
    ("(city || id)::text = 'x'", "city || (id)::text = 'x'"),
    (
        "EXISTS (SELECT WHERE id = 1 OR id = 2 AND city = 'x')",
        "EXISTS (SELECT WHERE (id = 1 OR id = 2) AND city = 'x')",
    ),
    (
        "CASE WHEN id = 1 OR id = 2 AND city = 'x' THEN true END",
        "CASE WHEN (id = 1 OR id = 2) AND city = 'x' THEN true END",
    ),
];

#[sqlx::test]
async fn what_means_something_else_is_found_and_more_parentheses_are_not(pool: PgPool) {
    let mut conn = sound(&pool).await;
    run(&mut conn, "CREATE POLICY near ON freight.stops USING (false)").await.unwrap();
    for (one, other) in MEANINGS {
        let mut taken = Vec::new();
        for condition in [one.to_string(), format!("(({one}))"), other.to_string()] {
            run(&mut conn, &format!("ALTER POLICY near ON freight.stops USING ({condition})")).await.unwrap();
            taken.push(snapshot(&mut conn).await);
        }
        assert!(Drill::new().compare(&taken[0], &taken[1]).is_green(), "{one}");
        let report = Drill::new().compare(&taken[0], &taken[2]);
        let found: Vec<_> = report.unexpected().map(|found| (found.part, found.object.as_str())).collect();
        assert_eq!(found, [(Part::Policies, "freight.stops.near")], "{one}, {other}\n{report}");
    }
    assert_eq!(text(&mut conn, "SELECT count(*)::text FROM pg_policy WHERE polname = 'near'").await, "1");
}
