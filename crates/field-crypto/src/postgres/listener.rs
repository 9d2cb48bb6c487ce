//! Forgetting keys that another process has changed.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{Executor as _, PgPool};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::vault::Vault;

/// Listens for changes of keys and makes a [`Vault`] forget what they concern, so that a key which was destroyed by one process
/// is not used by another for the rest of its cache lifetime.
///
/// It holds one connection of its pool, and needs the tokio runtime. Any role may listen. What happens while there is no
/// connection is not heard: therefore everything is forgotten when a connection is lost, and again when there is a new one. A
/// connection that has silently died is found within half a minute, by a query that is not answered.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use stockade_field_crypto::{LocalKeyring, Vault, postgres::{KeyListener, PgKeyStore}};
/// # fn start(pool: sqlx::PgPool, vault: Arc<Vault<LocalKeyring, PgKeyStore>>) {
/// let listener = KeyListener::new(pool);
/// tokio::spawn(async move { listener.run(&vault).await });
/// # }
/// ```
#[derive(Debug)]
pub struct KeyListener {
    pool: PgPool,
    listening: AtomicBool,
}

const CHANNEL: &str = "stockade_field_keys";
/// After this long without a notification the connection is tried.
const QUIET: Duration = Duration::from_secs(15);
/// So long an answer may take, a connection too.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl KeyListener {
    /// A listener on a pool that has a connection to spare.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool, listening: AtomicBool::new(false) }
    }

    /// Whether it hears changes now: for a health page.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Acquire)
    }

    /// Listens until it is dropped.
    pub async fn run<K, S>(&self, vault: &Vault<K, S>) -> Infallible {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(mut connection) = self.connect().await {
                // From here on nothing is missed; what was loaded before may be out of date.
                vault.evict_all();
                pause = FIRST_PAUSE;
                let listening = Listening::on(&self.listening);
                while let Some(heard) = hear(&mut connection).await {
                    heard.apply(vault);
                }
                drop(listening);
                vault.evict_all();
            }
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn connect(&self) -> Option<PgListener> {
        let connect = async {
            let mut listener = PgListener::connect_with(&self.pool).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        timeout(PATIENCE, connect).await.ok()?.ok()
    }
}

/// Says that the listener listens, until it is dropped.
struct Listening<'a>(&'a AtomicBool);

impl<'a> Listening<'a> {
    fn on(listening: &'a AtomicBool) -> Self {
        listening.store(true, Ordering::Release);
        Self(listening)
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What was heard.
#[derive(Debug, Eq, PartialEq)]
enum Heard {
    Nothing,
    Tenant(Uuid),
    Subject(Uuid, Uuid),
}

impl Heard {
    /// Of a payload: a tenant, or a tenant and a subject. Anybody who is connected can send something else.
    fn parse(payload: &str) -> Self {
        let mut ids = payload.split(' ').map(str::parse);
        match (ids.next(), ids.next(), ids.next()) {
            (Some(Ok(tenant)), None, None) => Self::Tenant(tenant),
            (Some(Ok(tenant)), Some(Ok(subject)), None) => Self::Subject(tenant, subject),
            _ => Self::Nothing,
        }
    }

    fn apply<K, S>(self, vault: &Vault<K, S>) {
        match self {
            Self::Nothing => {}
            Self::Tenant(tenant) => vault.evict(tenant.into()),
            Self::Subject(tenant, subject) => vault.evict_subject(tenant.into(), subject.into()),
        }
    }
}

/// Waits for a notification; `None` if the connection is lost.
async fn hear(listener: &mut PgListener) -> Option<Heard> {
    match timeout(QUIET, listener.try_recv()).await {
        Ok(received) => received.ok()?.map(|notification| Heard::parse(notification.payload())),
        Err(_) => {
            timeout(PATIENCE, listener.execute("SELECT 1")).await.ok()?.ok()?;
            Some(Heard::Nothing)
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::Heard;

    #[test]
    fn payloads_are_parsed_and_noise_is_ignored() {
        let (tenant, subject) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(Heard::parse(&tenant.to_string()), Heard::Tenant(tenant));
        assert_eq!(Heard::parse(&format!("{tenant} {subject}")), Heard::Subject(tenant, subject));
        for noise in
            ["", " ", "x", "*", &format!("{tenant} x"), &format!("{tenant} "), &format!("{tenant} {subject} x")]
        {
            assert_eq!(Heard::parse(noise), Heard::Nothing, "{noise:?}");
        }
    }
}
