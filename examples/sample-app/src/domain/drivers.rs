//! Drivers, whose social security numbers and bank accounts are sealed under keys of their own.

use std::collections::HashMap;

use serde_json::json;
use sqlx::QueryBuilder;
use stockade::{
    audit_chain::PersonalPaths,
    field_crypto::{OpenError, Sealed, Secret, SubjectId, SubjectKeys},
    rbac::Resource,
};
use uuid::Uuid;

use crate::{
    app::App,
    columns::{DriverBankAccount, DriverSsn, DriverSsnIndex},
    desk::{Desk, Reads, Refused},
    permissions::Perm,
    reach::DRIVERS,
};

/// A driver. The two sealed columns are ciphertext here: reading a row opens nothing.
#[derive(Clone, Debug, sqlx::FromRow)]
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
    /// The office that the driver hauls for.
    pub office_id: Option<Uuid>,
}

/// The keys of some drivers.
#[derive(Debug)]
pub struct Keys(HashMap<SubjectId, SubjectKeys>);

impl Driver {
    /// What the policy needs to know of it.
    #[must_use]
    pub fn resource(&self) -> Resource {
        let resource = Resource::in_tenant(self.tenant_id);
        self.office_id.map_or(resource, |office| resource.office(office))
    }

    /// The number.
    ///
    /// # Errors
    /// When the value does not open: it was moved here from somewhere else, altered, or its key is gone.
    pub fn ssn(&self, keys: &Keys) -> Result<Secret<String>, OpenError> {
        keys.of(self.id)?.open(&self.id, &self.ssn)
    }

    /// The number as a page may show it: `***-**-6789`.
    ///
    /// # Errors
    /// As [`ssn`](Self::ssn).
    pub fn masked_ssn(&self, keys: &Keys) -> Result<String, OpenError> {
        Ok(self.ssn(keys)?.masked().to_string())
    }

    /// The bank account as a page may show it.
    ///
    /// # Errors
    /// As [`ssn`](Self::ssn).
    pub fn masked_account(&self, keys: &Keys) -> Result<String, OpenError> {
        Ok(keys.of(self.id)?.open(&self.id, &self.bank_account)?.masked().to_string())
    }
}

impl Keys {
    fn of(&self, driver: Uuid) -> Result<&SubjectKeys, OpenError> {
        self.0.get(&driver.into()).ok_or(OpenError::Failed)
    }
}

impl App {
    /// The keys of these drivers of a tenant. To be taken while no desk is open: a pool of one connection cannot give a second
    /// one.
    ///
    /// # Errors
    /// When the database fails or the tenant has no keys.
    pub async fn driver_keys(&self, tenant: Uuid, drivers: &[Uuid]) -> anyhow::Result<Keys> {
        let subjects: Vec<SubjectId> = drivers.iter().copied().map(SubjectId::from).collect();
        Ok(Keys(self.vault.subjects(tenant.into(), &subjects).await?))
    }
}

/// What the log holds of a driver that can be erased from it.
#[must_use]
pub fn personal() -> PersonalPaths {
    PersonalPaths::new().entity("driver", &["/name", "/licence", "/phone"])
}

const SELECT: &str = "SELECT d.tenant_id, d.id, d.name, d.licence, d.phone, d.ssn, d.bank_account, d.office_id FROM freight.drivers d WHERE ";

/// The drivers that the person sees, by name.
///
/// # Errors
/// When the database fails.
pub async fn all<W: Reads<Perm>>(desk: &mut Desk<W>) -> sqlx::Result<Vec<Driver>> {
    let mut query = QueryBuilder::new(SELECT);
    desk.rows(Perm::DriverView, &DRIVERS).push_to(&mut query, "d");
    query.push(" ORDER BY d.name LIMIT 200");
    query.build_query_as().fetch_all(desk.tx()).await
}

/// One driver, if the person sees them.
///
/// # Errors
/// When the database fails.
pub async fn find<W: Reads<Perm>>(desk: &mut Desk<W>, id: Uuid) -> sqlx::Result<Option<Driver>> {
    let mut query = QueryBuilder::new(SELECT);
    desk.rows(Perm::DriverView, &DRIVERS).push_to(&mut query, "d");
    query.push(" AND d.id = ").push_bind(id);
    query.build_query_as().fetch_optional(desk.tx()).await
}

