//! `cargo run -p stockade-session --example login --features axum`, then <http://localhost:3000> in a browser.
use axum::{Form, Router, extract::Path, extract::State, response::Redirect, routing::get, routing::post};
use maud::{Markup, PreEscaped, html};
use qrcode::{QrCode, render::svg::Color};
use stockade_session::{Auth, BoxError, Cookies, DangerouslyPlainSeeds, KeyRing, MemoryStore, NewAccount};
use stockade_session::{Session, Step, TotpStep, axum::peer, tower::Refusal, tower::SessionLayer, tower::Visit};

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Sent {
    name: String,
    password: secrecy::SecretString,
    code: String,
}

async fn home(session: Option<Session>, visit: Visit, State(auth): State<Auth>) -> Result<Markup, Refusal> {
    Ok(html! { @if let Some(session) = session {
        p { (format!("{:?}", session.assurance)) } (form("/factor", "Set up codes", &[])) (form("/sign-out", "Sign out", &[]))
        @for one in auth.sessions(session.user).await? {
            p { (one.authenticated_at) " from " (one.ip) } (form(&format!("/revoke/{}", one.sid), "End it", &[]))
        }
    } @else {
        (form("/sign-in", "Sign in", &["name", "password"]))
        @if visit.resume().await?.is_some() { (form("/code", "Continue", &["code"])) }
    } })
}

async fn sign_in(visit: Visit, Form(sent): Form<Sent>) -> Result<Redirect, Refusal> {
    match visit.begin(&sent.name).await?.verify_password(sent.password).await? {
        Step::Rejected(_) => Ok(Redirect::to("/")),
        Step::TotpRequired(flow) => home_after(visit.wait(&flow)),
        Step::Done(flow) => home_after(visit.issue(flow).await),
    }
}

async fn code(visit: Visit, Form(sent): Form<Sent>) -> Result<Redirect, Refusal> {
    match visit.resume().await?.ok_or(Refusal::SignedOut)?.verify_totp(&sent.code).await? {
        TotpStep::Rejected(_) => Ok(Redirect::to("/")),
        TotpStep::Done(flow) => home_after(visit.issue(flow).await),
    }
}

async fn factor(session: Session, State(auth): State<Auth>) -> Result<Markup, Refusal> {
    let enrolment = auth.enrol_totp(session.user).await?;
    let qr = QrCode::new(enrolment.otpauth_uri()).map(|qr| qr.render::<Color<'_>>().build()).unwrap_or_default();
    Ok(html! { (PreEscaped(qr)) p { (enrolment.secret_base32()) } (form("/confirm", "Confirm", &["code"])) })
}

async fn confirm(session: Session, State(auth): State<Auth>, Form(sent): Form<Sent>) -> Result<Redirect, Refusal> {
    home_after(auth.confirm_totp(session.user, &sent.code).await) // ends every session: the next sign-in asks for a code
}

fn home_after<T>(done: Result<T, impl Into<Refusal>>) -> Result<Redirect, Refusal> {
    done.map(|_| Redirect::to("/")).map_err(Into::into)
}

fn form(path: &str, text: &str, fields: &[&str]) -> Markup {
    html! { form method="post" action=(path) { @for field in fields { (field) " " input name=(field) type=(field); } button { (text) } } }
}

pub(crate) fn router(auth: Auth) -> Router {
    let (sign_in, sign_out) = (post(sign_in), post(async |visit: Visit| home_after(visit.sign_out().await)));
    let revoke = post(async |visit: Visit, Path(sid): Path<uuid::Uuid>| home_after(visit.revoke(sid.into()).await));
    let router = Router::new().route("/", get(home)).route("/sign-in", sign_in).route("/sign-out", sign_out);
    let router = router.route("/code", post(code)).route("/factor", post(factor)).route("/confirm", post(confirm));
    router.route("/revoke/{sid}", revoke).layer(SessionLayer::new(auth.clone(), Cookies::host(), peer)).with_state(auth)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    let auth = Auth::builder(MemoryStore::default(), KeyRing::single(1, key)?);
    let auth = auth.seed_cipher(DangerouslyPlainSeeds).build()?;
    let new = NewAccount { user: uuid::Uuid::now_v7().into(), tenant: uuid::Uuid::now_v7().into(), identifier: "eva" };
    auth.accounts().create(new, "correct horse battery staple".into()).await?;
    let app = router(auth).into_make_service_with_connect_info::<std::net::SocketAddr>();
    Ok(axum::serve(tokio::net::TcpListener::bind("localhost:3000").await?, app).await?)
}
