//! Blind indexes.

use std::collections::HashSet;

use stockade_field_crypto::{ErrorKind, IndexTag, MemoryKeyStore, Vault};

use crate::support::{
    DriverSsnIndex, EmailDigits, EmailIndex, EmailSecond, OneKeyForAll, SpouseSsnIndex, new_tenant, secret, tenant_keys,
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
    let (ours, theirs) = (new_tenant(), new_tenant());
    let key = stockade_field_crypto::DataKey::generate().unwrap();
    plant_index_key(&store, ours, &key).await;
    plant_index_key(&store, theirs, &key).await;
    let keys = vault.tenant(ours).await.unwrap();
    let value = || secret("12345678");
    let tags = [
        *keys.index::<DriverSsnIndex>(&value()).unwrap().as_bytes(),
        *keys.index::<SpouseSsnIndex>(&value()).unwrap().as_bytes(),
        *keys.index::<EmailIndex>(&value()).unwrap().as_bytes(),
        *keys.index::<EmailDigits>(&value()).unwrap().as_bytes(),
        *keys.index::<EmailSecond>(&value()).unwrap().as_bytes(),
        *vault.tenant(theirs).await.unwrap().index::<DriverSsnIndex>(&value()).unwrap().as_bytes(),
    ];
    assert_eq!(HashSet::from(tags).len(), tags.len());
}

async fn plant_index_key(
    store: &MemoryKeyStore,
    tenant: stockade_field_crypto::TenantId,
    key: &stockade_field_crypto::DataKey,
) {
    use stockade_field_crypto::{KeyRecord, KeyState, KeyStore as _, Kms as _, Purpose, WrapContext};
    let wrapped = OneKeyForAll.wrap(WrapContext::Canary, key).await.unwrap();
    let id = crate::support::key_id(1);
    let record = KeyRecord::new(tenant, id, Purpose::Index, KeyState::Active(wrapped), key.kcv());
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
    assert_eq!(IndexTag::from_bytes(bytes), Some(tag));
    assert_eq!(IndexTag::<DriverSsnIndex>::from_bytes(&bytes[..20]), None);
    assert_eq!(IndexTag::<DriverSsnIndex>::from_bytes(&[bytes, &[0][..]].concat()), None);
    for (at, byte) in [(0, 0), (0, 2), (4, 0)] {
        let mut edited = *bytes;
        edited[at] = byte;
        assert_eq!(IndexTag::<DriverSsnIndex>::from_bytes(&edited), None);
    }
}
