//! Recognising key encryption keys: each has wrapped a random key, the canary, when it was first used.

use crate::data_key::DataKey;
use crate::error::{Error, ErrorKind};
use crate::kms::{Kms, WrapContext};
use crate::store::{KekRecord, KeyStore};

/// Checks that all registered key encryption keys are there and the same, and registers the primary if it is new.
///
/// Nothing is registered before everything was checked: a process with a wrong keyring must leave no trace that
/// would stop those with the right one.
pub(crate) async fn check<K: Kms, S: KeyStore>(kms: &K, store: &S) -> Result<(), Error> {
    let registered = store.keks().await?;
    for record in &registered {
        recognise(kms, record).await?;
    }
    let primary = kms.primary_kek();
    if registered.iter().any(|record| record.canary.kek == primary) {
        return Ok(());
    }
    let key = DataKey::generate()?;
    let canary = kms.wrap(WrapContext::Canary, &key).await?;
    // If another process was faster, its record counts, and is checked now.
    let _ = store.insert_kek(&KekRecord::new(canary, key.kcv())).await?;
    let registered = store.keks().await?;
    for record in &registered {
        recognise(kms, record).await?;
    }
    // One that was forgotten does not come back.
    if registered.iter().all(|record| record.canary.kek != primary) {
        return Err(Error::kek_mismatch(primary));
    }
    Ok(())
}

async fn recognise<K: Kms>(kms: &K, record: &KekRecord) -> Result<(), Error> {
    let mismatch = || Error::kek_mismatch(record.canary.kek.clone());
    match kms.unwrap(WrapContext::Canary, &record.canary).await {
        Ok(key) if key.kcv() == record.kcv => Ok(()),
        Ok(_) => Err(mismatch()),
        Err(error) if error.kind() == ErrorKind::KeyRejected => Err(mismatch()),
        Err(error) => Err(error),
    }
}
