//! Passwords, one-time codes, a burst of guesses, and ending every session at once.

use anyhow::{Result, bail};
use secrecy::SecretString;
use stockade::{
    audit_chain::postgres::{Filter, search},
    bridge,
    ratelimit::Reservation,
    session::{Session, Step, TotpStep, UserId},
    tenant_guard::TenantId,
};

use super::{Tour, client, password};
use crate::{app::App, seed};

/// Acme's owner signs in with both factors; the order cannot be shortened.
pub(super) async fn password_and_code(tour: &mut Tour<'_>) -> Result<()> {
    let app = tour.app();
    let email = seed::ACME.email(&seed::OWNER);
    tour.step("Signing in with a password and a one-time code");

    let flow = app.auth.begin(&email, &client()).await?;
    let wrong = flow.verify_password(SecretString::from("password123")).await?;
    tour.check(
        &format!("sign in as {email} with a wrong password"),
        if let Step::Rejected(refusal) = &wrong { refusal.to_string() } else { "accepted".to_owned() },
        matches!(wrong, Step::Rejected(_)),
    );

    let flow = app.auth.begin(&email, &client()).await?;
    let Step::TotpRequired(flow) = flow.verify_password(password()).await? else { bail!("no code was asked for") };
    let pending = flow.token();
    tour.check("the right password", "not signed in yet: a one-time code is required", true);
    let flow = app.auth.resume(&pending, &client()).await?;
    let code = seed::current_code(&seed::OWNER)?;
    let TotpStep::Done(flow) = flow.verify_totp(&code).await? else { bail!("the code was not accepted") };
    let issued = app.auth.issue(flow).await?;
    let session = app.auth.resolve(issued.token()).await?;
    tour.check(
        "the code of this half-minute",
        format!("signed in, session {}", issued.session().sid),
        session.is_some(),
    );

    let flow = app.auth.begin(&email, &client()).await?;
    let Step::TotpRequired(flow) = flow.verify_password(password()).await? else { bail!("no code was asked for") };
    let again = flow.verify_totp(&code).await?;
    tour.check(
        "the same code a second time",
        "refused: a code is accepted once",
        matches!(again, TotpStep::Rejected(_)),
    );
    tour.owner = session;
    Ok(())
}

/// Signs in to an account without a second factor.
pub(super) async fn by_password(app: &App, email: &str) -> Result<Session> {
    let flow = app.auth.begin(email, &client()).await?;
    match flow.verify_password(password()).await? {
        Step::Done(flow) => Ok(app.auth.issue(flow).await?.session().clone()),
        _ => bail!("{email} could not sign in by password"),
    }
}

/// Thirty guesses at one account: five reach the hash, the breach is one entry of the log.
pub(super) async fn burst(tour: &mut Tour<'_>) -> Result<()> {
    let app = tour.app();
    let email = seed::ACME.email(&seed::ACCOUNTANT);
    tour.step("A burst of guesses is limited, and the breach is in the audit log");
    let (mut hashed, mut refused, mut wait) = (0, 0, 0);
    for guess in 0..30 {
        match app.reserve_sign_in(&email, client().ip).await? {
            Reservation::Granted(permit) => {
                let flow = app.auth.begin(&email, &client()).await?;
                if !matches!(
                    flow.verify_password(SecretString::from(format!("guess number {guess}"))).await?,
                    Step::Rejected(_)
                ) {
                    bail!("a guess was right");
                }
                drop(permit);
                hashed += 1;
            }
            Reservation::Refused(decision) => {
                refused += 1;
                wait = decision.retry_after_secs();
            }
        }
    }
    tour.check(
        &format!("30 guesses at the password of {email}, limit 5 in 15 minutes"),
        format!("{hashed} passwords were checked, {refused} attempts refused; the next can succeed in {wait} s"),
        hashed == 5 && refused == 25 && (1..=900).contains(&wait),
    );

    app.seal_now().await?;
    let mut tx = app.tenants.read(TenantId::new(bridge::PLATFORM)).await?;
    let breaches = search(&mut tx, &Filter::new(bridge::PLATFORM.into()).action("ratelimit.breach")).await?.rows;
    tx.close().await?;
    let entry = breaches
        .first()
        .map(|row| format!("{} {} {}", row.action, row.severity, row.entity_id.as_deref().unwrap_or_default()));
    tour.check(
        "look for the breach in the audit log",
        entry.unwrap_or_else(|| "nothing there".to_owned()),
        breaches.len() == 1,
    );
    Ok(())
}

/// Three sessions of one person end by one version.
pub(super) async fn revoke_everything(tour: &mut Tour<'_>) -> Result<()> {
    let app = tour.app();
    let email = seed::BRIGHT.email(&seed::DISPATCHER);
    tour.step("All sessions of a person end by one version");
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let flow = app.auth.begin(&email, &client()).await?;
        let Step::Done(flow) = flow.verify_password(password()).await? else { bail!("{email} could not sign in") };
        tokens.push(app.auth.issue(flow).await?);
    }
    let live = resolved(app, &tokens).await?;
    tour.say(format!("{email} is signed in on {live} devices"));
    app.auth.revoke_all(UserId::from(seed::BRIGHT.person(&seed::DISPATCHER))).await?;
    let left = resolved(app, &tokens).await?;
    tour.check(
        "raise the person's session version by one",
        format!("{left} of {live} sessions still work"),
        live == 3 && left == 0,
    );
    Ok(())
}

async fn resolved(app: &App, issued: &[stockade::session::Issued]) -> Result<usize> {
    let mut live = 0;
    for one in issued {
        live += usize::from(app.auth.resolve(one.token()).await?.is_some());
    }
    Ok(live)
}
