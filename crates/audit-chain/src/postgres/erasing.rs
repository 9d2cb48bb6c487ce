//! Erasing personal values.

use chrono::Utc;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::appending;
use crate::{
    Digest, ErasedValue, ErasureEvidence, ErasureRequest, Error, TenantId,
    store::{Erasure, Subject},
};

const SELECT: &str = "SELECT s.entry_id, s.path, s.commitment, s.opens, s.held
FROM stockade.audit_erasable($1, $2, $3, $4, $5, $6) s";

const ERASE: &str = "SELECT stockade.audit_erase($1, $2, $3, $4, $5)";

/// Erases values and their salts for good, and records that it was done, in one transaction. Nothing else of the entries
/// changes, and the log still verifies.
///
/// Needs a connection in the role group `stockade_eraser` that is in no transaction. What copies, backups and exports hold is not
/// erased by this.
///
/// # Errors
/// [`Refused`](crate::ErrorKind::Refused) without the role, [`Unavailable`](crate::ErrorKind::Unavailable) if the values changed
/// meanwhile, and the errors of the connection. What a hold or an alteration keeps is not an error.
pub async fn erase(
    connection: &mut PgConnection,
    tenant: TenantId,
    subject: &Subject,
    request: &ErasureRequest,
) -> Result<Erasure, Error> {
    let mut tx = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let found: Vec<(Uuid, String, Vec<u8>, bool, bool)> = select(tenant, subject).fetch_all(&mut *tx).await?;
    let (mut erased, mut held, mut altered) = (Vec::new(), Vec::new(), Vec::new());
    for (entry_id, path, commitment, opens, is_held) in found {
        let value = ErasedValue { entry_id, path, commitment: Digest::try_from(commitment.as_slice())? };
        match (opens, is_held) {
            (false, _) => altered.push(value),
            (true, true) => held.push(value),
            (true, false) => erased.push(value),
        }
    }
    let root = ErasureEvidence::root(&erased);
    if erased.is_empty() {
        return Ok(Erasure { receipt: None, erased, root, held, altered });
    }
    let composed = request.entry(tenant, &erased).compose(Utc::now())?;
    let envelope = composed.envelope.encode().to_vec();
    let receipt = appending::write(&mut *tx, composed).await?;
    let (entries, paths): (Vec<Uuid>, Vec<&str>) =
        erased.iter().map(|value| (value.entry_id, value.path.as_str())).unzip();
    let query = sqlx::query(ERASE).bind(receipt.entry_id).bind(Uuid::from(tenant)).bind(envelope);
    query.bind(entries).bind(paths).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(Erasure { receipt: Some(receipt), erased, root, held, altered })
}

type Selection<'q, T> = sqlx::query::QueryAs<'q, sqlx::Postgres, T, sqlx::postgres::PgArguments>;

fn select<'q, T>(tenant: TenantId, subject: &'q Subject) -> Selection<'q, T>
where
    T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    let (mut actor, mut kind, mut id, mut entries, mut paths) = (None, None, None, Vec::new(), Vec::new());
    match subject {
        Subject::Actor(subject) => actor = Some(subject.as_str()),
        Subject::Entity { kind: of, id: entity } => (kind, id) = (Some(of.as_str()), Some(entity.as_str())),
        Subject::Values(values) => {
            (entries, paths) = values.iter().map(|(entry, path)| (*entry, path.as_str())).unzip();
        }
    }
    sqlx::query_as(SELECT).bind(Uuid::from(tenant)).bind(actor).bind(kind).bind(id).bind(entries).bind(paths)
}
