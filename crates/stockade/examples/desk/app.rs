//! A freight desk: sign-in, tenants, roles, an audit log, limits, and no request that another site caused.
use std::num::NonZeroUsize;

use axum::extract::{Form, Path};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Router, routing};
use http::StatusCode;
use secrecy::SecretString;
use serde_json::json;
use sqlx::PgPool;
use stockade::bridge::Trail;
use stockade::bridge::request::{self, Refused, RequestLayer, Work};
use stockade::ratelimit::tower::{RateLimitLayer, TrustedProxies};
use stockade::ratelimit::{Limiter, Route};
use stockade::rbac::{Permit, Policy};
use stockade::session::{Auth, BoxError, Cookies, KeyRing, Step, postgres::PgStore, tower::Visit};
use stockade::tenant_guard::TenantDb;
use uuid::Uuid;

stockade::rbac::permissions! {
    /// What the people of a desk may do.
    pub enum Perm {
        LoadView = "load.view": Read, up to Tenant;
        LoadEdit = "load.edit": Write, up to Tenant;
        Support = "user.impersonate": Read, up to Platform, audit, mfa;
    }
}
pub(crate) const POLICY: &str = r#"
    role = [ { name = "clerk", grants.tenant = ["load.view"] },
             { name = "dispatcher", inherits = ["clerk"], grants.tenant = ["load.edit"] },
             { name = "support", staff = true, grants.platform = ["user.impersonate"] } ]"#;
/// The tenant of the desk's own staff, who may look and not touch.
pub(crate) const HOME: Uuid = Uuid::from_u128(0xf4e1);
type Desk = request::Desk<Perm>;
type Viewer = request::Viewer<Perm>;

#[derive(serde::Deserialize)]
struct Credentials {
    email: String,
    password: SecretString,
}
#[derive(serde::Deserialize)]
struct Rate {
    cents: i64,
}

async fn sign_in(visit: Visit, Form(sent): Form<Credentials>) -> Result<Response, Refused> {
    match visit.begin(&sent.email).await?.verify_password(sent.password).await? {
        Step::Done(flow) => visit.issue(flow).await.map(drop)?,
        Step::TotpRequired(_) | Step::Rejected(_) => return Ok(StatusCode::UNAUTHORIZED.into_response()),
    }
    Ok(Redirect::to("/loads").into_response())
}

async fn list(viewer: Viewer) -> Result<String, Refused> {
    let mut look = viewer.read().await?;
    let _permit = look.require::<perm::LoadView>(&look.resource(), ("page", "loads"))?;
    let all = "SELECT reference || ' ' || rate_cents FROM desk.loads ORDER BY 1";
    Ok(sqlx::query_scalar::<_, String>(all).fetch_all(&mut look.tx).await?.join("\n"))
}

async fn edit(desk: Desk, Path(load): Path<Uuid>, Form(to): Form<Rate>) -> Result<Redirect, Refused> {
    let mut work = desk.begin().await?; // this tenant's transaction, as this person
    let was = "SELECT rate_cents FROM desk.loads WHERE id = $1 FOR UPDATE";
    let was: i64 = sqlx::query_scalar(was).bind(load).fetch_optional(&mut work.tx).await?.ok_or(Refused::NotFound)?;
    let permit = work.require::<perm::LoadEdit>(&work.resource(), ("load", load)).await?; // or 403, and in the log
    set_rate(&mut work, &permit, load, to.cents).await?;
    let entry = work.entry("load.edit").entity("load", load);
    work.record(&entry.before(json!({ "rate_cents": was })).after(json!({ "rate_cents": to.cents }))).await?;
    work.commit().await?; // the change and its entry, or neither
    Ok(Redirect::to("/loads"))
}

/// Cannot be called without having asked the policy.
async fn set_rate(work: &mut Work<Perm>, _: &Permit<perm::LoadEdit>, load: Uuid, cents: i64) -> Result<(), Refused> {
    let set = sqlx::query("UPDATE desk.loads SET rate_cents = $2 WHERE id = $1").bind(load).bind(cents);
    set.execute(&mut work.tx).await.map(drop).map_err(Refused::from)
}

/// The application over two logins: one of requests, bound to a tenant, and one that reads passwords and sessions.
pub(crate) fn router(requests: PgPool, gate: PgPool, keys: KeyRing, proxies: &[&str]) -> Result<Router, BoxError> {
    let tenants = TenantDb::new(requests);
    let trail = Trail::start(&tenants, NonZeroUsize::new(10_000).ok_or("no room")?);
    let auth = Auth::builder(PgStore::new(gate), keys).observer(trail.recorder()).build()?;
    let limiter = Limiter::builder().route(&Route::login()).observer(trail.recorder()).build()?;
    let limited = RateLimitLayer::new(limiter, &Route::login(), request::subject)?;
    let tenants = tenants.with_observer(trail.recorder());
    let layer = RequestLayer::new(auth, Cookies::host(), tenants, Policy::compile(POLICY)?)
        .behind(TrustedProxies::x_forwarded_for(proxies.iter().copied())?)
        .with_staff::<perm::Support>(HOME)
        .sign_in_at("/sign-in");
    Ok(Router::new()
        .route("/sign-in", routing::post(sign_in).layer(limited))
        .route("/loads", routing::get(list))
        .route("/loads/{id}", routing::post(edit))
        .layer(layer))
}
