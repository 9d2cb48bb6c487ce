//! Who makes the changes of a transaction, and in which request.

use std::fmt::Write as _;

use chrono::Utc;
use serde_json::{Map, Value};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{Actor, Entry, Error, RequestContext, TenantId};

const SAY: &str = "SELECT pg_catalog.set_config('stockade.audit_context', $1, true)";

/// Says who makes the changes of a transaction, and in which request, for the entries that are [captured](super::attach) in it from
/// here on. Ends with the transaction; outside of one it says nothing.
///
/// Without it the actor is of the kind [`System`](crate::ActorKind::System) and its id is the login's name. The database believes what is
/// said here, as it believes the actor of an [`Entry`].
///
/// # Errors
/// [`InvalidEntry`](crate::ErrorKind::InvalidEntry) if a part could not be recorded in an entry (nothing was sent), and the errors of
/// the connection.
pub async fn capture_as<'e>(
    executor: impl PgExecutor<'e>,
    actor: &Actor,
    request: &RequestContext,
) -> Result<(), Error> {
    sqlx::query(SAY).bind(capture_context(actor, request)?).execute(executor).await?;
    Ok(())
}

/// The text that [`capture_as`] gives the setting `stockade.audit_context`, for whoever sets it together with `BEGIN`: a login that
/// `set_config` was taken from cannot run [`capture_as`]. It is JSON of printable ASCII without `$` and `'`.
///
/// # Errors
/// [`InvalidEntry`](crate::ErrorKind::InvalidEntry) if a part could not be recorded in an entry.
pub fn capture_context(actor: &Actor, request: &RequestContext) -> Result<String, Error> {
    // What an entry of the crate would refuse must not fail later, in a statement of the application.
    let probe = Entry::new(TenantId::from(Uuid::nil()), actor.clone(), "audit.context").request(request.clone());
    probe.record_at(Utc::now())?;
    let mut text = String::new();
    for character in said(actor, request).to_string().chars() {
        match character {
            // None of the others stands outside of JSON's strings, where alone it may be escaped (RFC 8259, section 7).
            ' '..='~' if !matches!(character, '$' | '\'') => text.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    Ok(text)
}

fn said(actor: &Actor, request: &RequestContext) -> Value {
    let text = |value: &Option<String>| value.clone().map(Value::from);
    let parts = [
        ("kind", Some(actor.kind.as_str().into())),
        ("id", Some(actor.id.as_str().into())),
        ("name", text(&actor.name)),
        ("role", text(&actor.role)),
        ("on_behalf_of", text(&actor.on_behalf_of)),
        ("impersonation", text(&actor.impersonation)),
        ("ip", request.ip.map(|ip| ip.to_string().into())),
        ("user_agent", text(&request.user_agent)),
        ("method", text(&request.method)),
        ("endpoint", text(&request.endpoint)),
        ("status", request.status.map(Value::from)),
        ("request_id", text(&request.request_id)),
    ];
    parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_context_is_json_that_no_quotes_can_be_closed_in() {
        let agent = "a'b\"c\\d$e$ \u{7f}\u{e9}\u{1f680}\n\u{ff04}";
        let text = capture_context(&Actor::user("u-1"), &RequestContext::new().user_agent(agent)).unwrap();
        assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"$'".contains(&byte)), "{text}");
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read, json!({ "kind": "user", "id": "u-1", "user_agent": agent }));
        assert!(capture_context(&Actor::user("u-1"), &RequestContext::new().user_agent("\0")).is_err());
    }
}
