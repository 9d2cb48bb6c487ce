//! The role and permission matrix, as the policy has it.

use axum::extract::State;
use maud::{Markup, html};
use stockade::rbac::{Permission, Scope};

use super::{
    SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::domain::people;

/// `GET /roles`
pub(crate) async fn show(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let mut desk = app.desk(&visitor.session, visitor.request).await?;
    let people = people::all(&mut desk.tx).await?;
    let user = desk.user.clone();
    desk.commit(&app).await?;
    let matrix = app.policy.matrix();
    let content = html! {
        div.card.flush {
            h2 { "People" }
            div.scroll { table {
                thead { tr { th { "Name" } th { "Sign-in" } th { "Role" } } }
                tbody { @for person in &people { tr { td { (person.name) } td { (person.email) } td { span.badge { (person.role) } } } } }
            } }
        }
        div.card.flush {
            h2 { "Who may do what" }
            div.scroll { table {
                thead { tr { th { "Permission" } @for row in matrix.rows() { th { (row.role().name()) } } } }
                tbody {
                    @for &permission in matrix.permissions() {
                        tr {
                            td.nowrap { code { (permission.key()) } }
                            @for row in matrix.rows() { td { (reach(row.role().scope(permission))) } }
                        }
                    }
                }
            } }
        }
        p.muted { "A cell says how far the permission reaches. What no line grants is refused." }
    };
    Ok(page(&user, Place::Roles, "Roles", "The policy in force, compiled at start from one file.", &content))
}

fn reach(scope: Scope) -> Markup {
    html! { @if scope == Scope::None { span.muted { "—" } } @else { span.badge.good { (scope) } } }
}
