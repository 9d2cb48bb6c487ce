//! Who works where: offices, teams, members with their roles, and the customers of each office.

use anyhow::{Context as _, Result};
use stockade::{
    audit_chain::{self, Actor},
    bridge,
    rbac::{
        Reason,
        postgres::{self, Changed, Refused},
    },
    tenant_guard::{self, Principal, TenantId, TenantTx},
};
use uuid::Uuid;

use super::{DISPATCHER, FAR_DISPATCHER, OWNER, PLATFORM, Person, SUPPORT, Tenant};
use crate::{app::App, domain::membership::place, reach};

/// Where a person works: indexes into [`OFFICES`] and [`TEAMS`].
#[derive(Clone, Copy, Debug)]
pub struct Desk {
    /// The office.
    pub office: Option<usize>,
    /// The team.
    pub team: Option<usize>,
}

impl Desk {
    pub(super) const NOWHERE: Self = Self { office: None, team: None };
    pub(super) const SAVANNAH: Self = Self { office: Some(0), team: None };
    pub(super) const SAVANNAH_TEAM: Self = Self { office: Some(0), team: Some(0) };
    pub(super) const RENO: Self = Self { office: Some(1), team: None };
    pub(super) const RENO_TEAM: Self = Self { office: Some(1), team: Some(1) };
}

/// The offices of each tenant.
pub const OFFICES: [&str; 2] = ["Savannah", "Reno"];
/// The team of each office.
pub const TEAMS: [&str; 2] = ["Southeast", "Mountain"];

/// Name, index of the office, and who looks after it.
const CUSTOMERS: [(&str, usize, Person); 4] = [
    ("Harbor Foods", 0, DISPATCHER),
    ("Palmetto Paper", 0, DISPATCHER),
    ("Northline Steel", 1, FAR_DISPATCHER),
    ("Juniper Home", 1, FAR_DISPATCHER),
];

impl Person {
    pub(super) const fn new(login: &'static str, name: &'static str, role: &'static str, desk: Desk) -> Self {
        Self { login, name, role, totp_seed: None, desk }
    }
}

impl Tenant {
    /// An office's id in this tenant.
    #[must_use]
    pub fn office(&self, index: usize) -> Uuid {
        Uuid::from_u128(self.id.as_u128() | (index as u128 + 1) << 8)
    }

    /// A team's id in this tenant.
    #[must_use]
    pub fn team(&self, index: usize) -> Uuid {
        Uuid::from_u128(self.id.as_u128() | (index as u128 + 1) << 12)
    }

    /// A customer's account in this tenant.
    #[must_use]
    pub fn account(&self, index: usize) -> Uuid {
        Uuid::from_u128(self.id.as_u128() | (index as u128 + 1) << 40)
    }
}

/// Whoever moves a tenant in: its owner, reaching everything before anybody has a role.
pub(super) fn mover(tenant: &Tenant) -> Result<Principal> {
    let actor = tenant_guard::Actor::new(tenant.person(&OWNER)).with_scopes(reach::whole_tenant()?);
    Ok(Principal::new(TenantId::new(tenant.id), actor))
}

/// The tenant, its offices and teams, and its people in them.
pub(super) async fn found(tx: &mut TenantTx, tenant: &Tenant) -> Result<()> {
    sqlx::query("INSERT INTO freight.tenants (tenant_id, name, slug) VALUES ($1, $2, $3)")
        .bind(tenant.id)
        .bind(tenant.name)
        .bind(tenant.slug)
        .execute(&mut *tx)
        .await?;
    for (index, (office, team)) in OFFICES.iter().zip(TEAMS).enumerate() {
        let add = "WITH office AS (INSERT INTO freight.offices (tenant_id, id, name) VALUES ($1, $2, $3) RETURNING tenant_id, id)
                   INSERT INTO freight.teams (tenant_id, id, office_id, name) SELECT tenant_id, $4, id, $5 FROM office";
        sqlx::query(add)
            .bind(tenant.id)
            .bind(tenant.office(index))
            .bind(office)
            .bind(tenant.team(index))
            .bind(team)
            .execute(&mut *tx)
            .await?;
    }
    for person in tenant.people() {
        sqlx::query("INSERT INTO freight.users (tenant_id, id, name, email) VALUES ($1, $2, $3, $4)")
            .bind(tenant.id)
            .bind(tenant.person(person))
            .bind(person.name)
            .bind(tenant.email(person))
            .execute(&mut *tx)
            .await?;
        place(
            tx,
            tenant.person(person),
            person.desk.office.map(|one| tenant.office(one)),
            person.desk.team.map(|one| tenant.team(one)),
        )
        .await?;
    }
    Ok(())
}

