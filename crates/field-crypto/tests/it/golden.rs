//! Values of version 1, made by `tests/data/golden_v1.py`, open for ever.

use serde_json::Value;
use stockade_field_crypto::{
    Column, DataKey, Kcv, KekId, KekRecord, KeyRecord, KeyState, KeyStore as _, LocalKeyring, MemoryKeyStore,
    Plain as _, Purpose, RowId, Sealed, SubjectId, SubjectKeyRecord, SubjectKeyState, SubjectKeyStore as _,
    SubjectKeys, SubjectRow, SubjectWrappedKey, TenantId, TenantKeys, Unbound, Vault, WrappedKey,
};
use uuid::Uuid;

use crate::indexing::plant_index_key;
use crate::support::{
    BankAccount, Diagnosis, DriverSsn, DriverSsnIndex, DriverSsnLast4, EmailAnywhere, EmailApprox, EmailApproxLess,
    EmailNfkc, EmailRoughly, LedgerMemo, MemoryVault, OneKeyForAll, PatientName, SmtpPassword, TotpSeed, VisitNote,
    key_id, secret,
};

struct Golden(Value);

impl Golden {
    fn read() -> Self {
        Self(serde_json::from_str(include_str!("../data/golden_v1.json")).unwrap())
    }

    fn tenant(&self) -> TenantId {
        text(&self.0["tenant"]).parse::<Uuid>().unwrap().into()
    }

    fn wrapped(&self, entry: &Value) -> WrappedKey {
        WrappedKey { kek: KekId::new(text(&self.0["kek"])).unwrap(), bytes: bytes(&entry["wrapped"]) }
    }

    async fn vault(&self) -> MemoryVault {
        self.vault_on(MemoryKeyStore::default()).await
    }

    async fn vault_on(&self, store: MemoryKeyStore) -> MemoryVault {
        let canary = &self.0["canary"];
        let _ = store.insert_kek(&KekRecord::new(self.wrapped(canary), kcv(canary))).await.unwrap();
        for entry in self.0["keys"].as_array().unwrap() {
            let purpose = if entry["purpose"] == "aead" { Purpose::Aead } else { Purpose::Index };
            let wrapped = self.wrapped(entry);
            let state =
                if entry["state"] == "active" { KeyState::Active(wrapped) } else { KeyState::DecryptOnly(wrapped) };
            let record = KeyRecord::new(self.tenant(), number(entry), purpose, state, kcv(entry));
            let _ = store.insert(&record).await.unwrap();
        }
        Vault::new(LocalKeyring::parse(text(&self.0["keyring"])).unwrap(), store)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).unwrap()
}

fn kcv(entry: &Value) -> Kcv {
    let kcv = Kcv::from(<[u8; 16]>::try_from(bytes(&entry["kcv"])).unwrap());
    assert_eq!(kcv.to_string(), text(&entry["kcv"]));
    kcv
}

fn number(entry: &Value) -> stockade_field_crypto::KeyId {
    key_id(u32::try_from(entry["key"].as_u64().unwrap()).unwrap())
}

fn check<C: Column>(keys: &TenantKeys, entry: &Value, row: &C::Row)
where
    C::Row: RowId,
{
    let sealed = Sealed::<C>::from_bytes(bytes(&entry["bytes"])).unwrap();
    assert_eq!(sealed.key_id(), number(entry));
    assert_eq!(sealed.to_text(), text(&entry["text"]));
    assert_eq!(Sealed::<C>::from_text(text(&entry["text"])).unwrap(), sealed);
    let plain = keys.open(row, &sealed).unwrap_or_else(|error| panic!("{error}: {entry}"));
    assert_eq!(plain.expose().as_plain_bytes(), bytes(&entry["plain"]));
}

