//! `docs/rotate-keys.md`.

use std::ops::ControlFlow;

use sqlx::PgPool;
use stockade::field_crypto::postgres::{ColumnUses, JobReport, PgKeyStore, Rewriter, SealedColumns, Site, migrator};
use stockade::field_crypto::{
    DigitsOnly, Error, IndexTag, KekId, KekRemoval, KeyChange, KeyId, LocalKeyring, Purpose, RotationPolicy, Sealed,
    Secret, TenantId, Vault, columns,
};
use stockade::session::{self, KeyRing};
use uuid::Uuid;

columns! {
    /// A client's tax number.
    pub(crate) TaxNumber = "clients"."tax_number": String, row = Uuid,
        index TaxNumberIndex = "tax_number_index": DigitsOnly;
}

type Keys = Vault<LocalKeyring, PgKeyStore>;

/// Every sealed column of the application: one that is missing here is not rotated.
fn registry() -> SealedColumns {
    SealedColumns::new().column::<TaxNumber>(Site::table("public.clients").index::<TaxNumberIndex>())
}

/// Wraps all keys under the first entry of the keyring, then lets the store forget the old one. Can be called again at any point.
async fn exchange_kek(vault: &Keys, old: &KekId) -> Result<KekRemoval, Error> {
    loop {
        let report = vault.rewrap().await?;
        eprintln!("{} wrapped anew, {} overtaken, {} failed", report.rewrapped, report.overtaken, report.failed);
        if report.rewrapped == 0 && report.overtaken == 0 {
            return vault.forget_kek(old).await;
        }
    }
}

/// Step 1: a key that opens and does not seal yet. Wait until every process has it: one lifetime of the caches.
async fn add(vault: &Keys, tenant: TenantId, purpose: Purpose) -> Result<KeyId, Error> {
    Ok(vault.add_key(tenant, purpose).await?.key)
}

/// Step 2: it seals from now on. `TooSoon` means to come back.
async fn promote(vault: &Keys, tenant: TenantId, new: KeyId, policy: RotationPolicy) -> Result<KeyChange, Error> {
    vault.promote(tenant, new, policy).await
}

/// Step 3: the rows. A call that was interrupted, or whose process was killed, is resumed by the next one.
async fn reseal(vault: &Keys, rotator: &PgPool, tenant: TenantId) -> Result<JobReport, Error> {
    Rewriter::new(vault, registry(), rotator.clone())?.rewrite(tenant, |_| ControlFlow::Continue(())).await
}

/// Step 4: refused with the count while a registered column holds a value of the key.
async fn retire(
    vault: &Keys,
    rotator: &PgPool,
    tenant: TenantId,
    old: KeyId,
    policy: RotationPolicy,
) -> Result<KeyChange, Error> {
    vault.retire(tenant, old, &ColumnUses::new(registry(), rotator.clone()), policy).await
}

/// Step 5: a week later. Counts again; then what was sealed under the key is gone for good.
async fn destroy(
    vault: &Keys,
    rotator: &PgPool,
    tenant: TenantId,
    old: KeyId,
    policy: RotationPolicy,
) -> Result<KeyChange, Error> {
    vault.destroy_retired(tenant, old, &ColumnUses::new(registry(), rotator.clone()), policy).await
}

/// The ring of each step. A process may be one step behind the others, and everybody stays signed in.
fn rings(old: [u8; 32], new: [u8; 32]) -> session::Result<[KeyRing; 3]> {
    Ok([
        KeyRing::single(1, old)?.pending(2, new)?, // 1. to every process: verifies what 2 makes
        KeyRing::single(2, new)?.verify_only(1, old)?, // 2. new tokens are made with 2
        KeyRing::single(2, new)?.retired(1)?, // 3. after the longest session: what 1 made is refused, and its number stays taken
    ])
}

const TABLE: &str = "CREATE TABLE public.clients (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, tax_number_index bytea, tax_number bytea \
    CHECK (tax_number IS NULL OR (octet_length(tax_number) >= 33 AND substring(tax_number FROM 1 FOR 1) = '\\x01'::bytea \
    AND substring(tax_number FROM 2 FOR 4) <> '\\x00000000'::bytea)))";
