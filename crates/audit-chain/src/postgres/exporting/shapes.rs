//! Tables for people and programs.

use std::num::NonZeroU32;

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use sqlx::{Executor, Postgres};

use crate::{
    AuditRow, Error, csv,
    postgres::{Filter, search},
    store::csv_lines,
};

/// How many entries a piece has: enough that a page is cheap, few enough that pages of large ones fit.
const PAGE: NonZeroU32 = const { NonZeroU32::new(250).unwrap() };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Csv,
    JsonLines,
}

/// The pages of a search, one after the other.
#[derive(Debug)]
pub(super) struct Rows {
    shape: Shape,
    /// For the next page; `None` behind the last.
    filter: Option<Filter>,
    begun: bool,
}

impl Rows {
    pub(super) fn new(shape: Shape, filter: Filter) -> Self {
        Self { shape, filter: Some(filter.limit(PAGE)), begun: false }
    }

    pub(super) async fn next<E>(&mut self, executor: &mut E) -> Result<Option<(u64, Vec<u8>)>, Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let Some(filter) = self.filter.take() else { return Ok(None) };
        let page = search(executor, &filter).await?;
        self.filter = page.next.map(|cursor| filter.after(cursor));
        let begun = std::mem::replace(&mut self.begun, true);
        let text = match self.shape {
            Shape::Csv if begun => csv_lines(&page.rows),
            Shape::Csv => csv(&page.rows),
            Shape::JsonLines => page.rows.iter().map(|row| format!("{}\n", json_line(row))).collect(),
        };
        Ok(Some((page.rows.len() as u64, text.into_bytes())))
    }
}

/// A row as JSON. What an entry does not have is absent.
fn json_line(row: &AuditRow) -> Value {
    let time = |time: &chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let members = [
        ("seq", row.seq.map(Value::from)),
        ("entry_id", Some(row.entry_id.to_string().into())),
        ("tenant", Some(row.tenant.to_string().into())),
        ("recorded_at", Some(time(&row.recorded_at).into())),
        ("occurred_at", row.occurred_at.as_ref().map(|moment| time(moment).into())),
        ("severity", Some(row.severity.as_str().into())),
        ("outcome", Some(row.outcome.as_str().into())),
        ("action", Some(row.action.as_str().into())),
        ("actor_kind", Some(row.actor_kind.as_str().into())),
        ("actor_id", Some(row.actor_id.as_str().into())),
        ("actor_name", row.actor_name.as_deref().map(Value::from)),
        ("actor_role", row.actor_role.as_deref().map(Value::from)),
        ("on_behalf_of", row.on_behalf_of.as_deref().map(Value::from)),
        ("impersonation", row.impersonation.as_deref().map(Value::from)),
        ("entity_type", row.entity_type.as_deref().map(Value::from)),
        ("entity_id", row.entity_id.as_deref().map(Value::from)),
        ("before", row.before.clone()),
        ("after", row.after.clone()),
        ("changes", (!row.changes.is_empty()).then(|| json!(row.changes))),
        ("ip", row.ip.map(|ip| ip.to_string().into())),
        ("user_agent", row.user_agent.as_deref().map(Value::from)),
        ("method", row.method.as_deref().map(Value::from)),
        ("endpoint", row.endpoint.as_deref().map(Value::from)),
        ("status", row.status.map(Value::from)),
        ("request_id", row.request_id.as_deref().map(Value::from)),
    ];
    let present = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect::<Map<_, _>>())
}
