//! Drivers: masked numbers, and the act of revealing one.

use axum::extract::{Path, State};
use maud::{Markup, html};
use uuid::Uuid;

use super::{
    SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    desk::Desk,
    domain::drivers::{self, Driver},
    permissions::Perm,
};

/// `GET /drivers`
pub(crate) async fn list(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    // The keys first: a pool of one connection cannot give a second one while the desk holds its own.
    let keys = app.vault.tenant(uuid_of(&visitor).into()).await?;
    let mut desk = app.desk(&visitor.session, visitor.request).await?;
    let drivers = drivers::all(&mut desk.tx).await?;
    render(&app, desk, &keys, &drivers, None).await
}

/// `POST /drivers/{id}/ssn`
pub(crate) async fn reveal(State(app): WebApp, visitor: SignedIn, Path(id): Path<Uuid>) -> Result<Markup, Problem> {
    let keys = app.vault.tenant(uuid_of(&visitor).into()).await?;
    let mut desk = app.desk(&visitor.session, visitor.request).await?;
    let driver = drivers::find(&mut desk.tx, id).await?.ok_or(Problem::NotFound)?;
    match drivers::reveal_ssn(&mut desk, &keys, &driver).await? {
        Ok(ssn) => {
            let drivers = drivers::all(&mut desk.tx).await?;
            render(&app, desk, &keys, &drivers, Some((id, ssn.expose()))).await
        }
        Err(refused) => {
            desk.commit(&app).await?;
            Err(Problem::Refused(refused.to_string()))
        }
    }
}

fn uuid_of(visitor: &SignedIn) -> Uuid {
    visitor.session.tenant.into()
}

async fn render(
    app: &App,
    desk: Desk,
    keys: &stockade::field_crypto::TenantKeys,
    drivers: &[Driver],
    revealed: Option<(Uuid, &String)>,
) -> Result<Markup, Problem> {
    let content = html! {
        div.card.flush { div.scroll {
            table {
                thead { tr { th { "Driver" } th { "Licence" } th { "Telephone" } th { "Social security number" } th { "Bank account" } } }
                tbody {
                    @for driver in drivers {
                        tr {
                            td { (driver.name) }
                            td.nowrap { (driver.licence) }
                            td.nowrap { (driver.phone) }
                            td.nowrap { (ssn_cell(&desk, keys, driver, revealed)) }
                            td.nowrap.mono { (masked(keys.open(&driver.id, &driver.bank_account).map(|account| account.masked().to_string()))) }
                        }
                    }
                }
            }
        } }
        div.note { p { "The database holds these two columns sealed, bound to tenant, table, column and row. Revealing a number is a permission, and leaves an entry in the audit log." } }
    };
    let user = desk.user.clone();
    desk.commit(app).await?;
    Ok(page(&user, Place::Drivers, "Drivers", "Who hauls for you.", &content))
}

fn ssn_cell(
    desk: &Desk,
    keys: &stockade::field_crypto::TenantKeys,
    driver: &Driver,
    revealed: Option<(Uuid, &String)>,
) -> Markup {
    html! {
        @if let Some((_, ssn)) = revealed.filter(|(id, _)| *id == driver.id) {
            span.mono { (ssn) } " " span.badge.warn { "revealed, recorded" }
        } @else {
            span.mono { (masked(driver.masked_ssn(keys))) }
            @if desk.may(Perm::SsnReveal, &driver.resource()) {
                " "
                form.inline method="post" action={ "/drivers/" (driver.id) "/ssn" } { button.quiet.small { "Reveal" } }
            }
        }
    }
}

fn masked(value: Result<String, stockade::field_crypto::OpenError>) -> Markup {
    match value {
        Ok(text) => html! { (text) },
        // A value that does not open is shown as what it is, never as an empty cell.
        Err(_) => html! { span.badge.bad { "does not open" } },
    }
}
