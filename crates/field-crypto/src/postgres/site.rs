//! Where the values of a column are, and how each is sealed anew.

use std::fmt;
use std::marker::PhantomData;

use zeroize::Zeroizing;

use crate::column::Column;
use crate::error::{Error, ErrorKind, OpenError, Retry};
use crate::index::{BlindIndex, IndexKind, IndexTag, PerTenant};
use crate::plain::Plain;
use crate::postgres::row_key::{RowKey, RowKind};
use crate::row::{RowBinding, RowId};
use crate::sealed::Sealed;
use crate::secret::Secret;
use crate::tenant_keys::TenantKeys;

/// Where the sealed values of the column `C` are in the database: what the names in its type do not say, because those
/// belong to the key derivation and outlive a renamed column.
pub struct Site<C: Column> {
    layout: Layout,
    indexes: Vec<Tagger<C>>,
}

type Tagger<C> = fn(&TenantKeys, &Secret<<C as Column>::Plain>) -> Result<Option<Vec<u8>>, Error>;

/// The names in the database.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) table: &'static str,
    pub(crate) key: &'static str,
    pub(crate) tenant: &'static str,
    pub(crate) sealed: &'static str,
    pub(crate) plain: Option<&'static str>,
    pub(crate) indexes: Vec<&'static str>,
    pub(crate) row: RowKind,
    /// Whether its values are under keys of subjects.
    pub(crate) of_subject: bool,
}

/// What is written for one row.
pub(crate) struct NewValue {
    pub(crate) sealed: Vec<u8>,
    /// In the order of [`Layout::indexes`].
    pub(crate) tags: Vec<Option<Vec<u8>>>,
}

/// A [`Site`] whose column is no longer a type.
pub(crate) trait SealedSite: Send + Sync {
    fn layout(&self) -> &Layout;

    /// Opens a stored value and seals it under the active keys; `None` if it does not open.
    fn reseal(&self, keys: &TenantKeys, row: RowKey, stored: Vec<u8>) -> Result<Option<NewValue>, Error>;

    /// Seals a plain text; `None` if the column cannot hold it.
    fn seal(&self, keys: &TenantKeys, row: RowKey, plain: Zeroizing<Vec<u8>>) -> Result<Option<NewValue>, Error>;

    /// Whether a stored value opens to this plain text.
    fn matches(&self, keys: &TenantKeys, row: RowKey, stored: Vec<u8>, plain: &Zeroizing<Vec<u8>>) -> bool;
}

/// The column `C` with its row already in the form that is authenticated: the same keys and values as `C` itself.
struct AtBinding<C>(PhantomData<fn() -> C>);

impl<C: Column> Column for AtBinding<C> {
    const TABLE: &'static str = C::TABLE;
    const COLUMN: &'static str = C::COLUMN;
    type Plain = C::Plain;
    type Row = Bound;
}

/// A row that is known by its binding alone.
struct Bound(RowBinding);

impl RowId for Bound {
    fn binding(&self) -> RowBinding {
        self.0
    }
}

impl<C: Column> Site<C> {
    /// A table by its name with its schema, such as `public.drivers`, whose rows are known by `id`, whose tenants stand in
    /// `tenant_id`, and whose sealed column has the name of the type.
    #[must_use]
    pub fn table(name: &'static str) -> Self {
        let layout = Layout {
            table: name,
            key: "id",
            tenant: "tenant_id",
            sealed: C::COLUMN,
            plain: None,
            indexes: Vec::new(),
            row: RowKind::of::<C::Row>(),
            of_subject: C::Row::OF_SUBJECT,
        };
        Self { layout, indexes: Vec::new() }
    }

    /// Another key column: `uuid`, `bigint` or `integer`, and unique. It is what the values are bound to, unless the
    /// column is [`Unbound`](crate::Unbound).
    #[must_use]
    pub fn key(mut self, column: &'static str) -> Self {
        self.layout.key = column;
        self
    }

    /// Another tenant column, of type `uuid`.
    #[must_use]
    pub fn tenant(mut self, column: &'static str) -> Self {
        self.layout.tenant = column;
        self
    }

