//! Networks that users signed in from.

use std::future::Future;

use chrono::{DateTime, Utc};

use crate::{
    error::Result,
    id::UserId,
    network::{KnownNetwork, Network, NetworkStatus},
};

/// Known networks.
pub trait NetworkStore: Send + Sync + 'static {
    /// Whether a user signed in from a network after `since`. False for an unknown user.
    fn is_known_network(
        &self,
        user: UserId,
        network: Network,
        since: DateTime<Utc>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Notes a sign-in: [`First`](NetworkStatus::First) if the user had no network, [`Known`](NetworkStatus::Known) if this one was seen
    /// after `since`, else [`New`](NetworkStatus::New). Of more than `keep` networks the ones that were seen longest ago are forgotten.
    fn note_network(
        &self,
        user: UserId,
        network: Network,
        now: DateTime<Utc>,
        since: DateTime<Utc>,
        keep: u32,
    ) -> impl Future<Output = Result<NetworkStatus>> + Send;

    /// The networks of a user, the last used one first.
    fn networks(&self, user: UserId) -> impl Future<Output = Result<Vec<KnownNetwork>>> + Send;

    /// Forgets one network of a user, or all of them. Says how many there were.
    fn forget_networks(&self, user: UserId, which: Option<Network>) -> impl Future<Output = Result<u64>> + Send;
}