#[tokio::test]
async fn golden_values_open() {
    let golden = Golden::read();
    let vault = golden.vault().await;
    vault.self_check().await.unwrap();
    let keys = vault.tenant(golden.tenant()).await.unwrap();
    let values = golden.0["values"].as_array().unwrap();
    assert_eq!(values.len(), 8);
    for entry in values {
        let uuid = || text(&entry["row"]).parse::<Uuid>().unwrap();
        match text(&entry["column"]) {
            "DriverSsn" => check::<DriverSsn>(&keys, entry, &uuid()),
            "BankAccount" => check::<BankAccount>(&keys, entry, &uuid()),
            "TotpSeed" => check::<TotpSeed>(&keys, entry, &uuid()),
            "LedgerMemo" => check::<LedgerMemo>(&keys, entry, &text(&entry["row"]).parse().unwrap()),
            "SmtpPassword" => check::<SmtpPassword>(&keys, entry, &Unbound),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn golden_tags_are_found() {
    let golden = Golden::read();
    let keys = golden.vault().await.tenant(golden.tenant()).await.unwrap();
    for entry in golden.0["tags"].as_array().unwrap() {
        let value = secret(text(&entry["value"]));
        let expected: Vec<_> = entry["tags"].as_array().unwrap().iter().map(bytes).collect();
        let found: Vec<_> =
            keys.probe::<DriverSsnIndex>(&value).unwrap().iter().map(|tag| tag.as_bytes().to_vec()).collect();
        assert_eq!(found, expected);
        assert_eq!(keys.index::<DriverSsnIndex>(&value).unwrap().as_bytes(), expected[0]);
    }
}

/// Every kind of index, as another implementation computes it.
#[tokio::test]
async fn golden_tags_of_every_kind() {
    let golden: Value = serde_json::from_str(include_str!("../data/golden_index_v1.json")).unwrap();
    let store = MemoryKeyStore::default();
    let key = DataKey::from_bytes(&bytes(&golden["key"])).unwrap();
    let tenant = TenantId::from(text(&golden["tenant"]).parse::<Uuid>().unwrap());
    for owner in [tenant, TenantId::from(Uuid::nil())] {
        plant_index_key(&store, owner, &key).await;
    }
    let vault = Vault::new(OneKeyForAll, store);
    let keys = vault.tenant(tenant).await.unwrap();
    let global = vault.global_index().await.unwrap();
    let tags = golden["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 7);
    for entry in tags {
        let value = secret(text(&entry["value"]));
        let found = match text(&entry["index"]) {
            "DriverSsnIndex" => keys.index::<DriverSsnIndex>(&value).unwrap().as_bytes().to_vec(),
            "DriverSsnLast4" => keys.index::<DriverSsnLast4>(&value).unwrap().as_bytes().to_vec(),
            "EmailApprox" => keys.index::<EmailApprox>(&value).unwrap().as_bytes().to_vec(),
            "EmailApproxLess" => keys.index::<EmailApproxLess>(&value).unwrap().as_bytes().to_vec(),
            "EmailNfkc" => keys.index::<EmailNfkc>(&value).unwrap().as_bytes().to_vec(),
            "EmailAnywhere" => global.index::<EmailAnywhere>(&value).unwrap().as_bytes().to_vec(),
            "EmailRoughly" => global.index::<EmailRoughly>(&value).unwrap().as_bytes().to_vec(),
            other => panic!("{other}"),
        };
        assert_eq!(found, bytes(&entry["tag"]), "{entry}");
    }
}

fn check_subject<C: Column>(keys: &SubjectKeys, entry: &Value, row: &<C::Row as SubjectRow>::Id)
where
    C::Row: SubjectRow,
{
    let sealed = Sealed::<C>::from_bytes(bytes(&entry["bytes"])).unwrap();
    assert_eq!(Some(sealed.key_id()), keys.key_id());
    let plain = keys.open(row, &sealed).unwrap_or_else(|error| panic!("{error}: {entry}"));
    assert_eq!(plain.expose().as_plain_bytes(), bytes(&entry["plain"]));
}

#[tokio::test]
async fn golden_values_of_subjects_open() {
    let golden: Value = serde_json::from_str(include_str!("../data/golden_subjects_v1.json")).unwrap();
    let tenant = TenantId::from(text(&golden["tenant"]).parse::<Uuid>().unwrap());
    let store = MemoryKeyStore::default();
    let vault = Golden::read().vault_on(store.clone()).await;
    for entry in golden["subjects"].as_array().unwrap() {
        let subject = SubjectId::from(text(&entry["subject"]).parse::<Uuid>().unwrap());
        let by = key_id(u32::try_from(entry["by"].as_u64().unwrap()).unwrap());
        let state = SubjectKeyState::Active(SubjectWrappedKey { by, bytes: bytes(&entry["wrapped"]) });
        let record = SubjectKeyRecord::new(tenant, subject, number(entry), state, kcv(entry));
        let _ = store.insert_subject(&record).await.unwrap();
        let keys = vault.subject(tenant, subject).await.unwrap();
        let values = entry["values"].as_array().unwrap();
        assert_eq!(values.len(), 3);
        for value in values {
            let row = text(&value["row"]);
            match text(&value["column"]) {
                "PatientName" => check_subject::<PatientName>(&keys, value, &row.parse().unwrap()),
                "Diagnosis" => check_subject::<Diagnosis>(&keys, value, &row.parse().unwrap()),
                "VisitNote" => check_subject::<VisitNote>(&keys, value, &row.parse().unwrap()),
                other => panic!("{other}"),
            }
        }
    }
}
