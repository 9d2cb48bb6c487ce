//! A person's own account: sessions, second factor, password, API tokens.

pub(crate) mod factor;
pub(crate) mod password;
pub(crate) mod proof;
pub(crate) mod sessions;
pub(crate) mod tokens;

use std::time::Duration;

use maud::{Markup, html};
use stockade::session::{Fresh, Session};

use super::{
    layout::{Place, page},
    problem::Problem,
};
use crate::{app::App, domain::people::User};

/// How long a proof of who is there counts.
const PROOF: Duration = Duration::from_secs(10 * 60);

/// The pages, by the last part of their path.
const PAGES: [(&str, &str); 4] =
    [("sessions", "Sessions"), ("second-factor", "Second factor"), ("password", "Password"), ("tokens", "API tokens")];

/// One of the pages, with the way to the others above it.
fn frame(user: &User, here: &str, title: &str, lead: &str, content: &Markup) -> Markup {
    let content = html! {
        nav.tabs aria-label="Account" {
            @for (path, name) in PAGES {
                a href={ "/account/" (path) } aria-current=[(path == here).then_some("page")] { (name) }
            }
        }
        (content)
    };
    page(user, Place::Account, title, lead, &content)
}

/// The session, if its person proved lately who they are. Otherwise they are asked, and come back to `from`.
fn proven(app: &App, session: &Session, from: &'static str) -> Result<Fresh, Problem> {
    app.auth.fresh(session, PROOF).ok_or(Problem::Unproven(from))
}
