//! Processes that hear of each other's changes.

mod elsewhere;

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use stockade_field_crypto::postgres::{KeyListener, ShredTarget};
use stockade_field_crypto::{OpenError, SubjectId, TenantId};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::shredding::MONTH;
use super::shredding::desk::{Desk, PgVault, report, request};

/// Long enough for any machine: what is waited for comes, or the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process with a cache that lives for ever, as far as the test is concerned.
struct Process {
    vault: Arc<PgVault>,
    listener: Arc<KeyListener>,
    task: JoinHandle<()>,
}

impl Process {
    fn start(desk: &Desk, options: &PgConnectOptions) -> Self {
        let vault = Arc::new(desk.another_vault());
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_millis(300))
            .connect_lazy_with(options.clone().application_name("listener"));
        let listener = Arc::new(KeyListener::new(pool));
        let (heard, forgets) = (Arc::clone(&listener), Arc::clone(&vault));
        let task = tokio::spawn(async move {
            heard.run(&forgets).await;
        });
        Self { vault, listener, task }
    }

    async fn listens(&self, expected: bool) {
        until(async || self.listener.is_listening() == expected).await;
    }

    /// Opens with what the process has in its cache.
    async fn open(&self, desk: &Desk, tenant: TenantId, subject: SubjectId, row: Uuid) -> Result<String, OpenError> {
        let keys = self.vault.subject(tenant, subject).await.unwrap();
        keys.open(&row, &desk.stored(row).await).map(|name| name.expose().clone())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn until(condition: impl AsyncFn() -> bool) {
    timeout(PATIENCE, async {
        while !condition().await {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

#[sqlx::test(migrations = false)]
async fn two_processes_hear_of_a_shred(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options.clone()).await;
    let tenant = desk.tenant().await;
    let (ada, ada_row) = desk.patient(tenant, "Ada").await;
    let (ben, ben_row) = desk.patient(tenant, "Ben").await;
    let processes = [Process::start(&desk, &options), Process::start(&desk, &options)];
    // The control: it has a cache and no listener.
    let deaf = desk.another_vault();
    deaf.subject(tenant, ada).await.unwrap();
    for process in &processes {
        process.listens(true).await;
        assert_eq!(process.open(&desk, tenant, ada, ada_row).await.as_deref(), Ok("Ada"));
        assert_eq!(process.open(&desk, tenant, ben, ben_row).await.as_deref(), Ok("Ben"));
    }
    let shred = desk.planner.schedule(&request(ShredTarget::Subject(tenant, ada))).await.unwrap();
    report(desk.shredder.execute(shred.id, "job", &desk.columns(), MONTH).await.unwrap());
    for process in &processes {
        until(async || process.open(&desk, tenant, ada, ada_row).await == Err(OpenError::Destroyed)).await;
    }
    let keys = deaf.subject(tenant, ada).await.unwrap();
    assert_eq!(keys.open(&ada_row, &desk.stored(ada_row).await).unwrap().expose(), "Ada");

    let shred = desk.planner.schedule(&request(ShredTarget::Tenant(tenant))).await.unwrap();
    report(desk.shredder.execute(shred.id, "job", &desk.columns(), MONTH).await.unwrap());
    for process in &processes {
        until(async || process.open(&desk, tenant, ben, ben_row).await == Err(OpenError::Destroyed)).await;
    }
}

/// Lets the database take new connections, or not.
async fn connections(options: &PgConnectOptions, allowed: &str) {
    let database = options.get_database().unwrap();
    let mut elsewhere = PgConnection::connect_with(&options.clone().database("postgres")).await.unwrap();
    let statement = format!("ALTER DATABASE \"{database}\" ALLOW_CONNECTIONS {allowed}");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut elsewhere).await.unwrap();
}

/// What happens while the connection is lost is not heard: it must be forgotten all the same.
#[sqlx::test(migrations = false)]
async fn a_lost_connection_forgets_everything(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options.clone()).await;
    let tenant = desk.tenant().await;
    let (ada, row) = desk.patient(tenant, "Ada").await;
    let process = Process::start(&desk, &options);
    process.listens(true).await;
    assert_eq!(process.open(&desk, tenant, ada, row).await.as_deref(), Ok("Ada"));
    // Without the trigger nobody tells, so that only the loss of the connection can make it known.
    sqlx::raw_sql(
        "ALTER TABLE stockade.field_subject_keys DISABLE TRIGGER ALL;
         UPDATE stockade.field_subject_keys SET state = 'destroyed', wrapped = NULL;
         ALTER TABLE stockade.field_subject_keys ENABLE TRIGGER ALL",
    )
    .execute(&desk.superuser)
    .await
    .unwrap();
    assert_eq!(process.open(&desk, tenant, ada, row).await.as_deref(), Ok("Ada"), "still in the cache");
    // Nobody gets a new connection, so that it is the loss and not the return that is seen.
    connections(&options, "false").await;
    let killed: i64 = sqlx::query_scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'listener'",
    )
    .fetch_one(&desk.superuser)
    .await
    .unwrap();
    assert_eq!(killed, 1);
    until(async || process.open(&desk, tenant, ada, row).await == Err(OpenError::Destroyed)).await;
    assert!(!process.listener.is_listening());
    // It listens again, and hears.
    connections(&options, "true").await;
    process.listens(true).await;
    let (ben, row) = desk.patient(tenant, "Ben").await;
    assert_eq!(process.open(&desk, tenant, ben, row).await.as_deref(), Ok("Ben"));
    let shred = desk.planner.schedule(&request(ShredTarget::Subject(tenant, ben))).await.unwrap();
    report(desk.shredder.execute(shred.id, "job", &desk.columns(), MONTH).await.unwrap());
    until(async || process.open(&desk, tenant, ben, row).await == Err(OpenError::Destroyed)).await;
}

/// Counting messages and rewrapping tell nobody: a NOTIFY takes a lock of the whole server at commit.
#[sqlx::test(migrations = false)]
async fn only_changes_of_keys_are_told(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options.clone()).await;
    let mut listener = sqlx::postgres::PgListener::connect_with(&desk.superuser).await.unwrap();
    listener.listen("stockade_field_keys").await.unwrap();
    let tenant = desk.tenant().await;
    let (ada, row) = desk.patient(tenant, "Ada").await;
    let keys = desk.vault.tenant(tenant).await.unwrap();
    keys.seal::<crate::support::DriverSsn>(&row, &crate::support::secret("078-05-1120")).unwrap();
    desk.vault.record_messages().await.unwrap();
    sqlx::query("UPDATE stockade.field_subject_keys SET wrapped = wrapped").execute(&desk.keyring).await.unwrap();
    let shred = desk.planner.schedule(&request(ShredTarget::Subject(tenant, ada))).await.unwrap();
    report(desk.shredder.execute(shred.id, "job", &desk.columns(), MONTH).await.unwrap());
    sqlx::query("SELECT pg_notify('stockade_field_keys', 'end')").execute(&desk.superuser).await.unwrap();
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != "end") {
        heard.push(timeout(PATIENCE, listener.recv()).await.unwrap().unwrap().payload().to_owned());
    }
    // One for each of the tenant's keys as they were made, and one for the destroyed one.
    assert_eq!(heard, [tenant.to_string(), tenant.to_string(), format!("{tenant} {ada}"), "end".to_owned()]);
}
