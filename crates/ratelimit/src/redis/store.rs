//! The store: one script, one call a decision.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::ConnectionLike;

use crate::clock::Clock;
use crate::error::{Error, Repr};
use crate::store::{Ask, Counting, Intent, Standing, Store};

/// Counts in Redis.
///
/// `C` is a connection that is cheap to clone and may be used by many tasks at once, such as `redis`'s
/// `ConnectionManager` or `MultiplexedConnection`: checks that run at the same time then travel together.
///
/// All keys begin with `{namespace}`, so on a cluster all rules of one store share a slot, and one decision is one
/// script. Use a namespace for each limiter, to spread them. A key lives a minute longer than it counts. Set
/// `maxmemory-policy noeviction`: a server that evicts forgets whom it has locked out.
#[derive(Clone)]
pub struct RedisStore<C> {
    connection: C,
    script: Arc<redis::Script>,
    prefix: Vec<u8>,
    clock: Option<Arc<dyn Clock>>,
    /// Added to every window, in microseconds.
    skew: u64,
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> RedisStore<C> {
    /// A store under `namespace`: 1 to 64 characters from `a-z`, `0-9`, `.`, `_` and `-`. The time is the server's.
    ///
    /// # Errors
    ///
    /// [`InvalidConfiguration`](crate::ErrorKind::InvalidConfiguration) if the namespace is none.
    pub fn new(connection: C, namespace: &str) -> Result<Self, Error> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'_' | b'-');
        if !(1..=64).contains(&namespace.len()) || !namespace.bytes().all(plain) {
            return Err(Repr::InvalidNamespace.into());
        }
        Ok(Self {
            connection,
            script: Arc::new(redis::Script::new(include_str!("limit.lua"))),
            prefix: format!("{{{namespace}}}").into_bytes(),
            clock: None,
            skew: 0,
        })
    }

    /// For servers whose scripts may not read the time: the time is that of each process. `clock` must have the same
    /// origin everywhere (the Unix epoch), and `max_skew` is how far two of them may be apart. Windows are so much
    /// longer, so that the limit holds all the same.
    #[must_use]
    pub fn with_client_time(self, clock: impl Clock + 'static, max_skew: Duration) -> Self {
        let skew = u64::try_from(max_skew.as_micros()).unwrap_or(u64::MAX);
        Self { clock: Some(Arc::new(clock)), skew, ..self }
    }

    async fn call(&self, verb: &str, asked: &[Asked<'_>]) -> Result<Vec<Standing>, Error> {
        // Zero means the server's time.
        let now = self.clock.as_ref().map_or(0, |clock| clock.now().as_micros().max(1));
        let now = u64::try_from(now).unwrap_or(u64::MAX).min(LAST_MICROSECOND);
        let mut call = self.script.prepare_invoke();
        call.arg(verb).arg(now);
        for &Asked { decision, ask, cost, bucket } in asked {
            // A window that is longer by the skew: more of its buckets count, or its units come back more slowly.
            let longer = |span: u64| span.saturating_add(self.skew.div_ceil(ask.width.max(1)));
            let slower = |width: u64| width.saturating_add(self.skew.div_ceil(ask.span.max(1)));
            let (cost_bytes, width, span) = match ask.counting {
                Counting::Log => (1, ask.width, longer(ask.span)),
                Counting::Ring => (4, ask.width, longer(ask.span)),
                Counting::Tokens => (0, slower(ask.width), ask.span),
            };
            call.key([&self.prefix[..], &ask.slot].concat());
            call.arg(decision).arg(cost).arg(width).arg(span).arg(ask.limit);
            call.arg(u8::from(ask.enforced)).arg(cost_bytes).arg(bucket);
        }
        let numbers: Vec<u64> = call.invoke_async(&mut self.connection.clone()).await.map_err(Error::store)?;
        let (standings, rest) = numbers.as_chunks::<4>();
        if standings.len() != asked.len() || !rest.is_empty() {
            return Err(Error::store("the script answered another question"));
        }
        let standing = |&[used, wait, reset, bucket]: &[u64; 4]| Standing {
            used: u32::try_from(used).unwrap_or(u32::MAX),
            wait,
            reset,
            bucket,
        };
        Ok(standings.iter().map(standing).collect())
    }
}

/// One ask of a call.
struct Asked<'a> {
    decision: usize,
    ask: &'a Ask,
    cost: u32,
    bucket: u64,
}

fn one_decision(asks: &[Ask], cost: u32) -> Vec<Asked<'_>> {
    asks.iter().map(|ask| Asked { decision: 0, ask, cost, bucket: 0 }).collect()
}

/// Lua counts in doubles: integers are exact below 2^53, which leaves room for the longest window here.
const LAST_MICROSECOND: u64 = 1 << 52;

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Store for RedisStore<C> {
    async fn decide(&self, asks: &[Ask], cost: u32, intent: Intent) -> Result<Vec<Standing>, Error> {
        let verb = match intent {
            Intent::Peek => "peek",
            Intent::Charge => "charge",
        };
        self.call(verb, &one_decision(asks, cost)).await
    }

    async fn decide_all(&self, decisions: &[(Vec<Ask>, u32)]) -> Result<Vec<Vec<Standing>>, Error> {
        let numbered = decisions.iter().enumerate();
        let asked = numbered.flat_map(|(decision, (asks, cost))| {
            asks.iter().map(move |ask| Asked { decision, ask, cost: *cost, bucket: 0 })
        });
        let mut standings = self.call("charge", &asked.collect::<Vec<_>>()).await?.into_iter();
        Ok(decisions.iter().map(|(asks, _)| standings.by_ref().take(asks.len()).collect()).collect())
    }

    async fn release(&self, charges: &[(Ask, u64)], cost: u32) -> Result<(), Error> {
        let asked = charges.iter().map(|(ask, bucket)| Asked { decision: 0, ask, cost, bucket: *bucket });
        self.call("release", &asked.collect::<Vec<_>>()).await.map(drop)
    }

    async fn surcharge(&self, asks: &[Ask], cost: u32) -> Result<(), Error> {
        self.call("surcharge", &one_decision(asks, cost)).await.map(drop)
    }
}

impl<C> fmt::Debug for RedisStore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("skew", &self.skew).finish_non_exhaustive()
    }
}
