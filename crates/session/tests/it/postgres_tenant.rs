//! What the application's own role can do with sessions, and what it cannot.

use sqlx::{
    Executor, PgConnection, PgPool, Row,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use stockade_session::{
    Issued, NewAccount, SecurityEvent, Step, Store, TenantId, UserId,
    postgres::{PgStore, TenantSession, revoke_in_tenant, revoke_tenant, revoke_user_in_tenant, tenant_sessions},
    store::Lookup,
};
use uuid::Uuid;

use crate::{postgres::Database, support::*};

/// A member of `stockade_app` and of nothing else.
const LOGIN: &str = "stockade_session_app_test";

struct Tenants {
    desk: Desk,
    database: Database,
    app: PgPool,
}

fn bo() -> (UserId, TenantId) {
    (Uuid::from_u128(0xB).into(), Uuid::from_u128(0xB0).into())
}

impl Tenants {
    /// Ana in one tenant, Bo in another.
    async fn new(pool: PgPoolOptions, options: PgConnectOptions) -> Self {
        let database = Database::install(pool, options).await;
        let make = "DO $$ BEGIN CREATE ROLE stockade_session_app_test LOGIN;
                    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
        database.admin.execute(make).await.unwrap();
        for _ in 0..20 {
            let member = "SELECT pg_has_role('stockade_session_app_test', 'stockade_app', 'MEMBER')";
            if sqlx::query_scalar(member).fetch_one(&database.admin).await.unwrap() {
                break;
            }
            let _ = database.admin.execute("GRANT stockade_app TO stockade_session_app_test").await;
        }
        let app = PgPoolOptions::new().max_connections(4).connect_lazy_with(database.options.clone().username(LOGIN));
        let desk = Desk::with_ana(database.store()).await;
        let (user, tenant) = bo();
        desk.auth.accounts().create(NewAccount { user, tenant, identifier: "bo" }, PASSWORD.into()).await.unwrap();
        Self { desk, database, app }
    }

    async fn sign_in_bo(&self) -> Issued {
        let Step::Done(flow) = self.desk.password("bo", PASSWORD).await else { panic!("refused") };
        self.desk.auth.issue(flow).await.unwrap()
    }

    async fn within(&self, tenant: TenantId) -> sqlx::Transaction<'static, sqlx::Postgres> {
        let mut tx = self.app.begin().await.unwrap();
        enter(&mut tx, tenant).await;
        tx
    }
}

async fn enter(connection: &mut PgConnection, tenant: TenantId) {
    let set = format!("SET LOCAL stockade.tenant_id = '{tenant}'");
    connection.execute(sqlx::AssertSqlSafe(set)).await.unwrap();
}

fn sids(sessions: &[TenantSession]) -> Vec<stockade_session::SessionId> {
    sessions.iter().map(|session| session.sid).collect()
}

/// The store itself over the application's login: a session is checked and its use recorded, and nothing else goes.
#[sqlx::test(migrations = false)]
async fn application_role_checks_sessions(pool: PgPoolOptions, options: PgConnectOptions) {
    let tenants = Tenants::new(pool, options).await;
    let issued = tenants.desk.sign_in().await;
    let keys = stockade_session::KeyRing::single(1, key(1)).unwrap();
    let app = Desk::at(tenants.desk.clock.clone(), PgStore::new(tenants.app.clone()), keys, |builder| builder);
    tenants.desk.advance(chrono::TimeDelta::minutes(20));
    assert!(app.is_live(&issued).await);
    let recorded = tenants.desk.auth.sessions(user()).await.unwrap()[0].last_seen_at;
    assert_eq!(recorded - start(), chrono::TimeDelta::minutes(20));
    tenants.desk.auth.revoke_all(user()).await.unwrap();
    assert!(!app.is_live(&issued).await);

    let store = PgStore::new(tenants.app.clone());
    assert!(store.account(Lookup::Identifier(ANA)).await.is_err());
    assert!(store.totp(user()).await.is_err());
    assert!(store.sessions(user(), start()).await.is_err());
    assert!(store.revoke(issued.session().sid, start()).await.is_err());
    assert!(store.bump_version(user().into()).await.is_err());
    assert!(store.rotate(&[1; 32].into(), &[2; 32].into(), start()).await.is_err());
}

/// A use that is recorded as another role moves forward only, and not on a revoked session.
#[sqlx::test(migrations = false)]
async fn application_role_ends_nothing_by_recording_a_use(pool: PgPoolOptions, options: PgConnectOptions) {
    let tenants = Tenants::new(pool, options).await;
    let issued = tenants.desk.sign_in().await;
    let back = "SELECT stockade.auth_touch($1, '2000-01-01', 'infinity')";
    let done: bool =
        sqlx::query_scalar(back).bind(issued.session().sid.as_uuid()).fetch_one(&tenants.app).await.unwrap();
    assert!(!done);
    assert!(tenants.desk.is_live(&issued).await);
    tenants.desk.auth.revoke(issued.session().sid).await.unwrap();
    let ahead = "SELECT stockade.auth_touch($1, '2100-01-01', 'infinity')";
    let done: bool =
        sqlx::query_scalar(ahead).bind(issued.session().sid.as_uuid()).fetch_one(&tenants.app).await.unwrap();
    assert!(!done);
}

