//! Finding by a keyed hash, exchanging a tenant's key while everything goes on, and destroying a driver's.

use anyhow::{Result, bail};
use sqlx::Connection as _;
use stockade::field_crypto::{Secret, postgres::Execution};

use super::Tour;
use crate::{
    domain::{
        drivers,
        encryption::{self, Became},
        shredding,
    },
    seed,
};

/// A driver is found by a number that the database does not hold.
pub(super) async fn finding(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("A driver is found by a number that the database does not hold");
    let app = tour.app();
    for (typed, expected) in [("900 78 9011", 1), ("900 78 9012", 0)] {
        let desk = tour.owner_desk("POST", "/drivers/find").await?;
        let Ok(found) = drivers::find_by_ssn(app, desk, &Secret::new(typed.to_owned())).await? else {
            bail!("the owner may not look for a number");
        };
        let names: Vec<_> = found.iter().map(|driver| driver.name.as_str()).collect();
        let happened = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
        tour.check(&format!("look for {typed}"), happened, names.len() == expected);
    }
    Ok(())
}

/// A new key seals, everything under the old one is sealed anew, and the old one goes.
pub(super) async fn rotation(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("A tenant's key is exchanged while everything goes on");
    for attempted in
        ["make a new key", "seal under it", "seal everything anew", "retire the old key", "destroy the old key"]
    {
        // Each step waits until no process has older keys in memory; here the time passes at once.
        let mut superuser = tour.scratch.superuser().await?;
        sqlx::query("UPDATE stockade.field_keys SET state_since = state_since - interval '8 days'")
            .execute(&mut superuser)
            .await?;
        superuser.close().await?;
        let app = tour.app();
        let step = encryption::status(app, seed::ACME.id).await?.next.key();
        let desk = tour.owner_desk("POST", "/administration/encryption/rotation").await?;
        let Ok(became) = encryption::advance(app, desk, &step).await? else { bail!("the owner may not rotate") };
        let happened = match &became {
            Became::Made => "done".to_owned(),
            Became::Rewritten(report, subjects) => {
                format!("{} rows, and {subjects} keys of drivers; {} do not open", report.sealed, report.failed)
            }
            other => format!("{other:?}"),
        };
        let held = match &became {
            Became::Made => true,
            Became::Rewritten(report, _) => report.failed == 0 && report.sealed > 0,
            _ => false,
        };
        tour.check(&format!("{attempted} ({step})"), happened, held);
    }
    let status = encryption::status(tour.app(), seed::ACME.id).await?;
    let sealed: u64 = status.columns.iter().map(|column| column.sealed).sum();
    let behind: u64 = status.columns.iter().map(|column| column.older + column.open).sum();
    tour.check("count what is sealed", format!("{sealed} values under the current keys, {behind} not"), behind == 0);
    Ok(())
}

/// A driver's key is planned to be destroyed, and is, when the week has passed.
pub(super) async fn shredding(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("A driver is forgotten: the key is destroyed");
    let app = tour.app();
    let driver = seed::ACME.driver(2);
    let desk = tour.owner_desk("POST", "/administration/shredding").await?;
    let Ok(Some(shred)) = shredding::schedule(app, desk, driver, "DSR-42").await? else { bail!("nothing was planned") };
    let complete = shredding::complete_after(shred.execute_after).map(|at| at.format("%Y-%m-%d").to_string());
    tour.say(format!(
        "planned: gone from the database not before {}, from backups not before {}",
        shred.execute_after.format("%Y-%m-%d"),
        complete.unwrap_or_default()
    ));
    let desk = tour.owner_desk("POST", "/administration/shredding/{id}/execute").await?;
    let Ok(early) = shredding::execute(app, desk, shred.id.into()).await? else { bail!("the owner may not shred") };
    let refused = matches!(early, Some(Execution::NotDue { .. }));
    tour.check("carry it out at once", "refused: it can still be called off", refused);

    let mut superuser = tour.scratch.superuser().await?;
    sqlx::raw_sql(
        "ALTER TABLE stockade.field_shreds DISABLE TRIGGER USER;
        UPDATE stockade.field_shreds SET requested_at = requested_at - interval '8 days', execute_after = execute_after - interval '8 days';
        ALTER TABLE stockade.field_shreds ENABLE TRIGGER USER",
    )
    .execute(&mut superuser)
    .await?;
    superuser.close().await?;
    tour.say("a week passes");
    let desk = tour.owner_desk("POST", "/administration/shredding/{id}/execute").await?;
    let Ok(Some(Execution::Executed(report))) = shredding::execute(app, desk, shred.id.into()).await? else {
        bail!("nothing was destroyed");
    };
    tour.check("carry it out", format!("{} key destroyed", report.keys.len()), report.keys.len() == 1);

    let mut desk = tour.owner_desk("GET", "/drivers").await?;
    let row = drivers::find(&mut desk, driver).await?;
    desk.commit(app).await?;
    let Some(row) = row else { bail!("the driver is gone") };
    let keys = app.driver_keys(seed::ACME.id, &[driver]).await?;
    let opened = row.masked_ssn(&keys);
    let happened = opened.as_ref().map_or_else(ToString::to_string, Clone::clone);
    tour.check(&format!("read the number of {}", row.name), happened, opened.is_err());
    Ok(())
}
