//! A row of `stockade.field_keys`, read and written.

use uuid::Uuid;

use crate::data_key::{Kcv, WrappedKey};
use crate::error::{Error, Retry};
use crate::id::{KekId, KeyId, Purpose, TenantId};
use crate::store::{KekRecord, KeyRecord, KeyState};

/// `key_id, purpose, state, kek_id, wrapped, kcv, messages`.
pub(crate) type KeyRow = (i64, String, String, String, Option<Vec<u8>>, Vec<u8>, i64);
/// `kek_id, canary, kcv`.
pub(crate) type KekRow = (String, Vec<u8>, Vec<u8>);

/// What is bound for a new key, in the order of the table's columns.
pub(crate) struct NewKey<'a> {
    pub(crate) tenant: Uuid,
    pub(crate) key: i64,
    pub(crate) purpose: &'static str,
    pub(crate) state: &'static str,
    pub(crate) wrapped: &'a WrappedKey,
    pub(crate) kcv: &'a [u8; 16],
    pub(crate) messages: i64,
}

impl<'a> NewKey<'a> {
    /// `None` for a destroyed key, which is not something to insert.
    pub(crate) fn of(record: &'a KeyRecord) -> Option<Self> {
        let (state, wrapped) = match &record.state {
            KeyState::Active(wrapped) => ("active", wrapped),
            KeyState::DecryptOnly(wrapped) => ("decrypt_only", wrapped),
            KeyState::Retired(wrapped) => ("retired", wrapped),
            KeyState::Destroyed => return None,
        };
        Some(Self {
            tenant: record.tenant.into(),
            key: record.key.as_u32().into(),
            purpose: record.purpose.as_str(),
            state,
            wrapped,
            kcv: record.kcv.as_bytes(),
            messages: i64::try_from(record.messages).unwrap_or(i64::MAX),
        })
    }
}

pub(crate) fn key_record(tenant: TenantId, row: KeyRow) -> Result<KeyRecord, Error> {
    let (key, purpose, state, kek, wrapped, kcv, messages) = row;
    let key = u32::try_from(key).ok().and_then(KeyId::new).ok_or_else(|| unknown("key number"))?;
    let purpose = match &*purpose {
        "aead" => Purpose::Aead,
        "index" => Purpose::Index,
        _ => return Err(unknown("key purpose")),
    };
    let wrapped = wrapped.map(|bytes| Ok::<_, Error>(WrappedKey { kek: KekId::new(kek)?, bytes })).transpose()?;
    let state = match (&*state, wrapped) {
        ("active", Some(wrapped)) => KeyState::Active(wrapped),
        ("decrypt_only", Some(wrapped)) => KeyState::DecryptOnly(wrapped),
        ("retired", Some(wrapped)) => KeyState::Retired(wrapped),
        ("destroyed", None) => KeyState::Destroyed,
        _ => return Err(unknown("key state")),
    };
    let mut record = KeyRecord::new(tenant, key, purpose, state, check_value(&kcv)?);
    record.messages = u64::try_from(messages).map_err(|_| unknown("message count"))?;
    Ok(record)
}

pub(crate) fn kek_record((kek, bytes, kcv): KekRow) -> Result<KekRecord, Error> {
    Ok(KekRecord::new(WrappedKey { kek: KekId::new(kek)?, bytes }, check_value(&kcv)?))
}

fn check_value(bytes: &[u8]) -> Result<Kcv, Error> {
    let bytes: [u8; 16] = bytes.try_into().map_err(|_| unknown("check value"))?;
    Ok(Kcv::from(bytes))
}

fn unknown(what: &str) -> Error {
    Error::store(format!("the key table has an unknown {what}: is it of a later release?"), Retry::Never)
}
