//! Capturing: entries that the database itself records, for every change of a table.

mod context;
mod table;

use sqlx::PgExecutor;

pub use context::{capture_as, capture_context};
pub use table::Capture;

use crate::{Error, error::Repr};

const ATTACH: &str = "SELECT stockade.audit_attach(
    pg_catalog.to_regclass(pg_catalog.concat_ws('.', pg_catalog.quote_ident($1), pg_catalog.quote_ident($2))),
    $3, $4, $5, $6, $7, $8)";

// A table that was dropped is known by the name it had.
const DETACH: &str = "WITH named AS (
    SELECT pg_catalog.concat_ws('.', pg_catalog.quote_ident($1), pg_catalog.quote_ident($2)) AS name)
SELECT stockade.audit_detach(coalesce(pg_catalog.to_regclass(n.name),
    (SELECT a.relation FROM stockade.audit_attached a WHERE a.called = n.name ORDER BY a.position DESC LIMIT 1)))
FROM named n";

/// Captures a table from now on: whoever inserts, updates or deletes a row of it, by whichever statement, records an entry in
/// the same transaction. Says whether anything was changed by this call, so that it can be made at every start.
///
/// For a role that owns the table and is in the group `stockade_attacher`. Waits for transactions that are writing to the table.
/// Options that differ from those before replace them; each change is an entry `audit.attached` of the nil tenant.
///
/// # Errors
/// [`NotCapturable`](crate::ErrorKind::NotCapturable) with what is wrong; [`Refused`](crate::ErrorKind::Refused) for a role that
/// is not the owner or not in the group; and the errors of the connection.
pub async fn attach<'e>(executor: impl PgExecutor<'e>, capture: &Capture) -> Result<bool, Error> {
    let query = sqlx::query_scalar(ATTACH).bind(capture.schema.as_deref()).bind(capture.table.as_str());
    let query = query.bind(capture.tenant.as_str()).bind(capture.id.as_deref()).bind(capture.entity.as_deref());
    let query = query.bind(capture.action.as_deref()).bind(&capture.personal).bind(&capture.left_out);
    query.fetch_one(executor).await.map_err(refusal)
}

/// Ends the capture of the table that `capture` names; nothing else of it counts. Says whether there was one. Records an entry
/// `audit.detached` of the nil tenant.
///
/// For a role that owns the table and is in the group `stockade_attacher`. A table that was dropped while it was attached is
/// detached by its name with its schema. A partition that was taken out of its table is not captured any more, and refuses
/// `TRUNCATE` until it is detached here.
///
/// # Errors
/// As [`attach`].
pub async fn detach<'e>(executor: impl PgExecutor<'e>, capture: &Capture) -> Result<bool, Error> {
    let query = sqlx::query_scalar(DETACH).bind(capture.schema.as_deref()).bind(capture.table.as_str());
    query.fetch_one(executor).await.map_err(refusal)
}

/// What the functions of the database refuse, by the codes of their own.
fn refusal(error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let problem = match code.as_deref() {
        Some("AC010") => "there is no such table",
        Some("AC011") => "only an ordinary or a partitioned table of the application can be captured",
        Some("AC012") => "a partition is captured with its table",
        Some("AC013") => "the table has no such tenant column of type uuid that is NOT NULL",
        Some("AC014") => "the table has no primary key: name the columns that identify a row",
        Some("AC015") => "the table has no such column",
        Some("AC016") => return Repr::NotOwner.into(),
        Some("AC017") => "a column cannot be tenant, id, personal and left out at once",
        Some("AC018") => "changes can be captured in a database whose encoding is UTF8",
        Some("AC019") => "the entity type or the action is empty, too long, or one of the log itself",
        _ => return error.into(),
    };
    Repr::NotCapturable(problem).into()
}
