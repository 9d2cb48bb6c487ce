//! What people do all day, and what they may not.

use anyhow::{Result, bail};
use stockade::{
    audit_chain::postgres::{Filter, VerifyOptions, search, verify},
    tenant_guard::TenantId,
};

use super::Tour;
use crate::{
    desk::Refused,
    domain::{
        ledger::{self, Closing, NewPosting, NotPosted},
        loads::{self, Change},
        money::Cents,
    },
    seed,
};

/// A load is edited; its entry holds before and after, and the chain verifies.
pub(super) async fn edit_a_load(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("A load is edited, together with its audit entry");
    let app = tour.app();
    let mut desk = tour.owner_desk("POST", "/loads/{id}").await?;
    let Some(load) = loads::all(&mut desk).await?.into_iter().next() else { bail!("there are no loads") };
    let change = Change { rate: Cents(load.rate_cents.0 + 7_500), status: "in transit".to_owned() };
    let allowed = loads::change(&mut desk, &load, &change).await?;
    desk.commit(app).await?;
    tour.check(
        &format!("change {} from {} to {}", load.reference, load.rate_cents, change.rate),
        said(&allowed, "saved, with its entry in the same transaction"),
        allowed.is_ok(),
    );

    app.seal_now().await?;
    let mut tx = app.tenants.read(TenantId::new(seed::ACME.id)).await?;
    let found = search(&mut tx, &Filter::new(seed::ACME.id.into()).action("load.update")).await?;
    let report = verify(&mut tx, seed::ACME.id.into(), &VerifyOptions::default()).await?;
    tx.close().await?;
    let Some(row) = found.rows.first() else { bail!("the change left no audit entry") };
    let values = |value: Option<&serde_json::Value>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    tour.check(
        "read the entry",
        format!(
            "no. {} by {}: {} -> {}",
            row.seq.unwrap_or_default(),
            row.actor_name.as_deref().unwrap_or("?"),
            values(row.before.as_ref()),
            values(row.after.as_ref()),
        ),
        row.is_sealed() && row.before.is_some() && row.after.is_some() && row.before != row.after,
    );
    tour.check(
        "verify the chain",
        format!("{} entries checked, {} findings", report.checked(), report.verdicts().len()),
        report.is_intact(),
    );
    Ok(())
}

fn said(outcome: &std::result::Result<(), Refused>, done: &str) -> String {
    outcome.as_ref().map_or_else(ToString::to_string, |()| done.to_owned())
}

/// A viewer is refused, with the reason, and the refusal is recorded.
pub(super) async fn refused_by_role(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("A role without the permission is refused, with the reason");
    let app = tour.app();
    let session = tour.sign_in(&seed::ACME, &seed::VIEWER).await?;
    let mut desk = tour.desk(&session, "POST", "/loads/{id}").await?;
    let Some(load) = loads::all(&mut desk).await?.into_iter().next() else { bail!("there are no loads") };
    let change = Change { rate: Cents(1), status: load.status.clone() };
    let outcome = loads::change(&mut desk, &load, &change).await?;
    let after = loads::find(&mut desk, load.id).await?;
    desk.commit(app).await?;
    let unchanged = after.is_some_and(|now| now.rate_cents == load.rate_cents);
    match outcome {
        Err(refused) => tour.check(&format!("{} edits {}", seed::VIEWER.name, load.reference), refused, unchanged),
        Ok(()) => tour.check("a viewer edits a load", "allowed", false),
    }
    Ok(())
}

/// Last month is closed; nothing posts into it, whoever asks.
pub(super) async fn closed_period(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("Nothing posts into a closed period: the schema refuses");
    let app = tour.app();
    let mut desk = tour.owner_desk("POST", "/ledger/periods/{id}/close").await?;
    let Some(period) = ledger::periods(&mut desk.tx).await?.into_iter().next_back() else {
        bail!("there are no periods")
    };
    let closed = ledger::close(&mut desk, period.id, Closing::Soft).await?;
    desk.commit(app).await?;
    tour.check(
        &format!("{} closes {} softly", seed::OWNER.name, period.name),
        said(&closed, "closed and recorded"),
        closed.is_ok(),
    );
    let posting = NewPosting {
        posted_on: period.ends_on,
        account: "4000 Freight revenue".to_owned(),
        memo: "late invoice".to_owned(),
        amount: Cents(-50_000),
        adjustment: None,
    };
    let mut desk = tour.owner_desk("POST", "/ledger/postings").await?;
    let late = ledger::post(&mut desk, &posting).await?;
    drop(desk);
    refused_by_schema(tour, &format!("post on {} without a reason", period.ends_on), &late);
    let adjusted = NewPosting { adjustment: Some("late invoice of the carrier".to_owned()), ..posting.clone() };
    let mut desk = tour.owner_desk("POST", "/ledger/postings").await?;
    let posted = ledger::post(&mut desk, &adjusted).await?;
    desk.commit(app).await?;
    tour.check("post it as an adjustment, with a reason", "posted and recorded", posted.is_ok());

    let mut desk = tour.owner_desk("POST", "/ledger/periods/{id}/close").await?;
    let closed = ledger::close(&mut desk, period.id, Closing::Hard).await?;
    desk.commit(app).await?;
    tour.check(
        &format!("{} closes {}", seed::OWNER.name, period.name),
        said(&closed, "closed and recorded"),
        closed.is_ok(),
    );

    let mut desk = tour.owner_desk("POST", "/ledger/postings").await?;
    let late = ledger::post(&mut desk, &adjusted).await?;
    drop(desk);
    refused_by_schema(tour, &format!("post on {} as an adjustment", period.ends_on), &late);

    let next = NewPosting { posted_on: period.ends_on.succ_opt().unwrap_or(period.ends_on), ..posting };
    let mut desk = tour.owner_desk("POST", "/ledger/postings").await?;
    let posted = ledger::post(&mut desk, &next).await?;
    desk.commit(app).await?;
    tour.check(&format!("post on {}, the day after", next.posted_on), "posted", posted.is_ok());

    let mut desk = tour.owner_desk("POST", "/ledger/periods/{id}/reopen").await?;
    let silently = sqlx::query("UPDATE freight.fiscal_period SET closed_at = NULL WHERE id = $1")
        .bind(period.id)
        .execute(&mut desk.tx)
        .await;
    drop(desk);
    match silently {
        Ok(_) => tour.check("take the close back with an UPDATE", "taken back", false),
        Err(error) => {
            let message =
                error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
            tour.check("take the close back with an UPDATE", message, true);
        }
    }
    let mut desk = tour.owner_desk("POST", "/ledger/periods/{id}/reopen").await?;
    let reopened = ledger::reopen(&mut desk, period.id, "the auditor found a missing accrual").await?;
    desk.commit(app).await?;
    tour.check(
        &format!("{} reopens {} with a reason", seed::OWNER.name, period.name),
        said(&reopened, "open again, and the reason is kept"),
        reopened.is_ok(),
    );
    Ok(())
}

fn refused_by_schema(tour: &mut Tour<'_>, attempted: &str, outcome: &std::result::Result<uuid::Uuid, NotPosted>) {
    match outcome {
        Err(NotPosted::PeriodClosed(message)) => tour.check(attempted, message, true),
        other => tour.check(attempted, format!("{other:?}"), false),
    }
}
