//! A [`Store`](crate::store::Store) in Redis 6 or later, or Valkey.

mod store;

pub use store::RedisStore;
