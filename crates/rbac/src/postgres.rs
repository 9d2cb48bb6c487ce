//! Tables in PostgreSQL, for the `postgres` feature: who belongs to a tenant, with what, and who may change it.
//!
//! 1. Where migrations run, run [`migrator`], and [`sync`] whenever the policy changes.
//! 2. [`load`] gives the actor behind a session, or [`ActorCache`] does; both ask the database each time.
//! 3. [`Members`] changes what people may do, under the rules of the [`GrantGuard`](crate::GrantGuard).
//!
//! The tenant is that of the transaction (`stockade.tenant_id`), as `stockade-tenant-guard` sets it. The functions take whatever is
//! an [`Executor`](sqlx::Executor) by mutable reference: `&mut PgConnection`, or the scope of tenant-guard.

mod cache;
mod changed;
mod facts;
mod invitation;
mod loading;
mod members;
mod migration;
mod owners;
mod refused;
mod standing;

pub use self::cache::ActorCache;
pub use self::changed::{Action, Changed, Shared};
pub use self::invitation::{Email, Fate, Invitation, invited_to};
pub use self::loading::{Loaded, Orphan, load};
pub use self::members::{ExceptionKind, Granting, Member, Members, SharedRow, SharedWith};
pub use self::migration::{MIGRATION_0001, MIGRATION_0002, migrator};
pub use self::owners::sync;
pub use self::refused::{Answer, Refused};
pub use self::standing::{HeldOverride, HeldRole, Standing, Status};
