//! What leaves the audit log: a table, lines of JSON, or a bundle that an outsider verifies.

use axum::{
    body::Body,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use stockade::{
    audit_chain::{
        self, TenantId,
        postgres::{Export, ExportRequest, Receipt},
    },
    ratelimit::Key,
};
use uuid::Uuid;

use super::{
    SignedIn, WebApp,
    audit::{Search, open},
    problem::Problem,
};
use crate::{app::App, desk::Desk, limits::EXPORT_TENANT, permissions::Perm};

/// `GET /audit.csv`: everything that the search finds, for a spreadsheet.
pub(crate) async fn csv(app: WebApp, visitor: SignedIn, Query(form): Query<Search>) -> Result<Response, Problem> {
    let request = |desk: &Desk, by| ExportRequest::csv(form.filter(desk.user.tenant_id).0, by);
    export(app, visitor, request, "text/csv; charset=utf-8", "audit.csv").await
}

/// `GET /audit.jsonl`: the same, for a program.
pub(crate) async fn json(app: WebApp, visitor: SignedIn, Query(form): Query<Search>) -> Result<Response, Problem> {
    let request = |desk: &Desk, by| ExportRequest::json_lines(form.filter(desk.user.tenant_id).0, by);
    export(app, visitor, request, "application/jsonl", "audit.jsonl").await
}

/// `GET /audit.bundle`: the whole log with its hashes.
pub(crate) async fn bundle(app: WebApp, visitor: SignedIn) -> Result<Response, Problem> {
    let request = |desk: &Desk, by| ExportRequest::bundle(desk.user.tenant_id.into(), by);
    export(app, visitor, request, "application/jsonl", "audit.bundle.jsonl").await
}

/// `GET /audit/entries/{seq}/bundle`: one entry with its place in the chain.
pub(crate) async fn one(app: WebApp, visitor: SignedIn, Path(seq): Path<u64>) -> Result<Response, Problem> {
    let request = |desk: &Desk, by| ExportRequest::range(desk.user.tenant_id.into(), seq..=seq, by);
    export(app, visitor, request, "application/jsonl", "entry.bundle.jsonl").await
}

/// Asks the policy and the limit, announces the export in the log, and streams it.
async fn export(
    State(app): WebApp,
    visitor: SignedIn,
    request: impl FnOnce(&Desk, audit_chain::Actor) -> ExportRequest,
    kind: &'static str,
    file: &'static str,
) -> Result<Response, Problem> {
    let tenant = Uuid::from(visitor.session.tenant);
    let decision = app.limits.check(&[(EXPORT_TENANT, Key::tenant(tenant.as_bytes()))]).await?;
    if !decision.allowed {
        return Err(Problem::TooMany { retry_after: decision.retry_after_secs() });
    }
    let mut desk = open(&app, visitor, Perm::AuditExport).await?;
    let request = request(&desk, desk.author());
    let announced = audit_chain::postgres::record(&mut desk.tx, &request.entry()).await?;
    desk.commit(&app).await?;
    let body = stream(app, request, announced).await?;
    let disposition = format!("attachment; filename=\"{file}\"");
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)], body).into_response())
}

/// The export as a body, in memory for one page of entries. It reads one snapshot, as the role that reads the whole log;
/// the request names the tenant.
async fn stream(app: std::sync::Arc<App>, request: ExportRequest, announced: Receipt) -> Result<Body, Problem> {
    let tenant: TenantId = request.tenant();
    let mut tx = app.sealer_snapshot().await?;
    let export = Export::open(&mut *tx, request, &announced).await?;
    let pieces = stream::try_unfold(Some((app, tx, export)), move |state| async move {
        let Some((app, mut tx, mut export)) = state else { return Ok(None) };
        match export.next(&mut *tx).await? {
            Some(piece) => Ok::<_, anyhow::Error>(Some((piece, Some((app, tx, export))))),
            None => {
                tx.commit().await?;
                // How much was handed over. A download that breaks off has its announcement alone.
                app.trail.send(tenant, export.completion());
                app.seal_soon();
                Ok(None)
            }
        }
    });
    Ok(Body::from_stream(pieces))
}
