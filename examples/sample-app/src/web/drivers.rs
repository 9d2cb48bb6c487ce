//! Drivers: masked numbers, the act of revealing one, and finding a driver by one.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use maud::{Markup, html};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use stockade::field_crypto::{OpenError, Secret};
use uuid::Uuid;

use super::{
    Form, SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    desk::Look,
    domain::{
        drivers::{self, Driver, Keys},
        people::User,
    },
    permissions::Perm,
};

/// `GET /drivers`
pub(crate) async fn list(State(app): WebApp, look: Look) -> Result<Markup, Problem> {
    let shown = Shown::read(&app, look).await?;
    Ok(shown.render(None, &html! {}))
}

/// `POST /drivers/{id}/ssn`
pub(crate) async fn reveal(State(app): WebApp, visitor: SignedIn, Path(id): Path<Uuid>) -> Result<Markup, Problem> {
    // The keys first: a pool of one connection cannot give a second one while the desk holds its own.
    let keys = app.driver_keys(visitor.session.tenant.into(), &[id]).await?;
    let mut desk = app.desk(&visitor).await?;
    let driver = drivers::find(&mut desk, id).await?.ok_or(Problem::NotFound)?;
    let revealed = drivers::reveal_ssn(&mut desk, &keys, &driver).await;
    desk.commit(&app).await?;
    match revealed {
        Ok(Ok(ssn)) => {
            Ok(Shown::read(&app, app.look(&visitor.into()).await?).await?.render(Some((id, ssn.expose())), &html! {}))
        }
        Ok(Err(refused)) => Err(Problem::Refused(refused.to_string())),
        Err(error) if error.downcast_ref::<OpenError>() == Some(&OpenError::Destroyed) => {
            let note = html! { div.note.warn role="status" { p { "The key of " (driver.name) " was destroyed. Nobody can read the number again." } } };
            Ok(Shown::read(&app, app.look(&visitor.into()).await?).await?.render(None, &note))
        }
        Err(error) => Err(Problem::Failed(error)),
    }
}

/// A number, in a form and never in an address, which browsers and proxies keep.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    ssn: SecretString,
}

/// `POST /drivers/find`
pub(crate) async fn find(State(app): WebApp, visitor: SignedIn, Form(form): Form<Wanted>) -> Result<Markup, Problem> {
    let desk = app.desk(&visitor).await?;
    let wanted = Secret::new(form.ssn.expose_secret().trim().to_owned());
    let found = drivers::find_by_ssn(&app, desk, &wanted).await?;
    let found = found.map_err(|refused| Problem::Refused(refused.to_string()))?;
    let answer = html! {
        div.note.good[!found.is_empty()].warn[found.is_empty()] role="status" {
            @if found.is_empty() { p { "No driver has this number." } }
            @for driver in &found { p { strong { (driver.name) } " has this number." } }
        }
    };
    let shown = Shown::read(&app, app.look(&visitor.into()).await?).await?;
    Ok(shown.render(None, &answer))
}

/// Where a driver is to be paid. The account is in a form and in no address.
#[derive(Deserialize)]
pub(crate) struct Account {
    driver: Uuid,
    account: SecretString,
}

/// `POST /drivers/bank-account`
pub(crate) async fn change_account(
    State(app): WebApp,
    visitor: SignedIn,
    Form(form): Form<Account>,
) -> Result<Response, Problem> {
    let account = form.account.expose_secret().trim().to_owned();
    if !(4..=34).contains(&account.len()) || !account.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        let note = html! { div.note.warn role="alert" { p { "Write routing and account number, such as 021000021-4455667." } } };
        let page = Shown::read(&app, app.look(&visitor.into()).await?).await?.render(None, &note);
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let keys = app.driver_keys(visitor.user.tenant_id, &[form.driver]).await?;
    let mut desk = app.desk(&visitor).await?;
    let driver = drivers::find(&mut desk, form.driver).await?.ok_or(Problem::NotFound)?;
    let outcome = drivers::change_account(&mut desk, &keys, &driver, &Secret::new(account)).await?;
    desk.commit(&app).await?;
    outcome?;
    Ok(Redirect::to("/drivers").into_response())
}

