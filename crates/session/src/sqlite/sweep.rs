//! The removal of what has ended.

use sqlx::{Sqlite, Transaction, query};

use super::{SqliteStore, value::micros};
use crate::{
    error::Result,
    store::{SweepBounds, SweepStore},
    sweep::Swept,
};

const FLOWS: &str = "
DELETE FROM main.stockade_auth_flow WHERE digest IN (
    SELECT f.digest FROM main.stockade_auth_flow f WHERE f.expires_at < ?1 LIMIT ?2)";

const ATTEMPTS: &str = "
DELETE FROM main.stockade_auth_attempt WHERE bucket IN (
    SELECT a.bucket FROM main.stockade_auth_attempt a
    WHERE a.last_at < ?1 AND (a.locked_until IS NULL OR a.locked_until < ?1) LIMIT ?2)";

const RESETS: &str = "
DELETE FROM main.stockade_auth_reset WHERE digest IN (
    SELECT r.digest FROM main.stockade_auth_reset r WHERE r.expires_at < ?1 LIMIT ?2)";

const CHANGES: &str = "
DELETE FROM main.stockade_auth_identifier_change WHERE user_id IN (
    SELECT c.user_id FROM main.stockade_auth_identifier_change c WHERE c.expires_at < ?1 LIMIT ?2)";

const SESSIONS: &str = "
DELETE FROM main.stockade_auth_session WHERE sid IN (
    SELECT s.sid FROM main.stockade_auth_session s
    WHERE min(coalesce(s.revoked_at, s.expires_at), s.expires_at, s.last_seen_at + s.idle_seconds * 1000000) < ?1 LIMIT ?2)";

const NETWORKS: &str = "
DELETE FROM main.stockade_auth_network WHERE (user_id, network) IN (
    SELECT n.user_id, n.network FROM main.stockade_auth_network n WHERE n.last_seen_at < ?1 LIMIT ?2)";

const IMPERSONATIONS: &str = "
DELETE FROM main.stockade_auth_impersonation WHERE id IN (
    SELECT i.id FROM main.stockade_auth_impersonation i WHERE i.ended_at < ?1 LIMIT ?2)";

const CONNECTIONS: &str = "
DELETE FROM main.stockade_auth_connection WHERE id IN (
    SELECT c.id FROM main.stockade_auth_connection c WHERE c.ended_at < ?1 LIMIT ?2)";

impl SweepStore for SqliteStore {
    async fn sweep(&self, bounds: &SweepBounds, batch: u32) -> Result<Swept> {
        self.write(async {
            let ended = micros(bounds.ended_before);
            let mut tx = self.begin().await?;
            let swept = Swept::new(
                remove(&mut tx, FLOWS, ended, batch).await?,
                remove(&mut tx, ATTEMPTS, micros(bounds.attempts_before), batch).await?,
                remove(&mut tx, RESETS, ended, batch).await? + remove(&mut tx, CHANGES, ended, batch).await?,
                remove(&mut tx, SESSIONS, ended, batch).await?,
                remove(&mut tx, NETWORKS, micros(bounds.networks_before), batch).await?,
            );
            let swept = swept.and(
                remove(&mut tx, IMPERSONATIONS, ended, batch).await?,
                remove(&mut tx, CONNECTIONS, ended, batch).await?,
            );
            tx.commit().await?;
            Ok(swept)
        })
        .await
    }
}

async fn remove(tx: &mut Transaction<'_, Sqlite>, sql: &'static str, before: i64, batch: u32) -> sqlx::Result<u64> {
    Ok(query(sql).bind(before).bind(batch).execute(&mut **tx).await?.rows_affected())
}