    /// Another name of the sealed column, of type `bytea`.
    #[must_use]
    pub fn sealed(mut self, column: &'static str) -> Self {
        self.layout.sealed = column;
        self
    }

    /// The column of the same table that still holds plain text, of a text type or `bytea`, to be sealed.
    #[must_use]
    pub fn plain(mut self, column: &'static str) -> Self {
        self.layout.plain = Some(column);
        self
    }

    /// A blind index over the column, in the column of its name: its tags are written together with the values.
    #[must_use]
    pub fn index<I: BlindIndex<Column = C, Kind: IndexKind<Scope = PerTenant>>>(self) -> Self
    where
        C::Plain: AsRef<str>,
    {
        self.index_in::<I>(I::NAME)
    }

    /// A blind index whose tags are in a column of another name.
    #[must_use]
    pub fn index_in<I: BlindIndex<Column = C, Kind: IndexKind<Scope = PerTenant>>>(
        mut self,
        column: &'static str,
    ) -> Self
    where
        C::Plain: AsRef<str>,
    {
        self.layout.indexes.push(column);
        self.indexes.push(tag::<I>);
        self
    }

    fn row(&self, key: RowKey) -> Bound {
        Bound(self.layout.row.binding(key))
    }

    fn new_value(&self, keys: &TenantKeys, row: &Bound, value: &Secret<C::Plain>) -> Result<NewValue, Error> {
        let sealed = keys.seal::<AtBinding<C>>(row, value)?;
        let tags = self.indexes.iter().map(|tag| tag(keys, value)).collect::<Result<_, _>>()?;
        Ok(NewValue { sealed: sealed.as_bytes().to_vec(), tags })
    }

    fn open(&self, keys: &TenantKeys, row: &Bound, stored: Vec<u8>) -> Result<Secret<C::Plain>, OpenError> {
        keys.open(row, &Sealed::<AtBinding<C>>::from_bytes(stored)?)
    }
}

impl<C: Column> SealedSite for Site<C> {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn reseal(&self, keys: &TenantKeys, row: RowKey, stored: Vec<u8>) -> Result<Option<NewValue>, Error> {
        let row = self.row(row);
        match self.open(keys, &row, stored) {
            Ok(value) => self.new_value(keys, &row, &value).map(Some),
            // It may open later, and is not to be reported as lost.
            Err(OpenError::KeyUnavailable { retryable: true }) => {
                Err(Error::kms("an older key could not be unwrapped", Retry::Later))
            }
            Err(_) => Ok(None),
        }
    }

    fn seal(&self, keys: &TenantKeys, row: RowKey, plain: Zeroizing<Vec<u8>>) -> Result<Option<NewValue>, Error> {
        let Some(value) = C::Plain::from_plain_bytes(plain).map(Secret::new) else { return Ok(None) };
        match self.new_value(keys, &self.row(row), &value) {
            Err(error) if error.kind() == ErrorKind::AlreadySealed => Ok(None),
            new => new.map(Some),
        }
    }

    fn matches(&self, keys: &TenantKeys, row: RowKey, stored: Vec<u8>, plain: &Zeroizing<Vec<u8>>) -> bool {
        let value = self.open(keys, &self.row(row), stored);
        value.is_ok_and(|value| value.expose().as_plain_bytes() == &***plain)
    }
}

impl<C: Column> fmt::Debug for Site<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.layout.fmt(f)
    }
}

/// The tag of a value, `None` if there is nothing to index.
fn tag<I: BlindIndex<Kind: IndexKind<Scope = PerTenant>>>(
    keys: &TenantKeys,
    value: &Secret<<I::Column as Column>::Plain>,
) -> Result<Option<Vec<u8>>, Error>
where
    <I::Column as Column>::Plain: AsRef<str>,
{
    match keys.index::<I>(value) {
        Ok(tag) => Ok(Some(IndexTag::as_bytes(&tag).to_vec())),
        Err(error) if error.kind() == ErrorKind::NothingToIndex => Ok(None),
        Err(error) => Err(error),
    }
}
