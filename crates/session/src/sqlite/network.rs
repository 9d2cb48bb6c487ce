//! Known networks.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::{Row, query, query_scalar, sqlite::SqliteRow};

use super::{
    SqliteStore,
    store::failed,
    value::{micros, time},
};
use crate::{
    error::Result,
    id::UserId,
    network::{KnownNetwork, Network, NetworkStatus},
    store::NetworkStore,
};

impl NetworkStore for SqliteStore {
    async fn is_known_network(&self, user: UserId, network: Network, since: DateTime<Utc>) -> Result<bool> {
        query_scalar(
            "SELECT EXISTS (SELECT 1 FROM main.stockade_auth_network
                            WHERE user_id = ?1 AND network = ?2 AND last_seen_at > ?3)",
        )
        .bind(user.as_uuid())
        .bind(octets(network))
        .bind(micros(since))
        .fetch_one(&self.pool)
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
        self.write(async {
            let mut tx = self.begin().await?;
            let (first, known): (bool, bool) = sqlx::query_as(
                "SELECT count(*) = 0, coalesce(max(network = ?2 AND last_seen_at > ?3), 0)
                 FROM main.stockade_auth_network WHERE user_id = ?1",
            )
            .bind(user.as_uuid())
            .bind(octets(network))
            .bind(micros(since))
            .fetch_one(&mut *tx)
            .await?;
            query(
                "INSERT INTO main.stockade_auth_network (user_id, network, first_seen_at, last_seen_at)
                 SELECT a.user_id, ?2, ?3, ?3 FROM main.stockade_auth_account a WHERE a.user_id = ?1
                 ON CONFLICT (user_id, network) DO UPDATE SET last_seen_at = max(last_seen_at, excluded.last_seen_at)",
            )
            .bind(user.as_uuid())
            .bind(octets(network))
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
            query(
                "DELETE FROM main.stockade_auth_network WHERE user_id = ?1 AND network IN (
                     SELECT o.network FROM main.stockade_auth_network o WHERE o.user_id = ?1 AND o.network <> ?2
                     ORDER BY o.last_seen_at DESC, o.network LIMIT -1 OFFSET ?3)",
            )
            .bind(user.as_uuid())
            .bind(octets(network))
            .bind(i64::from(keep.max(1)) - 1)
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok(match (first, known) {
                (true, _) => NetworkStatus::First,
                (false, true) => NetworkStatus::Known,
                (false, false) => NetworkStatus::New,
            })
        })
        .await
    }

    async fn networks(&self, user: UserId) -> Result<Vec<KnownNetwork>> {
        let rows = query(
            "SELECT network, first_seen_at, last_seen_at FROM main.stockade_auth_network
             WHERE user_id = ?1 ORDER BY last_seen_at DESC, network",
        )
        .bind(user.as_uuid())
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        rows.iter().map(|row| known(row).map_err(failed)).collect()
    }

    async fn forget_networks(&self, user: UserId, which: Option<Network>) -> Result<u64> {
        let forget =
            query("DELETE FROM main.stockade_auth_network WHERE user_id = ?1 AND (?2 IS NULL OR network = ?2)")
                .bind(user.as_uuid())
                .bind(which.map(octets));
        Ok(self.write(forget.execute(&self.pool)).await?.rows_affected())
    }
}

/// As it is stored: sorted as the address is.
fn octets(network: Network) -> Vec<u8> {
    match network.address() {
        IpAddr::V4(ip) => [&[4], ip.octets().as_slice()].concat(),
        IpAddr::V6(ip) => [&[6], ip.octets().as_slice()].concat(),
    }
}

fn known(row: &SqliteRow) -> sqlx::Result<KnownNetwork> {
    let network: &[u8] = row.try_get("network")?;
    let address = match network {
        [4, ip @ ..] => <[u8; 4]>::try_from(ip).map(IpAddr::from),
        [_, ip @ ..] => <[u8; 16]>::try_from(ip).map(IpAddr::from),
        [] => return Err(sqlx::Error::Decode("an empty network".into())),
    };
    let address = address.map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(KnownNetwork::new(address.into(), time(row, "first_seen_at")?, time(row, "last_seen_at")?))
}
