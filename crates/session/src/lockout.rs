//! How many guesses an identifier has.

use std::{num::NonZeroU32, time::Duration};

use chrono::TimeDelta;

use crate::{
    error::{Error, Result},
    id::UserId,
    key::{KeyRing, Purpose},
    store::Digest,
};

/// When failed attempts lock, and for how long.
///
/// Attempt number `limit` without a success locks for `first_lock`; after each lock one more attempt is allowed, which locks twice as
/// long, up to `longest_lock`. A success forgets all attempts, and so does `memory` without any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockoutPolicy {
    limit: NonZeroU32,
    locks: Vec<TimeDelta>,
    memory: TimeDelta,
}

impl LockoutPolicy {
    /// A policy of its own.
    ///
    /// # Errors
    ///
    /// `InvalidInput` unless `1 ms <= first_lock <= longest_lock <= memory <= 365 days`.
    pub fn new(limit: NonZeroU32, first_lock: Duration, longest_lock: Duration, memory: Duration) -> Result<Self> {
        let ordered = Duration::from_millis(1) <= first_lock && first_lock <= longest_lock && longest_lock <= memory;
        if !ordered || memory > Duration::from_secs(365 * 86_400) {
            return Err(Error::invalid("the times of the lockout policy are out of order"));
        }
        let span = |time: Duration| TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX);
        Ok(Self::build(limit, span(first_lock), span(longest_lock), span(memory)))
    }

    /// The number of attempts before the first lock.
    #[must_use]
    pub fn limit(&self) -> NonZeroU32 {
        self.limit
    }

    /// The locks after attempts `limit`, `limit + 1` and so on; the last one repeats. Never empty.
    #[must_use]
    pub fn locks(&self) -> &[TimeDelta] {
        &self.locks
    }

    /// How long attempts are remembered after the last of them.
    #[must_use]
    pub fn memory(&self) -> TimeDelta {
        self.memory
    }

    /// The lock that attempt number `attempt`, counted from 1, brings.
    #[must_use]
    pub fn lock_after(&self, attempt: u32) -> Option<TimeDelta> {
        let index = usize::try_from(attempt.checked_sub(self.limit.get())?).unwrap_or(usize::MAX);
        self.locks.get(index).or(self.locks.last()).copied()
    }

    fn build(limit: NonZeroU32, first: TimeDelta, longest: TimeDelta, memory: TimeDelta) -> Self {
        let doubled = std::iter::successors(Some(first), |lock| lock.checked_mul(2)).take_while(|lock| *lock < longest);
        let locks = doubled.chain([longest]).collect();
        Self { limit, locks, memory }
    }
}

impl Default for LockoutPolicy {
    /// 5 attempts, then 1 minute, doubling to 1 hour; forgotten after 24 hours without an attempt. That is fewer than 40 guesses in
    /// the first 24 hours. There is no final stop, such as the 100 consecutive failures of NIST SP 800-63B, 3.2.2.
    fn default() -> Self {
        let limit = NonZeroU32::MIN.saturating_add(4);
        Self::build(limit, TimeDelta::minutes(1), TimeDelta::hours(1), TimeDelta::hours(24))
    }
}

/// The bucket of an identifier's passwords. It exists whether or not the account does.
pub(crate) fn password_bucket(keys: &KeyRing, identifier: &str) -> Digest {
    keys.active_digest(Purpose::Attempt, &[b"password\0", identifier.as_bytes()].concat())
}

/// The bucket of a user's codes. Apart from the passwords, because a right password empties that one.
pub(crate) fn totp_bucket(keys: &KeyRing, user: UserId) -> Digest {
    keys.active_digest(Purpose::Attempt, &[b"totp\0", user.as_uuid().as_bytes().as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_double_up_to_the_cap() {
        let policy = LockoutPolicy::default();
        let minutes = |attempt| policy.lock_after(attempt).map(|lock| lock.num_minutes());
        assert_eq!([1, 4].map(minutes), [None, None]);
        assert_eq!([5, 6, 7, 8, 9, 10, 11].map(minutes), [1, 2, 4, 8, 16, 32, 60].map(Some));
        assert_eq!([12, 1000, u32::MAX].map(minutes), [60, 60, 60].map(Some));
    }

    #[test]
    fn times_are_checked() {
        let seconds = Duration::from_secs;
        let new = |a, b, c| LockoutPolicy::new(NonZeroU32::MIN, a, b, c);
        assert!(new(seconds(1), seconds(1), seconds(1)).is_ok());
        for (a, b, c) in [(0, 1, 1), (2, 1, 3), (1, 3, 2), (1, 1, 366 * 86_400)] {
            assert!(new(seconds(a), seconds(b), seconds(c)).is_err());
        }
        assert_eq!(new(seconds(3), seconds(10), seconds(60)).unwrap().locks(), [3, 6, 10].map(TimeDelta::seconds));
    }

    #[test]
    fn buckets_are_apart() {
        let keys = KeyRing::single(1, (0..32).collect::<Vec<u8>>()).unwrap();
        let user = UserId::from(uuid::Uuid::nil());
        assert_ne!(password_bucket(&keys, "a").as_bytes(), password_bucket(&keys, "b").as_bytes());
        assert_ne!(password_bucket(&keys, "a").as_bytes(), totp_bucket(&keys, user).as_bytes());
    }
}
