//! Look-ups of sessions served from Redis 6 or later, or Valkey, in front of any store.
//!
//! ```no_run
//! use stockade_session::{Auth, KeyRing, MemoryStore, redis::{CachedStore, Staleness}};
//!
//! # async fn example(keys: KeyRing) -> Result<(), Box<dyn std::error::Error>> {
//! let client = redis::Client::open("redis://127.0.0.1")?;
//! let connection = client.get_multiplexed_async_connection().await?;
//! let primary = MemoryStore::default(); // or a `PgStore`
//! let store = CachedStore::new(primary, connection, &keys, "sessions", Staleness::default())?;
//! let auth = Auth::builder(store, keys).build()?;
//! # Ok(())
//! # }
//! ```

mod cache;
mod changes;
mod entry;
#[cfg(test)]
mod model;
mod names;
mod staleness;
mod store;

pub use staleness::Staleness;
pub use store::{CacheStats, CachedStore};
