//! Key encryption keys, exchanged: only the wrapped keys change, no value does.

use crate::data_key::WrappedKey;
use crate::error::Error;
use crate::event::FieldEvent;
use crate::id::{KekId, KeyId, TenantId};
use crate::kms::{Kms, WrapContext};
use crate::store::{KekRemoval, KeyChange, KeyRecord, KeyRotation};
use crate::vault::{Vault, kek};

/// What [`Vault::rewrap`] has done.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RewrapReport {
    /// Keys that are wrapped by the primary key encryption key now.
    pub rewrapped: u64,
    /// Keys that somebody else wrapped anew or destroyed meanwhile.
    pub overtaken: u64,
    /// Keys that do not unwrap, and were left as they are.
    pub failed: u64,
    /// The first hundred of them.
    pub failures: Vec<RewrapFailure>,
}

/// A key that does not unwrap.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RewrapFailure {
    /// The tenant.
    pub tenant: TenantId,
    /// The key.
    pub key: KeyId,
    /// Why.
    pub error: Error,
}

const PAGE: u32 = 100;
const FAILURES: usize = 100;

impl<K: Kms, S: KeyRotation> Vault<K, S> {
    /// Wraps the keys of all tenants under the primary key encryption key that are under another. No sealed value
    /// changes, and no process that has the keys notices. It can be interrupted and called again, and run in several processes.
    ///
    /// # Errors
    ///
    /// As [`self_check`](Self::self_check), and retryable errors of the key management service: call it again then. A
    /// key that will never unwrap is counted in the report.
    pub async fn rewrap(&self) -> Result<RewrapReport, Error> {
        kek::check(&self.kms, &self.store).await?;
        let primary = self.kms.primary_kek();
        let mut report = RewrapReport::default();
        let mut after = None;
        loop {
            let page = self.store.wrapped_otherwise(&primary, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(report) };
            after = Some((last.tenant, last.key));
            for record in &page {
                self.rewrap_one(record, &mut report).await?;
            }
        }
    }

    /// Forgets a key encryption key that wraps no key any more, so that it can leave the keyrings: until then
    /// [`self_check`](Self::self_check) asks every process for it. It cannot come back under its name.
    ///
    /// # Errors
    ///
    /// Those of the key store. That keys are wrapped by it is an answer.
    pub async fn forget_kek(&self, kek: &KekId) -> Result<KekRemoval, Error> {
        if *kek == self.kms.primary_kek() {
            return Ok(KekRemoval::Primary);
        }
        self.store.forget_kek(kek).await
    }

    async fn rewrap_one(&self, record: &KeyRecord, report: &mut RewrapReport) -> Result<(), Error> {
        let Some(before) = record.state.wrapped() else { return Ok(()) };
        let (tenant, key) = (record.tenant, record.key);
        let after = match self.wrap_anew(record, before).await {
            Ok(after) => after,
            Err(error) if error.is_retryable() => return Err(error),
            Err(error) => {
                report.failed += 1;
                if report.failures.len() < FAILURES {
                    report.failures.push(RewrapFailure { tenant, key, error });
                }
                return Ok(());
            }
        };
        if self.store.rewrap(tenant, key, before, &after).await? == KeyChange::Made {
            report.rewrapped += 1;
            self.observer.observe(&FieldEvent::KeyRewrapped { tenant, key, kek: after.kek });
        } else {
            report.overtaken += 1;
        }
        Ok(())
    }

    /// The key under the primary key encryption key. It is unwrapped once more, because the old wrapping is about to be lost.
    async fn wrap_anew(&self, record: &KeyRecord, before: &WrappedKey) -> Result<WrappedKey, Error> {
        let context = WrapContext::TenantKey { tenant: record.tenant, key: record.key, purpose: record.purpose };
        let data_key = self.unwrap(record.tenant, record, before).await?;
        let after = self.kms.wrap(context, &data_key).await?;
        self.unwrap(record.tenant, record, &after).await?;
        Ok(after)
    }
}
