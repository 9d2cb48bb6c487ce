//! Three tenants with people and data, for the demonstration.

use anyhow::{Context as _, Result};
use chrono::{Datelike, Days, Months, NaiveDate, Utc};
use secrecy::SecretString;
use serde_json::json;
use stockade::{
    audit_chain::{self, Entry},
    field_crypto::{Secret, SubjectId},
    session::{ErrorKind, NewAccount, TenantId, TotpSeed, UserId},
    tenant_guard::{self, TenantTx},
};
use uuid::Uuid;

mod company;
mod paper;

pub use company::{Desk, OFFICES, TEAMS};

use crate::{
    app::App,
    authority::HOME,
    columns::{DriverBankAccount, DriverSsn, DriverSsnIndex, IntegrationToken},
    domain::drivers,
};

/// The password of every demonstration account.
pub const PASSWORD: &str = "correct horse battery staple";

/// A tenant of the demonstration.
#[derive(Clone, Copy, Debug)]
pub struct Tenant {
    /// Fixed, so that a second start finds what the first one made.
    pub id: Uuid,
    /// Company.
    pub name: &'static str,
    /// Short form, which is also its e-mail domain.
    pub slug: &'static str,
    prefix: &'static str,
}

/// A person of the demonstration. Each tenant has one of each.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// The part of the e-mail address before the `@`.
    pub login: &'static str,
    /// Display name.
    pub name: &'static str,
    /// Role in `policy.toml`.
    pub role: &'static str,
    /// The seed of the person's one-time codes, if the account has a second factor.
    pub totp_seed: Option<&'static [u8; 20]>,
    /// Where the person works.
    pub desk: Desk,
}

/// Acme Manufacturing.
pub const ACME: Tenant =
    Tenant { id: Uuid::from_u128(0xac3e << 112 | 1), name: "Acme Manufacturing", slug: "acme", prefix: "AM" };
/// Bright Web Studio.
pub const BRIGHT: Tenant =
    Tenant { id: Uuid::from_u128(0xb419 << 112 | 2), name: "Bright Web Studio", slug: "bright", prefix: "BW" };
/// Cedar Trading Co.
pub const CEDAR: Tenant =
    Tenant { id: Uuid::from_u128(0xceda << 112 | 3), name: "Cedar Trading Co.", slug: "cedar", prefix: "CT" };
/// All three.
pub const TENANTS: [Tenant; 3] = [ACME, BRIGHT, CEDAR];

/// The platform itself, to which its own staff belong.
pub const PLATFORM: Tenant = Tenant { id: HOME, name: "Freight Desk", slug: "platform", prefix: "FD" };

/// Owner, with a second factor.
pub const OWNER: Person = Person {
    login: "ana",
    name: "Ana Ruiz",
    role: "owner",
    totp_seed: Some(b"stockade demo ana 01"),
    desk: Desk::SAVANNAH,
};
/// Dispatcher: sees the loads of a team, edits those that are theirs.
pub const DISPATCHER: Person = Person::new("dan", "Dan Osei", "dispatcher", Desk::SAVANNAH_TEAM);
/// Accountant: posts, but does not close a period.
pub const ACCOUNTANT: Person = Person::new("amy", "Amy Lindqvist", "accountant", Desk::SAVANNAH);
/// Viewer.
pub const VIEWER: Person = Person::new("vic", "Vic Tan", "viewer", Desk::SAVANNAH);
/// Dispatcher in another office.
pub const FAR_DISPATCHER: Person = Person::new("dee", "Dee Ramos", "dispatcher", Desk::RENO_TEAM);
/// Everybody that each tenant has.
pub const PEOPLE: [Person; 5] = [OWNER, DISPATCHER, ACCOUNTANT, VIEWER, FAR_DISPATCHER];

/// Administrator: looks after people, and after less money than the accountant.
pub const ADMIN: Person = Person::new("abe", "Abe Fontaine", "admin", Desk::SAVANNAH);
/// Manager of the far office.
pub const MANAGER: Person = Person::new("mia", "Mia Kovac", "office-manager", Desk::RENO);
/// A member who may do nothing yet.
pub const GUEST: Person = Person::new("gus", "Gus Weller", "guest", Desk::NOWHERE);
/// Whom Acme has besides.
pub const MORE_OF_ACME: [Person; 3] = [ADMIN, MANAGER, GUEST];

/// A member of the platform's support, with a second factor.
pub const SUPPORT: Person = Person {
    login: "sam",
    name: "Sam Abara",
    role: "support",
    totp_seed: Some(b"stockade demo sam 01"),
    desk: Desk::NOWHERE,
};

impl Tenant {
    /// A person's sign-in identifier in this tenant.
    #[must_use]
    pub fn email(&self, person: &Person) -> String {
        format!("{}@{}.test", person.login, self.slug)
    }

