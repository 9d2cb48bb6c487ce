//! `docs/turn-on-rls.md`.

use std::time::Instant;

use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, PgPool};
use stockade::rls_migrations::{Discovery, Error, Lock, Plan, Probe, Roles, Schema, Work, by, parent};
use stockade::tenant_guard::{TenantDb, TenantId};
use uuid::Uuid;

/// As one finds it: the application owns its tables and filters by itself.
const BEFORE: &str = r"
CREATE ROLE shop_web LOGIN;
CREATE SCHEMA shop AUTHORIZATION shop_web;
CREATE TABLE shop.orders (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, reference text NOT NULL, total_cents bigint NOT NULL);
CREATE TABLE shop.order_lines (id uuid PRIMARY KEY, order_id uuid NOT NULL REFERENCES shop.orders, quantity integer NOT NULL);
CREATE TABLE shop.countries (code text PRIMARY KEY, name text NOT NULL);
CREATE INDEX ON shop.order_lines (order_id);
ALTER TABLE shop.orders OWNER TO shop_web;
ALTER TABLE shop.order_lines OWNER TO shop_web;
ALTER TABLE shop.countries OWNER TO shop_web;
";

const FILL: &str = r"
INSERT INTO shop.orders SELECT gen_random_uuid(), ('00000000-0000-0000-0000-00000000000' || (n % 2 + 1))::uuid, 'O-' || n, n FROM generate_series(1, $1) AS n;
INSERT INTO shop.order_lines SELECT gen_random_uuid(), id, 1 FROM shop.orders
";

const TENANT_COLUMN: &str = r"
ALTER TABLE shop.order_lines ADD COLUMN tenant_id uuid;
UPDATE shop.order_lines l SET tenant_id = o.tenant_id FROM shop.orders o WHERE o.id = l.order_id;
ALTER TABLE shop.order_lines ADD CONSTRAINT tenant_known CHECK (tenant_id IS NOT NULL) NOT VALID;
ALTER TABLE shop.order_lines VALIDATE CONSTRAINT tenant_known;
ALTER TABLE shop.order_lines ALTER COLUMN tenant_id SET NOT NULL;
ALTER TABLE shop.order_lines DROP CONSTRAINT tenant_known;
CREATE INDEX CONCURRENTLY ON shop.order_lines (tenant_id, order_id);
";

const KEYS: &str = r"
CREATE UNIQUE INDEX CONCURRENTLY orders_of_tenant ON shop.orders (tenant_id, id);
ALTER TABLE shop.orders ADD CONSTRAINT orders_of_tenant UNIQUE USING INDEX orders_of_tenant;
ALTER TABLE shop.order_lines ADD CONSTRAINT line_of_order FOREIGN KEY (tenant_id, order_id) REFERENCES shop.orders (tenant_id, id) NOT VALID;
ALTER TABLE shop.order_lines VALIDATE CONSTRAINT line_of_order;
";

/// A first look at a schema that nobody declared yet: what a linter finds, the worst first.
async fn look(superuser: &mut PgConnection) -> Result<Vec<String>, Error> {
    let schema = Discovery::of("shop").app("shop_web").read(superuser).await?;
    Ok(schema.lint(superuser).await?.iter().map(ToString::to_string).collect())
}

/// The login keeps its name; it loses its ownership to a role that nobody logs in as.
fn declaration() -> Schema {
    Schema::new("shop", Roles::named("shop_owner", "shop_web", "shop_reader"))
        .tenant_table("orders", by("tenant_id"))
        .tenant_table_via("order_lines", by("tenant_id"), parent("orders").on("order_id", "id"))
        .shared_reference("countries")
}

/// What a plan does while everybody waits: statements that hold a lock and read every row meanwhile.
fn slow(plan: &Plan) -> Vec<String> {
    let slow =
        plan.up().iter().filter(|statement| statement.lock() > Lock::Catalogue && statement.work() != Work::Catalogue);
    slow.map(|statement| format!("{}: {}", statement.lock(), statement.note())).collect()
}

/// In one transaction. A lock that does not come within two seconds is given up, and nothing has changed: try again.
async fn apply(migrator: &mut PgConnection, plan: &Plan) -> Result<(), Box<dyn std::error::Error>> {
    sqlx::query("SET lock_timeout = '2s'").execute(&mut *migrator).await?;
    plan.apply(migrator).await?;
    Ok(())
}

