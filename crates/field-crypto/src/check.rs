//! Keeping plain text out of a column.

use crate::column::Column;
use crate::wire::{OVERHEAD, VERSION};

/// The condition of a `CHECK` constraint that refuses whatever is not a sealed value or `NULL`, so that neither
/// raw SQL nor a forgotten code path stores plain text in the column.
///
/// ```
/// # stockade_field_crypto::columns! { pub DriverSsn = "drivers"."ssn": String; }
/// let migration = format!(
///     "ALTER TABLE drivers ADD CONSTRAINT drivers_ssn_sealed CHECK ({})",
///     stockade_field_crypto::sealed_check::<DriverSsn>(),
/// );
/// assert!(migration.contains(r#"octet_length("ssn") >= 33"#));
/// ```
///
/// It checks the form (length, version, a key other than 0), as PostgreSQL has no key. The condition is for `bytea`.
#[must_use]
pub fn sealed_check<C: Column>() -> String {
    let column = quoted::<C>();
    format!(
        "{column} IS NULL OR (octet_length({column}) >= {OVERHEAD} \
         AND substring({column} FROM 1 FOR 1) = '\\x{VERSION:02x}'::bytea \
         AND substring({column} FROM 2 FOR 4) <> '\\x00000000'::bytea)"
    )
}

/// As [`sealed_check`], for a column of [`SealedText`](crate::SealedText).
#[must_use]
pub fn sealed_text_check<C: Column>() -> String {
    let column = quoted::<C>();
    // The version is in the first two characters; the second has the first bits of the key's number as well.
    format!("{column} IS NULL OR {column} ~ '^fc1[.]A[QRSTUVWXYZabcdef][A-Za-z0-9_-]{{42,}}$'")
}

fn quoted<C: Column>() -> String {
    format!("\"{}\"", C::COLUMN.replace('"', "\"\""))
}
