//! Drivers, whose social security numbers and bank accounts are sealed.

use stockade::{
    audit_chain::PersonalPaths,
    field_crypto::{OpenError, Sealed, Secret, TenantKeys},
    rbac::Resource,
    tenant_guard::TenantTx,
};
use uuid::Uuid;

use crate::{
    columns::{DriverBankAccount, DriverSsn},
    desk::{Desk, Refused},
    permissions::Perm,
};

/// A driver. The two sealed columns are ciphertext here: reading a row opens nothing.
#[derive(Debug, sqlx::FromRow)]
pub struct Driver {
    /// The tenant.
    pub tenant_id: Uuid,
    /// The driver.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Driving licence.
    pub licence: String,
    /// Telephone.
    pub phone: String,
    /// Social security number.
    pub ssn: Sealed<DriverSsn>,
    /// Bank account that settlements are paid to.
    pub bank_account: Sealed<DriverBankAccount>,
}

impl Driver {
    /// What the policy needs to know of it.
    #[must_use]
    pub fn resource(&self) -> Resource {
        Resource::in_tenant(self.tenant_id)
    }

    /// The number as a page may show it: `***-**-6789`.
    ///
    /// # Errors
    /// When the value does not open: it was moved here from somewhere else, altered, or its key is gone.
    pub fn masked_ssn(&self, keys: &TenantKeys) -> Result<String, OpenError> {
        Ok(keys.open(&self.id, &self.ssn)?.masked().to_string())
    }
}

/// What the log holds of a driver that can be erased from it.
#[must_use]
pub fn personal() -> PersonalPaths {
    PersonalPaths::new().entity("driver", &["/name", "/licence", "/phone"])
}

/// The drivers of the tenant, by name.
///
/// # Errors
/// When the database fails.
pub async fn all(tx: &mut TenantTx) -> sqlx::Result<Vec<Driver>> {
    sqlx::query_as("SELECT * FROM freight.drivers ORDER BY name").fetch_all(tx).await
}

/// One driver, if the tenant has it.
///
/// # Errors
/// When the database fails.
pub async fn find(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Driver>> {
    sqlx::query_as("SELECT * FROM freight.drivers WHERE id = $1").bind(id).fetch_optional(tx).await
}

/// Opens a driver's number for a person to read, and records that it was read.
///
/// # Errors
/// When the database fails or the value does not open. A refusal by the policy is the inner `Err`.
pub async fn reveal_ssn(
    desk: &mut Desk,
    keys: &TenantKeys,
    driver: &Driver,
) -> anyhow::Result<Result<Secret<String>, Refused>> {
    if let Err(refused) = desk.require(Perm::SsnReveal, &driver.resource(), ("driver", driver.id)).await? {
        return Ok(Err(refused));
    }
    let ssn = keys.open(&driver.id, &driver.ssn)?;
    let entry = desk
        .entry("driver.ssn.reveal")
        .entity("driver", driver.id.to_string())
        .severity(stockade::audit_chain::Severity::Notice);
    desk.record(&entry).await?;
    Ok(Ok(ssn))
}
