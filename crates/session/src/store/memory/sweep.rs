//! The removal of what has ended.

use std::{collections::HashMap, hash::Hash};

use super::MemoryStore;
use crate::{
    error::Result,
    store::{SweepBounds, SweepStore},
    sweep::Swept,
};

impl SweepStore for MemoryStore {
    async fn sweep(&self, bounds: &SweepBounds, batch: u32) -> Result<Swept> {
        let (mut state, before) = (self.state(), bounds.ended_before);
        let flows = remove(&mut state.flows, batch, |flow| flow.expires_at < before);
        let attempts = remove(&mut state.attempts, batch, |attempts| {
            attempts.last_at < bounds.attempts_before
                && attempts.locked_until.is_none_or(|until| until < bounds.attempts_before)
        });
        let resets = remove(&mut state.resets, batch, |reset| reset.expires_at < before);
        let left = batch.saturating_sub(u32::try_from(resets).unwrap_or(u32::MAX));
        let tokens = resets + remove(&mut state.changes, left, |change| change.record.expires_at < before);
        let sessions = remove(&mut state.sessions, batch, |session| {
            let record = &session.record;
            let ends = [Some(record.expires_at), Some(record.last_seen_at + record.idle), session.revoked_at];
            ends.into_iter().flatten().min().is_some_and(|end| end < before)
        });
        let state = &mut *state;
        state.sids.retain(|_, sid| state.sessions.contains_key(sid));
        state.refreshes.retain(|_, refresh| state.sessions.contains_key(&refresh.sid));
        let (most, mut impersonations) = (u64::from(batch), 0);
        state.impersonations.retain(|(_, record)| {
            let old = record.ended_at.is_some_and(|end| end < before) && impersonations < most;
            impersonations += u64::from(old);
            !old
        });
        let mut networks = 0;
        for account in state.accounts.values_mut() {
            account.networks.retain(|known| {
                let old = known.last_seen_at < bounds.networks_before && networks < most;
                networks += u64::from(old);
                !old
            });
        }
        // A connection that ended is forgotten then.
        Ok(Swept::new(flows, attempts, tokens, sessions, networks).and(impersonations, 0))
    }
}

fn remove<K: Copy + Eq + Hash, V>(map: &mut HashMap<K, V>, batch: u32, ended: impl Fn(&V) -> bool) -> u64 {
    let batch = usize::try_from(batch).unwrap_or(usize::MAX);
    let ended: Vec<K> = map.iter().filter(|(_, value)| ended(value)).map(|(key, _)| *key).take(batch).collect();
    for key in &ended {
        map.remove(key);
    }
    u64::try_from(ended.len()).unwrap_or(u64::MAX)
}
