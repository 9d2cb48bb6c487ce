//! Encryption: how much of each column is sealed, the keys, and the steps of exchanging them.

use axum::{extract::State, response::Redirect};
use maud::{Markup, html};
use serde::Deserialize;
use stockade::{field_crypto::KeyChange, rbac::Resource};

use super::{
    Form, SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    domain::encryption::{self, Became, Coverage, Status, Step},
    permissions::Perm,
};

/// `GET /administration/encryption`
pub(crate) async fn show(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    render(&app, visitor, &html! {}).await
}

/// The step that the person saw.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    step: String,
}

/// `POST /administration/encryption/rotation`
pub(crate) async fn rotate(State(app): WebApp, visitor: SignedIn, Form(seen): Form<Seen>) -> Result<Markup, Problem> {
    let desk = app.desk(&visitor).await?;
    let became = encryption::advance(&app, desk, &seen.step).await?;
    let became = became.map_err(|refused| Problem::Refused(refused.to_string()))?;
    render(&app, visitor, &answer(&became)).await
}

/// `POST /administration/encryption/wrapping`
pub(crate) async fn rewrap(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let desk = app.desk(&visitor).await?;
    let done = encryption::rewrap(&app, desk).await?;
    let (report, forgotten) = done.map_err(|refused| Problem::Refused(refused.to_string()))?;
    let answer = html! {
        div.note.good[report.failed == 0].bad[report.failed > 0] role="status" {
            p { (report.rewrapped) " keys are wrapped anew, " (report.failed) " do not unwrap." }
            @for kek in &forgotten { p { "The key " code { (kek) } " wraps nothing any more and is forgotten: it can leave the keyring." } }
        }
    };
    render(&app, visitor, &answer).await
}

/// `GET /administration/encryption/rotation`: a reload of the answer.
pub(crate) async fn again() -> Redirect {
    Redirect::to("/administration/encryption")
}

fn answer(became: &Became) -> Markup {
    html! {
        @match became {
            Became::Made => div.note.good role="status" { p { "Done." } },
            Became::Rewritten(report, subjects) => div.note.good[report.failed == 0].bad[report.failed > 0] role="status" {
                p { (report.sealed) " rows are sealed anew, " (report.failed) " do not open, " (report.skipped) " were being written and are left for the next time. " (subjects) " keys of drivers are wrapped anew." }
            },
            Became::Refused(KeyChange::TooSoon) => div.note.warn role="status" { p { "Too soon: other processes may still have the older keys in memory. Try again later." } },
            Became::Refused(KeyChange::InUse { values }) => div.note.warn role="status" { p { (values) " values are still sealed under the key." } },
            Became::Refused(_) | Became::Overtaken => div.note.warn role="status" { p { "Somebody else was faster. This is how it stands now." } },
        }
    }
}

async fn render(app: &App, visitor: SignedIn, answer: &Markup) -> Result<Markup, Problem> {
    let desk = app.desk(&visitor).await?;
    let own = Resource::in_tenant(desk.user.tenant_id);
    desk.require(Perm::CryptoView, &own, ("encryption", "keys"))?;
    let (user, may) = (desk.user.clone(), desk.may(Perm::CryptoRotate, &own));
    desk.commit(app).await?;
    let status = encryption::status(app, user.tenant_id).await?;
    let content = html! {
        (answer)
        (columns(&status.columns))
        (keys(&status, may))
        (wrapping(&status, may))
    };
    let lead = "What of your data is sealed, under which keys, and how they are exchanged while you work.";
    Ok(page(&user, Place::Encryption, "Encryption", lead, &content))
}

fn columns(columns: &[Coverage]) -> Markup {
    html! {
        div.card.flush {
            h2 { "Sealed columns" }
            div.scroll { table.stack {
                thead { tr { th { "Column" } th.num { "Sealed" } th.num { "Under an older key" } th.num { "Key destroyed" } th.num { "Not sealed" } } }
                tbody { @for column in columns { tr {
                    td { code { (column.column) } }
                    td.num data-label="Sealed" { (column.sealed) }
                    td.num data-label="Older key" { (column.older) }
                    td.num data-label="Key destroyed" { (column.shredded) }
                    td.num data-label="Not sealed" { @if column.open > 0 { span.badge.bad { (column.open) } } @else { "0" } }
                } } }
            } }
        }
    }
}

fn keys(status: &Status, may: bool) -> Markup {
    html! {
        div.card.flush {
            h2 { "Your keys" }
            div.scroll { table.stack {
                thead { tr { th { "No." } th { "For" } th { "State" } th { "Since (UTC)" } th { "Wrapped by" } } }
                tbody { @for key in &status.keys { tr {
                    td data-label="No." { (key.key_id) }
                    td data-label="For" { @if key.purpose == "aead" { "sealing" } @else { "finding" } }
                    td data-label="State" { (state(&key.state)) }
                    td.nowrap data-label="Since (UTC)" { (key.state_since.format("%Y-%m-%d %H:%M:%S")) }
                    td data-label="Wrapped by" { code { (key.kek_id) } }
                } } }
            } }
            @if may {
                form.padded method="post" action="/administration/encryption/rotation" {
                    input type="hidden" name="step" value=(status.next.key());
                    p { (words(status)) }
                    button { (button(status.next)) }
                }
            }
        }
    }
}

fn state(state: &str) -> Markup {
    html! {
        @match state {
            "active" => span.badge.good { "seals" },
            "decrypt_only" => span.badge { "opens only" },
            "retired" => span.badge.warn { "retired" },
            _ => span.badge { "destroyed" },
        }
    }
}

fn words(status: &Status) -> String {
    let older: u64 = status.columns.iter().map(|column| column.older).sum();
    match status.next {
        Step::Add => "Rotation, step 1 of 5: a new key is made, which opens and does not seal yet.".to_owned(),
        Step::Promote(key) => {
            format!("Step 2 of 5: new values are sealed under key {key}, once every process knows it.")
        }
        Step::Rewrite => format!(
            "Step 3 of 5: {older} values and {} keys of drivers are under an older key, and are sealed anew.",
            status.subjects_behind
        ),
        Step::Retire(key) => format!("Step 4 of 5: nothing is sealed under key {key} any more. It is retired."),
        Step::Destroy(key) => format!("Step 5 of 5: key {key} is destroyed, a week after it was retired."),
    }
}

fn button(step: Step) -> String {
    match step {
        Step::Add => "Make a new key".to_owned(),
        Step::Promote(key) => format!("Seal under key {key}"),
        Step::Rewrite => "Seal everything anew".to_owned(),
        Step::Retire(key) => format!("Retire key {key}"),
        Step::Destroy(key) => format!("Destroy key {key}"),
    }
}

fn wrapping(status: &Status, may: bool) -> Markup {
    html! {
        div.card {
            h2 { "Keys that wrap keys" }
            @for (kek, keys) in &status.keks { p { code { (kek) } " wraps " (keys) " keys." } }
            p.muted { "They are in the keyring that the program is started with. To exchange one: start it with the new one before the old, wrap anew, and leave the old one out of the next start. No sealed value changes." }
            @if may { form method="post" action="/administration/encryption/wrapping" { button.quiet { "Wrap every key under the first of the keyring" } } }
        }
    }
}
