//! How long a lease holds.

use std::time::{Duration, Instant};

/// The lifetime of a capability lease: a second to 24 hours, which is what the database admits. Ten minutes by default.
///
/// It bounds how long a stolen secret, and a lease that a crashed process can no longer revoke, are worth something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseLifetime(Duration);

/// The lifetime is shorter than a second or longer than 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lifetime of a lease is between a second and 24 hours")]
pub struct InvalidLifetime;

impl LeaseLifetime {
    pub(super) const fn as_duration(self) -> Duration {
        self.0
    }

    /// When half the lifetime is over, given the moment when three quarters are.
    pub(super) fn renewal(self, ends_at: Instant) -> Instant {
        ends_at.checked_sub(self.0 / 4).unwrap_or(ends_at)
    }
}

impl Default for LeaseLifetime {
    fn default() -> Self {
        Self(Duration::from_secs(600))
    }
}

impl TryFrom<Duration> for LeaseLifetime {
    type Error = InvalidLifetime;

    fn try_from(lifetime: Duration) -> Result<Self, InvalidLifetime> {
        let admitted = Duration::from_secs(1)..=Duration::from_secs(86_400);
        if admitted.contains(&lifetime) { Ok(Self(lifetime)) } else { Err(InvalidLifetime) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_database_admits() {
        for seconds in [1, 600, 86_400] {
            assert!(LeaseLifetime::try_from(Duration::from_secs(seconds)).is_ok());
        }
        for lifetime in [Duration::ZERO, Duration::from_millis(999), Duration::from_millis(86_400_001)] {
            assert_eq!(LeaseLifetime::try_from(lifetime), Err(InvalidLifetime));
        }
    }
}
