//! The status of accounts and what tenants demand of sessions.

use std::future::Future;

use chrono::{DateTime, Utc};

use crate::{
    error::Result,
    id::{TenantId, UserId},
    policy::{MfaRule, TenantPolicy},
};

/// Status and policy. [`Store::resolve`](super::Store::resolve) and [`Store::flow`](super::Store::flow) obey both.
pub trait PolicyStore: Send + Sync + 'static {
    /// The policy of a tenant; the default if none was put.
    fn tenant_policy(&self, tenant: TenantId) -> impl Future<Output = Result<TenantPolicy>> + Send;

    /// Replaces the policy of a tenant.
    fn put_tenant_policy(&self, tenant: TenantId, policy: &TenantPolicy) -> impl Future<Output = Result<()>> + Send;

    /// Replaces the rule of an account. False if there is none, or it is deleted.
    fn put_mfa_rule(&self, user: UserId, rule: MfaRule) -> impl Future<Output = Result<bool>> + Send;

    /// Makes an active account suspended and adds one to the user's version. False if it is not active.
    fn suspend_account(&self, user: UserId) -> impl Future<Output = Result<bool>> + Send;

    /// Makes a suspended account active. False if it is not suspended.
    fn reactivate_account(&self, user: UserId) -> impl Future<Output = Result<bool>> + Send;

    /// Makes an account deleted for good and adds one to the user's version; its identifier becomes [`tombstone`], its hash empty, and
    /// its seeds, codes, networks, resets and change of identifier are removed, and its connections end and forget what they hold, all
    /// at once. False if there is none, or it is deleted.
    fn delete_account(&self, user: UserId, now: DateTime<Utc>) -> impl Future<Output = Result<bool>> + Send;
}

/// The identifier of a deleted account. It has a control character, so nobody can type it and no account can be created with it.
#[must_use]
pub fn tombstone(user: UserId) -> String {
    format!("\u{7f}deleted {user}")
}
