//! Reading while a column is on its way from plain text to sealed values.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use zeroize::Zeroize;

use crate::column::Column;
use crate::error::OpenError;
use crate::sealed::Sealed;
use crate::secret::Secret;
use crate::tenant_keys::TenantKeys;

/// Reads a column that is partly sealed and partly plain text, until a day that is set beforehand. Every plain read is
/// counted: when the count stands still, the plain column can go.
#[derive(Debug)]
pub struct DualRead {
    until: SystemTime,
    plain_reads: AtomicU64,
}

/// What a row holds.
#[derive(Debug)]
pub enum DualValue<T: Zeroize> {
    /// A sealed value.
    FromSealed(Secret<T>),
    /// A plain text.
    FromPlain(Secret<T>),
    /// Nothing.
    Absent,
    /// A plain text, which is not given out any more.
    Expired,
}

impl DualRead {
    /// Reads plain text before `until` and not after.
    #[must_use]
    pub const fn until(until: SystemTime) -> Self {
        Self { until, plain_reads: AtomicU64::new(0) }
    }

    /// The value of a row: the sealed one if there is one, the plain text if not.
    ///
    /// # Errors
    ///
    /// Those of [`TenantKeys::open`]. A sealed value that does not open is never replaced by the plain text beside it: whoever
    /// can write to the plain column would choose what is read.
    pub fn read<C: Column>(
        &self,
        keys: &TenantKeys,
        row: &C::Row,
        sealed: Option<&Sealed<C>>,
        plain: Option<C::Plain>,
    ) -> Result<DualValue<C::Plain>, OpenError> {
        let plain = plain.map(Secret::new);
        if let Some(sealed) = sealed {
            return keys.open(row, sealed).map(DualValue::FromSealed);
        }
        let Some(plain) = plain else { return Ok(DualValue::Absent) };
        if SystemTime::now() >= self.until {
            return Ok(DualValue::Expired);
        }
        self.plain_reads.fetch_add(1, Ordering::Relaxed);
        Ok(DualValue::FromPlain(plain))
    }

    /// How often plain text was given out.
    #[must_use]
    pub fn plain_reads(&self) -> u64 {
        self.plain_reads.load(Ordering::Relaxed)
    }
}
