//! A page of a tenant's rows, by hand and by policy, with more and more rows to a tenant.

use sqlx::{PgConnection, Postgres, QueryBuilder};
use stockade_benches::{Database, Meter, median, run};
use stockade_rbac::{Actor, Direct, Policy, Rows, Subject};
use stockade_rls_migrations::{Roles, Schema, by};
use uuid::Uuid;

use crate::{Wanted, cost::typical, curve::Curve};

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

const SIZES: [u64; 5] = [10_000, 30_000, 100_000, 300_000, 1_000_000];

/// Three tenants, and 500 people in 50 teams and 5 offices of each. Identifiers of people are numbers, so that both sides know them.
const FILL: &str = "
CREATE SCHEMA freight;
CREATE FUNCTION freight.u(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT lpad(to_hex(n), 32, '0')::uuid $$;
CREATE TABLE freight.loads AS
    SELECT gen_random_uuid() AS id, freight.u(t) AS tenant_id, freight.u(t * 1000 + w) AS owner_id, freight.u(100000 + t * 1000 + w / 10) AS team_id,
        freight.u(200000 + t * 1000 + w / 100) AS office_id, n AS cents, 'load number ' || n AS note
    FROM generate_series(1, {rows}::bigint) n, generate_series(1, 3) t, LATERAL (SELECT (n * 7919) % 500 AS w) AS who;
ALTER TABLE freight.loads ADD PRIMARY KEY (id), ALTER tenant_id SET NOT NULL;
CREATE INDEX ON freight.loads (tenant_id, id);
CREATE INDEX ON freight.loads (tenant_id, owner_id, id);
CREATE INDEX ON freight.loads (tenant_id, team_id);
CREATE INDEX ON freight.loads (tenant_id, office_id);
INSERT INTO stockade.rbac_team_member
    SELECT freight.u(t), freight.u(t * 1000 + w), freight.u(100000 + t * 1000 + w / 10) FROM generate_series(1, 3) t, generate_series(0, 499) w;
INSERT INTO stockade.rbac_office_member
    SELECT freight.u(t), freight.u(t * 1000 + w), freight.u(200000 + t * 1000 + w / 100) FROM generate_series(1, 3) t, generate_series(0, 499) w";

/// Whose rows a page shows, and who sees to it.
#[derive(Clone, Copy, PartialEq)]
enum Which {
    /// The tenant's, by a condition.
    Tenant,
    /// The tenant's, by nothing but policies.
    Policy,
    /// A person's own, by a condition.
    Own,
    /// By the actor's filter.
    Filter,
}

#[derive(Clone, Copy, PartialEq)]
enum As {
    Superuser,
    Application,
}

/// A page, from its beginning or from the middle of the table.
#[derive(Clone, Copy)]
struct Page {
    what: &'static str,
    which: Which,
    through: As,
    after: Uuid,
    scope: &'static str,
}

const fn page(what: &'static str, which: Which, through: As) -> Page {
    Page { what, which, through, after: Uuid::nil(), scope: "own" }
}

const fn in_the_middle(page: Page) -> Page {
    Page { after: Uuid::from_u128(1 << 127), ..page }
}

/// Under the tenant's policy alone.
const TENANTS: [Page; 4] = [
    page("tenant's rows: WHERE by hand", Which::Tenant, As::Superuser),
    page("tenant's rows: policy", Which::Policy, As::Application),
    in_the_middle(page("page in the middle: WHERE by hand", Which::Tenant, As::Superuser)),
    in_the_middle(page("page in the middle: policy", Which::Policy, As::Application)),
];

/// With those of the roles beside it.
const PEOPLES: [Page; 5] = [
    page("own rows: WHERE by hand", Which::Own, As::Superuser),
    page("own rows: filter", Which::Filter, As::Superuser),
    page("own rows: filter and policies", Which::Filter, As::Application),
    page("own rows: policies alone", Which::Policy, As::Application),
    Page { scope: "tenant", ..page("tenant's rows: filter and policies of roles", Which::Filter, As::Application) },
];

pub(crate) async fn measure(wanted: &Wanted) {
    let mut curve = None;
    for rows in wanted.sizes(&SIZES) {
        let Some(mut database) = Database::create("scale_rows").await else { return };
        let about = database.about().await;
        let curve = curve.get_or_insert_with(|| wanted.curve("rows", &format!("{about}; 3 tenants, pages of 50")));
        let (mut root, _) = database.connect().await;
        stockade_rbac::postgres::migrator().run(&mut root).await.expect("migrated");
        run(&mut root, &FILL.replace("{rows}", &rows.to_string())).await;
        let schema = Schema::new("freight", Roles::for_app("scale")).tenant_table("loads", by("tenant_id"));
        schema.plan(&mut root).await.expect("a plan").apply(&mut root).await.expect("applied");
        run(&mut root, "GRANT stockade_app TO scale_app").await;
        run(&mut root, "VACUUM ANALYZE").await;
        pages(&database, &TENANTS, rows, curve, wanted).await;
        run(&mut root, &LOADS.seen_by(Perm::LoadView).to_string()).await;
        pages(&database, &PEOPLES, rows, curve, wanted).await;
        curve.load(rows);
        drop(root);
        database.drop().await;
    }
}

/// Measures all pages in turn, each on a connection of its own.
async fn pages(database: &Database, pages: &[Page], rows: u64, curve: &mut Curve, wanted: &Wanted) {
    let mut sessions = Vec::new();
    for page in pages {
        let (conn, pid) = match page.through {
            As::Superuser => database.connect().await,
            // Under which policies hold.
            As::Application => database.log_in("scale_app").await,
        };
        sessions.push((page, conn, Meter::new(vec![pid]), Vec::new()));
    }
    for _ in 0..wanted.scale.times(41) {
        for (page, conn, meter, times) in &mut sessions {
            let actor = actor(page.scope);
            begin(conn, page, &actor).await;
            let cost = typical(meter, 5, async || ask(&mut *conn, page, &actor).await);
            times.push(cost.await.server);
            run(conn, "ROLLBACK").await;
        }
        // Nobody is always the first.
        sessions.rotate_left(1);
    }
    sessions.sort_by_key(|(page, ..)| pages.iter().position(|other| other.what == page.what));
    for (page, _, _, times) in sessions {
        curve.point(rows, median(times) / 1e3, "ms", page.what);
    }
}

/// Person 419 of tenant 2, who has the first row however few there are.
fn actor(scope: &str) -> Actor<Perm, Direct> {
    let policy = Policy::<Perm>::compile(&format!("[[role]]\nname = \"r\"\ngrants.{scope} = [\"load.view\"]"));
    let id = |number: u128| Uuid::from_u128(number);
    let subject = Subject::new(id(2_419), id(2)).team(id(102_041)).office(id(202_004));
    policy.expect("sound").actor(subject).role("r").expect("a role").build()
}

/// Opens a transaction, for the application with the facts that its policies read.
async fn begin(conn: &mut PgConnection, page: &Page, actor: &Actor<Perm, Direct>) {
    run(conn, "BEGIN").await;
    if page.through == As::Application {
        let (tenant, user) = (actor.subject().tenant(), actor.subject().user());
        let scopes = actor.packed_scopes(tenant);
        let facts = format!(
            "SET LOCAL stockade.tenant_id = '{tenant}'; SET LOCAL stockade.actor_id = '{user}'; SET LOCAL stockade.actor_scopes = '{scopes}'"
        );
        run(conn, &facts).await;
    }
}

async fn ask(conn: &mut PgConnection, page: &Page, actor: &Actor<Perm, Direct>) {
    let mut sql = QueryBuilder::<Postgres>::new("SELECT l.id, l.cents, l.note FROM freight.loads l WHERE l.id > ");
    sql.push_bind(page.after);
    let subject = actor.subject();
    if matches!(page.which, Which::Tenant | Which::Own) {
        sql.push(" AND l.tenant_id = ").push_bind(Uuid::from(subject.tenant()));
    }
    match page.which {
        Which::Own => {
            sql.push(" AND l.owner_id = ").push_bind(Uuid::from(subject.user()));
        }
        Which::Filter => actor.rows(Perm::LoadView, &LOADS).push_to(sql.push(" AND "), "l"),
        Which::Tenant | Which::Policy => {}
    }
    let found = sql.push(" ORDER BY l.id LIMIT 50").build().fetch_all(conn).await.expect("a page");
    assert!(!found.is_empty(), "{}: no rows", page.what);
}
