//! Customers: who looks after each, and from which office.

use axum::extract::State;
use maud::{Markup, html};

use super::{
    WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{authority::Viewer, domain::accounts};

/// `GET /accounts`
pub(crate) async fn list(State(app): WebApp, viewer: Viewer) -> Result<Markup, Problem> {
    let mut look = app.look(&viewer).await?;
    let accounts = accounts::all(&mut look).await?;
    look.close().await?;
    let content = html! {
        div.card.flush { div.scroll { table {
            thead { tr { th { "Customer" } th { "Looked after by" } th { "Office" } th { "" } } }
            tbody { @for account in &accounts { tr {
                td { (account.name) }
                td { (account.owner) }
                td { (account.office) }
                td { @if account.shared.is_some() { span.badge { "shared with you" } } }
            } } }
        } } }
    };
    Ok(page(
        &viewer.user,
        Place::Accounts,
        "Customers",
        "Those of your office, and those that are shared with you.",
        &content,
    ))
}
