//! Customers: who looks after each, and from which office.

use axum::extract::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::{
    layout::{Place, page},
    problem::Problem,
    sharing::Card,
};
use crate::{
    desk::Look,
    domain::{
        accounts,
        sharing::{Kind, Row},
    },
};

/// `GET /accounts`
pub(crate) async fn list(mut look: Look) -> Result<Markup, Problem> {
    let accounts = accounts::all(&mut look).await?;
    let user = look.close().await?;
    let content = html! {
        div.card.flush { div.scroll { table.stack {
            thead { tr { th { "Customer" } th { "Looked after by" } th { "Office" } th { span.unseen { "Shared" } } } }
            tbody { @for account in &accounts { tr {
                td { a href={ "/accounts/" (account.id) } { (account.name) } }
                td data-label="Looked after by" { (account.owner) }
                td data-label="Office" { (account.office) }
                td { @if account.shared.is_some() { span.badge { "shared with you" } } }
            } } }
        }
        @if accounts.is_empty() { p.muted.padded { "You see no customer: none is of your office, and none is shared with you." } }
        } }
    };
    Ok(page(&user, Place::Accounts, "Customers", "Those of your office, and those that are shared with you.", &content))
}

/// `GET /accounts/{id}`
pub(crate) async fn show(mut look: Look, Path(id): Path<Uuid>) -> Result<Markup, Problem> {
    let account = accounts::find(&mut look, id).await?.ok_or(Problem::NotFound)?;
    let facts = account.resource(look.user.id);
    let card = Card::read(&mut look, &Row { kind: Kind::Account, id, facts }).await?;
    let user = look.close().await?;
    let content = html! {
        div.card { p { "Looked after by " strong { (account.owner) } ", from the office in " (account.office) "." } }
        (card.render())
    };
    Ok(page(&user, Place::Accounts, &account.name, "Who sees this customer beside its office.", &content))
}
