//! Where one can go: the places of the application, and who is shown the way to each.

use maud::{Markup, html};

use crate::{domain::people::User, permissions::Perm};

/// A place in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Loads,
    Accounts,
    Drivers,
    Ledger,
    Settlements,
    Integrations,
    Audit,
    Isolation,
    Posture,
    People,
    Roles,
    Impersonations,
    Limits,
    Inspections,
    SignIns,
    Features,
    Retention,
    Encryption,
    Shredding,
    Tampering,
    Staff,
    Outbox,
    Account,
}

/// A place, its address, its name, and what it takes to be shown the way.
type Way = (Place, &'static str, &'static str, Perm);

const DESK: [Way; 6] = [
    (Place::Loads, "/loads", "Loads", Perm::LoadView),
    (Place::Accounts, "/accounts", "Customers", Perm::AccountView),
    (Place::Drivers, "/drivers", "Drivers", Perm::DriverView),
    (Place::Ledger, "/ledger", "Ledger", Perm::LedgerView),
    (Place::Settlements, "/settlements", "Settlements", Perm::SettlementView),
    (Place::Integrations, "/integrations", "Integrations", Perm::IntegrationView),
];
const OVERSIGHT: [Way; 7] = [
    (Place::Audit, "/audit", "Audit log", Perm::AuditView),
    (Place::Isolation, "/isolation", "Tenant isolation", Perm::IsolationView),
    (Place::Posture, "/posture", "Compliance", Perm::PostureView),
    (Place::People, "/administration/people", "People", Perm::PeopleView),
    (Place::Roles, "/roles", "Roles", Perm::RoleView),
    (Place::Impersonations, "/administration/impersonations", "Support's looks", Perm::StaffView),
    (Place::Limits, "/limits", "Limits", Perm::LimitsView),
];
/// One place of the main navigation, whose pages have tabs.
const ADMINISTRATION: [Way; 7] = [
    (Place::Inspections, "/administration", "Inspections", Perm::SchemaInspect),
    (Place::SignIns, "/administration/sign-in", "Sign-in", Perm::SessionRevoke),
    (Place::Features, "/administration/features", "Features", Perm::FeatureView),
    (Place::Retention, "/administration/retention", "Retention", Perm::RetentionView),
    (Place::Encryption, "/administration/encryption", "Encryption", Perm::CryptoView),
    (Place::Shredding, "/administration/shredding", "Shredding", Perm::CryptoView),
    (Place::Tampering, "/administration/tampering", "Tampering", Perm::AuditTamper),
];
const PLATFORM: [Way; 2] = [
    (Place::Staff, "/staff", "Support", Perm::Impersonate),
    (Place::Outbox, "/administration/outbox", "Outbox", Perm::OutboxView),
];

/// The main navigation of a person.
pub(super) fn main(user: &User, here: Place) -> Markup {
    let oversight: Vec<&Way> = open(user, &OVERSIGHT).collect();
    let administration = open(user, &ADMINISTRATION).next();
    html! {
        nav aria-label="Main" {
            @for (place, href, name, _) in open(user, &DESK).chain(open(user, &PLATFORM)) { (link(*place == here, href, name)) }
            @if !oversight.is_empty() || administration.is_some() { span { "Oversight" } }
            @for (place, href, name, _) in oversight { (link(*place == here, href, name)) }
            @if let Some((_, href, ..)) = administration { (link(administers(here), href, "Administration")) }
        }
    }
}

/// The tabs of a page that has neighbours under one place of the main navigation.
pub(super) fn tabs(user: &User, here: Place) -> Markup {
    html! {
        @if administers(here) {
            nav.tabs aria-label="Administration" {
                @for (place, href, name, _) in open(user, &ADMINISTRATION) { (link(*place == here, href, name)) }
            }
        }
    }
}

fn administers(here: Place) -> bool {
    ADMINISTRATION.iter().any(|(place, ..)| *place == here)
}

fn open<'a>(user: &'a User, ways: &'a [Way]) -> impl Iterator<Item = &'a Way> {
    ways.iter().filter(|(.., permission)| user.powers.contains(permission))
}

fn link(here: bool, href: &str, name: &str) -> Markup {
    html! { a href=(href) aria-current=[here.then_some("page")] { (name) } }
}
