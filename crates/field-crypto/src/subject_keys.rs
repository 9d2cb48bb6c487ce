//! The key of one person, ready for use.

mod wrap;

use std::fmt;

pub(crate) use self::wrap::SubjectContext;
use crate::column::Column;
use crate::error::{Error, OpenError, Retry};
use crate::id::{KeyId, SubjectId, TenantId};
use crate::row::{Right, SubjectRow};
use crate::sealed::Sealed;
use crate::secret::Secret;
use crate::tenant_keys::{SlotState, TenantKeys};

/// The key of one subject of one tenant, from [`Vault::subject`](crate::Vault::subject). Cheap to clone.
///
/// It seals and opens the columns that are declared with `subject` in [`columns!`](crate::columns), and no other. When it is
/// destroyed, what it has sealed is gone, and everybody else's values stay. Blind indexes over such columns are under the
/// tenant's index key, as they serve to find the person: [`TenantKeys::index`]. Take the handle anew for every
/// request: one that is kept does not learn that the key was destroyed.
#[derive(Clone)]
pub struct SubjectKeys {
    /// One slot, the subject's.
    keys: TenantKeys,
    subject: SubjectId,
}

impl SubjectKeys {
    /// Of the one slot of a subject.
    pub(crate) const fn new(keys: TenantKeys, subject: SubjectId) -> Self {
        Self { keys, subject }
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.keys.tenant()
    }

    /// The subject.
    #[must_use]
    pub const fn subject(&self) -> SubjectId {
        self.subject
    }

    /// The key's number.
    #[must_use]
    pub fn key_id(&self) -> Option<KeyId> {
        self.keys.slots().first().map(|slot| slot.id)
    }

    /// Encrypts a value for one row of one of the subject's columns, as [`TenantKeys::seal`] does.
    ///
    /// # Errors
    ///
    /// As [`TenantKeys::seal`]; [`ErrorKind::KeyDestroyed`](crate::ErrorKind::KeyDestroyed) if the subject or its tenant was
    /// shredded, and [`ErrorKind::KeyRejected`](crate::ErrorKind::KeyRejected) if the key did not unwrap.
    pub fn seal<C: Column>(
        &self,
        row: &<C::Row as SubjectRow>::Id,
        value: &Secret<C::Plain>,
    ) -> Result<Sealed<C>, Error>
    where
        C::Row: SubjectRow,
    {
        match self.keys.slots().first().map(|slot| &slot.state) {
            Some(SlotState::Destroyed) => Err(Error::subject_destroyed(self.tenant())),
            Some(SlotState::Unavailable(Retry::Never)) => Err(Error::key_rejected()),
            Some(SlotState::Unavailable(Retry::Later)) => {
                Err(Error::kms("the key that wraps the subject's could not be unwrapped", Retry::Later))
            }
            _ => self.keys.seal(&C::Row::of(row, Right(())), value),
        }
    }

    /// Decrypts a value that was sealed for this subject, column and row.
    ///
    /// # Errors
    ///
    /// [`OpenError::Failed`] for everything that is not such a value, another subject's among it;
    /// [`OpenError::Destroyed`] and [`OpenError::KeyUnavailable`] for a value of this subject whose key was destroyed or could
    /// not be unwrapped.
    pub fn open<C: Column>(
        &self,
        row: &<C::Row as SubjectRow>::Id,
        sealed: &Sealed<C>,
    ) -> Result<Secret<C::Plain>, OpenError>
    where
        C::Row: SubjectRow,
    {
        self.keys.open(&C::Row::of(row, Right(())), sealed)
    }
}

impl fmt::Debug for SubjectKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubjectKeys")
            .field("tenant", &self.tenant())
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
