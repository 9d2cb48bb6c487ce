//! What only SQLite has: a file, one writer at a time, and triggers.

use std::time::Duration;

use chrono::TimeDelta;
use sha2::{Digest as _, Sha384};
use sqlx::{Executor, SqlitePool, sqlite::SqlitePoolOptions, sqlite::SqliteSynchronous};
use stockade_session::{
    ErrorKind, LockoutPolicy, Scope, Store,
    sqlite::{MIGRATIONS, SqliteStore, migrator, options},
    store::{Lookup, Reservation},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::*;

/// A file with the schema, removed when dropped.
pub(crate) struct File(TempDir);

impl File {
    pub(crate) async fn new() -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        migrator().run(&file.pool(1)).await.unwrap();
        file
    }

    /// The tests crash processes, not machines.
    pub(crate) fn pool(&self, connections: u32) -> SqlitePool {
        let options = options(self.0.path().join("app.db")).synchronous(SqliteSynchronous::Normal);
        let options = options.busy_timeout(Duration::from_secs(60));
        // Nothing comes of age here, and the task of sqlx 0.9.0 that looks for it may never end (its issue 3645).
        let pool = SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None);
        pool.max_connections(connections).connect_lazy_with(options)
    }

    pub(crate) fn store(&self) -> SqliteStore {
        SqliteStore::new(self.pool(4))
    }

    /// Everything that is on the disk.
    fn contents(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.0.path()).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }
}

fn holds(contents: &[u8], wanted: &[u8]) -> bool {
    contents.windows(wanted.len()).any(|part| part == wanted)
}

#[tokio::test]
async fn file_holds_no_token() {
    let file = File::new().await;
    let desk = Desk::with_ana(file.store()).await;
    let issued = desk.sign_in().await;
    let desk = desk.add_totp().await;
    let pending = desk.pending().await.token();

    let contents = file.contents();
    assert!(holds(&contents, ANA.as_bytes()) && holds(&contents, b"$argon2id$"), "the search works");
    for text in [issued.token().expose(), pending.expose()] {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let bytes = URL_SAFE_NO_PAD.decode(text.as_bytes()).unwrap();
        for (name, value) in [("all", &bytes[..]), ("secret", &bytes[1..])] {
            assert!(!holds(&contents, value), "{name}");
            assert!(!holds(&contents, &sha2::Sha256::digest(value)), "a bare hash of {name}");
        }
        assert!(!holds(&contents, text.as_bytes()));
    }
    assert!(!holds(&contents, PASSWORD.as_bytes()));
}

/// The columns of a session that are copied as they are, behind `sid` and `digest`.
macro_rules! copied {
    () => {
        "user_id, tenant_id, user_version, tenant_version, global_version, assurance, authenticated_at, last_seen_at, idle_seconds, \
         expires_at, ip, user_agent"
    };
}

/// A copy of the sessions with another `sid`, `digest` and `revoked_at`.
macro_rules! copy {
    ($insert:literal, $sid:literal, $digest:literal, $revoked_at:literal) => {
        concat!(
            $insert,
            " INTO stockade_auth_session (sid, digest, ",
            copied!(),
            ", revoked_at) SELECT ",
            $sid,
            ", ",
            $digest,
            ", ",
            copied!(),
            ", ",
            $revoked_at,
            " FROM stockade_auth_session"
        )
    };
}

/// What would bring a session back, or give it to somebody else.
const REVIVALS: [&str; 8] = [
    "UPDATE stockade_auth_session SET revoked_at = NULL",
    "UPDATE stockade_auth_session SET last_seen_at = last_seen_at + 1",
    "UPDATE OR REPLACE stockade_auth_session SET expires_at = expires_at + 1",
    "UPDATE stockade_auth_session SET user_id = x'0000000000000000000000000000000b'",
    "UPDATE stockade_auth_session SET user_version = 1, tenant_version = 1, global_version = 1",
    copy!("INSERT OR REPLACE", "sid", "digest", "NULL"),
    copy!("INSERT OR REPLACE", "x'000000000000000000000000000000ff'", "digest", "NULL"),
    copy!("INSERT", "x'000000000000000000000000000000ff'", "randomblob(32)", "1"),
];

