//! The audit log as it goes on, one row of the table at a time.

use std::num::NonZeroU32;

use axum::{
    extract::State,
    response::{Response, sse::Event},
};
use http::HeaderMap;
use serde::Deserialize;
use stockade::{audit_chain::postgres::follow, rbac::Resource, session::tower::Visit};
use uuid::Uuid;

use super::{
    Search,
    rows::{Names, row},
};
use crate::{
    domain::{people, retention},
    permissions::Perm,
    web::{
        Query, SignedIn, WebApp,
        live::{End, Following, Goes, answer, resume},
        problem::Problem,
    },
};

/// As many entries as are sent after a break. Who missed more loads the page.
const MOST_BEHIND: u64 = 200;
/// As many as are read at once.
const BATCH: NonZeroU32 = NonZeroU32::new(50).unwrap();

/// What the page had seen.
#[derive(Deserialize)]
pub(crate) struct Seen {
    seen: Option<u64>,
}

/// `GET /audit/stream`
pub(crate) async fn stream(
    State(app): WebApp,
    visit: Visit,
    visitor: SignedIn,
    headers: HeaderMap,
    Query(page): Query<Seen>,
    Query(form): Query<Search>,
) -> Result<Response, Problem> {
    let seen = resume(&headers, page.seen);
    answer(app, visit, &visitor, Perm::AuditView, move |following| go_on(following, form, seen))
}

async fn go_on(mut following: Following, form: Search, seen: Option<u64>) -> Goes {
    let head = following.beyond(0).await?;
    let mut seen = seen.map_or(head, |seen| seen.min(head));
    if head - seen > MOST_BEHIND {
        return Err(End::ForGood("Many entries are new. Reload the page to see them."));
    }
    loop {
        let head = following.beyond(seen).await?;
        seen = deliver(&following, &form, seen, head).await?;
    }
}

/// Sends what is new behind `seen`, read in the scope of a person who may still see it. Says how far it came.
async fn deliver(following: &Following, form: &Search, seen: u64, head: u64) -> Goes<u64> {
    let mut look = following.still().await?;
    let tenant = look.user.tenant_id;
    if look.require(Perm::AuditView, &Resource::in_tenant(tenant), ("audit_log", "tenant")).is_err() {
        return Err(End::ForGood("You may not see this page any more."));
    }
    let (filter, _) = form.filter(tenant);
    let rows = follow(&mut look.tx, &filter.limit(BATCH), seen).await?;
    let entries: Vec<Uuid> = rows.iter().map(|row| row.entry_id).collect();
    let erased = retention::erased(&mut look.tx, &entries).await?;
    let people = Names(people::all(&mut look.tx).await?);
    look.close().await?;
    let last = rows.last().and_then(|row| row.seq);
    for entry in &rows {
        let id = entry.seq.unwrap_or_default().to_string();
        following.send(Event::default().event("row").id(id).data(row(entry, &people, &erased).into_string())).await?;
    }
    match last {
        // A batch that was not filled has looked at everything up to the head.
        Some(last) if last >= head || rows.len() >= BATCH.get() as usize => Ok(last),
        _ => {
            // No row, but the place from which a new connection goes on.
            following.send(Event::default().id(head.to_string())).await?;
            Ok(head)
        }
    }
}
