//! Key encryption keys that the application itself holds.

mod env;
#[cfg(unix)]
mod file;
mod local;
mod text;

pub use self::env::EnvKeyring;
#[cfg(unix)]
pub use self::file::FileKeyring;
pub use self::local::LocalKeyring;
