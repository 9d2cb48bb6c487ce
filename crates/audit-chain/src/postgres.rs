//! The log in PostgreSQL 15 or later.
//!
//! [`record`] is for the application's own transactions, in the role group `stockade_app`.
//! [`Sealer`] runs on a connection of its own, in `stockade_sealer`. [`verify`] and [`search`] work
//! for either: the application sees the tenant whose context its transaction carries, the sealer
//! sees all.

mod appending;
mod columns;
mod migrations;
mod sealing;
mod searching;
mod showing;
mod verification;

pub use appending::{Receipt, record, record_at};
pub use migrations::{MIGRATIONS, migrator};
pub use sealing::{Leadership, Sealed, Sealer};
pub use searching::{Cursor, Filter, Page, search};
pub use verification::{VerifyOptions, tenants, verify};
