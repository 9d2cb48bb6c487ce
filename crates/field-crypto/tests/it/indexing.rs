//! Blind indexes.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use stockade_field_crypto::{
    DataKey, ErrorKind, IndexTag, KeyRecord, KeyState, KeyStore as _, Kms as _, MemoryKeyStore, OpenError, Purpose,
    Sealed, Secret, TenantId, TenantKeys, Vault, WrapContext,
};
use uuid::Uuid;

use crate::support::{
    DriverSsn, DriverSsnIndex, DriverSsnLast4, Email, EmailAnywhere, EmailApprox, EmailApproxLess, EmailDigits,
    EmailIndex, EmailNfkc, EmailRoughly, EmailSecond, OneKeyForAll, SpouseSsnIndex, key_id, keyring, new_tenant,
    provisioned, secret, tenant_keys,
};

#[tokio::test]
async fn equal_values_have_equal_tags() {
    let keys = tenant_keys().await;
    let tag = keys.index::<DriverSsnIndex>(&secret("078-05-1120")).unwrap();
    for spelling in ["078051120", " 078 05 1120", "078/05/1120"] {
        assert_eq!(keys.index::<DriverSsnIndex>(&secret(spelling)).unwrap(), tag);
        assert_eq!(keys.probe::<DriverSsnIndex>(&secret(spelling)).unwrap(), [tag]);
    }
    assert_ne!(keys.index::<DriverSsnIndex>(&secret("078-05-1121")).unwrap(), tag);
    let email = |text| keys.index::<EmailIndex>(&secret(text)).unwrap();
    assert_eq!(email("Ada@Example.com "), email("ada@example.COM"));
}

/// Under one key for all tenants, so that only the derivation keeps them apart.
#[tokio::test]
async fn tags_of_different_indexes_have_nothing_in_common() {
    let store = MemoryKeyStore::default();
    let vault = Vault::new(OneKeyForAll, store.clone());
    let (ours, theirs, nobody) = (new_tenant(), new_tenant(), TenantId::from(Uuid::nil()));
    let key = DataKey::generate().unwrap();
    for tenant in [ours, theirs, nobody] {
        plant_index_key(&store, tenant, &key).await;
    }
    let keys = vault.tenant(ours).await.unwrap();
    let global = vault.global_index().await.unwrap();
    let value = || secret("12345678");
    // Seven bytes of hash: what the shortest of them has.
    let start = |tag: &[u8]| tag[5..12].to_vec();
    let tags = [
        start(keys.index::<DriverSsnIndex>(&value()).unwrap().as_bytes()),
        start(keys.index::<SpouseSsnIndex>(&value()).unwrap().as_bytes()),
        start(keys.index::<EmailIndex>(&value()).unwrap().as_bytes()),
        start(keys.index::<EmailDigits>(&value()).unwrap().as_bytes()),
        start(keys.index::<EmailSecond>(&value()).unwrap().as_bytes()),
        start(keys.index::<EmailApprox>(&value()).unwrap().as_bytes()),
        start(keys.index::<EmailApproxLess>(&value()).unwrap().as_bytes()),
        start(keys.index::<EmailNfkc>(&value()).unwrap().as_bytes()),
        start(global.index::<EmailAnywhere>(&value()).unwrap().as_bytes()),
        start(vault.tenant(theirs).await.unwrap().index::<DriverSsnIndex>(&value()).unwrap().as_bytes()),
    ];
    assert_eq!(HashSet::from(tags.clone()).len(), tags.len());
}

pub(crate) async fn plant_index_key(store: &MemoryKeyStore, tenant: TenantId, key: &DataKey) {
    let wrapped = OneKeyForAll.wrap(WrapContext::Canary, key).await.unwrap();
    let record = KeyRecord::new(tenant, key_id(1), Purpose::Index, KeyState::Active(wrapped), key.kcv());
    let _ = store.insert(&record).await.unwrap();
}

#[tokio::test]
async fn a_value_without_content_is_not_indexed() {
    let keys = tenant_keys().await;
    for value in ["", "n/a", "---"] {
        let error = keys.index::<DriverSsnIndex>(&secret(value)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NothingToIndex);
        assert_eq!(keys.probe::<DriverSsnIndex>(&secret(value)).unwrap_err().kind(), ErrorKind::NothingToIndex);
    }
}

