//! Services that the brokerage is connected to, whose OAuth tokens are sealed under the tenant's key.

use anyhow::Result;
use serde_json::json;
use stockade::{
    field_crypto::{OpenError, Sealed, Secret, TenantKeys},
    rbac::Resource,
    tenant_guard::Tx,
};
use uuid::Uuid;

use crate::{
    columns::IntegrationToken,
    desk::{Desk, Refused},
    permissions::Perm,
};

/// A connection to a service.
#[derive(Debug, sqlx::FromRow)]
pub struct Integration {
    /// The connection.
    pub id: Uuid,
    /// The service.
    pub name: String,
    /// The token. Reading a row opens nothing.
    pub oauth_token: Sealed<IntegrationToken>,
}

impl Integration {
    /// The token as a page may show it.
    ///
    /// # Errors
    /// When the value does not open.
    pub fn masked_token(&self, keys: &TenantKeys) -> Result<String, OpenError> {
        Ok(keys.open(&self.id, &self.oauth_token)?.masked().to_string())
    }
}

/// The connections of the tenant, by name.
///
/// # Errors
/// When the database fails.
pub async fn all<A>(tx: &mut Tx<A>) -> sqlx::Result<Vec<Integration>> {
    sqlx::query_as("SELECT id, name, oauth_token FROM freight.integrations ORDER BY name LIMIT 200").fetch_all(tx).await
}

/// Connects a service. The token is stored sealed, and is in no entry of the log.
///
/// # Errors
/// When the database fails or the token is too long. A refusal by the policy is the inner `Err`.
pub async fn connect(
    desk: &mut Desk,
    keys: &TenantKeys,
    name: &str,
    token: &Secret<String>,
) -> Result<Result<Uuid, Refused>> {
    let own = Resource::in_tenant(desk.user.tenant_id);
    if let Err(refused) = desk.require(Perm::IntegrationEdit, &own, ("integration", "new")) {
        return Ok(Err(refused));
    }
    let id = Uuid::now_v7();
    sqlx::query("INSERT INTO freight.integrations (tenant_id, id, name, oauth_token) VALUES ($1, $2, $3, $4)")
        .bind(desk.user.tenant_id)
        .bind(id)
        .bind(name)
        .bind(keys.seal::<IntegrationToken>(&id, token)?)
        .execute(&mut desk.tx)
        .await?;
    let entry = desk.entry("integration.connect").entity("integration", id).after(json!({ "service": name }));
    desk.record(&entry).await?;
    Ok(Ok(id))
}