#[tokio::test]
async fn revoked_rows_are_frozen() {
    let file = File::new().await;
    let desk = Desk::with_ana(file.store()).await;
    let issued = desk.sign_in().await;
    desk.auth.revoke(issued.session().sid).await.unwrap();
    let pool = file.pool(1);
    for attack in REVIVALS {
        let error = pool.execute(attack).await.unwrap_err();
        let refused = ["the session cannot change like this", "the session exists"];
        assert!(refused.iter().any(|refused| error.to_string().contains(refused)), "{attack}: {error}");
    }
    assert!(!desk.is_live(&issued).await);

    // The control: without the trigger the first one works.
    pool.execute("DROP TRIGGER stockade_auth_session_updates").await.unwrap();
    pool.execute(REVIVALS[0]).await.unwrap();
    assert!(desk.is_live(&issued).await);
}

#[tokio::test]
async fn live_rows_change_only_in_token_use_and_end() {
    let file = File::new().await;
    let desk = Desk::with_ana(file.store()).await;
    desk.sign_in().await;
    let pool = file.pool(1);
    for attack in [
        "UPDATE stockade_auth_session SET expires_at = expires_at + 1",
        "UPDATE stockade_auth_session SET idle_seconds = 2147483647",
        "UPDATE stockade_auth_session SET assurance = 'password+totp'",
        "UPDATE stockade_auth_session SET tenant_id = x'0000000000000000000000000000000b'",
        "UPDATE stockade_auth_session SET user_version = 1",
    ] {
        let error = pool.execute(attack).await.unwrap_err();
        assert!(error.to_string().contains("the session cannot change like this"), "{attack}: {error}");
    }
}

#[tokio::test]
async fn versions_never_decrease() {
    let file = File::new().await;
    let desk = Desk::with_ana(file.store()).await;
    let issued = desk.sign_in().await;
    for scope in [Scope::User(user()), Scope::Tenant(tenant()), Scope::Global].repeat(2) {
        desk.auth.revoke_all(scope).await.unwrap();
    }
    let pool = file.pool(1);
    for attack in [
        "UPDATE stockade_auth_account SET version = version - 1",
        "UPDATE stockade_auth_version SET version = version - 1",
        "UPDATE stockade_auth_version SET id = x'0000000000000000000000000000000b'",
        "INSERT OR REPLACE INTO stockade_auth_version SELECT scope, id, 1 FROM stockade_auth_version",
        "DELETE FROM stockade_auth_version",
    ] {
        let error = pool.execute(attack).await.unwrap_err();
        assert!(error.to_string().contains("a session version never decreases"), "{attack}: {error}");
    }
    let replaced =
        "INSERT OR REPLACE INTO stockade_auth_account (user_id, tenant_id, identifier, password_hash, version)
                    SELECT user_id, tenant_id, identifier, password_hash, 0 FROM stockade_auth_account";
    assert_eq!(pool.execute(replaced).await.unwrap().rows_affected(), 0);
    let versions = file.store().account(Lookup::User(user())).await.unwrap().unwrap().versions;
    assert_eq!((versions.user, versions.tenant, versions.global), (2, 2, 2));
    assert!(!desk.is_live(&issued).await);
}

/// Two stores that do not share a queue, as in two processes: SQLite's own lock decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_the_file() {
    let file = File::new().await;
    let stores = [file.store(), file.store()];
    for bucket in 0..10_u8 {
        let mut tasks = JoinSet::new();
        for guess in 0..64 {
            let store = stores[guess % 2].clone();
            tasks.spawn(async move {
                let policy = LockoutPolicy::default();
                store.reserve_attempt(&[bucket; 32].into(), &policy, start()).await.unwrap() != Reservation::Locked
            });
        }
        assert_eq!(tasks.join_all().await.into_iter().filter(|granted| *granted).count(), 5);
    }
}