#[tokio::test]
async fn stored_tags_are_checked() {
    let keys = tenant_keys().await;
    let tag = keys.index::<DriverSsnIndex>(&secret("078-05-1120")).unwrap();
    let bytes = tag.as_bytes();
    assert_eq!((bytes.len(), IndexTag::from_bytes(bytes)), (21, Some(tag)));
    assert_eq!(IndexTag::<DriverSsnIndex>::from_bytes(&bytes[..20]), None);
    assert_eq!(IndexTag::<DriverSsnIndex>::from_bytes(&[bytes, &[0]].concat()), None);
    for (at, byte) in [(0, 0), (0, 2), (4, 0)] {
        let mut edited = bytes.to_vec();
        edited[at] = byte;
        assert_eq!(IndexTag::<DriverSsnIndex>::from_bytes(&edited), None);
    }
}

/// An approximate index, searched as a list of rows would be.
struct Rows(Vec<(Uuid, Sealed<DriverSsn>, IndexTag<DriverSsnLast4>)>);

impl Rows {
    fn of(keys: &TenantKeys, numbers: impl Iterator<Item = u32>) -> Self {
        Self(numbers.map(|number| row(keys, &format!("219-09-{number:04}"))).collect())
    }

    fn candidates(&self, tags: &[IndexTag<DriverSsnLast4>]) -> Vec<(Uuid, Sealed<DriverSsn>)> {
        let hits = self.0.iter().filter(|(_, _, tag)| tags.contains(tag));
        hits.map(|(id, sealed, _)| (*id, sealed.clone())).collect()
    }
}

fn row(keys: &TenantKeys, ssn: &str) -> (Uuid, Sealed<DriverSsn>, IndexTag<DriverSsnLast4>) {
    let (id, ssn) = (Uuid::now_v7(), secret(ssn));
    (id, keys.seal(&id, &ssn).unwrap(), keys.index(&ssn).unwrap())
}

#[tokio::test]
async fn an_approximate_index_finds_groups_and_opening_decides() {
    let keys = tenant_keys().await;
    let rows = Rows::of(&keys, 0..4096);
    let search = keys.search::<DriverSsnLast4>(&secret("1120")).unwrap();
    assert_eq!(search.tags(), keys.probe::<DriverSsnLast4>(&secret("078-05-1120")).unwrap());
    let candidates = rows.candidates(search.tags());
    // Eight bits: one row in 256. The control is that others are among them.
    assert!((2..80).contains(&candidates.len()), "{} candidates", candidates.len());
    let found = search.filter(&keys, candidates, |(id, sealed)| (id, sealed)).all().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(keys.open(&found[0].0, &found[0].1).unwrap().expose(), "219-09-1120");

    // A value that nobody has: its tag has rows, and none of them matches.
    let absent = (5000..5050).map(|number| secret(&format!("{number}")));
    for value in absent {
        let search = keys.search::<DriverSsnLast4>(&value).unwrap();
        let candidates = rows.candidates(search.tags());
        assert!(search.filter(&keys, candidates, |(id, sealed)| (id, sealed)).all().unwrap().is_empty());
    }
}

/// Whoever writes to the database can put any tag beside any value: what is found is decided by the value.
#[tokio::test]
async fn a_moved_tag_finds_nothing_and_a_moved_value_is_reported() {
    let keys = tenant_keys().await;
    let (wanted, ssn, _) = row(&keys, "078-05-1120");
    let (other, foreign, _) = row(&keys, "219-09-9999");
    let search = keys.search::<DriverSsnIndex>(&secret("078 05 1120")).unwrap();
    let candidates = [(wanted, ssn.clone()), (other, foreign), (other, ssn)];
    let matches = search.filter(&keys, candidates, |(id, sealed)| (id, sealed));
    assert_eq!(matches.found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [wanted]);
    assert_eq!(
        matches.unopened.iter().map(|((id, _), error)| (*id, *error)).collect::<Vec<_>>(),
        [(other, OpenError::Failed)]
    );
    assert_eq!(matches.all().unwrap_err(), OpenError::Failed);
}

