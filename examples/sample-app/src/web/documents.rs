//! Documents of loads: downloads, limited and logged.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use maud::{Markup, html};
use stockade::ratelimit::Key;
use uuid::Uuid;

use super::{SignedIn, WebApp, problem::Problem};
use crate::{
    domain::documents::{self, Document, Withheld},
    limits::{DOCUMENT_TENANT, DOCUMENT_USER},
};

/// `GET /documents/{id}`: every byte goes through here, so that the policy, the limits and the log see it. It takes a visitor: a look
/// takes nothing along.
pub(crate) async fn download(State(app): WebApp, visitor: SignedIn, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let (person, tenant) = (visitor.user.id, visitor.user.tenant_id);
    let keys = [(DOCUMENT_USER, Key::user(person.as_bytes())), (DOCUMENT_TENANT, Key::tenant(tenant.as_bytes()))];
    let decision = app.limits.check(&keys).await?;
    if !decision.allowed {
        return Err(Problem::TooMany { retry_after: decision.retry_after_secs() });
    }
    let mut desk = app.desk(&visitor).await?;
    let file = documents::download(&mut desk, id).await?;
    // The entry is there before the first byte leaves.
    desk.commit(&app).await?;
    let file = file.map_err(|withheld| match withheld {
        Withheld::NotFound => Problem::NotFound,
        Withheld::Refused(refused) => refused.into(),
    })?;
    // The characters of a name are those that the table lets in, which need no quoting.
    let disposition = format!("attachment; filename=\"{}\"", file.name);
    let kind = "application/octet-stream".to_owned();
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, disposition)], file.content).into_response())
}

/// The documents of a load, on its page.
pub(super) fn card(documents: &[Document], may: bool) -> Markup {
    html! {
        div.card {
            h2 { "Documents" }
            @if documents.is_empty() { p.muted { "None." } }
            ul.attempts {
                @for document in documents {
                    li {
                        div { @if may { a href={ "/documents/" (document.id) } { (document.name) } } @else { (document.name) } }
                        span.muted { (document.bytes) " bytes, " (document.added_at.format("%Y-%m-%d")) }
                    }
                }
            }
            @if !documents.is_empty() { p.muted { "Each download is an entry of the audit log." } }
        }
    }
}
