//! COPY, which no `DO` block can run: statements of the connection's own, under a savepoint.

use sqlx::PgConnection;

use super::judge::Seen;
use crate::error::sqlstate;
use crate::sql::{Sql, sql};

/// Runs statements under a savepoint, then one step, and goes back whatever happened.
pub(super) async fn out(enter: &[Sql], tables: &[Sql], conn: &mut PgConnection) -> Result<Vec<Seen>, sqlx::Error> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    // One row for each table with a row of B, with the table's number: text, of which the escapes are not used.
    let rows = tables.iter().enumerate().map(|(number, rows)| {
        let number = crate::ident::Literal(number.to_string());
        sql!("SELECT {}::int FROM (SELECT FROM {} LIMIT 1) x", number, rows)
    });
    let union = rows.reduce(|all, one| sql!("{} UNION ALL {}", all, one)).unwrap_or_else(|| sql!("SELECT 1"));
    begin(enter, conn).await?;
    let copied = sql!("COPY ({}) TO STDOUT", union).copy_out(conn).await?;
    back(conn).await?;
    let found: Vec<usize> = copied.lines().filter_map(|line| line.parse().ok()).collect();
    Ok((0..tables.len()).map(|number| Seen::Rows(i64::from(found.contains(&number)))).collect())
}

/// Begins to copy into each table, with no row. Row-level security refuses before the first one.
pub(super) async fn into(enter: &[Sql], tables: &[Sql], conn: &mut PgConnection) -> Result<Vec<Seen>, sqlx::Error> {
    let mut seen = Vec::new();
    begin(enter, conn).await?;
    for table in tables {
        let outcome = sql!("COPY {} FROM STDIN", table).copy_nothing_in(conn).await;
        seen.push(match outcome {
            Ok(()) => Seen::Rows(1),
            Err(error) => refusal(error)?,
        });
        sql!("ROLLBACK TO SAVEPOINT stockade_attempt").run(conn).await?;
    }
    back(conn).await?;
    Ok(seen)
}

/// Statements one after the other, then a query that gives one number as text.
pub(super) async fn sequence(statements: &[Sql], query: &Sql, conn: &mut PgConnection) -> Result<Seen, sqlx::Error> {
    sql!("SAVEPOINT stockade_probe").run(conn).await?;
    let mut outcome = Ok(());
    for statement in statements {
        let done = statement.run(conn).await;
        // The statement that is meant to fail is followed by one that goes back.
        outcome = match (outcome, done) {
            (_, Ok(())) => Ok(()),
            (Ok(()), Err(error)) => Err(error),
            (failed, Err(_)) => failed,
        };
    }
    let seen = match outcome {
        Err(error) => refusal(error),
        Ok(()) => match query.answer(conn).await {
            Ok(answer) => Ok(Seen::Rows(answer.parse().unwrap_or(-1))),
            Err(error) => refusal(error),
        },
    };
    sql!("ROLLBACK TO SAVEPOINT stockade_probe").run(conn).await?;
    sql!("RELEASE SAVEPOINT stockade_probe").run(conn).await?;
    seen
}

async fn begin(enter: &[Sql], conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sql!("SAVEPOINT stockade_probe").run(conn).await?;
    for statement in enter {
        statement.run(conn).await?;
    }
    sql!("SAVEPOINT stockade_attempt").run(conn).await
}

async fn back(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sql!("ROLLBACK TO SAVEPOINT stockade_probe").run(conn).await?;
    sql!("RELEASE SAVEPOINT stockade_probe").run(conn).await
}

/// What the server refused; a failure of the connection stays an error.
pub(super) fn refusal(error: sqlx::Error) -> Result<Seen, sqlx::Error> {
    match sqlstate(&error) {
        Some(code) => Ok(Seen::Error { code, names_b: false }),
        None => Err(error),
    }
}
