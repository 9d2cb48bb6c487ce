//! Connections in memory.

use chrono::{DateTime, Utc};

use super::{MemoryStore, State};
use crate::{
    error::Result,
    id::ConnectionId,
    session::Scope,
    store::{ConnectionRecord, ConnectionStore},
};

impl State {
    fn at_generation(&mut self, id: ConnectionId, generation: i64) -> Option<&mut ConnectionRecord> {
        self.connections.get_mut(&id).filter(|record| record.generation == generation)
    }
}

impl ConnectionStore for MemoryStore {
    async fn insert_connection(&self, record: &ConnectionRecord) -> Result<bool> {
        let mut state = self.state();
        let possible = state.is_active(record.user, record.tenant) && !state.connections.contains_key(&record.id);
        if possible {
            state.connections.insert(record.id, record.clone());
        }
        Ok(possible)
    }

    async fn connection(&self, within: Scope, id: ConnectionId) -> Result<Option<ConnectionRecord>> {
        let state = self.state();
        let found = state.connections.get(&id).filter(|record| within.has(record.user, record.tenant));
        Ok(found.filter(|record| state.is_active(record.user, record.tenant)).cloned())
    }

    async fn connections(&self, within: Scope) -> Result<Vec<ConnectionRecord>> {
        let state = self.state();
        let all = state.connections.values().filter(|record| within.has(record.user, record.tenant));
        let mut records: Vec<_> = all.cloned().collect();
        records.sort_unstable_by_key(|record| std::cmp::Reverse((record.created_at, record.id)));
        Ok(records)
    }

    async fn lease_connection(
        &self,
        id: ConnectionId,
        generation: i64,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool> {
        let mut state = self.state();
        let free = state.at_generation(id, generation).filter(|record| record.lease_until.is_none_or(|end| end <= now));
        Ok(free
            .map(|record| {
                record.generation += 1;
                record.lease_until = Some(until);
            })
            .is_some())
    }

    async fn keep_connection(
        &self,
        id: ConnectionId,
        generation: i64,
        sealed: &[u8],
        expires_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let mut state = self.state();
        Ok(state
            .at_generation(id, generation)
            .map(|record| {
                record.generation += 1;
                record.sealed = sealed.to_vec();
                (record.expires_at, record.refreshed_at, record.lease_until) = (expires_at, now, None);
            })
            .is_some())
    }

    async fn release_connection(&self, id: ConnectionId, generation: i64) -> Result<bool> {
        let mut state = self.state();
        Ok(state.at_generation(id, generation).map(|record| record.lease_until = None).is_some())
    }

    async fn end_connection(
        &self,
        within: Scope,
        id: ConnectionId,
        generation: Option<i64>,
        _: DateTime<Utc>,
    ) -> Result<Option<ConnectionRecord>> {
        let mut state = self.state();
        let found = state.connections.get(&id).is_some_and(|record| {
            within.has(record.user, record.tenant)
                && generation.is_none_or(|generation| generation == record.generation)
        });
        let ended = if found { state.connections.remove(&id) } else { None };
        Ok(ended.map(|record| ConnectionRecord { sealed: Vec::new(), ..record }))
    }
}
