//! Purging whole months whose time is over.

use std::{collections::BTreeMap, num::NonZeroU32};

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::appending;
use crate::{
    Digest, Error, Head, PurgeRequest, PurgedRange, TenantId,
    error::Repr,
    store::{PurgeRefusal, PurgedTenant},
};

/// What became of a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purge {
    /// The months are gone; there can have been none.
    Done {
        /// How many months.
        months: u64,
        /// What each tenant lost, and the entry that states it.
        tenants: Vec<PurgedTenant>,
    },
    /// Nothing was purged.
    Refused(PurgeRefusal),
}

const RANGES: &str = "SELECT r.list_id, r.tenant_id, r.first_seq, r.last_seq, r.before, r.after
FROM stockade.audit_purgeable($1) r";
const PURGE: &str = "SELECT stockade.audit_purge($1, $2, $3, $4, $5, $6)";
const LENGTHEN: &str = "SELECT stockade.audit_lengthen_retention($1)";

/// Drops the whole months before `before`, of all tenants, and records for each tenant what it lost: ranges of numbers between
/// hashes of the links, which stay. In one transaction.
///
/// `kept` are heads that were kept outside the database, such as those of earlier reports or of a signed checkpoint: each tenant
/// needs one behind its last purged entry. A month in which a held tenant has an entry that the hold covers stays, for all
/// tenants, until the hold is released.
///
/// Needs a connection in the role group `stockade_purger` that is in no transaction. Nobody writes to the log while the months are
/// dropped, which takes milliseconds; if a reader holds them for five seconds, nothing is purged.
///
/// # Errors
/// [`Refused`](crate::ErrorKind::Refused) without the role, [`Unavailable`](crate::ErrorKind::Unavailable) if a transaction was in
/// the way, and the errors of the connection. A refusal by the rules is not an error.
pub async fn purge(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
    request: &PurgeRequest,
    kept: &[Head],
) -> Result<Purge, Error> {
    match try_purge(connection, before, request, kept).await {
        Ok((months, tenants)) => Ok(Purge::Done { months, tenants }),
        Err(error) => refusal(&error).map(Purge::Refused).ok_or(error),
    }
}

/// Keeps every entry for at least so many months from now on: 84 by default, and never fewer than before.
///
/// Needs a connection in the role group `stockade_purger`.
///
/// # Errors
/// [`Refused`](crate::ErrorKind::Refused) without the role or if that is not longer than before, and the errors of the connection.
pub async fn lengthen_retention(connection: &mut PgConnection, months: NonZeroU32) -> Result<(), Error> {
    let months = i32::try_from(months.get()).unwrap_or(i32::MAX);
    sqlx::query(LENGTHEN).bind(months).execute(connection).await?;
    Ok(())
}

async fn try_purge(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
    request: &PurgeRequest,
    kept: &[Head],
) -> Result<(u64, Vec<PurgedTenant>), Error> {
    let mut tx = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let rows: Vec<Row> = sqlx::query_as(RANGES).bind(before).fetch_all(&mut *tx).await?;
    let mut lists: BTreeMap<(TenantId, Uuid), Vec<PurgedRange>> = BTreeMap::new();
    for row in rows {
        lists.entry((TenantId::from(row.1), row.0)).or_default().push(range(row)?);
    }
    let (mut tenants, mut ids, mut envelopes) = (Vec::new(), Vec::new(), Vec::new());
    for ((tenant, list), ranges) in lists {
        let composed = request.entry(tenant, before, &ranges).compose(Utc::now())?;
        envelopes.push(composed.envelope.encode().to_vec());
        ids.push(list);
        tenants.push(PurgedTenant { tenant, receipt: appending::write(&mut *tx, composed).await?, ranges });
    }
    let months: i64 = sqlx::query_scalar(PURGE)
        .bind(ids)
        .bind(column(&tenants, |purged| purged.receipt.entry_id))
        .bind(envelopes)
        .bind(column(kept, |head| Uuid::from(head.tenant)))
        .bind(column(kept, |head| head.seq.cast_signed()))
        .bind(column(kept, |head| head.hash.as_bytes().to_vec()))
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok((months.unsigned_abs(), tenants))
}

type Row = (Uuid, Uuid, i64, i64, Vec<u8>, Vec<u8>);

fn range((_, _, first, last, before, after): Row) -> Result<PurgedRange, Error> {
    let number = |seq| u64::try_from(seq).map_err(|_| Repr::Malformed("a link has a negative number"));
    let (before, after) = (Digest::try_from(before.as_slice())?, Digest::try_from(after.as_slice())?);
    Ok(PurgedRange { first: number(first)?, last: number(last)?, before, after })
}

fn refusal(error: &Error) -> Option<PurgeRefusal> {
    match error.database_code()?.as_ref() {
        "AC001" => Some(PurgeRefusal::BelowFloor),
        "AC002" => Some(PurgeRefusal::Unsealed),
        "AC003" => Some(PurgeRefusal::Incomplete),
        "AC004" => Some(PurgeRefusal::Uncovered),
        _ => None,
    }
}

fn column<T, U>(rows: &[T], value: impl Fn(&T) -> U) -> Vec<U> {
    rows.iter().map(value).collect()
}
