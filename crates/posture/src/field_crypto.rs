//! Collectors that measure columns sealed by `stockade-field-crypto`: `crypto.fields`, `crypto.rotation` and `crypto.disposal`.
//!
//! Rows are counted as far as the connection sees them: those of all tenants as a role that row-level security does not bind, those of
//! one tenant in its context. The role reads `stockade.field_keys` and, but for [`fields()`], `stockade.field_keks` or
//! `stockade.field_shreds`: a member of `stockade_keyring` does.

mod disposal;
mod fields;
mod rotation;

pub use self::{
    disposal::{Shredding, disposal, shreds},
    fields::fields,
    rotation::rotation,
};
