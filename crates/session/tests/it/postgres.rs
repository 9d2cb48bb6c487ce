//! What only PostgreSQL has: roles, row-level security and migrations.

use sha2::{Digest as _, Sha384};
use sqlx::{
    Connection, Executor, PgConnection, PgPool, Row,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use stockade_session::{
    ErrorKind, Scope, Store,
    postgres::{MIGRATIONS, PgStore, migrator},
    store::Lookup,
};

use crate::support::*;

/// A member of `stockade_auth` and of nothing else.
const LOGIN: &str = "stockade_session_test";

/// A database with the schema, seen by the superuser and by the login of the store.
pub(crate) struct Database {
    pub(crate) admin: PgPool,
    pub(crate) options: PgConnectOptions,
}

impl Database {
    pub(crate) async fn install(pool: PgPoolOptions, options: PgConnectOptions) -> Self {
        let admin = pool.max_connections(4).connect_with(options.clone()).await.unwrap();
        migrator().run(&admin).await.unwrap();
        // As a hardened schema leaves it: the context of a tenant must not be forged by a function call.
        let harden = "REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean), pg_catalog.pg_notify(text, text) FROM PUBLIC";
        admin.execute(harden).await.unwrap();
        for (role, member_of) in [(LOGIN, Some("stockade_auth")), ("stockade_app", None)] {
            ensure_role(&admin, role, member_of).await;
        }
        Self { admin, options }
    }

    pub(crate) fn pool(&self, connections: u32) -> PgPool {
        PgPoolOptions::new().max_connections(connections).connect_lazy_with(self.options.clone().username(LOGIN))
    }

    pub(crate) fn store(&self) -> PgStore {
        PgStore::new(self.pool(12))
    }
}

/// Roles belong to the cluster, and tests run at the same time.
async fn ensure_role(admin: &PgPool, role: &'static str, member_of: Option<&'static str>) {
    let sql = match (role, member_of) {
        (LOGIN, _) => "CREATE ROLE stockade_session_test LOGIN",
        _ => "CREATE ROLE stockade_app NOLOGIN",
    };
    let exists = "SELECT count(*) FROM pg_roles WHERE rolname = $1";
    if sqlx::query_scalar::<_, i64>(exists).bind(role).fetch_one(admin).await.unwrap() == 0 {
        let _ = admin.execute(sql).await;
    }
    if member_of.is_some() {
        for _ in 0..20 {
            let member = "SELECT pg_has_role('stockade_session_test', 'stockade_auth', 'MEMBER')";
            if sqlx::query_scalar::<_, bool>(member).fetch_one(admin).await.unwrap() {
                return;
            }
            let _ = admin.execute("GRANT stockade_auth TO stockade_session_test").await;
        }
        panic!("the test role could not be granted");
    }
}

#[sqlx::test(migrations = false)]
async fn database_holds_no_token(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let desk = Desk::with_ana(database.store()).await;
    let issued = desk.sign_in().await;
    let desk = desk.add_totp().await;
    let pending = desk.pending().await.token();
    let new = stockade_session::NewApiToken::new(user(), "export", ["loads:read"]);
    let api_token = desk.auth.api_tokens().create(new).await.unwrap().reveal();

    let mut contents = String::new();
    for table in [
        "SELECT t::text FROM stockade.auth_account t",
        "SELECT t::text FROM stockade.auth_attempt t",
        "SELECT t::text FROM stockade.auth_flow t",
        "SELECT t::text FROM stockade.auth_session t",
        "SELECT t::text FROM stockade.auth_version t",
        "SELECT t::text FROM stockade.auth_api_token t",
    ] {
        let rows: Vec<String> = sqlx::query_scalar(table).fetch_all(&database.admin).await.unwrap();
        contents.extend(rows);
    }
    assert!(contents.contains(ANA) && contents.contains("$argon2id$"), "the search works");
    for text in [issued.token().expose(), pending.expose()] {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let bytes = URL_SAFE_NO_PAD.decode(text.as_bytes()).unwrap();
        for (name, value) in [("all", &bytes[..]), ("secret", &bytes[1..])] {
            assert!(!contents.contains(&hex(value)), "{name}");
            assert!(!contents.contains(&hex(&sha2::Sha256::digest(value))), "a bare hash of {name}");
        }
        assert!(!contents.contains(text.as_str()));
    }
    assert!(!contents.contains(PASSWORD));
    assert!(contents.contains("loads:read"));
    let secret = api_token.split_at(api_token.len() - 49).1;
    for (name, value) in
        [("all", api_token.as_str()), ("secret", secret), ("secret without check", secret.split_at(43).0)]
    {
        assert!(!contents.contains(value), "{name}");
        assert!(!contents.contains(&hex(&sha2::Sha256::digest(value))), "a bare hash of {name}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[sqlx::test(migrations = false)]
async fn application_role_reads_nothing(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let desk = Desk::with_ana(database.store()).await;
    desk.sign_in().await;
    let mut connection = database.admin.acquire().await.unwrap();
    connection.execute("SET ROLE stockade_app").await.unwrap();
    for attack in [
        "SELECT * FROM stockade.auth_account",
        "SELECT * FROM stockade.auth_version",
        "SELECT * FROM stockade.auth_totp",
        "SELECT * FROM stockade.auth_attempt",
        "SELECT * FROM stockade.auth_flow",
        "SELECT * FROM stockade.auth_session",
        "SELECT * FROM stockade.auth_api_token",
        "SELECT * FROM stockade.auth_connection",
        "SELECT * FROM stockade.auth_impersonation",
        "SELECT * FROM stockade.auth_impersonation_refusal",
        "SELECT * FROM stockade.auth_refresh",
        "SELECT * FROM stockade.auth_active_account",
        "SELECT * FROM stockade.auth_impersonable",
        "SELECT * FROM stockade.auth_current_impersonation",
        "SELECT stockade.auth_session_by_id('00000000-0000-0000-0000-000000000001', now())",
        "SELECT * FROM stockade.auth_current_session",
        "SELECT * FROM stockade.auth_current_flow",
        "SELECT * FROM stockade.auth_recovery",
        "SELECT * FROM stockade.auth_reset",
        "SELECT * FROM stockade.auth_identifier_change",
        "SELECT * FROM stockade.auth_network",
        "SELECT stockade.auth_sweep_sessions(now(), 1000)",
        "INSERT INTO stockade.auth_version VALUES ('global', '00000000-0000-0000-0000-000000000000', 1)",
        "UPDATE stockade.auth_account SET version = version + 1",
        "DELETE FROM stockade.auth_session",
        "TRUNCATE stockade.auth_session CASCADE",
        "CREATE TABLE stockade.mine ()",
    ] {
        let error = connection.execute(attack).await.unwrap_err();
        let code = error.as_database_error().and_then(|error| error.code());
        assert_eq!(code.as_deref(), Some("42501"), "{attack}");
    }
    let member = "SELECT pg_has_role('stockade_app', 'stockade_auth', 'MEMBER')";
    let member: bool = sqlx::query_scalar(member).fetch_one(&database.admin).await.unwrap();
    assert!(!member);
}

#[sqlx::test(migrations = false)]
async fn revoked_rows_are_frozen(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let desk = Desk::with_ana(database.store()).await;
    let issued = desk.sign_in().await;
    desk.auth.revoke(issued.session().sid).await.unwrap();
    let login = database.pool(1);
    for attack in [
        "UPDATE stockade.auth_session SET revoked_at = NULL",
        "UPDATE stockade.auth_session SET last_seen_at = now(), digest = '\\x0000000000000000000000000000000000000000000000000000000000000000'",
    ] {
        assert_eq!(login.execute(attack).await.unwrap().rows_affected(), 0, "{attack}");
    }
    for attack in [
        "UPDATE stockade.auth_session SET user_id = user_id",
        "UPDATE stockade.auth_session SET user_version = 0",
        "UPDATE stockade.auth_session SET expires_at = 'infinity'",
        "DELETE FROM stockade.auth_session",
        "DELETE FROM stockade.auth_account",
        "ALTER TABLE stockade.auth_session NO FORCE ROW LEVEL SECURITY",
    ] {
        assert!(login.execute(attack).await.is_err(), "{attack}");
    }
    assert!(!desk.is_live(&issued).await);
}

#[sqlx::test(migrations = false)]
async fn versions_never_decrease(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let desk = Desk::with_ana(database.store()).await;
    let issued = desk.sign_in().await;
    // Twice, so that one less is still a version that the tables allow.
    for scope in [Scope::User(user()), Scope::Tenant(tenant()), Scope::Global].repeat(2) {
        desk.auth.revoke_all(scope).await.unwrap();
    }
    let login = database.pool(1);
    for attack in [
        "UPDATE stockade.auth_account SET version = version - 1",
        "UPDATE stockade.auth_version SET version = version - 1",
        "DELETE FROM stockade.auth_version",
    ] {
        assert!(login.execute(attack).await.is_err(), "{attack}");
    }
    assert!(!desk.is_live(&issued).await);
}

/// As the store's role, by hand: what was taken from a token, revoked or ended does not come back.
#[sqlx::test(migrations = false)]
async fn api_tokens_only_narrow(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let desk = Desk::with_ana(database.store()).await;
    let tokens = desk.auth.api_tokens();
    let new = || stockade_session::NewApiToken::new(user(), "export", ["loads:read"]);
    let live = tokens.create(new()).await.unwrap().token().id;
    let revoked = tokens.create(new()).await.unwrap().token().id;
    tokens.revoke(user(), revoked).await.unwrap();
    let login = database.pool(1);
    for attack in [
        "UPDATE stockade.auth_api_token SET scopes = scopes || '{loads:write}'",
        "UPDATE stockade.auth_api_token SET scopes = '{}'",
        "UPDATE stockade.auth_api_token SET expires_at = NULL",
        "UPDATE stockade.auth_api_token SET expires_at = expires_at + interval '1 day'",
        "UPDATE stockade.auth_api_token SET user_id = user_id",
        "UPDATE stockade.auth_api_token SET networks = '{}'",
        "DELETE FROM stockade.auth_api_token",
        "UPDATE stockade.auth_impersonation SET target_id = target_id",
        "UPDATE stockade.auth_impersonation SET expires_at = 'infinity'",
        "DELETE FROM stockade.auth_impersonation",
        "DELETE FROM stockade.auth_refresh",
        "DELETE FROM stockade.auth_connection",
    ] {
        // A statement over no row harms nobody.
        let done = login.execute(attack).await;
        assert!(done.as_ref().is_ok_and(|done| done.rows_affected() == 0) || done.is_err(), "{attack}");
    }
    let back = "UPDATE stockade.auth_api_token SET revoked_at = NULL WHERE revoked_at IS NOT NULL";
    assert_eq!(login.execute(back).await.unwrap().rows_affected(), 0);
    let narrowed = "UPDATE stockade.auth_api_token SET expires_at = expires_at - interval '1 day'";
    assert_eq!(login.execute(narrowed).await.unwrap().rows_affected(), 1, "the role does reach the live one");
    let list = tokens.list(user()).await.unwrap();
    assert_eq!(list.iter().map(|token| (token.id, token.scopes.len())).collect::<Vec<_>>(), [(live, 1)]);
}

#[sqlx::test(migrations = false)]
async fn every_table_is_protected(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let tables = sqlx::query(
        "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS forced, pg_get_userbyid(c.relowner)::text AS owner
         FROM pg_class c WHERE c.relnamespace = 'stockade'::regnamespace AND c.relkind = 'r' AND c.relname LIKE 'auth\\_%'",
    )
    .fetch_all(&database.admin)
    .await
    .unwrap();
    assert_eq!(tables.len(), 15);
    for table in tables {
        assert!(table.get::<bool, _>("forced"), "{}", table.get::<String, _>("relname"));
        assert_eq!(table.get::<String, _>("owner"), "stockade_owner");
    }
    let functions: Vec<(String, Vec<String>, String)> = sqlx::query_as(
        "SELECT proname::text, proconfig, pg_get_userbyid(proowner)::text FROM pg_proc
         WHERE pronamespace = 'stockade'::regnamespace AND proname LIKE 'auth\\_%' AND prosecdef",
    )
    .fetch_all(&database.admin)
    .await
    .unwrap();
    assert!(functions.iter().any(|(name, ..)| name == "auth_resolve"));
    for (name, settings, owner) in functions {
        assert_eq!(
            (settings, &*owner),
            (vec!["search_path=pg_catalog, pg_temp".to_owned()], "stockade_owner"),
            "{name}"
        );
    }
}

/// As with the embedded engine, which has one.
#[sqlx::test(migrations = false)]
async fn one_connection_is_enough(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let desk = Desk::with_ana(PgStore::new(database.pool(1))).await.add_totp().await;
    let stockade_session::TotpStep::Done(flow) = desk.pending().await.verify_totp(&desk.code(0)).await.unwrap() else {
        panic!("refused")
    };
    let issued = desk.auth.issue(flow).await.unwrap();
    desk.advance(chrono::TimeDelta::minutes(2));
    assert!(desk.is_live(&issued).await);
}

#[sqlx::test(migrations = false)]
async fn migration_repeats_and_keeps_its_own_ledger(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    migrator().run(&database.admin).await.unwrap();
    let versions: Vec<i64> = sqlx::query_scalar("SELECT version FROM stockade._session_migrations")
        .fetch_all(&database.admin)
        .await
        .unwrap();
    assert_eq!(versions, MIGRATIONS.iter().map(|(version, ..)| *version).collect::<Vec<_>>());
}

/// A role without superuser rights, but with CREATEROLE and CREATE on the database, can install the schema.
#[sqlx::test(migrations = false)]
async fn migration_needs_no_superuser(pool: PgPoolOptions, options: PgConnectOptions) {
    let admin = pool.max_connections(1).connect_with(options.clone()).await.unwrap();
    let create = "DO $$ BEGIN CREATE ROLE stockade_session_installer LOGIN CREATEROLE;
                  EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
    admin.execute(create).await.unwrap();
    admin
        .execute("DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO stockade_session_installer', current_database()); END $$")
        .await
        .unwrap();
    // From PostgreSQL 16 on, CREATEROLE reaches only the roles that it created, and the other tests create this one too.
    admin
        .execute("DO $$ BEGIN CREATE ROLE stockade_owner NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
        .await
        .unwrap();
    admin
        .execute("DO $$ BEGIN IF current_setting('server_version_num')::int >= 160000 THEN GRANT stockade_owner TO stockade_session_installer; END IF; END $$")
        .await
        .unwrap();
    let mut installer =
        PgConnection::connect_with(&options.clone().username("stockade_session_installer")).await.unwrap();
    migrator().run(&mut installer).await.unwrap();
    ensure_role(&admin, LOGIN, Some("stockade_auth")).await;
    let login = PgPoolOptions::new().max_connections(2).connect_lazy_with(options.username(LOGIN));
    let desk = Desk::with_ana(PgStore::new(login)).await;
    let issued = desk.sign_in().await;
    assert!(desk.is_live(&issued).await);
}

#[sqlx::test(migrations = false)]
async fn store_failures_tell_nothing(pool: PgPoolOptions, options: PgConnectOptions) {
    let empty = PgStore::new(pool.connect_with(options).await.unwrap());
    let error = empty.account(Lookup::Identifier(ANA)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, false));
    assert_eq!(error.to_string(), "the session store failed");
    assert!(std::error::Error::source(&error).is_some());

    let closed = PgPoolOptions::new().connect_lazy("postgres://127.0.0.1:1/none").unwrap();
    closed.close().await;
    assert!(PgStore::new(closed).account(Lookup::Identifier(ANA)).await.unwrap_err().is_retryable());
}

#[test]
fn released_migrations_do_not_change() {
    let sum = |sql: &str| hex(&Sha384::digest(sql)[..16]);
    let sums: Vec<_> = MIGRATIONS.iter().map(|&(version, name, sql)| (version, name, sum(sql))).collect();
    let expected = [
        (1, "session", "847f1ed2dcb44d74b945e5d99083ecbd"),
        (2, "accounts", "daef21ef5413b60ece74c8a6998b6808"),
        (3, "tokens", "11d2ba0cc395c7daaba0c80c3764c216"),
        (4, "application role", "ef22c25d143bd80b80c2e8cac3fca339"),
        (5, "look-up", "ff7fd0dbd1c16745de0bf0294529a893"),
        (6, "sweep", "835edbccced0a1e9067f2db104b59ff4"),
    ];
    assert_eq!(sums, expected.map(|(version, name, sum)| (version, name, sum.to_owned())));
}

/// Below the store, which shows no ended connection whatever its row holds.
#[sqlx::test(migrations = false)]
async fn a_deleted_account_leaves_nothing_sealed_in_the_table(pool: PgPoolOptions, options: PgConnectOptions) {
    use stockade_session::store::{ConnectionRecord, ConnectionStore, PolicyStore, SweepBounds, SweepStore};
    let database = Database::install(pool, options).await;
    let (store, desk) = (database.store(), Desk::with_ana(database.store()).await);
    let record = ConnectionRecord { sealed: b"sealed tokens".to_vec(), ..crate::contract::connection::record(1) };
    assert!(store.insert_connection(&record).await.unwrap());
    let held = async || {
        let sql = "SELECT sealed, ended_at FROM stockade.auth_connection";
        let row: Option<(Vec<u8>, Option<chrono::DateTime<chrono::Utc>>)> =
            sqlx::query_as(sql).fetch_optional(&database.admin).await.unwrap();
        row
    };
    assert_eq!(held().await, Some((b"sealed tokens".to_vec(), None)), "the search works");
    drop(desk);
    assert!(store.delete_account(user(), start()).await.unwrap());
    assert_eq!(held().await, Some((Vec::new(), Some(start()))));
    let after = start() + chrono::TimeDelta::microseconds(1);
    let bounds = SweepBounds { ended_before: after, attempts_before: after, networks_before: after };
    assert_eq!(store.sweep(&bounds, 9).await.unwrap().connections, 1);
    assert_eq!(held().await, None);
}
