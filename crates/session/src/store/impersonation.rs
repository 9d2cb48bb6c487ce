//! The persistence of impersonations.

use std::{future::Future, net::IpAddr, num::NonZeroU32};

use chrono::{DateTime, Utc};

use super::{Digest, Versions, erased::erase};
use crate::{
    error::Result,
    id::{ImpersonationId, SessionId, TenantId, UserId},
    impersonation::ImpersonationPolicy,
};

/// An impersonation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImpersonationRecord {
    /// The public name, unique.
    pub id: ImpersonationId,
    /// Who is looking.
    pub actor: UserId,
    /// The session of the actor.
    pub session: SessionId,
    /// As whom.
    pub target: UserId,
    /// The target's tenant.
    pub tenant: TenantId,
    /// The target's versions when it began.
    pub versions: Versions,
    /// Why.
    pub reason: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// From where it began.
    pub ip: IpAddr,
}

/// Which impersonations end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// One.
    One(ImpersonationId),
    /// Those that began in a session.
    OfSession(SessionId),
    /// Those that are not live any more.
    Over,
}

/// The part of a [`Store`](super::Store) that keeps impersonations.
///
/// An impersonation is **live** while it is not ended, `expires_at > now`, the session of its actor is live, its target has an active
/// account in its tenant, its versions are current, and its tenant does not refuse impersonations.
pub trait ImpersonationStore: Send + Sync + 'static {
    /// Adds an impersonation if it is live at its `started_at`.
    fn insert_impersonation(
        &self,
        digest: &Digest,
        record: &ImpersonationRecord,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// A live impersonation that began in `session`. One query.
    fn impersonation(
        &self,
        digest: &Digest,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<ImpersonationRecord>>> + Send;

    /// A live impersonation by its public name, with its digest: for JWTs. One query.
    fn impersonation_by_id(
        &self,
        id: ImpersonationId,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<(Digest, ImpersonationRecord)>>> + Send;

    /// Sets `ended_at`, to `now` or to `expires_at` if that is earlier, where it is not set, and says where. Of simultaneous calls
    /// one finds each.
    fn end_impersonations(
        &self,
        ending: Ending,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<ImpersonationRecord>>> + Send;

    /// The newest impersonations of a tenant, in whatever state.
    fn impersonations(
        &self,
        tenant: TenantId,
        most: NonZeroU32,
    ) -> impl Future<Output = Result<Vec<ImpersonationRecord>>> + Send;

    /// What a tenant has said, or [`Allowed`](ImpersonationPolicy::Allowed).
    fn impersonation_policy(&self, tenant: TenantId) -> impl Future<Output = Result<ImpersonationPolicy>> + Send;

    /// Notes what a tenant says. False if it had said so before.
    fn set_impersonation_policy(
        &self,
        tenant: TenantId,
        policy: ImpersonationPolicy,
    ) -> impl Future<Output = Result<bool>> + Send;
}

erase! {
    trait ErasedImpersonationStore(ImpersonationStore);
    fn insert_impersonation(digest: &'a Digest, record: &'a ImpersonationRecord) -> bool;
    fn impersonation(digest: &'a Digest, session: SessionId, now: DateTime<Utc>) -> Option<ImpersonationRecord>;
    fn impersonation_by_id(id: ImpersonationId, now: DateTime<Utc>) -> Option<(Digest, ImpersonationRecord)>;
    fn end_impersonations(ending: Ending, now: DateTime<Utc>) -> Vec<ImpersonationRecord>;
    fn impersonations(tenant: TenantId, most: NonZeroU32) -> Vec<ImpersonationRecord>;
    fn impersonation_policy(tenant: TenantId) -> ImpersonationPolicy;
    fn set_impersonation_policy(tenant: TenantId, policy: ImpersonationPolicy) -> bool;
}
