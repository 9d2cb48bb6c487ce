//! The removal of what has ended.

use sqlx::query_scalar;

use super::{PgStore, store::failed};
use crate::{
    error::Result,
    store::{SweepBounds, SweepStore},
    sweep::Swept,
};

impl SweepStore for PgStore {
    async fn sweep(&self, bounds: &SweepBounds, batch: u32) -> Result<Swept> {
        let counts: Vec<i64> = query_scalar(
            "WITH flows AS (
                 DELETE FROM stockade.auth_flow WHERE expires_at < $1 AND digest IN (
                     SELECT f.digest FROM stockade.auth_flow f WHERE f.expires_at < $1 LIMIT $4)
                 RETURNING 1
             ), attempts AS (
                 DELETE FROM stockade.auth_attempt
                 WHERE last_at < $2 AND coalesce(locked_until < $2, true) AND bucket IN (
                     SELECT a.bucket FROM stockade.auth_attempt a
                     WHERE a.last_at < $2 AND coalesce(a.locked_until < $2, true) LIMIT $4)
                 RETURNING 1
             ), resets AS (
                 DELETE FROM stockade.auth_reset WHERE digest IN (
                     SELECT r.digest FROM stockade.auth_reset r WHERE r.expires_at < $1 ORDER BY r.expires_at LIMIT $4)
                 RETURNING 1
             ), changes AS (
                 DELETE FROM stockade.auth_identifier_change WHERE expires_at < $1 AND user_id IN (
                     SELECT c.user_id FROM stockade.auth_identifier_change c WHERE c.expires_at < $1 LIMIT $4)
                 RETURNING 1
             ), networks AS (
                 DELETE FROM stockade.auth_network n USING (
                     SELECT o.user_id, o.network FROM stockade.auth_network o WHERE o.last_seen_at < $3 LIMIT $4) old
                 WHERE n.user_id = old.user_id AND n.network = old.network AND n.last_seen_at < $3
                 RETURNING 1
             )
             SELECT ARRAY[(SELECT count(*) FROM flows), (SELECT count(*) FROM attempts),
                          (SELECT count(*) FROM resets) + (SELECT count(*) FROM changes),
                          stockade.auth_sweep_sessions($1, $4), (SELECT count(*) FROM networks),
                          stockade.auth_sweep_impersonations($1, $4), stockade.auth_sweep_connections($1, $4)]",
        )
        .bind(bounds.ended_before)
        .bind(bounds.attempts_before)
        .bind(bounds.networks_before)
        .bind(i32::try_from(batch).unwrap_or(i32::MAX))
        .fetch_one(&self.0)
        .await
        .map_err(failed)?;
        let count = |index| counts.get(index).and_then(|count| u64::try_from(*count).ok()).unwrap_or(0);
        Ok(Swept::new(count(0), count(1), count(2), count(3), count(4)).and(count(5), count(6)))
    }
}
