//! What happens when the store cannot be asked.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::rule::Rule;

/// What decides while the store does not answer. There is no default: each of these is wrong for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnStoreError {
    /// Nobody is let in ([`Source::StoreDown`](crate::Source::StoreDown)): for webhooks and whatever can be retried.
    Closed,
    /// Each process limits on its own, with its share of every limit: for sign-in.
    ///
    /// Its table is kept warm while the store answers, so that whoever used up a share before the failure does not get
    /// it again. A window that begins after the failure holds at most the limit, or one for each process where the limit
    /// is below their number; one that reaches back before it holds at most twice that.
    Local {
        /// What part of every limit this process has.
        share: Share,
    },
    /// Everybody is let in ([`Source::Unchecked`](crate::Source::Unchecked)) for so long, and then nobody: for public
    /// pages.
    Open {
        /// How long, from the first failure.
        at_most: Duration,
    },
}

/// One process's part of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(NonZeroU32);

impl Share {
    /// The part of one among so many: as many processes as may run at the same time.
    #[must_use]
    pub const fn among(processes: NonZeroU32) -> Self {
        Self(processes)
    }

    /// The rule with its limit divided, rounded down, but at least 1; of a strict token bucket, at least 2.
    pub(super) fn of(self, rule: &Rule) -> Rule {
        rule.clone().divided_by(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_every_kind_are_rules_that_can_be_used() {
        let hour = Duration::from_secs(3600);
        let n = |number| NonZeroU32::new(number).unwrap();
        for (limit, processes, part) in [(100, 8, 12), (7, 8, 1), (9, 1, 9)] {
            let share = Share::among(n(processes));
            for rule in
                [Rule::exact("a", n(limit), hour), Rule::window("a", n(limit), hour), Rule::gcra("a", n(limit), hour)]
            {
                let rule = share.of(&rule);
                assert_eq!((rule.limit().get(), rule.burst().get()), (part, part));
                assert!(rule.validate().is_ok());
            }
            let strict = share.of(&Rule::gcra_strict("a", n(limit), hour, n(limit / 3)));
            assert!(strict.validate().is_ok() && strict.limit().get() == part.max(2));
        }
    }
}
