//! A statement on its way through the gate, and its answer on the way back.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement};
use sqlx::{Either, Execute, Postgres, SqlStr};

use super::egress::Egress;
use super::progress::Progress;
use crate::gate::{Refusal, check_statement};

/// A row, or the count that ends a statement.
pub(super) type Step = Either<PgQueryResult, PgRow>;

/// A statement that passed the gate.
///
/// The caller's [`Execute`] is taken apart once, so that none of its code runs between the check and the use.
pub(super) struct Admitted {
    sql: SqlStr,
    statement: Option<PgStatement>,
    arguments: Option<PgArguments>,
    persistent: bool,
}

impl Admitted {
    pub(super) fn query<'q, E: Execute<'q, Postgres>>(mut query: E) -> Result<Self, sqlx::Error> {
        let arguments = query.take_arguments().map_err(sqlx::Error::Encode)?;
        let arguments = arguments.ok_or(Refusal::SimpleProtocol)?;
        let statement = query.statement().cloned();
        let persistent = query.persistent();
        Ok(Self { sql: text(query.sql())?, statement, arguments: Some(arguments), persistent })
    }
}

/// Admits the text of a statement that is to be prepared.
pub(super) fn text(sql: SqlStr) -> Result<SqlStr, sqlx::Error> {
    check_statement(sql.as_str())?;
    Ok(sql)
}

impl Execute<'_, Postgres> for Admitted {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.statement.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        // Never `None`: that would ask for the simple protocol.
        Ok(Some(self.arguments.take().unwrap_or_default()))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}

/// The answer of a running statement: noted in the transaction's progress as it comes in, its rows counted and compared.
pub(super) struct Watched<'e> {
    pub(super) steps: BoxStream<'e, Result<Step, sqlx::Error>>,
    pub(super) progress: &'e mut Progress,
    pub(super) egress: Egress<'e>,
}

impl Stream for Watched<'_> {
    type Item = Result<Step, sqlx::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Poll::Ready(step) = self.steps.as_mut().poll_next(cx) else {
            return Poll::Pending;
        };
        let step = step.map(|step| {
            let step = step?;
            if let Either::Right(row) = &step {
                self.egress.check(row)?;
            }
            Ok(step)
        });
        match &step {
            Some(Ok(_)) | None => self.progress.answered(),
            Some(Err(_)) => self.progress.failed(),
        }
        Poll::Ready(step)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.steps.size_hint()
    }
}

/// The answer to a statement that was refused.
pub(super) struct Refused(pub(super) Option<sqlx::Error>);

impl Stream for Refused {
    type Item = Result<Step, sqlx::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Err))
    }
}
