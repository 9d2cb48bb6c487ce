//! Collectors that measure the grants of `stockade-rbac`: `rbac.least` and `rbac.review`.
//!
//! Grants are read as far as the connection sees them: those of all tenants as a role that row-level security does not bind, those of one
//! tenant as the application in its context. One that sees none is unknown, because that is how a missing context looks.

mod grants;
mod least;
mod review;

pub use self::{
    grants::holders,
    least::{Bounds, least},
    review::review,
};
