//! What can be measured: a limiter of this process, and one over a store.

use std::future::{Future, ready};

use stockade_ratelimit::{
    Cost, Decision, Error, Key, Limiter, Rule,
    store::{SharedLimiter, Store},
};

/// A limiter that can be measured. Sealed: [`Limiter`] and [`SharedLimiter`].
pub trait Asked: sealed::Sealed + Sync {
    #[doc(hidden)]
    fn rule_named(&self, name: &str) -> Option<&Rule>;

    #[doc(hidden)]
    fn ask(&self, rule: &str, key: Key, cost: Cost) -> impl Future<Output = Result<Decision, Error>> + Send;

    /// Gives a key back that was used up for the measurement.
    #[doc(hidden)]
    fn give_back(&self, rule: &str, key: &Key);
}

impl Asked for Limiter {
    fn rule_named(&self, name: &str) -> Option<&Rule> {
        self.definition(name).ok()
    }

    fn ask(&self, rule: &str, key: Key, cost: Cost) -> impl Future<Output = Result<Decision, Error>> + Send {
        ready(self.check(&[(rule, key)], cost))
    }

    fn give_back(&self, rule: &str, key: &Key) {
        let _ = self.forget(rule, key);
    }
}

impl<S: Store> Asked for SharedLimiter<S> {
    fn rule_named(&self, name: &str) -> Option<&Rule> {
        self.definition(name).ok()
    }

    async fn ask(&self, rule: &str, key: Key, cost: Cost) -> Result<Decision, Error> {
        self.check(&[(rule, key)], cost).await
    }

    /// A store forgets a key by itself, after the window.
    fn give_back(&self, _: &str, _: &Key) {}
}

mod sealed {
    use stockade_ratelimit::{
        Limiter,
        store::{SharedLimiter, Store},
    };

    pub trait Sealed {}

    impl Sealed for Limiter {}
    impl<S: Store> Sealed for SharedLimiter<S> {}
}
