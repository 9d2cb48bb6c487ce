//! The exports of an assessment that is made for the occasion. Each is limited like any download.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use stockade::{
    posture::{Assessment, render},
    session::tower::Visit,
};

use super::{
    super::{SignedIn, WebApp, problem::Problem},
    limited, measure,
};

/// Where they are, and what they are called.
pub(super) const LINKS: [(&str, &str); 4] =
    [("/posture.json", "JSON"), ("/posture.md", "Markdown"), ("/posture.csv", "CSV"), ("/posture/oscal.json", "OSCAL")];

/// `GET /posture.json`
pub(crate) async fn json(app: WebApp, visit: Visit, visitor: SignedIn) -> Result<Response, Problem> {
    export(app, visit, visitor, ("application/json", "posture.json"), render::json).await
}

/// `GET /posture.md`
pub(crate) async fn markdown(app: WebApp, visit: Visit, visitor: SignedIn) -> Result<Response, Problem> {
    export(app, visit, visitor, ("text/markdown; charset=utf-8", "posture.md"), render::markdown).await
}

/// `GET /posture.csv`
pub(crate) async fn csv(app: WebApp, visit: Visit, visitor: SignedIn) -> Result<Response, Problem> {
    export(app, visit, visitor, ("text/csv; charset=utf-8; header=present", "posture.csv"), render::csv).await
}

/// `GET /posture/oscal.json`
pub(crate) async fn oscal(app: WebApp, visit: Visit, visitor: SignedIn) -> Result<Response, Problem> {
    export(app, visit, visitor, ("application/json", "posture-oscal.json"), render::oscal).await
}

async fn export(
    State(app): WebApp,
    visit: Visit,
    visitor: SignedIn,
    (kind, file): (&'static str, &'static str),
    render: fn(&Assessment) -> String,
) -> Result<Response, Problem> {
    limited(&app, visitor.session.user.into()).await?;
    let (_, assessment) = measure(&app, &visit, visitor.into()).await?;
    let disposition = format!("attachment; filename=\"{file}\"");
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)], render(&assessment)).into_response())
}
