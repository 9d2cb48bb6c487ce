//! The general ledger: postings that are never changed, in periods that can be closed.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use stockade::{audit_chain::Severity, rbac::Resource, rls_migrations::Refusal, tenant_guard::Tx};
use uuid::Uuid;

use super::money::Cents;
use crate::{
    desk::{Desk, Refused},
    permissions::Perm,
};

/// A posting.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Posting {
    /// Day it counts for.
    pub posted_on: NaiveDate,
    /// Account, such as `4000 Freight revenue`.
    pub account: String,
    /// What it is about.
    pub memo: String,
    /// Amount; negative is a credit.
    pub amount_cents: Cents,
    /// Who posted it.
    pub posted_by_name: String,
}

/// A fiscal period.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Period {
    /// The period.
    pub id: Uuid,
    /// Such as `2026-09`.
    pub name: String,
    /// First day.
    pub starts_on: NaiveDate,
    /// Last day.
    pub ends_on: NaiveDate,
    /// When it was closed softly, if it was: postings need an adjustment from then on.
    pub soft_closed_at: Option<DateTime<Utc>>,
    /// When it was signed off, if it was.
    pub closed_at: Option<DateTime<Utc>>,
}

/// What a person posts.
#[derive(Clone, Debug)]
pub struct NewPosting {
    /// Day it counts for.
    pub posted_on: NaiveDate,
    /// Account.
    pub account: String,
    /// What it is about.
    pub memo: String,
    /// Amount, not zero.
    pub amount: Cents,
    /// Why it posts into a softly closed period, if it means to.
    pub adjustment: Option<String>,
}

/// How a period is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Only adjustments post from then on, each with its reason.
    Soft,
    /// Nothing posts from then on.
    Hard,
}

/// Why a posting did not happen, though nothing failed.
#[derive(Clone, Debug)]
pub enum NotPosted {
    /// The policy says no.
    Refused(Refused),
    /// The schema says no: the day lies in a closed period, or in a softly closed one without an adjustment.
    PeriodClosed(String),
}

/// What the schema's functions call the table of fiscal periods.
const PERIODS: &str = "freight.fiscal_period";

/// The accounts that a form offers.
pub const ACCOUNTS: [&str; 4] = ["4000 Freight revenue", "5000 Carrier cost", "5100 Accessorials", "6200 Claims"];

/// The latest postings.
///
/// # Errors
/// When the database fails.
pub async fn postings<A>(tx: &mut Tx<A>) -> sqlx::Result<Vec<Posting>> {
    sqlx::query_as(
        "SELECT p.posted_on, p.account, p.memo, p.amount_cents, u.name AS posted_by_name
         FROM freight.gl_posting p JOIN freight.users u ON u.tenant_id = p.tenant_id AND u.id = p.posted_by
         ORDER BY p.posted_on DESC, p.id DESC LIMIT 100",
    )
    .fetch_all(tx)
    .await
}

/// The fiscal periods, the latest first.
///
/// # Errors
/// When the database fails.
pub async fn periods<A>(tx: &mut Tx<A>) -> sqlx::Result<Vec<Period>> {
    sqlx::query_as("SELECT id, name, starts_on, ends_on, soft_closed_at, closed_at FROM freight.fiscal_period ORDER BY starts_on DESC")
        .fetch_all(tx)
        .await
}

