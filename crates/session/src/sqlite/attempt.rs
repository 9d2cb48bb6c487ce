//! Counted attempts.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{SqlitePool, query, query_scalar};

use super::value::{at, bytes, micros};
use crate::{
    lockout::LockoutPolicy,
    store::{Digest, Reservation},
};

pub(super) async fn reserve(
    pool: &SqlitePool,
    bucket: &Digest,
    policy: &LockoutPolicy,
    now: DateTime<Utc>,
) -> sqlx::Result<Reservation> {
    let granted: Vec<Option<i64>> = query_scalar(
        "INSERT INTO main.stockade_auth_attempt AS a (bucket, number, last_at, locked_until)
         VALUES (?1, 1, ?2, CASE WHEN ?4 <= 1 THEN ?2 + json_extract(?5, '$[0]') END)
         ON CONFLICT (bucket) DO UPDATE SET (number, last_at, locked_until) = (
             SELECT n.number, ?2, CASE WHEN n.number >= ?4 THEN
                 ?2 + json_extract(?5, '$[' || min(n.number - ?4, json_array_length(?5) - 1) || ']') END
             FROM (SELECT CASE WHEN a.last_at <= ?3 THEN 1 ELSE min(a.number, 2147483646) + 1 END AS number) n
         )
         WHERE a.locked_until IS NULL OR a.locked_until <= ?2
         RETURNING locked_until",
    )
    .bind(bytes(bucket))
    .bind(micros(now))
    .bind(micros(now - policy.memory()))
    .bind(i64::from(policy.limit().get()))
    .bind(locks(policy))
    .fetch_all(pool)
    .await?;
    match granted.first() {
        Some(locked_until) => Ok(Reservation::Granted { locked_until: locked_until.map(at).transpose()? }),
        None => Ok(Reservation::Locked),
    }
}

pub(super) async fn clear(pool: &SqlitePool, bucket: &Digest) -> sqlx::Result<()> {
    query("DELETE FROM main.stockade_auth_attempt WHERE bucket = ?1").bind(bytes(bucket)).execute(pool).await.map(drop)
}

/// SQLite binds no lists, so the locks come as JSON, in microseconds.
fn locks(policy: &LockoutPolicy) -> String {
    let micros = |lock: &TimeDelta| lock.num_microseconds().unwrap_or(i64::MAX).to_string();
    format!("[{}]", policy.locks().iter().map(micros).collect::<Vec<_>>().join(","))
}
