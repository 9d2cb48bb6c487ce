//! The card of a row's shares, and what its forms send.

use axum::{
    extract::{Path, State},
    response::Redirect,
};
use maud::{Markup, html};
use serde::Deserialize;
use stockade::rbac::{ShareLevel, postgres::SharedWith};
use uuid::Uuid;

use super::{Form, SignedIn, WebApp, problem::Problem};
use crate::{
    desk::{Desk, Reads},
    domain::{
        accounts, loads, membership, people,
        sharing::{self, Kind, New, Row, Share},
    },
    permissions::Perm,
};

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Draft {
    with: String,
    level: String,
    reason: String,
    #[serde(default)]
    until: String,
}

/// `POST /loads/{id}/shares`
pub(crate) async fn load(
    app: WebApp,
    visitor: SignedIn,
    id: Path<Uuid>,
    draft: Form<Draft>,
) -> Result<Redirect, Problem> {
    add(app, visitor, Kind::Load, id, draft).await
}

/// `POST /accounts/{id}/shares`
pub(crate) async fn account(
    app: WebApp,
    visitor: SignedIn,
    id: Path<Uuid>,
    draft: Form<Draft>,
) -> Result<Redirect, Problem> {
    add(app, visitor, Kind::Account, id, draft).await
}

/// `POST /loads/{id}/shares/{share}/end`
pub(crate) async fn end_load(app: WebApp, visitor: SignedIn, ids: Path<(Uuid, Uuid)>) -> Result<Redirect, Problem> {
    end(app, visitor, Kind::Load, ids).await
}

/// `POST /accounts/{id}/shares/{share}/end`
pub(crate) async fn end_account(app: WebApp, visitor: SignedIn, ids: Path<(Uuid, Uuid)>) -> Result<Redirect, Problem> {
    end(app, visitor, Kind::Account, ids).await
}

async fn add(
    State(app): WebApp,
    visitor: SignedIn,
    kind: Kind,
    Path(id): Path<Uuid>,
    Form(draft): Form<Draft>,
) -> Result<Redirect, Problem> {
    let new = draft.read()?;
    let mut desk = app.desk(&visitor).await?;
    let row = row(&mut desk, kind, id).await?;
    let outcome = sharing::share(&app, &mut desk, &row, &new).await?;
    desk.commit(&app).await?;
    outcome?;
    Ok(Redirect::to(&page(kind, id)))
}

async fn end(
    State(app): WebApp,
    visitor: SignedIn,
    kind: Kind,
    Path((id, share)): Path<(Uuid, Uuid)>,
) -> Result<Redirect, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let row = row(&mut desk, kind, id).await?;
    let outcome = sharing::end(&app, &mut desk, &row, share).await?;
    desk.commit(&app).await?;
    outcome?;
    Ok(Redirect::to(&page(kind, id)))
}

fn page(kind: Kind, id: Uuid) -> String {
    format!("/{}s/{id}", kind.name())
}

/// The row, if the person sees it.
async fn row(desk: &mut Desk, kind: Kind, id: Uuid) -> Result<Row, Problem> {
    let person = desk.user.id;
    let facts = match kind {
        Kind::Load => loads::find(desk, id).await?.map(|load| load.resource(person)),
        Kind::Account => accounts::find(desk, id).await?.map(|account| account.resource(person)),
    };
    Ok(Row { kind, id, facts: facts.ok_or(Problem::NotFound)? })
}

impl Draft {
    fn read(&self) -> Result<New, Problem> {
        let ask = |text: &str| Problem::Refused(text.to_owned());
        let (kind, id) = self.with.split_once(':').ok_or(Problem::Malformed)?;
        let id: Uuid = id.parse().map_err(|_| Problem::Malformed)?;
        let with = match kind {
            "user" => SharedWith::User(id.into()),
            "office" => SharedWith::Office(id.into()),
            _ => return Err(Problem::Malformed),
        };
        let level = if self.level == "edit" { ShareLevel::Edit } else { ShareLevel::View };
        let reason =
            membership::reason(&self.reason).ok_or_else(|| ask("Give a reason, in at most 200 characters."))?;
        let until = match self.until.trim() {
            "" => None,
            day => Some(membership::end_of(day).ok_or_else(|| ask("The day is not one such as 2026-09-30."))?),
        };
        Ok(New { with, level, reason, until })
    }
}

/// With whom a row is shared, and the form that shares it.
pub(super) struct Card {
    kind: Kind,
    id: Uuid,
    shares: Vec<Share>,
    people: Vec<(Uuid, String)>,
    offices: Vec<(Uuid, String)>,
    may: bool,
}

impl Card {
    /// Reads what the card shows. `facts` are those of the row.
    pub(super) async fn read<W: Reads<Perm>>(desk: &mut Desk<W>, row: &Row) -> Result<Self, Problem> {
        let shares = sharing::of(desk, row.kind, row.id).await?;
        let people = people::all(desk.tx()).await?.into_iter().map(|user| (user.id, user.name)).collect();
        let offices = sqlx::query_as("SELECT id, name FROM freight.offices ORDER BY name").fetch_all(desk.tx()).await?;
        Ok(Self {
            kind: row.kind,
            id: row.id,
            shares,
            people,
            offices,
            may: desk.may(row.kind.permission(), &row.facts),
        })
    }

    pub(super) fn render(&self) -> Markup {
        let base = format!("{}/shares", page(self.kind, self.id));
        html! {
            @if self.may || !self.shares.is_empty() {
                div.card {
                    h2 { "Shared with" }
                    @for share in &self.shares {
                        div.row.held {
                            div.field {
                                strong { (share.with) } " " span.badge { @if share.level == "edit" { "may edit" } @else { "may look" } } " "
                                span.muted { @if let Some(until) = share.expires_at { "until " (membership::last_day(until)) ": " } (share.reason) }
                            }
                            @if self.may {
                                form.inline method="post" action={ (base) "/" (share.share_id) "/end" } { button.quiet.small { "End" } }
                            }
                        }
                    }
                    @if self.shares.is_empty() { p.muted { "Nobody beside its own office." } }
                    @if self.may {
                        form.below method="post" action=(base) {
                            div.row {
                                div.field { label for="with" { "Share with" } select id="with" name="with" {
                                    optgroup label="Offices" { @for (id, name) in &self.offices { option value={ "office:" (id) } { (name) } } }
                                    optgroup label="People" { @for (id, name) in &self.people { option value={ "user:" (id) } { (name) } } }
                                } }
                                div.field { label for="level" { "For" } select id="level" name="level" { option value="view" { "looking" } option value="edit" { "editing" } } }
                                div.field { label for="share-reason" { "Reason" } input id="share-reason" name="reason" required maxlength="200"; }
                                div.field { label for="share-until" { "Until (optional)" } input id="share-until" name="until" type="date"; }
                                div.field { button { "Share" } }
                            }
                            p.muted { "A share shows one row to somebody. It gives no permission that they do not have." }
                        }
                    }
                }
            }
        }
    }
}
