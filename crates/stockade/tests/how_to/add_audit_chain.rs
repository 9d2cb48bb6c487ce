//! `docs/add-audit-chain.md`.

use std::path::Path;

use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use stockade::audit_chain::postgres::{self, Capture, Checkpointer, Checkpointing, SealEvent, Sealer, VerifyOptions};
use stockade::audit_chain::{Actor, Entry, Error, FileAnchor, LocalSigner, RequestContext};
use uuid::Uuid;

const BEFORE: &str = r"
CREATE ROLE billing_owner NOLOGIN;
CREATE ROLE billing_app LOGIN;
CREATE SCHEMA billing AUTHORIZATION billing_owner;
CREATE TABLE billing.invoices (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, customer_email text, sent_at timestamptz, reminded boolean);
ALTER TABLE billing.invoices OWNER TO billing_owner;
GRANT USAGE ON SCHEMA billing TO billing_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON billing.invoices TO billing_app;
";

const ROLES: &str = r"
GRANT stockade_app TO billing_app;                            -- the login that requests run on
CREATE ROLE billing_sealer LOGIN IN ROLE stockade_sealer;
CREATE ROLE billing_checkpointer LOGIN IN ROLE stockade_checkpointer;
GRANT stockade_attacher TO billing_owner;                     -- only for step 6
";

const TAMPER: &str = r"
ALTER TABLE stockade.audit_entry DISABLE TRIGGER ALL;
UPDATE stockade.audit_entry SET action = 'invoice.view' WHERE action = 'invoice.send';
ALTER TABLE stockade.audit_entry ENABLE TRIGGER ALL;
";

/// Where the application's own migrations run.
async fn migrate(migrator: &mut PgConnection) -> Result<(), sqlx::migrate::MigrateError> {
    postgres::migrator().run(migrator).await
}

/// What a request did before, with the tenant and one more statement in the same transaction.
async fn send_invoice(
    app: &mut PgConnection,
    tenant: Uuid,
    user: Uuid,
    invoice: Uuid,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut tx = app.begin().await?;
    sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)").bind(tenant.to_string()).execute(&mut *tx).await?;
    sqlx::query("UPDATE billing.invoices SET sent_at = now() WHERE id = $1").bind(invoice).execute(&mut *tx).await?;
    let entry = Entry::new(tenant.into(), Actor::user(user), "invoice.send")
        .entity("invoice", invoice)
        .before(json!({ "sent": false }))
        .after(json!({ "sent": true }))
        .request(RequestContext::new().endpoint("POST", "/invoices/{id}/send").request_id("r-7"));
    postgres::record(&mut *tx, &entry).await?; // an error here fails the request, and the change with it
    tx.commit().await?;
    Ok(())
}

/// A task of each replica. One works at a time; another takes over when it is gone.
async fn seal(sealer: PgConnectOptions, shutdown: impl Future<Output = ()> + Send) {
    let observe = |event: SealEvent<'_>| {
        if let SealEvent::Failed(error) = event {
            eprintln!("audit log: {error}");
        }
    };
    Sealer::new().run(&sealer, shutdown, observe).await;
}

/// A nightly job, for each tenant: what is wrong with the log and with the rules around it, in words. Alert on anything.
async fn inspect(sealer: &mut PgConnection, tenant: Uuid) -> Result<Vec<String>, Error> {
    let report = postgres::verify(sealer, tenant.into(), &VerifyOptions::default()).await?;
    let health = postgres::health(sealer).await?;
    let mut wrong: Vec<String> = report.verdicts().iter().map(ToString::to_string).collect();
    wrong.extend(health.deviations.iter().map(ToString::to_string));
    Ok(wrong)
}

/// Every few minutes. `seed` comes from where the database's administrators have no access, and `anchor` lies there too.
async fn checkpoint(
    checkpointer: &mut PgConnection,
    seed: &[u8; 32],
    anchor: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let signer = LocalSigner::from_seed("billing.example/audit", seed)?;
    match Checkpointer::new(signer).checkpoint(checkpointer, &FileAnchor::new(anchor)).await? {
        Checkpointing::Refused(refusals) => {
            Err(format!("the log contradicts its last checkpoint: {refusals:?}").into())
        }
        _ => Ok(()),
    }
}

/// At every start, as the owner of the table; does no harm when it is done already.
async fn capture(owner: &mut PgConnection) -> Result<(), Error> {
    let invoices = Capture::table("invoices").schema("billing").named("invoice").personal(["customer_email"]);
    postgres::attach(&mut *owner, &invoices).await?;
    Ok(())
}

async fn sealed(pool: &PgPool) {
    let mut sealer = super::connect(pool, "billing_sealer").await;
    let done = Sealer::new().seal_pending(&mut sealer).await.unwrap();
    drop(done);
}

/// Roles belong to the whole server, and other tests join them.
fn without_memberships(mut wrong: Vec<String>) -> Vec<String> {
    wrong.retain(|line| !line.contains(", membership "));
    wrong
}

#[sqlx::test(migrations = false)]
async fn an_existing_application_records_verifies_and_notices(pool: PgPool) {
    let mut admin = pool.acquire().await.unwrap();
    super::run_sql(&mut admin, BEFORE).await;
    migrate(&mut admin).await.unwrap();
    super::run_sql(&mut admin, ROLES).await;

    let (tenant, user, invoice) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    sqlx::query("INSERT INTO billing.invoices VALUES ($1, $2, 'ana@acme.test', NULL, false)")
        .bind(invoice)
        .bind(tenant)
        .execute(&mut *admin)
        .await
        .unwrap();
    let mut app = super::connect(&pool, "billing_app").await;
    send_invoice(&mut app, tenant, user, invoice).await.unwrap();

    // A sealer that is told to stop after it has sealed.
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let sealing = tokio::spawn(seal(super::login(&pool, "billing_sealer"), async { drop(stopped.await) }));
    sealed(&pool).await;
    stop.send(()).unwrap();
    sealing.await.unwrap();

    let mut sealer = super::connect(&pool, "billing_sealer").await;
    assert_eq!(without_memberships(inspect(&mut sealer, tenant).await.unwrap()), Vec::<String>::new());

    let folder = std::env::temp_dir().join(format!("stockade-how-to-{}", std::process::id()));
    let mut checkpointer = super::connect(&pool, "billing_checkpointer").await;
    checkpoint(&mut checkpointer, &[7; 32], &folder).await.unwrap();
    assert!(std::fs::read_to_string(&folder).unwrap().contains("billing.example/audit"));

    // Bulk statements and people with psql are captured as well.
    sqlx::query("SET ROLE billing_owner").execute(&mut *admin).await.unwrap();
    capture(&mut admin).await.unwrap();
    sqlx::query("RESET ROLE").execute(&mut *admin).await.unwrap();
    sqlx::query("UPDATE billing.invoices SET reminded = true").execute(&mut *admin).await.unwrap();
    sealed(&pool).await;
    let report = postgres::verify(&mut sealer, tenant.into(), &VerifyOptions::default()).await.unwrap();
    assert_eq!((report.checked(), report.is_intact()), (2, true));

    super::run_sql(&mut admin, TAMPER).await;
    let wrong = without_memberships(inspect(&mut sealer, tenant).await.unwrap());
    assert_eq!(wrong.first().unwrap(), "tenant 00000000-0000-0000-0000-000000000001, entry 1: the entry was altered");
    std::fs::remove_file(folder).unwrap();
}
