//! Threads of their own for password hashing.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use zeroize::Zeroizing;

use super::{
    Argon2Params, MAX_BYTES, check_new,
    phc::{self, Scratch, Stored},
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
    computed: Arc<AtomicU64>,
}

/// What comparing a password with a stored hash gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It matches, and the hash has the parameters of the pool.
    Match,
    /// It matches, and the hash has other parameters: hash the password again.
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
        let params = config.params;
        let dummy = dummy(params)?;
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        let computed = Arc::default();
        for _ in 0..config.workers.get() {
            let worker = Worker {
                params,
                dummy: Stored::parse(&dummy).ok_or_else(|| Error::configuration("the dummy hash is unusable"))?,
                scratch: Scratch::new(params, &computed)?,
            };
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name("stockade-hash".to_owned())
                .spawn(move || worker.run(&queue))
                .map_err(|_| Error::configuration("no thread for the hash pool"))?;
        }
        let places = config.workers.get().saturating_add(config.queue).min(Semaphore::MAX_PERMITS);
        Ok(Self { jobs, places: Arc::new(Semaphore::new(places)), params, computed })
    }

    /// The cost of a new hash.
    #[must_use]
    pub fn params(&self) -> Argon2Params {
        self.params
    }

    /// How many hashes the threads have computed, for metrics.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// Hashes a new password to a PHC string.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the password has fewer than 8 characters or more than 1024 bytes, `Unavailable` if the pool is full.
    pub async fn hash(&self, password: SecretString) -> Result<String> {
        check_new(password.expose_secret())?;
        self.rehash(password).await
    }

    /// Compares a password with a stored PHC string, or with the dummy hash of the pool if there is none. The dummy never matches.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the pool is full.
    pub async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<Verdict> {
        self.admit()?.verify(password, stored).await
    }

    /// The most bytes of a password that a new hash takes in full.
    pub(crate) fn max_bytes(&self) -> usize {
        MAX_BYTES
    }

    pub(crate) fn can_verify(&self, stored: &str) -> bool {
        Stored::parse(stored).is_some()
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

#[derive(Debug)]
struct Job {
    work: Work,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Work {
    Hash { password: SecretString, reply: oneshot::Sender<Result<String>> },
    Verify { password: SecretString, stored: Option<String>, reply: oneshot::Sender<Verdict> },
}

struct Worker {
    params: Argon2Params,
    dummy: Stored,
    scratch: Scratch,
}

impl Worker {
    fn run(mut self, queue: &Mutex<mpsc::Receiver<Job>>) {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Job { work, _place }) = job else { return };
            // A caller who stopped waiting is no error.
            match work {
                Work::Hash { password, reply } => {
                    let hash = phc::hash(self.params, password.expose_secret().as_bytes(), &mut self.scratch);
                    let _ = reply.send(hash);
                }
                Work::Verify { password, stored, reply } => {
                    let _ = reply.send(self.verify(password.expose_secret().as_bytes(), stored.as_deref()));
                }
            }
        }
    }

    fn verify(&mut self, password: &[u8], stored: Option<&str>) -> Verdict {
        let (bytes, fits) = match password.get(..MAX_BYTES) {
            Some(start) => (start, password.len() == MAX_BYTES),
            None => (password, true),
        };
        match stored.filter(|_| fits).map(|text| (text, Stored::parse(text))) {
            Some((text, Some(hash))) => match hash.verify(bytes, &mut self.scratch) {
                true if text.starts_with(&self.params.prefix()) => Verdict::Match,
                true => Verdict::MatchOutdated,
                false => Verdict::Mismatch,
            },
            Some((_, None)) => {
                self.dummy.verify(bytes, &mut self.scratch);
                Verdict::Refused
            }
            None => {
                self.dummy.verify(bytes, &mut self.scratch);
                Verdict::Mismatch
            }
        }
    }
}

/// The hash of a password that nobody knows, made by the live hasher so that it costs what a real one costs.
fn dummy(params: Argon2Params) -> Result<String> {
    let mut password = Zeroizing::new([0; 32]);
    getrandom::fill(password.as_mut_slice()).map_err(Error::random)?;
    phc::hash(params, password.as_slice(), &mut Scratch::new(params, &Arc::default())?)
}

#[cfg(test)]
mod tests;
