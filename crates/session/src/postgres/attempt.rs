//! Counted attempts.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, query, query_scalar};

use crate::{
    lockout::LockoutPolicy,
    store::{Digest, Reservation},
};

pub(super) async fn reserve(
    pool: &PgPool,
    bucket: &Digest,
    policy: &LockoutPolicy,
    now: DateTime<Utc>,
) -> sqlx::Result<Reservation> {
    let locks: Vec<i64> = policy.locks().iter().map(chrono::TimeDelta::num_milliseconds).collect();
    let granted: Option<Option<DateTime<Utc>>> = query_scalar(
        "INSERT INTO stockade.auth_attempt AS a (bucket, number, last_at, locked_until)
         VALUES ($1, 1, $2, CASE WHEN $4 <= 1 THEN $2 + ($5::bigint[])[1] * interval '1 millisecond' END)
         ON CONFLICT (bucket) DO UPDATE SET (number, last_at, locked_until) = (
             SELECT n.number, $2, CASE WHEN n.number >= $4 THEN
                 $2 + ($5::bigint[])[least(n.number - $4 + 1, cardinality($5::bigint[]))] * interval '1 millisecond' END
             FROM (SELECT CASE WHEN a.last_at <= $3 THEN 1 ELSE least(a.number, 2147483646) + 1 END AS number) n
         )
         WHERE a.locked_until IS NULL OR a.locked_until <= $2
         RETURNING a.locked_until",
    )
    .bind(bucket.as_bytes().as_slice())
    .bind(now)
    .bind(now - policy.memory())
    .bind(i32::try_from(policy.limit().get()).unwrap_or(i32::MAX))
    .bind(locks)
    .fetch_optional(pool)
    .await?;
    Ok(match granted {
        Some(locked_until) => Reservation::Granted { locked_until },
        None => Reservation::Locked,
    })
}

pub(super) async fn clear(pool: &PgPool, bucket: &Digest) -> sqlx::Result<()> {
    query("DELETE FROM stockade.auth_attempt WHERE bucket = $1")
        .bind(bucket.as_bytes().as_slice())
        .execute(pool)
        .await
        .map(drop)
}
