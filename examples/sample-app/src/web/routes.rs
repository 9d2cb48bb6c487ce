//! Every route, and what it takes to be answered. The router is made from this table and from nothing else, so a route that names
//! neither its permission nor why it needs none cannot be written.

use std::sync::Arc;

use axum::{
    Router,
    handler::Handler,
    middleware::from_fn_with_state,
    response::{IntoResponse, Redirect},
    routing::MethodRouter,
};
use http::{Method, header};

use super::{
    account, accounts, administration, api, audit, documents, drivers, encryption, enrol, exports, features, guard,
    integrations, invitations, isolation, layout, ledger, limits, loads, operations, outbox, people, posture, proof,
    reset, retention, roles, security, settlements, sharing, shredding, sign_in, staff, tampering,
};
use crate::{app::App, permissions::Perm};

/// What it takes to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Nothing, and why that is right.
    Public(&'static str),
    /// To be signed in: it is about the person's own account. What of it.
    Own(&'static str),
    /// A permission. How far it has to reach, the operation asks.
    Needs(Perm),
    /// A permission, for what an open page asks by itself: it does not count as use of the session.
    Follows(Perm),
    /// An API token, whose owner has the permission and which was made for it.
    Token(Perm),
}

impl Guard {
    /// The permission that a person needs.
    #[must_use]
    pub const fn permission(self) -> Option<Perm> {
        match self {
            Self::Needs(permission) | Self::Follows(permission) => Some(permission),
            _ => None,
        }
    }
}

/// A method of a path.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, as axum writes it.
    pub path: &'static str,
    /// What it takes.
    pub guard: Guard,
    handler: MethodRouter<Arc<App>>,
}

