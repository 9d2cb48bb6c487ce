//! What is asked of Redis: each in one round trip, each within a deadline, and each with an answer if Redis has none.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use redis::{RedisResult, Script, aio::ConnectionLike};

use super::{
    Staleness,
    entry::{self, Entry},
    names::{Name, Names, Subject, name, subjects},
};
use crate::{
    error::{Error, Result},
    key::KeyRing,
    store::{Digest, SessionRecord},
};

/// How long Redis is not asked after it failed to answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an answer is waited for.
const DEADLINE: Duration = Duration::from_millis(250);

/// A connection, and what its clones share.
#[derive(Clone)]
pub(super) struct Cache<C> {
    connection: C,
    shared: Arc<Shared>,
}

struct Shared {
    prefix: Vec<u8>,
    latest: Vec<u8>,
    names: Names,
    read: Script,
    fill: Script,
    staleness: Staleness,
    process: [u8; 16],
    stamps: AtomicU64,
    paused_until: Mutex<Option<Instant>>,
    counts: Counts,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) untold: AtomicU64,
}

/// When a look at the primary store began, by the stamp and the clock of Redis.
pub(super) struct Ticket {
    latest: Vec<u8>,
    at: i64,
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Cache<C> {
    pub(super) fn new(connection: C, keys: &KeyRing, namespace: &str, staleness: Staleness) -> Result<Self> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'_' | b'-');
        if !(1..=64).contains(&namespace.len()) || !namespace.bytes().all(plain) {
            return Err(Error::configuration("a namespace has 1 to 64 of a-z, 0-9, full stop, underscore and hyphen"));
        }
        let mut process = [0; 16];
        getrandom::fill(&mut process).map_err(Error::random)?;
        // The braces put all keys into one slot of a cluster. No name has the length of this word.
        let prefix = format!("{{{namespace}}}").into_bytes();
        let shared = Shared {
            latest: [&prefix, &b"latest"[..]].concat(),
            prefix,
            names: Names::new(keys),
            read: Script::new(include_str!("read.lua")),
            fill: Script::new(include_str!("fill.lua")),
            staleness,
            process,
            stamps: AtomicU64::new(0),
            paused_until: Mutex::default(),
            counts: Counts::default(),
        };
        Ok(Self { connection, shared: Arc::new(shared) })
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// What is kept for a token and is still to be believed, or the ticket with which it can be kept, or neither if Redis does not
    /// answer.
    pub(super) async fn read(&self, digest: &Digest, now: DateTime<Utc>) -> (Option<SessionRecord>, Option<Ticket>) {
        let shared = &*self.shared;
        let Some(mac) = shared.names.active().filter(|_| !self.is_paused()) else { return (None, None) };
        let mut call = shared.read.prepare_invoke();
        call.key(self.key(&name(mac, Subject::Token(*digest)))).key(&shared.latest);
        call.arg(&shared.prefix).arg(self.stamp().as_slice());
        let answer = self.within_deadline(call.invoke_async(&mut self.connection.clone())).await;
        let Some((stored, latest, at)): Option<(Vec<u8>, Vec<u8>, i64)> = answer else {
            self.pause(PAUSE);
            return (None, None);
        };
        let found = entry::open(mac, digest, &stored).filter(|entry| self.is_to_be_believed(entry, now));
        count(if found.is_some() { &shared.counts.hits } else { &shared.counts.misses });
        (found.map(|entry| entry.record), Some(Ticket { latest, at }))
    }

    /// Keeps what the primary store said, unless anything has changed since the ticket.
    pub(super) async fn fill(&self, digest: &Digest, record: &SessionRecord, looked_at: DateTime<Utc>, ticket: Ticket) {
        let shared = &*self.shared;
        let Some(mac) = shared.names.active() else { return };
        let names = subjects(record).map(|subject| name(mac, subject));
        let sealed = entry::seal(mac, digest, &names, &Entry { looked_at, record: record.clone() });
        let mut call = shared.fill.prepare_invoke();
        call.key(self.key(&name(mac, Subject::Token(*digest)))).key(&shared.latest);
        for name in &names {
            call.key(self.key(name));
        }
        let most = u64::try_from(shared.staleness.most().as_millis()).unwrap_or(0);
        call.arg(ticket.latest)
            .arg(ticket.at)
            .arg(most)
            .arg(self.stamp().as_slice())
            .arg(names.as_flattened())
            .arg(sealed);
        let kept: Option<bool> = self.within_deadline(call.invoke_async(&mut self.connection.clone())).await;
        if kept.is_none() {
            self.pause(PAUSE);
        }
    }

    /// Makes everything that is kept of a subject worthless, and every look that is under way.
    pub(super) async fn forget(&self, subject: Subject) {
        let mut delete = redis::cmd("DEL");
        delete.arg(&self.shared.latest);
        if !self.delete(delete, subject).await {
            count(&self.shared.counts.untold);
            // Redis may answer this process again before the old answers there have ended.
            self.pause(self.shared.staleness.most().max(PAUSE));
        }
    }

    /// Has the primary store asked once more, for a change that takes nothing from anybody.
    pub(super) async fn refresh(&self, subject: Subject) {
        if !self.is_paused() {
            self.delete(redis::cmd("DEL"), subject).await;
        }
    }

    async fn delete(&self, mut delete: redis::Cmd, subject: Subject) -> bool {
        for name in self.shared.names.all(subject) {
            delete.arg(self.key(&name));
        }
        let deleted: Option<i64> = self.within_deadline(delete.query_async(&mut self.connection.clone())).await;
        deleted.is_some()
    }

    async fn within_deadline<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> Option<T> {
        let answer = tokio::time::timeout(DEADLINE, answer).await.ok().and_then(RedisResult::ok);
        if answer.is_none() {
            count(&self.shared.counts.failures);
        }
        answer
    }

    /// The server's clock has removed what is older than the bound. This holds for what somebody put back, too.
    fn is_to_be_believed(&self, Entry { looked_at, record }: &Entry, now: DateTime<Utc>) -> bool {
        let most = TimeDelta::from_std(self.shared.staleness.most()).unwrap_or_default();
        now.signed_duration_since(looked_at).abs() < most
            && record.expires_at > now
            && record.last_seen_at + record.idle > now
    }

    fn key(&self, name: &Name) -> Vec<u8> {
        [&self.shared.prefix, &name[..]].concat()
    }

    /// A text that no process has used before.
    fn stamp(&self) -> [u8; 24] {
        let mut stamp = [0; 24];
        let (process, number) = stamp.split_at_mut(16);
        process.copy_from_slice(&self.shared.process);
        number.copy_from_slice(&self.shared.stamps.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        stamp
    }

    fn is_paused(&self) -> bool {
        let until = *self.shared.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn pause(&self, length: Duration) {
        let until = Instant::now().checked_add(length);
        let mut paused = self.shared.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = (*paused).max(until);
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
