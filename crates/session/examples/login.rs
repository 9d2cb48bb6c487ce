//! `cargo run -p stockade-session --example login --features axum`, then <http://localhost:3000> in a browser.
use std::{error::Error, net::SocketAddr};

use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Router, extract::Path, extract::State, middleware::map_response, routing::get, routing::post};
use maud::{Markup, PreEscaped, html};
use qrcode::{QrCode, render::svg::Color};
use stockade_session::axum::peer;
use stockade_session::tower::{Refusal, SessionLayer, Visit};
use stockade_session::{
    Auth, Cookies, DangerouslyPlainSeeds, KeyRing, MemoryStore, NewAccount, Session, Step, TotpStep,
};
use uuid::Uuid;

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Sent {
    name: String,
    password: secrecy::SecretString,
    code: String,
}

async fn home(session: Option<Session>, visit: Visit, State(auth): State<Auth>) -> Result<Markup, Refusal> {
    let Some(session) = session else {
        return Ok(html! {
            (form("/sign-in", "Sign in", &["name", "password"])) (form("/sign-up", "Sign up", &["name", "password"]))
            @if visit.resume().await?.is_some() { (form("/code", "Continue", &["code"])) }
        });
    };
    Ok(html! {
        p { (format!("{:?}", session.assurance)) } (form("/factor", "Set up codes", &[])) (form("/sign-out", "Sign out", &[]))
        @for one in auth.sessions(session.user).await? {
            p { (one.authenticated_at) " from " (one.ip) @if one.sid == session.sid { ", this one" } }
            (form(&format!("/revoke/{}", one.sid), "End it", &[]))
        }
    })
}

async fn sign_up(State(auth): State<Auth>, visit: Visit, Form(sent): Form<Sent>) -> Result<Redirect, Refusal> {
    let new = NewAccount { user: Uuid::now_v7().into(), tenant: Uuid::from_u128(1).into(), identifier: &sent.name };
    auth.accounts().create(new, sent.password.clone()).await?;
    sign_in(visit, Form(sent)).await
}

async fn sign_in(visit: Visit, Form(sent): Form<Sent>) -> Result<Redirect, Refusal> {
    match visit.begin(&sent.name).await?.verify_password(sent.password).await? {
        Step::Rejected(_) => Err(Refusal::SignedOut),
        Step::TotpRequired(flow) => home_after(visit.wait(&flow)),
        Step::Done(flow) => home_after(visit.issue(flow).await),
    }
}

async fn code(visit: Visit, Form(sent): Form<Sent>) -> Result<Redirect, Refusal> {
    match visit.resume().await?.ok_or(Refusal::SignedOut)?.verify_totp(&sent.code).await? {
        TotpStep::Rejected(_) => Err(Refusal::SignedOut),
        TotpStep::Done(flow) => home_after(visit.issue(flow).await),
    }
}

async fn factor(session: Session, State(auth): State<Auth>) -> Result<Markup, Refusal> {
    let enrolment = auth.enrol_totp(session.user).await?;
    let qr = QrCode::new(enrolment.otpauth_uri()).map(|qr| qr.render::<Color<'_>>().build()).unwrap_or_default();
    Ok(html! { (PreEscaped(qr)) p { (enrolment.secret_base32()) } (form("/confirm", "Confirm", &["code"])) })
}

/// A right code ends every session of the user: the next page asks to sign in, with a code.
async fn confirm(session: Session, State(auth): State<Auth>, Form(sent): Form<Sent>) -> Result<Redirect, Refusal> {
    home_after(auth.confirm_totp(session.user, &sent.code).await)
}

async fn revoke(visit: Visit, Path(sid): Path<Uuid>) -> Result<Redirect, Refusal> {
    home_after(visit.revoke(sid.into()).await)
}

fn home_after<T>(done: Result<T, impl Into<Refusal>>) -> Result<Redirect, Refusal> {
    done.map(|_| Redirect::to("/")).map_err(Into::into)
}

fn form(path: &str, text: &str, fields: &[&str]) -> Markup {
    html! { form method="post" action=(path) { @for field in fields { (field) " " input name=(field) type=(field); } button { (text) } } }
}

/// The routes.
pub(crate) fn router(auth: Auth) -> Router {
    let in_words = async |response: Response| match response.extensions().get::<Refusal>() {
        Some(refusal) => (response.status(), refusal.to_string()).into_response(),
        None => response,
    };
    let router = Router::new().route("/", get(home)).route("/sign-up", post(sign_up)).route("/sign-in", post(sign_in));
    let router = router.route("/code", post(code)).route("/factor", post(factor)).route("/confirm", post(confirm));
    let sign_out = async |visit: Visit| home_after(visit.sign_out().await);
    let router = router.route("/revoke/{sid}", post(revoke)).route("/sign-out", post(sign_out));
    router.layer(SessionLayer::new(auth.clone(), Cookies::host(), peer)).layer(map_response(in_words)).with_state(auth)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    let auth = Auth::builder(MemoryStore::default(), KeyRing::single(1, key)?);
    let app = router(auth.seed_cipher(DangerouslyPlainSeeds).build()?);
    let listener = tokio::net::TcpListener::bind("localhost:3000").await?;
    Ok(axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?)
}