/// What the page shows, read before it is rendered.
struct Shown {
    user: User,
    drivers: Vec<Driver>,
    keys: Keys,
    may_reveal: bool,
    may_pay: bool,
}

impl Shown {
    async fn read(app: &App, mut look: Look) -> Result<Self, Problem> {
        let drivers = drivers::all(&mut look).await?;
        // Revealing is recorded, and a look records nothing.
        let (own, all) = (look.user.seen_by.is_none(), look.resource());
        let (may_reveal, may_pay) = (own && look.may(Perm::SsnReveal, &all), own && look.may(Perm::BankEdit, &all));
        let user = look.close().await?;
        let ids: Vec<Uuid> = drivers.iter().map(|driver| driver.id).collect();
        let keys = app.driver_keys(user.tenant_id, &ids).await?;
        Ok(Self { user, drivers, keys, may_reveal, may_pay })
    }

    fn render(&self, revealed: Option<(Uuid, &String)>, answer: &Markup) -> Markup {
        let content = html! {
            (answer)
            @if self.may_reveal {
                form.card method="post" action="/drivers/find" autocomplete="off" {
                    div.row {
                        div.field { label for="ssn" { "Find a driver by social security number" } input id="ssn" name="ssn" inputmode="numeric" required maxlength="20"; }
                        div.field { button.quiet { "Find" } }
                    }
                }
            }
            div.card.flush { div.scroll {
                table.stack {
                    thead { tr { th { "Driver" } th { "Licence" } th { "Telephone" } th { "Social security number" } th { "Bank account" } } }
                    tbody {
                        @for driver in &self.drivers {
                            tr {
                                td { (driver.name) }
                                td.nowrap data-label="Licence" { (driver.licence) }
                                td.nowrap data-label="Telephone" { (driver.phone) }
                                td.nowrap data-label="SSN" { (self.ssn_cell(driver, revealed)) }
                                td.nowrap.mono data-label="Account" { (masked(driver.masked_account(&self.keys))) }
                            }
                        }
                    }
                }
                @if self.drivers.is_empty() { p.muted.padded { "Nobody drives for you yet." } }
            } }
            @if self.may_pay {
                form.card method="post" action="/drivers/bank-account" autocomplete="off" {
                    h2 { "Pay a driver into another account" }
                    div.row {
                        div.field { label for="driver" { "Driver" } select id="driver" name="driver" {
                            @for driver in &self.drivers { option value=(driver.id) { (driver.name) } }
                        } }
                        div.field { label for="account" { "Bank account" } input id="account" name="account" required maxlength="34"; }
                        div.field { button.quiet { "Change" } }
                    }
                    p.muted { "The log keeps both accounts, masked." }
                }
            }
            div.note { p { "The database holds these two columns sealed under a key of each driver, bound to tenant, table, column and row. Revealing a number or looking for one is a permission, and leaves an entry in the audit log." } }
        };
        page(&self.user, Place::Drivers, "Drivers", "Who hauls for you.", &content)
    }

    fn ssn_cell(&self, driver: &Driver, revealed: Option<(Uuid, &String)>) -> Markup {
        let shown = driver.masked_ssn(&self.keys);
        html! {
            @if let Some((_, ssn)) = revealed.filter(|(id, _)| *id == driver.id) {
                span.mono { (ssn) } " " span.badge.warn { "revealed, recorded" }
            } @else {
                @let offered = self.may_reveal && shown.is_ok();
                span.mono { (masked(shown)) }
                @if offered {
                    " "
                    form.inline method="post" action={ "/drivers/" (driver.id) "/ssn" } { button.quiet.small { "Reveal" } }
                }
            }
        }
    }
}

/// A value that does not open is shown as what it is, never as an empty cell.
pub(super) fn masked(value: Result<String, OpenError>) -> Markup {
    match value {
        Ok(text) => html! { (text) },
        Err(OpenError::Destroyed) => html! { span.badge { "key destroyed" } },
        Err(_) => html! { span.badge.bad { "does not open" } },
    }
}