#[sqlx::test(migrations = false)]
async fn sessions_are_listed_and_ended_within_the_tenant(pool: PgPoolOptions, options: PgConnectOptions) {
    let tenants = Tenants::new(pool, options).await;
    let (a, b, bos) = (tenants.desk.sign_in().await, tenants.desk.sign_in().await, tenants.sign_in_bo().await);
    let (bo, other) = bo();

    let mut tx = tenants.within(tenant()).await;
    let listed = tenant_sessions(&mut *tx, None, start()).await.unwrap();
    let mut expected = vec![a.session().sid, b.session().sid];
    expected.sort();
    expected.reverse();
    assert_eq!(sids(&listed), expected);
    assert_eq!((listed[0].user, listed[0].ip), (user(), client().ip));
    assert_eq!(tenant_sessions(&mut *tx, Some(user()), start()).await.unwrap(), listed);
    assert!(tenant_sessions(&mut *tx, Some(bo), start()).await.unwrap().is_empty());
    let late = start() + chrono::TimeDelta::minutes(30);
    assert!(tenant_sessions(&mut *tx, None, late).await.unwrap().is_empty(), "idle sessions are not live");

    // Another tenant's session, user and nobody's are out of reach.
    assert!(revoke_in_tenant(&mut *tx, bos.session().sid, start()).await.unwrap().is_none());
    assert!(revoke_user_in_tenant(&mut *tx, bo).await.unwrap().is_none());
    assert!(revoke_user_in_tenant(&mut *tx, Uuid::from_u128(0xDEAD).into()).await.unwrap().is_none());

    let event = revoke_in_tenant(&mut *tx, a.session().sid, start()).await.unwrap().unwrap();
    assert!(matches!(event, SecurityEvent::SessionRevoked { sid, user: u, tenant: t, .. }
        if (sid, u, t) == (a.session().sid, user(), tenant())));
    assert!(revoke_in_tenant(&mut *tx, a.session().sid, start()).await.unwrap().is_none(), "once");
    assert!(tenants.desk.is_live(&a).await, "not before the commit");
    tx.commit().await.unwrap();
    assert!(!tenants.desk.is_live(&a).await && tenants.desk.is_live(&b).await && tenants.desk.is_live(&bos).await);

    let mut tx = tenants.within(tenant()).await;
    assert!(revoke_user_in_tenant(&mut *tx, user()).await.unwrap().is_some());
    tx.rollback().await.unwrap();
    assert!(tenants.desk.is_live(&b).await, "a rollback ends nothing");
    let mut tx = tenants.within(tenant()).await;
    assert!(revoke_user_in_tenant(&mut *tx, user()).await.unwrap().is_some());
    tx.commit().await.unwrap();
    assert!(!tenants.desk.is_live(&b).await && tenants.desk.is_live(&bos).await);

    for _ in 0..2 {
        let (later, bos) = (tenants.desk.sign_in().await, tenants.sign_in_bo().await);
        let mut tx = tenants.within(other).await;
        let Some(SecurityEvent::AllRevoked { .. }) = revoke_tenant(&mut *tx).await.unwrap() else {
            panic!("no tenant")
        };
        tx.commit().await.unwrap();
        assert!(tenants.desk.is_live(&later).await && !tenants.desk.is_live(&bos).await);
    }
}

#[sqlx::test(migrations = false)]
async fn outside_a_tenant_there_is_nothing_to_list_or_end(pool: PgPoolOptions, options: PgConnectOptions) {
    let tenants = Tenants::new(pool, options).await;
    let issued = tenants.desk.sign_in().await;
    let app = &tenants.app;
    assert!(tenant_sessions(app, None, start()).await.unwrap().is_empty());
    assert!(revoke_in_tenant(app, issued.session().sid, start()).await.unwrap().is_none());
    assert!(revoke_user_in_tenant(app, user()).await.unwrap().is_none());
    assert!(revoke_tenant(app).await.unwrap().is_none());
    assert!(tenants.desk.is_live(&issued).await);
}

