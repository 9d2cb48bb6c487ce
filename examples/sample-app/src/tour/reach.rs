//! Which rows somebody reaches, who may give what, and staff of the platform who look.

use anyhow::{Context as _, Result, bail};
use stockade::{
    rbac::{Override, Scope, postgres::Status},
    session::{ImpersonationStart, Session, Step, TotpStep},
    tenant_guard::TenantId,
};

use super::{Tour, client, password, request};
use crate::{
    app::App,
    domain::{accounts, loads, membership, review},
    permissions::Perm,
    seed::{self, ACME, ADMIN, DISPATCHER, GUEST, OWNER, PLATFORM, SUPPORT},
};

/// A list, and a query that forgets to filter, show the same rows; a share opens one more.
pub(super) async fn rows(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("A dispatcher sees the loads of a team, and a query that forgets to filter shows no more");
    let session = tour.sign_in(&ACME, &DISPATCHER).await?;
    let mut desk = tour.desk(&session, "GET", "/loads").await?;
    let listed = loads::all(&mut desk).await?.len();
    let unfiltered: i64 = sqlx::query_scalar("SELECT count(*) FROM freight.loads").fetch_one(&mut desk.tx).await?;
    let customers = accounts::all(&mut desk).await?;
    let shared: Vec<&str> = customers.iter().filter(|one| one.shared.is_some()).map(|one| one.name.as_str()).collect();
    desk.rollback().await?;
    tour.check(
        "list the loads, and count them without a condition",
        format!("{listed} listed, {unfiltered} counted, of 6"),
        i64::try_from(listed)? == unfiltered && listed < 6,
    );
    tour.check(
        "look at the customers of the office",
        format!("shared with it: {}", shared.join(", ")),
        shared.len() == 1,
    );
    Ok(())
}

/// An administrator gives what an administrator has, and nothing above.
pub(super) async fn giving(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("Nobody gives what they lack, touches somebody above them, or promotes themselves");
    let app = tour.app();
    let reason = || membership::reason("the tour").context("the tour has a reason");
    let session = tour.sign_in(&ACME, &ADMIN).await?;
    for (target, role, allowed) in [(&GUEST, "accountant", false), (&ADMIN, "viewer", false), (&GUEST, "viewer", true)]
    {
        let mut desk = tour.desk(&session, "POST", "/administration/people/{id}/roles").await?;
        let id = ACME.person(target);
        let answer = desk.members(&app.members).assign(id, role, reason()?, None).await?;
        let outcome = membership::kept(&mut desk, "role.assign", id, answer).await?;
        desk.commit(app).await?;
        let happened = outcome.as_ref().map_or_else(ToString::to_string, |()| "given, and recorded".to_owned());
        tour.check(&format!("{} makes {} {role}", ADMIN.name, target.name), happened, outcome.is_ok() == allowed);
    }
    let mut desk = tour.desk(&session, "POST", "/administration/people/{id}/overrides").await?;
    let id = ACME.person(&GUEST);
    let until = chrono::Utc::now() + chrono::TimeDelta::days(1);
    let exception = Override::allow(Perm::LoadEdit, Scope::Tenant, reason()?, until)?;
    let answer = desk.members(&app.members).except(id, &exception).await?;
    let made = membership::kept(&mut desk, "override.set", id, answer).await?;
    desk.commit(app).await?;
    tour.check("an exception for a day", "made, with its reason and its end", made.is_ok());

    let mut desk = tour.owner_desk("POST", "/administration/people/{id}/remove").await?;
    let id = ACME.person(&OWNER);
    let answer = desk.members(&app.members).remove(id, reason()?).await?;
    let outcome = membership::kept(&mut desk, "member.remove", id, answer).await?;
    desk.commit(app).await?;
    let happened = outcome.as_ref().map_or_else(ToString::to_string, |()| "gone".to_owned());
    tour.check("the only owner leaves", happened, outcome.is_err());
    let mut tx = app.tenants.read(TenantId::new(ACME.id)).await?;
    let review = review::freeze(app, &mut tx).await?;
    let active = app.members.list(&mut tx, None, review::MOST).await?;
    tx.close().await?;
    let active = active.iter().filter(|member| member.standing.status == Some(Status::Active)).count();
    tour.check(
        "freeze who has what, for a review",
        format!("{active} people, SHA-256 {}", review.digest()),
        active > 0,
    );
    Ok(())
}

/// Support looks, with a reason; the tenant knows; the database refuses to write.
pub(super) async fn looking(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("The platform's support looks at a desk, and changes nothing");
    let app = tour.app();
    let staff = support(app).await?;
    let target = ACME.person(&DISPATCHER);
    let minutes = std::time::Duration::from_secs(15 * 60);
    let started = app.auth.impersonations().start(&staff, target.into(), "ticket 4711", minutes, &client()).await?;
    let ImpersonationStart::Started(issued) = started else { bail!("the look did not begin") };
    let by = app.requests.viewer(issued.impersonation().clone(), request("GET", "/loads"));
    let (_, mut look) = app.enter(by, None).await?;
    let seen = loads::all(&mut look).await?.len();
    tour.check(
        &format!("{} looks as {}", SUPPORT.name, DISPATCHER.name),
        format!("{seen} loads, as the person sees them"),
        seen > 0 && seen < 6,
    );
    let written = sqlx::query("UPDATE freight.loads SET rate_cents = 1").execute(&mut look.tx).await;
    let happened = written.as_ref().map_or_else(
        |error| error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned()),
        |_| "written".to_owned(),
    );
    drop(look);
    tour.check("change something in the look", happened, written.is_err());
    app.auth.impersonations().end(issued.impersonation().id).await?;
    app.seal_now().await?;
    let mut tx = app.tenants.read(TenantId::new(ACME.id)).await?;
    let entries: Vec<String> = sqlx::query_scalar(
        "SELECT action FROM stockade.audit_entry WHERE action LIKE 'impersonation.%' ORDER BY entry_id",
    )
    .fetch_all(&mut tx)
    .await?;
    tx.close().await?;
    tour.check("read the tenant's log", entries.join(", "), entries.len() == 3);
    Ok(())
}

async fn support(app: &App) -> Result<Session> {
    let flow = app.auth.begin(&PLATFORM.email(&SUPPORT), &client()).await?;
    let Step::TotpRequired(flow) = flow.verify_password(password()).await? else { bail!("no code was asked for") };
    let TotpStep::Done(flow) = flow.verify_totp(&seed::current_code(&SUPPORT)?).await? else { bail!("a wrong code") };
    Ok(app.auth.issue(flow).await?.session().clone())
}
