//! Collectors that measure accounts and sessions of `stockade-session`: `session.policy`, `mfa.privileged`, `mfa.all` and `password.hash`.
//!
//! The connection's role is a member of `stockade_auth`, which reads accounts, factors and sessions. Nothing that a person is called by is
//! read, and no subject is a person.

mod cookie;
mod factors;
mod identifiers;
mod limits;
mod passwords;

pub use self::{
    cookie::cookie,
    factors::{adoption, privileged},
    identifiers::identifiers,
    limits::limits,
    passwords::{Strength, passwords},
};
