//! The same edit from another tenant, with raw SQL too, and a batch that straddles tenants.

use anyhow::{Result, bail};
use stockade::rls_migrations::Verdict;

use super::Tour;
use crate::{
    domain::{
        attacks::{self, Outcome},
        inspection, loads,
    },
    seed,
};

/// Bright Web Studio reaches for Acme's data.
pub(super) async fn other_tenant(tour: &mut Tour<'_>) -> Result<()> {
    let app = tour.app();
    tour.step("Another tenant reaches for the same load, and for everything else");
    let mut desk = tour.owner_desk("GET", "/loads").await?;
    let Some(target) = loads::all(&mut desk).await?.into_iter().next() else { bail!("there are no loads") };
    desk.commit(app).await?;

    let session = tour.sign_in(&seed::BRIGHT, &seed::DISPATCHER).await?;
    let mut desk = tour.desk(&session, "POST", "/loads/{id}").await?;
    let found = loads::find(&mut desk, target.id).await?;
    let attacker = desk.principal()?;
    desk.commit(app).await?;
    tour.check(
        &format!("{} of {} opens {} by its id", seed::DISPATCHER.name, seed::BRIGHT.name, target.reference),
        "not found: in this tenant it does not exist",
        found.is_none(),
    );

    for attempt in attacks::run(app, &attacker, seed::ACME.id).await? {
        let happened = match &attempt.outcome {
            Outcome::Nothing => "0 rows".to_owned(),
            Outcome::Refused(reason) => format!("refused: {reason}"),
            Outcome::Crossed(rows) => format!("{rows} rows of the other tenant"),
        };
        tour.check(&format!("{}: {}", attempt.what, attempt.how), happened, attempt.outcome.held());
    }

    let mut desk = tour.owner_desk("GET", "/loads/{id}").await?;
    let after = loads::find(&mut desk, target.id).await?;
    desk.commit(app).await?;
    let same = after.is_some_and(|load| load.rate_cents == target.rate_cents);
    tour.check("look at the load as its own tenant", if same { "unchanged" } else { "changed or gone" }, same);
    match inspection::probe(app).await? {
        Some(report) => {
            let leaks: Vec<_> = report.leaks().map(|row| row.attempt().id()).collect();
            let held = report.rows().iter().filter(|row| *row.verdict() == Verdict::Held).count();
            let happened = if leaks.is_empty() { format!("{held} attempts held") } else { leaks.join(", ") };
            tour.check("probe every table with every known kind of attempt", happened, report.is_isolated());
        }
        None => tour.say("the isolation probe needs a PostgreSQL server: set DATABASE_URL to see it"),
    }
    let findings = inspection::lint(app).await?;
    tour.say(format!("lint: {} findings; the administration page lists them", findings.len()));
    let counters = app.tenants.counters().snapshot().total();
    tour.say(format!(
        "{} queries so far, {} foreign rows read, {} statements and {} batches refused",
        counters.queries, counters.foreign_rows, counters.refused_statements, counters.refused_batches,
    ));
    Ok(())
}
