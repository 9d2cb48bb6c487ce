//! The row that a value belongs to.

use std::marker::PhantomData;

use uuid::Uuid;

pub(crate) use self::closed::Right;

/// The identifier of a row, authenticated with every value of the row.
///
/// An application's own identifier types implement it by forwarding:
///
/// ```
/// use stockade_field_crypto::{RowBinding, RowId};
///
/// struct DriverId(uuid::Uuid);
///
/// impl RowId for DriverId {
///     fn binding(&self) -> RowBinding {
///         self.0.binding()
///     }
/// }
/// ```
pub trait RowId: 'static {
    /// Whether values of such rows belong to a subject: see [`OfSubject`].
    #[doc(hidden)]
    const OF_SUBJECT: bool = false;

    /// The identifier in the form that is authenticated.
    fn binding(&self) -> RowBinding;
}

/// A row of a column whose values belong to a subject: what `row = Uuid, subject` in [`columns!`](crate::columns) makes of
/// `Uuid`. Only [`SubjectKeys`](crate::SubjectKeys) make it, so that [`TenantKeys`](crate::TenantKeys) cannot seal or open
/// such a column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OfSubject<R> {
    binding: RowBinding,
    row: PhantomData<fn() -> R>,
}

/// The rows of columns whose values belong to a subject: [`OfSubject`] and nothing else.
#[diagnostic::on_unimplemented(
    message = "the values of this column belong to the tenant, not to a subject",
    label = "use `TenantKeys`"
)]
pub trait SubjectRow: RowId + closed::Closed + Sized {
    /// The row's own identifier.
    type Id: RowId;

    #[doc(hidden)]
    fn of(id: &Self::Id, right: Right) -> Self;
}

mod closed {
    pub trait Closed {}

    /// What only this crate can make.
    #[derive(Clone, Copy, Debug)]
    pub struct Right(pub(crate) ());
}

impl<R> closed::Closed for OfSubject<R> {}

impl<R: RowId> SubjectRow for OfSubject<R> {
    type Id = R;

    fn of(id: &R, _: Right) -> Self {
        Self { binding: id.binding(), row: PhantomData }
    }
}

impl<R: RowId> RowId for OfSubject<R> {
    const OF_SUBJECT: bool = true;

    fn binding(&self) -> RowBinding {
        self.binding
    }
}

/// A row's identifier in the one form that is authenticated: a byte for its kind, then 16 bytes of identifier.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RowBinding([u8; RowBinding::LEN]);

/// No row: the value opens in every row of its tenant's column.
///
/// For values that have no row of their own, such as a setting of the tenant. Whoever can write to the table can
/// exchange such values between rows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Unbound;

impl RowBinding {
    pub(crate) const LEN: usize = 17;

    const UNBOUND: u8 = 0;
    const UUID: u8 = 1;
    const INTEGER: u8 = 2;

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    #[inline]
    fn new(kind: u8, id: u128) -> Self {
        let mut bytes = [kind; Self::LEN];
        if let Some(last) = bytes.last_chunk_mut() {
            *last = id.to_be_bytes();
        }
        Self(bytes)
    }
}

impl RowId for Uuid {
    #[inline]
    fn binding(&self) -> RowBinding {
        RowBinding::new(RowBinding::UUID, self.as_u128())
    }
}

impl RowId for i64 {
    #[inline]
    fn binding(&self) -> RowBinding {
        RowBinding::new(RowBinding::INTEGER, u128::from(self.cast_unsigned()))
    }
}

impl RowId for Unbound {
    #[inline]
    fn binding(&self) -> RowBinding {
        RowBinding::new(RowBinding::UNBOUND, 0)
    }
}
