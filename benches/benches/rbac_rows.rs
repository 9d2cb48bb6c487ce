//! What row-level security costs beside the filter of a list that it repeats, and what policies cost that ask the settings row by row.
//!
//! `scripts/bench rbac_rows`, as a superuser: makes a database of its own and drops it. A round runs every variant, in an order
//! that rotates. The time is the backend's time on a processor (`/proc/<pid>/schedstat`). Each variant has given the same result before it is measured.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark that cannot run should stop")]

use sqlx::{PgConnection, Postgres, QueryBuilder};
use stockade_benches::{Database, Report, run};
use stockade_rbac::{Actor, Direct, Policy, Rows, Subject};
use uuid::Uuid;

stockade_rbac::permissions! {
    /// What a person of the brokerage may do.
    enum Perm {
        LoadView = "load.view": Read, up to Tenant;
    }
}

static LOADS: Rows = Rows::new("freight", "loads", "tenant_id")
    .owner("owner_id")
    .team("team_id")
    .office("office_id")
    .shared("id", "load");

/// 500 people in 50 teams and 5 offices of each of 8 tenants, and three shares a person. Identifiers are numbers, so that both sides know them.
const FILL: &str = "
CREATE FUNCTION freight.u(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT lpad(to_hex(n), 32, '0')::uuid $$;
INSERT INTO freight.loads
    SELECT md5(format('%s %s', t, n))::uuid, freight.u(t), freight.u(t * 1000 + w), freight.u(100000 + t * 1000 + w / 10),
        freight.u(200000 + t * 1000 + w / 100), n
    FROM generate_series(1, 8) t, generate_series(1, {rows}) n, LATERAL (SELECT (n * 7919) % 500 AS w) AS who;
INSERT INTO stockade.rbac_team_member
    SELECT freight.u(t), freight.u(t * 1000 + w), freight.u(100000 + t * 1000 + w / 10) FROM generate_series(1, 8) t, generate_series(0, 499) w;
INSERT INTO stockade.rbac_office_member
    SELECT freight.u(t), freight.u(t * 1000 + w), freight.u(200000 + t * 1000 + w / 100) FROM generate_series(1, 8) t, generate_series(0, 499) w;
INSERT INTO stockade.rbac_share (share_id, tenant_id, kind, row_id, user_id, level, reason, granted_by)
    SELECT gen_random_uuid(), freight.u(t), 'load', md5(format('%s %s', t, w * 3 + s))::uuid, freight.u(t * 1000 + w), 'view', 'joint account', freight.u(1)
    FROM generate_series(1, 8) t, generate_series(0, 499) w, generate_series(1, 3) s;
INSERT INTO freight.naive TABLE freight.loads";

const TABLE: &str = "
CREATE TABLE freight.loads (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, owner_id uuid, team_id uuid, office_id uuid, cents bigint NOT NULL);
CREATE INDEX ON freight.loads (tenant_id, owner_id);
CREATE INDEX ON freight.loads (tenant_id, team_id);
CREATE INDEX ON freight.loads (tenant_id, office_id);
CREATE INDEX ON freight.loads (tenant_id, id);
CREATE TABLE freight.naive (LIKE freight.loads INCLUDING ALL);
ALTER TABLE freight.loads ENABLE ROW LEVEL SECURITY;
ALTER TABLE freight.naive ENABLE ROW LEVEL SECURITY;
CREATE POLICY access ON freight.loads USING (true);
GRANT USAGE ON SCHEMA freight TO stockade_app;
GRANT SELECT ON ALL TABLES IN SCHEMA freight TO stockade_app";

/// As it is usually written: settings in the condition itself, and a look into each table of memberships.
const NAIVE: &str = "
CREATE POLICY naive ON freight.naive USING (tenant_id = current_setting('stockade.tenant_id')::uuid AND (
    current_setting('bench.scope') = 'tenant' OR owner_id = current_setting('stockade.actor_id')::uuid
    OR current_setting('bench.scope') IN ('team', 'office') AND EXISTS (SELECT FROM stockade.rbac_team_member m
        WHERE m.tenant_id = naive.tenant_id AND m.team_id = naive.team_id AND m.user_id = current_setting('stockade.actor_id')::uuid)
    OR current_setting('bench.scope') = 'office' AND EXISTS (SELECT FROM stockade.rbac_office_member m
        WHERE m.tenant_id = naive.tenant_id AND m.office_id = naive.office_id AND m.user_id = current_setting('stockade.actor_id')::uuid)
    OR EXISTS (SELECT FROM stockade.rbac_share s WHERE s.tenant_id = naive.tenant_id AND s.kind = 'load' AND s.row_id = naive.id
        AND s.user_id = current_setting('stockade.actor_id')::uuid AND (s.expires_at IS NULL OR s.expires_at > now()))))";

#[derive(Clone, Copy, PartialEq)]
enum Variant {
    Filter,
    FilterAgain,
    PoliciesAndFilter,
    Policies,
    Naive,
}

const VARIANTS: [Variant; 5] =
    [Variant::Filter, Variant::FilterAgain, Variant::PoliciesAndFilter, Variant::Policies, Variant::Naive];

/// As `bars.toml` has them.
const NAMES: [&str; 5] =
    ["filter", "filter, again", "policies and filter", "policies alone", "policies that ask row by row"];

const QUERIES: [(&str, &str, &str); 2] = [
    ("sum over", "SELECT coalesce(sum(l.cents), 0)::bigint FROM ", ""),
    (
        "page of 50 of",
        "SELECT coalesce(sum(page.cents), 0)::bigint FROM (SELECT l.id, l.cents FROM ",
        " ORDER BY l.id LIMIT 50) AS page",
    ),
];

/// A connection, and the id of its process.
type Session = (PgConnection, i32);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let (rows, rounds) = if quick { (2_000, 1) } else { (50_000, 25) };
    let Some(database) = Database::create("rbac_rows").await else { return };
    let mut root = database.open().await;
    stockade_rbac::postgres::migrator().run(&mut root).await.expect("migrated");
    run(&mut root, "CREATE SCHEMA freight").await;
    run(&mut root, TABLE).await;
    run(&mut root, &FILL.replace("{rows}", &rows.to_string())).await;
    run(&mut root, &LOADS.seen_by(Perm::LoadView).to_string()).await;
    run(&mut root, NAIVE).await;
    run(&mut root, "VACUUM ANALYZE").await;

    let mut sessions = Vec::new();
    for _ in VARIANTS {
        sessions.push(database.connect().await);
    }
    let report = Report::of("rbac_rows");
    for (what, before, after) in QUERIES {
        for scope in ["own", "team", "office", "tenant"] {
            line(&report, &mut sessions, (what, before, after), scope, rounds).await;
        }
    }
    database.drop().await;
}

