//! sqlx's `Executor` for both scopes, so that ordinary sqlx queries run in them.

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::postgres::{PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Execute, Executor, Postgres, SqlStr};

use super::scope::Scope;
use super::statement::{self, Admitted, Refused, Step, Watched};
use super::{ReadTx, TenantTx};

impl Scope {
    fn fetch_many<'e, 'q, E>(&'e mut self, query: E) -> BoxStream<'e, Result<Step, sqlx::Error>>
    where
        E: Execute<'q, Postgres>,
    {
        match self.start(Admitted::query(query)) {
            Ok((statement, connection, progress)) => {
                Box::pin(Watched { steps: connection.fetch_many(statement), progress })
            }
            Err(error) => Box::pin(Refused(Some(error))),
        }
    }

    fn fetch_optional<'e, 'q, E>(&'e mut self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        E: Execute<'q, Postgres>,
    {
        let started = self.start(Admitted::query(query));
        Box::pin(async move {
            let (statement, connection, progress) = started?;
            progress.note(connection.fetch_optional(statement).await)
        })
    }

    fn prepare_with<'e>(
        &'e mut self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>> {
        let started = self.start(statement::text(sql));
        Box::pin(async move {
            let (sql, connection, progress) = started?;
            progress.note(connection.prepare_with(sql, parameters).await)
        })
    }

    fn describe(&mut self, sql: SqlStr) -> BoxFuture<'_, Result<Describe<Postgres>, sqlx::Error>> {
        let started = self.start(statement::text(sql));
        Box::pin(async move {
            let (sql, connection, progress) = started?;
            progress.note(connection.describe(sql).await)
        })
    }
}

macro_rules! executor {
    ($scope:ty) => {
        impl<'t> Executor<'t> for &'t mut $scope {
            type Database = Postgres;

            fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, sqlx::Error>>
            where
                't: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                self.scope.fetch_many(query)
            }

            fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
            where
                't: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                self.scope.fetch_optional(query)
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                parameters: &'e [PgTypeInfo],
            ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
            where
                't: 'e,
            {
                self.scope.prepare_with(sql, parameters)
            }

            fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, sqlx::Error>>
            where
                't: 'e,
            {
                self.scope.describe(sql)
            }
        }
    };
}

executor!(TenantTx);
executor!(ReadTx);
