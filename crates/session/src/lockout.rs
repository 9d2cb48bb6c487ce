//! How many guesses an identifier has.

use std::{num::NonZeroU32, time::Duration};

use chrono::TimeDelta;

use crate::{
    error::{Error, Result},
    id::UserId,
    key::{KeyRing, Purpose},
    network::Network,
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

    /// The default over all untrusted clients of an identifier: 20 attempts, then 15 minutes, doubling to 4 hours.
    pub(crate) fn of_identifiers() -> Self {
        let limit = NonZeroU32::MIN.saturating_add(19);
        Self::build(limit, TimeDelta::minutes(15), TimeDelta::hours(4), TimeDelta::hours(24))
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

/// What vouches for a client before its password is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nothing.
    Untrusted(Network),
    /// The user signed in from the network lately.
    KnownNetwork(Network),
    /// The user signed in on the device lately.
    KnownDevice([u8; 16]),
}

/// The two counts that a password must pass, with their policies. They exist whether or not the account does.
pub(crate) struct PasswordBuckets<'a> {
    /// Of the identifier and the network or device.
    pub(crate) own: (Digest, &'a LockoutPolicy),
    /// Of the identifier over all untrusted clients. Trusted ones count here alone, by the policy of the first: the work is the same, and
    /// nobody else can lock it.
    pub(crate) shared: (Digest, &'a LockoutPolicy),
}

impl<'a> PasswordBuckets<'a> {
    pub(crate) fn new(keys: &KeyRing, identifier: &str, origin: Origin, [own, shared]: [&'a LockoutPolicy; 2]) -> Self {
        let bucket = |name: &[u8], of: &[u8]| {
            keys.active_digest(
                Purpose::Attempt,
                &[b"password\0", name, b"\0", of, b"\0", identifier.as_bytes()].concat(),
            )
        };
        match origin {
            Origin::Untrusted(network) => Self {
                own: (bucket(b"net", network.to_string().as_bytes()), own),
                shared: (bucket(b"any", b""), shared),
            },
            Origin::KnownNetwork(network) => {
                let name = network.to_string();
                Self { own: (bucket(b"net", name.as_bytes()), own), shared: (bucket(b"known", name.as_bytes()), own) }
            }
            Origin::KnownDevice(device) => {
                Self { own: (bucket(b"device", &device), own), shared: (bucket(b"known", &device), own) }
            }
        }
    }
}

/// The bucket of proofs by password within a session of the user.
pub(crate) fn proof_bucket(keys: &KeyRing, user: UserId) -> Digest {
    keys.active_digest(Purpose::Attempt, &[b"proof\0", user.as_uuid().as_bytes().as_slice()].concat())
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
        let network = |ip: &str| Network::from(ip.parse::<std::net::IpAddr>().unwrap());
        let (own, shared) = (LockoutPolicy::default(), LockoutPolicy::of_identifiers());
        let of = |identifier, origin| {
            let buckets = PasswordBuckets::new(&keys, identifier, origin, [&own, &shared]);
            [buckets.own.0, buckets.shared.0]
        };
        let (a, b) = (network("203.0.113.7"), network("203.0.113.8"));
        assert_eq!(of("a", Origin::Untrusted(a))[1], of("a", Origin::Untrusted(b))[1], "one count over all networks");
        assert_eq!(of("a", Origin::Untrusted(a))[0], of("a", Origin::KnownNetwork(a))[0]);
        let mut all = [
            of("a", Origin::Untrusted(a)),
            of("b", Origin::Untrusted(a)),
            [of("a", Origin::Untrusted(b))[0], of("a", Origin::KnownNetwork(a))[1]],
            of("a", Origin::KnownDevice([1; 16])),
            of("a", Origin::KnownDevice([2; 16])),
            [totp_bucket(&keys, user), proof_bucket(&keys, user)],
        ]
        .concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 12);
    }
}