/// The whole table.
#[must_use]
pub fn routes() -> Vec<Route> {
    use Guard::{Follows, Needs, Own, Public, Token};
    const DOOR: Guard = Public("the way in");
    const ENROL: Guard = Public("for whoever must enrol and may do nothing else; it asks for the session by itself");
    const ASSET: Guard = Public("says nothing about anybody");
    vec![
        get("/", Public("leads to the loads, which ask"), home),
        get("/sign-in", DOOR, sign_in::form),
        post("/sign-in", DOOR, sign_in::password),
        get("/sign-in/code", DOOR, sign_in::code_form),
        post("/sign-in/code", DOOR, sign_in::code),
        get("/sign-in/recovery", DOOR, sign_in::recovery_form),
        post("/sign-in/recovery", DOOR, sign_in::recovery),
        get("/reset", DOOR, reset::form),
        post("/reset", DOOR, reset::ask),
        get("/reset/password", DOOR, reset::password_form),
        post("/reset/password", DOOR, reset::password),
        get("/enrol", ENROL, enrol::show),
        post("/enrol", ENROL, enrol::begin),
        post("/enrol/confirm", ENROL, enrol::confirm),
        post("/sign-out", Public("the way out, whoever comes"), sign_in::sign_out),
        post("/sign-out/everywhere", Own("one's own sessions"), sign_in::sign_out_everywhere),
        get("/account/sessions", Own("one's own sessions"), account::sessions::list),
        post("/account/sessions/{id}/end", Own("one's own sessions"), account::sessions::end),
        post("/account/sessions/end-others", Own("one's own sessions"), account::sessions::end_others),
        get("/account/second-factor", Own("one's own second factor"), account::factor::show),
        post("/account/second-factor/recovery", Own("one's own recovery codes"), account::factor::recovery),
        post("/account/second-factor/remove", Own("one's own second factor"), account::factor::remove),
        get("/account/password", Own("one's own password"), account::password::form),
        post("/account/password", Own("one's own password"), account::password::change),
        get("/account/proof", Own("who is there"), account::proof::form),
        post("/account/proof", Own("who is there"), account::proof::prove),
        get("/account/tokens", Own("one's own API tokens"), account::tokens::list),
        post("/account/tokens", Own("one's own API tokens"), account::tokens::create),
        post("/account/tokens/{id}/rotate", Own("one's own API tokens"), account::tokens::rotate),
        post("/account/tokens/{id}/revoke", Own("one's own API tokens"), account::tokens::revoke),
        get("/api/loads", Token(Perm::LoadView), api::list),
        get("/loads", Needs(Perm::LoadView), loads::list),
        get("/loads/{id}", Needs(Perm::LoadView), loads::show),
        post("/loads/{id}", Needs(Perm::LoadEdit), loads::change),
        post("/loads/{id}/shares", Needs(Perm::LoadShare), sharing::load),
        post("/loads/{id}/shares/{share}/end", Needs(Perm::LoadShare), sharing::end_load),
        get("/accounts", Needs(Perm::AccountView), accounts::list),
        get("/accounts/{id}", Needs(Perm::AccountView), accounts::show),
        post("/accounts/{id}/shares", Needs(Perm::AccountShare), sharing::account),
        post("/accounts/{id}/shares/{share}/end", Needs(Perm::AccountShare), sharing::end_account),
        get("/drivers", Needs(Perm::DriverView), drivers::list),
        post("/drivers/find", Needs(Perm::SsnReveal), drivers::find),
        post("/drivers/{id}/ssn", Needs(Perm::SsnReveal), drivers::reveal),
        post("/drivers/bank-account", Needs(Perm::BankEdit), drivers::change_account),
        get("/documents/{id}", Needs(Perm::DocumentDownload), documents::download),
        get("/settlements", Needs(Perm::SettlementView), settlements::list),
        get("/settlements/{id}", Needs(Perm::SettlementView), settlements::show),
        post("/settlements/{id}", Needs(Perm::SettlementEdit), settlements::change),
        get("/integrations", Needs(Perm::IntegrationView), integrations::list),
        post("/integrations", Needs(Perm::IntegrationEdit), integrations::connect),
        get("/ledger", Needs(Perm::LedgerView), ledger::show),
        post("/ledger/postings", Needs(Perm::LedgerPost), ledger::post),
        post("/ledger/periods/{id}/close-softly", Needs(Perm::PeriodClose), ledger::close_softly),
        post("/ledger/periods/{id}/close", Needs(Perm::PeriodClose), ledger::close_for_good),
        post("/ledger/periods/{id}/reopen", Needs(Perm::PeriodReopen), ledger::reopen),
        get("/audit", Needs(Perm::AuditView), audit::show),
        get("/audit/stream", Follows(Perm::AuditView), audit::stream),
        post("/audit/verify", Needs(Perm::AuditView), audit::verify),
        get("/audit.csv", Needs(Perm::AuditExport), exports::csv),
        get("/audit.jsonl", Needs(Perm::AuditExport), exports::json),
        get("/audit.bundle", Needs(Perm::AuditExport), exports::bundle),
        get("/audit/entries/{seq}", Needs(Perm::AuditView), proof::show),
        get("/audit/entries/{seq}/bundle", Needs(Perm::AuditExport), exports::one),
        get("/isolation", Needs(Perm::IsolationView), isolation::show),
        get("/isolation/stream", Follows(Perm::IsolationView), isolation::stream),
        post("/isolation", Needs(Perm::IsolationView), isolation::attack),
        get("/administration", Needs(Perm::SchemaInspect), administration::show),
        post("/administration/lint", Needs(Perm::SchemaInspect), administration::lint),
        post("/administration/log", Needs(Perm::SchemaInspect), administration::log),
        post("/administration/probe", Needs(Perm::SchemaInspect), administration::probe),
        post("/administration/helper", Needs(Perm::SchemaInspect), operations::helper),
        post("/administration/drill", Needs(Perm::SchemaInspect), operations::restore),
        get("/administration/features", Needs(Perm::FeatureView), features::show),
        post("/administration/features", Needs(Perm::FeatureEdit), features::switch),
        get("/administration/retention", Needs(Perm::RetentionView), retention::show),
        post("/administration/retention/holds", Needs(Perm::AuditHold), retention::place),
        post("/administration/retention/holds/{id}/release", Needs(Perm::AuditHold), retention::release),
        post("/administration/retention/erasures", Needs(Perm::AuditErase), retention::erase),
        get("/administration/encryption", Needs(Perm::CryptoView), encryption::show),
        get("/administration/encryption/rotation", Needs(Perm::CryptoView), encryption::again),
        post("/administration/encryption/rotation", Needs(Perm::CryptoRotate), encryption::rotate),
        get("/administration/encryption/wrapping", Needs(Perm::CryptoView), encryption::again),
        post("/administration/encryption/wrapping", Needs(Perm::CryptoRotate), encryption::rewrap),
        get("/administration/shredding", Needs(Perm::CryptoView), shredding::show),
        post("/administration/shredding", Needs(Perm::CryptoShred), shredding::schedule),
        post("/administration/shredding/{id}/cancel", Needs(Perm::CryptoShred), shredding::cancel),
        post("/administration/shredding/{id}/execute", Needs(Perm::CryptoShred), shredding::execute),
        get("/administration/tampering", Needs(Perm::AuditTamper), tampering::show),
        post("/administration/tampering", Needs(Perm::AuditTamper), tampering::run),
        get("/administration/sign-in", Needs(Perm::SessionRevoke), security::show),
        post("/administration/sign-in/policy", Needs(Perm::SignInPolicy), security::policy),
        post("/administration/sign-in/end-all", Needs(Perm::SessionRevoke), security::end_all),
        post("/administration/sign-in/people/{id}/end", Needs(Perm::SessionRevoke), security::end),
        post("/administration/sign-in/people/{id}/remove-factor", Needs(Perm::SignInPolicy), security::remove_factor),
        get("/administration/outbox", Needs(Perm::OutboxView), outbox::show),
        get("/posture", Needs(Perm::PostureView), posture::show),
        post("/posture", Needs(Perm::PostureRecord), posture::record),
        get("/posture.json", Needs(Perm::PostureView), posture::json),
        get("/posture.md", Needs(Perm::PostureView), posture::markdown),
        get("/posture.csv", Needs(Perm::PostureView), posture::csv),
        get("/posture/oscal.json", Needs(Perm::PostureView), posture::oscal),
        get("/roles", Needs(Perm::RoleView), roles::show),
        get("/roles.csv", Needs(Perm::RoleView), roles::csv),
        get("/roles.md", Needs(Perm::RoleView), roles::markdown),
        get("/roles.json", Needs(Perm::RoleView), roles::json),
        get("/roles/review.csv", Needs(Perm::AccessReview), roles::review_csv),
        get("/roles/review.json", Needs(Perm::AccessReview), roles::review_json),
        get("/invitations/accept", Public("whoever has the link of an invitation"), invitations::form),
        post("/invitations/accept", Public("whoever has the link of an invitation"), invitations::accept),
        get("/administration/people", Needs(Perm::PeopleView), people::list),
        post("/administration/people/invitations", Needs(Perm::PeopleManage), people::invite),
        post("/administration/people/invitations/{id}/withdraw", Needs(Perm::PeopleManage), people::withdraw),
        get("/administration/people/{id}", Needs(Perm::PeopleView), people::one),
        post("/administration/people/{id}/roles", Needs(Perm::PeopleManage), people::assign),
        post("/administration/people/{id}/roles/revoke", Needs(Perm::PeopleManage), people::revoke),
        post("/administration/people/{id}/overrides", Needs(Perm::PeopleManage), people::except),
        post("/administration/people/{id}/overrides/lift", Needs(Perm::PeopleManage), people::lift),
        post("/administration/people/{id}/place", Needs(Perm::PeopleManage), people::place),
        post("/administration/people/{id}/suspend", Needs(Perm::PeopleManage), people::suspend),
        post("/administration/people/{id}/reinstate", Needs(Perm::PeopleManage), people::reinstate),
        post("/administration/people/{id}/remove", Needs(Perm::PeopleManage), people::remove),
        get("/administration/impersonations", Needs(Perm::StaffView), staff::list),
        post("/administration/impersonations", Needs(Perm::StaffRefuse), staff::set),
        get("/staff", Needs(Perm::Impersonate), staff::form),
        post("/staff/look", Needs(Perm::Impersonate), staff::look),
        post("/staff/end", Own("the end of one's own look"), staff::end),
        get("/limits", Needs(Perm::LimitsView), limits::show),
        get("/style.css", ASSET, || async { asset("text/css", include_str!("../../assets/style.css")) }),
        get("/posture.css", ASSET, || async { asset("text/css", stockade::posture::render::html::STYLE) }),
        get("/live.js", ASSET, || async { asset("text/javascript", include_str!("../../assets/live.js")) }),
        get("/icon.svg", ASSET, || async { asset("image/svg+xml", layout::icon()) }),
    ]
}

/// The router of the table.
pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    routes().into_iter().fold(Router::new(), |router, Route { path, guard, handler, .. }| {
        router.route(path, handler.route_layer(from_fn_with_state((Arc::clone(app), guard), guard::ask)))
    })
}

fn get<H, T>(path: &'static str, guard: Guard, handler: H) -> Route
where
    H: Handler<T, Arc<App>>,
    T: 'static,
{
    Route { method: Method::GET, path, guard, handler: axum::routing::get(handler) }
}

fn post<H, T>(path: &'static str, guard: Guard, handler: H) -> Route
where
    H: Handler<T, Arc<App>>,
    T: 'static,
{
    Route { method: Method::POST, path, guard, handler: axum::routing::post(handler) }
}

async fn home() -> Redirect {
    Redirect::to("/loads")
}

fn asset(kind: &'static str, text: impl IntoResponse) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}
