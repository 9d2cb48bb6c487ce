//! What the parts of an `Auth` share.

use std::{pin::Pin, sync::Arc, time::Duration};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::{
    api_token::ApiTokenPolicy,
    clock::Clock,
    error::{Error, Result},
    event::{Observer, SecurityEvent},
    key::KeyRing,
    lockout::LockoutPolicy,
    password::{HashPool, PasswordRules},
    session::SessionLimits,
    store::ErasedStore,
    totp::{SeedCipher, SeedOwner, TotpSeed, matching_step},
};

/// The last second of the year 9999. Every limit fits between it and chrono's and PostgreSQL's ends of time.
const LATEST: i64 = 253_402_300_799;

pub(crate) struct Inner {
    pub(crate) store: Box<dyn ErasedStore>,
    pub(crate) keys: KeyRing,
    pub(crate) pool: HashPool,
    pub(crate) lockout: LockoutPolicy,
    pub(crate) limits: SessionLimits,
    pub(crate) pending_life: TimeDelta,
    pub(super) clock: Box<dyn Clock>,
    pub(super) seeds: Option<Box<dyn SeedCipher>>,
    pub(super) observer: Option<Box<dyn Observer>>,
    pub(super) issuer: String,
    pub(crate) identifier_lockout: LockoutPolicy,
    pub(super) rules: PasswordRules,
    pub(super) floor: Option<Floor>,
    pub(super) api_tokens: Option<ApiTokenPolicy>,
}

/// The least time that a refusal takes.
pub(super) struct Floor {
    pub(super) least: TimeDelta,
    pub(super) sleep: Box<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>,
}

impl Inner {
    /// The time in whole microseconds, as PostgreSQL keeps it.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let latest = DateTime::from_timestamp(LATEST, 0).unwrap_or(DateTime::UNIX_EPOCH);
        self.clock.now().clamp(DateTime::UNIX_EPOCH, latest).trunc_subsecs(6)
    }

    pub(crate) fn emit(&self, event: &SecurityEvent) {
        if let Some(observer) = &self.observer {
            observer.observe(event);
        }
    }

    pub(super) fn seal(&self, owner: SeedOwner, seed: &TotpSeed) -> Result<Vec<u8>> {
        self.seeds()?.seal(owner, seed.bytes()).map_err(Error::seed_cipher)
    }

    /// The newest step of the window that has this code.
    pub(crate) fn matching_step(
        &self,
        owner: SeedOwner,
        sealed_seed: &[u8],
        code: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<i64>> {
        let seed = self.seeds()?.open(owner, sealed_seed).map_err(Error::seed_cipher)?;
        matching_step(&TotpSeed::from_bytes(seed.as_slice())?, code, now)
    }

    fn seeds(&self) -> Result<&dyn SeedCipher> {
        self.seeds.as_deref().ok_or_else(|| Error::configuration("totp needs a seed cipher"))
    }

    /// Waits until a refusal that began at `started` has taken its time. A clock that jumps cannot make it wait longer than that.
    pub(crate) async fn hold(&self, started: DateTime<Utc>) {
        let Some(floor) = &self.floor else { return };
        let taken = self.clock.now().signed_duration_since(started);
        let missing = (floor.least - taken).clamp(TimeDelta::zero(), floor.least);
        if let Some(missing) = missing.to_std().ok().filter(|missing| !missing.is_zero()) {
            (floor.sleep)(missing).await;
        }
    }

    pub(super) fn is_same(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        Arc::ptr_eq(self, other)
    }
}