/// The first owner, and by that owner everybody else. Each change is in the log.
pub(super) async fn admit(app: &App, tx: &mut TenantTx, tenant: &Tenant) -> Result<()> {
    let owner = tenant.person(&OWNER);
    let reason = || Reason::new("the brokerage moves in");
    let mut changes = vec![done(app.members.found(tx, owner, OWNER.role, reason()?).await?)?];
    let founder = postgres::load(&mut *tx, &app.policy, owner).await?.context("the tenant has no owner")?;
    let founder = founder.actor().multi_factor().build();
    for person in tenant.people().filter(|person| person.login != OWNER.login) {
        let (id, mut by) = (tenant.person(person), app.members.by(&founder, &mut *tx));
        changes.push(done(by.admit(id, reason()?).await?)?);
        changes.push(done(by.assign(id, person.role, reason()?, None).await?)?);
    }
    for change in changes {
        audit_chain::postgres::record(&mut *tx, &bridge::member_entry(&change, Actor::system("sample-app"))).await?;
    }
    Ok(())
}

fn done(answer: Result<Changed, Refused>) -> Result<Changed> {
    answer.map_err(|refused| anyhow::anyhow!("{refused}"))
}

/// The platform's support belongs to no customer. A staff role is given where the platform is installed, and by nobody who signs in.
pub(super) async fn staff(tx: &mut TenantTx) -> Result<()> {
    let add = "WITH tenant AS (INSERT INTO stockade.rbac_tenant (tenant_id) VALUES ($1) RETURNING tenant_id)
               INSERT INTO stockade.rbac_member (tenant_id, user_id) SELECT tenant_id, $2 FROM tenant";
    let (tenant, person) = (PLATFORM.id, PLATFORM.person(&SUPPORT));
    sqlx::query(add).bind(tenant).bind(person).execute(&mut *tx).await?;
    let assign = "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason) VALUES ($1, $2, $3, $2, 'installed')";
    sqlx::query(assign).bind(tenant).bind(person).bind(SUPPORT.role).execute(&mut *tx).await?;
    Ok(())
}

/// The customers of each office. One of Reno's is shared with Savannah, which quotes for it too.
pub(super) async fn customers(tx: &mut TenantTx, tenant: &Tenant) -> Result<()> {
    for (index, (name, office, owner)) in CUSTOMERS.iter().enumerate() {
        sqlx::query(
            "INSERT INTO freight.accounts (tenant_id, id, name, owner_id, office_id) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(tenant.id)
        .bind(tenant.account(index))
        .bind(name)
        .bind(tenant.person(owner))
        .bind(tenant.office(*office))
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query(
        "INSERT INTO stockade.rbac_share (share_id, tenant_id, kind, row_id, office_id, level, reason, granted_by)
         VALUES ($1, $2, 'account', $3, $4, 'view', 'Savannah quotes for it too', $5)",
    )
    .bind(Uuid::now_v7())
    .bind(tenant.id)
    .bind(tenant.account(2))
    .bind(tenant.office(0))
    .bind(tenant.person(&OWNER))
    .execute(&mut *tx)
    .await?;
    Ok(())
}
