//! An installed desk, and what its audit log says.

use axum::Router;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgPool, postgres::PgPoolOptions};
use stockade::{
    bridge::request::RequestLayer,
    rbac::Policy,
    session::{Auth, ClientInfo, Cookies, KeyRing, Session, Step, postgres::PgStore},
    tenant_guard::TenantDb,
};
use uuid::Uuid;

use crate::{
    app::{self, Perm},
    install::{self, PASSWORD, PEOPLE, TENANTS},
};

/// Acme's load, and Bright's.
pub(crate) const LOADS: [Uuid; 2] = [Uuid::from_u128(0x10ad_0001), Uuid::from_u128(0x10ad_0002)];

pub(crate) struct World {
    /// Past every policy.
    pub(crate) administrator: PgPool,
    pub(crate) requests: PgPool,
    pub(crate) auth: Auth,
    pub(crate) gate: PgPool,
}

/// An entry with its personal values.
#[derive(Debug, FromRow)]
pub(crate) struct Line {
    pub(crate) tenant_id: Uuid,
    pub(crate) severity: i16,
    pub(crate) outcome: String,
    pub(crate) actor_kind: String,
    pub(crate) actor_id: String,
    pub(crate) actor_role: Option<String>,
    pub(crate) on_behalf_of: Option<String>,
    pub(crate) impersonation: Option<String>,
    pub(crate) entity_id: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) occurred_at: Option<DateTime<Utc>>,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
    pub(crate) ip: Option<Vec<u8>>,
    pub(crate) user_agent: Option<Vec<u8>>,
    pub(crate) name: Option<Vec<u8>>,
}

pub(crate) fn keys() -> KeyRing {
    KeyRing::single(1, b"a key of thirty-two random bytes").unwrap()
}

impl World {
    /// Roles belong to the whole server: each test has those of its own name.
    pub(crate) async fn new(administrator: PgPool, test: &str) -> Self {
        let prefix = format!("facade_{test}");
        let mut connection = administrator.acquire().await.unwrap();
        install::install(&mut connection, &prefix).await.unwrap();
        drop(connection);
        let login = |name: &str| {
            let options = administrator.connect_options().as_ref().clone().username(&format!("{prefix}_{name}"));
            PgPoolOptions::new().max_connections(4).connect_lazy_with(options)
        };
        let (requests, gate) = (login("app"), login("gate"));
        let auth = Auth::builder(PgStore::new(gate.clone()), keys()).build().unwrap();
        install::people(&auth, &administrator.connect_options()).await.unwrap();
        for (tenant, load) in TENANTS.into_iter().zip(LOADS) {
            sqlx::query("INSERT INTO desk.loads VALUES ($1, $2, 'L-1', 100000)")
                .bind(tenant)
                .bind(load)
                .execute(&administrator)
                .await
                .unwrap();
        }
        Self { administrator, requests, auth, gate }
    }

    /// The example behind the proxies of 10.0.0.0/8.
    pub(crate) fn router(&self) -> Router {
        app::router(self.requests.clone(), self.gate.clone(), keys(), &["10.0.0.0/8"]).unwrap()
    }

    /// The example's layer, for routes of a test's own.
    pub(crate) fn layer(&self) -> RequestLayer<Perm> {
        let tenants = TenantDb::new(self.requests.clone());
        RequestLayer::new(self.auth.clone(), Cookies::host(), tenants, self.policy())
    }

    pub(crate) fn policy(&self) -> Policy<Perm> {
        Policy::compile(app::POLICY).unwrap()
    }

    /// A session of the `person`th of the example's people.
    pub(crate) async fn session(&self, person: usize) -> Session {
        let client = ClientInfo { ip: [203, 0, 113, 7].into(), user_agent: None };
        let flow = self.auth.begin(PEOPLE[person].0, &client).await.unwrap();
        let Step::Done(flow) = flow.verify_password(PASSWORD.into()).await.unwrap() else { panic!("refused") };
        self.auth.issue(flow).await.unwrap().session().clone()
    }

    pub(crate) async fn rate(&self, load: Uuid) -> i64 {
        let rate = "SELECT rate_cents FROM desk.loads WHERE id = $1";
        sqlx::query_scalar(rate).bind(load).fetch_one(&self.administrator).await.unwrap()
    }

    /// The entries of an action, the oldest first.
    pub(crate) async fn log(&self, action: &str) -> Vec<Line> {
        let all = "SELECT e.*, p.field_values[array_position(e.personal_paths, 'request/ip')] AS ip,
                          p.field_values[array_position(e.personal_paths, 'request/user_agent')] AS user_agent,
                          p.field_values[array_position(e.personal_paths, 'actor/name')] AS name
            FROM stockade.audit_entry e LEFT JOIN stockade.audit_payload p USING (entry_id)
            WHERE e.action = $1 ORDER BY e.entry_id";
        sqlx::query_as(all).bind(action).fetch_all(&self.administrator).await.unwrap()
    }

    /// Does something to the authority of somebody, as the administrator.
    pub(crate) async fn run(&self, sql: &'static str, person: Uuid) {
        sqlx::query(sql).bind(person).execute(&self.administrator).await.unwrap();
    }
}
