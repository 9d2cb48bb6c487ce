//! Known networks.

use chrono::{DateTime, Utc};
use sqlx::{Row, query, query_scalar};

use super::{PgStore, store::failed};
use crate::{
    error::Result,
    id::UserId,
    network::{KnownNetwork, Network, NetworkStatus},
    store::NetworkStore,
};

impl NetworkStore for PgStore {
    async fn is_known_network(&self, user: UserId, network: Network, since: DateTime<Utc>) -> Result<bool> {
        query_scalar(
            "SELECT EXISTS (SELECT FROM stockade.auth_network
                            WHERE user_id = $1 AND network = $2::text::cidr AND last_seen_at > $3)",
        )
        .bind(user.as_uuid())
        .bind(network.to_string())
        .bind(since)
        .fetch_one(&self.0)
        .await
        .map_err(failed)
    }

    async fn note_network(
        &self,
        user: UserId,
        network: Network,
        now: DateTime<Utc>,
        since: DateTime<Utc>,
        keep: u32,
    ) -> Result<NetworkStatus> {
        // The account's row first, in either branch: of two that note and forget each other's networks, one would wait for the other.
        let row = query(
            "WITH mine AS MATERIALIZED (
                 SELECT a.user_id FROM stockade.auth_account a WHERE a.user_id = $1 FOR NO KEY UPDATE
             ), noted AS (
                 INSERT INTO stockade.auth_network AS n (user_id, network, first_seen_at, last_seen_at)
                 SELECT m.user_id, $2::text::cidr, $3, $3 FROM mine m
                 ON CONFLICT (user_id, network) DO UPDATE SET last_seen_at = greatest(n.last_seen_at, excluded.last_seen_at)
             ), forgotten AS (
                 DELETE FROM stockade.auth_network n WHERE n.user_id = (SELECT m.user_id FROM mine m) AND n.network IN (
                     SELECT o.network FROM stockade.auth_network o
                     WHERE o.user_id = (SELECT m.user_id FROM mine m) AND o.network <> $2::text::cidr
                     ORDER BY o.last_seen_at DESC, o.network OFFSET greatest($5, 1) - 1 FOR UPDATE SKIP LOCKED)
             )
             SELECT count(*) = 0 AS first, coalesce(bool_or(n.network = $2::text::cidr AND n.last_seen_at > $4), false) AS known
             FROM stockade.auth_network n WHERE n.user_id = $1",
        )
        .bind(user.as_uuid())
        .bind(network.to_string())
        .bind(now)
        .bind(since)
        .bind(i32::try_from(keep).unwrap_or(i32::MAX))
        .fetch_one(&self.0)
        .await
        .map_err(failed)?;
        let before = (row.try_get("first").map_err(failed)?, row.try_get("known").map_err(failed)?);
        Ok(match before {
            (true, _) => NetworkStatus::First,
            (false, true) => NetworkStatus::Known,
            (false, false) => NetworkStatus::New,
        })
    }

    async fn networks(&self, user: UserId) -> Result<Vec<KnownNetwork>> {
        let rows = query(
            "SELECT host(network) AS address, first_seen_at, last_seen_at FROM stockade.auth_network
             WHERE user_id = $1 ORDER BY last_seen_at DESC, network",
        )
        .bind(user.as_uuid())
        .fetch_all(&self.0)
        .await
        .map_err(failed)?;
        rows.iter()
            .map(|row| {
                let address: &str = row.try_get("address")?;
                let address: std::net::IpAddr =
                    address.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
                Ok(KnownNetwork::new(address.into(), row.try_get("first_seen_at")?, row.try_get("last_seen_at")?))
            })
            .collect::<sqlx::Result<_>>()
            .map_err(failed)
    }

    async fn forget_networks(&self, user: UserId, which: Option<Network>) -> Result<u64> {
        let done = query(
            "DELETE FROM stockade.auth_network WHERE user_id = $1 AND ($2::text IS NULL OR network = $2::text::cidr)",
        )
        .bind(user.as_uuid())
        .bind(which.map(|network| network.to_string()))
        .execute(&self.0)
        .await;
        Ok(done.map_err(failed)?.rows_affected())
    }
}
