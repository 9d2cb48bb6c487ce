//! The cards of one person's page, with their forms.

use maud::{Markup, html};
use stockade::rbac::{
    Permission, Scope,
    postgres::{HeldOverride, Standing, Status},
};
use uuid::Uuid;

use super::{held_role, role_select};
use crate::{app::App, domain::membership, permissions::Perm};

pub(super) fn roles(app: &App, base: &str, standing: &Standing, may: bool) -> Markup {
    html! {
        div.card {
            h2 { "Roles" }
            @for held in &standing.roles {
                div.row.held {
                    div.field { (held_role(held)) " " span.muted { "since " (held.granted_at.format("%Y-%m-%d")) ": " (held.reason.as_str()) } }
                    @if may {
                        form.row method="post" action={ (base) "/roles/revoke" } {
                            input type="hidden" name="role" value=(held.role);
                            div.field { input name="reason" aria-label={ "Why " (held.role) " is taken" } placeholder="Reason" required maxlength="200"; }
                            button.quiet { "Take away" }
                        }
                    }
                }
            }
            @if standing.roles.is_empty() { p.muted { "None." } }
            @if may {
                form.below method="post" action={ (base) "/roles" } {
                    div.row {
                        div.field { label for="role" { "Give a role" } (role_select(app, "role")) }
                        div.field { label for="role-reason" { "Reason" } input id="role-reason" name="reason" required maxlength="200"; }
                        div.field { label for="role-until" { "Until (optional)" } input id="role-until" name="until" type="date"; }
                        div.field { button { "Give" } }
                    }
                }
            }
        }
    }
}

pub(super) fn exceptions(base: &str, standing: &Standing, may: bool) -> Markup {
    html! {
        div.card {
            h2 { "Exceptions" }
            @for held in &standing.overrides { (exception(base, held, may)) }
            @if standing.overrides.is_empty() { p.muted { "None. Roles alone say what this person may do." } }
            @if may {
                form.below method="post" action={ (base) "/overrides" } {
                    div.row {
                        div.field { label for="permission" { "Permission" } select id="permission" name="permission" {
                            @for permission in Perm::ALL { option { (permission.key()) } }
                        } }
                        div.field { label for="effect" { "Is" } select id="effect" name="effect" {
                            option value="deny" { "denied" }
                            option value="own" { "allowed on own rows" }
                            option value="team" { "allowed in the team" }
                            option value="office" { "allowed in the office" }
                            option value="tenant" { "allowed everywhere" }
                        } }
                        div.field { label for="override-reason" { "Reason" } input id="override-reason" name="reason" required maxlength="200"; }
                        div.field { label for="override-until" { "Until" } input id="override-until" name="until" type="date"; }
                        div.field { button { "Make an exception" } }
                    }
                    p.muted { "What is allowed ends on a day; a denial may be for good, and wins over every role." }
                }
            }
        }
    }
}

fn exception(base: &str, held: &HeldOverride, may: bool) -> Markup {
    let effect = held.scope.map_or("deny", Scope::name);
    html! {
        div.row.held {
            div.field {
                code { (held.permission) } " "
                @match held.scope { Some(scope) => span.badge.good { "allowed at " (scope) }, None => span.badge.bad { "denied" } }
                " " span.muted { @if let Some(until) = held.expires_at { "until " (membership::last_day(until)) ": " } (held.reason.as_str()) }
            }
            @if may {
                form.row method="post" action={ (base) "/overrides/lift" } {
                    input type="hidden" name="permission" value=(held.permission);
                    input type="hidden" name="effect" value=(effect);
                    div.field { input name="reason" aria-label={ "Why the exception for " (held.permission) " ends" } placeholder="Reason" required maxlength="200"; }
                    button.quiet { "End it" }
                }
            }
        }
    }
}

pub(super) fn ends(base: &str, standing: &Standing) -> Markup {
    let suspended = standing.status == Some(Status::Suspended);
    let (action, name) = if suspended { ("reinstate", "Reinstate") } else { ("suspend", "Suspend") };
    html! {
        div.grid {
            @for (action, name, text) in [
                (action, name, if suspended { "Gives back what the person had." } else { "Takes everything until it is given back. Sessions stay, and may do nothing." }),
                ("remove", "Remove", "The person is no member any more."),
            ] {
                form.card method="post" action={ (base) "/" (action) } {
                    h2 { (name) }
                    p.muted { (text) }
                    div.row {
                        div.field { input name="reason" aria-label={ "Reason: " (name) } placeholder="Reason" required maxlength="200"; }
                        button.quiet.bad[action == "remove"] { (name) }
                    }
                }
            }
        }
    }
}

pub(super) fn choice(name: &str, all: &[(Uuid, String, bool)]) -> Markup {
    html! {
        select id=(name) name=(name) {
            option value="" { "none" }
            @for (id, name, here) in all { option value=(id) selected[*here] { (name) } }
        }
    }
}
