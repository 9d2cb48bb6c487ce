//! A second factor that is demanded, a lost telephone, a forgotten password, and a program's token.

use anyhow::{Context, Result, bail};
use chrono::Utc;
use secrecy::SecretString;
use stockade::{
    bridge::request::Reads,
    rbac::Permission,
    session::{
        Access, Activation, Flow, Issued, MfaRule, NewApiToken, PasswordVerified, Redemption, Step, TenantId,
        TenantPolicy, TotpStep, UserId,
    },
};
use totp_rs::{Builder, Secret};

use super::{Tour, client, password, request};
use crate::{app::App, permissions::Perm, seed};

/// Cedar demands a second factor while somebody without one is at work.
pub(super) async fn demanded_factor(tour: &mut Tour<'_>) -> Result<()> {
    let app = tour.app();
    let (tenant, email) = (TenantId::from(seed::CEDAR.id), seed::CEDAR.email(&seed::VIEWER));
    let user = UserId::from(seed::CEDAR.person(&seed::VIEWER));
    tour.step("A tenant demands a second factor, and it holds with the next request");
    let issued = by_password(app, &email).await?;
    let before = app.auth.access(issued.token()).await?;
    app.auth.replace_tenant_policy(tenant, TenantPolicy { mfa: MfaRule::Required, ..TenantPolicy::default() }).await?;
    let after = app.auth.access(issued.token()).await?;
    tour.check(
        &format!("{email} asks for a page, before and after"),
        "the same session may now do nothing but set up a factor",
        matches!(before, Access::Granted(_)) && matches!(after, Access::MustEnrol(_)),
    );

    let enrolment = app.auth.enrol_totp(user).await?;
    let seed = enrolment.secret_base32().to_owned();
    let confirmed = app.auth.confirm_totp(user, &code(&seed, -30)?).await?;
    let ended = app.auth.access(issued.token()).await?;
    tour.check(
        "scan the QR code and type what the app shows",
        "the factor is on, and every session without it has ended",
        confirmed == Activation::Activated && matches!(ended, Access::Denied),
    );

    let TotpStep::Done(flow) = waiting(app, &email).await?.verify_totp(&code(&seed, 0)?).await? else {
        bail!("the code was not accepted")
    };
    let issued = app.auth.issue(flow).await?;
    let fresh = app.auth.fresh(issued.session(), std::time::Duration::from_secs(60)).context("not fresh")?;
    let codes = app.auth.issue_recovery_codes(&fresh).await?;
    let lost = codes.expose().next().context("no recovery code")?;
    let first = waiting(app, &email).await?.verify_recovery_code(&lost.to_lowercase()).await?;
    let second = waiting(app, &email).await?.verify_recovery_code(&lost).await?;
    let left = app.auth.recovery_codes_left(user).await?;
    tour.check(
        "lose the telephone, and sign in with a recovery code, twice",
        format!("it works once; {left} of {} codes are left", codes.expose().len()),
        matches!(first, TotpStep::Done(_)) && matches!(second, TotpStep::Rejected(_)) && left == 9,
    );
    app.auth.replace_tenant_policy(tenant, TenantPolicy::default()).await?;
    Ok(())
}

/// A link that sets a new password once.
pub(super) async fn forgotten_password(tour: &mut Tour<'_>) -> Result<()> {
    let app = tour.app();
    let email = seed::CEDAR.email(&seed::ACCOUNTANT);
    tour.step("A forgotten password: a link that works once");
    let session = by_password(app, &email).await?;
    let nobody = app.auth.request_reset("nobody@cedar.test", &client()).await?.into_mail();
    let mail = app.auth.request_reset(&email, &client()).await?.into_mail().context("no message")?;
    tour.check(
        "ask for a link, for an account and for nobody",
        "two requests that look alike, one message",
        nobody.is_none(),
    );
    let new = || SecretString::from("a horse of another colour");
    let first = app.auth.redeem_reset(&mail.token, new(), &client()).await?;
    let second = app.auth.redeem_reset(&mail.token, new(), &client()).await?;
    let ended = app.auth.resolve(session.token()).await?.is_none();
    tour.check(
        "follow it twice",
        "the first time the password is set and every session ends; the second time the link is over",
        matches!(first, Redemption::Changed(_)) && second == Redemption::Ended && ended,
    );
    Ok(())
}

/// A token that can do less than the person who made it.
pub(super) async fn program(tour: &mut Tour<'_>) -> Result<()> {
    let app = tour.app();
    let owner = UserId::from(seed::ACME.person(&seed::OWNER));
    tour.step("A program's token: shown once, never more than its owner may");
    let new = NewApiToken::new(owner, "nightly export", [Perm::LoadView.key()]);
    let issued = app.auth.api_tokens().create(new).await?;
    let (id, text) = (issued.token().id, issued.reveal());
    let token = app.auth.api_tokens().authenticate(&text, &client()).await?.context("the token does not work")?;
    let desk = tour.owner_desk("GET", "/api/loads").await?;
    let own = desk.resource();
    let direct = [Perm::LoadView, Perm::LedgerView].map(|permission| desk.may(permission, &own));
    desk.rollback().await?;
    let look = app.requests.program(token, request("GET", "/api/loads"))?.read().await?;
    let limited = [Perm::LoadView, Perm::LedgerView].map(|permission| look.may(permission, &own));
    look.close().await?;
    tour.check(
        "ask for loads and for the ledger, as the owner and by a token for `load.view`",
        "the owner may both, the token only the loads",
        (direct, limited) == ([true, true], [true, false]),
    );
    let other = if text.ends_with('x') { "y" } else { "x" };
    let typo = format!("{}{other}", text.get(..text.len() - 1).unwrap_or_default());
    let wrong = app.auth.api_tokens().authenticate(&typo, &client()).await?;
    app.auth.api_tokens().revoke(owner, id).await?;
    let revoked = app.auth.api_tokens().authenticate(&text, &client()).await?;
    tour.check(
        "use it with a wrong letter, and after it was revoked",
        "refused, and the second is a warning in the audit log",
        wrong.is_none() && revoked.is_none(),
    );
    Ok(())
}

async fn by_password(app: &App, email: &str) -> Result<Issued> {
    match app.auth.begin(email, &client()).await?.verify_password(password()).await? {
        Step::Done(flow) => Ok(app.auth.issue(flow).await?),
        _ => bail!("{email} could not sign in by password"),
    }
}

async fn waiting(app: &App, email: &str) -> Result<Flow<PasswordVerified>> {
    match app.auth.begin(email, &client()).await?.verify_password(password()).await? {
        Step::TotpRequired(flow) => Ok(flow),
        _ => bail!("no code was asked for"),
    }
}

/// The code of a seed, so many seconds from now.
fn code(seed: &str, offset: i64) -> Result<String> {
    let totp = Builder::new().with_secret(Secret::try_from_base32(seed)?.as_ref()).build()?;
    Ok(totp.generate(u64::try_from(Utc::now().timestamp() + offset)?).to_string())
}
