//! What a request does about its session.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, query, query_as, query_scalar};
use stockade_session::{Auth, SessionToken, Store, postgres::PgStore, redis::CachedStore, store::Digest};
use uuid::Uuid;

const BARE: &str = "SELECT user_id, expires_at FROM bare WHERE id = $1";
const RECORD: &str = "UPDATE stockade.auth_session SET last_seen_at = $2 WHERE sid = $1";
const LOGIN_SESSION: &str = "SELECT data FROM login_session WHERE id = $1 AND expiry_date > $2";
const LOGIN_USER: &str = "SELECT id, name, password_hash FROM login_user WHERE id = $1";
const LOGIN_SAVE: &str = "INSERT INTO login_session (id, data, expiry_date) VALUES ($1, $2, $3)
    ON CONFLICT (id) DO UPDATE SET data = excluded.data, expiry_date = excluded.expiry_date";

/// What a request does about its session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Request {
    /// Two columns of a table by its primary key.
    Bare,
    /// The store's look-up alone.
    Resolve,
    /// The look-up through the cache in Redis.
    Cached,
    /// `Auth::resolve`: the token's digest, the look-up, and a recorded use at most once a minute.
    Check,
    /// The look-up and the store's record of the use, each time.
    TouchEach,
    /// The look-up and a plain `UPDATE`, each time: what is usually written.
    RecordEach,
    /// axum-login's shape: the session by its identifier, then the user.
    TwoQueries,
    /// The same, and tower-sessions' save with `always_save`.
    SaveEach,
}

impl Request {
    /// As `bars.toml` has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare primary-key select",
            Self::Resolve => "look-up",
            Self::Cached => "look-up from Redis",
            Self::Check => "check",
            Self::TouchEach => "the store's own record each time",
            Self::RecordEach => "an UPDATE each time",
            Self::TwoQueries => "axum-login's two statements",
            Self::SaveEach => "tower-sessions' save each time",
        }
    }
}

pub(crate) const REQUESTS: [Request; 8] = [
    Request::Bare,
    Request::Resolve,
    Request::Cached,
    Request::Check,
    Request::TouchEach,
    Request::RecordEach,
    Request::TwoQueries,
    Request::SaveEach,
];

/// One session in use.
pub(crate) struct InUse {
    pub(crate) token: SessionToken,
    pub(crate) digest: Digest,
    pub(crate) sid: Uuid,
    pub(crate) user: Uuid,
}

pub(crate) struct Desk {
    pub(crate) pool: PgPool,
    pub(crate) store: PgStore,
    pub(crate) cached: CachedStore<PgStore, redis::aio::MultiplexedConnection>,
    pub(crate) auth: Auth,
    pub(crate) sessions: Vec<InUse>,
}

impl Desk {
    pub(crate) async fn request(&self, request: Request, number: usize) {
        let at = number.wrapping_mul(2_654_435_761) % self.sessions.len();
        let session = self.sessions.get(at).expect("in range");
        let (pool, now) = (&self.pool, Utc::now());
        match request {
            Request::Bare => {
                let row: (Uuid, DateTime<Utc>) = query_as(BARE).bind(session.sid).fetch_one(pool).await.expect("a row");
                assert!(row.1 > now, "expired");
            }
            Request::Resolve => self.resolve(session, now).await,
            Request::Cached => {
                self.cached.resolve(&session.digest, now).await.expect("an answer").expect("a session");
            }
            Request::Check => drop(self.auth.resolve(&session.token).await.expect("an answer").expect("a session")),
            Request::TouchEach => {
                self.resolve(session, now).await;
                self.store.touch(session.sid.into(), now, now).await.expect("an answer");
            }
            Request::RecordEach => {
                self.resolve(session, now).await;
                query(RECORD).bind(session.sid).bind(now).execute(pool).await.expect("a row");
            }
            Request::TwoQueries => self.two_queries(session, now).await,
            Request::SaveEach => {
                self.two_queries(session, now).await;
                let expires = now + chrono::TimeDelta::days(14);
                let (id, data) = (session.sid.to_string(), vec![7_u8; 64]);
                query(LOGIN_SAVE).bind(id).bind(data).bind(expires).execute(pool).await.expect("a row");
            }
        }
    }

    async fn resolve(&self, session: &InUse, now: DateTime<Utc>) {
        self.store.resolve(&session.digest, now).await.expect("an answer").expect("a session");
    }

    async fn two_queries(&self, session: &InUse, now: DateTime<Utc>) {
        let id = session.sid.to_string();
        let data: Vec<u8> = query_scalar(LOGIN_SESSION).bind(id).bind(now).fetch_one(&self.pool).await.expect("a row");
        let user: (Uuid, String, String) =
            query_as(LOGIN_USER).bind(session.user).fetch_one(&self.pool).await.expect("a row");
        assert!(data.len() == 64 && user.0 == session.user, "the session and its user");
    }
}