    /// Everybody of this tenant.
    pub fn people(&self) -> impl Iterator<Item = &'static Person> {
        let (own, more): (&[Person], &[Person]) = match self.slug {
            "platform" => (&[SUPPORT], &[]),
            "acme" => (&PEOPLE, &MORE_OF_ACME),
            _ => (&PEOPLE, &[]),
        };
        own.iter().chain(more)
    }

    /// A driver's id in this tenant.
    #[must_use]
    pub fn driver(&self, index: usize) -> Uuid {
        Uuid::from_u128(self.id.as_u128() | (index as u128 + 1) << 32)
    }

    /// A load's id in this tenant.
    #[must_use]
    pub fn load(&self, index: usize) -> Uuid {
        Uuid::from_u128(self.id.as_u128() | (index as u128 + 1) << 48)
    }

    /// What people call a load of this tenant, such as `AM-1041`.
    #[must_use]
    pub fn reference(&self, load: usize) -> String {
        format!("{}-{}", self.prefix, 1041 + load)
    }

    /// A person's id in this tenant.
    #[must_use]
    pub fn person(&self, person: &Person) -> Uuid {
        let all = || PEOPLE.iter().chain(&MORE_OF_ACME).chain([&SUPPORT]);
        let index = all().position(|one| one.login == person.login).unwrap_or_default();
        Uuid::from_u128(self.id.as_u128() | (index as u128 + 1) << 16)
    }
}

/// Fills an empty database. A tenant that is there is left as it is. The row that says so is written last, together
/// with the tenant's business, so an interrupted start is completed by the next one.
///
/// # Errors
/// When the database fails.
pub async fn fill(app: &App) -> Result<()> {
    for tenant in &TENANTS {
        if !exists(app, tenant).await? {
            app.vault.provision(tenant.id.into()).await?;
            accounts(app, tenant).await?;
            business(app, tenant).await?;
        }
    }
    if !exists(app, &PLATFORM).await? {
        accounts(app, &PLATFORM).await?;
        let mut tx = app.tenants.begin(company::mover(&PLATFORM)?).await?;
        company::found(&mut tx, &PLATFORM).await?;
        company::staff(&mut tx).await?;
        tx.commit().await?;
    }
    app.seal_now().await?;
    Ok(())
}

async fn exists(app: &App, tenant: &Tenant) -> Result<bool> {
    let mut tx = app.tenants.read(tenant_guard::TenantId::new(tenant.id)).await?;
    let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM freight.tenants").fetch_optional(&mut tx).await?;
    Ok(found.is_some())
}

async fn accounts(app: &App, tenant: &Tenant) -> Result<()> {
    for person in tenant.people() {
        let user = UserId::from(tenant.person(person));
        let new = NewAccount { user, tenant: TenantId::from(tenant.id), identifier: &tenant.email(person) };
        already_there(app.auth.accounts().create(new, SecretString::from(PASSWORD)).await)?;
        if let Some(seed) = person.totp_seed {
            already_there(app.auth.accounts().import_totp(user, TotpSeed::from_bytes(seed.as_slice())?).await)?;
        }
    }
    Ok(())
}

/// What an interrupted start has made already is no error.
fn already_there(created: stockade::session::Result<()>) -> stockade::session::Result<()> {
    match created {
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
        other => other,
    }
}

