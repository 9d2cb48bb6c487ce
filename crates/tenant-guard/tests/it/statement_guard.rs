//! The statement guard, attacked by hand, by generation, and with PostgreSQL as the judge of what it admits.

mod database;
mod evasions;
pub(crate) mod generated;

use stockade_tenant_guard::{Access, Dialect, Refused, StatementGuard};

fn guard() -> StatementGuard {
    StatementGuard::new(Dialect::PostgreSql)
        .protect("loads", "tenant_id")
        .protect("drivers", "tenant_id")
        .share("countries")
}

const ADMITTED: &[&str] = &[
    "SELECT * FROM loads WHERE tenant_id = $1",
    "SELECT * FROM loads WHERE $1 = tenant_id AND rate > 5",
    "SELECT * FROM loads WHERE tenant_id = $1::uuid",
    "SELECT * FROM loads WHERE (rate > 5 OR rate < 2) AND (tenant_id = $1)",
    "SELECT * FROM \"loads\" WHERE \"tenant_id\" = $1",
    "SELECT * FROM public.loads WHERE loads.tenant_id = $1",
    "SELECT l.marker FROM loads l JOIN drivers d ON d.tenant_id = l.tenant_id WHERE l.tenant_id = $1 AND d.tenant_id = $1",
    "SELECT l.marker, d.marker FROM loads l LEFT JOIN drivers d ON d.tenant_id = $1 WHERE l.tenant_id = $1",
    "SELECT l.marker FROM loads l RIGHT JOIN countries c ON l.tenant_id = $1",
    "SELECT l.marker FROM loads l JOIN drivers d ON l.tenant_id = $1 AND d.tenant_id = $1",
    "SELECT l.marker FROM loads l, drivers d WHERE l.tenant_id = $1 AND d.tenant_id = $1",
    "SELECT marker FROM loads WHERE tenant_id = $1 UNION ALL SELECT marker FROM drivers WHERE tenant_id = $1",
    "WITH mine AS (SELECT * FROM loads WHERE tenant_id = $1) SELECT m.marker FROM mine m JOIN mine n ON m.id = n.id",
    "SELECT marker FROM (SELECT * FROM loads WHERE tenant_id = $1) x",
    "SELECT c.name, (SELECT max(marker) FROM loads WHERE tenant_id = $1) FROM countries c",
    "SELECT marker FROM loads l WHERE l.tenant_id = $1 AND EXISTS (SELECT 1 FROM drivers d WHERE d.tenant_id = $1)",
    "SELECT upper(marker), count(*) FILTER (WHERE rate > 1) FROM loads WHERE tenant_id = $1 GROUP BY 1 HAVING count(*) > 0 ORDER BY 1",
    "SELECT marker, rank() OVER (PARTITION BY rate ORDER BY id) FROM loads WHERE tenant_id = $1",
    "SELECT l.marker FROM (loads l JOIN drivers d ON d.tenant_id = $1 AND l.tenant_id = $1)",
    "SELECT marker FROM countries c CROSS JOIN LATERAL (SELECT marker FROM loads WHERE tenant_id = $1 AND id > c.id) x",
    "SELECT n FROM generate_series(1, 3) n",
    "VALUES (1), (2)",
];

const CHANGES: &[&str] = &[
    "INSERT INTO loads (tenant_id, id, marker, rate) VALUES ($1, 90, 'A new', 1), ($1, 91, 'A new', 1)",
    "INSERT INTO loads (id, tenant_id, marker) SELECT 92, $1, 'A new' FROM countries",
    "INSERT INTO loads (tenant_id, id, marker) VALUES ($1, 5, 'A stolen') ON CONFLICT (id) DO NOTHING",
    "INSERT INTO loads (tenant_id, id, marker) VALUES ($1, 5, 'A stolen') ON CONFLICT (id) DO UPDATE SET marker = 'A stolen' WHERE loads.tenant_id = $1",
    "UPDATE loads SET rate = rate + 1 WHERE tenant_id = $1",
    "UPDATE loads l SET rate = d.rate FROM drivers d WHERE l.tenant_id = $1 AND d.tenant_id = $1",
    "DELETE FROM loads WHERE tenant_id = $1 AND rate > 100 RETURNING marker",
    "DELETE FROM loads l USING drivers d WHERE l.tenant_id = $1 AND d.tenant_id = $1 AND l.rate > d.rate",
];

#[test]
fn bound_statements_are_admitted() {
    for sql in ADMITTED {
        let checked = guard().check(sql).unwrap_or_else(|refused| panic!("{refused}: {sql}"));
        assert_eq!((checked.access(), checked.sql()), (Access::Read, *sql));
    }
    for sql in CHANGES {
        let checked = guard().check(sql).unwrap_or_else(|refused| panic!("{refused}: {sql}"));
        assert_eq!(checked.access(), Access::Write, "{sql}");
    }
}

#[test]
fn a_refusal_says_which_table_and_repeats_no_sql() {
    let refused = guard().check("SELECT 'hunter2' FROM loads l, drivers d WHERE l.tenant_id = $1").unwrap_err();
    assert_eq!(refused, Refused::Unbound { table: "drivers".into() });
    assert!(!refused.to_string().contains("hunter2"));
}

#[test]
fn an_allowed_function_is_admitted_by_its_bare_name_alone() {
    let guard = guard().allow_function("similarity");
    assert!(guard.check("SELECT similarity('a', 'b')").is_ok());
    assert_eq!(guard.check("SELECT evil.similarity('a', 'b')"), Err(Refused::Function));
    assert_eq!(guard.check("SELECT \"Similarity\"('a', 'b')"), Err(Refused::Function));
}

#[test]
fn what_is_too_large_is_refused_without_harm_to_the_stack() {
    let repeated = [
        ["SELECT 1", &"+1".repeat(30_000), ""],
        ["SELECT 1", &"::int".repeat(12_000), ""],
        ["SELECT 1", &" IS NULL".repeat(8_000), ""],
        ["SELECT ", &"(".repeat(60_000), ""],
        ["SELECT ", &"NOT ".repeat(16_000), "true"],
        ["SELECT 1", &" UNION SELECT 1".repeat(4_000), ""],
        ["SELECT ", &"- ".repeat(30_000), "1"],
        ["SELECT 1 WHERE true", &" AND true".repeat(7_000), ""],
        // As long as the parser is allowed to see.
        ["SELECT 1", &"::int".repeat(1_900 / 2), ""],
        ["SELECT 1", &" UNION SELECT 1".repeat(600), ""],
        ["SELECT 1", &" IS NULL".repeat(900), ""],
    ];
    for parts in &repeated {
        assert!(
            matches!(guard().check(&parts.concat()), Err(Refused::TooLarge | Refused::Unparsed | Refused::NotPlain)),
            "{}",
            parts[1].len()
        );
    }
    let long = ["SELECT 1 WHERE true", &" AND true".repeat(900), ""].concat();
    assert!(guard().check(&long).is_ok(), "a long list of conditions is not deep");
    let long = ["SELECT 1", &"+1".repeat(1_900), ""].concat();
    assert!(guard().check(&long).is_ok());
}
