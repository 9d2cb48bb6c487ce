//! The record of a job: who is at it, and how far it is. Losing it costs time and no value.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::id::TenantId;
use crate::postgres::failure::store_error;
use crate::postgres::rewriter::report::JobEnd;
use crate::postgres::site::Layout;

/// What a worker does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Rewrite,
    Backfill,
}

/// One column of one tenant, taken by one worker.
pub(crate) struct Job<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) kind: Kind,
    pub(crate) layout: &'a Layout,
    pub(crate) worker: Uuid,
    pub(crate) lease: Duration,
}

/// Where a job was left.
pub(crate) struct Mark {
    pub(crate) after: Option<String>,
    pub(crate) sealed: u64,
}

const CLAIM: &str = "INSERT INTO stockade.field_jobs AS j \
        (tenant_id, kind, table_name, column_name, target, worker, leased_until) \
    VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7)) \
    ON CONFLICT (tenant_id, kind, table_name, column_name) DO UPDATE SET \
        worker = EXCLUDED.worker, leased_until = EXCLUDED.leased_until, target = EXCLUDED.target, \
        updated_at = clock_timestamp(), finished_at = NULL, \
        after_key = CASE WHEN j.target = EXCLUDED.target AND j.finished_at IS NULL THEN j.after_key END, \
        rows_sealed = CASE WHEN j.target = EXCLUDED.target AND j.finished_at IS NULL THEN j.rows_sealed ELSE 0 END, \
        started_at = CASE WHEN j.target = EXCLUDED.target AND j.finished_at IS NULL THEN j.started_at ELSE clock_timestamp() END \
    WHERE j.worker = EXCLUDED.worker OR j.leased_until <= clock_timestamp() \
    RETURNING after_key, rows_sealed";
const MARK: &str = "UPDATE stockade.field_jobs SET after_key = $6, rows_sealed = rows_sealed + $7, \
        leased_until = clock_timestamp() + make_interval(secs => $8), updated_at = clock_timestamp() \
    WHERE tenant_id = $1 AND kind = $2 AND table_name = $3 AND column_name = $4 AND worker = $5";
const RELEASE: &str = "UPDATE stockade.field_jobs SET leased_until = clock_timestamp(), updated_at = clock_timestamp(), \
        finished_at = CASE WHEN $6 THEN clock_timestamp() END \
    WHERE tenant_id = $1 AND kind = $2 AND table_name = $3 AND column_name = $4 AND worker = $5";

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Rewrite => "rewrite",
            Self::Backfill => "backfill",
        }
    }
}

impl Job<'_> {
    /// Takes the job for this worker; `None` if another worker has it.
    pub(crate) async fn claim(&self, connection: &mut PgConnection, target: &str) -> Result<Option<Mark>, Error> {
        let mark: Option<(Option<String>, i64)> = sqlx::query_as(CLAIM)
            .bind(self.tenant.as_uuid())
            .bind(self.kind.as_str())
            .bind(self.layout.table)
            .bind(self.layout.sealed)
            .bind(target)
            .bind(self.worker)
            .bind(self.lease.as_secs_f64())
            .fetch_optional(connection)
            .await
            .map_err(store_error)?;
        Ok(mark.map(|(after, sealed)| Mark { after, sealed: u64::try_from(sealed).unwrap_or(0) }))
    }

    /// Notes how far it is; `false` if another worker has taken the job, so that nothing of this batch may be kept.
    pub(crate) async fn mark(
        &self,
        connection: &mut PgConnection,
        after: Option<&str>,
        sealed: u64,
    ) -> Result<bool, Error> {
        let marked = sqlx::query(MARK)
            .bind(self.tenant.as_uuid())
            .bind(self.kind.as_str())
            .bind(self.layout.table)
            .bind(self.layout.sealed)
            .bind(self.worker)
            .bind(after)
            .bind(i64::try_from(sealed).unwrap_or(i64::MAX))
            .bind(self.lease.as_secs_f64())
            .execute(connection)
            .await
            .map_err(store_error)?;
        Ok(marked.rows_affected() == 1)
    }

    /// Lets others have the job, and ends it if all rows were gone through.
    pub(crate) async fn release(&self, connection: &mut PgConnection, end: JobEnd) -> Result<(), Error> {
        sqlx::query(RELEASE)
            .bind(self.tenant.as_uuid())
            .bind(self.kind.as_str())
            .bind(self.layout.table)
            .bind(self.layout.sealed)
            .bind(self.worker)
            .bind(end == JobEnd::Through)
            .execute(connection)
            .await
            .map_err(store_error)?;
        Ok(())
    }
}
