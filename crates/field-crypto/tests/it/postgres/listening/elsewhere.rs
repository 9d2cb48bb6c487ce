//! A listener in a process of its own, with nothing in common but the database and the key encryption key.

use std::env;
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::postgres::{KeyListener, PgKeyStore, ShredTarget};
use stockade_field_crypto::{LocalKeyring, OpenError, Sealed, SubjectId, TenantId, Vault};
use uuid::Uuid;

use super::until;
use crate::postgres::pool_as;
use crate::postgres::shredding::MONTH;
use crate::postgres::shredding::desk::{Desk, KEK, report, request};
use crate::support::PatientName;

/// The other process, which says what it opens.
struct Elsewhere {
    child: Child,
    says: Lines<BufReader<ChildStdout>>,
}

impl Elsewhere {
    fn start(options: &PgConnectOptions, tenant: TenantId, subject: SubjectId, row: Uuid) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "postgres::listening::elsewhere::a_process_that_listens", "--ignored", "--nocapture"])
            .env("FIELD_CRYPTO_SERVER", options.to_url_lossy().as_str())
            .env("FIELD_CRYPTO_PATIENT", format!("{tenant} {subject} {row}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, says }
    }

    fn says(&mut self, expected: &str) {
        assert!(self.says.any(|line| line.unwrap() == expected), "it ended before it said `{expected}`");
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[sqlx::test(migrations = false)]
async fn a_second_process_hears_of_a_shred(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options.clone()).await;
    let tenant = desk.tenant().await;
    let (ada, row) = desk.patient(tenant, "Ada").await;
    let mut elsewhere = Elsewhere::start(&options, tenant, ada, row);
    let mut elsewhere = tokio::task::spawn_blocking(move || {
        elsewhere.says("opened: Ada");
        elsewhere
    })
    .await
    .unwrap();
    let shred = desk.planner.schedule(&request(ShredTarget::Subject(tenant, ada))).await.unwrap();
    report(desk.shredder.execute(shred.id, "job", &desk.columns(), MONTH).await.unwrap());
    tokio::task::spawn_blocking(move || {
        elsewhere.says("destroyed");
        assert!(elsewhere.child.wait().unwrap().success());
    })
    .await
    .unwrap();
}

#[tokio::test]
#[ignore = "run as a process of its own by the other test"]
async fn a_process_that_listens() {
    let options: PgConnectOptions = env::var("FIELD_CRYPTO_SERVER").unwrap().parse().unwrap();
    let patient = env::var("FIELD_CRYPTO_PATIENT").unwrap();
    let ids: Vec<Uuid> = patient.split(' ').map(|id| id.parse().unwrap()).collect();
    let (tenant, subject, row) = (TenantId::from(ids[0]), SubjectId::from(ids[1]), ids[2]);
    let superuser = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    let sealed: Sealed<PatientName> =
        sqlx::query_scalar("SELECT name FROM patients WHERE id = $1").bind(row).fetch_one(&superuser).await.unwrap();
    // The cache lives for five minutes: what is forgotten before is forgotten because it was told.
    let store = PgKeyStore::new(pool_as(options.clone(), "stockade_keyring").await);
    let vault = Arc::new(Vault::new(LocalKeyring::parse(KEK).unwrap(), store));
    let listener = Arc::new(KeyListener::new(superuser));
    let (heard, forgets) = (Arc::clone(&listener), Arc::clone(&vault));
    let listening = tokio::spawn(async move {
        heard.run(&forgets).await;
    });
    until(async || listener.is_listening()).await;
    let open = async || {
        let keys = vault.subject(tenant, subject).await.unwrap();
        keys.open(&row, &sealed).map(|name| name.expose().clone())
    };
    println!("\nopened: {}", open().await.unwrap());
    until(async || open().await == Err(OpenError::Destroyed)).await;
    println!("\ndestroyed");
    listening.abort();
}
