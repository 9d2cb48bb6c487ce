//! Tables in PostgreSQL, for the `postgres` feature.

mod cache;
mod facts;
mod loading;
mod migration;
mod standing;

pub use self::cache::ActorCache;
pub use self::loading::{Loaded, Orphan, load};
pub use self::migration::{MIGRATION_0001, MIGRATION_0002, migrator};
pub use self::standing::{HeldOverride, HeldRole, Standing, Status};