/// A support session that may only read opens its transactions read only; the functions are no way around that.
#[sqlx::test(migrations = false)]
async fn reading_transactions_end_nothing(pool: PgPoolOptions, options: PgConnectOptions) {
    let tenants = Tenants::new(pool, options).await;
    let issued = tenants.desk.sign_in().await;
    let begin = || async {
        let mut tx = tenants.app.begin_with("BEGIN READ ONLY").await.unwrap();
        enter(&mut tx, tenant()).await;
        tx
    };
    assert_eq!(tenant_sessions(&mut *begin().await, None, start()).await.unwrap().len(), 1);
    assert!(revoke_in_tenant(&mut *begin().await, issued.session().sid, start()).await.is_err());
    assert!(revoke_user_in_tenant(&mut *begin().await, user()).await.is_err());
    assert!(revoke_tenant(&mut *begin().await).await.is_err());
    assert!(tenants.desk.is_live(&issued).await);
}

/// Every function that the application's role may call, by what it gives: none has a column of secrets that its caller did not bring.
#[sqlx::test(migrations = false)]
async fn application_role_sees_no_secret(pool: PgPoolOptions, options: PgConnectOptions) {
    let tenants = Tenants::new(pool, options).await;
    tenants.desk.sign_in().await;
    let callable = "SELECT p.proname::text FROM pg_proc p
                    WHERE p.pronamespace = 'stockade'::regnamespace AND p.proname LIKE 'auth\\_%'
                      AND has_function_privilege('stockade_app', p.oid, 'EXECUTE') ORDER BY 1";
    let callable: Vec<String> = sqlx::query_scalar(callable).fetch_all(&tenants.database.admin).await.unwrap();
    assert_eq!(
        callable,
        [
            "auth_look_up",
            "auth_record_use",
            "auth_resolve",
            "auth_tenant_revoke",
            "auth_tenant_revoke_all",
            "auth_tenant_revoke_user",
            "auth_tenant_sessions",
            "auth_touch"
        ]
    );

    let mut tx = tenants.within(tenant()).await;
    let row =
        tx.fetch_one("SELECT * FROM stockade.auth_tenant_sessions(NULL, '2027-01-15 08:00:10Z') s").await.unwrap();
    let columns: Vec<_> = row.columns().iter().map(|column| sqlx::Column::name(column).to_owned()).collect();
    let expected =
        ["sid", "user_id", "assurance", "authenticated_at", "last_seen_at", "expires_at", "ip", "user_agent"];
    assert_eq!(columns, expected);

    // The look-up answers to a whole digest alone.
    for guess in ["NULL", "''", "'\\x00'", "'%'", "(SELECT digest FROM stockade.auth_session LIMIT 1)"] {
        let mut connection = tenants.app.acquire().await.unwrap();
        for attack in [
            format!("SELECT 1 FROM stockade.auth_resolve({guess}, now())"),
            format!("SELECT 1 WHERE stockade.auth_look_up({guess}, now()) IS DISTINCT FROM NULL"),
        ] {
            let found = sqlx::query(sqlx::AssertSqlSafe(attack)).fetch_all(&mut *connection).await;
            assert!(found.map_or(true, |rows| rows.is_empty()), "{guess}");
        }
    }
    // Objects of the attacker's own do not get into the functions.
    let mut tx = tenants.within(bo().1).await;
    tx.execute(
        "CREATE TEMPORARY VIEW current_tenant AS SELECT '00000000-0000-0000-0000-0000000000ac'::uuid AS tenant_id",
    )
    .await
    .unwrap();
    tx.execute("SET LOCAL search_path = pg_temp, stockade").await.unwrap();
    assert!(tenant_sessions(&mut *tx, None, start()).await.unwrap().is_empty());
}

/// What holds as the store's role holds in the functions too, which run as the owner.
#[sqlx::test(migrations = false)]
async fn owner_of_the_functions_revives_nothing(pool: PgPoolOptions, options: PgConnectOptions) {
    let tenants = Tenants::new(pool, options).await;
    let issued = tenants.desk.sign_in().await;
    tenants.desk.auth.revoke(issued.session().sid).await.unwrap();
    tenants.desk.auth.revoke_all(stockade_session::Scope::Global).await.unwrap();
    tenants.desk.auth.revoke_all(tenant()).await.unwrap();
    tenants.desk.auth.revoke_all(user()).await.unwrap();
    let mut connection = tenants.database.admin.acquire().await.unwrap();
    connection.execute("SET ROLE stockade_owner").await.unwrap();
    let revive = "UPDATE stockade.auth_session SET revoked_at = NULL";
    assert_eq!(connection.execute(revive).await.unwrap().rows_affected(), 0);
    let global = "UPDATE stockade.auth_version SET version = version + 1 WHERE scope = 'global'";
    assert_eq!(connection.execute(global).await.unwrap().rows_affected(), 0);
    for lower in [
        "UPDATE stockade.auth_version SET version = version - 1",
        "UPDATE stockade.auth_account SET version = version - 1 WHERE version > 0",
    ] {
        assert!(connection.execute(lower).await.is_err(), "{lower}");
    }
    connection.execute("RESET ROLE").await.unwrap();
    assert!(!tenants.desk.is_live(&issued).await);
}
