//! Known networks.

use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::{
    error::Result,
    id::UserId,
    network::{KnownNetwork, Network, NetworkStatus},
    store::NetworkStore,
};

impl NetworkStore for MemoryStore {
    async fn is_known_network(&self, user: UserId, network: Network, since: DateTime<Utc>) -> Result<bool> {
        let known = self.networks(user).await?;
        Ok(known.iter().any(|known| known.network == network && known.last_seen_at > since))
    }

    async fn note_network(
        &self,
        user: UserId,
        network: Network,
        now: DateTime<Utc>,
        since: DateTime<Utc>,
        keep: u32,
    ) -> Result<NetworkStatus> {
        let mut state = self.state();
        let Some(account) = state.accounts.get_mut(&user) else { return Ok(NetworkStatus::First) };
        let networks = &mut account.networks;
        let known = networks.iter().find(|known| known.network == network).copied();
        let status = match known {
            _ if networks.is_empty() => NetworkStatus::First,
            Some(known) if known.last_seen_at > since => NetworkStatus::Known,
            _ => NetworkStatus::New,
        };
        networks.retain(|known| known.network != network);
        let first_seen_at = known.map_or(now, |known| known.first_seen_at);
        let last_seen_at = known.map_or(now, |known| known.last_seen_at.max(now));
        networks.sort_unstable_by_key(|known| std::cmp::Reverse(known.last_seen_at));
        networks.insert(0, KnownNetwork { network, first_seen_at, last_seen_at });
        networks.truncate(usize::try_from(keep).unwrap_or(usize::MAX).max(1));
        Ok(status)
    }

    async fn networks(&self, user: UserId) -> Result<Vec<KnownNetwork>> {
        let mut networks = self.state().accounts.get(&user).map(|account| account.networks.clone()).unwrap_or_default();
        networks.sort_unstable_by_key(|known| (std::cmp::Reverse(known.last_seen_at), known.network));
        Ok(networks)
    }

    async fn forget_networks(&self, user: UserId, which: Option<Network>) -> Result<u64> {
        let mut state = self.state();
        let Some(account) = state.accounts.get_mut(&user) else { return Ok(0) };
        let before = account.networks.len();
        account.networks.retain(|known| which.is_some_and(|network| network != known.network));
        Ok(u64::try_from(before - account.networks.len()).unwrap_or(u64::MAX))
    }
}
