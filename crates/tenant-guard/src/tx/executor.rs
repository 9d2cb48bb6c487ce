//! sqlx's `Executor` for both scopes, so that ordinary sqlx queries run in them.

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::postgres::{PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Execute, Executor, Postgres, SqlStr};

use super::Tx;
use super::egress::Egress;
use super::statement::{self, Admitted, Refused, Step, Watched};

impl<'t, A> Executor<'t> for &'t mut Tx<A> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, sqlx::Error>>
    where
        't: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match self.scope.start(Admitted::query(query)) {
            Ok((statement, running)) => Box::pin(Watched {
                egress: Egress::new(&running),
                steps: running.connection.fetch_many(statement),
                progress: running.progress,
            }),
            Err(error) => Box::pin(Refused(Some(error))),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        't: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let started = self.scope.start(Admitted::query(query));
        Box::pin(async move {
            let (statement, running) = started?;
            let mut egress = Egress::new(&running);
            let answer = running.connection.fetch_optional(statement).await;
            let checked = answer.and_then(|row| {
                row.iter().try_for_each(|row| egress.check(row))?;
                Ok(row)
            });
            running.progress.note(checked)
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        't: 'e,
    {
        let started = self.scope.start(statement::text(sql));
        Box::pin(async move {
            let (sql, running) = started?;
            running.progress.note(running.connection.prepare_with(sql, parameters).await)
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, sqlx::Error>>
    where
        't: 'e,
    {
        let started = self.scope.start(statement::text(sql));
        Box::pin(async move {
            let (sql, running) = started?;
            running.progress.note(running.connection.describe(sql).await)
        })
    }
}
