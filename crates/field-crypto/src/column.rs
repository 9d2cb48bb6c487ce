//! A column of the application's database, as a type.

use crate::plain::Plain;
use crate::row::RowId;

/// A column that holds sealed values. [`columns!`](crate::columns) writes the implementation.
///
/// Table and column name are part of the key of every value: renaming a column in the database is free, renaming it
/// here makes its values unreadable. Two columns must not share a table and a column name.
pub trait Column: 'static {
    /// The table, as it is named in the key derivation.
    const TABLE: &'static str;
    /// The column, as it is named in the key derivation.
    const COLUMN: &'static str;
    /// The type of the plain text.
    type Plain: Plain;
    /// The type of the row's identifier, or [`Unbound`](crate::Unbound) for a column whose values may be moved
    /// from row to row.
    type Row: RowId;
}

/// Declares columns and their blind indexes.
///
/// ```
/// use stockade_field_crypto::{Approx, DigitsOnly, Global, LastN, LowerTrim, Nfkc, Unbound, columns};
/// use uuid::Uuid;
///
/// columns! {
///     /// A driver's social security number, with an index to find the driver by it, and one by its end.
///     pub DriverSsn = "drivers"."ssn": String, row = Uuid,
///         index DriverSsnIndex = "ssn_index": DigitsOnly,            // => Unique is the default
///         index DriverSsnLast4 = "ssn_last4": LastN<4> => Approx<8>;
///     pub Email = "users"."email": String,
///         index EmailAnywhere = "email_index": Nfkc<LowerTrim> => Global;
///     pub TotpSeed = "users"."totp_seed": Vec<u8>;                   // row = Uuid is the default
///     pub LedgerMemo = "ledger"."memo": String, row = i64;
///     pub SmtpPassword = "settings"."smtp_password": String, row = Unbound;
///     pub Diagnosis = "patients"."diagnosis": String, row = Uuid, subject;   // under a key of the person
/// }
/// ```
#[macro_export]
macro_rules! columns {
    () => {};
    (
        $(#[$meta:meta])*
        $vis:vis $name:ident = $table:literal . $column:literal : $plain:ty
        $(, index $index:ident = $index_name:literal : $normaliser:ty $(=> $kind:ty)?)*;
        $($rest:tt)*
    ) => {
        $crate::columns! {
            $(#[$meta])* $vis $name = $table . $column : $plain, row = $crate::__Uuid
            $(, index $index = $index_name : $normaliser $(=> $kind)?)*;
            $($rest)*
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis $name:ident = $table:literal . $column:literal : $plain:ty, row = $row:ty, subject
        $(, index $index:ident = $index_name:literal : $normaliser:ty)*;
        $($rest:tt)*
    ) => {
        $crate::columns! {
            $(#[$meta])* $vis $name = $table . $column : $plain, row = $crate::OfSubject<$row>
            $(, index $index = $index_name : $normaliser)*;
            $($rest)*
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis $name:ident = $table:literal . $column:literal : $plain:ty, row = $row:ty
        $(, index $index:ident = $index_name:literal : $normaliser:ty $(=> $kind:ty)?)*;
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[doc = ""]
        #[doc = concat!("The sealed column `", $table, ".", $column, "`.")]
        #[derive(Clone, Copy, Debug)]
        $vis enum $name {}

        impl $crate::Column for $name {
            const TABLE: &'static str = $table;
            const COLUMN: &'static str = $column;
            type Plain = $plain;
            type Row = $row;
        }

        $(
            #[doc = concat!("The blind index `", $index_name, "` over `", $table, ".", $column, "`.")]
            #[derive(Clone, Copy, Debug)]
            $vis enum $index {}

            impl $crate::BlindIndex for $index {
                const NAME: &'static str = $index_name;
                type Column = $name;
                type Normaliser = $normaliser;
                type Kind = $crate::__index_kind!($($kind)?);
            }

            const _: u8 = <<$index as $crate::BlindIndex>::Kind as $crate::IndexKind>::BITS;
        )*

        $crate::columns! { $($rest)* }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __index_kind {
    () => {
        $crate::Unique
    };
    ($kind:ty) => {
        $kind
    };
}
