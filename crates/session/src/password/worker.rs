//! What the threads of a pool do.

use std::sync::{Arc, Mutex, PoisonError, atomic::AtomicU64, mpsc};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use zeroize::Zeroizing;

use super::{
    MAX_BYTES,
    hashing::{Hasher, Known},
    phc::Scratch,
    pool::Verdict,
};
use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(super) enum Work {
    Hash { password: SecretString, reply: oneshot::Sender<Result<String>> },
    Verify { password: SecretString, stored: Option<String>, reply: oneshot::Sender<Verdict> },
}

pub(super) struct Worker {
    hasher: Arc<Hasher>,
    prefix: String,
    dummy: Known,
    scratch: Scratch,
}

impl Worker {
    pub(super) fn new(hasher: &Arc<Hasher>, dummy: &str, scratch: Scratch) -> Result<Self> {
        let dummy = hasher.parse(dummy).ok_or_else(|| Error::configuration("the dummy hash is unusable"))?;
        Ok(Self { hasher: Arc::clone(hasher), prefix: hasher.prefix(), dummy, scratch })
    }

    pub(super) fn run(mut self, queue: &Mutex<mpsc::Receiver<Job>>) {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Job { work, _place }) = job else { return };
            // A caller who stopped waiting is no error.
            match work {
                Work::Hash { password, reply } => {
                    let hash = self.hasher.hash(password.expose_secret().as_bytes(), &mut self.scratch);
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
        match stored.filter(|_| fits).map(|text| (text, self.hasher.parse(text))) {
            Some((text, Some(known))) => match self.hasher.verify(bytes, &known, &mut self.scratch) {
                true if text.starts_with(&self.prefix) => Verdict::Match,
                true => Verdict::MatchOutdated,
                false => Verdict::Mismatch,
            },
            Some((_, None)) => {
                self.hasher.verify(bytes, &self.dummy, &mut self.scratch);
                Verdict::Refused
            }
            None => {
                self.hasher.verify(bytes, &self.dummy, &mut self.scratch);
                Verdict::Mismatch
            }
        }
    }
}

/// The hash of a password that nobody knows, made by the live hasher so that it costs what a real one costs.
pub(super) fn dummy(hasher: &Hasher, params: super::Argon2Params) -> Result<String> {
    let mut password = Zeroizing::new([0; 32]);
    getrandom::fill(password.as_mut_slice()).map_err(Error::random)?;
    hasher.hash(password.as_slice(), &mut Scratch::new(params, &Arc::<AtomicU64>::default())?)
}
