//! Lockouts that outlast the process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{PgConnection, PgExecutor, query_as, query_scalar};

use crate::clock::Clock;
use crate::decision::{Decision, Source};
use crate::error::Error;
use crate::fingerprint::FingerprintKey;
use crate::key::Key;
use crate::limiter::Catalogue;
use crate::lockout::Lockout;
use crate::permit::Reservation;
use crate::rule::{Rule, RuleId};

/// A [lockout](Lockout) whose failures are kept in PostgreSQL, for good: NIST SP 800-63B wants an account's hundredth failure
/// to outlast a restart.
///
/// Every step is a statement on the caller's connection, in the caller's transaction: the failure, the lock that it brought
/// and the audit entry that tells of it are committed together or not at all, and their commit waits for the disk whatever
/// the session's `synchronous_commit` says. Clones share everything.
///
/// ```no_run
/// # async fn sign_in(pool: sqlx::PgPool, key: stockade_ratelimit::FingerprintKey) -> Result<(), Box<dyn std::error::Error>> {
/// use stockade_ratelimit::{Key, Lockout, Reservation, postgres::Lockouts};
///
/// let lockouts = Lockouts::new("login.account", Lockout::nist(), key)?;
/// let mut transaction = pool.begin().await?;
/// let reserved = lockouts.reserve(&mut transaction, &Key::account("ana@acme.test")).await?;
/// if let Reservation::Granted(attempt) = &reserved && let Some(lock) = attempt.locks_for() {
///     // The audit entry: if this attempt fails too, the account is locked for so long.
///     sqlx::query("INSERT INTO app.warning VALUES ($1)").bind(lock.as_secs() as i64).execute(&mut *transaction).await?;
/// }
/// transaction.commit().await?; // before the password is looked at, so that parallel guesses count
/// match reserved {
///     Reservation::Refused(decision) => println!("locked for {} s", decision.retry_after_secs()),
///     Reservation::Granted(attempt) => {
///         let password_is_right = true;
///         if password_is_right { attempt.succeed(&mut *pool.acquire().await?).await? } else { attempt.commit() }
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Lockouts {
    inner: Arc<Inner>,
    clock: Option<Arc<dyn Clock>>,
}

struct Inner {
    rule: Rule,
    id: RuleId,
    terms: Lockout,
    /// Part of the hash.
    label: String,
    fingerprints: FingerprintKey,
}

/// An attempt that has been counted as a failure, until it [succeeds](Self::succeed). As [`Permit`](crate::Permit): one that
/// is dropped stays a failure.
#[must_use = "`commit`, `succeed` or `refund`: an attempt that is dropped stays a failure"]
pub struct Attempt {
    lockouts: Lockouts,
    decision: Decision,
    slot: [u8; 16],
    at: i64,
    lock: Duration,
}

/// The answer of `stockade.rate_lockout_call`. Times are in microseconds.
struct Answer {
    granted: bool,
    used: i32,
    wait: i64,
    lock: i64,
    reset: i64,
    clock: i64,
}

impl Lockouts {
    /// A lockout of that name. All processes must have the same `key`, which turns keys into what the database sees.
    ///
    /// # Errors
    ///
    /// [`InvalidConfiguration`](crate::ErrorKind::InvalidConfiguration) as of [`Rule::lockout`].
    pub fn new(name: impl Into<Arc<str>>, terms: Lockout, key: FingerprintKey) -> Result<Self, Error> {
        let rule = Rule::lockout(name, terms);
        rule.validate()?;
        let id = Catalogue::new(std::slice::from_ref(&rule))?.id_at(0);
        let label = format!("{} lockout", rule.name());
        Ok(Self { inner: Arc::new(Inner { rule, id, terms, label, fingerprints: key }), clock: None })
    }

