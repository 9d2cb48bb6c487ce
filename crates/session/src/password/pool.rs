//! Threads of their own for password hashing.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{
    Argon2Params, check_new,
    hashing::{Hasher, Hashing},
    phc::Scratch,
    worker::{Job, Work, Worker, dummy},
};
use crate::error::{Error, Result};

/// The size of a [`HashPool`].
#[derive(Debug, Clone, Copy)]
pub struct HashPoolConfig {
    /// The cost of a new hash. The default is [`Argon2Params::default`].
    pub params: Argon2Params,
    /// How many hashes are computed at a time, each on a thread with memory of its own. The default is the number of
    /// processors, at most 4.
    pub workers: NonZeroUsize,
    /// How many more may wait. The default is 64.
    pub queue: usize,
}

/// A bounded pool of threads that hash and verify passwords, so that this never blocks the async runtime and never takes more
/// memory than `workers` times the cost. Beyond `workers + queue` requests at a time it answers
/// [`Unavailable`](crate::ErrorKind::Unavailable). Clones share the threads, which end with the last clone.
#[derive(Clone)]
pub struct HashPool {
    jobs: mpsc::Sender<Job>,
    places: Arc<Semaphore>,
    params: Argon2Params,
    hasher: Arc<Hasher>,
    computed: Arc<AtomicU64>,
}

/// What comparing a password with a stored hash gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It matches, and the hash is what the pool would make.
    Match,
    /// It matches, and the hash has other parameters, another scheme or another pepper: hash the password again.
    MatchOutdated,
    /// It does not match.
    Mismatch,
    /// The stored text is no hash of this crate or asks for too much. The work of one hash was done nevertheless.
    Refused,
}

/// A place in the pool, kept until the work that it was taken for is done.
#[derive(Debug)]
pub(crate) struct Slot {
    jobs: mpsc::Sender<Job>,
    place: OwnedSemaphorePermit,
}

impl Default for HashPoolConfig {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            params: Argon2Params::default(),
            workers: NonZeroUsize::new(processors.min(4)).unwrap_or(NonZeroUsize::MIN),
            queue: 64,
        }
    }
}

impl HashPool {
    /// Starts the threads and computes the dummy hash, which takes the time of one hash.
    ///
    /// # Errors
    ///
    /// `Configuration` if the system gives no threads, `Random` if it gives no random numbers.
    pub fn new(config: HashPoolConfig) -> Result<Self> {
        Self::with(config, Hashing::default())
    }

    /// As [`new`](Self::new), with another way to hash new passwords.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with(config: HashPoolConfig, hashing: Hashing) -> Result<Self> {
        let params = config.params;
        let hasher = Arc::new(Hasher::new(params, hashing));
        let dummy = dummy(&hasher, params)?;
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        let computed = Arc::default();
        for _ in 0..config.workers.get() {
            let worker = Worker::new(&hasher, &dummy, Scratch::new(params, &computed)?)?;
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name("stockade-hash".to_owned())
                .spawn(move || worker.run(&queue))
                .map_err(|_| Error::configuration("no thread for the hash pool"))?;
        }
        let places = config.workers.get().saturating_add(config.queue).min(Semaphore::MAX_PERMITS);
        Ok(Self { jobs, places: Arc::new(Semaphore::new(places)), params, hasher, computed })
    }

    /// The cost of a new hash of argon2id.
    #[must_use]
    pub fn params(&self) -> Argon2Params {
        self.params
    }

    /// How many hashes the threads have computed, for metrics.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// Hashes a new password to the text that is stored.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the password has fewer than 8 characters or more than 1024 bytes (71 with bcrypt and without a pepper),
    /// `Unavailable` if the pool is full.
    pub async fn hash(&self, password: SecretString) -> Result<String> {
        check_new(password.expose_secret())?;
        self.rehash(password).await
    }

    /// Compares a password with a stored hash, of argon2id or bcrypt, or with the dummy hash of the pool if there is none. The dummy never matches.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the pool is full.
    pub async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<Verdict> {
        self.admit()?.verify(password, stored).await
    }

    /// The most bytes of a password that a new hash takes in full.
    pub(crate) fn max_bytes(&self) -> usize {
        self.hasher.max_bytes()
    }

    /// What an up-to-date hash begins with.
    pub(crate) fn prefix(&self) -> String {
        self.hasher.prefix()
    }

    pub(crate) fn can_verify(&self, stored: &str) -> bool {
        self.hasher.parse(stored).is_some()
    }

    /// Takes a place or says at once that there is none.
    pub(crate) fn admit(&self) -> Result<Slot> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Error::unavailable())?;
        Ok(Slot { jobs: self.jobs.clone(), place })
    }

    /// Hashes a password that is in use already, whatever its length.
    pub(crate) async fn rehash(&self, password: SecretString) -> Result<String> {
        let (reply, answer) = oneshot::channel();
        self.admit()?.send(Work::Hash { password, reply })?;
        answer.await.map_err(|_| Error::unavailable())?
    }
}

impl Slot {
    pub(crate) async fn verify(self, password: SecretString, stored: Option<String>) -> Result<Verdict> {
        let (reply, answer) = oneshot::channel();
        self.send(Work::Verify { password, stored, reply })?;
        answer.await.map_err(|_| Error::unavailable())
    }

    fn send(self, work: Work) -> Result<()> {
        // The place goes with the job: a caller who stops waiting must not free it while the hash is still computed.
        let job = Job { work, _place: self.place };
        self.jobs.send(job).map_err(|_| Error::unavailable())
    }
}

impl fmt::Debug for HashPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashPool")
            .field("params", &self.params)
            .field("free_places", &self.places.available_permits())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
