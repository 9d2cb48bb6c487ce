//! Going through the rows.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::error::Error;
use crate::event::FieldEvent;
use crate::id::{Purpose, TenantId};
use crate::kms::Kms;
use crate::postgres::failure::store_error;
use crate::postgres::rewriter::Rewriter;
use crate::postgres::rewriter::batch::{self, Change, Row, Target, Written};
use crate::postgres::rewriter::job::{Job, Kind, Mark};
use crate::postgres::rewriter::report::{JobEnd, JobReport, Progress};
use crate::postgres::scope::TenantScope;
use crate::postgres::site::{Layout, SealedSite};
use crate::store::KeyStore;
use crate::tenant_keys::TenantKeys;

/// So often a batch is tried, and so many passes are made for rows that were locked.
const ATTEMPTS: u32 = 5;
const PASSES: u32 = 5;

/// What became of one page.
enum Turn {
    /// Rows were found, and the last of them is this.
    Page { last: String, written: u64 },
    /// There are no more rows.
    Empty,
    /// Another worker has taken the job.
    Taken,
}

impl<K: Kms, S: KeyStore, T: TenantScope> Rewriter<'_, K, S, T> {
    pub(super) async fn run(
        &mut self,
        kind: Kind,
        tenant: TenantId,
        mut progress: impl FnMut(Progress) -> ControlFlow<()> + Send,
    ) -> Result<JobReport, Error> {
        // The cache may not know the newest key yet.
        self.vault.evict(tenant);
        let mut report = JobReport::default();
        for site in self.columns.sites() {
            if kind == Kind::Backfill && site.layout().plain.is_none() {
                continue;
            }
            let job = Job {
                tenant,
                kind,
                layout: site.layout(),
                worker: self.worker,
                lease: self.lease.saturating_add(self.pace.longest_rest()),
            };
            let mut of_site = JobReport::default();
            let end = Box::pin(self.column(&**site, &job, &mut of_site, &mut progress)).await;
            report.add(of_site);
            if end? == JobEnd::Stopped {
                report.end = JobEnd::Stopped;
                break;
            }
        }
        Ok(report)
    }

    async fn column(
        &self,
        site: &dyn SealedSite,
        job: &Job<'_>,
        report: &mut JobReport,
        progress: &mut (impl FnMut(Progress) -> ControlFlow<()> + Send),
    ) -> Result<JobEnd, Error> {
        let (_, mut target) = self.keys(job.tenant).await?;
        let Some(Mark { mut after, mut sealed }) = self.claim(job, target).await? else {
            report.busy += 1;
            return Ok(JobEnd::Through);
        };
        // Whoever was here before may have left rows behind: they are met in a pass from the start.
        let mut again = after.is_some();
        let mut pass = 1;
        loop {
            let started = Instant::now();
            let (keys, now) = self.keys(job.tenant).await?;
            if now != target {
                target = now;
                (after, again) = (None, false);
                report.start_over();
            }
            match self.page(site, job, &keys, target, after.as_deref(), report).await? {
                Turn::Page { last, written } => {
                    after = Some(last);
                    sealed += written;
                    report.sealed += written;
                    self.tell(job, target, written);
                    let Layout { table, sealed: column, .. } = *job.layout;
                    let (tenant, skipped, failed) = (job.tenant, report.skipped, report.failed);
                    let progress = progress(Progress { tenant, table, column, sealed, skipped, failed });
                    if progress.is_break() {
                        self.release(job, JobEnd::Stopped).await?;
                        return Ok(JobEnd::Stopped);
                    }
                    sleep(self.pace.rest(written, started)).await;
                }
                Turn::Empty if pass < PASSES && (again || report.skipped > 0) => {
                    sleep(Duration::from_millis(if report.skipped > 0 { 50 } else { 0 }) * pass).await;
                    (after, again) = (None, false);
                    report.start_over();
                    pass += 1;
                }
                Turn::Empty => {
                    self.release(job, JobEnd::Through).await?;
                    return Ok(JobEnd::Through);
                }
                Turn::Taken => {
                    report.busy += 1;
                    return Ok(JobEnd::Through);
                }
            }
        }
    }

    /// One page, tried again when the database asks for it.
    async fn page(
        &self,
        site: &dyn SealedSite,
        job: &Job<'_>,
        keys: &TenantKeys,
        target: Target,
        after: Option<&str>,
        report: &mut JobReport,
    ) -> Result<Turn, Error> {
        let mut attempt = 1;
        loop {
            let mut of_page = JobReport::default();
            match self.try_page(site, job, keys, target, after, &mut of_page).await {
                Err(error) if error.is_retryable() && attempt < ATTEMPTS => {
                    sleep(Duration::from_millis(100) * attempt).await;
                    attempt += 1;
                }
                turn => {
                    let turn = turn?;
                    report.add(of_page);
                    return Ok(turn);
                }
            }
        }
    }

    async fn try_page(
        &self,
        site: &dyn SealedSite,
        job: &Job<'_>,
        keys: &TenantKeys,
        target: Target,
        after: Option<&str>,
        report: &mut JobReport,
    ) -> Result<Turn, Error> {
        let place = (job.kind, job.layout, job.tenant);
        let mut transaction = self.scope.begin(job.tenant).await?;
        let rows = batch::page(&mut transaction, place, target, after, self.pace.rows.get()).await?;
        let Some(last) = rows.last().map(|row: &Row| row.key.clone()) else { return Ok(Turn::Empty) };
        let changes = batch::seal(site, keys, job.kind, rows, report)?;
        let sealed = count(changes.len());
        let (written, refused) = match batch::write(&mut transaction, place, &changes).await? {
            Written::Rows(written) => {
                if !job.mark(&mut transaction, Some(&last), written).await? {
                    return Ok(Turn::Taken);
                }
                transaction.commit().await.map_err(store_error)?;
                (written, 0)
            }
            Written::Refused(_) => {
                transaction.rollback().await.map_err(store_error)?;
                let (written, refused) = self.one_by_one(job, &changes, report).await?;
                let mut transaction = self.scope.begin(job.tenant).await?;
                if !job.mark(&mut transaction, Some(&last), written).await? {
                    return Ok(Turn::Taken);
                }
                transaction.commit().await.map_err(store_error)?;
                (written, refused)
            }
        };
        report.skipped += sealed.saturating_sub(written + refused);
        Ok(Turn::Page { last, written })
    }

    /// A batch of which the table refuses some row: how many were written, and how many refused.
    async fn one_by_one(&self, job: &Job<'_>, changes: &[Change], report: &mut JobReport) -> Result<(u64, u64), Error> {
        let (mut sum, mut refused) = (0, 0);
        for change in changes {
            let mut transaction = self.scope.begin(job.tenant).await?;
            let one = std::slice::from_ref(change);
            match batch::write(&mut transaction, (job.kind, job.layout, job.tenant), one).await? {
                Written::Rows(written) => {
                    transaction.commit().await.map_err(store_error)?;
                    sum += written;
                }
                Written::Refused(reason) => {
                    refused += 1;
                    report.fail(change.failure(job.layout, reason));
                }
            }
        }
        Ok((sum, refused))
    }

    fn tell(&self, job: &Job<'_>, target: Target, rows: u64) {
        let Layout { table, sealed: column, .. } = *job.layout;
        if rows > 0 {
            let (tenant, key) = (job.tenant, target.sealing);
            self.vault.observe(&FieldEvent::RowsSealed { tenant, table, column, key, rows });
        }
    }

    async fn keys(&self, tenant: TenantId) -> Result<(TenantKeys, Target), Error> {
        let keys = self.vault.tenant(tenant).await?;
        let sealing = keys.active_key(Purpose::Aead)?;
        Ok((keys.clone(), Target { sealing, indexing: keys.active_key(Purpose::Index).ok() }))
    }

    async fn claim(&self, job: &Job<'_>, target: Target) -> Result<Option<Mark>, Error> {
        let mut transaction = self.scope.begin(job.tenant).await?;
        let indexing = target.indexing.map_or(0, crate::id::KeyId::as_u32);
        let mark = job.claim(&mut transaction, &format!("{}/{indexing}", target.sealing)).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(mark)
    }

    async fn release(&self, job: &Job<'_>, end: JobEnd) -> Result<(), Error> {
        let mut transaction = self.scope.begin(job.tenant).await?;
        job.release(&mut transaction, end).await?;
        transaction.commit().await.map_err(store_error)
    }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