/// After it, and every night: is it as declared, and does an attack as the application find anything?
async fn prove(superuser: &mut PgConnection, login: PgConnectOptions) -> Result<(), Box<dyn std::error::Error>> {
    let drift = declaration().drift(superuser).await?;
    let report = declaration().probe(superuser, &Probe::new().login(login)).await?;
    if !drift.is_none() || !report.is_isolated() {
        return Err(format!("{drift}\n{report}").into());
    }
    Ok(())
}

/// The orders of a tenant, by a statement that forgot its `WHERE`.
async fn orders(db: &TenantDb, tenant: Uuid) -> Result<i64, Box<dyn std::error::Error>> {
    let mut tx = db.read(TenantId::new(tenant)).await?;
    Ok(sqlx::query_scalar("SELECT count(*) FROM shop.orders").fetch_one(&mut tx).await?)
}

async fn filled(pool: &PgPool, rows: i64) {
    let mut admin = pool.acquire().await.unwrap();
    super::run_sql(&mut admin, BEFORE).await;
    for statement in FILL.split(";\n") {
        let query = sqlx::query(statement);
        let query = if statement.contains("$1") { query.bind(rows) } else { query };
        query.execute(&mut *admin).await.unwrap();
    }
    super::run_sql(&mut admin, TENANT_COLUMN).await;
}

#[sqlx::test(migrations = false)]
async fn a_running_system_gets_policies_and_can_go_back(pool: PgPool) {
    let rows = std::env::var("STOCKADE_HOW_TO_ROWS").map_or(100, |rows| rows.parse().unwrap());
    filled(&pool, rows).await;
    let mut admin = pool.acquire().await.unwrap();
    let db = TenantDb::new(PgPool::connect_with(super::login(&pool, "shop_web")).await.unwrap());
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));

    let found = look(&mut admin).await.unwrap();
    assert!(found.iter().any(|line| line.contains("orders")), "{found:?}");
    assert_eq!(orders(&db, one).await.unwrap(), rows, "without policies a scope alone is no wall");

    let plan = declaration().plan(&mut admin).await.unwrap();
    assert_eq!(slow(&plan).len(), 2, "the key and the foreign key that carry the tenant");
    super::run_sql(&mut admin, KEYS).await;
    let plan = declaration().plan(&mut admin).await.unwrap();
    assert_eq!(slow(&plan), Vec::<String>::new());
    let began = Instant::now();
    apply(&mut admin, &plan).await.unwrap();
    eprintln!("{} statements in {:?}", plan.up().len(), began.elapsed());
    assert_eq!((orders(&db, one).await.unwrap(), orders(&db, two).await.unwrap()), (rows / 2, rows / 2));
    assert!(declaration().plan(&mut admin).await.unwrap().is_empty());
    prove(&mut admin, super::login(&pool, "shop_web")).await.unwrap();

    // A way back that was kept.
    plan.revert(&mut admin).await.unwrap();
    assert_eq!(orders(&db, one).await.unwrap(), rows);
}

#[sqlx::test(migrations = false)]
async fn a_schema_can_be_taken_in_parts(pool: PgPool) {
    filled(&pool, 10).await;
    let mut admin = pool.acquire().await.unwrap();
    let first = Schema::new("shop", Roles::named("shop_owner", "shop_web", "shop_reader"))
        .tenant_table("orders", by("tenant_id"))
        .exempt("order_lines", "next week")
        .exempt("countries", "next week");
    first.plan(&mut admin).await.unwrap().apply(&mut admin).await.unwrap();

    let db = TenantDb::new(PgPool::connect_with(super::login(&pool, "shop_web")).await.unwrap());
    let one = Uuid::from_u128(1);
    assert_eq!(orders(&db, one).await.unwrap(), 5);
    let mut tx = db.begin(TenantId::new(one)).await.unwrap();
    let lines = sqlx::query("UPDATE shop.order_lines SET quantity = 2").execute(&mut tx).await.unwrap();
    assert_eq!(lines.rows_affected(), 10, "what is exempt is used as before");
    tx.commit().await.unwrap();

    super::run_sql(&mut admin, KEYS).await;
    declaration().plan(&mut admin).await.unwrap().apply(&mut admin).await.unwrap();
    prove(&mut admin, super::login(&pool, "shop_web")).await.unwrap();
}
