//! What leaves the audit log: a table, lines of JSON, or a bundle that an outsider verifies.

use axum::{
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use stockade::{
    audit_chain::{
        self, Publication, TenantId,
        postgres::{Export, ExportRequest, Receipt},
    },
    ratelimit::Key,
};
use uuid::Uuid;

use super::{
    Query, SignedIn, WebApp,
    audit::{Search, open},
    problem::Problem,
};
use crate::{app::App, desk::Desk, limits::EXPORT_TENANT, permissions::Perm};

/// `GET /audit.csv`: everything that the search finds, for a spreadsheet.
pub(crate) async fn csv(app: WebApp, visitor: SignedIn, Query(form): Query<Search>) -> Result<Response, Problem> {
    export(app, visitor, Wanted::Csv(form), "text/csv; charset=utf-8", "audit.csv").await
}

/// `GET /audit.jsonl`: the same, for a program.
pub(crate) async fn json(app: WebApp, visitor: SignedIn, Query(form): Query<Search>) -> Result<Response, Problem> {
    export(app, visitor, Wanted::Json(form), "application/jsonl", "audit.jsonl").await
}

/// `GET /audit.bundle`: the whole log up to the last checkpoint, with its hashes and the checkpoint, which vouches for all of it.
pub(crate) async fn bundle(app: WebApp, visitor: SignedIn) -> Result<Response, Problem> {
    export(app, visitor, Wanted::Bundle, "application/jsonl", "audit.bundle.jsonl").await
}

/// `GET /audit/entries/{seq}/bundle`: one entry with its place in the chain, and the checkpoint that vouches for it.
pub(crate) async fn one(app: WebApp, visitor: SignedIn, Path(seq): Path<u64>) -> Result<Response, Problem> {
    export(app, visitor, Wanted::One(seq), "application/jsonl", "entry.bundle.jsonl").await
}

/// What is asked for.
enum Wanted {
    Csv(Search),
    Json(Search),
    Bundle,
    One(u64),
}

impl Wanted {
    const fn is_bundle(&self) -> bool {
        matches!(self, Self::Bundle | Self::One(_))
    }

    fn request(&self, desk: &Desk, checkpoint: Option<&Publication>) -> Result<ExportRequest, audit_chain::Error> {
        let (tenant, by) = (desk.user.tenant_id, desk.author());
        let request = match self {
            Self::Csv(form) => return Ok(ExportRequest::csv(form.filter(tenant).0, by)),
            Self::Json(form) => return Ok(ExportRequest::json_lines(form.filter(tenant).0, by)),
            Self::Bundle => match checkpoint.and_then(|last| last.snapshot().head(tenant.into())) {
                Some(head) => ExportRequest::range(tenant.into(), 1..=head.head.seq, by),
                None => ExportRequest::bundle(tenant.into(), by),
            },
            Self::One(seq) => ExportRequest::range(tenant.into(), *seq..=*seq, by),
        };
        match checkpoint {
            Some(last) => request.attested_by(last),
            None => Ok(request),
        }
    }
}

/// Asks the policy and the limit, announces the export in the log, and streams it.
async fn export(
    State(app): WebApp,
    visitor: SignedIn,
    wanted: Wanted,
    kind: &'static str,
    file: &'static str,
) -> Result<Response, Problem> {
    let tenant = Uuid::from(visitor.session.tenant);
    let decision = app.limits.check(&[(EXPORT_TENANT, Key::tenant(tenant.as_bytes()))]).await?;
    if !decision.allowed {
        return Err(Problem::TooMany { retry_after: decision.retry_after_secs() });
    }
    let mut desk = open(&app, visitor.clone(), Perm::AuditExport).await?;
    let mut checkpoint = None;
    if wanted.is_bundle() {
        desk.commit(&app).await?;
        // Where none can be made, the last one vouches for what is older. The log's page says what is wrong.
        drop(app.checkpoint_now().await);
        checkpoint = app.last_checkpoint().await?;
        desk = open(&app, visitor, Perm::AuditExport).await?;
    }
    let request = wanted.request(&desk, checkpoint.as_ref())?;
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