#[tokio::test]
async fn a_global_index_finds_the_tenant_of_a_person() {
    let vault = Vault::new(keyring(), MemoryKeyStore::default());
    let made = vault.provision_global_index().await.unwrap().unwrap();
    assert_eq!((made.tenant.as_uuid().is_nil(), made.purpose), (true, Purpose::Index));
    assert!(vault.provision_global_index().await.unwrap().is_none());
    let global = vault.global_index().await.unwrap();
    let tenants = [provisioned(&vault).await, provisioned(&vault).await];
    let mut users = Vec::new();
    for (keys, email) in
        [(&tenants[0], "ada@example.com"), (&tenants[1], "Ada@Example.com"), (&tenants[1], "bob@example.com")]
    {
        let (id, email) = (Uuid::now_v7(), secret(email));
        let tag = global.index::<EmailAnywhere>(&email).unwrap();
        users.push((keys.tenant(), id, keys.seal::<Email>(&id, &email).unwrap(), tag));
    }
    let search = global.search::<EmailAnywhere>(&secret(" ADA@example.com")).unwrap();
    let found: Vec<_> = users.iter().filter(|user| search.tags().contains(&user.3)).collect();
    assert_eq!(found.iter().map(|user| user.0).collect::<Vec<_>>(), [tenants[0].tenant(), tenants[1].tenant()]);
    for (keys, user) in tenants.iter().zip(found) {
        assert!(search.matches(keys, &user.1, &user.2).unwrap());
    }
    // Another tenant's keys do not decide.
    assert_eq!(search.matches(&tenants[0], &users[1].1, &users[1].2).unwrap_err(), OpenError::Failed);
    assert_eq!(global.index::<EmailRoughly>(&secret("x")).unwrap().as_bytes().len(), 7);
    assert_eq!(format!("{global:?} {search:?}"), "GlobalIndexKeys(..) Search(users.email_index, 1 tags)");
}

/// The nil UUID has a key, so nobody may seal under it.
#[tokio::test]
async fn the_global_index_is_no_tenant() {
    let vault = Vault::new(keyring(), MemoryKeyStore::default());
    assert_eq!(vault.global_index().await.unwrap_err().kind(), ErrorKind::NotProvisioned);
    vault.provision_global_index().await.unwrap();
    let nil = TenantId::from(Uuid::nil());
    assert_eq!(vault.tenant(nil).await.unwrap_err().kind(), ErrorKind::NoTenant);
    assert_eq!(vault.provision(nil).await.unwrap_err().kind(), ErrorKind::NoTenant);
    assert!(vault.global_index().await.is_ok());
}

/// A key that is being replaced still indexes what it has indexed: a search goes over all of them.
#[tokio::test]
async fn a_search_goes_over_every_live_index_key() {
    let store = MemoryKeyStore::default();
    let tenant = new_tenant();
    let [old, new] = [DataKey::generate().unwrap(), DataKey::generate().unwrap()];
    plant_index_key(&store, tenant, &old).await;
    let before = Vault::new(OneKeyForAll, store.clone()).tenant(tenant).await.unwrap();
    let old_tag = before.index::<DriverSsnIndex>(&secret("078-05-1120")).unwrap();

    let rotated = MemoryKeyStore::default();
    for (number, key, active) in [(1, &old, false), (2, &new, true)] {
        let wrapped = OneKeyForAll.wrap(WrapContext::Canary, key).await.unwrap();
        let state = if active { KeyState::Active(wrapped) } else { KeyState::DecryptOnly(wrapped) };
        let record = KeyRecord::new(tenant, key_id(number), Purpose::Index, state, key.kcv());
        let _ = rotated.insert(&record).await.unwrap();
    }
    let after = Vault::new(OneKeyForAll, rotated).tenant(tenant).await.unwrap();
    let new_tag = after.index::<DriverSsnIndex>(&secret("078-05-1120")).unwrap();
    assert_ne!(new_tag, old_tag);
    let search = after.search::<DriverSsnIndex>(&Secret::new("078051120".to_owned())).unwrap();
    assert_eq!(search.tags().iter().collect::<HashSet<_>>(), HashSet::from([&old_tag, &new_tag]));
    let state = RandomState::new();
    assert_ne!(state.hash_one(old_tag), state.hash_one(new_tag));
}
