//! Impersonations in memory.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};

use super::{MemoryStore, State};
use crate::{
    error::Result,
    id::{ImpersonationId, SessionId, TenantId},
    impersonation::ImpersonationPolicy,
    store::{Digest, Ending, ImpersonationRecord, ImpersonationStore},
};

impl State {
    fn is_live_impersonation(&self, record: &ImpersonationRecord, now: DateTime<Utc>) -> bool {
        let session = self.sessions.get(&record.session);
        record.ended_at.is_none()
            && record.expires_at > now
            && session
                .is_some_and(|session| session.record.user == record.actor && self.live_record(session, now).is_some())
            && self.is_active(record.target, record.tenant)
            && self.is_current(record.target, record.tenant, record.versions)
            && !self.closed_tenants.contains(&record.tenant)
    }
}

impl ImpersonationStore for MemoryStore {
    async fn insert_impersonation(&self, digest: &Digest, record: &ImpersonationRecord) -> Result<bool> {
        let mut state = self.state();
        let live = state.is_live_impersonation(record, record.started_at);
        if live {
            state.impersonations.push((*digest, record.clone()));
        }
        Ok(live)
    }

    async fn impersonation(
        &self,
        digest: &Digest,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<ImpersonationRecord>> {
        let state = self.state();
        let found = state.impersonations.iter().find(|(key, record)| key == digest && record.session == session);
        Ok(found.map(|(_, record)| record).filter(|record| state.is_live_impersonation(record, now)).cloned())
    }

    async fn impersonation_by_id(
        &self,
        id: ImpersonationId,
        now: DateTime<Utc>,
    ) -> Result<Option<(Digest, ImpersonationRecord)>> {
        let state = self.state();
        let found = state.impersonations.iter().find(|(_, record)| record.id == id);
        Ok(found.filter(|(_, record)| state.is_live_impersonation(record, now)).cloned())
    }

    async fn end_impersonations(&self, ending: Ending, now: DateTime<Utc>) -> Result<Vec<ImpersonationRecord>> {
        let mut state = self.state();
        let ends = |record: &ImpersonationRecord| match ending {
            Ending::One(id) => record.id == id,
            Ending::OfSession(session) => record.session == session,
            Ending::Over => !state.is_live_impersonation(record, now),
        };
        let of = |(_, record): &(Digest, ImpersonationRecord)| record.ended_at.is_none() && ends(record);
        let ids: Vec<_> = state.impersonations.iter().filter(|entry| of(entry)).map(|(_, record)| record.id).collect();
        let mut ended = Vec::new();
        for (_, record) in state.impersonations.iter_mut().filter(|(_, record)| ids.contains(&record.id)) {
            record.ended_at = Some(record.expires_at.min(now));
            ended.push(record.clone());
        }
        Ok(ended)
    }

    async fn impersonations(&self, tenant: TenantId, most: NonZeroU32) -> Result<Vec<ImpersonationRecord>> {
        let state = self.state();
        let of_tenant = state.impersonations.iter().filter(|(_, record)| record.tenant == tenant);
        let mut records: Vec<_> = of_tenant.map(|(_, record)| record.clone()).collect();
        records.sort_unstable_by_key(|record| std::cmp::Reverse((record.started_at, record.id)));
        records.truncate(usize::try_from(most.get()).unwrap_or(usize::MAX));
        Ok(records)
    }

    async fn impersonation_policy(&self, tenant: TenantId) -> Result<ImpersonationPolicy> {
        let refused = self.state().closed_tenants.contains(&tenant);
        Ok(if refused { ImpersonationPolicy::Refused } else { ImpersonationPolicy::Allowed })
    }

    async fn set_impersonation_policy(&self, tenant: TenantId, policy: ImpersonationPolicy) -> Result<bool> {
        let mut state = self.state();
        Ok(match policy {
            ImpersonationPolicy::Refused => state.closed_tenants.insert(tenant),
            ImpersonationPolicy::Allowed => state.closed_tenants.remove(&tenant),
        })
    }
}
