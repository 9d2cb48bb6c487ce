//! The persistence of connections to other services.

use std::{fmt, future::Future};

use chrono::{DateTime, Utc};

use super::erased::erase;
use crate::{
    error::Result,
    id::{ConnectionId, TenantId, UserId},
    session::Scope,
};

/// A connection.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionRecord {
    /// The public name, unique.
    pub id: ConnectionId,
    /// In whose name.
    pub user: UserId,
    /// The tenant of the user's account.
    pub tenant: TenantId,
    /// The other service.
    pub provider: String,
    /// What [`SecretCipher::seal`](crate::SecretCipher::seal) made.
    pub sealed: Vec<u8>,
    /// How often a refresh was begun or kept.
    pub generation: i64,
    /// Until when the last one has the connection to itself.
    pub lease_until: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its tokens came.
    pub refreshed_at: DateTime<Utc>,
    /// When its access token ends.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The part of a [`Store`](super::Store) that keeps connections.
///
/// Only connections that have not ended are there. `within` is whose connections a call may reach.
pub trait ConnectionStore: Send + Sync + 'static {
    /// Adds a connection. False if its id is there, or if its user has no active account in its tenant.
    fn insert_connection(&self, record: &ConnectionRecord) -> impl Future<Output = Result<bool>> + Send;

    /// A connection of a user with an active account.
    fn connection(
        &self,
        within: Scope,
        id: ConnectionId,
    ) -> impl Future<Output = Result<Option<ConnectionRecord>>> + Send;

    /// Connections, newest first.
    fn connections(&self, within: Scope) -> impl Future<Output = Result<Vec<ConnectionRecord>>> + Send;

    /// Adds one to the generation and sets the lease, if the generation is still `generation` and no lease is longer than `now`. Of
    /// simultaneous calls one is true.
    fn lease_connection(
        &self,
        id: ConnectionId,
        generation: i64,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Keeps what a refresh brought, ends its lease and adds one to the generation, if that is still `generation`: who read the row
    /// during the refresh cannot begin another one with the old tokens.
    fn keep_connection(
        &self,
        id: ConnectionId,
        generation: i64,
        sealed: &[u8],
        expires_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Ends a lease early, if the generation is still `generation`.
    fn release_connection(&self, id: ConnectionId, generation: i64) -> impl Future<Output = Result<bool>> + Send;

    /// Ends a connection for good and forgets its sealed tokens; if a generation is given, only while it is still that.
    fn end_connection(
        &self,
        within: Scope,
        id: ConnectionId,
        generation: Option<i64>,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<ConnectionRecord>>> + Send;
}

erase! {
    trait ErasedConnectionStore(ConnectionStore);
    fn insert_connection(record: &'a ConnectionRecord) -> bool;
    fn connection(within: Scope, id: ConnectionId) -> Option<ConnectionRecord>;
    fn connections(within: Scope) -> Vec<ConnectionRecord>;
    fn lease_connection(id: ConnectionId, generation: i64, now: DateTime<Utc>, until: DateTime<Utc>) -> bool;
    fn keep_connection(
        id: ConnectionId, generation: i64, sealed: &'a [u8], expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>
    ) -> bool;
    fn release_connection(id: ConnectionId, generation: i64) -> bool;
    fn end_connection(within: Scope, id: ConnectionId, generation: Option<i64>, now: DateTime<Utc>) -> Option<ConnectionRecord>;
}

impl fmt::Debug for ConnectionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionRecord")
            .field("id", &self.id)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}
