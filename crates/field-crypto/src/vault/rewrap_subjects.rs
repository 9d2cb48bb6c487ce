//! Subjects' keys under the tenant's new key.

use crate::error::Error;
use crate::id::{Purpose, TenantId};
use crate::kms::Kms;
use crate::store::{SubjectKeyState, SubjectKeyStore, SubjectRewrap};
use crate::subject_keys::SubjectContext;
use crate::vault::Vault;

/// What [`Vault::rewrap_subjects`] has done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SubjectsRewrapped {
    /// Keys that the tenant's active key wraps now.
    pub rewrapped: u64,
    /// Keys that did not unwrap, or were changed by somebody else meanwhile: call it again, and look into what remains.
    pub left: u64,
}

impl<K: Kms, S: SubjectKeyStore> Vault<K, S> {
    /// Wraps the keys of the tenant's subjects under its active key: after a rotation, because a key of a tenant is not
    /// retired while it still wraps one of a subject. The subjects' keys stay the same, and so do the values that they
    /// have sealed. It can be repeated, and run by several processes at once.
    ///
    /// # Errors
    ///
    /// As [`tenant`](Self::tenant), and [`ErrorKind::KeyDestroyed`](crate::ErrorKind::KeyDestroyed) if the tenant was shredded.
    pub async fn rewrap_subjects(&self, tenant: TenantId) -> Result<SubjectsRewrapped, Error> {
        // The key that is active in the store, not in the cache.
        self.cache.expire(tenant);
        let keys = self.tenant(tenant).await?;
        let (active, wrapping) = keys.active(Purpose::Aead)?;
        let mut done = SubjectsRewrapped::default();
        let mut after = None;
        loop {
            let page = self.store.subjects_to_rewrap(tenant, active, after).await?;
            let Some(last) = page.last() else { return Ok(done) };
            after = Some(last.subject);
            let mut changes = Vec::with_capacity(page.len());
            for record in &page {
                let SubjectKeyState::Active(was) = &record.state else { continue };
                let context = SubjectContext { tenant, subject: record.subject, key: record.key };
                let old = keys.opening(was.by).ok();
                if let Some(key) = old.and_then(|old| context.unwrap(was, old, record.kcv)) {
                    let becomes = context.wrap(active, wrapping, &key)?;
                    changes.push(SubjectRewrap { subject: record.subject, was: was.clone(), becomes });
                }
            }
            let rewrapped = self.store.rewrap_subjects(tenant, &changes).await?;
            done.rewrapped += rewrapped;
            done.left += (page.len() as u64).saturating_sub(rewrapped);
        }
    }
}