const INSERT: &str = "INSERT INTO public.clients (id, tenant_id, tax_number, tax_number_index) VALUES ($1, $2, $3, $4)";
const SELECT: &str = "SELECT tax_number, tax_number_index FROM public.clients WHERE id = $1";

async fn store(pool: &PgPool, vault: &Keys, tenant: TenantId, id: Uuid, number: &str) {
    let keys = vault.tenant(tenant).await.unwrap();
    let number = Secret::new(number.to_owned());
    let (sealed, tag) = (keys.seal::<TaxNumber>(&id, &number).unwrap(), keys.index::<TaxNumberIndex>(&number).unwrap());
    sqlx::query(INSERT).bind(id).bind(tenant.as_uuid()).bind(sealed).bind(tag).execute(pool).await.unwrap();
}

async fn stored(pool: &PgPool, vault: &Keys, tenant: TenantId, id: Uuid) -> String {
    let keys = vault.tenant(tenant).await.unwrap();
    let (sealed, tag): (Sealed<TaxNumber>, IndexTag<TaxNumberIndex>) =
        sqlx::query_as(SELECT).bind(id).fetch_one(pool).await.unwrap();
    let number = keys.open(&id, &sealed).unwrap();
    assert!(keys.search::<TaxNumberIndex>(&number).unwrap().tags().contains(&tag), "found by its tag");
    number.expose().clone()
}

#[sqlx::test(migrations = false)]
async fn both_kinds_of_keys_are_exchanged_under_a_running_table(pool: PgPool) {
    migrator().run(&pool).await.unwrap();
    sqlx::query(TABLE).execute(&pool).await.unwrap();
    registry().verify(&pool).await.unwrap();
    let entry = |byte: u8| format!("k{byte}:{}", String::from_utf8(vec![b'A' + byte; 42]).unwrap() + "A=");
    let vault = |text: String| Vault::new(LocalKeyring::parse(&text).unwrap(), PgKeyStore::new(pool.clone()));

    let before = vault(entry(1));
    let (tenant, id) = (TenantId::from(Uuid::from_u128(1)), Uuid::from_u128(2));
    let old = before.provision(tenant).await.unwrap();
    store(&pool, &before, tenant, id, "12 345").await;

    // The key-encryption key.
    let both = vault(format!("{},{}", entry(2), entry(1)));
    let removal = exchange_kek(&both, &KekId::new("k1").unwrap()).await.unwrap();
    assert_eq!(removal, KekRemoval::Forgotten);
    let after = vault(entry(2));
    after.self_check().await.unwrap();
    assert_eq!(stored(&pool, &after, tenant, id).await, "12 345");

    // The tenant's keys, one purpose after the other. This process is the only one, so there is nobody to wait for.
    let policy = RotationPolicy::without_waiting();
    for purpose in [Purpose::Aead, Purpose::Index] {
        let new = add(&after, tenant, purpose).await.unwrap();
        assert_eq!(promote(&after, tenant, new, policy).await.unwrap(), KeyChange::Made);
    }
    for key in &old {
        let refused = retire(&after, &pool, tenant, key.key, policy).await.unwrap();
        assert_eq!(refused, KeyChange::InUse { values: 1 });
    }
    let report = reseal(&after, &pool, tenant).await.unwrap();
    assert_eq!((report.sealed, report.failed), (1, 0));
    for key in &old {
        assert_eq!(retire(&after, &pool, tenant, key.key, policy).await.unwrap(), KeyChange::Made);
        assert_eq!(destroy(&after, &pool, tenant, key.key, policy).await.unwrap(), KeyChange::Made);
    }
    assert_eq!(stored(&pool, &vault(entry(2)), tenant, id).await, "12 345");
}

#[test]
fn each_ring_of_an_exchange_is_a_ring() {
    assert!(rings([2; 32], [3; 32]).is_err(), "a key of equal bytes is a placeholder");
    let key = |first: u8| std::array::from_fn(|place| first.wrapping_add(u8::try_from(place).unwrap()));
    assert_eq!(rings(key(1), key(9)).unwrap().map(|ring| ring.states().count()), [2; 3]);
}