/// Opens a driver's number for a person to read, and records that it was read.
///
/// # Errors
/// When the database fails or the value does not open. A refusal by the policy is the inner `Err`.
pub async fn reveal_ssn(
    desk: &mut Desk,
    keys: &Keys,
    driver: &Driver,
) -> anyhow::Result<Result<Secret<String>, Refused>> {
    if let Err(refused) = desk.require(Perm::SsnReveal, &driver.resource(), ("driver", driver.id)) {
        return Ok(Err(refused));
    }
    let ssn = driver.ssn(keys)?;
    let entry = desk
        .entry("driver.ssn.reveal")
        .entity("driver", driver.id.to_string())
        .severity(stockade::audit_chain::Severity::Notice);
    desk.record(&entry).await?;
    Ok(Ok(ssn))
}

/// Where a driver's settlements go from now on. The log has the masked account before and after, which nobody can pay into.
///
/// # Errors
/// When the database fails or a value does not open. A refusal by the policy is the inner `Err`.
pub async fn change_account(
    desk: &mut Desk,
    keys: &Keys,
    driver: &Driver,
    account: &Secret<String>,
) -> anyhow::Result<Result<(), Refused>> {
    if let Err(refused) = desk.require(Perm::BankEdit, &driver.resource(), ("driver", driver.id)) {
        return Ok(Err(refused));
    }
    let before = driver.masked_account(keys)?;
    let sealed = keys.of(driver.id)?.seal::<DriverBankAccount>(&driver.id, account)?;
    sqlx::query("UPDATE freight.drivers SET bank_account = $2 WHERE id = $1")
        .bind(driver.id)
        .bind(sealed)
        .execute(&mut desk.tx)
        .await?;
    let entry = desk
        .entry("driver.bank_account.update")
        .entity("driver", driver.id)
        .before(json!({ "bank_account": before }))
        .after(json!({ "bank_account": account.masked().to_string() }))
        .severity(stockade::audit_chain::Severity::Warning);
    desk.record(&entry).await?;
    Ok(Ok(()))
}

/// The drivers who have this number, by its keyed hash, and records that somebody looked, without the number. Ends the desk.
///
/// Whoever may find a number may try numbers: it takes the same permission as revealing one.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`.
pub async fn find_by_ssn(
    app: &App,
    mut desk: Desk,
    ssn: &Secret<String>,
) -> anyhow::Result<Result<Vec<Driver>, Refused>> {
    let tenant = desk.user.tenant_id;
    let place = ("drivers", "tenant");
    if let Err(refused) = desk.require(Perm::SsnReveal, &Resource::in_tenant(tenant), place) {
        desk.commit(app).await?;
        return Ok(Err(refused));
    }
    let entry = desk.entry("driver.find").entity("drivers", "ssn");
    desk.record(&entry).await?;
    let (principal, actor) = (desk.principal()?, desk.actor().clone());
    desk.commit(app).await?;
    if !ssn.expose().bytes().any(|byte| byte.is_ascii_digit()) {
        return Ok(Ok(Vec::new()));
    }
    let tags = app.vault.tenant(tenant.into()).await?.probe::<DriverSsnIndex>(ssn)?;
    let mut tx = app.tenants.read(principal).await?;
    let mut query = QueryBuilder::new(SELECT);
    actor.rows(Perm::DriverView, &DRIVERS).push_to(&mut query, "d");
    query.push(" AND d.ssn_index = ANY (").push_bind(tags).push(")");
    let candidates: Vec<Driver> = query.build_query_as().fetch_all(&mut tx).await?;
    tx.close().await?;
    // A tag is not bound to its row: whether the number is there, the number says.
    let keys = app.driver_keys(tenant, &candidates.iter().map(|driver| driver.id).collect::<Vec<_>>()).await?;
    let same = |driver: &Driver| driver.ssn(&keys).is_ok_and(|found| digits(found.expose()) == digits(ssn.expose()));
    Ok(Ok(candidates.into_iter().filter(same).collect()))
}

fn digits(text: &str) -> zeroize::Zeroizing<Vec<u8>> {
    text.bytes().filter(u8::is_ascii_digit).collect::<Vec<_>>().into()
}
