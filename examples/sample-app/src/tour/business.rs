//! What a brokerage must be able to show later: who changed commissions, settlements, accounts and switches, and who took documents along.

use anyhow::{Context as _, Result, bail};
use stockade::{
    audit_chain::{
        AuditRow,
        postgres::{Filter, search},
    },
    field_crypto::Secret,
    tenant_guard::TenantId,
};
use uuid::Uuid;

use super::Tour;
use crate::{
    desk::Refused,
    domain::{
        documents::{self, Withheld},
        drivers,
        features::{self, Feature, Position},
        loads,
        money::{Cents, Share},
        settlements::{self, Change},
    },
    seed::ACME,
};

/// A settlement and its commission, a bank account, and a switch: each entry holds how it was and how it is.
pub(super) async fn changes(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("Commissions, settlements, bank accounts and switches change with their before and after");
    let app = tour.app();
    let mut desk = tour.owner_desk("POST", "/settlements/{id}").await?;
    let Some(was) = settlements::all(&mut desk.tx).await?.into_iter().next() else { bail!("there are no settlements") };
    let commission = Share::parse("15").context("a share")?;
    let change = Change { pay: Cents(was.pay_cents.0 + 5_000), commission, status: "approved".to_owned() };
    let outcome = settlements::change(&mut desk, &was, &change).await?;
    desk.commit(app).await?;
    tour.check(
        &format!("pay {} for {}, and a commission of {commission}%", change.pay, was.reference),
        said(&outcome),
        outcome.is_ok(),
    );

    let id = ACME.driver(1);
    let keys = app.driver_keys(ACME.id, &[id]).await?;
    let mut desk = tour.owner_desk("POST", "/drivers/bank-account").await?;
    let driver = drivers::find(&mut desk, id).await?.context("the driver is gone")?;
    let account = Secret::new("072000326-7788990".to_owned());
    let outcome = drivers::change_account(&mut desk, &keys, &driver, &account).await?;
    desk.commit(app).await?;
    tour.check(&format!("pay {} into another account", driver.name), said(&outcome), outcome.is_ok());

    let mut desk = tour.owner_desk("POST", "/administration/features").await?;
    let outcome = features::switch(&mut desk, Feature::DocumentDownloads, Position::Off).await?;
    desk.commit(app).await?;
    tour.check("switch downloads off", said(&outcome), outcome.is_ok());

    for action in ["settlement.update", "commission.update", "driver.bank_account.update", "feature.switch"] {
        let entry = last(tour, action).await?;
        let (before, after) = (entry.before.unwrap_or_default(), entry.after.unwrap_or_default());
        let text = format!("{before} -> {after}");
        // No account as it is: whoever reads the log pays nobody.
        let whole = text.contains("1122334") || text.contains("7788990");
        tour.check(&format!("read the last `{action}`"), &text, before != after && !before.is_null() && !whole);
    }
    Ok(())
}

/// A document leaves only with an entry, and not at all where the tenant does not want it.
pub(super) async fn documents(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("A document is downloaded: by permission, with an entry, unless the tenant switched it off");
    let app = tour.app();
    let mut desk = tour.owner_desk("GET", "/documents/{id}").await?;
    let Some(load) = loads::all(&mut desk).await?.into_iter().next() else { bail!("there are no loads") };
    let Some(document) = documents::of(&mut desk, load.id).await?.into_iter().next() else { bail!("no documents") };
    let off = documents::download(&mut desk, document.id).await?;
    desk.commit(app).await?;
    tour.check(&format!("download {} of {}", document.name, load.reference), told(&off), off.is_err());

    let mut desk = tour.owner_desk("POST", "/administration/features").await?;
    let switched = features::switch(&mut desk, Feature::DocumentDownloads, Position::On).await?;
    let file = documents::download(&mut desk, document.id).await?;
    let nowhere = documents::download(&mut desk, Uuid::nil()).await?;
    desk.commit(app).await?;
    tour.check("switch downloads on, and try once more", told(&file), switched.is_ok() && file.is_ok());
    tour.check("download what is not there, or not in this tenant", told(&nowhere), nowhere.is_err());
    let entry = last(tour, "document.download").await?;
    let after = entry.after.unwrap_or_default();
    tour.check("read the entry", &after, after.get("sha256").is_some());
    Ok(())
}

async fn last(tour: &Tour<'_>, action: &str) -> Result<AuditRow> {
    let mut tx = tour.app().tenants.read(TenantId::new(ACME.id)).await?;
    let found = search(&mut tx, &Filter::new(ACME.id.into()).action(action)).await?;
    tx.close().await?;
    found.rows.into_iter().next().with_context(|| format!("nothing is recorded as `{action}`"))
}

fn said(outcome: &std::result::Result<(), Refused>) -> String {
    outcome.as_ref().map_or_else(ToString::to_string, |()| "saved, with its entry in the same transaction".to_owned())
}

fn told(outcome: &std::result::Result<documents::File, Withheld>) -> String {
    match outcome {
        Ok(file) => format!("{} bytes", file.content.len()),
        Err(Withheld::NotFound) => "not found".to_owned(),
        Err(Withheld::Refused(refused)) => refused.to_string(),
    }
}
