//! For how long something may be believed without asking the primary store.

use std::time::Duration;

use crate::error::{Error, Result};

/// How old an answer from Redis is at most: up to 5 seconds, as of [`JwtCheck::Cached`](crate::JwtCheck::Cached).
///
/// It is the bound of everything that can go wrong with the cache. A change that a [`CachedStore`](super::CachedStore) makes holds when
/// its call returns. A change that Redis was not told of, or that Redis lost, or that was made past the cache, holds everywhere
/// after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Staleness(Duration);

impl Staleness {
    /// At most `most`, in whole milliseconds.
    ///
    /// # Errors
    ///
    /// `Configuration` unless it is between 1 millisecond and 5 seconds.
    pub fn new(most: Duration) -> Result<Self> {
        match (1..=5_000).contains(&most.as_millis()) && most <= Duration::from_secs(5) {
            true => Ok(Self(most)),
            false => Err(Error::configuration("what is known of a session is between 1 millisecond and 5 seconds old")),
        }
    }

    /// The bound.
    #[must_use]
    pub const fn most(self) -> Duration {
        self.0
    }
}

impl Default for Staleness {
    /// 5 seconds.
    fn default() -> Self {
        Self(Duration::from_secs(5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_believed_for_longer_than_five_seconds() {
        let micros = Duration::from_micros;
        assert!(Staleness::new(micros(1_000)).is_ok() && Staleness::new(micros(5_000_000)).is_ok());
        for wrong in [0, 999, 5_000_001, u64::MAX] {
            assert!(Staleness::new(micros(wrong)).is_err(), "{wrong}");
        }
    }
}
