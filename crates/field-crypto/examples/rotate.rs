//! Rotates the key of a tenant under a running table, is interrupted half-way, goes on, and proves that nothing was lost.
//!
//! ```sh
//! DATABASE_URL=postgres://.. cargo run -p stockade-field-crypto --example rotate
//! ```
//!
//! It makes a database of its own, `stockade_rotate_example`, and drops it at the end: the role must be allowed to create
//! databases and roles.

#![expect(clippy::print_stdout, reason = "a command-line program speaks over its streams")]

use std::error::Error;
use std::ops::ControlFlow;

use indicatif::{ProgressBar, ProgressStyle};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool};
use stockade_field_crypto::postgres::{
    ColumnUses, PgKeyStore, Progress, Rewriter, SealedColumns, Site, TenantScope, migrator,
};
use stockade_field_crypto::{
    IndexTag, KeyChange, LocalKeyring, Purpose, RotationPolicy, Sealed, Secret, TenantId, Vault, columns,
};
use tokio::sync::Notify;
use uuid::Uuid;

columns! {
    /// A driver's social security number.
    DriverSsn = "drivers"."ssn": String, row = Uuid,
        index DriverSsnIndex = "ssn_index": stockade_field_crypto::DigitsOnly;
}

const ROWS: u32 = 30_000;
const TABLE: &str = "CREATE TABLE public.drivers (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, ssn bytea CHECK (ssn IS NULL OR \
        (octet_length(ssn) >= 33 AND substring(ssn FROM 1 FOR 1) = '\\x01'::bytea AND substring(ssn FROM 2 FOR 4) <> '\\x00000000'::bytea)), \
    ssn_index bytea, UNIQUE (tenant_id, ssn_index))";
const INSERT: &str = "INSERT INTO public.drivers (id, tenant_id, ssn, ssn_index) \
    SELECT r.id, $1, r.ssn, r.tag FROM unnest($2::uuid[], $3::bytea[], $4::bytea[]) AS r (id, ssn, tag)";

type Keys = Vault<LocalKeyring, PgKeyStore>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Ok(url) = std::env::var("DATABASE_URL") else {
        println!("Set DATABASE_URL to a PostgreSQL server; scripts/with-servers starts one for a command.");
        return Ok(());
    };
    let options: PgConnectOptions = url.parse()?;
    let mut admin = options.clone().connect().await?;
    sqlx::query("DROP DATABASE IF EXISTS stockade_rotate_example").execute(&mut admin).await?;
    sqlx::query("CREATE DATABASE stockade_rotate_example").execute(&mut admin).await?;
    let pool = PgPoolOptions::new().connect_with(options.database("stockade_rotate_example")).await?;
    let outcome = rotate(&pool).await;
    pool.close().await;
    sqlx::query("DROP DATABASE stockade_rotate_example").execute(&mut admin).await?;
    admin.close().await?;
    outcome
}

