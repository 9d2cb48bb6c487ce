//! The store on SQLite 3.37 and later, for applications that keep their data in one file.
//!
//! 1. Make a pool with [`options()`], or with options of your own that keep what [`options()`] says.
//! 2. Run [`migrator`] (or the statements of [`MIGRATIONS`] by your own tool).
//! 3. `SqliteStore::new(pool)`.
//!
//! A file has no roles: whoever can open it can read password hashes and change everything. Triggers refuse what would bring a revoked
//! session back, so that no bug does it by accident.

mod account;
mod api_token;
mod attempt;
mod connection;
mod credential;
mod flow;
mod impersonation;
mod migration;
mod network;
mod options;
mod policy;
mod recovery;
mod refresh;
mod session;
mod store;
mod sweep;
mod value;

pub use migration::{MIGRATIONS, migrator};
pub use options::options;
pub use store::SqliteStore;
