//! Roles: the matrix with its scope letters, who can do what, and files for a reviewer.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use stockade::rbac::{
    AccessReview, Holder, Matrix, Permission, Resource, Scope,
    postgres::{self, Loaded},
};
use uuid::Uuid;

use super::{
    Query, SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    authority::Viewer,
    desk::{Desk, Look, Reads},
    domain::{people, review},
    permissions::Perm,
};

/// Whose powers are asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Who {
    #[serde(default)]
    permission: String,
}

/// `GET /roles`
pub(crate) async fn show(State(app): WebApp, mut look: Look, Query(who): Query<Who>) -> Result<Markup, Problem> {
    let asked = Perm::from_key(&who.permission);
    let may_ask = look.scope(Perm::PeopleView) != Scope::None;
    let may_review = look.user.seen_by.is_none() && look.scope(Perm::AccessReview) != Scope::None;
    let able = match asked.filter(|_| may_ask) {
        Some(permission) => Some((permission, who_can(&app, &mut look, permission).await?)),
        None => None,
    };
    let user = look.close().await?;
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
            @if may_review { a.button.quiet href="/roles/review.csv" { "Access review as CSV" } a.button.quiet href="/roles/review.json" { "Access review, sealed" } }
        }
        @if may_ask { (question(asked, able.as_ref())) }
    };
    Ok(page(&user, Place::Roles, "Roles", "The policy in force, compiled at start from one file.", &content))
}

/// Everybody who can use a permission now, how far, and through what.
async fn who_can<W: Reads<Perm>>(
    app: &App,
    desk: &mut Desk<W>,
    permission: Perm,
) -> Result<Vec<(String, Holder)>, Problem> {
    let people = people::all(desk.tx()).await?;
    let mut actors = Vec::new();
    for person in &people {
        actors.extend(postgres::load(desk.tx(), &app.policy, person.id).await?.map(Loaded::build));
    }
    let name = |id: Uuid| people.iter().find(|user| user.id == id).map_or_else(String::new, |user| user.name.clone());
    let able = app.policy.people_who_can(permission, &actors);
    Ok(able.into_iter().map(|holder| (name(holder.user.as_uuid()), holder)).collect())
}

fn question(asked: Option<Perm>, able: Option<&(Perm, Vec<(String, Holder)>)>) -> Markup {
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
                    ul { @for (name, holder) in able { li {
                        (name) " " span.badge.good { "at " (holder.scope) }
                        span.muted { " through " (holder.roles.join(", ")) @if holder.by_override { " an exception" } }
                    } } }
                    p.muted { "Roles and exceptions as they are at this moment." }
                }
            }
        }
    }
}

fn matrix(matrix: &Matrix<'_, Perm>) -> Markup {
    html! {
        table.matrix {
            thead { tr { th { "Permission" } @for row in matrix.rows() { th { (row.role().title()) } } } }
            tbody { @for &permission in matrix.permissions() { tr {
                th scope="row" { code { (permission.key()) } @if permission.info().needs_second_factor() { " ★" } }
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
    file("application/json", "roles.json", app.policy.matrix().to_json())
}

/// `GET /roles/review.csv`: who has what, since when and why, for a spreadsheet.
pub(crate) async fn review_csv(State(app): WebApp, visitor: SignedIn) -> Result<Response, Problem> {
    let review = reviewed(&app, &visitor).await?;
    Ok(file("text/csv; charset=utf-8", "access-review.csv", review.to_csv()))
}

/// `GET /roles/review.json`: the same with a digest, which the log has too.
pub(crate) async fn review_json(State(app): WebApp, visitor: SignedIn) -> Result<Response, Problem> {
    let review = reviewed(&app, &visitor).await?;
    Ok(file("application/json", "access-review.json", review.to_json()))
}

async fn reviewed(app: &App, visitor: &SignedIn) -> Result<AccessReview, Problem> {
    let mut desk = app.desk(visitor).await?;
    desk.require(Perm::AccessReview, &Resource::in_tenant(desk.user.tenant_id), ("members", "tenant"))?;
    let review = review::freeze(app, &mut desk.tx).await?;
    let facts = json!({ "sha256": review.digest().to_string(), "grants": review.rows().len() });
    let entry = desk.entry(Perm::AccessReview.key()).entity("members", "tenant").after(facts);
    desk.record(&entry).await?;
    desk.commit(app).await?;
    Ok(review)
}

fn file(kind: &'static str, name: &'static str, text: String) -> Response {
    ([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))], text)
        .into_response()
}
