//! What operations are asked about: helper processes, and whether a backup can be restored.

use axum::extract::State;
use maud::{Markup, html};

use super::{
    SignedIn, WebApp,
    administration::{inspector, render},
    problem::Problem,
};
use crate::domain::{drill, helpers};

/// `POST /administration/helper`
pub(crate) async fn helper(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let user = inspector(&app, visitor, "helper.run").await?;
    let result = match helpers::environment().await? {
        None => {
            html! { div.note.warn role="status" { p { "There is no sandbox on this system, so no helper runs." } } }
        }
        Some(seen) => html! {
            div.note.good role="status" {
                p { strong { (seen.withheld.len()) " variables were withheld. " } "Its list allowed every one; these look like secrets:" }
                ul.names { @for name in &seen.withheld { li { code { (name) } } } }
                p { "What the program itself saw:" }
                ul.names { @for name in &seen.environment { li { code { (name) } } } }
            }
        },
    };
    Ok(render(&app, &user, &result))
}

/// `POST /administration/drill`
pub(crate) async fn restore(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let user = inspector(&app, visitor, "restore.drill").await?;
    let result = match drill::run(&app, &user.name).await? {
        None => {
            html! { div.note.warn role="status" { p { "There is no PostgreSQL server here, or no " code { "pg_dump" } " of its version, to drill with." } } }
        }
        Some(report) => html! {
            div.note.good[report.is_green()].bad[!report.is_green()] role="status" {
                p { @if report.is_green() { "What was restored is what was there." } @else { "What was restored differs. Somebody may have written meanwhile: try once more." } }
                @if !report.is_green() { ul { @for found in report.unexpected() { li { (found.part) " " code { (found.object) } } } } }
            }
            details.card {
                summary { "The report that is kept, as Markdown" }
                pre.below { (report.to_markdown()) }
            }
        },
    };
    Ok(render(&app, &user, &result))
}
