//! Where one is signed in, and ending that elsewhere.

use axum::{
    extract::{Path, State},
    response::Redirect,
};
use maud::{Markup, html};
use stockade::session::tower::Visit;
use uuid::Uuid;

use super::frame;
use crate::web::{SignedIn, WebApp, problem::Problem};

/// `GET /account/sessions`
pub(crate) async fn list(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let sessions = app.auth.sessions(visitor.session.user).await?;
    let networks = app.auth.networks(visitor.session.user).await?;
    let content = html! {
        div.card.flush {
            h2 { "Signed in now" }
            div.scroll { table.stack {
                thead { tr { th { "From" } th { "Since" } th { "Last used" } th { "By" } th { span.unseen { "Actions" } } } }
                tbody { @for one in &sessions { tr {
                    td { (one.ip) small.agent title=[one.user_agent.as_deref()] { (one.user_agent.as_deref().unwrap_or("an unknown program")) } }
                    td.nowrap data-label="Since" { (one.authenticated_at.format("%Y-%m-%d %H:%M")) }
                    td.nowrap data-label="Last used" { (one.last_seen_at.format("%H:%M")) }
                    td data-label="By" { (super::factor::by(one.assurance)) }
                    td.nowrap {
                        @if one.sid == visitor.session.sid { span.badge.good { "this one" } }
                        @else { form.inline method="post" action={ "/account/sessions/" (one.sid) "/end" } { button.quiet.small { "End" } } }
                    }
                } } }
            } }
        }
        div.actions.spaced {
            form method="post" action="/account/sessions/end-others" { button.quiet disabled[sessions.len() < 2] { "End all others" } }
            form method="post" action="/sign-out/everywhere" { button.quiet { "Sign out everywhere" } }
        }
        div.card.flush {
            h2 { "Networks you sign in from" }
            div.scroll { table {
                thead { tr { th { "Network" } th { "First" } th { "Last" } } }
                tbody { @for one in &networks { tr {
                    td.mono { (one.network) }
                    td.nowrap { (one.first_seen_at.format("%Y-%m-%d")) }
                    td.nowrap { (one.last_seen_at.format("%Y-%m-%d")) }
                } } }
            } }
        }
        p.muted { "A sign-in from another network is a warning in the audit log." }
    };
    Ok(frame(
        &visitor.user,
        "sessions",
        "Your sessions",
        "Every browser that is signed in as you. Times are UTC.",
        &content,
    ))
}

/// `POST /account/sessions/{id}/end`: a session of somebody else is no session here.
pub(crate) async fn end(
    State(app): WebApp,
    _: SignedIn,
    visit: Visit,
    Path(id): Path<Uuid>,
) -> Result<Redirect, Problem> {
    if !visit.revoke(id.into()).await.map_err(Problem::of)? {
        return Err(Problem::NotFound);
    }
    app.seal_soon();
    Ok(Redirect::to("/account/sessions"))
}

/// `POST /account/sessions/end-others`
pub(crate) async fn end_others(State(app): WebApp, visitor: SignedIn) -> Result<Redirect, Problem> {
    for one in app.auth.sessions(visitor.session.user).await? {
        if one.sid != visitor.session.sid {
            app.auth.revoke(one.sid).await?;
        }
    }
    app.seal_soon();
    Ok(Redirect::to("/account/sessions"))
}