    /// The same with the time of this process, since the Unix epoch: for tests.
    #[must_use]
    pub fn with_client_time(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Some(Arc::new(clock)), ..self }
    }

    /// The rule, with its name and terms.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.inner.rule
    }

    /// Counts an attempt as a failure, unless the key is locked. Commit the transaction before the credential is verified:
    /// until then the key's row is locked, and other attempts wait for it. Use `READ COMMITTED`, the default.
    ///
    /// # Errors
    ///
    /// [`Store`](crate::ErrorKind::Store) if the statement fails, which aborts the transaction.
    pub async fn reserve(&self, connection: &mut PgConnection, key: &Key) -> Result<Reservation<Attempt>, Error> {
        let slot = self.slot(key);
        let answer = self.call(connection, "charge", slot, 0).await?;
        let decision = self.decision(&answer, u32::from(answer.granted));
        if !answer.granted {
            return Ok(Reservation::Refused(decision));
        }
        let (lockouts, lock) = (self.clone(), micros(answer.lock));
        Ok(Reservation::Granted(Attempt { lockouts, decision, slot, at: answer.clock, lock }))
    }

    /// Whether an attempt would be admitted now. Counts nothing.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    pub async fn peek(&self, executor: impl PgExecutor<'_>, key: &Key) -> Result<Decision, Error> {
        let answer = self.call(executor, "peek", self.slot(key), 0).await?;
        Ok(self.decision(&answer, 0))
    }

    /// Ends a row of failures and every lock: an administrator's unlocking. Returns whether there was a failure.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    pub async fn forget(&self, executor: impl PgExecutor<'_>, key: &Key) -> Result<bool, Error> {
        Ok(self.call(executor, "forget", self.slot(key), 0).await?.used > 0)
    }

    /// Deletes up to `at_most` rows of any lockout that have remembered nothing for a minute, and returns how many.
    ///
    /// # Errors
    ///
    /// [`Store`](crate::ErrorKind::Store).
    pub async fn sweep(&self, executor: impl PgExecutor<'_>, at_most: u32) -> Result<u64, Error> {
        let gone: i64 = query_scalar("SELECT stockade.rate_lockout_sweep($1)")
            .bind(i32::try_from(at_most).unwrap_or(i32::MAX))
            .fetch_one(executor)
            .await
            .map_err(Error::store)?;
        Ok(u64::try_from(gone).unwrap_or(0))
    }
}

impl Attempt {
    /// The decision, as it was when the attempt was counted.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// If this attempt fails, the key is locked from then on for so long: what an audit entry should tell.
    #[must_use]
    pub fn locks_for(&self) -> Option<Duration> {
        (!self.lock.is_zero()).then_some(self.lock)
    }

    /// Leaves the failure as it is. The same as dropping the attempt, but said.
    pub fn commit(self) {}

    /// Says that the credential was right: ends the row of failures, with the lock that this attempt may have brought.
    ///
    /// # Errors
    ///
    /// As [`Lockouts::reserve`]; the failure stays.
    pub async fn succeed(self, executor: impl PgExecutor<'_>) -> Result<(), Error> {
        self.lockouts.call(executor, "succeed", self.slot, self.at).await.map(drop)
    }

    /// Takes the attempt back, with the lock that it may have brought: the credential was not verified after all.
    ///
    /// # Errors
    ///
    /// As [`Lockouts::reserve`]; the failure stays.
    pub async fn refund(self, executor: impl PgExecutor<'_>) -> Result<(), Error> {
        self.lockouts.call(executor, "release", self.slot, self.at).await.map(drop)
    }
}

impl Lockouts {
    fn slot(&self, key: &Key) -> [u8; 16] {
        *self.inner.fingerprints.fingerprint(&self.inner.label, Some(key)).as_bytes()
    }

    async fn call(
        &self,
        executor: impl PgExecutor<'_>,
        verb: &str,
        slot: [u8; 16],
        target: i64,
    ) -> Result<Answer, Error> {
        let terms = &self.inner.terms;
        let (shortest, longest) = terms.lengths();
        let whole = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let found: (bool, i32, i64, i64, i64, i64) = query_as(
            "SELECT granted, used, wait, lock, reset, clock
             FROM stockade.rate_lockout_call($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(verb)
        .bind(slot)
        .bind(self.clock.as_ref().map(|clock| whole_micros(clock.now())))
        .bind(whole(terms.failures().get()))
        .bind(whole_micros(shortest))
        .bind(whole_micros(longest))
        .bind(whole(terms.steps()))
        .bind(terms.last_chance().map(|number| whole(number.get())))
        .bind(terms.memory().map(whole_micros))
        .bind(target)
        .fetch_one(executor)
        .await
        .map_err(Error::store)?;
        let (granted, used, wait, lock, reset, clock) = found;
        Ok(Answer { granted, used, wait, lock, reset, clock })
    }

    fn decision(&self, answer: &Answer, charged: u32) -> Decision {
        let limit = self.inner.terms.failures().get();
        let used = u32::try_from(answer.used).unwrap_or(u32::MAX).saturating_add(charged);
        Decision {
            allowed: answer.granted,
            rule: self.inner.id,
            limit,
            remaining: limit.saturating_sub(used),
            retry_after: micros(answer.wait),
            reset_after: micros(answer.reset),
            source: Source::Store,
        }
    }
}

fn micros(number: i64) -> Duration {
    Duration::from_micros(u64::try_from(number).unwrap_or(0))
}

/// Rounded up, so that no lock is shorter than it says.
fn whole_micros(time: Duration) -> i64 {
    i64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(i64::MAX)
}

impl fmt::Debug for Lockouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lockouts").field("rule", &self.inner.rule).finish_non_exhaustive()
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("decision", &self.decision).field("lock", &self.lock).finish_non_exhaustive()
    }
}