async fn rotate(pool: &PgPool) -> Result<(), Box<dyn Error>> {
    migrator().run(pool).await?;
    sqlx::query(TABLE).execute(pool).await?;
    let columns = SealedColumns::new().column::<DriverSsn>(Site::table("public.drivers").index::<DriverSsnIndex>());
    columns.verify(pool).await?;
    let vault = Vault::new(LocalKeyring::generate("k1")?, PgKeyStore::new(pool.clone()));
    let tenant = TenantId::from(Uuid::now_v7());
    let old = vault.provision(tenant).await?;
    fill(pool, &vault, tenant).await?;
    println!("{ROWS} numbers sealed under key {}", old.first().ok_or("no key")?.key);

    // This process is the only one: there is no other cache to wait for.
    let policy = RotationPolicy::without_waiting();
    for purpose in [Purpose::Aead, Purpose::Index] {
        let new = vault.add_key(tenant, purpose).await?;
        expect(vault.promote(tenant, new.key, policy).await?)?;
        println!("{purpose} key {} added and promoted, check value {}", new.key, new.kcv);
    }

    let worker = Uuid::from_u128(1);
    let bar = ProgressBar::new(ROWS.into());
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} rows, {per_sec}")?);
    let halfway = Notify::new();
    let progress = |progress: Progress| {
        bar.set_position(progress.sealed);
        if progress.sealed >= u64::from(ROWS / 2) {
            halfway.notify_one();
        }
        ControlFlow::Continue(())
    };
    {
        let mut interrupted = Rewriter::new(&vault, columns.clone(), pool.clone())?.with_worker(worker);
        tokio::select! {
            biased;
            () = halfway.notified() => bar.suspend(|| println!("interrupted: the worker is dropped in the middle of its work")),
            report = interrupted.rewrite(tenant, progress) => return Err(format!("not interrupted: {report:?}").into()),
        }
    }
    for key in &old {
        let refused = vault.retire(tenant, key.key, &ColumnUses::new(columns.clone(), pool.clone()), policy).await?;
        bar.suspend(|| println!("retiring key {}: {refused:?}", key.key));
    }
    let mut resumed = Rewriter::new(&vault, columns.clone(), pool.clone())?.with_worker(worker);
    let report = resumed.rewrite(tenant, progress).await?;
    bar.finish();
    println!("resumed: {} rows sealed, {} failed", report.sealed, report.failed);

    check(pool, &vault, tenant).await?;
    println!("every number opens to what was written and is found by its tag");
    for key in old {
        let uses = ColumnUses::new(columns.clone(), pool.clone());
        expect(vault.retire(tenant, key.key, &uses, policy).await?)?;
        println!("{} key {} retired", key.purpose, key.key);
    }
    let mut scope = TenantScope::begin(pool, tenant).await?;
    for column in columns.coverage(&mut scope).await? {
        println!("{}.{}: {:?}", column.table, column.column, column.totals());
    }
    Ok(())
}

/// The number of the driver at a place.
fn ssn(place: usize) -> Secret<String> {
    Secret::new(format!("{:03}-{:02}-{:04}", place / 1_000_000 + 1, place / 10_000 % 100, place % 10_000))
}

async fn fill(pool: &PgPool, vault: &Keys, tenant: TenantId) -> Result<(), Box<dyn Error>> {
    let keys = vault.tenant(tenant).await?;
    let (mut ids, mut values, mut tags) = (Vec::new(), Vec::new(), Vec::new());
    for place in 0..usize::try_from(ROWS)? {
        let id = Uuid::from_u128(u128::try_from(place)?);
        values.push(keys.seal::<DriverSsn>(&id, &ssn(place))?);
        tags.push(keys.index::<DriverSsnIndex>(&ssn(place))?);
        ids.push(id);
    }
    sqlx::query(INSERT).bind(tenant.as_uuid()).bind(ids).bind(values).bind(tags).execute(pool).await?;
    Ok(())
}

async fn check(pool: &PgPool, vault: &Keys, tenant: TenantId) -> Result<(), Box<dyn Error>> {
    let keys = vault.tenant(tenant).await?;
    let rows: Vec<(Uuid, Sealed<DriverSsn>, IndexTag<DriverSsnIndex>)> =
        sqlx::query_as("SELECT id, ssn, ssn_index FROM public.drivers").fetch_all(pool).await?;
    if rows.len() != usize::try_from(ROWS)? {
        return Err(format!("{} rows are left", rows.len()).into());
    }
    for (id, sealed, tag) in rows {
        let written = ssn(usize::try_from(id.as_u128())?);
        if keys.open(&id, &sealed)?.expose() != written.expose() || keys.index::<DriverSsnIndex>(&written)? != tag {
            return Err(format!("row {id} is not what was written").into());
        }
    }
    Ok(())
}

fn expect(change: KeyChange) -> Result<(), String> {
    if change == KeyChange::Made { Ok(()) } else { Err(format!("refused: {change:?}")) }
}
