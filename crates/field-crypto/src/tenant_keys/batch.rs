//! Sealing many values at once, and copies from row to row.

use super::TenantKeys;
use crate::column::Column;
use crate::error::Error;
use crate::id::Purpose;
use crate::plain::Plain as _;
use crate::sealed::Sealed;
use crate::secret::Secret;
use crate::wire::NONCE;

/// How many nonces are read from the operating system at once: 12 KiB.
const NONCES: usize = 1024;

impl TenantKeys {
    /// Encrypts the values of one column, each for its row, in their order. It does what [`seal`](Self::seal) does for
    /// each, but asks the operating system for randomness once for up to 1,024 values.
    ///
    /// # Errors
    ///
    /// As [`seal`](Self::seal), for the whole batch: nothing is sealed or counted if one value is refused.
    pub fn seal_many<'a, C: Column>(
        &self,
        values: impl IntoIterator<Item = (&'a C::Row, &'a Secret<C::Plain>)>,
    ) -> Result<Vec<Sealed<C>>, Error>
    where
        C::Plain: 'a,
    {
        let values: Vec<_> = values.into_iter().map(|(row, value)| (row, value.expose().as_plain_bytes())).collect();
        if values.iter().any(|(_, plain)| self.looks_sealed(plain)) {
            return Err(Error::already_sealed());
        }
        let (id, key) = self.active(Purpose::Aead)?;
        key.messages().count(id, values.len() as u64)?;
        let mut sealed = Vec::with_capacity(values.len());
        let mut nonces = vec![0; NONCE * values.len().min(NONCES)];
        for chunk in values.chunks(NONCES) {
            let (nonces, _) = nonces.split_at_mut(NONCE * chunk.len());
            self.0.nonces.fill(nonces)?;
            let (nonces, _) = nonces.as_chunks::<NONCE>();
            for ((row, plain), nonce) in chunk.iter().zip(nonces) {
                sealed.push(self.encrypt::<C>(id, key, row, nonce, plain)?);
            }
        }
        Ok(sealed)
    }

    /// Seals the value of one row for another row of the same column: for copies that the application makes on purpose,
    /// such as merging two records or importing one. It is a new message under the active key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotOpened`](crate::ErrorKind::NotOpened) if the value is not one of `old_row`, and as
    /// [`seal`](Self::seal).
    pub fn rebind<C: Column>(
        &self,
        old_row: &C::Row,
        new_row: &C::Row,
        sealed: &Sealed<C>,
    ) -> Result<Sealed<C>, Error> {
        self.seal(new_row, &self.open(old_row, sealed)?)
    }
}
