//! A legal hold, an erasure that it refuses, and the erasure after its release.

use anyhow::{Result, bail};
use stockade::{
    audit_chain::postgres::{Filter, search},
    tenant_guard::TenantId,
};

use super::Tour;
use crate::{
    domain::retention::{self, Asked, Who},
    seed,
};

/// Acme's dispatcher asks to be forgotten, while a court wants the log kept.
pub(super) async fn forgetting(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("A person asks to be forgotten, and a court asks for the opposite");
    let app = tour.app();
    let tenant = seed::ACME.id;
    let session = tour.sign_in(&seed::ACME, &seed::DISPATCHER).await?;
    let mut desk = tour.desk(&session, "GET", "/audit").await?;
    let entry = desk.entry("shift.begin");
    desk.record(&entry).await?;
    desk.commit(app).await?;

    let desk = tour.owner_desk("POST", "/administration/retention/holds").await?;
    let placed = retention::place_hold(app, desk, "C-2026-11").await?;
    tour.check("place a legal hold for the matter C-2026-11", "in force, and recorded", placed.is_ok());
    let who = Who::User(seed::ACME.person(&seed::DISPATCHER));
    let asked = Asked { who, request: "DSR-41".to_owned(), basis: "GDPR Art. 17(1)(b)".to_owned() };
    let desk = tour.owner_desk("POST", "/administration/retention/erasures").await?;
    let Ok(kept) = retention::erase(app, desk, &asked).await? else { bail!("the owner may not erase") };
    tour.check(
        &format!("erase what the log says of {}", seed::DISPATCHER.name),
        format!("nothing is erased: the hold keeps {} values", kept.held.len()),
        kept.erased.is_empty() && !kept.held.is_empty(),
    );

    let mut desk = tour.owner_desk("POST", "/administration/retention/holds/{id}/release").await?;
    let Some(hold) = retention::holds(&mut desk.tx).await?.into_iter().next() else { bail!("there is no hold") };
    let released = retention::release_hold(app, desk, hold.id, "settled").await?;
    tour.check("release the hold", "released, and recorded", released.is_ok_and(|released| released));
    let desk = tour.owner_desk("POST", "/administration/retention/erasures").await?;
    let Ok(gone) = retention::erase(app, desk, &asked).await? else { bail!("the owner may not erase") };
    tour.check("ask again", format!("{} values are erased", gone.erased.len()), gone.erased.len() == kept.held.len());

    app.seal_now().await?;
    let mut tx = app.tenants.begin(TenantId::new(tenant)).await?;
    let rows = search(&mut tx, &Filter::new(tenant.into()).action("shift.begin")).await?.rows;
    let Some(row) = rows.first() else { bail!("the entry is gone") };
    let covered = retention::erased(&mut tx, &[row.entry_id]).await?;
    tx.commit().await?;
    let covering = covered.get(&(row.entry_id, "actor/name".to_owned())).copied().flatten();
    tour.check(
        "read an entry of that person",
        format!("name: erased, covered by entry {}; actor: {}", covering.unwrap_or_default(), row.actor_id),
        row.actor_name.is_none() && covering.is_some(),
    );
    let report = app.watch.verify(&mut *app.sealer().await?, tenant.into()).await?;
    tour.check(
        "verify the chain",
        format!("{} entries checked, {} values erased with evidence", report.checked(), report.erased()),
        report.is_intact() && report.erased() == gone.erased.len() as u64,
    );
    Ok(())
}
