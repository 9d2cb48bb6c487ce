//! tenant-guard's statement guard beside the floor: sqlparser reading the same text.
//!
//! `scripts/bench statement_guard`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use stockade_benches::{Report, Times};
use stockade_tenant_guard::{Dialect, StatementGuard};

const STATEMENTS: [(&str, &str); 3] = [
    ("a point read", "SELECT id, reference, rate_cents FROM loads WHERE tenant_id = $1 AND id = $2"),
    (
        "a report",
        "WITH mine AS (SELECT * FROM loads WHERE tenant_id = $1 AND status <> 'draft') \
         SELECT d.name, count(*) AS loads, sum(m.rate_cents) FILTER (WHERE m.status = 'paid') AS paid \
         FROM mine m JOIN drivers d ON d.id = m.driver_id AND d.tenant_id = $1 LEFT JOIN countries c ON c.id = d.country \
         WHERE m.rate_cents BETWEEN $2 AND $3 GROUP BY d.name HAVING count(*) > 2 ORDER BY 2 DESC LIMIT 50",
    ),
    ("an insert", "INSERT INTO loads (tenant_id, id, reference, rate_cents) VALUES ($1, $2, $3, $4) RETURNING id"),
];

fn statements(criterion: &mut Criterion) {
    let guard = StatementGuard::new(Dialect::PostgreSql)
        .protect("loads", "tenant_id")
        .protect("drivers", "tenant_id")
        .share("countries");
    let (report, times) = (Report::of("statement_guard"), Times::default());
    for (name, sql) in STATEMENTS {
        let mut group = criterion.benchmark_group(format!("tenant-guard, statement guard, {name}"));
        group.bench_function("sqlparser floor", |bencher| {
            let once = || Parser::parse_sql(&PostgreSqlDialect {}, black_box(sql)).expect("valid SQL");
            bencher.iter_custom(|runs| times.of("sqlparser alone", runs, once));
        });
        group.bench_function("check", |bencher| {
            let once = || guard.check(black_box(sql)).expect("an admitted statement");
            bencher.iter_custom(|runs| times.of("check", runs, once));
        });
        group.finish();
        times.tell(&report, &format!("statement guard, {name}"));
    }
}

criterion_group!(benches, statements);
criterion_main!(benches);
