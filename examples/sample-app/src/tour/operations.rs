//! Open pages, helper processes, and whether a backup can be restored.

use anyhow::Result;
use stockade::audit_chain::{
    Actor, Entry,
    postgres::{Filter, follow},
};
use stockade::tenant_guard::TenantId;

use super::Tour;
use crate::{
    domain::{drill, helpers},
    seed::{ACME, BRIGHT, OWNER},
};

/// An open page hears of the end of its own log, and reads what is new in its own scope.
pub(super) async fn following(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("An open page goes on: new entries of its tenant reach it, and no others");
    let app = tour.app();
    app.seal_now().await?;
    let Some(mut seat) = app.live.sit(ACME.id, ACME.person(&OWNER)) else { anyhow::bail!("there is no seat") };
    app.tell_followers().await?;
    let before = seat.beyond(0).await.unwrap_or_default();
    for tenant in [ACME, BRIGHT] {
        app.trail.send(tenant.id.into(), Entry::new(tenant.id.into(), Actor::system("tour"), "tour.marker"));
    }
    app.seal_now().await?;
    app.tell_followers().await?;
    let now = seat.beyond(before).await.unwrap_or_default();
    let mut tx = app.tenants.read(TenantId::new(ACME.id)).await?;
    let own = follow(&mut tx, &Filter::new(ACME.id.into()), before).await?;
    let other = follow(&mut tx, &Filter::new(BRIGHT.id.into()), 0).await?;
    tx.close().await?;
    tour.check(
        "record something for two tenants while a page of one is open",
        format!(
            "the log ends at {now} instead of {before}; {} of its own arrive, {} of the other",
            own.len(),
            other.len()
        ),
        now > before && own.iter().any(|row| row.action == "tour.marker") && other.is_empty(),
    );
    let seats: Vec<_> = std::iter::from_fn(|| app.live.sit(ACME.id, ACME.person(&OWNER))).take(100).collect();
    tour.check("open a hundred pages more", format!("{} are followed", seats.len()), seats.len() < 10);
    Ok(())
}

/// A program that the application starts sees no secret of it.
pub(super) async fn sandbox(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("A helper process gets none of the application's secrets, though its list allows everything");
    let Some(seen) = helpers::environment().await? else {
        tour.say("there is no sandbox on this system");
        return Ok(());
    };
    let there = |names: &[String]| names.iter().any(|name| name == "DATABASE_URL");
    tour.check(
        "start `env` beside the URL of a database",
        format!("it sees {} variables; withheld: {}", seen.environment.len(), seen.withheld.join(", ")),
        there(&seen.withheld) && !there(&seen.environment),
    );
    Ok(())
}

/// A dump that nobody has restored is no backup.
pub(super) async fn restore(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("A backup is restored beside the original and compared with it");
    match drill::run(tour.app(), OWNER.name).await? {
        Some(report) => {
            let unexpected = report.unexpected().count();
            let said = format!(
                "{} differences, {unexpected} of them unexpected; the chains verify there",
                report.discrepancies().len()
            );
            tour.check(
                "dump, restore, compare rows, policies, triggers, roles and migrations",
                said,
                report.is_green(),
            );
            for found in report.unexpected().take(3) {
                tour.say(format!("{} {}", found.part, found.object));
            }
        }
        None => tour.say("the drill needs a PostgreSQL server, and pg_dump of its version"),
    }
    Ok(())
}
