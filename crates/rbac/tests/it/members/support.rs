//! A brokerage with people in it, and the ways into its database.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Transaction};
use stockade_rbac::postgres::{self, Answer, Granting, Loaded, Members, Refused};
use stockade_rbac::{Actor, Direct, Policy, Reason};
use uuid::Uuid;

stockade_rbac::permissions! {
    /// What a person at the desk may do.
    pub enum Perm {
        View   = "load.view":   Read,  up to Platform;
        Edit   = "load.edit":   Write, up to Tenant;
        Post   = "ledger.post": Write, up to Tenant, audit;
        Close  = "ledger.close": Write, up to Tenant, audit, mfa;
        Manage = "user.manage": Write, up to Tenant;
    }
}

pub(crate) const POLICY: &str = r#"
    [[role]]
    name = "viewer"
    grants.own = ["load.view"]

    [[role]]
    name = "dispatcher"
    inherits = ["viewer"]
    grants.team = ["load.edit"]
    grants.office = ["load.view"]

    [[role]]
    name = "accountant"
    grants.tenant = ["ledger.post"]

    [[role]]
    name = "admin"
    inherits = ["dispatcher"]
    grants.tenant = ["load.view", "load.edit", "user.manage"]

    [[role]]
    name = "owner"
    owner = true
    inherits = ["admin", "accountant"]
    grants.tenant = ["ledger.close"]

    [[role]]
    name = "auditor"
    grants.tenant = ["load.view"]

    [[separation]]
    name = "post-and-audit"
    kind = "static"
    roles = ["accountant", "auditor"]

    [[role]]
    name = "support"
    staff = true
    grants.platform = ["load.view"]
"#;

pub(crate) fn policy() -> Policy<Perm> {
    Policy::compile(POLICY).unwrap()
}

/// A login of the application: `stockade_app` and nothing else.
const LOGIN: &str = "
DO $$ BEGIN
    CREATE ROLE stockade_rbac_test_app LOGIN IN ROLE stockade_app;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;";

/// A database with the tables, a pool of the superuser and one of the application.
pub(crate) struct Database {
    pub(crate) superuser: PgPool,
    pub(crate) app: PgPool,
    pub(crate) tenant: Uuid,
}

impl Database {
    pub(crate) async fn install(pool: PgPoolOptions, login: PgConnectOptions) -> Self {
        let superuser = pool.connect_with(login.clone()).await.unwrap();
        postgres::migrator().run(&superuser).await.unwrap();
        sqlx::raw_sql(LOGIN).execute(&superuser).await.unwrap();
        let ownerless = postgres::sync(&mut *superuser.acquire().await.unwrap(), &policy()).await.unwrap();
        assert_eq!(ownerless, []);
        let app = PgPoolOptions::new().max_connections(16).connect_lazy_with(login.username("stockade_rbac_test_app"));
        Self { superuser, app, tenant: Uuid::now_v7() }
    }

    /// The database of a tenant with an owner.
    pub(crate) async fn founded(pool: PgPoolOptions, login: PgConnectOptions) -> (Self, Uuid) {
        let database = Self::install(pool, login).await;
        let owner = Uuid::now_v7();
        let mut tx = database.begin().await;
        let _ = database.members().found(&mut *tx, owner, "owner", why()).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        (database, owner)
    }

    pub(crate) fn members(&self) -> Members<Perm> {
        Members::new(&policy(), Perm::Manage)
    }

    /// The person as an actor with a second factor.
    pub(crate) async fn actor(&self, user: Uuid) -> Actor<Perm, Direct> {
        self.load(&policy(), user).await.unwrap().actor().multi_factor().build()
    }

    /// Does something as a person, and commits it.
    pub(crate) async fn as_person<T>(
        &self,
        user: Uuid,
        work: impl AsyncFnOnce(Granting<'_, Perm, PgConnection>) -> Answer<T>,
    ) -> Result<T, Refused> {
        let (actor, members) = (self.actor(user).await, self.members());
        let mut tx = self.begin().await;
        let done = work(members.by(&actor, &mut *tx)).await.unwrap();
        tx.commit().await.unwrap();
        done
    }

    /// A transaction of the application in the tenant.
    pub(crate) async fn begin(&self) -> Transaction<'static, Postgres> {
        self.begin_in(self.tenant).await
    }

    pub(crate) async fn begin_in(&self, tenant: Uuid) -> Transaction<'static, Postgres> {
        let mut tx = self.app.begin().await.unwrap();
        enter(&mut tx, tenant).await;
        tx
    }

    /// Runs a statement of the application, with what it names, and commits.
    pub(crate) async fn run(&self, sql: &'static str, ids: &[Uuid]) -> sqlx::Result<u64> {
        let mut tx = self.begin().await;
        let query = ids.iter().fold(sqlx::query(sql), |query, id| query.bind(*id));
        let done = query.execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    /// A member with a role, put there by hand.
    pub(crate) async fn person(&self, role: &str) -> Uuid {
        let user = Uuid::now_v7();
        let mut tx = self.begin().await;
        add(&mut tx, self.tenant, user, &[role]).await;
        tx.commit().await.unwrap();
        user
    }

    pub(crate) async fn load(&self, policy: &Policy<Perm>, user: Uuid) -> Option<Loaded<Perm>> {
        postgres::load(&mut *self.begin().await, policy, user).await.unwrap()
    }
}

pub(crate) fn why() -> Reason {
    Reason::new("ticket 4711").unwrap()
}

pub(crate) async fn enter(connection: &mut PgConnection, tenant: Uuid) {
    let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)").bind(tenant.to_string());
    context.execute(connection).await.unwrap();
}

pub(crate) async fn connect(pool: &PgPool) -> PgConnection {
    PgConnection::connect_with(pool.connect_options().as_ref()).await.unwrap()
}

pub(crate) async fn connect_as(pool: &PgPool, role: &str) -> PgConnection {
    PgConnection::connect_with(&pool.connect_options().as_ref().clone().username(role)).await.unwrap()
}

/// What the functions of the crate would write, without asking.
pub(crate) async fn add(connection: &mut PgConnection, tenant: Uuid, user: Uuid, roles: &[&str]) {
    let tenants = "INSERT INTO stockade.rbac_tenant (tenant_id) VALUES ($1) ON CONFLICT DO NOTHING";
    sqlx::query(tenants).bind(tenant).execute(&mut *connection).await.unwrap();
    let member = "INSERT INTO stockade.rbac_member (tenant_id, user_id) VALUES ($1, $2)";
    sqlx::query(member).bind(tenant).bind(user).execute(&mut *connection).await.unwrap();
    let assignment = "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason)
        SELECT $1, $2, role, $2, 'first day' FROM unnest($3::text[]) AS role";
    sqlx::query(assignment).bind(tenant).bind(user).bind(roles).execute(connection).await.unwrap();
}

pub(crate) fn sqlstate<T: std::fmt::Debug>(result: Result<T, sqlx::Error>) -> String {
    result.unwrap_err().into_database_error().unwrap().code().unwrap().into_owned()
}

/// How often a race is run; the environment can say otherwise.
pub(crate) fn rounds(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}
