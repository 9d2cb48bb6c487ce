//! Random schemas: whatever is declared, up protects it and down restores it.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sqlx::{PgConnection, PgPool};
use stockade_rls_migrations::{Attempt, Privilege, Probe, Roles, Schema, Verdict, by, date, parent, periods};

use crate::snapshot::{assert_same, catalogue};
use crate::support::{A, B, connect, run, text};

const CASES: usize = 16;
const PRIVILEGES: [Privilege; 4] = [Privilege::Select, Privilege::Insert, Privilege::Update, Privilege::Delete];

#[derive(Debug, Clone)]
struct Table {
    name: String,
    tenant: String,
    date: String,
    kind: Kind,
    shape: Shape,
    unique: bool,
    /// What was done to the table before anybody thought of tenants.
    past: Vec<&'static str>,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Plain,
    /// One partition, and one in a partition of its own.
    Partitioned,
    Inherited,
}

#[derive(Debug, Clone)]
enum Kind {
    Tenant { append_only: bool, guarded: bool, child: bool, app_may: Option<Vec<Privilege>> },
    Shared,
    Exempt,
}

fn name() -> impl Strategy<Value = String> {
    "[a-c\"'\\\\$%{};é\n -]{1,10}"
}

fn kind() -> impl Strategy<Value = Kind> {
    let app_may = proptest::option::of(proptest::sample::subsequence(PRIVILEGES.to_vec(), 1..=4));
    let tenant = (any::<bool>(), any::<bool>(), any::<bool>(), app_may);
    prop_oneof![
        4 => tenant.prop_map(|(append_only, guarded, child, app_may)| Kind::Tenant { append_only, guarded, child, app_may }),
        1 => Just(Kind::Shared),
        1 => Just(Kind::Exempt),
    ]
}

fn table() -> impl Strategy<Value = Table> {
    // Capitals, which no drawn name has.
    let past = proptest::sample::subsequence(
        vec![
            "GRANT ALL ON {T} TO PUBLIC",
            "GRANT SELECT, TRUNCATE ON {T} TO rls_prop_app WITH GRANT OPTION",
            "GRANT SELECT, INSERT ON {T} TO rls_prop_owner",
            "GRANT UPDATE ({C}), SELECT ({C}) ON {T} TO rls_prop_reader",
            "ALTER TABLE {T} ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE {T} FORCE ROW LEVEL SECURITY",
            "CREATE POLICY stockade_tenant ON {T} USING ({C} IS NULL)",
            "CREATE POLICY legacy ON {T} USING (true) WITH CHECK (false)",
            "CREATE UNIQUE INDEX ON {T} (id)",
            "ALTER TABLE {T} ADD UNIQUE (id)",
            "CREATE VIEW {V} AS SELECT * FROM {T}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA {S} GRANT SELECT, INSERT ON TABLES TO rls_prop_app",
            "ALTER TABLE {T} OWNER TO rls_prop_owner",
        ],
        0..=13,
    );
    let shape = prop_oneof![2 => Just(Shape::Plain), 1 => Just(Shape::Partitioned), 1 => Just(Shape::Inherited)];
    (name(), name(), name(), kind(), shape, any::<bool>(), past).prop_map(
        |(name, tenant, date, kind, shape, unique, past)| {
            // Three names that differ, whatever was drawn.
            Table { name, tenant: format!("t{tenant}"), date: format!("d{date}"), kind, shape, unique, past }
        },
    )
}

