//! Recording, in the caller's transaction.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{Entry, Error, entry::Composed, error::Repr, format, store::Receipt};

// One statement, so that there is nothing between its parts. It reads no head and locks nothing.
macro_rules! record {
    ($payload:literal) => {
        concat!(
            "
WITH entry AS (
    INSERT INTO stockade.audit_entry (
        entry_id, tenant_id, format, recorded_at, occurred_at, action, severity, outcome, actor_kind, actor_id,
        actor_role, on_behalf_of, impersonation, entity_type, entity_id, method, endpoint, status, request_id,
        before, after, changes, personal_paths, commitments, leaf)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
        $20::text::json, $21::text::json, $22::text::json, $23, $24, $25)
)",
            $payload,
            "
INSERT INTO stockade.audit_unsealed (tenant_id, entry_id) VALUES ($2, $1)"
        )
    };
}

const RECORD: &str = record!("");
const RECORD_PERSONAL: &str = record!(
    ", payload AS (
    INSERT INTO stockade.audit_payload (entry_id, tenant_id, field_values, salts) VALUES ($1, $2, $26, $27)
)"
);

/// Records an entry in the caller's transaction, with the system's time. Takes no lock and reads no
/// head.
///
/// Works through anything that executes statements for the role group `stockade_app` with the
/// tenant's context set. If it fails, the transaction cannot commit: a change that cannot be
/// recorded does not happen.
///
/// # Errors
/// [`InvalidEntry`](crate::ErrorKind::InvalidEntry) if a part cannot be recorded (nothing was sent,
/// the transaction can go on); [`Refused`](crate::ErrorKind::Refused) without the tenant's context,
/// for another tenant, or with a clock more than five minutes from the database's; and the errors
/// of the connection.
pub async fn record<'e>(executor: impl PgExecutor<'e>, entry: &Entry) -> Result<Receipt, Error> {
    record_at(executor, entry, Utc::now()).await
}

/// [`record()`], with the time from the caller's clock.
///
/// # Errors
/// As [`record()`].
pub async fn record_at<'e>(executor: impl PgExecutor<'e>, entry: &Entry, now: DateTime<Utc>) -> Result<Receipt, Error> {
    write(executor, entry.compose(now)?).await
}

/// Writes what has been composed.
pub(super) async fn write<'e>(executor: impl PgExecutor<'e>, composed: Composed) -> Result<Receipt, Error> {
    let Composed { fields, openings, envelope } = composed;
    let (format, time) = (format::FORMAT.cast_signed(), |millis| DateTime::<Utc>::from_timestamp_millis(millis));
    let (leaf, recorded_at) = (envelope.leaf(), time(fields.recorded_at).unwrap_or_default());
    let (paths, commitments): (Vec<_>, Vec<_>) =
        fields.commitments.into_iter().map(|(path, commitment)| (path, commitment.as_bytes().to_vec())).unzip();
    let personal = !paths.is_empty();
    let (values, salts): (Vec<_>, Vec<_>) =
        openings.into_iter().map(|opening| (opening.value, opening.salt.as_bytes().to_vec())).unzip();
    let statement = sqlx::query(if personal { RECORD_PERSONAL } else { RECORD });
    let statement = statement
        .bind(fields.entry_id)
        .bind(Uuid::from(fields.tenant))
        .bind(format)
        .bind(recorded_at)
        .bind(fields.occurred_at.and_then(time))
        .bind(fields.action)
        .bind(i16::from(fields.severity))
        .bind(fields.outcome)
        .bind(fields.actor_kind)
        .bind(fields.actor_id)
        .bind(fields.actor_role)
        .bind(fields.on_behalf_of)
        .bind(fields.impersonation)
        .bind(fields.entity_type)
        .bind(fields.entity_id)
        .bind(fields.method)
        .bind(fields.endpoint)
        .bind(fields.status.map(u16::cast_signed))
        .bind(fields.request_id)
        .bind(fields.before)
        .bind(fields.after)
        .bind(fields.changes)
        .bind(personal.then_some(paths))
        .bind(personal.then_some(commitments))
        .bind(leaf.as_bytes().as_slice());
    let statement = if personal { statement.bind(values).bind(salts) } else { statement };
    let done = statement.execute(executor).await?;
    match done.rows_affected() {
        1 => Ok(Receipt { entry_id: fields.entry_id, leaf, recorded_at, link: None }),
        // A rule or an INSTEAD trigger that somebody put on the table can swallow a row without an
        // error.
        _ => Err(Repr::Swallowed.into()),
    }
}