/// Readers go on while somebody else writes; a writer gives up after the busy timeout and says that it may try again.
#[tokio::test]
async fn busy_file_is_retryable_and_read_meanwhile() {
    let file = File::new().await;
    let desk = Desk::with_ana(file.store()).await;
    let issued = desk.sign_in().await;
    let other = file.pool(1).begin_with("BEGIN IMMEDIATE").await.unwrap();

    let impatient = options(file.0.path().join("app.db")).busy_timeout(Duration::from_millis(1));
    let store = SqliteStore::new(SqlitePoolOptions::new().connect_lazy_with(impatient));
    let error = store.revoke(issued.session().sid, start()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, true));
    assert_eq!(error.to_string(), "the session store is not available");
    assert!(desk.is_live(&issued).await);

    other.rollback().await.unwrap();
    assert!(store.revoke(issued.session().sid, start()).await.unwrap().is_some());
}

#[tokio::test]
async fn one_connection_is_enough() {
    let file = File::new().await;
    let desk = Desk::with_ana(SqliteStore::new(file.pool(1))).await.add_totp().await;
    let stockade_session::TotpStep::Done(flow) = desk.pending().await.verify_totp(&desk.code(0)).await.unwrap() else {
        panic!("refused")
    };
    let issued = desk.auth.issue(flow).await.unwrap();
    desk.advance(TimeDelta::minutes(2));
    assert!(desk.is_live(&issued).await);
}

#[tokio::test]
async fn options_make_a_revocation_final() {
    let folder = tempfile::tempdir().unwrap();
    let pool = SqlitePoolOptions::new().connect_lazy_with(options(folder.path().join("app.db")));
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&pool).await.unwrap();
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&pool).await.unwrap();
    let foreign_keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&pool).await.unwrap();
    assert_eq!((&*journal, synchronous, foreign_keys), ("wal", 2, 1));
}

#[tokio::test]
async fn what_belongs_to_an_account_goes_with_it() {
    let file = File::new().await;
    let desk = Desk::with_ana(file.store()).await;
    let issued = desk.sign_in().await;
    file.pool(1).execute("DELETE FROM stockade_auth_account").await.unwrap();
    assert!(!desk.is_live(&issued).await);
    let desk = desk.add_ana().await;
    assert!(!desk.is_live(&issued).await, "the next account of the same user begins with nothing");
}

#[tokio::test]
async fn store_failures_tell_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let empty = SqliteStore::new(SqlitePoolOptions::new().connect_lazy_with(options(folder.path().join("app.db"))));
    let error = empty.account(Lookup::Identifier(ANA)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, false));
    assert_eq!(error.to_string(), "the session store failed");
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn migration_repeats_and_keeps_its_own_ledger() {
    let file = File::new().await;
    let pool = file.pool(1);
    migrator().run(&pool).await.unwrap();
    let versions: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM _stockade_session_migrations").fetch_all(&pool).await.unwrap();
    assert_eq!(versions, MIGRATIONS.iter().map(|(version, ..)| *version).collect::<Vec<_>>());
}

#[test]
fn released_migrations_do_not_change() {
    let sum = |sql: &str| Sha384::digest(sql)[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let sums: Vec<_> = MIGRATIONS.iter().map(|&(version, name, sql)| (version, name, sum(sql))).collect();
    let expected = [
        (1, "session", "924cfad7da46daa213afc298d2562d21"),
        (2, "accounts", "9a62fa44430d494bec94cf0b1181923f"),
        (3, "tokens", "fb999efe6f80c152fbadcbb56e623fcb"),
        (4, "sweep", "00defa3ed6500b347036f1de697bc0e9"),
    ];
    assert_eq!(sums, expected.map(|(version, name, sum)| (version, name, sum.to_owned())));
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_sealed_in_the_table() {
    let file = File::new().await;
    let (store, pool) = (file.store(), file.pool(1));
    let desk = Desk::with_ana(store.clone()).await;
    let record = stockade_session::store::ConnectionRecord {
        sealed: b"sealed tokens".to_vec(),
        ..crate::contract::connection::record(1)
    };
    use stockade_session::store::ConnectionStore;
    assert!(store.insert_connection(&record).await.unwrap());
    let held = async || {
        let held: Vec<u8> =
            sqlx::query_scalar("SELECT sealed FROM stockade_auth_connection").fetch_one(&pool).await.unwrap();
        held
    };
    assert_eq!(held().await, b"sealed tokens", "the search works");
    desk.auth.accounts().delete(user()).await.unwrap();
    assert!(held().await.is_empty());
}
