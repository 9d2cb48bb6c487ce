//! The marks of a status: a shape for each, so that colour is never needed to tell them apart.

use maud::{Markup, html};

use crate::{
    control::Method,
    result::ControlResult,
    status::{Status, StatusKind},
};

/// The class that colours a status.
pub(super) const fn class(status: &Status) -> &'static str {
    class_of(status.kind())
}

const fn class_of(kind: StatusKind) -> &'static str {
    match kind {
        StatusKind::InPlace => "posture-is-in-place",
        StatusKind::InProgress => "posture-is-in-progress",
        StatusKind::NotYet => "posture-is-not-yet",
        StatusKind::NotApplicable => "posture-is-na",
    }
}

/// The mark of a result: attested controls are drawn hollow.
pub(super) fn of(result: &ControlResult) -> Markup {
    shape(result.status(), result.control().method == Method::Attest)
}

/// The mark of a status of the past.
pub(super) fn kind(kind: StatusKind) -> Markup {
    draw(kind, false)
}

/// A disc with a tick, a half disc, an empty ring, or a ring with a dash. Decoration: a word always stands beside it.
pub(super) fn shape(status: &Status, hollow: bool) -> Markup {
    draw(status.kind(), hollow)
}

fn draw(kind: StatusKind, hollow: bool) -> Markup {
    html! {
        svg class={ "posture-mark " (class_of(kind)) } viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false" {
            @match kind {
                StatusKind::InPlace if hollow => {
                    circle cx="8" cy="8" r="6.75" fill="none" stroke="currentColor" stroke-width="1.5" {}
                    path d="M4.9 8.2l2.2 2.2 4-4.5" fill="none" stroke="currentColor" stroke-width="1.7" {}
                }
                StatusKind::InPlace => {
                    circle cx="8" cy="8" r="7.5" fill="currentColor" {}
                    path class="posture-tick" d="M4.7 8.2l2.4 2.4 4.3-4.9" fill="none" stroke-width="1.8" {}
                }
                StatusKind::InProgress => {
                    circle cx="8" cy="8" r="6.75" fill="none" stroke="currentColor" stroke-width="1.5" {}
                    path d="M8 1.5a6.5 6.5 0 0 1 0 13z" fill="currentColor" {}
                }
                StatusKind::NotYet => circle cx="8" cy="8" r="6.75" fill="none" stroke="currentColor" stroke-width="1.5" {},
                StatusKind::NotApplicable => {
                    circle cx="8" cy="8" r="6.75" fill="none" stroke="currentColor" stroke-width="1.5" {}
                    path d="M5 8h6" stroke="currentColor" stroke-width="1.7" {}
                }
            }
        }
    }
}
