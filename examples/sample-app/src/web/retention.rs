//! Retention: legal holds, and the erasure of a person's values from the audit log. Each takes two steps.

mod erasure;
mod holds;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use maud::{Markup, html};
use stockade::rbac::Resource;

pub(crate) use self::{
    erasure::erase,
    holds::{place, release},
};
use super::{
    SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    desk::Desk,
    domain::{
        drivers, people,
        retention::{self, Who},
    },
    permissions::Perm,
};

/// The longest text that a person may enter here, in characters.
const LONGEST: usize = 120;

/// `GET /administration/retention`
pub(crate) async fn show(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    overview(&app, visitor, &html! {}).await
}

/// The page, with the answer to what was done.
async fn overview(app: &App, visitor: SignedIn, answer: &Markup) -> Result<Markup, Problem> {
    let mut desk = open(app, visitor, Perm::RetentionView).await?;
    let holds = retention::holds(&mut desk.tx).await?;
    let erasures = retention::erasures(&mut desk.tx).await?;
    let persons = Persons::read(&mut desk).await?;
    let own = Resource::in_tenant(desk.user.tenant_id);
    let content = html! {
        (answer)
        (holds::card(&holds, &persons, desk.may(Perm::AuditHold, &own)))
        (erasure::card(&erasures, &persons, desk.may(Perm::AuditErase, &own)))
    };
    let user = desk.user.clone();
    desk.commit(app).await?;
    let lead = "What the audit log may forget, and what it must keep. Each act is an entry of the log, and the log still verifies.";
    Ok(page(&user, Place::Retention, "Retention", lead, &content))
}

/// A desk at which `permission` holds for the tenant.
async fn open(app: &App, visitor: SignedIn, permission: Perm) -> Result<Desk, Problem> {
    let desk = app.desk(&visitor).await?;
    desk.require(permission, &Resource::in_tenant(desk.user.tenant_id), ("retention", "tenant"))?;
    Ok(desk)
}

/// The second step: what is about to happen, in words, and the same form once more, filled and confirmed.
async fn confirm(
    app: &App,
    desk: Desk,
    title: &str,
    what: &Markup,
    fields: &[(&str, &str)],
    action: &str,
) -> Result<Response, Problem> {
    let content = html! {
        form.card method="post" action=(action) {
            (what)
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            input type="hidden" name="confirmed" value="yes";
            div.actions {
                button { (title) }
                a.button.quiet href="/administration/retention" { "Cancel" }
            }
        }
    };
    let user = desk.user.clone();
    desk.commit(app).await?;
    let page = page(&user, Place::Retention, &format!("{title}?"), "Nothing has happened yet.", &content);
    Ok(page.into_response())
}

/// The page again, with what is wrong with the form.
async fn refuse(app: &App, visitor: SignedIn, complaint: &str) -> Result<Response, Problem> {
    let note = html! { div.note.warn role="alert" { p { (complaint) } } };
    let page = overview(app, visitor, &note).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// What a person entered, if it is neither empty nor too long.
fn filled(text: &str) -> Option<&str> {
    let text = text.trim();
    (!text.is_empty() && text.chars().count() <= LONGEST).then_some(text)
}

/// Everybody of whom the log may hold something, with their names.
struct Persons(Vec<(Who, String)>);

impl Persons {
    async fn read(desk: &mut Desk) -> Result<Self, Problem> {
        let people = people::all(&mut desk.tx).await?;
        let drivers = drivers::all(desk).await?;
        let people = people.into_iter().map(|person| (Who::User(person.id), person.name));
        let drivers = drivers.into_iter().map(|driver| (Who::Driver(driver.id), format!("{}, driver", driver.name)));
        Ok(Self(people.chain(drivers).collect()))
    }

    fn name(&self, who: Who) -> Option<&str> {
        self.0.iter().find(|(person, _)| *person == who).map(|(_, name)| name.as_str())
    }

    /// The name of whoever acted.
    fn actor<'a>(&'a self, id: &'a str) -> &'a str {
        id.parse().ok().and_then(|id| self.name(Who::User(id))).unwrap_or(id)
    }
}