async fn line(
    report: &Report,
    sessions: &mut [Session],
    query: (&str, &str, &str),
    scope: &'static str,
    rounds: usize,
) {
    let actor = actor(scope);
    let mut times = vec![Vec::new(); VARIANTS.len()];
    let mut summed = Vec::new();
    for round in 0..rounds {
        for turn in 0..VARIANTS.len() {
            let place = (round + turn) % VARIANTS.len();
            let ((conn, pid), variant) = (&mut sessions[place], VARIANTS[place]);
            begin(conn, &actor, scope, variant).await;
            // The first of a transaction looks things up that the next find.
            summed.push(ask(conn, &actor, query, variant).await);
            let began = on_processor(*pid);
            for _ in 0..3 {
                ask(conn, &actor, query, variant).await;
            }
            times[place].push((on_processor(*pid) - began) / 3.0);
            run(conn, "ROLLBACK").await;
        }
    }
    assert!(summed.windows(2).all(|pair| pair[0] == pair[1]), "{summed:?}");
    let whose = match scope {
        "own" => "own rows".to_owned(),
        other => format!("the {other}'s rows"),
    };
    let told: Vec<_> = NAMES.into_iter().zip(times).collect();
    report.tell_rounds(&format!("{} {whose}, of 400,000", query.0), &told);
}

/// Person 250 of tenant 3.
fn actor(scope: &str) -> Actor<Perm, Direct> {
    let policy = Policy::<Perm>::compile(&format!("[[role]]\nname = \"r\"\ngrants.{scope} = [\"load.view\"]"));
    let id = |number: u128| Uuid::from_u128(number);
    let subject = Subject::new(id(3_250), id(3)).team(id(103_025)).office(id(203_002));
    policy.expect("sound").actor(subject).role("r").expect("a role").build()
}

/// Opens a transaction, for the variants with policies as the application's role with the facts that they read.
async fn begin(conn: &mut PgConnection, actor: &Actor<Perm, Direct>, scope: &str, variant: Variant) {
    run(conn, "BEGIN").await;
    if matches!(variant, Variant::Filter | Variant::FilterAgain) {
        return;
    }
    let tenant = actor.subject().tenant();
    let facts = "SELECT set_config('stockade.tenant_id', $1, true), set_config('stockade.actor_id', $2, true),
        set_config('stockade.actor_scopes', $3, true), set_config('bench.scope', $4, true), set_config('role', 'stockade_app', true)";
    let facts = sqlx::query(facts).bind(tenant.to_string()).bind(actor.subject().user().to_string());
    facts.bind(actor.packed_scopes(tenant)).bind(scope).execute(conn).await.expect("the facts");
}

async fn ask(conn: &mut PgConnection, actor: &Actor<Perm, Direct>, query: (&str, &str, &str), variant: Variant) -> i64 {
    let (_, before, after) = query;
    let mut sql = QueryBuilder::<Postgres>::new(before);
    sql.push(if variant == Variant::Naive { "freight.naive l" } else { "freight.loads l" });
    if !matches!(variant, Variant::Policies | Variant::Naive) {
        actor.rows(Perm::LoadView, &LOADS).push_to(sql.push(" WHERE "), "l");
    }
    sql.push(after);
    sql.build_query_scalar().fetch_one(conn).await.expect("a number")
}

/// How long a process has been on a processor, in nanoseconds.
fn on_processor(pid: i32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("a kernel with scheduler statistics");
    text.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}