#[sqlx::test]
async fn random_schemas_round_trip(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    for role in ["owner NOLOGIN", "app LOGIN", "reader LOGIN"] {
        let create = format!(
            "DO $$ BEGIN CREATE ROLE rls_prop_{role}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        run(&mut conn, &create).await.unwrap();
    }
    let mut runner = TestRunner::default();
    let strategy = (name(), any::<bool>(), proptest::collection::vec(table(), 1..=4));
    for case in 0..CASES {
        let (schema, every_duty, mut tables) = strategy.new_tree(&mut runner).unwrap().current();
        for (number, table) in tables.iter_mut().enumerate() {
            table.name.push_str(&number.to_string());
        }
        println!("case {case}: schema {schema:?}, every duty: {every_duty}, {tables:#?}");
        let roles = if every_duty { Roles::all_for_app("rls_prop") } else { Roles::for_app("rls_prop") };
        round_trip(&pool, &mut conn, &declare(&schema, roles, &tables), &schema, &tables).await;
        run(&mut conn, &format!("DROP SCHEMA {} CASCADE", quote(&schema))).await.unwrap();
    }
}

async fn round_trip(pool: &PgPool, conn: &mut PgConnection, declared: &Schema, schema: &str, tables: &[Table]) {
    create(conn, schema, tables).await;
    let before = catalogue(conn).await;
    let plan = declared.plan(conn).await.unwrap();
    plan.apply(conn).await.unwrap_or_else(|error| panic!("{error:?}\n{}", plan.up_sql()));
    let again = declared.plan(conn).await.unwrap();
    assert!(again.is_empty(), "{}", again.up_sql());
    let health = declared.health(conn).await.unwrap();
    assert!(health.is_sound(), "{:?}", health.findings());

    let report = declared.probe(conn, &Probe::new()).await.unwrap();
    // A key across tenants that nobody declared stays, and is an oracle: for an insert, for one that
    // asks about conflicts, and for an upsert, which finds the row of another.
    let keys = tables.iter().flat_map(|table| &table.past).any(|past| past.contains("UNIQUE"));
    let oracles = [Attempt::ConflictOracle, Attempt::UniqueOracle, Attempt::ForeignKeyOracle, Attempt::Upsert];
    assert!(report.leaks().all(|leak| keys && oracles.contains(&leak.attempt())), "{report}");
    for table in tables {
        let Kind::Tenant { .. } = &table.kind else { continue };
        let object = format!("{schema}.{}", table.name);
        let seen = |attempt| {
            report
                .rows()
                .iter()
                .any(|r| r.attempt() == attempt && r.object() == object && *r.verdict() == Verdict::Held)
        };
        for attempt in [Attempt::Select, Attempt::Truncate, Attempt::CopyFrom, Attempt::OwnerSelect] {
            assert!(seen(attempt), "{attempt} on {object}\n{report}");
        }
    }

    let mut app = connect(pool, "rls_prop_app").await;
    for table in tables {
        let Kind::Tenant { app_may, child, .. } = &table.kind else { continue };
        if *child {
            continue;
        }
        let name = [quote(schema), ".".to_owned(), quote(&table.name)].concat();
        run(conn, "BEGIN").await.unwrap();
        run(conn, &format!("SET LOCAL stockade.tenant_id = '{A}'")).await.unwrap();
        run(conn, &format!("INSERT INTO {name} VALUES ('{A}', 1, '2024-01-01')")).await.unwrap();
        run(conn, "COMMIT").await.unwrap();
        let may_read = app_may.as_ref().is_none_or(|may| may.contains(&Privilege::Select));
        for (tenant, visible) in [(A, "1"), (B, "0")] {
            run(&mut app, "BEGIN").await.unwrap();
            run(&mut app, &format!("SET LOCAL stockade.tenant_id = '{tenant}'")).await.unwrap();
            if may_read {
                assert_eq!(text(&mut app, &format!("SELECT count(*)::text FROM {name}")).await, visible);
            } else {
                assert!(run(&mut app, &format!("SELECT FROM {name}")).await.is_err());
            }
            run(&mut app, "ROLLBACK").await.unwrap();
        }
    }
    plan.revert(conn).await.unwrap_or_else(|error| panic!("{error:?}\n{}", plan.down_sql()));
    assert_same(&before, &catalogue(conn).await);
}

async fn create(conn: &mut PgConnection, schema: &str, tables: &[Table]) {
    run(conn, &format!("CREATE SCHEMA {}", quote(schema))).await.unwrap();
    let periods = "CREATE TABLE {s}.periods (tenant_id uuid NOT NULL, ends_on date, closed_at date);
                   CREATE TABLE {s}.parent (tenant_id uuid NOT NULL, id int NOT NULL)";
    run(conn, &periods.replace("{s}", &quote(schema))).await.unwrap();
    for table in tables {
        let name = [quote(schema), ".".to_owned(), quote(&table.name)].concat();
        let (tenant, date) = (quote(&table.tenant), quote(&table.date));
        let child = |number: u8| [quote(schema), ".".to_owned(), quote(&format!("{}_{number}", table.name))].concat();
        let columns = format!("CREATE TABLE {name} ({tenant} uuid NOT NULL, id int, {date} date)");
        let (statements, members) = match table.shape {
            Shape::Plain => (columns, vec![name]),
            Shape::Inherited => {
                (format!("{columns}; CREATE TABLE {} () INHERITS ({name})", child(0)), vec![name, child(0)])
            }
            Shape::Partitioned => {
                let partitions = format!(
                    "{columns} PARTITION BY HASH (id);
                     CREATE TABLE {} PARTITION OF {name} FOR VALUES WITH (MODULUS 2, REMAINDER 0);
                     CREATE TABLE {} PARTITION OF {name} FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY HASH (id);
                     CREATE TABLE {} PARTITION OF {} FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
                    child(0), child(1), child(2), child(1)
                );
                (partitions, vec![name, child(0), child(1), child(2)])
            }
        };
        run(conn, &statements).await.unwrap();
        for past in &table.past {
            // A partition's index that equals one of its parent is taken for it when that is made again.
            let of_parent = matches!(table.shape, Shape::Partitioned) && past.contains("UNIQUE");
            for (number, member) in members.iter().take(if of_parent { 1 } else { 4 }).enumerate() {
                let view = [quote(schema), ".".to_owned(), quote(&format!("v{number}{}", table.name))].concat();
                let past = past.replace("{T}", member).replace("{C}", &tenant).replace("{V}", &view);
                run(conn, &past.replace("{S}", &quote(schema))).await.unwrap();
            }
        }
    }
}

fn declare(schema: &str, roles: Roles, tables: &[Table]) -> Schema {
    let mut declared =
        Schema::new(schema, roles).tenant_table("periods", by("tenant_id")).tenant_table("parent", by("tenant_id"));
    for Table { name, tenant, date: day, kind, unique, .. } in tables {
        declared = match kind {
            Kind::Shared => declared.shared_reference(name),
            Kind::Exempt => declared.exempt(name, "a test"),
            Kind::Tenant { append_only, guarded, child, app_may } => {
                let mut declared = if *child {
                    declared.tenant_table_via(name, by(tenant), parent("parent").on("id", "id"))
                } else {
                    declared.tenant_table(name, by(tenant))
                };
                if *unique {
                    declared = declared.unique_per_tenant(name, ["id"]);
                }
                if *append_only {
                    declared = declared.append_only(name);
                }
                if *guarded {
                    declared = declared.period_guard(name, date(day), periods("periods"));
                }
                if let Some(may) = app_may {
                    let changes = |p: &&Privilege| matches!(p, Privilege::Update | Privilege::Delete);
                    let may: Vec<_> = may.iter().filter(|p| !(*append_only && changes(p))).copied().collect();
                    declared = declared.app_may(name, may);
                }
                declared
            }
        };
    }
    declared
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