/// Posts and records it, both in the desk's transaction.
///
/// After [`NotPosted::PeriodClosed`] that transaction is over: PostgreSQL accepts nothing more in it.
///
/// # Errors
/// When the database fails.
pub async fn post(desk: &mut Desk, new: &NewPosting) -> anyhow::Result<Result<Uuid, NotPosted>> {
    let ledger = Resource::in_tenant(desk.user.tenant_id);
    if let Err(refused) = desk.require(Perm::LedgerPost, &ledger, ("gl_posting", "new")) {
        return Ok(Err(NotPosted::Refused(refused)));
    }
    if let Some(reason) = &new.adjustment {
        if let Err(refused) = desk.require(Perm::PeriodAdjust, &ledger, ("gl_posting", "new")) {
            return Ok(Err(NotPosted::Refused(refused)));
        }
        sqlx::query("SELECT stockade.rls_adjust_period($1, $2)")
            .bind(PERIODS)
            .bind(reason)
            .execute(&mut desk.tx)
            .await?;
    }
    let id = Uuid::now_v7();
    let inserted = sqlx::query(
        "INSERT INTO freight.gl_posting (tenant_id, id, posted_on, account, memo, amount_cents, posted_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(desk.user.tenant_id)
    .bind(id)
    .bind(new.posted_on)
    .bind(&new.account)
    .bind(&new.memo)
    .bind(new.amount)
    .bind(desk.user.id)
    .execute(&mut desk.tx)
    .await;
    if let Err(error) = inserted {
        return match closed_period(&error) {
            Some(message) => Ok(Err(NotPosted::PeriodClosed(message))),
            None => Err(error.into()),
        };
    }
    let entry = desk.entry("ledger.post").entity("gl_posting", id.to_string()).after(json!({
        "posted_on": new.posted_on.to_string(), "account": new.account, "memo": new.memo, "amount_cents": new.amount,
        "adjustment": new.adjustment,
    }));
    desk.record(&entry).await?;
    Ok(Ok(id))
}

/// Closes a period, softly or for good: its last day and all before it are guarded by the schema from then on.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`.
pub async fn close(desk: &mut Desk, period: Uuid, closing: Closing) -> anyhow::Result<Result<(), Refused>> {
    let ledger = Resource::in_tenant(desk.user.tenant_id);
    if let Err(refused) = desk.require(Perm::PeriodClose, &ledger, ("fiscal_period", period)) {
        return Ok(Err(refused));
    }
    let close = match closing {
        Closing::Soft => {
            "UPDATE freight.fiscal_period SET soft_closed_at = now(), closed_by = $2
             WHERE id = $1 AND soft_closed_at IS NULL AND closed_at IS NULL RETURNING name"
        }
        Closing::Hard => {
            "UPDATE freight.fiscal_period SET closed_at = now(), closed_by = $2
             WHERE id = $1 AND closed_at IS NULL RETURNING name"
        }
    };
    let name: Option<String> =
        sqlx::query_scalar(close).bind(period).bind(desk.user.id).fetch_optional(&mut desk.tx).await?;
    if let Some(name) = name {
        let entry = desk
            .entry("ledger.period.close")
            .entity("fiscal_period", period.to_string())
            .before(json!({ "closed": false }))
            .after(json!({ "closed": true, "softly": closing == Closing::Soft, "name": name }))
            .severity(Severity::Notice);
        desk.record(&entry).await?;
    }
    Ok(Ok(()))
}

/// Opens a period again, which the schema lets nobody do without a reason, and keeps the reason.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`.
pub async fn reopen(desk: &mut Desk, period: Uuid, reason: &str) -> anyhow::Result<Result<(), Refused>> {
    let ledger = Resource::in_tenant(desk.user.tenant_id);
    if let Err(refused) = desk.require(Perm::PeriodReopen, &ledger, ("fiscal_period", period)) {
        return Ok(Err(refused));
    }
    let closed: Option<(String, NaiveDate)> = sqlx::query_as(
        "SELECT name, ends_on FROM freight.fiscal_period
         WHERE id = $1 AND (closed_at IS NOT NULL OR soft_closed_at IS NOT NULL) FOR UPDATE",
    )
    .bind(period)
    .fetch_optional(&mut desk.tx)
    .await?;
    let Some((name, ends_on)) = closed else { return Ok(Ok(())) };
    sqlx::query("SELECT stockade.rls_reopen_period($1, $2, $3)")
        .bind(PERIODS)
        .bind(ends_on)
        .bind(reason)
        .execute(&mut desk.tx)
        .await?;
    sqlx::query(
        "UPDATE freight.fiscal_period SET closed_at = NULL, soft_closed_at = NULL, closed_by = NULL WHERE id = $1",
    )
    .bind(period)
    .execute(&mut desk.tx)
    .await?;
    let entry = desk
        .entry("ledger.period.reopen")
        .entity("fiscal_period", period.to_string())
        .before(json!({ "closed": true }))
        .after(json!({ "closed": false, "name": name, "reason": reason }))
        .severity(Severity::Warning);
    desk.record(&entry).await?;
    Ok(Ok(()))
}

/// The guard's own message, if `error` is the period guard's refusal.
#[must_use]
pub fn closed_period(error: &sqlx::Error) -> Option<String> {
    let refused = matches!(Refusal::of(error), Some(Refusal::ClosedPeriod | Refusal::SoftlyClosed));
    refused.then(|| error.as_database_error().map_or_else(String::new, |error| error.message().to_owned()))
}