async fn business(app: &App, tenant: &Tenant) -> Result<()> {
    let keys = app.vault.tenant(tenant.id.into()).await?;
    let ids: Vec<SubjectId> = (0..DRIVERS.len()).map(|index| tenant.driver(index).into()).collect();
    for id in &ids {
        app.vault.provision_subject(tenant.id.into(), *id).await?;
    }
    let subjects = app.vault.subjects(tenant.id.into(), &ids).await?;
    let mut tx = app.tenants.begin(company::mover(tenant)?).await?;
    company::found(&mut tx, tenant).await?;
    company::admit(app, &mut tx, tenant).await?;
    company::customers(&mut tx, tenant).await?;
    loads(&mut tx, tenant).await?;
    for (index, (name, licence, phone, ssn, account)) in DRIVERS.iter().enumerate() {
        let id = tenant.driver(index);
        // The same drivers in each tenant, but no two people have one number.
        let ssn = Secret::new(format!("{ssn}{}", tenant.id.as_u128() & 0xf));
        let own = subjects.get(&SubjectId::from(id)).context("a driver has no key")?;
        sqlx::query("INSERT INTO freight.drivers (tenant_id, id, name, licence, phone, ssn, bank_account, ssn_index, office_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(tenant.id)
            .bind(id)
            .bind(name)
            .bind(licence)
            .bind(phone)
            .bind(own.seal::<DriverSsn>(&id, &ssn)?)
            .bind(own.seal::<DriverBankAccount>(&id, &Secret::new((*account).to_owned()))?)
            .bind(keys.index::<DriverSsnIndex>(&ssn)?)
            .bind(tenant.office(index % OFFICES.len()))
            .execute(&mut tx)
            .await?;
        let hired = Entry::new(tenant.id.into(), audit_chain::Actor::system("sample-app"), "driver.hire")
            .entity("driver", id)
            .personal_by(&drivers::personal())
            .after(json!({ "name": name, "licence": licence, "phone": phone }));
        audit_chain::postgres::record(&mut tx, &hired).await?;
    }
    let connected = Uuid::from_u128(tenant.id.as_u128() | 1 << 96);
    let token = Secret::new(format!("lb_{}_9f2c41d07ab3e5", tenant.slug));
    sqlx::query(
        "INSERT INTO freight.integrations (tenant_id, id, name, oauth_token) VALUES ($1, $2, 'Load board', $3)",
    )
    .bind(tenant.id)
    .bind(connected)
    .bind(keys.seal::<IntegrationToken>(&connected, &token)?)
    .execute(&mut tx)
    .await?;
    paper::papers(&mut tx, tenant).await?;
    ledger(&mut tx, tenant).await?;
    let entry = Entry::new(tenant.id.into(), audit_chain::Actor::system("sample-app"), "tenant.provision")
        .entity("tenant", tenant.id.to_string())
        .after(json!({ "name": tenant.name, "users": tenant.people().count(), "drivers": DRIVERS.len(), "loads": LOADS.len() }));
    audit_chain::postgres::record(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok(())
}

async fn loads(tx: &mut TenantTx, tenant: &Tenant) -> Result<()> {
    let today = Utc::now().date_naive();
    for (index, (customer, origin, destination, rate, status)) in LOADS.iter().enumerate() {
        let number = index as u64;
        let owner = [DISPATCHER, FAR_DISPATCHER, OWNER, FAR_DISPATCHER].into_iter().cycle().nth(index).unwrap_or(OWNER);
        sqlx::query(
            "INSERT INTO freight.loads (tenant_id, id, reference, customer, origin, destination, pickup_on, rate_cents, status, owner_id, team_id, office_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(tenant.id)
        .bind(tenant.load(index))
        .bind(tenant.reference(index))
        .bind(customer)
        .bind(origin)
        .bind(destination)
        .bind(today.checked_sub_days(Days::new(number)).unwrap_or(today))
        .bind(rate)
        .bind(status)
        .bind(tenant.person(&owner))
        .bind(owner.desk.team.map(|team| tenant.team(team)))
        .bind(owner.desk.office.map(|office| tenant.office(office)))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Last month and this one, and a posting in each.
async fn ledger(tx: &mut TenantTx, tenant: &Tenant) -> Result<()> {
    let this_month = first_of_month(Utc::now().date_naive());
    let last_month = this_month.checked_sub_months(Months::new(1)).unwrap_or(this_month);
    for (index, start) in [last_month, this_month].into_iter().enumerate() {
        let number = index as u128 + 1;
        let end = start.checked_add_months(Months::new(1)).and_then(|next| next.pred_opt()).unwrap_or(start);
        sqlx::query(
            "INSERT INTO freight.fiscal_period (tenant_id, id, name, starts_on, ends_on) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(tenant.id)
        .bind(Uuid::from_u128(tenant.id.as_u128() | number << 64))
        .bind(start.format("%Y-%m").to_string())
        .bind(start)
        .bind(end)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO freight.gl_posting (tenant_id, id, posted_on, account, memo, amount_cents, posted_by)
             VALUES ($1, $2, $3, '4000 Freight revenue', $4, $5, $6)",
        )
        .bind(tenant.id)
        .bind(Uuid::from_u128(tenant.id.as_u128() | number << 80))
        .bind(start)
        .bind(format!("{}-1041 linehaul", tenant.prefix))
        .bind(-185_000_i64)
        .bind(tenant.person(&ACCOUNTANT))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

/// Customer, origin, destination, rate in cents, status.
const LOADS: [(&str, &str, &str, i64, &str); 6] = [
    ("Harbor Foods", "Savannah, GA", "Columbus, OH", 185_000, "booked"),
    ("Northline Steel", "Gary, IN", "Tulsa, OK", 240_000, "in transit"),
    ("Palmetto Paper", "Charleston, SC", "Nashville, TN", 132_500, "delivered"),
    ("Harbor Foods", "Miami, FL", "Atlanta, GA", 118_000, "quoted"),
    ("Juniper Home", "Reno, NV", "Boise, ID", 96_000, "booked"),
    ("Northline Steel", "Pittsburgh, PA", "Newark, NJ", 124_900, "delivered"),
];

/// Name, licence, telephone, social security number but for its last digit, bank account. Numbers that were never issued.
const DRIVERS: [(&str, &str, &str, &str, &str); 3] = [
    ("Lena Whitfield", "GA 048 221 907", "+1 912 555 0142", "900-12-345", "021000021-4455667"),
    ("Marcus Bell", "OH TL 774 310", "+1 614 555 0178", "900-45-678", "044000037-1122334"),
    ("Priya Nair", "TN 119 030 556", "+1 615 555 0119", "900-78-901", "064000020-9988776"),
];

/// The one-time code of `person` at this moment.
///
/// # Errors
/// When the person has no second factor.
pub fn current_code(person: &Person) -> Result<String> {
    let Some(seed) = person.totp_seed else { anyhow::bail!("{} has no second factor", person.name) };
    let totp = totp_rs::Builder::new().with_secret(seed.as_slice()).build()?;
    Ok(totp.generate_current().to_string())
}
