//! The role and permission matrix, as the policy has it.

use axum::extract::State;
use maud::{Markup, html};
use stockade::rbac::{Permission, Scope};

use super::{
    WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{authority::Viewer, domain::people};

/// `GET /roles`
pub(crate) async fn show(State(app): WebApp, viewer: Viewer) -> Result<Markup, Problem> {
    let mut look = app.look(&viewer).await?;
    let people = people::all(&mut look.tx).await?;
    look.close().await?;
    let matrix = app.policy.matrix();
    let content = html! {
        div.card.flush {
            h2 { "People" }
            div.scroll { table {
                thead { tr { th { "Name" } th { "Sign-in" }  } }
                tbody { @for person in &people { tr { td { (person.name) } td { (person.email) }  } } }
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
    Ok(page(&viewer.user, Place::Roles, "Roles", "The policy in force, compiled at start from one file.", &content))
}

fn reach(scope: Scope) -> Markup {
    html! { @if scope == Scope::None { span.muted { "—" } } @else { span.badge.good { (scope) } } }
}
