//! An assessment as a page: no script, nothing loaded, every text escaped, readable in print and without colour.

mod controls;
mod drift;
mod fix_next;
mod mark;
mod matrix;
mod summary;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::{
    assessment::Assessment,
    render::{NOTICE, SCOPE},
};

/// The style of [`fragment`].
///
/// Every selector begins with the class `posture` or one that begins with `posture-`, so it styles nothing else of a host
/// page. The colours are custom properties such as `--posture-accent`, which the host may set on `.posture`.
pub const STYLE: &str = include_str!("html/style.css");

const PAGE_STYLE: &str = include_str!("html/page.css");

/// The assessment as a page of its own.
///
/// Its content security policy (a `meta` element) allows its one style element by hash and nothing else, so it is safe
/// to open from a disk and to serve with `default-src 'none'; style-src` and [`style_hash`].
#[must_use]
pub fn page(assessment: &Assessment) -> String {
    let policy = format!("default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'", style_hash());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { "Compliance posture" }
                style { (PreEscaped(page_style())) }
            }
            body {
                header { h1 { "Compliance posture" } p { (NOTICE) } }
                main { (body(assessment)) }
            }
        }
    }
    .into_string()
}

/// The assessment as one `div` to put into a page of the application, which also has to carry [`STYLE`].
///
/// Headings begin at level 2. Identifiers begin with `posture-`.
#[must_use]
pub fn fragment(assessment: &Assessment) -> String {
    body(assessment).into_string()
}

/// The style element of [`page`] as a source for the `style-src` of a content security policy: `sha256-..`.
#[must_use]
pub fn style_hash() -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(page_style())))
}

fn page_style() -> String {
    format!("{PAGE_STYLE}{STYLE}")
}

fn body(assessment: &Assessment) -> Markup {
    html! {
        div class="posture" {
            (summary::hero(assessment))
            (summary::tiles(assessment))
            (drift::section(assessment))
            div class="posture-columns" {
                (matrix::section(assessment))
                (fix_next::section(assessment))
            }
            (controls::section(assessment))
            footer class="posture-scope" {
                p { strong { "Scope. " } (SCOPE) " " (NOTICE) }
                p {
                    "SHA-256 of the JSON export, to compare with " code { "sha256sum posture.json" } ": "
                    code class="posture-digest" { (assessment.digest()) }
                }
            }
        }
    }
}
