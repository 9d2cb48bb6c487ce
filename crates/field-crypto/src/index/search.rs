//! From a value to the rows that hold it.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{BlindIndex, IndexTag, Normaliser as _};
use crate::column::Column;
use crate::error::{Error, OpenError};
use crate::sealed::Sealed;
use crate::tenant_keys::TenantKeys;

/// A value that is looked for in the index `I`, from [`TenantKeys::search`] or
/// [`GlobalIndexKeys::search`](crate::GlobalIndexKeys::search).
///
/// The tags find candidates: rows that hold the value, for an [`Approx`](crate::Approx) index also others, and for any
/// index whatever a writer of the database has put the tag beside, because a tag is not bound to its row. Opening the
/// candidates decides, and [`filter`](Self::filter) does that:
///
/// ```
/// # use stockade_field_crypto::{Approx, DigitsOnly, LastN, LocalKeyring, MemoryKeyStore, Sealed, Secret, TenantId, Vault, columns};
/// # use uuid::Uuid;
/// columns! {
///     pub DriverSsn = "drivers"."ssn": String, row = Uuid,
///         index DriverSsnLast4 = "ssn_last4": LastN<4> => Approx<8>;
/// }
/// struct Driver { id: Uuid, ssn: Sealed<DriverSsn> }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let vault = Vault::new(LocalKeyring::generate("k1")?, MemoryKeyStore::default());
/// # let tenant = TenantId::from(Uuid::now_v7());
/// # vault.provision(tenant).await?;
/// # let keys = vault.tenant(tenant).await?;
/// # let id = Uuid::now_v7();
/// # let ssn = Secret::new("078-05-1120".to_owned());
/// # let stored = keys.index::<DriverSsnLast4>(&ssn)?;
/// # let driver = Driver { id, ssn: keys.seal(&id, &ssn)? };
/// let search = keys.search::<DriverSsnLast4>(&Secret::new("1120".to_owned()))?;
/// // SELECT id, ssn FROM drivers WHERE tenant_id = $1 AND ssn_last4 = ANY($2)     with $2 = search.tags()
/// # assert!(search.tags().contains(&stored));
/// # let candidates = vec![driver];
/// let drivers: Vec<Driver> = search.filter(&keys, candidates, |driver| (&driver.id, &driver.ssn)).all()?;
/// # assert_eq!(drivers.len(), 1);
/// # Ok(())
/// # }
/// ```
pub struct Search<I> {
    term: Zeroizing<String>,
    tags: Vec<IndexTag<I>>,
}

/// What became of the candidates of a [`Search`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Matches<T> {
    /// Those that hold the value.
    pub found: Vec<T>,
    /// Those that were not opened, so that nobody knows: changed or moved values, and values of a key that is
    /// destroyed or not available.
    pub unopened: Vec<(T, OpenError)>,
}

impl<I: BlindIndex> Search<I> {
    pub(crate) const fn new(term: Zeroizing<String>, tags: Vec<IndexTag<I>>) -> Self {
        Self { term, tags }
    }

    /// The value's tags under every key that may have indexed it, for `WHERE ssn_index = ANY($1)`.
    #[must_use]
    pub fn tags(&self) -> &[IndexTag<I>] {
        &self.tags
    }

    /// Whether a candidate holds the value: it is opened, normalised and compared. How long the comparison takes
    /// depends on the lengths alone.
    ///
    /// # Errors
    ///
    /// As [`TenantKeys::open`].
    pub fn matches(
        &self,
        keys: &TenantKeys,
        row: &<I::Column as Column>::Row,
        sealed: &Sealed<I::Column>,
    ) -> Result<bool, OpenError>
    where
        <I::Column as Column>::Plain: AsRef<str>,
    {
        let value = keys.open(row, sealed)?;
        let term = I::Normaliser::normalise(value.expose().as_ref());
        Ok(term.as_bytes().ct_eq(self.term.as_bytes()).into())
    }

    /// Opens the candidates, all of one tenant, and keeps those that hold the value. `field` names the row and the
    /// sealed value of a candidate.
    pub fn filter<T>(
        &self,
        keys: &TenantKeys,
        candidates: impl IntoIterator<Item = T>,
        field: impl Fn(&T) -> (&<I::Column as Column>::Row, &Sealed<I::Column>),
    ) -> Matches<T>
    where
        <I::Column as Column>::Plain: AsRef<str>,
    {
        let mut matches = Matches { found: Vec::new(), unopened: Vec::new() };
        for candidate in candidates {
            let (row, sealed) = field(&candidate);
            match self.matches(keys, row, sealed) {
                Ok(true) => matches.found.push(candidate),
                Ok(false) => {}
                Err(error) => matches.unopened.push((candidate, error)),
            }
        }
        matches
    }
}

impl<T> Matches<T> {
    /// The candidates that hold the value, for a caller to whom an incomplete answer is none.
    ///
    /// # Errors
    ///
    /// That of the first candidate that was not opened.
    pub fn all(self) -> Result<Vec<T>, OpenError> {
        match self.unopened.into_iter().next() {
            None => Ok(self.found),
            Some((_, error)) => Err(error),
        }
    }
}

impl<I: BlindIndex> fmt::Debug for Search<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Search({}.{}, {} tags)", I::Column::TABLE, I::NAME, self.tags.len())
    }
}

/// The value in the spelling that is indexed.
pub(crate) fn term<I: BlindIndex>(value: &str) -> Result<Zeroizing<String>, Error> {
    let term = I::Normaliser::normalise(value);
    if term.is_empty() { Err(Error::nothing_to_index()) } else { Ok(term) }
}
