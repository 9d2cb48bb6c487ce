//! What tenants demand.

use super::Auth;
use crate::{error::Result, event::SecurityEvent, id::TenantId, policy::TenantPolicy};

impl Auth {
    /// The policy of a tenant.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn tenant_policy(&self, tenant: TenantId) -> Result<TenantPolicy> {
        self.0.store.tenant_policy(tenant).await
    }

    /// Replaces the policy of a tenant. It holds from the next request of every session of the tenant.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn replace_tenant_policy(&self, tenant: TenantId, policy: TenantPolicy) -> Result<()> {
        self.0.store.put_tenant_policy(tenant, &policy).await?;
        self.0.emit(&SecurityEvent::TenantPolicyChanged { tenant, policy });
        Ok(())
    }
}
