//! The operators' outbox, because the example sends no mail.

use axum::extract::State;
use maud::{Markup, html};

use super::{
    WebApp,
    layout::{Place, page},
};
use crate::authority::Viewer;

/// `GET /administration/outbox`
pub(crate) async fn show(State(app): WebApp, viewer: Viewer) -> Markup {
    let messages = app.outbox.messages();
    let content = html! {
        div.note.warn { p { "Whoever reads this page can take over the accounts whose messages it shows. That is why only the platform's own people see it, and why a real application sends its mail instead." } }
        @if messages.is_empty() { p.muted { "Nothing was sent since the start." } }
        @for message in &messages {
            div.card {
                h2 { (message.subject) }
                p.muted { "To " (message.to) ", " (message.at.format("%Y-%m-%d %H:%M")) " UTC" }
                p { (message.text) }
                @if let Some(link) = &message.link { p { a.long href=(link) { (link) } } }
            }
        }
    };
    page(&viewer.user, Place::Outbox, "Outbox", "Messages that a mail server would have.", &content)
}
