//! Roles: the matrix with its scope letters, who can do what, and files for a reviewer.

use std::num::NonZeroU32;

use axum::{
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use stockade::rbac::{Matrix, Permission, Scope, postgres};

use super::{
    SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{app::App, authority::Viewer, desk::Desk, domain::people, permissions::Perm};

/// As many members as are looked through.
const MOST: NonZeroU32 = NonZeroU32::new(500).unwrap();

/// Whose powers are asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Who {
    #[serde(default)]
    permission: String,
}

/// `GET /roles`
pub(crate) async fn show(State(app): WebApp, viewer: Viewer, Query(who): Query<Who>) -> Result<Markup, Problem> {
    let asked = Perm::from_key(&who.permission);
    let mut look = app.look(&viewer).await?;
    let may_ask = look.actor.scope(Perm::PeopleView) != Scope::None;
    let able = match asked.filter(|_| may_ask) {
        Some(permission) => Some((permission, who_can(&app, &mut look, permission).await?)),
        None => None,
    };
    look.close().await?;
    let content = html! {
        div.card.flush {
            h2 { "Who may do what" }
            div.scroll { (matrix(&app.policy.matrix())) }
        }
        p.muted { "O own, T team, F office, A all of the tenant, P the platform. What no cell grants is refused. A star needs a second factor." }
        div.actions.spaced {
            a.button.quiet href="/roles.csv" { "Matrix as CSV" }
            a.button.quiet href="/roles.md" { "Matrix as Markdown" }
            a.button.quiet href="/roles.json" { "Matrix as JSON" }
            @if look_may_review(&viewer) { a.button.quiet href="/roles/review.csv" { "Access review" } }
        }
        @if may_ask { (question(asked, able.as_ref())) }
    };
    Ok(page(&viewer.user, Place::Roles, "Roles", "The policy in force, compiled at start from one file.", &content))
}

fn look_may_review(viewer: &Viewer) -> bool {
    viewer.user.seen_by.is_none() && viewer.actor.scope(Perm::AccessReview) != Scope::None
}

/// Everybody who can use a permission now, and how far.
async fn who_can<A>(app: &App, desk: &mut Desk<A>, permission: Perm) -> Result<Vec<(String, Scope)>, Problem> {
    let mut able = Vec::new();
    for person in people::all(&mut desk.tx).await? {
        let Some(loaded) = postgres::load(&mut desk.tx, &app.policy, person.id).await? else { continue };
        // Whoever has a second factor can show it.
        let scope = loaded.actor().multi_factor().build().scope(permission);
        if scope != Scope::None {
            able.push((person.name, scope));
        }
    }
    Ok(able)
}

fn question(asked: Option<Perm>, able: Option<&(Perm, Vec<(String, Scope)>)>) -> Markup {
    html! {
        form.card method="get" action="/roles" {
            h2 { "Who can?" }
            div.row {
                div.field { label for="permission" { "Permission" } select id="permission" name="permission" {
                    @for &permission in Perm::ALL { option selected[asked == Some(permission)] { (permission.key()) } }
                } }
                div.field { button.quiet { "Ask" } }
            }
            @if let Some((permission, able)) = able {
                @if able.is_empty() { p { "Nobody can use " code { (permission.key()) } "." } }
                @else {
                    ul { @for (name, scope) in able { li { (name) " " span.badge.good { "at " (scope) } } } }
                    p.muted { "Roles and exceptions as they are at this moment." }
                }
            }
        }
    }
}

fn matrix(matrix: &Matrix<'_, Perm>) -> Markup {
    html! {
        table {
            thead { tr { th { "Permission" } @for row in matrix.rows() { th { (row.role().title()) } } } }
            tbody { @for &permission in matrix.permissions() { tr {
                td.nowrap { code { (permission.key()) } @if permission.info().needs_second_factor() { " ★" } }
                @for row in matrix.rows() { td { (reach(row.role().scope(permission))) } }
            } } }
        }
    }
}

fn reach(scope: Scope) -> Markup {
    html! { @if scope == Scope::None { span.muted { "—" } } @else { span.badge.good title=(scope) { (scope.letter()) } } }
}

/// `GET /roles.csv`
pub(crate) async fn csv(State(app): WebApp, _: Viewer) -> Response {
    file("text/csv; charset=utf-8", "roles.csv", app.policy.matrix().to_csv())
}

/// `GET /roles.md`
pub(crate) async fn markdown(State(app): WebApp, _: Viewer) -> Response {
    file("text/markdown; charset=utf-8", "roles.md", app.policy.matrix().to_markdown())
}

/// `GET /roles.json`
pub(crate) async fn json(State(app): WebApp, _: Viewer) -> Response {
    let matrix = app.policy.matrix();
    let scopes = |row: stockade::rbac::MatrixRow<'_, Perm>| {
        let held = matrix.permissions().iter().map(|permission| (permission.key(), row.role().scope(*permission)));
        held.filter(|(_, scope)| *scope != Scope::None)
            .map(|(key, scope)| (key.to_owned(), scope.name().into()))
            .collect()
    };
    let roles: serde_json::Map<String, serde_json::Value> =
        matrix.rows().map(|row| (row.role().name().to_owned(), serde_json::Value::Object(scopes(row)))).collect();
    file("application/json", "roles.json", json!({ "roles": roles }).to_string())
}

/// `GET /roles/review.csv`: who has what, since when and why, for whoever reviews it.
pub(crate) async fn review(State(app): WebApp, visitor: SignedIn) -> Result<Response, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let members = app.members.list(&mut desk.tx, None, MOST).await?;
    let names: Vec<people::User> = people::all(&mut desk.tx).await?;
    let mut lines = vec!["person,status,kind,what,reach,since,until,reason".to_owned()];
    for member in &members {
        let name = names.iter().find(|user| user.id == member.user.as_uuid()).map_or("", |user| user.email.as_str());
        let status = member.standing.status.map_or("", postgres::Status::name);
        for held in &member.standing.roles {
            let until = held.expires_at.map_or_else(String::new, |at| at.to_rfc3339());
            let since = held.granted_at.to_rfc3339();
            lines.push(row(&[name, status, "role", &held.role, "", &since, &until, held.reason.as_str()]));
        }
        for held in &member.standing.overrides {
            let until = held.expires_at.map_or_else(String::new, |at| at.to_rfc3339());
            let since = held.granted_at.to_rfc3339();
            let reach = held.scope.map_or("denied", Scope::name);
            lines.push(row(&[
                name,
                status,
                "exception",
                &held.permission,
                reach,
                &since,
                &until,
                held.reason.as_str(),
            ]));
        }
    }
    let entry =
        desk.entry(Perm::AccessReview.key()).entity("members", "tenant").after(json!({ "people": members.len() }));
    desk.record(&entry).await?;
    desk.commit(&app).await?;
    Ok(file("text/csv; charset=utf-8", "access-review.csv", lines.join("\r\n") + "\r\n"))
}

/// Cells that no spreadsheet takes for a formula (CWE-1236) and that no comma splits.
fn row(cells: &[&str]) -> String {
    let cell = |text: &&str| {
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let text = if formula { format!("'{text}") } else { (*text).to_owned() };
        format!("\"{}\"", text.replace('"', "\"\""))
    };
    cells.iter().map(cell).collect::<Vec<_>>().join(",")
}

fn file(kind: &'static str, name: &'static str, text: String) -> Response {
    ([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))], text)
        .into_response()
}
