//! The marks of a status: a shape for each, so that colour is never needed to tell them apart.

use maud::{Markup, html};

use crate::{control::Method, result::ControlResult, status::Status};

/// The class that colours a status.
pub(super) const fn class(status: &Status) -> &'static str {
    match status {
        Status::InPlace => "posture-is-in-place",
        Status::InProgress => "posture-is-in-progress",
        Status::NotYet => "posture-is-not-yet",
        Status::NotApplicable { .. } => "posture-is-na",
    }
}

/// The mark of a result: attested controls are drawn hollow.
pub(super) fn of(result: &ControlResult) -> Markup {
    shape(result.status(), result.control().method == Method::Attest)
}

/// A disc with a tick, a half disc, an empty ring, or a ring with a dash. Decoration: a word always stands beside it.
pub(super) fn shape(status: &Status, hollow: bool) -> Markup {
    html! {
        svg class={ "posture-mark " (class(status)) } viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false" {
            @match status {
                Status::InPlace if hollow => {
                    circle cx="8" cy="8" r="6.75" fill="none" stroke="currentColor" stroke-width="1.5" {}
                    path d="M4.9 8.2l2.2 2.2 4-4.5" fill="none" stroke="currentColor" stroke-width="1.7" {}
                }
                Status::InPlace => {
                    circle cx="8" cy="8" r="7.5" fill="currentColor" {}
                    path class="posture-tick" d="M4.7 8.2l2.4 2.4 4.3-4.9" fill="none" stroke-width="1.8" {}
                }
                Status::InProgress => {
                    circle cx="8" cy="8" r="6.75" fill="none" stroke="currentColor" stroke-width="1.5" {}
                    path d="M8 1.5a6.5 6.5 0 0 1 0 13z" fill="currentColor" {}
                }
                Status::NotYet => circle cx="8" cy="8" r="6.75" fill="none" stroke="currentColor" stroke-width="1.5" {},
                Status::NotApplicable { .. } => {
                    circle cx="8" cy="8" r="6.75" fill="none" stroke="currentColor" stroke-width="1.5" {}
                    path d="M5 8h6" stroke="currentColor" stroke-width="1.7" {}
                }
            }
        }
    }
}
